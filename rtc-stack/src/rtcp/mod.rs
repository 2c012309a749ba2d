//! RTCP packets (RFC 3550, 6; RFC 3611; RFC 4585; RFC 5104): a walk over what peers send, and a writer.
//!
//! A compound may begin with any packet and have just one (RFC 5506).

mod extended;
mod feedback;
mod ntp;
mod report;
mod source;
mod transport;
mod walk;
mod writer;

pub use extended::{ExtendedReports, LastReference};
pub use feedback::{FullIntraRequests, Nack, Remb};
pub use ntp::{NtpTime, TimestampClock};
pub use report::{ReportBlock, ReportBlocks, SenderInfo};
pub use source::{Goodbye, SourceDescription, SourceItem};
pub(crate) use transport::Symbol;
pub use transport::{PacketStatus, TransportFeedback};
pub use walk::{Packet, Packets};
pub use writer::Writer;

/// The packet types.
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const EXTENDED_REPORTS: u8 = 207;

/// The formats of feedback about transport.
const NACK: u8 = 1;
const TRANSPORT_WIDE: u8 = 15;

/// The formats of feedback about payloads.
const PICTURE_LOSS: u8 = 1;
const FULL_INTRA: u8 = 4;
const APPLICATION: u8 = 15;

/// What makes feedback of the application an estimate of bitrate.
const REMB: [u8; 4] = *b"REMB";

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtcpError {
    /// Bytes that end before a packet does.
    #[error("{length} bytes, at least {needed} are needed")]
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
    /// A packet that is shorter than what it announces.
    #[error("packet of type {packet_type} is cut in its content, of {length} bytes")]
    Cut {
        /// The type.
        packet_type: u8,
        /// Bytes behind the header, without padding.
        length: usize,
    },
}
