//! The HTTP API, in the shapes of SRS's: every answer is JSON with a `code`, 0 for success.
//!
//! Each group of endpoints has a file; the types of its answers are what the OpenAPI description
//! is made from.

mod answer;
mod auth;
mod clients;
mod clusters;
mod index;
mod jsonp;
mod machine;
mod raw;
mod request;
mod streams;
mod vhosts;

use std::sync::{Arc, LazyLock};

use axum::{
    Router,
    http::{StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use tower::util::MapRequest;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use self::{answer::Head, index::build_date};
use super::{metrics, query};
use crate::server::Shared;

/// The API's routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let (routes, _) = routes().split_for_parts();
    let router = routes
        .fallback(|| async { (StatusCode::NOT_FOUND, "Not Found") })
        .method_not_allowed_fallback(|| async {
            (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(from_fn_with_state(shared.clone(), auth::demand))
        .layer(from_fn(jsonp::wrap))
        .with_state(shared);
    // Before the routes are looked at, which no layer of a router is.
    Router::new().fallback_service(MapRequest::new(router, request::normalise))
}

/// What the description says beside its endpoints.
#[derive(OpenApi)]
#[openapi(info(
    title = "srs-server",
    description = "The HTTP API, compatible with that of SRS. Whatever goes wrong is told by a \
                   `code` other than 0; the status is 200 nevertheless."
))]
struct Description;

/// Every endpoint, with its description.
fn routes() -> OpenApiRouter<Arc<Shared>> {
    let mut description = Description::openapi();
    description.merge(super::rtc::Description::openapi());
    OpenApiRouter::with_openapi(description)
        .routes(routes!(index::root))
        .routes(routes!(index::api))
        .routes(routes!(index::v1))
        .routes(routes!(openapi))
        .routes(routes!(index::versions))
        .routes(routes!(index::authors))
        .routes(routes!(index::features))
        .routes(routes!(index::requests))
        .routes(routes!(index::test_requests))
        .routes(routes!(index::test_errors))
        .routes(routes!(index::test_redirects))
        .routes(routes!(machine::summaries))
        .routes(routes!(machine::rusages))
        .routes(routes!(machine::self_proc_stats))
        .routes(routes!(machine::system_proc_stats))
        .routes(routes!(machine::meminfos))
        .routes(routes!(vhosts::list))
        .routes(routes!(vhosts::one))
        .routes(routes!(streams::list))
        .routes(routes!(streams::one))
        .routes(routes!(clients::list, clients::kick_nobody))
        .routes(routes!(clients::one, clients::kick))
        .routes(routes!(raw::raw))
        .routes(routes!(clusters::clusters))
        .routes(routes!(metrics::metrics))
}

/// The API's description.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    responses((status = 200, description = "This description (OpenAPI 3.1)", body = Object))
)]
async fn openapi() -> Response {
    static DESCRIPTION: LazyLock<Bytes> =
        LazyLock::new(|| routes().into_openapi().to_json().unwrap_or_default().into());
    ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION.clone()).into_response()
}
