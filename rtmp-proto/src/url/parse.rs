use std::fmt;
use std::str::FromStr;

use super::{StreamAddress, UrlError, resolve, split_authority, split_query};

/// An RTMP address, as a user writes it.
///
/// The last part of the path is the stream, what is before it the app, which may be nested. A query may stand behind
/// the stream (`rtmp://h/app/stream?vhost=v&token=t`) or behind the app (`rtmp://h/app?vhost=v/stream`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RtmpUrl {
    /// Whether it starts with `rtmps`: the connection is by TLS.
    pub secure: bool,
    /// User name and password, as written before an `@`. They are sent to nobody.
    pub userinfo: Option<String>,
    /// The host; an IPv6 address without its brackets.
    pub host: String,
    /// The port; 1935, or 443 for `rtmps`, if none is written.
    pub port: u16,
    /// The app with its query, if it has one; may be empty.
    pub app: String,
    /// The stream with its query, if it has one.
    pub stream: String,
}

impl RtmpUrl {
    /// Parses a whole address, app and stream together.
    ///
    /// # Errors
    ///
    /// [`UrlError`]; an address without a stream is [`UrlError::EmptyStream`].
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let (authority, path) = split_authority(url)?;
        let (app, stream) = split_path(path.strip_prefix('/').unwrap_or(path));
        if split_query(stream).0.is_empty() {
            return Err(UrlError::EmptyStream);
        }
        Self::build(authority, app, stream)
    }

    /// Takes an address and a stream (a "stream key") that are given apart, as encoders ask for them.
    ///
    /// The whole path of the address is the app, with its query.
    ///
    /// # Errors
    ///
    /// [`UrlError`]; an empty stream is [`UrlError::EmptyStream`].
    pub fn from_parts(tc_url: &str, stream: &str) -> Result<Self, UrlError> {
        let (authority, path) = split_authority(tc_url)?;
        let app = path.strip_prefix('/').unwrap_or(path).trim_end_matches('/');
        let stream = stream.trim_start_matches('/');
        if split_query(stream).0.is_empty() {
            return Err(UrlError::EmptyStream);
        }
        Self::build(authority, app, stream)
    }

    fn build(authority: super::Authority<'_>, app: &str, stream: &str) -> Result<Self, UrlError> {
        if authority.host.is_empty() {
            return Err(UrlError::Host);
        }
        let default_port = default_port(authority.secure);
        Ok(Self {
            secure: authority.secure,
            userinfo: authority.userinfo.map(str::to_owned),
            host: authority.host.to_owned(),
            port: authority.port.unwrap_or(default_port),
            app: app.to_owned(),
            stream: stream.to_owned(),
        })
    }

    /// The address without the stream, as it is sent in `connect`; a default port is left out.
    pub fn tc_url(&self) -> String {
        let scheme = if self.secure { "rtmps" } else { "rtmp" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let port = if self.port == default_port(self.secure) {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        format!("{scheme}://{open}{}{close}{port}/{}", self.host, self.app)
    }

    /// What a server makes of it.
    ///
    /// # Errors
    ///
    /// [`UrlError::EmptyStream`], if the fields have been changed to name none.
    pub fn address(&self) -> Result<StreamAddress, UrlError> {
        resolve(&self.tc_url(), &self.app, &self.stream)
    }
}

impl FromStr for RtmpUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        Self::parse(url)
    }
}

/// The address with app and stream, without user name and password.
impl fmt::Display for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tc_url = self.tc_url();
        write!(f, "{}/{}", tc_url.trim_end_matches('/'), self.stream)
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 1935 }
}

