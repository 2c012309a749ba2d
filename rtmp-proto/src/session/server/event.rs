use std::time::Duration;

use super::Connect;
use crate::session::Output;
use crate::{MediaMessage, MessageStreamId, RequestId};

/// What a [`ServerSession`](crate::ServerSession) puts out.
pub type ServerOutput = Output<ServerEvent>;

/// What a client does.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The client wants to connect; until the answer its other commands wait.
    ConnectRequested {
        /// To answer with.
        id: RequestId,
        /// What the client says of itself.
        connect: Box<Connect>,
    },
    /// The client wants to publish.
    PublishRequested {
        /// To answer with.
        id: RequestId,
        /// The message stream the media will come on.
        msid: MessageStreamId,
        /// The name as sent, with its query.
        stream_name: String,
        /// What to do with the stream.
        kind: PublishKind,
    },
    /// The client wants to play.
    PlayRequested {
        /// To answer with.
        id: RequestId,
        /// The message stream to send the media on.
        msid: MessageStreamId,
        /// The name as sent, with its query.
        stream_name: String,
        /// Where to start, as sent: -2 live or else recorded, -1 live only, else seconds (some clients: milliseconds).
        start: f64,
        /// How long, as sent: -1 to the end, else seconds (some clients: milliseconds).
        duration: f64,
        /// Whether what is played now is to be ended first.
        reset: bool,
    },
    /// The client has taken a publish or play back before it was answered.
    RequestCancelled {
        /// The request; it cannot be answered any more.
        id: RequestId,
        /// Its message stream.
        msid: MessageStreamId,
    },
    /// A message of an accepted publish.
    Media {
        /// The message stream of the publish.
        msid: MessageStreamId,
        /// The message; never empty.
        message: MediaMessage,
    },
    /// An accepted publish has ended; the client may publish again.
    PublishEnded {
        /// Its message stream.
        msid: MessageStreamId,
        /// How it ended.
        reason: EndReason,
    },
    /// An accepted play has ended; the client may play again.
    PlayEnded {
        /// Its message stream.
        msid: MessageStreamId,
        /// How it ended.
        reason: EndReason,
    },
    /// A player pauses or goes on; it has been told so already.
    Paused {
        /// The message stream of the play.
        msid: MessageStreamId,
        /// Whether it pauses.
        paused: bool,
        /// The player's position in milliseconds, as sent.
        millis: f64,
    },
    /// A player seeks; it has been told already that it was taken note of.
    Seek {
        /// The message stream of the play.
        msid: MessageStreamId,
        /// Where to, in milliseconds, as sent.
        millis: f64,
    },
    /// A player wants audio, or does not.
    ReceiveAudio {
        /// The message stream of the play.
        msid: MessageStreamId,
        /// Whether it does.
        enabled: bool,
    },
    /// A player wants video, or does not.
    ReceiveVideo {
        /// The message stream of the play.
        msid: MessageStreamId,
        /// Whether it does.
        enabled: bool,
    },
    /// A player says how much it buffers.
    BufferLength {
        /// The message stream, as sent.
        msid: MessageStreamId,
        /// Milliseconds.
        millis: u32,
    },
    /// The client has received this many bytes, wrapping at 32 bits.
    Acknowledged {
        /// The number as sent.
        bytes: u32,
    },
    /// The client has answered the last ping.
    Pong {
        /// The time since the ping.
        round_trip: Duration,
    },
}

/// What is to be done with a published stream (specification 7.2.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishKind {
    /// It is live only; the default.
    Live,
    /// It is recorded to a new file.
    Record,
    /// It is added to an existing file.
    Append,
    /// Anything else, as sent.
    Other(String),
}

impl PublishKind {
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "live" | "" => Self::Live,
            "record" => Self::Record,
            "append" => Self::Append,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Live => "live",
            Self::Record => "record",
            Self::Append => "append",
            Self::Other(name) => name,
        }
    }
}

/// The order of commands in which a client goes about a publish; servers tell it in their statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishStyle {
    /// `createStream`, then `publish`, as Flash did.
    Flash,
    /// `FCPublish` before `createStream`, as Flash Media Live Encoder did, and most encoders do.
    Fmle,
    /// `FCPublish` after `createStream`, as Haivision's encoders do.
    Haivision,
}

/// How a publish or play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// `FCUnpublish`.
    Unpublished,
    /// `closeStream`.
    Closed,
    /// `deleteStream`.
    Deleted,
    /// Another `play` on the same message stream.
    Replaced,
}
