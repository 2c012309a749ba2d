//! Virtual hosts.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Code},
    query::Id,
};
use crate::{
    live::{Meter, Vhost},
    server::Shared,
};

/// A virtual host.
#[derive(Debug, Serialize, ToSchema)]
struct VhostFacts {
    id: String,
    name: String,
    enabled: bool,
    /// Publishers and players now.
    clients: usize,
    /// Streams that are published now.
    streams: usize,
    /// Bytes sent to its clients so far.
    send_bytes: u64,
    /// Bytes received from them.
    recv_bytes: u64,
    kbps: Kbps,
    hls: Hls,
}

/// Kilobits per second over the last 30 s.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Kbps {
    pub(super) recv_30s: u64,
    pub(super) send_30s: u64,
}

impl Kbps {
    pub(super) fn of(meter: &Meter) -> Self {
        let (recv_30s, send_30s) = meter.kbps(Instant::now().into_std());
        Self { recv_30s, send_30s }
    }
}

/// Whether streams are cut for HLS.
#[derive(Debug, Serialize, ToSchema)]
struct Hls {
    enabled: bool,
}

impl VhostFacts {
    fn new(vhost: &Vhost) -> Self {
        let meter = &vhost.meter;
        Self {
            id: vhost.id.clone(),
            name: vhost.name.clone(),
            enabled: vhost.settings.enabled,
            clients: meter.clients(),
            streams: meter.publishers(),
            send_bytes: meter.sent(),
            recv_bytes: meter.received(),
            kbps: Kbps::of(meter),
            hls: Hls { enabled: false },
        }
    }
}

/// All vhosts.
#[derive(Debug, Serialize, ToSchema)]
struct VhostList {
    vhosts: Vec<VhostFacts>,
}

/// One vhost.
#[derive(Debug, Serialize, ToSchema)]
struct OneVhost {
    vhost: VhostFacts,
}

/// All vhosts.
#[utoipa::path(get, path = "/api/v1/vhosts", responses((status = 200, body = Answer<VhostList>)))]
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    shared.clients.refresh();
    let vhosts = shared.vhosts.list().iter().map(|vhost| VhostFacts::new(vhost)).collect();
    Answer::new(&shared, VhostList { vhosts }).into_response()
}

/// One vhost; code 2047 where there is none.
#[utoipa::path(
    get,
    path = "/api/v1/vhosts/{id}",
    params(("id" = String, Path, description = "The vhost's id")),
    responses((status = 200, body = Answer<OneVhost>))
)]
pub(super) async fn one(State(shared): State<Arc<Shared>>, Id(id): Id) -> Response {
    shared.clients.refresh();
    match shared.vhosts.list().iter().find(|vhost| vhost.id == id) {
        Some(vhost) => {
            Answer::new(&shared, OneVhost { vhost: VhostFacts::new(vhost) }).into_response()
        }
        None => Code::VhostNotFound.into_response(),
    }
}
