//! AV1 (the Alliance's "RTP Payload Format For AV1", 4): OBUs, or fragments of them, as elements of packets.

mod obu;
mod packetize;

pub(super) use packetize::Obus;
