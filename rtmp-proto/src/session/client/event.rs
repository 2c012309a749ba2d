use std::time::Duration;

use amf0::Object;

use crate::session::{Output, StatusCode};
use crate::{Capabilities, MediaMessage, MessageStreamId};

/// What a [`ClientSession`](crate::ClientSession) puts out.
pub type ClientOutput = Output<ClientEvent>;

/// What a server does.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The server has accepted the connection.
    Connected {
        /// What it says of itself.
        properties: Object,
        /// The status it sent along.
        info: Object,
        /// What it announces of Enhanced RTMP in either of these.
        capabilities: Capabilities,
    },
    /// The server asks for another connection, and would like to close this one; until then it goes on.
    ReconnectRequested {
        /// The address to connect to, which may be relative to the present one; that one itself if none is named.
        tc_url: Option<String>,
        /// For people.
        description: String,
    },
    /// Media may be sent.
    PublishStarted {
        /// The message stream to send it on.
        msid: MessageStreamId,
    },
    /// Media will come.
    PlayStarted {
        /// The message stream it comes on.
        msid: MessageStreamId,
    },
    /// A message of the stream that is played.
    Media {
        /// The message stream.
        msid: MessageStreamId,
        /// The message; never empty.
        message: MediaMessage,
    },
    /// The server has refused; nothing more will come.
    Rejected {
        /// The status.
        code: StatusCode,
        /// For people.
        description: String,
        /// The address the server names instead, as sent.
        redirect: Option<String>,
    },
    /// The server has ended what was published or played; nothing more will come.
    Ended {
        /// The status.
        code: StatusCode,
        /// For people.
        description: String,
    },
    /// Any other status.
    Status {
        /// The status.
        code: StatusCode,
        /// `status`, `warning` or `error`.
        level: String,
        /// For people.
        description: String,
    },
    /// The server says that playback has come to an end, for good or for a while.
    StreamEof {
        /// The message stream.
        msid: MessageStreamId,
    },
    /// The server has received this many bytes, wrapping at 32 bits.
    Acknowledged {
        /// The number as sent.
        bytes: u32,
    },
    /// The server has answered the last ping.
    Pong {
        /// The time since the ping.
        round_trip: Duration,
    },
}
