use bytes::{BufMut, BytesMut};

use super::{Extensions, RtpError};
use crate::bytes_at::{put, u8_at, u16_at, u32_at};
use crate::{PayloadType, Ssrc};

/// Bytes of a header without contributing sources and extensions.
pub const MIN_HEADER_LEN: usize = 12;

const PADDING: u8 = 0x20;
const EXTENSION: u8 = 0x10;
const MARKER: u8 = 0x80;

/// The header of an RTP packet (RFC 3550, 5.1), checked against the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What every packet says.
    pub fields: Fields,
    padded: bool,
    csrc_count: u8,
    /// What the header extension's first 16 bits are, if there is one.
    extension_profile: Option<u16>,
    len: u32,
}

/// The fields of a header that a forwarder sets anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fields {
    /// The marker bit: the last packet of a frame of video, the first of a talk spurt.
    pub marker: bool,
    /// The payload type.
    pub payload_type: PayloadType,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in units of the codec's clock.
    pub timestamp: u32,
    /// The source.
    pub ssrc: Ssrc,
}

impl Header {
    /// Reads the header at the start of a packet. Whether padding fits isn't known before decryption: see
    /// [`Header::payload`].
    pub fn parse(packet: &[u8]) -> Result<Self, RtpError> {
        let too_short =
            |needed: usize| RtpError::TooShort { length: packet.len(), needed: needed.max(1) };
        let first = u8_at(packet, 0).ok_or(too_short(MIN_HEADER_LEN))?;
        if first >> 6 != 2 {
            return Err(RtpError::Version(first >> 6));
        }
        let fields = Fields::read(packet).ok_or(too_short(MIN_HEADER_LEN))?;
        let csrc_count = first & 0x0f;
        let mut len = MIN_HEADER_LEN.saturating_add(usize::from(csrc_count).saturating_mul(4));
        let mut extension_profile = None;
        if first & EXTENSION != 0 {
            let words = u16_at(packet, len.saturating_add(2));
            let words = words.ok_or(too_short(len.saturating_add(4)))?;
            extension_profile = u16_at(packet, len);
            len = len.saturating_add(4).saturating_add(usize::from(words).saturating_mul(4));
        }
        if packet.len() < len {
            return Err(too_short(len));
        }
        let len = u32::try_from(len).map_err(|_| too_short(len))?;
        Ok(Self { fields, padded: first & PADDING != 0, csrc_count, extension_profile, len })
    }

    /// Bytes up to the payload.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// False: a header has at least 12 bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Whether the packet ends in padding.
    #[must_use]
    pub const fn is_padded(&self) -> bool {
        self.padded
    }

    /// The payload of the packet that the header was read from, without padding. An error if the padding says that it
    /// has no byte or more than follow the header.
    pub fn payload<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8], RtpError> {
        let too_short = RtpError::TooShort { length: packet.len(), needed: self.len() };
        let body = packet.get(self.len()..).ok_or(too_short)?;
        if !self.padded {
            return Ok(body);
        }
        let padding = body.last().copied().unwrap_or(0);
        let room = body.len();
        let rest = room.checked_sub(usize::from(padding)).filter(|_| padding != 0);
        rest.and_then(|rest| body.get(..rest)).ok_or(RtpError::Padding { padding, room })
    }

    /// Says here and in the packet that there is no padding.
    pub(super) fn clear_padding(&mut self, packet: &mut [u8]) {
        self.padded = false;
        let first = u8_at(packet, 0).unwrap_or_default();
        put(packet, 0, &[first & !PADDING]);
    }

    /// The contributing sources of the packet that the header was read from.
    pub fn contributing_sources<'a>(&self, packet: &'a [u8]) -> impl Iterator<Item = Ssrc> + 'a {
        let (sources, _) = packet.get(MIN_HEADER_LEN..).unwrap_or_default().as_chunks();
        sources
            .iter()
            .take(usize::from(self.csrc_count))
            .map(|&ssrc| Ssrc(u32::from_be_bytes(ssrc)))
    }

    /// The header extensions of the packet that the header was read from (RFC 8285).
    #[must_use]
    pub fn extensions<'a>(&self, packet: &'a [u8]) -> Extensions<'a> {
        self.extension_profile.map_or_else(Extensions::default, |profile| {
            let bytes = packet.get(self.extension_start()..self.len());
            Extensions::new(profile, bytes.unwrap_or_default())
        })
    }

    fn extension_start(&self) -> usize {
        usize::from(self.csrc_count).saturating_mul(4).saturating_add(MIN_HEADER_LEN + 4)
    }
}

impl Fields {
    fn read(packet: &[u8]) -> Option<Self> {
        let second = u8_at(packet, 1)?;
        Some(Self {
            marker: second & MARKER != 0,
            payload_type: PayloadType::from_wire(second),
            sequence: u16_at(packet, 2)?,
            timestamp: u32_at(packet, 4)?,
            ssrc: Ssrc(u32_at(packet, 8)?),
        })
    }

    /// Writes these over those of a packet, and leaves the rest of its header.
    pub fn patch(&self, packet: &mut [u8]) {
        let second = self.second_byte();
        put(packet, 1, &[second]);
        put(packet, 2, &self.sequence.to_be_bytes());
        put(packet, 4, &self.timestamp.to_be_bytes());
        put(packet, 8, &self.ssrc.0.to_be_bytes());
    }

