//! AV1 (the Alliance's "RTP Payload Format For AV1", 4): OBUs, or fragments of them, as elements of packets.

mod obu;
mod packetize;
mod take;

pub(super) use packetize::Obus;
pub(super) use take::{is_keyframe, take};
