//! The HTTP API, in the shapes of SRS's: every answer is JSON with a `code`, 0 for success.

use std::{collections::HashMap, sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde::Deserialize;
use serde_json::{Value, json};
use stream_hub::StreamStats;

use crate::{
    live::{Client, LiveStream},
    server::Shared,
};

/// The error codes of SRS that this API answers with.
#[derive(Debug, Clone, Copy)]
enum Code {
    StreamNotFound = 2048,
    ClientNotFound = 2049,
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/v1/versions", any(versions))
        .route("/api/v1/streams", get(streams))
        .route("/api/v1/streams/", get(streams))
        .route("/api/v1/streams/{id}", get(stream))
        .route("/api/v1/clients", get(clients))
        .route("/api/v1/clients/", get(clients))
        .route("/api/v1/clients/{id}", get(client).delete(kick))
        .fallback(|| async { (StatusCode::NOT_FOUND, Json(json!({ "code": 404 }))) })
        .with_state(shared)
}

/// The part of a list that is asked for.
#[derive(Debug, Deserialize)]
struct Page {
    start: Option<String>,
    count: Option<String>,
}

impl Page {
    /// The items asked for: from `start` (0), at most `count` (10, at least 1).
    fn of<T>(&self, items: Vec<T>) -> impl Iterator<Item = T> {
        let number = |text: &Option<String>, default: usize| {
            text.as_ref().map_or(default, |text| text.parse().unwrap_or(0))
        };
        items.into_iter().skip(number(&self.start, 0)).take(number(&self.count, 10).max(1))
    }
}

/// The envelope that every answer comes in.
fn answer(shared: &Shared, code: i64, key: &str, value: Value) -> Response {
    let mut body = json!({
        "code": code,
        "server": shared.server_id,
        "service": shared.service_id,
        "pid": std::process::id().to_string(),
    });
    if let Value::Object(body) = &mut body
        && !key.is_empty()
    {
        body.insert(key.to_owned(), value);
    }
    Json(body).into_response()
}

fn failed(shared: &Shared, code: Code) -> Response {
    answer(shared, code as i64, "", Value::Null)
}

async fn versions(State(shared): State<Arc<Shared>>) -> Response {
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    answer(
        &shared,
        0,
        "data",
        json!({
            "major": number(env!("CARGO_PKG_VERSION_MAJOR")),
            "minor": number(env!("CARGO_PKG_VERSION_MINOR")),
            "revision": number(env!("CARGO_PKG_VERSION_PATCH")),
            "version": env!("CARGO_PKG_VERSION"),
        }),
    )
}

async fn streams(State(shared): State<Arc<Shared>>, Query(page): Query<Page>) -> Response {
    let totals = totals(&shared);
    let list: Vec<_> = page
        .of(shared.streams.list())
        .map(|stream| stream_json(&shared, &stream, &totals))
        .collect();
    answer(&shared, 0, "streams", list.into())
}

async fn stream(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match shared.streams.list().into_iter().find(|stream| stream.id == id) {
        Some(stream) => {
            let value = stream_json(&shared, &stream, &totals(&shared));
            answer(&shared, 0, "stream", value)
        }
        None => failed(&shared, Code::StreamNotFound),
    }
}

async fn clients(State(shared): State<Arc<Shared>>, Query(page): Query<Page>) -> Response {
    let list: Vec<_> = page.of(shared.clients.list()).map(|client| client_json(&client)).collect();
    answer(&shared, 0, "clients", list.into())
}

async fn client(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match shared.clients.find(&id) {
        Some(client) => answer(&shared, 0, "client", client_json(&client)),
        None => failed(&shared, Code::ClientNotFound),
    }
}

async fn kick(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    match shared.clients.find(&id) {
        Some(client) => {
            tracing::info!(client = %id, "kicked by the API");
            client.kick();
            answer(&shared, 0, "", Value::Null)
        }
        None => failed(&shared, Code::ClientNotFound),
    }
}

/// What a stream's clients make together.
#[derive(Debug, Default)]
struct Totals {
    clients: usize,
    received: u64,
    sent: u64,
    kbps_received: u64,
    kbps_sent: u64,
}

/// Every stream's totals by its id, from one walk over all clients.
fn totals(shared: &Shared) -> HashMap<String, Totals> {
    let now = now();
    let mut all = HashMap::new();
    for client in shared.clients.list() {
        let totals: &mut Totals = all.entry(client.stream.id.clone()).or_default();
        let (kbps_received, kbps_sent) = client.kbps(now);
        totals.clients += 1;
        totals.received += client.received();
        totals.sent += client.sent();
        totals.kbps_received += kbps_received;
        totals.kbps_sent += kbps_sent;
    }
    all
}

fn stream_json(shared: &Shared, stream: &LiveStream, totals: &HashMap<String, Totals>) -> Value {
    let key = &stream.key;
    let stats: Option<StreamStats> = shared.hub.stream(key);
    let none = Totals::default();
    let totals = totals.get(&stream.id).unwrap_or(&none);
    let (received_before, sent_before) = stream.gone();
    json!({
        "id": stream.id,
        "name": key.name(),
        "vhost": stream.vhost.id,
        "app": key.app(),
        "tcUrl": stream.tc_url(),
        "url": format!("/{}/{}", key.app(), key.name()),
        "live_ms": wall_clock_ms(),
        "clients": totals.clients,
        "frames": stream.media.frames(),
        "send_bytes": sent_before + totals.sent,
        "recv_bytes": received_before + totals.received,
        "kbps": { "recv_30s": totals.kbps_received, "send_30s": totals.kbps_sent },
        "publish": { "active": stats.is_some_and(|stats| stats.is_active()), "cid": stream.publisher() },
        "video": stream.media.video().map(|video| json!({
            "codec": video.codec,
            "profile": video.profile,
            "level": video.level,
            "width": video.width,
            "height": video.height,
        })),
        "audio": stream.media.audio().map(|audio| json!({
            "codec": audio.codec,
            "sample_rate": audio.sample_rate,
            "channel": audio.channels,
            "profile": audio.profile,
        })),
    })
}

fn client_json(client: &Client) -> Value {
    let identity = &client.identity;
    let now = now();
    let (kbps_recv, kbps_sent) = client.kbps(now);
    let key = &client.stream.key;
    json!({
        "id": identity.id,
        "vhost": client.stream.vhost.id,
        "stream": client.stream.id,
        "ip": identity.ip.to_string(),
        "pageUrl": identity.page_url,
        "swfUrl": identity.swf_url,
        "tcUrl": identity.tc_url,
        "url": format!("/{}/{}", key.app(), key.name()),
        "name": key.name(),
        "type": identity.kind.name(),
        "publish": identity.kind.is_publisher(),
        "alive": (now - client.since).as_secs_f64(),
        "send_bytes": client.sent(),
        "recv_bytes": client.received(),
        "kbps": { "recv_30s": kbps_recv, "send_30s": kbps_sent },
    })
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn wall_clock_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
