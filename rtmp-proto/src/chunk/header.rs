//! Chunk headers: basic header, message header, extended timestamp (specification 5.3.1).

use bytes::{BufMut, BytesMut};
use nom::IResult;
use nom::number::streaming::{be_u8, be_u24, be_u32, le_u16, le_u32};

use crate::{ChunkStreamId, MessageStreamId, MessageType};

/// The longest header: three bytes, eleven, and an extended timestamp of four.
pub(super) const MAX_HEADER: usize = 18;

/// What the 24-bit field says when the timestamp is in the extended one.
pub(super) const EXTENDED: u32 = 0x00ff_ffff;

/// The first one to three bytes of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BasicHeader {
    /// The type of the message header, 0 to 3.
    pub(super) format: u8,
    pub(super) csid: ChunkStreamId,
}

impl BasicHeader {
    /// Reads it in any form; a small id in a long form is accepted.
    pub(super) fn parse(input: &[u8]) -> IResult<&[u8], Self> {
        let (input, first) = be_u8(input)?;
        let (input, id) = match first & 0x3f {
            0 => be_u8(input).map(|(rest, id)| (rest, u32::from(id).saturating_add(64)))?,
            // The third byte counts 256: the two are little-endian.
            1 => le_u16(input).map(|(rest, id)| (rest, u32::from(id).saturating_add(64)))?,
            id => (input, id.into()),
        };
        // All three forms stay within the range of the id.
        let csid = ChunkStreamId::new(id).unwrap_or(ChunkStreamId::CONTROL);
        Ok((input, Self { format: first >> 6, csid }))
    }

    /// Writes the shortest form.
    pub(super) fn put(self, out: &mut BytesMut) {
        let format = self.format << 6;
        let id = self.csid.get();
        let above = id.saturating_sub(64);
        match (u8::try_from(id), u8::try_from(above), u16::try_from(above)) {
            (Ok(id @ ..=63), _, _) => out.put_u8(format | id),
            (_, Ok(above), _) => out.put_slice(&[format, above]),
            (_, _, above) => {
                out.put_u8(format | 1);
                // The range of the id keeps it within 16 bits.
                out.put_u16_le(above.unwrap_or(u16::MAX));
            }
        }
    }

    /// The length of the form that [`put`](Self::put) writes.
    pub(super) fn encoded_len(self) -> usize {
        match self.csid.get() {
            ..64 => 1,
            64..320 => 2,
            _ => 3,
        }
    }
}

/// What follows the basic header, as far as its type carries it.
///
/// `time` is the 24-bit field: a timestamp in a full header, else a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageHeader {
    Full { time: u32, length: u32, type_id: MessageType, msid: MessageStreamId },
    SameStream { time: u32, length: u32, type_id: MessageType },
    SameLength { time: u32 },
    Same,
}

impl MessageHeader {
    pub(super) fn parse(format: u8, input: &[u8]) -> IResult<&[u8], Self> {
        if format == 3 {
            return Ok((input, Self::Same));
        }
        let (input, time) = be_u24(input)?;
        if format == 2 {
            return Ok((input, Self::SameLength { time }));
        }
        let (input, length) = be_u24(input)?;
        let (input, type_id) = be_u8(input)?;
        let type_id = MessageType(type_id);
        if format == 1 {
            return Ok((input, Self::SameStream { time, length, type_id }));
        }
        let (input, msid) = le_u32(input)?;
        Ok((input, Self::Full { time, length, type_id, msid: MessageStreamId(msid) }))
    }

    /// The 24-bit field, unless the header is of type 3.
    pub(super) const fn time(&self) -> Option<u32> {
        match *self {
            Self::Full { time, .. } | Self::SameStream { time, .. } | Self::SameLength { time } => {
                Some(time)
            }
            Self::Same => None,
        }
    }

    /// The two bits of the basic header.
    pub(super) const fn format(&self) -> u8 {
        match self {
            Self::Full { .. } => 0,
            Self::SameStream { .. } => 1,
            Self::SameLength { .. } => 2,
            Self::Same => 3,
        }
    }

