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
use crate::{live::Client, server::Shared};

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
}

impl ClientFacts {
    fn new(client: &Client) -> Self {
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
        }
    }
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
        clients: clients.iter().map(|client| ClientFacts::new(client)).collect(),
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
            Answer::new(&shared, OneClient { client: ClientFacts::new(&client) }).into_response()
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
