//! RTP packets (RFC 3550): headers, header extensions, and what is kept about the packets of a track.

mod extension;
mod header;
mod keyframe;
mod known;
mod nack;
mod packet;
pub mod rtx;
mod sequence;
mod statistics;
mod timestamp;
mod twcc;

pub use extension::Extensions;
pub use header::{Fields, Header, MIN_HEADER_LEN};
pub use known::{
    AbsSendTime, AudioLevel, ExtensionKind, ExtensionMap, Orientation, TransportSequence,
};
pub use nack::{Arrived, NackList};
pub use packet::RtpPacket;
pub use sequence::SequenceExtender;
pub use statistics::ReceiveStatistics;
pub use timestamp::TimestampExtender;
pub use twcc::TwccRecorder;

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// A packet that ends before its header does.
    #[error("packet of {length} bytes, at least {needed} are needed")]
    TooShort {
        /// Bytes that there are.
        length: usize,
        /// Bytes that there must be.
        needed: usize,
    },
    /// Another version than 2.
    #[error("version {0}, only 2 is known")]
    Version(u8),
    /// Padding of no byte, or of more than there are.
    #[error("padding of {padding} bytes in {room}")]
    Padding {
        /// What the last byte says.
        padding: u8,
        /// Bytes behind the header.
        room: usize,
    },
}