    /// Writes basic header, message header and extended timestamp.
    ///
    /// `time` may be longer than 24 bits here. `repeat` is the extended timestamp that a type 3 header repeats.
    pub(super) fn put(&self, csid: ChunkStreamId, repeat: Option<u32>, out: &mut BytesMut) {
        BasicHeader { format: self.format(), csid }.put(out);
        let put_time = |time: u32, out: &mut BytesMut| {
            out.put_uint(time.min(EXTENDED).into(), 3);
        };
        let put_shape = |length: u32, type_id: MessageType, out: &mut BytesMut| {
            out.put_uint(length.into(), 3);
            out.put_u8(type_id.0);
        };
        match *self {
            Self::Full { time, length, type_id, msid } => {
                put_time(time, out);
                put_shape(length, type_id, out);
                out.put_u32_le(msid.0);
            }
            Self::SameStream { time, length, type_id } => {
                put_time(time, out);
                put_shape(length, type_id, out);
            }
            Self::SameLength { time } => put_time(time, out),
            Self::Same => {}
        }
        if let Some(extended) = self.time().map_or(repeat, extended_of) {
            out.put_u32(extended);
        }
    }
}

/// The extended timestamp that a time needs, if it does not fit into 24 bits.
pub(super) const fn extended_of(time: u32) -> Option<u32> {
    if time >= EXTENDED { Some(time) } else { None }
}

/// Reads the extended timestamp.
pub(super) fn extended(input: &[u8]) -> IResult<&[u8], u32> {
    be_u32(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csid(id: u32) -> ChunkStreamId {
        ChunkStreamId::new(id).unwrap()
    }

    #[test]
    fn basic_header_forms() {
        let forms: [(u32, &[u8]); 8] = [
            (2, &[0xc2]),
            (63, &[0xff]),
            (64, &[0xc0, 0]),
            (319, &[0xc0, 255]),
            (320, &[0xc1, 0, 1]),
            (321, &[0xc1, 1, 1]),
            (65_598, &[0xc1, 0xfe, 0xff]),
            (65_599, &[0xc1, 0xff, 0xff]),
        ];
        for (id, wire) in forms {
            let header = BasicHeader { format: 3, csid: csid(id) };
            let mut out = BytesMut::new();
            header.put(&mut out);
            assert_eq!(out, wire);
            assert_eq!(header.encoded_len(), wire.len());
            assert_eq!(BasicHeader::parse(wire).unwrap(), (&[][..], header));
            assert!(BasicHeader::parse(&wire[..wire.len() - 1]).unwrap_err().is_incomplete());
        }
        // 64 in the three-byte form.
        let long = BasicHeader::parse(&[0x41, 0, 0]).unwrap().1;
        assert_eq!(long, BasicHeader { format: 1, csid: csid(64) });
    }

    #[test]
    fn message_headers() {
        let (type_id, msid) = (MessageType::VIDEO, MessageStreamId(1));
        let headers: [(MessageHeader, &[u8]); 4] = [
            (
                MessageHeader::Full { time: 1000, length: 300, type_id, msid },
                &[0, 3, 0xe8, 0, 1, 0x2c, 9, 1, 0, 0, 0],
            ),
            (
                MessageHeader::SameStream { time: 40, length: 300, type_id },
                &[0, 0, 40, 0, 1, 0x2c, 9],
            ),
            (MessageHeader::SameLength { time: 40 }, &[0, 0, 40]),
            (MessageHeader::Same, &[]),
        ];
        for (format, (header, wire)) in (0..).zip(headers) {
            assert_eq!(MessageHeader::parse(format, wire).unwrap(), (&[][..], header));
            let mut out = BytesMut::new();
            header.put(csid(6), None, &mut out);
            assert_eq!(out, [&[format << 6 | 6], wire].concat());
            if let [most @ .., _] = wire {
                assert!(MessageHeader::parse(format, most).unwrap_err().is_incomplete());
            }
        }
    }

    #[test]
    fn extended_timestamps() {
        let mut out = BytesMut::new();
        MessageHeader::SameLength { time: 0x0100_0000 }.put(csid(6), None, &mut out);
        MessageHeader::Same.put(csid(6), Some(0x0100_0000), &mut out);
        assert_eq!(out[..], [0x86, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xc6, 1, 0, 0, 0]);
        assert_eq!(extended_of(0x00ff_fffe), None);
        assert_eq!(extended_of(0x00ff_ffff), Some(0x00ff_ffff));
    }
}
