//! JSONP: answers as a call of a function, for pages that may not read other origins.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::query::Query;

/// Longest name of a function.
const MAX_CALLBACK: usize = 256;

/// Makes `f({…})` of JSON where the query says `callback=f`.
pub(super) async fn wrap(request: Request, next: Next) -> Response {
    let query = Query::of(request.uri());
    let response = next.run(request).await;
    let callback = query.get("callback");
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json || !is_function(callback) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // The body is one that we made, and whole already.
    let Ok(json) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut script = Vec::with_capacity(callback.len() + json.len() + 2);
    for part in [callback.as_bytes(), b"(", &json, b")"] {
        script.extend_from_slice(part);
    }
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript"));
    // What the page asked for is a script and nothing else that it could be taken for.
    head.headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Response::from_parts(head, Body::from(script))
}

/// Whether this is the name of a function, and not code that somebody put into a link.
fn is_function(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_$.[]".contains(&byte);
    !name.is_empty() && name.len() <= MAX_CALLBACK && name.bytes().all(is_part)
}
