//! Which stream a request means, and what else it says of the session that it wants.

use std::{fmt::Write, sync::Arc};

use axum::{
    extract::Request,
    http::{HeaderMap, Uri, header},
};
use rtc_stack::{Codec, sdp::Offer, stun::Credentials};
use rtmp_proto::url::{self, StreamAddress};
use tracing::warn;

use super::{super::query::Query, Call};
use crate::{
    live::Vhost,
    rtc::{Hints, Role, RtcError, SessionRequest},
};

/// A stream that a request names, with the URL of its app.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) address: StreamAddress,
    pub(super) tc_url: String,
}

impl Named {
    /// The stream of an app at the host that was asked; `query` is the request's, without its mark.
    pub(super) fn new(
        authority: &str,
        app: &str,
        stream: &str,
        query: &str,
    ) -> Result<Self, RtcError> {
        let mark = if query.is_empty() { "" } else { "?" };
        let rtmp = format!("rtmp://{authority}/{app}");
        // The same rules as for RTMP's clients.
        let address = url::resolve(&rtmp, app, &format!("{stream}{mark}{query}"))?;
        for name in [app, stream, &address.app, &address.stream] {
            if is_odd(name) {
                return Err(RtcError::Name(name.chars().take(100).collect()));
            }
        }
        Ok(Self { address, tc_url: format!("webrtc://{authority}/{app}") })
    }

    /// The stream of a URL of whatever scheme: `webrtc://host/app/stream?query`.
    pub(super) fn of_url(url: &str) -> Result<Self, RtcError> {
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("webrtc", url.trim()));
        let (path, query) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
        let (authority, path) = path.split_once('/').unwrap_or((path, ""));
        let path = path.trim_matches('/');
        let (app, stream) = path.rsplit_once('/').unwrap_or((path, ""));
        let named = Self::new(authority, app, stream, query)?;
        Ok(Self { tc_url: format!("{scheme}://{authority}/{app}"), ..named })
    }

    /// Adds a bearer token to the parameters, as `token`, where they have none: hook servers are
    /// told of nothing else.
    pub(super) fn with_token(mut self, headers: &HeaderMap) -> Self {
        let param = &mut self.address.param;
        let has_token = param.split(['?', '#', '&']).any(|pair| pair.starts_with("token="));
        if let Some(token) = bearer(headers).filter(|_| !has_token) {
            let mark = if param.is_empty() { '?' } else { '&' };
            // A string takes whatever is written.
            let _ = write!(param, "{mark}token={}", encoded(token));
        }
        self
    }
}

/// What a request says beside its stream.
pub(super) struct Said {
    query: Query,
    page_url: String,
    authority: String,
}

impl Said {
    pub(super) fn of(request: &Request) -> Self {
        let text = |name| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Self {
            query: Query::of(request.uri()),
            page_url: text(header::REFERER),
            // An address with a host counts more than the header (RFC 9112, 3.2.2).
            authority: match request.uri().authority() {
                Some(authority) => authority.to_string(),
                None => text(header::HOST),
            },
        }
    }

    pub(super) fn query(&self) -> &Query {
        &self.query
    }

    /// The host that was asked, with its port.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The same without it.
    pub(super) fn host(&self) -> &str {
        host(&self.authority)
    }

    /// The request for a session.
    pub(super) async fn request(
        &self,
        call: &Call,
        role: Role,
        named: Named,
        offer: Offer,
    ) -> Result<SessionRequest, RtcError> {
        let query = &self.query;
        for name in ["encrypt", "dtls"] {
            if query.get(name) == "false" {
                warn!("`{name}=false` has no effect: media are always encrypted");
            }
        }
        let Named { address, tc_url } = named;
        let vhost = vhost(call, &address)?;
        let credentials = match (query.get("ice-ufrag"), query.get("ice-pwd")) {
            ("", _) | (_, "") => None,
            (ufrag, password) => Some(Credentials::new(ufrag, password)?),
        };
        let codecs = ["codec", "vcodec", "acodec"]
            .into_iter()
            .flat_map(|name| query.get(name).split(',').map(|name| Codec::from_name(name.trim())));
        let codecs = codecs.filter(|codec| codec.kind().is_some()).collect();
        let asked = match query.get("eip") {
            "" => query.get("candidate"),
            eip => eip,
        };
        let hints = Hints { asked, host: self.host() };
        let server = &call.shared.config().rtc_server;
        let hosts = call.rtc.candidates().hosts(server, hints).await;
        Ok(SessionRequest {
            role,
            vhost,
            address,
            tc_url,
            page_url: self.page_url.clone(),
            ip: call.connection.ip,
            offer,
            credentials,
            codecs,
            hosts,
        })
    }
}

fn vhost(call: &Call, address: &StreamAddress) -> Result<Arc<Vhost>, RtcError> {
    let vhost = call.shared.vhost(&address.vhost);
    vhost.ok_or_else(|| RtcError::NoVhost(address.vhost.clone()))
}

/// The query of a request, as it came.
pub(super) fn raw_query(uri: &Uri) -> &str {
    uri.query().unwrap_or_default()
}

/// Encodes text for one place of a URL.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                // As above.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A host without its port.
fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// Names that would be trouble wherever they are written.
fn is_odd(name: &str) -> bool {
    name.contains(|c: char| c.is_control() || matches!(c, '\\' | '?' | '#'))
        || name.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_any_scheme_name_a_stream() {
        for (url, [vhost, app, stream, param], tc_url) in [
            ("webrtc://h/live/a", ["h", "live", "a", ""], "webrtc://h/live"),
            ("webrtc://h:8000/live/a?x=1", ["h", "live", "a", "?x=1"], "webrtc://h:8000/live"),
            ("http://h/a/b/c?vhost=v", ["v", "a/b", "c", "?vhost=v"], "http://h/a/b"),
            ("rtmp://h/live/a?domain=v", ["v", "live", "a", "?domain=v"], "rtmp://h/live"),
            ("h/live/a", ["h", "live", "a", ""], "webrtc://h/live"),
        ] {
            let named = Named::of_url(url).unwrap();
            let address = &named.address;
            let found = [&address.vhost, &address.app, &address.stream, &address.param];
            assert_eq!(found, [vhost, app, stream, param], "{url}");
            assert_eq!(named.tc_url, tc_url);
        }
        for url in ["", "webrtc://h", "webrtc://h/live", "webrtc://h/../a", "webrtc://h/live/a\\b"]
        {
            assert!(Named::of_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_bearer_token_is_a_parameter() {
        let param = |query: &str, authorization: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
            Named::new("h", "live", "a", query).unwrap().with_token(&headers).address.param
        };
        assert_eq!(param("", "Bearer a.b-c"), "?token=a.b-c");
        assert_eq!(param("x=1", "bearer a+b="), "?x=1&token=a%2Bb%3D");
        assert_eq!(param("token=own", "Bearer other"), "?token=own");
        assert_eq!(param("x=1", "Basic YQ=="), "?x=1");
    }

    #[test]
    fn hosts_have_ports() {
        for (authority, expected) in
            [("h", "h"), ("h:1985", "h"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")]
        {
            assert_eq!(host(authority), expected);
        }
    }
}