    /// Bytes of a header with these extensions, which are pairs of id and data.
    #[must_use]
    pub fn encoded_len(extensions: &[(u8, &[u8])]) -> usize {
        super::extension::encoded_len(extensions).saturating_add(MIN_HEADER_LEN)
    }

    /// Writes a header with these extensions to the beginning of `out`, which must have room for
    /// [`Fields::encoded_len`] bytes, and answers how many that are. The one-byte form is taken if all fit into it. What
    /// fits into neither form (id 0, more than 255 bytes) is left out.
    pub fn encode(&self, extensions: &[(u8, &[u8])], out: &mut [u8]) -> usize {
        let len = Self::encoded_len(extensions);
        put(out, 0, &[if len > MIN_HEADER_LEN { 0x80 | EXTENSION } else { 0x80 }]);
        self.patch(out);
        let block = out.get_mut(MIN_HEADER_LEN..len).filter(|block| !block.is_empty());
        if let Some(block) = block {
            super::extension::encode(extensions, block);
        }
        len
    }

    /// Appends what [`Fields::encode`] writes.
    pub fn append(&self, extensions: &[(u8, &[u8])], out: &mut BytesMut) -> usize {
        let start = out.len();
        out.put_bytes(0, Self::encoded_len(extensions));
        self.encode(extensions, out.get_mut(start..).unwrap_or_default())
    }

    const fn second_byte(&self) -> u8 {
        self.payload_type.number() | if self.marker { MARKER } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two contributing sources, one extension (id 1, one byte), three bytes of payload, two of padding.
    const PACKET: [u8; 33] = [
        0xb2, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, //
        0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0, b'a', b'b', b'c', 0, 2,
    ];

    #[test]
    fn every_part_is_found() {
        let header = Header::parse(&PACKET).unwrap();
        let fields = Fields {
            marker: true,
            payload_type: PayloadType::new(96).unwrap(),
            sequence: 0x1234,
            timestamp: 9,
            ssrc: Ssrc(7),
        };
        assert_eq!(header.fields, fields);
        assert_eq!(header.len(), 28);
        assert_eq!(header.payload(&PACKET).unwrap(), b"abc");
        let sources: Vec<_> = header.contributing_sources(&PACKET).collect();
        assert_eq!(sources, [Ssrc(1), Ssrc(2)]);
        let extensions: Vec<_> = header.extensions(&PACKET).collect();
        assert_eq!(extensions, [(1, &[0xff][..])]);
    }

    #[test]
    fn a_header_cut_anywhere_is_too_short() {
        for length in 0..28 {
            let error = Header::parse(&PACKET[..length]).unwrap_err();
            assert!(matches!(error, RtpError::TooShort { length: l, .. } if l == length));
        }
        assert!(Header::parse(&PACKET[..28]).is_ok());
    }

    #[test]
    fn another_version_is_refused() {
        assert_eq!(Header::parse(&[0x40; 12]), Err(RtpError::Version(1)));
    }

    #[test]
    fn padding_stays_within_the_body() {
        let mut packet = PACKET;
        for (padding, payload) in [(0, None), (1, Some(4)), (5, Some(0)), (6, None), (255, None)] {
            packet[32] = padding;
            let header = Header::parse(&packet).unwrap();
            let read = header.payload(&packet);
            assert_eq!(read.map(<[u8]>::len).ok(), payload, "{padding}");
        }
        let bare = Header::parse(&PACKET[..28]).unwrap();
        assert_eq!(bare.payload(&PACKET[..28]), Err(RtpError::Padding { padding: 0, room: 0 }));
    }

    proptest! {
        #[test]
        fn a_written_header_is_read_again(
            marker: bool, number in 0_u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            extensions in proptest::collection::vec((1_u8.., proptest::collection::vec(any::<u8>(), 0..40)), 0..5),
        ) {
            // The id that ends the one-byte form is an id like any other in the two-byte form.
            let payload_type = PayloadType::new(number).unwrap();
            let fields = Fields { marker, payload_type, sequence, timestamp, ssrc: Ssrc(ssrc) };
            let list: Vec<_> = extensions.iter().map(|(id, data)| (*id, &data[..])).collect();
            let mut out = BytesMut::new();
            let len = fields.append(&list, &mut out);
            prop_assert_eq!(len, out.len());
            out.extend_from_slice(b"payload");
            let header = Header::parse(&out).unwrap();
            prop_assert_eq!(header.fields, fields);
            prop_assert_eq!(header.payload(&out).unwrap(), b"payload");
            let read: Vec<_> = header.extensions(&out).collect();
            prop_assert_eq!(read, list);
            let mut other = out.clone();
            Fields::default().patch(&mut other);
            fields.patch(&mut other);
            prop_assert_eq!(other, out);
        }

        #[test]
        fn any_bytes_are_read_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert!(header.len() <= bytes.len());
                let _ = header.payload(&bytes);
                let _ = header.extensions(&bytes).count();
                let _ = header.contributing_sources(&bytes).count();
            }
        }
    }
}
