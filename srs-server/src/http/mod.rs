//! HTTP: live streams and files on one port, the API on another.

mod api;
mod cors;
mod files;
mod handover;
mod live;
mod media;
mod metrics;
mod pages;
mod query;
mod rewind;
mod rtc;

use std::{future::poll_fn, net::IpAddr, pin::pin, sync::Arc, task::Poll};

use axum::{Router, extract::Request, middleware::from_fn_with_state};
use stream_hub::WakeGroup;
use tower::ServiceExt;
use tracing::{Span, debug, info};

use self::{
    handover::{Next, play, requests},
    rewind::Rewind,
};
use crate::{
    net::{Attendant, Guarded, Link, Residence, Transport},
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
    residence: Arc<Residence>,
}

/// Serves one connection until it ends. Its lines in the log are those of `span`.
///
/// What begins it is no part of the future, which a player has for hours.
pub fn serve<S: Transport>(
    socket: S,
    peer: Peer,
    span: Span,
    shared: Arc<Shared>,
    router: Router,
) -> impl Future<Output = ()> + Send + use<S> {
    let link = Arc::new(Link::new(span));
    let socket = Guarded::new(socket, link.clone(), shared.tuning.write_timeout);
    let connection = Connection {
        id: peer.id,
        ip: peer.address.ip().to_canonical(),
        link: link.clone(),
        group: peer.shard.group,
        residence: peer.shard.residence,
    };
    let (address, timeout) = (peer.address, shared.tuning.request_timeout);
    let mut socket = Rewind::new(socket);
    async move {
        let mut run = pin!(async {
            loop {
                // Boxed: what requests need goes when a player takes over, which may stay for hours.
                let next = {
                    let requests = requests(socket, connection.clone(), router.clone(), timeout);
                    let mut requests = Box::pin(requests);
                    link.in_span(requests.as_mut()).await
                };
                match next {
                    Next::Play(taken, player) => match play(taken, player, &link).await {
                        Ok(Some(kept)) => socket = kept,
                        Ok(None) => return Ok(()),
                        Err(error) => return Err(error.to_string()),
                    },
                    Next::Over(result) => return result.map_err(|error| chain(&error)),
                }
            }
        });
        let mut attendant = Attendant::new(link.clone());
        let result = poll_fn(|cx| match attendant.poll_kicked(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => run.as_mut().poll(cx).map(Some),
        })
        .await;
        link.span().in_scope(|| match result {
            Some(Ok(())) => debug!(peer = %address, "http connection closed"),
            Some(Err(error)) => info!(peer = %address, "http connection failed: {error}"),
            None => info!(peer = %address, "http connection closed: kicked"),
        });
    }
}

/// The routes of a port.
pub fn router(shared: Arc<Shared>, site: Site) -> Router {
    let state = (shared.clone(), site);
    let routes = match site {
        Site::Media => media::router(shared),
        Site::Api => api::router(shared),
        Site::Metrics => return metrics::router().with_state(shared),
    };
    routes
        .layer(from_fn_with_state(state.clone(), cors::allow))
        .layer(from_fn_with_state(state, rtc::before))
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    /// What a viewer has for hours, beside its kernel buffers; there are thousands of them.
    #[test]
    fn a_viewer_is_small() {
        let task = |socket: TcpStream, peer, span, shared, router| {
            serve(socket, peer, span, shared, router)
        };
        let sizes = [result_size(&task), live::PLAYER_SIZE, size_of::<crate::live::Client>()];
        assert!(sizes.iter().sum::<usize>() <= 1_680, "{sizes:?}");
    }

    fn result_size<A, B, C, D, E, T>(_: &impl Fn(A, B, C, D, E) -> T) -> usize {
        size_of::<T>()
    }
}
