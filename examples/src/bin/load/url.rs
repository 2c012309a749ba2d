//! Where a stream is, and the names of its siblings.

use std::{fmt, str::FromStr};

use rtmp_proto::RtmpUrl;

/// An address such as `http://127.0.0.1:8080/live/livestream.flv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpUrl {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// From the first slash on.
    pub(crate) path: String,
}

impl FromStr for HttpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or("url doesn't start with http://")?;
        let (authority, path) = rest.split_at(rest.find('/').ok_or("url names no stream")?);
        if path.len() == 1 || path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err("url names no stream, or has blanks".to_owned());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|error| format!("port {port:?}: {error}"))?)
            }
            _ => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("url names no host".to_owned());
        }
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, path } = self;
        match host.contains(':') {
            true => write!(f, "http://[{host}]:{port}{path}"),
            false => write!(f, "http://{host}:{port}{path}"),
        }
    }
}

/// An address of a stream, which has siblings `name-0`, `name-1` and so on.
pub(crate) trait Numbered: Clone {
    fn numbered(&self, number: u32) -> Self;
}

impl Numbered for RtmpUrl {
    fn numbered(&self, number: u32) -> Self {
        let mut url = self.clone();
        let end = url.stream.find(['?', '#']).unwrap_or(url.stream.len());
        url.stream.insert_str(end, &format!("-{number}"));
        url
    }
}

impl Numbered for HttpUrl {
    fn numbered(&self, number: u32) -> Self {
        let mut url = self.clone();
        let end = url.path.find(['?', '#']).unwrap_or(url.path.len());
        // Some servers have WHIP and WHEP at one path, and the stream in the query.
        let queried = ["?stream=", "&stream="]
            .iter()
            .find_map(|name| Some(end + url.path[end..].find(name)? + name.len()));
        if let Some(value) = queried {
            let rest = &url.path[value..];
            let at = value + rest.find(['&', '#']).unwrap_or(rest.len());
            url.path.insert_str(at, &format!("-{number}"));
            return url;
        }
        let name = url.path[..end].rfind('/').map_or(0, |slash| slash + 1);
        let dot = url.path[name..end].rfind('.').map_or(end, |dot| name + dot);
        url.path.insert_str(dot, &format!("-{number}"));
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_addresses_are_read_and_shown() {
        for text in ["http://127.0.0.1:8080/live/s.flv", "http://[::1]:80/a/b/s.flv?token=a:b"] {
            assert_eq!(text.parse::<HttpUrl>().unwrap().to_string(), text);
        }
        let url: HttpUrl = "http://localhost/live/s.flv".parse().unwrap();
        assert_eq!((url.host.as_str(), url.port), ("localhost", 80));
        for text in
            ["rtmp://127.0.0.1/live/s", "http://h", "http://h/", "http://:1/s", "http://h:x/s"]
        {
            assert!(text.parse::<HttpUrl>().is_err(), "{text}");
        }
        assert!("http://h/s.flv HTTP/1.1\r\nX: y".parse::<HttpUrl>().is_err());
    }

    #[test]
    fn streams_are_numbered_before_extension_and_query() {
        let rtmp = |text| RtmpUrl::parse(text).unwrap().numbered(1).stream;
        assert_eq!(rtmp("rtmp://127.0.0.1/live/s?token=t"), "s-1?token=t");
        let http = |text: &str| text.parse::<HttpUrl>().unwrap().numbered(2).path;
        assert_eq!(http("http://h/live/s.flv?a=b.c"), "/live/s-2.flv?a=b.c");
        assert_eq!(http("http://h/a.b/s"), "/a.b/s-2");
        let whep = "http://h/rtc/v1/whep/?app=live&stream=s.a&x=y";
        assert_eq!(http(whep), "/rtc/v1/whep/?app=live&stream=s.a-2&x=y");
        assert_eq!(http("http://h/rtc/v1/whip/?stream=s"), "/rtc/v1/whip/?stream=s-2");
    }
}
