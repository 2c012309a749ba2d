//! Cross-origin requests: players on any page may read what is served here.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Site;
use crate::server::Shared;

/// Allows any origin, and answers a preflight request without asking the routes, where
/// `crossdomain` of the port is on.
pub(super) async fn allow(
    State((shared, site)): State<(Arc<Shared>, Site)>,
    request: Request,
    next: Next,
) -> Response {
    let config = shared.config();
    let is_on = match site {
        Site::Media => config.http_server.crossdomain,
        Site::Api => config.http_api.crossdomain,
        Site::Metrics => false,
    };
    if !is_on {
        return next.run(request).await;
    }
    let mut response = if request.method() == Method::OPTIONS {
        StatusCode::OK.into_response()
    } else {
        next.run(request).await
    };
    let headers: &mut HeaderMap = response.headers_mut();
    for name in [
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
    ] {
        headers.insert(name, HeaderValue::from_static("*"));
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("false"));
    response
}
