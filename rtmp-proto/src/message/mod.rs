//! Messages (specification 5.4, 6 and 7): one file per kind.

mod abort;
mod acknowledgement;
mod aggregate;
mod body;
mod command;
mod data;
mod set_chunk_size;
mod set_peer_bandwidth;
mod user_control;
mod window_acknowledgement_size;

use bytes::{Bytes, BytesMut};
use thiserror::Error;

pub use abort::Abort;
pub use acknowledgement::Acknowledgement;
pub use aggregate::Aggregate;
pub use body::Body;
pub use command::Command;
pub use data::Data;
pub use set_chunk_size::{MAX_CHUNK_SIZE, SetChunkSize};
pub use set_peer_bandwidth::{BandwidthLimit, SetPeerBandwidth};
pub use user_control::UserControl;
pub use window_acknowledgement_size::WindowAcknowledgementSize;

use crate::{ChunkStreamId, MessageStreamId, MessageType};

/// A whole message as the chunk stream carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The chunk stream it came on or goes out on.
    pub csid: ChunkStreamId,
    /// The message stream it belongs to.
    pub msid: MessageStreamId,
    /// The type of its payload.
    pub type_id: MessageType,
    /// Milliseconds, wrapping at 32 bits.
    pub timestamp: u32,
    /// The payload.
    pub payload: Bytes,
}

/// A protocol control or user control message: sent on chunk stream 2 and message stream 0 with timestamp 0.
pub trait ControlMessage {
    /// The type it travels as.
    const TYPE: MessageType;

    /// Appends the payload.
    fn encode(&self, out: &mut BytesMut);

    /// Makes the whole message.
    fn to_message(&self) -> Message {
        let mut payload = BytesMut::with_capacity(10);
        self.encode(&mut payload);
        Message {
            csid: ChunkStreamId::CONTROL,
            msid: MessageStreamId::CONTROL,
            type_id: Self::TYPE,
            timestamp: 0,
            payload: payload.freeze(),
        }
    }
}

/// Why a payload is not what its type says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The payload ends too early.
    #[error("{what} of {len} bytes is too short")]
    Truncated {
        /// The message, or the part of it.
        what: &'static str,
        /// The bytes there are.
        len: usize,
    },
    /// A chunk size of 0, or with the top bit set.
    #[error("chunk size {size} is not between 1 and 2147483647")]
    InvalidChunkSize {
        /// The size as read.
        size: u32,
    },
    /// A command that does not start with its name.
    #[error("command does not start with a name")]
    UnnamedCommand,
    /// The values of a command or data message cannot be read.
    #[error(transparent)]
    Amf0(#[from] amf0::DecodeError),
}

/// Reads the big-endian number that a payload starts with; what follows is ignored.
fn leading_u32(what: &'static str, payload: &[u8]) -> Result<u32, MessageError> {
    payload
        .first_chunk()
        .map(|bytes| u32::from_be_bytes(*bytes))
        .ok_or(MessageError::Truncated { what, len: payload.len() })
}
