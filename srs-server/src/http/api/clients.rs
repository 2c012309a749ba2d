//! Publishers and players.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::time::Instant;
use tracing::info;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Code, Head, Outcome},
    query::{Id, Page},
    vhosts::Kbps,
};
use crate::{live::Client, rtc::Quality, server::Shared};

/// A client that publishes or plays.
#[derive(Debug, Serialize, ToSchema)]
struct ClientFacts {
    id: String,
    /// The vhost's id.
    vhost: String,
    /// The stream's id.
    stream: String,
    ip: String,
    #[serde(rename = "pageUrl")]
    page_url: String,
    #[serde(rename = "swfUrl")]
    swf_url: String,
    #[serde(rename = "tcUrl")]
    tc_url: String,
    url: String,
    /// The stream's name.
    name: String,
    /// What it does, and how: `rtmp-play`, `fmle-publish`, …
    #[serde(rename = "type")]
    kind: &'static str,
    /// Whether it publishes.
    publish: bool,
    /// Seconds since it began.
    alive: f64,
    /// Bytes sent to it so far.
    send_bytes: u64,
    /// Bytes received from it.
    recv_bytes: u64,
    kbps: Kbps,
    /// How well its packets travel, of clients by WebRTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rtc: Option<RtcFacts>,
}

/// How well the packets of a client by WebRTC travel, as whoever receives them says; a second old at
/// most.
#[derive(Debug, Serialize, ToSchema)]
struct RtcFacts {
    /// The round-trip time, milliseconds. Publishers tell none, and players after some seconds.
    rtt_ms: Option<f64>,
    /// The share of packets lost lately, 0 to 1, of the track that lost most.
    loss: f64,
    /// Packets of media so far.
    packets: u64,
    /// Those of them that were lost for good.
    lost: u64,
    /// Packets that were asked for again.
    nacks: u64,
    /// Packets that were sent again.
    retransmitted: u64,
    /// Keyframes that were asked for.
    plis: u64,
}

impl From<Quality> for RtcFacts {
    fn from(quality: Quality) -> Self {
        Self {
            rtt_ms: quality.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
            loss: quality.loss,
            packets: quality.packets,
            lost: quality.lost,
            nacks: quality.nacks,
            retransmitted: quality.retransmitted,
            plis: quality.keyframe_requests,
        }
    }
}

impl ClientFacts {
    fn new(shared: &Shared, client: &Client) -> Self {
        let (identity, stream) = (&client.identity, &client.stream);
        let now = Instant::now().into_std();
        let (recv_30s, send_30s) = client.kbps(now);
        Self {
            id: identity.id.clone(),
            vhost: stream.vhost.id.clone(),
            stream: stream.id.clone(),
            ip: identity.ip.to_string(),
            page_url: identity.page_url.clone(),
            swf_url: identity.swf_url.clone(),
            tc_url: identity.tc_url.clone(),
            url: stream.url(),
            name: stream.key.name().to_owned(),
            kind: identity.kind.name(),
            publish: identity.kind.is_publisher(),
            alive: (now - client.since).as_secs_f64(),
            send_bytes: client.sent(),
            recv_bytes: client.received(),
            kbps: Kbps { recv_30s, send_30s },
            rtc: quality(shared, &identity.id).map(RtcFacts::from),
        }
    }
}

fn quality(shared: &Shared, client: &str) -> Option<Quality> {
    shared.rtc.as_ref()?.of_client(client)?.quality()
}

/// Clients, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct ClientList {
    /// How many there are in all.
    total: usize,
    clients: Vec<ClientFacts>,
}

/// One client.
#[derive(Debug, Serialize, ToSchema)]
struct OneClient {
    client: ClientFacts,
}

/// Clients, the oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/clients",
    params(Page),
    responses((status = 200, body = Answer<ClientList>))
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>, page: Page) -> Response {
    let clients = shared.clients.page(page.start, page.count);
    let body = ClientList {
        total: shared.clients.meter().clients(),
        clients: clients.iter().map(|client| ClientFacts::new(&shared, client)).collect(),
    };
    Answer::new(&shared, body).into_response()
}

/// One client; code 2049 where there is none.
#[utoipa::path(
    get,
    path = "/api/v1/clients/{id}",
    params(("id" = String, Path, description = "The client's id")),
    responses((status = 200, body = Answer<OneClient>))
)]
pub(super) async fn one(State(shared): State<Arc<Shared>>, Id(id): Id) -> Response {
    match shared.clients.find(&id) {
        Some(client) => {
            let client = ClientFacts::new(&shared, &client);
            Answer::new(&shared, OneClient { client }).into_response()
        }
        None => Code::ClientNotFound.into_response(),
    }
}

/// Closes a client's connection; code 2049 where there is none.
#[utoipa::path(
    delete,
    path = "/api/v1/clients/{id}",
    params(("id" = String, Path, description = "The client's id")),
    responses((status = 200, body = Head))
)]
pub(super) async fn kick(State(shared): State<Arc<Shared>>, Id(id): Id) -> Response {
    match shared.clients.find(&id) {
        Some(client) => {
            info!(client = %client.identity.id, "kicked by the API");
            client.kick();
            Json(Head::new(&shared)).into_response()
        }
        None => Code::ClientNotFound.into_response(),
    }
}

/// Always code 2049: who is to go must be said.
#[utoipa::path(delete, path = "/api/v1/clients", responses((status = 200, body = Outcome)))]
pub(super) async fn kick_nobody() -> Code {
    Code::ClientNotFound
}
