//! HTTP Basic authentication (RFC 7617) of the API.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use srs_config::HttpAuth;
use subtle::ConstantTimeEq;

use crate::server::Shared;

/// Lets a request through that needs no password, or has the right one.
///
/// WebRTC's signalling is for players, whom hook servers ask for their tokens.
pub(super) async fn demand(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    let config = shared.config();
    let path = request.uri().path();
    // Where metrics have no port of their own, they are a part of the API.
    let is_private =
        path.contains("/api/") || path == "/api" || path == super::super::metrics::PATH;
    let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    if is_private && config.http_api.auth.enabled && !is_right(&config.http_api.auth, given) {
        let demand = [(header::WWW_AUTHENTICATE, "Basic realm=\"srs\", charset=\"UTF-8\"")];
        return (StatusCode::UNAUTHORIZED, demand, "Unauthorized").into_response();
    }
    next.run(request).await
}

/// Whether these are the name and the password; to find out takes as long either way.
fn is_right(auth: &HttpAuth, given: Option<&[u8]>) -> bool {
    const SCHEME: &[u8] = b"basic ";
    // Nobody may where nobody is named.
    if auth.username.is_empty() && auth.password.is_empty() {
        return false;
    }
    let Some((scheme, credentials)) = given.and_then(|given| given.split_at_checked(SCHEME.len()))
    else {
        return false;
    };
    let Ok(credentials) = BASE64_STANDARD.decode(credentials.trim_ascii()) else { return false };
    let right = format!("{}:{}", auth.username, auth.password);
    scheme.eq_ignore_ascii_case(SCHEME) && bool::from(credentials.ct_eq(right.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_credentials_pass() {
        let mut auth = HttpAuth::default();
        // Base64 of `:`.
        assert!(!is_right(&auth, Some(b"Basic Og==")));
        (auth.username, auth.password) = ("Aladdin".to_owned(), "open sesame".to_owned());
        // The example of RFC 7617, section 2.
        assert!(is_right(&auth, Some(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
        assert!(is_right(&auth, Some(b"basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
        for wrong in [
            &b""[..],
            b"Basic",
            b"Basic ",
            b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ",
            b"Basic QWxhZGRpbjpvcGVuIHNlc2Ft",
            b"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(!is_right(&auth, Some(wrong)), "{wrong:?}");
        }
        assert!(!is_right(&auth, None));
    }
}