/// Splits a path into app and stream, each with its query.
///
/// A query with a slash in it is the app's if it is followed by a stream: there is only one part before the query, or
/// the query chooses a vhost and what follows the last slash is a plain name. Else the slash is part of a value, as in
/// a token in base64.
fn split_path(path: &str) -> (&str, &str) {
    let (plain, query) = split_query(path);
    if let Some((in_app, after)) = query.rsplit_once('/')
        && !after.is_empty()
    {
        let names_vhost = ["vhost=", "domain="].iter().any(|key| in_app.contains(key));
        let plain_name = !split_query(after).0.contains(['=', '&']);
        if !plain.contains('/') || (names_vhost && plain_name) {
            let app = path.len().saturating_sub(after.len()).saturating_sub(1);
            return (path.get(..app).unwrap_or_default(), after);
        }
    }
    match plain.rfind('/') {
        Some(slash) => (
            path.get(..slash).unwrap_or_default(),
            path.get(slash.saturating_add(1)..).unwrap_or_default(),
        ),
        None => ("", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, String) {
        let url = RtmpUrl::parse(url).unwrap();
        (url.app, url.stream)
    }

    fn is(url: &str, app: &str, stream: &str) {
        assert_eq!(parts(url), (app.to_owned(), stream.to_owned()), "{url}");
    }

    #[test]
    fn where_app_and_stream_part() {
        is("rtmp://h/live/s", "live", "s");
        is("rtmp://h/s", "", "s");
        is("rtmp://h/a/b/s", "a/b", "s");
        is("rtmp://h/live/s?vhost=v&token=t", "live", "s?vhost=v&token=t");
        is("rtmp://h/live?vhost=v/s", "live?vhost=v", "s");
        is("rtmp://h/live#vhost=v/s", "live#vhost=v", "s");
        is("rtmp://h/a/b?vhost=v/s", "a/b?vhost=v", "s");
        is("rtmp://h/live...vhost...v/s", "live...vhost...v", "s");
        is("rtmp://h/live/_definst_/s", "live/_definst_", "s");
        is("rtmp://h/live/s?token=ab/cd==", "live", "s?token=ab/cd==");
        is("rtmp://h/live/s?vhost=v&token=ab/cd==", "live", "s?vhost=v&token=ab/cd==");
        is("rtmp://h/live?vhost=v/s?token=t", "live?vhost=v", "s?token=t");
    }

    #[test]
    fn without_a_stream_or_host() {
        for url in ["rtmp://h", "rtmp://h/", "rtmp://h/live/", "rtmp://h/live/?a=b"] {
            assert_eq!(RtmpUrl::parse(url), Err(UrlError::EmptyStream), "{url}");
        }
        assert_eq!(RtmpUrl::parse("rtmp:///live/s"), Err(UrlError::Host));
    }

    #[test]
    fn ports_and_tc_url() {
        let url = |text| RtmpUrl::parse(text).unwrap();
        assert_eq!(url("rtmp://h/live/s").port, 1935);
        assert_eq!(url("rtmps://h/live/s").port, 443);
        assert_eq!(url("rtmp://h:1935/live/s?k=v").tc_url(), "rtmp://h/live");
        assert_eq!(url("rtmps://[::1]:1935/live/s").tc_url(), "rtmps://[::1]:1935/live");
        let secret = url("rtmp://user:pass@h:19350/live/s");
        assert_eq!(secret.userinfo.as_deref(), Some("user:pass"));
        assert_eq!(secret.to_string(), "rtmp://h:19350/live/s");
        assert_eq!("rtmp://h/s".parse::<RtmpUrl>().unwrap().to_string(), "rtmp://h/s");
    }

    #[test]
    fn from_parts() {
        let url = RtmpUrl::from_parts("rtmp://h/live?vhost=v", "key?token=a/b").unwrap();
        assert_eq!((url.app.as_str(), url.stream.as_str()), ("live?vhost=v", "key?token=a/b"));
        let url = RtmpUrl::from_parts("rtmp://h/a/b/", "s").unwrap();
        assert_eq!((url.app.as_str(), url.stream.as_str()), ("a/b", "s"));
        assert_eq!(RtmpUrl::from_parts("rtmp://h/live", ""), Err(UrlError::EmptyStream));
    }
}
