//! Why a session doesn't begin, and why it ends.

use std::time::Duration;

use rtc_stack::{dtls::DtlsError, sdp::SdpError, stun::CredentialsError};
use rtmp_proto::url::UrlError;
use stream_hub::{PublishError, StreamKey};

use crate::{hooks::HookError, live::AccessError};

/// Why a request for a session, or to change one, is refused.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RtcError {
    /// The server or the vhost has WebRTC off.
    #[error("WebRTC is off for the vhost {0}")]
    Disabled(String),
    /// The vhost that the client means isn't there, nor is a default one.
    #[error("no vhost {0}")]
    NoVhost(String),
    /// The description can't be understood.
    #[error("description: {0}")]
    Offer(SdpError),
    /// The offer can't be answered.
    #[error("offer: {0}")]
    Unanswerable(SdpError),
    /// The stream's name or URL can't be understood.
    #[error("{0}")]
    Address(#[from] UrlError),
    /// A name that would be trouble wherever it is written.
    #[error("{0:?} is no name of an app or a stream")]
    Name(String),
    /// The credentials that the client wants the server to have make no sense.
    #[error("{0}")]
    Credentials(#[from] CredentialsError),
    /// Another session has the user name fragment that the client wants the server to have.
    #[error("another session has the user name fragment {0}")]
    UfragTaken(String),
    /// A restart without the client's credentials.
    #[error("an ICE restart without ice-ufrag and ice-pwd")]
    NoCredentials,
    /// The vhost's rules don't allow it.
    #[error("{0}")]
    Access(#[from] AccessError),
    /// A hook server didn't allow it.
    #[error("denied by a hook server: {0}")]
    Denied(#[from] HookError),
    /// The stream can't be published now.
    #[error("publish of {0} refused: {1}")]
    Refused(StreamKey, PublishError),
    /// The stream comes by another protocol, and the vhost doesn't bring it to WebRTC.
    #[error("{0} is published by RTMP, and rtmp_to_rtc is off")]
    NotBridged(StreamKey),
    /// There are as many sessions as may be.
    #[error("{limit} sessions are there, which is the limit")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// There are as many publishers and players as may be.
    #[error("max_connections are there")]
    Full,
    /// No address of the server is known that could be told.
    #[error("the server knows no address to offer: set rtc_server.candidate")]
    NoCandidate,
    /// The session is over.
    #[error("the session is over")]
    Over,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

impl RtcError {
    /// The code that SRS has for the error; `None` where it has none.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Disabled(_) | Self::NotBridged(_) => Some(5021),
            Self::NoVhost(_) => Some(2014),
            Self::Offer(_) | Self::Unanswerable(_) => Some(5012),
            Self::Access(error) => Some(error.code()),
            Self::Denied(error) => Some(error.code()),
            Self::Refused(_, PublishError::Busy { .. }) => Some(5020),
            Self::Full => Some(1074),
            Self::Address(UrlError::EmptyStream) => Some(2051),
            _ => None,
        }
    }

    /// What the client is told: who denied it, and how, is none of its business.
    pub fn told(&self) -> String {
        match self {
            Self::Access(_) | Self::Denied(_) => "denied".to_owned(),
            Self::Refused(key, PublishError::Busy { .. }) => {
                format!("{key} is published by somebody else")
            }
            error => error.to_string(),
        }
    }
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndReason {
    /// The client asked for it.
    #[error("ended by the client")]
    Deleted,
    /// The client said goodbye to the transport.
    #[error("closed by the client")]
    Left,
    /// The API asked for it.
    #[error("kicked")]
    Kicked,
    /// Another publisher took the stream over.
    #[error("another publisher took the stream over")]
    TakenOver,
    /// The client never sent an authentic packet.
    #[error("no packet of the client for {} s: is the candidate reachable?", .0.as_secs_f64())]
    NeverSeen(Duration),
    /// The client sent no authentic packet for too long.
    #[error("no packet of the client for {} s", .0.as_secs_f64())]
    Silent(Duration),
    /// The handshake failed.
    #[error("{0}")]
    Handshake(DtlsError),
    /// The worker can't go on with it.
    #[error("{0}")]
    Failed(String),
    /// The server ends.
    #[error("the server ends")]
    Shutdown,
}

impl EndReason {
    /// Whether something went wrong, rather than that somebody went.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::NeverSeen(_) | Self::Silent(_) | Self::Handshake(_) | Self::Failed(_))
    }

    /// Whether a publisher that ends so has ended its stream, and will not come back in a moment.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Deleted | Self::Shutdown)
    }
}
