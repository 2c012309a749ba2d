//! What goes wrong, as clients are told of it (RFC 9457).

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use stream_hub::PublishError;

use crate::rtc::RtcError;

/// Why a request is not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// WebRTC isn't served at all.
    #[error("WebRTC is off")]
    Off,
    /// The session doesn't begin, or isn't changed.
    #[error(transparent)]
    Refused(#[from] RtcError),
    /// The body isn't what it should be.
    #[error("the body is {found:?}, expected {expected}")]
    ContentType {
        /// What the request says.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The body is too long.
    #[error("more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The body doesn't come.
    #[error("no whole body within {} s", .limit.as_secs())]
    Slow {
        /// The limit.
        limit: Duration,
    },
    /// The body can't be read.
    #[error("{0}")]
    Unreadable(String),
    /// There is no such session, or no longer.
    #[error("there is no such session")]
    NoSession,
    /// The session is another client's.
    #[error("the token is not that of the session")]
    WrongToken,
    /// The method isn't done here.
    #[error("only {allowed}")]
    Method {
        /// What is.
        allowed: &'static str,
    },
    /// A change without saying of what.
    #[error("If-Match must have the ETag of the session, or * for an ICE restart")]
    NoCondition,
    /// A change of what is no longer so.
    #[error("the ICE session is now {now}")]
    Changed {
        /// The tag that would be right.
        now: String,
    },
}

/// The document; `code` is an extension, SRS's number.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
}

impl Problem {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(error) => refusal(error),
            Self::Off | Self::NoSession => StatusCode::NOT_FOUND,
            Self::ContentType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
            Self::WrongToken => StatusCode::FORBIDDEN,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoCondition => StatusCode::PRECONDITION_REQUIRED,
            Self::Changed { .. } => StatusCode::PRECONDITION_FAILED,
        }
    }

    /// SRS's number for it.
    pub(super) fn code(&self) -> Option<u32> {
        match self {
            Self::Refused(error) => error.code(),
            Self::Off => Some(5021),
            Self::WrongToken => Some(5036),
            _ => None,
        }
    }
}

fn refusal(error: &RtcError) -> StatusCode {
    match error {
        RtcError::Access(_) | RtcError::Denied(_) | RtcError::Disabled(_) => StatusCode::FORBIDDEN,
        RtcError::NoVhost(_) | RtcError::NotBridged(_) | RtcError::Over => StatusCode::NOT_FOUND,
        RtcError::Refused(_, PublishError::Busy { .. }) | RtcError::UfragTaken(_) => {
            StatusCode::CONFLICT
        }
        RtcError::Unanswerable(_) => StatusCode::UNPROCESSABLE_ENTITY,
        RtcError::Offer(_)
        | RtcError::Address(_)
        | RtcError::Name(_)
        | RtcError::Credentials(_)
        | RtcError::NoCredentials => StatusCode::BAD_REQUEST,
        RtcError::NoRandomness => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let detail = match &self {
            Self::Refused(error) => error.told(),
            problem => problem.to_string(),
        };
        let document = Document {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            code: self.code(),
        };
        let mut response = (status, Json(document)).into_response();
        let mut add = |name, value| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        add(header::CONTENT_TYPE, "application/problem+json");
        match &self {
            Self::Method { allowed } => add(header::ALLOW, allowed),
            Self::ContentType { expected, .. } => {
                add(super::whip::accepted(expected), expected);
            }
            _ if status == StatusCode::SERVICE_UNAVAILABLE => add(header::RETRY_AFTER, "5"),
            _ => {}
        }
        response
    }
}
