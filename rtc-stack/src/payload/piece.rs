use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};

use crate::Codec;
use crate::rtp::{Fields, MIN_HEADER_LEN, RtpError, RtpPacket};

/// Bytes that a format puts before a piece of a unit, at most.
const HEAD: usize = 6;

/// The payload of an RTP packet: a few bytes of its format, then a slice of what was packetized. Nothing is copied until
/// it is written into the packet.
#[derive(Clone)]
pub struct Payload {
    head: [u8; HEAD],
    head_len: u8,
    marker: bool,
    body: Bytes,
}

impl Payload {
    /// Of `head` what is more than [`HEAD`] bytes is left out.
    pub(super) fn new(head: &[u8], body: Bytes) -> Self {
        let mut kept = [0; HEAD];
        let head_len = head.len().min(HEAD);
        kept.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
        Self { head: kept, head_len: head_len as u8, marker: false, body }
    }

    pub(super) const fn set_marker(&mut self) {
        self.marker = true;
    }

    /// Whether the packet gets the marker bit: it is the last of its frame of video.
    #[must_use]
    pub const fn marker(&self) -> bool {
        self.marker
    }

    /// Bytes of the payload.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head().len().saturating_add(self.body.len())
    }

    /// Whether it has no byte, which no packetizer makes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the format puts first.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.head.get(..usize::from(self.head_len)).unwrap_or_default()
    }

    /// What follows.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Appends the payload to a packet that has its header already.
    pub fn append(&self, out: &mut BytesMut) {
        out.put_slice(self.head());
        out.put_slice(&self.body);
    }

    /// The payload in one piece.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if self.head_len == 0 {
            return self.body.clone();
        }
        let mut bytes = BytesMut::with_capacity(self.len());
        self.append(&mut bytes);
        bytes.freeze()
    }

    /// The packet with this payload, written once. `sequence` is the extended number, of which the packet says the low
    /// 16 bits; the marker is the payload's; of `fields` the other ones count.
    ///
    /// # Errors
    ///
    /// None for what a packetizer made.
    pub fn to_packet(
        &self,
        fields: Fields,
        sequence: u64,
        now: Instant,
        codec: Codec,
    ) -> Result<RtpPacket, RtpError> {
        let mut bytes = BytesMut::with_capacity(self.len().saturating_add(MIN_HEADER_LEN));
        Fields { marker: self.marker, sequence: sequence as u16, ..fields }.append(&[], &mut bytes);
        self.append(&mut bytes);
        RtpPacket::parse(bytes, sequence, now, codec)
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { marker, body, .. } = self;
        write!(f, "Payload({:02x?} and {} bytes", self.head(), body.len())?;
        f.write_str(if *marker { ", marked)" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_written_in_one_piece() {
        let body = Bytes::from_static(b"body");
        let mut payload = Payload::new(&[1, 2], body.clone());
        assert_eq!(payload.to_bytes(), [&[1, 2][..], b"body"].concat());
        assert_eq!((payload.len(), payload.marker()), (6, false));
        assert_eq!(Payload::new(&[], body.clone()).to_bytes().as_ptr(), body.as_ptr());
        payload.set_marker();
        assert_eq!(format!("{payload:?}"), "Payload([01, 02] and 4 bytes, marked)");

        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        let fields = Fields { timestamp: 7, ..Fields::default() };
        let packet = payload.to_packet(fields, 0x2_0003, now, Codec::Vp8).unwrap();
        assert_eq!(packet.bytes()[..], *b"\x80\x80\0\x03\0\0\0\x07\0\0\0\0\x01\x02body");
        assert_eq!((packet.sequence, packet.marker()), (0x2_0003, true));
    }

    #[test]
    fn a_payload_is_cheap_to_move() {
        assert!(size_of::<Payload>() <= 40, "{}", size_of::<Payload>());
    }
}
