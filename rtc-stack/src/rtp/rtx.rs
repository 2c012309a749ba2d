//! Retransmission with a source of its own (RFC 4588).

use bytes::{Buf, BytesMut};

use super::{Fields, Header, RtpError, RtpPacket};
use crate::bytes_at::put;
use crate::{PayloadType, Ssrc};

/// Bytes before the payload: the sequence number that the packet had.
const ORIGINAL_SEQUENCE_LEN: usize = 2;

/// Bytes of a retransmission of a packet with these header extensions.
#[must_use]
pub fn encoded_len(packet: &RtpPacket, extensions: &[(u8, &[u8])]) -> usize {
    let before = Fields::encoded_len(extensions).saturating_add(ORIGINAL_SEQUENCE_LEN);
    before.saturating_add(packet.payload().len())
}

/// Writes a retransmission of a packet to the beginning of `out`, which must have room for [`encoded_len`] bytes, and
/// answers the length of its header. `fields` are those of the source that repeats, except for the timestamp and the
/// marker bit, which are the packet's; `original_sequence` is what the viewer knows the packet by.
pub fn wrap(
    packet: &RtpPacket,
    original_sequence: u16,
    fields: Fields,
    extensions: &[(u8, &[u8])],
    out: &mut [u8],
) -> usize {
    let Fields { marker, timestamp, .. } = packet.header().fields;
    let header_len = Fields { marker, timestamp, ..fields }.encode(extensions, out);
    put(out, header_len, &original_sequence.to_be_bytes());
    put(out, header_len.saturating_add(ORIGINAL_SEQUENCE_LEN), packet.payload());
    header_len
}

/// Turns a retransmission into the packet that it repeats, in place, and answers its sequence number. `None` for one
/// that carries nothing, as senders make them to probe; the buffer is as it was then.
pub fn unwrap(
    packet: &mut BytesMut,
    ssrc: Ssrc,
    payload_type: PayloadType,
) -> Result<Option<u16>, RtpError> {
    let header = Header::parse(packet)?;
    let Some(&[a, b]) = header.payload(packet)?.first_chunk() else { return Ok(None) };
    let sequence = u16::from_be_bytes([a, b]);
    let fields = Fields { sequence, ssrc, payload_type, ..header.fields };
    fields.patch(packet);
    // The header moves over the number: a few bytes, where the payload has a thousand.
    packet.copy_within(..header.len(), ORIGINAL_SEQUENCE_LEN);
    packet.advance(ORIGINAL_SEQUENCE_LEN);
    Ok(Some(sequence))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::Codec;

    #[allow(clippy::disallowed_methods)]
    fn packet(bytes: &[u8]) -> RtpPacket {
        RtpPacket::parse(BytesMut::from(bytes), 1, Instant::now(), Codec::Vp8).unwrap()
    }

    #[test]
    fn a_wrapped_packet_is_unwrapped_to_itself() {
        let payload_type = PayloadType::new(96).unwrap();
        let ssrc = Ssrc(7);
        let original = Fields { marker: true, payload_type, sequence: 0xfffe, timestamp: 5, ssrc };
        let mut bytes = BytesMut::new();
        original.append(&[(1, b"0")], &mut bytes);
        bytes.extend_from_slice(b"payload");

        let fields = Fields {
            payload_type: PayloadType::new(97).unwrap(),
            sequence: 3,
            ssrc: Ssrc(8),
            ..Fields::default()
        };
        let packet = packet(&bytes);
        let mut out = BytesMut::zeroed(encoded_len(&packet, &[(1, b"0")]));
        let header_len = wrap(&packet, 0xfffe, fields, &[(1, b"0")], &mut out);
        assert_eq!(header_len, 20);
        let header = Header::parse(&out).unwrap();
        let expected = Fields { marker: true, timestamp: 5, ..fields };
        assert_eq!((header.fields, header.len()), (expected, header_len));
        assert_eq!(header.payload(&out).unwrap(), b"\xff\xfepayload");

        assert_eq!(unwrap(&mut out, ssrc, payload_type), Ok(Some(0xfffe)));
        assert_eq!(out, bytes);
    }

    #[test]
    fn retransmissions_of_nothing_are_left_alone() {
        let mut bytes = BytesMut::new();
        Fields::default().append(&[], &mut bytes);
        for payload in [&[][..], &[1]] {
            let mut packet = BytesMut::from(&[&bytes[..], payload].concat()[..]);
            let before = packet.clone();
            assert_eq!(unwrap(&mut packet, Ssrc(1), PayloadType::default()), Ok(None));
            assert_eq!(packet, before);
        }
        let short = RtpError::TooShort { length: 3, needed: 12 };
        let mut cut = BytesMut::from(&bytes[..3]);
        assert_eq!(unwrap(&mut cut, Ssrc(1), PayloadType::default()), Err(short));
    }
}
