//! RTP payload formats: access units into payloads, and payloads into access units.
//!
//! A [`Packetizer`] cuts an access unit (a frame of video, a packet of sound) into [`Payload`]s that fit a datagram. All
//! codecs are spoken to in the same way, by a list of units:
//!
//! | Codec | A unit | Format |
//! |---|---|---|
//! | H.264, HEVC | a NAL unit, without start code or length | RFC 6184, RFC 7798 |
//! | AV1 | one OBU or several, such as a temporal unit, in the low-overhead format | the Alliance's RTP payload format |
//! | VP8, VP9 | a frame, or a superframe of VP9 | RFC 7741, RFC 9628 |
//! | Opus, G.711 | what one packet carries | RFC 7587, RFC 3551 |
//!
//! ```
//! use bytes::Bytes;
//! use rtc_stack::{Codec, payload::Packetizer};
//!
//! # fn main() -> Result<(), rtc_stack::payload::PacketizeError> {
//! let mut packetizer = Packetizer::new(Codec::H264, 1_200).expect("a codec with a payload format");
//! let slice = Bytes::from(vec![0x65; 3_000]);
//! let mut payloads = Vec::new();
//! packetizer.packetize([slice], &mut payloads)?;
//! assert_eq!(payloads.iter().map(|payload| payload.len()).collect::<Vec<_>>(), [1_002, 1_002, 1_001]);
//! assert!(payloads[2].marker());
//! # Ok(())
//! # }
//! ```
//!
//! The other way, packets of a track go through a [`ReorderBuffer`], which puts them in order and gives up those that
//! stay away, and a [`Depacketizer`], which makes [`AccessUnit`]s of them. After a loss it goes on at the next keyframe.
//! Its timestamps count on from each track's own beginning. Tracks are put in step by the reports of their sender:
//! [`SenderClock`](crate::sfu::SenderClock), of [`Event::SenderClock`](crate::sfu::Event::SenderClock), says which moment
//! a timestamp stands for.

mod av1;
mod cuts;
mod depacketizer;
mod error;
mod frame;
mod nal;
mod packetizer;
mod piece;
mod reorder;
mod vp8;
mod vp9;

pub use depacketizer::{AccessUnit, Depacketizer, DepacketizerStatistics};
pub use error::PacketizeError;
pub use packetizer::Packetizer;
pub use piece::Payload;
pub use reorder::{ReorderBuffer, ReorderStatistics};

/// Bytes of a payload that pass everywhere: with headers and tag they stay below what an Ethernet, a tunnel in it or a
/// mobile network carries in one piece.
pub const DEFAULT_PAYLOAD: usize = 1_200;
