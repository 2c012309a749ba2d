//! The numbers that name things on a connection.

use std::fmt;

/// A chunk stream id (csid), 2 to 65599 (specification 5.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkStreamId(u32);

impl ChunkStreamId {
    /// Protocol control and user control messages.
    pub const CONTROL: Self = Self(2);
    /// Commands of the connection.
    pub const COMMAND: Self = Self(3);
    /// Commands and statuses of a stream.
    pub const STREAM: Self = Self(5);
    /// Audio, video and data, the same for all three.
    pub const MEDIA: Self = Self(6);

    /// The smallest id; 0 and 1 announce the longer forms of the basic header.
    pub const MIN: u32 = 2;
    /// The largest id that the three-byte basic header can say.
    pub const MAX: u32 = 65_599;

    /// Checks a number; `None` outside of 2 to 65599.
    pub const fn new(id: u32) -> Option<Self> {
        if id >= Self::MIN && id <= Self::MAX { Some(Self(id)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ChunkStreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message stream id (msid); 0 is the connection itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MessageStreamId(pub u32);

impl MessageStreamId {
    /// The connection itself: protocol control messages and `NetConnection` commands.
    pub const CONTROL: Self = Self(0);
}

impl fmt::Display for MessageStreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a request of the peer until it is accepted or rejected; never used twice by a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(crate) u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message type id (specification 5.4 and 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageType(pub u8);

impl MessageType {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: Self = Self(1);
    /// Abort Message.
    pub const ABORT: Self = Self(2);
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: Self = Self(3);
    /// User Control Message.
    pub const USER_CONTROL: Self = Self(4);
    /// Window Acknowledgement Size.
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: Self = Self(5);
    /// Set Peer Bandwidth.
    pub const SET_PEER_BANDWIDTH: Self = Self(6);
    /// Audio.
    pub const AUDIO: Self = Self(8);
    /// Video.
    pub const VIDEO: Self = Self(9);
    /// Data in AMF3 form.
    pub const DATA_AMF3: Self = Self(15);
    /// Shared object in AMF3 form.
    pub const SHARED_OBJECT_AMF3: Self = Self(16);
    /// Command in AMF3 form.
    pub const COMMAND_AMF3: Self = Self(17);
    /// Data in AMF0.
    pub const DATA_AMF0: Self = Self(18);
    /// Shared object in AMF0.
    pub const SHARED_OBJECT_AMF0: Self = Self(19);
    /// Command in AMF0.
    pub const COMMAND_AMF0: Self = Self(20);
    /// Aggregate.
    pub const AGGREGATE: Self = Self(22);
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_stream_ids_have_a_range() {
        assert_eq!(ChunkStreamId::new(1), None);
        assert_eq!(ChunkStreamId::new(2), Some(ChunkStreamId::CONTROL));
        assert_eq!(ChunkStreamId::new(65_599).map(ChunkStreamId::get), Some(65_599));
        assert_eq!(ChunkStreamId::new(65_600), None);
    }
}
