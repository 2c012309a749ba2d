//! The chunk stream (specification 5.3): messages cut into chunks and put together again.

mod assembly;
mod header;
mod media;
mod reader;
mod slab;
mod writer;

use thiserror::Error;

pub use media::MediaEncoder;
pub use reader::ChunkReader;
pub use writer::{ChunkWriter, EncodeError};

use crate::message::MessageError;
use crate::{ChunkStreamId, MessageType};

/// The chunk size of both directions until a Set Chunk Size changes it (specification 5.4.1).
pub const DEFAULT_CHUNK_SIZE: u32 = 128;

/// Why bytes are not a chunk stream, or more than the limits allow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// A header that builds on the one before, on a chunk stream that has none.
    #[error("chunk stream {csid} starts with a header of type {format}, which needs one before it")]
    NoPreviousHeader {
        /// The chunk stream.
        csid: ChunkStreamId,
        /// The header's type: 2 or 3.
        format: u8,
    },
    /// A new header while a message is only partly there.
    #[error(
        "header of type {format} on chunk stream {csid} after {received} of {length} bytes of a message"
    )]
    HeaderInsideMessage {
        /// The chunk stream.
        csid: ChunkStreamId,
        /// The header's type: 0, 1 or 2.
        format: u8,
        /// The bytes of the message that are there.
        received: usize,
        /// The message's length.
        length: u32,
    },
    /// A message longer than its type may be.
    #[error("message of type {type_id} and {length} bytes, the limit is {limit}")]
    MessageTooLong {
        /// The message's type.
        type_id: MessageType,
        /// The length in its header.
        length: u32,
        /// The limit.
        limit: u32,
    },
    /// More chunk streams than [`Limits::chunk_streams`](crate::Limits::chunk_streams).
    #[error("chunk stream {csid} is one more than the limit of {limit}")]
    TooManyChunkStreams {
        /// The chunk stream that is one too many.
        csid: ChunkStreamId,
        /// The limit.
        limit: usize,
    },
    /// More partly received bytes than [`Limits::partial_bytes`](crate::Limits::partial_bytes).
    #[error("more than {limit} bytes of unfinished messages")]
    TooManyPartialBytes {
        /// The limit.
        limit: usize,
    },
    /// A Set Chunk Size or Abort message that cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
}
