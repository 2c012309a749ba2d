use std::time::Duration;

use thiserror::Error;

use crate::chunk::{ChunkError, EncodeError};
use crate::handshake::HandshakeError;
use crate::message::MessageError;
use crate::{MessageStreamId, RequestId};

/// Why a session is over. The session keeps the error and answers every further call with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The peer does not shake hands.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The peer's chunks make no sense, or are too many.
    #[error("chunk stream: {0}")]
    Chunk(#[from] ChunkError),
    /// A message of the peer makes no sense.
    #[error("message: {0}")]
    Message(#[from] MessageError),
    /// The handshake took longer than [`Limits::handshake_timeout`](crate::Limits::handshake_timeout).
    #[error("no complete handshake within {limit:?}")]
    HandshakeTimeout {
        /// The limit.
        limit: Duration,
    },
    /// Nothing was published or played within [`Limits::setup_timeout`](crate::Limits::setup_timeout).
    #[error("nothing published or played within {limit:?}")]
    SetupTimeout {
        /// The limit.
        limit: Duration,
    },
    /// More commands wait for the answer to `connect` than
    /// [`Limits::deferred_commands`](crate::Limits::deferred_commands).
    #[error("more than {limit} commands before connect was answered")]
    TooManyCommands {
        /// The limit.
        limit: usize,
    },
    /// More output waits to be polled than [`Limits::output_bytes`](crate::Limits::output_bytes).
    #[error("more than {limit} bytes of output not taken")]
    OutputFull {
        /// The limit.
        limit: usize,
    },
}

/// Why media was not sent. The session goes on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The stream is not one that takes media now: not accepted, ended, or never there.
    #[error("stream {msid} takes no media")]
    NotActive {
        /// The stream.
        msid: MessageStreamId,
    },
    /// The message cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// More output waits to be polled than [`Limits::output_bytes`](crate::Limits::output_bytes).
    #[error("more than {limit} bytes of output not taken")]
    OutputFull {
        /// The limit.
        limit: usize,
    },
}

/// Why a client was not asked to reconnect. The session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReconnectError {
    /// The client's `connect` was not accepted, or the session is over.
    #[error("client is not connected")]
    NotConnected,
    /// The client has not announced [`CapsEx::RECONNECT`](crate::CapsEx::RECONNECT): it would take no notice.
    #[error("client has not announced that it can reconnect")]
    NotAnnounced,
}

/// The request was answered before, was taken back by the peer, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("request {0} does not wait for an answer")]
pub struct UnknownRequest(pub RequestId);

/// The stream is not published or played now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("stream {0} is not active")]
pub struct UnknownStream(pub MessageStreamId);
