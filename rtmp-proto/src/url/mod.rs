//! RTMP addresses: as a user writes them, and as a server sees them in `connect`, `publish` and `play`.

mod address;
mod parse;

use thiserror::Error;

pub use address::{DEFAULT_APP, DEFAULT_VHOST, StreamAddress, resolve};
pub use parse::RtmpUrl;

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It starts with neither `rtmp://` nor `rtmps://`.
    #[error("url starts with neither rtmp:// nor rtmps://")]
    Scheme,
    /// It names no host.
    #[error("url names no host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("port {port:?} is not between 1 and 65535")]
    Port {
        /// The port as written.
        port: String,
    },
    /// It names no stream, nor can one be guessed.
    #[error("no stream is named")]
    EmptyStream,
}

/// Splits at the first `?` or `#`; the mark stays with the second part.
fn split_query(text: &str) -> (&str, &str) {
    text.split_at_checked(text.find(['?', '#']).unwrap_or(text.len())).unwrap_or((text, ""))
}

/// The value of a key in a query, with or without its mark; percent signs are left alone.
fn query_value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    query
        .split(['?', '#', '&'])
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(k, value)| (k == key && !value.is_empty()).then_some(value))
}

/// A URL before its path.
#[derive(Debug, PartialEq, Eq)]
struct Authority<'a> {
    secure: bool,
    userinfo: Option<&'a str>,
    /// Without the brackets of an IPv6 address.
    host: &'a str,
    port: Option<u16>,
}

/// Splits a URL into its authority and what follows, which is empty or starts with `/`, `?` or `#`.
fn split_authority(url: &str) -> Result<(Authority<'_>, &str), UrlError> {
    let (scheme, rest) = url.trim().split_once("://").ok_or(UrlError::Scheme)?;
    let secure = match scheme {
        _ if scheme.eq_ignore_ascii_case("rtmp") => false,
        _ if scheme.eq_ignore_ascii_case("rtmps") => true,
        _ => return Err(UrlError::Scheme),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let (userinfo, address) = match authority.rsplit_once('@') {
        Some((userinfo, address)) => (Some(userinfo), address),
        None => (None, authority),
    };
    let (host, port) = match address.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':')),
        None => match address.split_once(':') {
            // More than one colon: an IPv6 address without its brackets.
            Some((_, port)) if port.contains(':') => (address, None),
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port.filter(|port| !port.is_empty()) {
        None => None,
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => return Err(UrlError::Port { port: text.to_owned() }),
            Ok(port) => Some(port),
        },
    };
    Ok((Authority { secure, userinfo, host, port }, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        let split = |url| split_authority(url).map(|(a, path)| (a.secure, a.host, a.port, path));
        assert_eq!(split("rtmp://h/live"), Ok((false, "h", None, "/live")));
        assert_eq!(split("RTMPS://h:8443"), Ok((true, "h", Some(8443), "")));
        assert_eq!(split("rtmp://[::1]:1936/a"), Ok((false, "::1", Some(1936), "/a")));
        assert_eq!(split("rtmp://[::1]/a"), Ok((false, "::1", None, "/a")));
        assert_eq!(split("rtmp://fe80::1/a"), Ok((false, "fe80::1", None, "/a")));
        assert_eq!(split("rtmp://u:p@h:1/a"), Ok((false, "h", Some(1), "/a")));
        assert_eq!(split("rtmp://h:/a"), Ok((false, "h", None, "/a")));
        assert_eq!(split("http://h/a"), Err(UrlError::Scheme));
        assert_eq!(split("rtmp://h:x/a"), Err(UrlError::Port { port: "x".into() }));
        assert_eq!(split("rtmp://h:0/a"), Err(UrlError::Port { port: "0".into() }));
        assert_eq!(split("rtmp://h:70000/a"), Err(UrlError::Port { port: "70000".into() }));
    }

    #[test]
    fn queries() {
        assert_eq!(split_query("s?a=1#b"), ("s", "?a=1#b"));
        assert_eq!(split_query("s#a=1"), ("s", "#a=1"));
        assert_eq!(split_query("s"), ("s", ""));
        assert_eq!(query_value("?a=1&vhost=v&b", "vhost"), Some("v"));
        assert_eq!(query_value("#vhost=v", "vhost"), Some("v"));
        assert_eq!(query_value("?xvhost=v&vhost=", "vhost"), None);
    }
}
