//! HTTP: live streams and files on one port, the API on another.

mod api;
mod cors;
mod files;
mod live;
mod media;
mod metrics;

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::{Router, body::Body, extract::Request, middleware::from_fn_with_state};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use stream_hub::WakeGroup;
use tokio::{select, sync::Notify};
use tower::ServiceExt;
use tracing::{debug, info};

use crate::{
    net::{Guarded, Link, Transport},
    server::{Peer, Shared},
};

/// Bytes that one connection's unwritten response may take.
const WRITE_BUFFER: usize = 64 * 1024;

/// What is served on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// Live streams and files.
    Media,
    /// The API.
    Api,
    /// Metrics alone.
    Metrics,
}

/// What a handler knows of the connection that its request came on.
#[derive(Debug, Clone)]
struct Connection {
    id: String,
    ip: IpAddr,
    link: Arc<Link>,
    group: WakeGroup,
    close: Arc<Notify>,
}

/// Serves one connection until it ends.
pub async fn serve<S: Transport>(socket: S, peer: Peer, shared: Arc<Shared>, router: Router) {
    let socket = Guarded::new(socket, shared.tuning.write_timeout);
    let connection = Connection {
        id: peer.id,
        ip: peer.address.ip().to_canonical(),
        link: socket.link().clone(),
        group: peer.shard.group,
        close: Arc::default(),
    };
    let close = connection.close.clone();
    let timeout = shared.tuning.request_timeout;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(connection.clone());
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|e| match e {})) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(WRITE_BUFFER)
        .serve_connection(TokioIo::new(socket), service);
    select! {
        result = serving => match result {
            Ok(()) => debug!(peer = %peer.address, "http connection closed"),
            Err(error) => info!(peer = %peer.address, "http connection failed: {}", chain(&error)),
        },
        () = close.notified() => info!(peer = %peer.address, "http connection closed: kicked"),
    }
}

/// The routes of a port.
pub fn router(shared: Arc<Shared>, site: Site) -> Router {
    match site {
        Site::Media => media::router(shared.clone()),
        Site::Api => api::router(shared.clone()),
        Site::Metrics => return metrics::router().with_state(shared),
    }
    .layer(from_fn_with_state((shared, site), cors::allow))
}

/// The routes of a port that serves both: SRS's paths of the API go there.
pub fn either(api: Router, media: Router) -> Router {
    Router::new().fallback(move |request: Request| {
        let is_below = |root: &str| {
            let rest = request.uri().path().strip_prefix(root);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_api = ["/api", "/rtc", metrics::PATH].into_iter().any(is_below);
        let router = if is_api { api.clone() } else { media.clone() };
        async move { router.oneshot(request).await.unwrap_or_else(|e| match e {}) }
    })
}

/// An error with its causes, which hyper keeps apart.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
