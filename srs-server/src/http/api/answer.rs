//! The envelope of answers.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::server::Shared;

/// What every answer begins with.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Head {
    /// 0 for success.
    code: i64,
    /// The id of this run of the server.
    server: String,
    /// The id of this process's service.
    service: String,
    /// The process's id.
    pid: String,
}

/// An answer: the envelope, and what was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Answer<T: ToSchema> {
    #[serde(flatten)]
    head: Head,
    #[serde(flatten)]
    body: T,
}

impl<T: ToSchema + Serialize> Answer<T> {
    /// Success, with `body`.
    pub(super) fn new(shared: &Shared, body: T) -> Json<Self> {
        Json(Self { head: Head::new(shared), body })
    }
}

impl Head {
    /// Success.
    pub(in crate::http) fn new(shared: &Shared) -> Self {
        Self {
            code: 0,
            server: shared.server_id.clone(),
            service: shared.service_id.clone(),
            pid: std::process::id().to_string(),
        }
    }
}

/// What most answers are about.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Data<T: ToSchema> {
    pub(super) data: T,
}

/// Why something failed, by SRS's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Success without an envelope.
    Success = 0,
    /// What `tests/errors` always says.
    Test = 100,
    /// The configuration can't be read or has errors.
    ConfigInvalid = 1023,
    /// There is no such `rpc`.
    Raw = 1060,
    /// That isn't allowed here.
    RawDisabled = 1061,
    /// There is no such vhost.
    VhostNotFound = 2047,
    /// There is no such stream.
    StreamNotFound = 2048,
    /// There is no such client.
    ClientNotFound = 2049,
}

/// An answer that says no more than how it went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Outcome {
    /// 0 for success.
    code: i64,
}

impl IntoResponse for Code {
    fn into_response(self) -> Response {
        Json(Outcome { code: self as i64 }).into_response()
    }
}
