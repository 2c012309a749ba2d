//! Where streams are published, for the other servers of a cluster.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use stream_hub::StreamKey;
use utoipa::ToSchema;

use super::query::Query;
use crate::server::Shared;

/// Where a stream is published.
#[derive(Debug, Serialize, ToSchema)]
struct Clusters {
    /// 0.
    code: i64,
    data: ClusterData,
}

#[derive(Debug, Serialize, ToSchema)]
struct ClusterData {
    query: ClusterQuery,
    /// The server that has the stream; nothing where it isn't here.
    origin: Option<Origin>,
}

/// What was asked.
#[derive(Debug, Serialize, ToSchema)]
struct ClusterQuery {
    ip: String,
    vhost: String,
    app: String,
    stream: String,
}

/// A server that a stream is published to.
#[derive(Debug, Serialize, ToSchema)]
struct Origin {
    ip: String,
    /// The port of RTMP.
    port: u16,
    vhost: String,
    /// Where its API is.
    api: String,
    /// The APIs of all servers that might have it.
    routers: Vec<String>,
}

/// Where a stream is published.
#[utoipa::path(
    get,
    path = "/api/v1/clusters",
    params(
        ("vhost" = Option<String>, Query, description = "The stream's vhost"),
        ("app" = Option<String>, Query, description = "Its app"),
        ("stream" = Option<String>, Query, description = "Its name"),
        ("coworker" = Option<String>, Query, description = "How the caller reaches this API"),
        ("ip" = Option<String>, Query, description = "The client's address, which is told back")
    ),
    responses((status = 200, body = Clusters))
)]
pub(super) async fn clusters(
    State(shared): State<Arc<Shared>>,
    query: Query,
    headers: HeaderMap,
) -> Response {
    let text = |name: &str| query.get(name).to_owned();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let api = match query.get("coworker") {
        "" => host,
        coworker => coworker,
    };
    let data = ClusterData {
        origin: origin(&shared, &query, api),
        query: ClusterQuery {
            ip: text("ip"),
            vhost: text("vhost"),
            app: text("app"),
            stream: text("stream"),
        },
    };
    Json(Clusters { code: 0, data }).into_response()
}

/// This server, if the stream is published here.
fn origin(shared: &Shared, query: &Query, api: &str) -> Option<Origin> {
    let vhost = shared.vhost(query.get("vhost"))?;
    let key = StreamKey::new(&*vhost.name, query.get("app"), query.get("stream"));
    shared.streams.named(&key).filter(|stream| stream.published().is_active)?;
    Some(Origin {
        ip: host_of(api).to_owned(),
        port: shared.config().listen.first()?.port(),
        vhost: vhost.name.clone(),
        api: api.to_owned(),
        routers: vec![api.to_owned()],
    })
}

/// The host of `host:port`, where IPv6 has brackets.
fn host_of(address: &str) -> &str {
    if let Some((host, _)) = address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return host;
    }
    address.split_once(':').map_or(address, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_port_is_no_part_of_the_host() {
        assert_eq!(host_of("10.0.0.1:1985"), "10.0.0.1");
        assert_eq!(host_of("a.example"), "a.example");
        assert_eq!(host_of("[::1]:1985"), "::1");
        assert_eq!(host_of(""), "");
    }
}
