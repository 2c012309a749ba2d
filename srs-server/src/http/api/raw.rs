//! The configuration: what of it the API may change.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tracing::{info, warn};
use utoipa::ToSchema;

use super::{answer::Code, query::Query};
use crate::server::{LastReload, Shared};

/// `rpc=raw`: what the API may do.
#[derive(Debug, Serialize, ToSchema)]
struct RawFacts {
    /// 0.
    code: i64,
    http_api: HttpApi,
}

#[derive(Debug, Serialize, ToSchema)]
struct HttpApi {
    enabled: bool,
    listen: String,
    crossdomain: bool,
    raw_api: RawApi,
}

#[derive(Debug, Serialize, ToSchema)]
struct RawApi {
    enabled: bool,
    allow_reload: bool,
    /// Always false.
    allow_query: bool,
    /// Always false.
    allow_update: bool,
}

/// `rpc=reload-fetch`: how the last reload went.
#[derive(Debug, Serialize, ToSchema)]
struct ReloadFacts {
    /// 0.
    code: i64,
    data: Reloaded,
}

/// How a reload went.
#[derive(Debug, Serialize, ToSchema)]
struct Reloaded {
    /// 0 for success.
    err: i64,
    /// What is wrong with the configuration.
    msg: String,
    /// 0 where there was none, 10 where it failed, 90 where it is done.
    state: i64,
    /// Its id, another each time.
    rid: String,
}

impl Reloaded {
    fn new(last: Option<LastReload>) -> Self {
        match last {
            None => Self { err: 0, msg: String::new(), state: 0, rid: String::new() },
            Some(LastReload { id, error: None }) => {
                Self { err: 0, msg: String::new(), state: 90, rid: id }
            }
            Some(LastReload { id, error: Some(error) }) => {
                Self { err: Code::ConfigInvalid as i64, msg: error, state: 10, rid: id }
            }
        }
    }
}

/// What `raw` may answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "stands for the answers in the description")]
enum RawAnswer {
    Raw(RawFacts),
    Reload(super::answer::Outcome),
    ReloadFetch(ReloadFacts),
}

/// The configuration: `rpc=raw` tells what is allowed here, `reload` reads the configuration again,
/// `reload-fetch` tells how that went. Code 1061 where it isn't allowed, 1060 for another `rpc`.
#[utoipa::path(
    get,
    path = "/api/v1/raw",
    params(("rpc" = String, Query, description = "`raw`, `reload` or `reload-fetch`")),
    responses((status = 200, body = RawAnswer))
)]
pub(super) async fn raw(State(shared): State<Arc<Shared>>, query: Query) -> Response {
    let config = shared.config();
    let allowed = &config.http_api.raw_api;
    match query.get("rpc") {
        "raw" => {
            let http_api = HttpApi {
                enabled: config.http_api.enabled,
                listen: config.http_api.listen.first().map(listen).unwrap_or_default(),
                crossdomain: config.http_api.crossdomain,
                raw_api: RawApi {
                    enabled: allowed.enabled,
                    allow_reload: allowed.allow_reload,
                    allow_query: false,
                    allow_update: false,
                },
            };
            Json(RawFacts { code: 0, http_api }).into_response()
        }
        _ if !allowed.enabled => Code::RawDisabled.into_response(),
        "reload" if !allowed.allow_reload => Code::RawDisabled.into_response(),
        "reload" => {
            reload(&shared);
            Code::Success.into_response()
        }
        "reload-fetch" => {
            Json(ReloadFacts { code: 0, data: Reloaded::new(shared.last_reload()) }).into_response()
        }
        _ => Code::Raw.into_response(),
    }
}

fn reload(shared: &Shared) {
    match shared.reload() {
        Ok(()) => info!("the API has read the configuration again"),
        Err(error) => warn!("the API could not read the configuration again: {error}"),
    }
}

/// As it would stand in a file: a port, with an address where there is one.
fn listen(address: &SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => address.port().to_string(),
        false => address.to_string(),
    }
}
