//! OBUs in the low-overhead format (AV1 bitstream, 5.2 and 5.3), and numbers in LEB128 (4.10.5).

use crate::bytes_at::u8_at;

pub(super) const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

const HAS_EXTENSION: u8 = 0x04;
pub(super) const HAS_SIZE: u8 = 0x02;

/// An OBU taken apart; positions are in the bytes that it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Obu {
    /// Header and extension, as if there were no size.
    header: [u8; 2],
    header_len: usize,
    /// Where the bytes after header and size begin.
    pub(super) start: usize,
    /// Where the OBU ends.
    pub(super) end: usize,
}

impl Obu {
    /// Reads the OBU at the start of these bytes; one without a size ends with them. `None` if it would end behind them.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let first = u8_at(bytes, 0)?;
        let (second, header_len) =
            if first & HAS_EXTENSION == 0 { (0, 1) } else { (u8_at(bytes, 1)?, 2) };
        let (mut start, mut end) = (header_len, bytes.len());
        if first & HAS_SIZE != 0 {
            let (size, size_len) = read_leb128(bytes.get(header_len..)?)?;
            start = header_len.checked_add(size_len)?;
            end = start.checked_add(size)?;
        }
        let is_within = start <= end && end <= bytes.len();
        is_within.then_some(Self { header: [first & !HAS_SIZE, second], header_len, start, end })
    }

    /// The header without a size.
    pub(super) fn header(&self) -> &[u8] {
        self.header.get(..self.header_len).unwrap_or_default()
    }

    pub(super) const fn kind(&self) -> u8 {
        let [first, _] = self.header;
        first >> 3 & 0x0f
    }

    /// Whether packets carry it: temporal units are told apart by their timestamps, and the rest is of no use.
    pub(super) const fn is_carried(&self) -> bool {
        !matches!(self.kind(), TEMPORAL_DELIMITER | TILE_LIST | PADDING)
    }
}

/// A number of at most four bytes, and how many it has.
pub(super) fn read_leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << at.saturating_mul(7);
        if byte & 0x80 == 0 {
            return Some((value, at.saturating_add(1)));
        }
    }
    None
}

/// Appends a number below 2^28 in as few bytes as hold it.
pub(super) fn put_leb128(mut value: usize, out: &mut bytes::BytesMut) {
    use bytes::BufMut;
    while value > 0x7f {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Bytes that [`put_leb128`] appends.
pub(super) const fn leb128_len(value: usize) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for value in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000, 0xfff_ffff] {
            let mut out = BytesMut::new();
            put_leb128(value, &mut out);
            assert_eq!(out.len(), leb128_len(value));
            assert_eq!(read_leb128(&out), Some((value, out.len())));
            assert_eq!(read_leb128(&out[..out.len() - 1]), None);
        }
        assert_eq!(read_leb128(&[0x80, 0x00]), Some((0, 2)), "longer than needed");
        assert_eq!(read_leb128(&[0x80, 0x80, 0x80, 0x80, 0]), None);
    }

    #[test]
    fn obus_end_where_their_size_says() {
        // A sequence header of two bytes, with an extension.
        let bytes = [0x0e, 0x20, 2, 7, 8, 9];
        let obu = Obu::read(&bytes).unwrap();
        assert_eq!((obu.kind(), obu.start, obu.end), (SEQUENCE_HEADER, 3, 5));
        assert_eq!(obu.header(), [0x0c, 0x20]);
        for cut in 0..5 {
            assert_eq!(Obu::read(&bytes[..cut]), None, "{cut}");
        }
        let unsized_obu = Obu::read(&[0x30, 1, 2, 3]).unwrap();
        assert_eq!((unsized_obu.start, unsized_obu.end, unsized_obu.header().len()), (1, 4, 1));
        assert!(!Obu::read(&[0x12, 0]).unwrap().is_carried());
    }
}
