//! Why an RTMP connection ended.

use std::{io, time::Duration};

use rtmp_proto::{SessionError, url::UrlError};
use stream_hub::{PublishError, ReadEnd, StreamKey, SubscribeError};

use crate::{hooks::HookError, live::AccessError};

/// Why an RTMP connection ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The client closed the connection.
    #[error("closed by the client")]
    Closed,
    /// The socket failed, or the client took no bytes for too long.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// What the client sent is not RTMP, is beyond a limit, or came too late.
    #[error("{0}")]
    Session(#[from] SessionError),
    /// The stream's name or URL can't be understood.
    #[error("{0}")]
    Address(#[from] UrlError),
    /// The vhost that the client means isn't there, nor is a default one.
    #[error("no vhost {0}")]
    NoVhost(String),
    /// The vhost's rules don't allow it.
    #[error("{0}")]
    Access(#[from] AccessError),
    /// A hook server didn't allow it.
    #[error("denied by a hook server: {0}")]
    Denied(#[from] HookError),
    /// The stream can't be published now.
    #[error("publish of {0} refused: {1}")]
    PublishRefused(StreamKey, PublishError),
    /// The stream can't be played.
    #[error("play of {0} refused: {1}")]
    PlayRefused(StreamKey, SubscribeError),
    /// Another stream is already published or played on this connection.
    #[error("a connection publishes and plays one stream at a time")]
    OneStream,
    /// The publisher sent no media message for too long.
    #[error("no media message for {} ms", .0.as_millis())]
    PublisherIdle(Duration),
    /// Another publisher took the stream over.
    #[error("another publisher took {0} over")]
    TakenOver(StreamKey),
    /// The stream that was played is over or can't be had in this form.
    #[error("play ended: {0}")]
    PlayEnded(ReadEnd),
    /// The API asked for it.
    #[error("kicked")]
    Kicked,
}

impl ConnectionError {
    /// The code that SRS has for the error; `None` where it has none, or users meet none.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::TimedOut => Some(1011),
            Self::Session(
                SessionError::HandshakeTimeout { .. } | SessionError::SetupTimeout { .. },
            ) => Some(1011),
            Self::PublisherIdle(_) => Some(1011),
            Self::PublishRefused(_, PublishError::Busy { .. }) => Some(1028),
            Self::NoVhost(_) => Some(2014),
            Self::Address(UrlError::EmptyStream) => Some(2051),
            Self::Access(error) => Some(error.code()),
            Self::Denied(error) => Some(error.code()),
            _ => None,
        }
    }

    /// What the client is told: who denied it, and how, is none of its business.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Access(_) | Self::Denied(_) => "denied".to_owned(),
            error => error.to_string(),
        }
    }

    /// Whether something went wrong, rather than that somebody went.
    pub(super) fn is_failure(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match self {
            Self::Closed | Self::Kicked | Self::TakenOver(_) | Self::PlayEnded(_) => false,
            Self::Io(error) => {
                !matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use stream_hub::PublisherId;

    use super::*;

    #[test]
    fn errors_have_the_codes_of_srs() {
        let key = StreamKey::new("v", "live", "a");
        let busy = PublishError::Busy { by: PublisherId::new("x") };
        let limit = Duration::from_secs(5);
        for (error, code) in [
            (ConnectionError::Closed, None),
            (io::Error::from(io::ErrorKind::TimedOut).into(), Some(1011)),
            (io::Error::from(io::ErrorKind::ConnectionReset).into(), None),
            (SessionError::HandshakeTimeout { limit }.into(), Some(1011)),
            (SessionError::OutputFull { limit: 1 }.into(), None),
            (ConnectionError::PublisherIdle(limit), Some(1011)),
            (ConnectionError::PublishRefused(key.clone(), busy), Some(1028)),
            (ConnectionError::PublishRefused(key, PublishError::HubClosed), None),
            (ConnectionError::NoVhost("v".to_owned()), Some(2014)),
            (UrlError::EmptyStream.into(), Some(2051)),
            (
                HookError::Denied { url: String::new(), code: 1, body: String::new() }.into(),
                Some(3064),
            ),
        ] {
            assert_eq!(error.code(), code, "{error}");
        }
    }
}
