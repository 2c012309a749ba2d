use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{Extensions, Header, RtpError};
use crate::{Codec, PayloadType, Ssrc};

/// A packet of a track, decrypted: what is handed from the publisher's side to the viewers'. A clone shares the bytes.
#[derive(Debug, Clone)]
pub struct RtpPacket {
    /// The sequence number with its rollovers.
    pub sequence: u64,
    /// When it came in.
    pub arrival: Instant,
    /// Whether a decoder can begin here: see [`Codec::is_keyframe_start`].
    pub is_keyframe_start: bool,
    header: Header,
    bytes: Bytes,
}

impl RtpPacket {
    /// Reads a packet, whose padding is cut off. `sequence` is the extended sequence number, such as
    /// [`Opened::index`](crate::srtp::Opened::index).
    pub fn parse(
        mut packet: BytesMut,
        sequence: u64,
        arrival: Instant,
        codec: Codec,
    ) -> Result<Self, RtpError> {
        let mut header = Header::parse(&packet)?;
        let payload = header.payload(&packet)?;
        let is_keyframe_start = codec.is_keyframe_start(payload);
        let len = header.len().saturating_add(payload.len());
        header.clear_padding(&mut packet);
        packet.truncate(len);
        Ok(Self { sequence, arrival, is_keyframe_start, header, bytes: packet.freeze() })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The source.
    #[must_use]
    pub const fn ssrc(&self) -> Ssrc {
        self.header.fields.ssrc
    }

    /// The payload type.
    #[must_use]
    pub const fn payload_type(&self) -> PayloadType {
        self.header.fields.payload_type
    }

    /// The timestamp, in units of the codec's clock.
    #[must_use]
    pub const fn timestamp(&self) -> u32 {
        self.header.fields.timestamp
    }

    /// The marker bit.
    #[must_use]
    pub const fn marker(&self) -> bool {
        self.header.fields.marker
    }

    /// The whole packet without padding.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What follows the header. Empty in packets that only carry padding.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(self.header.len()..).unwrap_or_default()
    }

    /// The same, sharing the packet's bytes.
    #[must_use]
    pub fn shared_payload(&self) -> Bytes {
        self.bytes.slice(self.header.len().min(self.bytes.len())..)
    }

    /// The header extensions.
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        self.header.extensions(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of the tests' two readings of the clock; nothing depends on it.
    #[allow(clippy::disallowed_methods)]
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn padding_is_cut_off() {
        let bytes = [0xa0, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x65, 0x80, 0, 0, 3];
        let packet =
            RtpPacket::parse(BytesMut::from(&bytes[..]), 65_537, now(), Codec::H264).unwrap();
        assert_eq!(packet.bytes()[..], [0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0x65, 0x80]);
        assert_eq!(Header::parse(packet.bytes()).unwrap(), *packet.header());
        assert_eq!(packet.payload(), [0x65, 0x80]);
        assert_eq!(packet.shared_payload(), packet.payload());
        assert!(packet.is_keyframe_start && !packet.marker());
        assert_eq!((packet.timestamp(), packet.ssrc()), (2, Ssrc(3)));
        assert_eq!(packet.payload_type().number(), 96);
        assert_eq!(packet.extensions().count(), 0);
    }

    #[test]
    fn a_packet_of_padding_alone_has_no_payload() {
        let bytes = [0xa0, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 2];
        let packet = RtpPacket::parse(BytesMut::from(&bytes[..]), 1, now(), Codec::H264).unwrap();
        assert!(packet.payload().is_empty() && !packet.is_keyframe_start);
    }

    #[test]
    fn wrong_padding_is_an_error() {
        let bytes = [0xa0, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 3];
        let packet = RtpPacket::parse(BytesMut::from(&bytes[..]), 1, now(), Codec::H264);
        assert_eq!(packet.unwrap_err(), RtpError::Padding { padding: 3, room: 2 });
    }

    #[test]
    fn a_packet_is_cheap_to_move() {
        let size = size_of::<RtpPacket>();
        assert!(size <= 96, "{size} bytes");
    }
}
