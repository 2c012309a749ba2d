//! NAL units between start codes, and the way there and back.
//!
//! FLV carries each NAL unit after its length. Some encoders send the byte stream format instead,
//! each unit after a start code (H.264 and H.265, annex B), and players fail on it.

mod repair;

pub use repair::{repair_access_unit, repair_video};

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::{NalError, NalLengthSize, nal_units};

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// A NAL unit that is longer than its length field can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("nal unit of {len} bytes does not fit a length of {size} bytes")]
pub struct NalTooLong {
    /// Length of the unit in bytes.
    pub len: usize,
    /// Bytes of the length field.
    pub size: usize,
}

/// The NAL units of a byte stream, each between start codes of three or four bytes.
///
/// Zeros around a unit, empty units, and what comes before the first start code are left out.
pub fn annex_b_units(stream: &[u8]) -> AnnexBUnits<'_> {
    AnnexBUnits { rest: after_start_code(stream) }
}

/// Iterator made by [`annex_b_units`].
#[derive(Debug, Clone)]
pub struct AnnexBUnits<'a> {
    /// From behind a start code on; `None` at the end.
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for AnnexBUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest?;
            let (unit, after) = match start_code(rest) {
                Some(at) => (rest.get(..at)?, rest.get(at.saturating_add(3)..)),
                None => (rest, None),
            };
            self.rest = after;
            // A unit ends with a bit that is set; zeros behind it belong to the next start code.
            let len =
                unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last.saturating_add(1));
            if len > 0 {
                return unit.get(..len);
            }
        }
    }
}

impl std::iter::FusedIterator for AnnexBUnits<'_> {}

fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    stream.get(start_code(stream)?.saturating_add(3)..)
}

/// Where the next start code of three bytes begins.
fn start_code(stream: &[u8]) -> Option<usize> {
    let mut from = 0_usize;
    loop {
        // A start code's last byte is the rarest of the three in coded data: look for it.
        let one = stream.get(from..)?.iter().position(|&byte| byte == 1)?.saturating_add(from);
        if let Some(at) = one.checked_sub(2)
            && stream.get(at..one) == Some(&[0, 0])
        {
            return Some(at);
        }
        from = one.saturating_add(1);
    }
}

/// Whether an access unit, or a configuration, is a byte stream where lengths are due: it starts
/// with a start code and cannot be taken apart by lengths.
///
/// The second part matters, for `00 00 01` is also how a length of 256 to 511 begins.
pub fn is_annex_b(access_unit: &[u8], length_size: NalLengthSize) -> bool {
    starts_with_start_code(access_unit)
        && !nal_units(access_unit, length_size).all(|unit| unit.is_ok())
}

/// Two zeros or more, and a one.
fn starts_with_start_code(stream: &[u8]) -> bool {
    let zeros = stream.iter().take_while(|&&byte| byte == 0).count();
    zeros >= 2 && stream.get(zeros) == Some(&1)
}

/// Appends the NAL units of a byte stream to `out`, each after its length.
///
/// # Errors
///
/// [`NalTooLong`], with nothing appended.
pub fn from_annex_b(
    stream: &[u8],
    length_size: NalLengthSize,
    out: &mut BytesMut,
) -> Result<(), NalTooLong> {
    let start = out.len();
    out.reserve(stream.len());
    for unit in annex_b_units(stream) {
        let len = unit.len();
        let put = match length_size {
            NalLengthSize::One => u8::try_from(len).map(|len| out.put_u8(len)),
            NalLengthSize::Two => u16::try_from(len).map(|len| out.put_u16(len)),
            NalLengthSize::Four => u32::try_from(len).map(|len| out.put_u32(len)),
        };
        if put.is_err() {
            out.truncate(start);
            return Err(NalTooLong { len, size: length_size.bytes() });
        }
        out.put_slice(unit);
    }
    Ok(())
}

/// Appends the NAL units of an access unit to `out`, each after a start code of four bytes.
///
/// # Errors
///
/// [`NalError`], with nothing appended.
pub fn to_annex_b(
    access_unit: &[u8],
    length_size: NalLengthSize,
    out: &mut BytesMut,
) -> Result<(), NalError> {
    let start = out.len();
    out.reserve(access_unit.len());
    for unit in nal_units(access_unit, length_size) {
        match unit {
            Ok(unit) => {
                out.put_slice(&START_CODE);
                out.put_slice(unit);
            }
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(stream: &[u8]) -> Vec<&[u8]> {
        annex_b_units(stream).collect()
    }

    #[test]
    fn start_codes_have_three_bytes_or_more() {
        let stream = [0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x65, 1, 2, 0, 0, 0, 0, 0, 1, 6];
        assert_eq!(units(&stream), [&[9, 0xf0][..], &[0x65, 1, 2], &[6]]);
    }

    #[test]
    fn zeros_and_empty_units_are_left_out() {
        assert_eq!(units(&[0, 0, 0, 0, 1, 0x65, 0x80, 0, 0, 0]), [[0x65, 0x80]]);
        assert_eq!(units(&[0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 5, 0, 0, 1]), [[5]]);
        assert!(units(&[0, 0, 1, 0, 0, 0]).is_empty());
        assert!(units(&[]).is_empty() && units(&[5, 6]).is_empty() && units(&[0, 1]).is_empty());
        assert_eq!(units(&[7, 7, 0, 0, 1, 1, 1, 0, 1]), [[1, 1, 0, 1]]);
    }

    #[test]
    fn there_and_back() {
        let lengths = [0, 0, 0, 2, 9, 0xf0, 0, 0, 0, 3, 0x65, 1, 2];
        let mut stream = BytesMut::new();
        to_annex_b(&lengths, NalLengthSize::Four, &mut stream).unwrap();
        assert_eq!(stream[..], [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x65, 1, 2]);
        let mut back = BytesMut::new();
        from_annex_b(&stream, NalLengthSize::Four, &mut back).unwrap();
        assert_eq!(back[..], lengths);
        back.clear();
        from_annex_b(&stream, NalLengthSize::One, &mut back).unwrap();
        assert_eq!(back[..], [2, 9, 0xf0, 3, 0x65, 1, 2]);
    }

    #[test]
    fn what_does_not_fit_appends_nothing() {
        let mut stream = vec![0, 0, 1, 5, 0, 0, 1];
        stream.extend([0x5a; 256]);
        let mut out = BytesMut::from(&b"x"[..]);
        let refused = from_annex_b(&stream, NalLengthSize::One, &mut out);
        assert_eq!(refused, Err(NalTooLong { len: 256, size: 1 }));
        assert!(to_annex_b(&[0, 0, 0, 1, 5, 9], NalLengthSize::Four, &mut out).is_err());
        assert_eq!(out[..], *b"x");
    }

    #[test]
    fn a_length_that_looks_like_a_start_code_is_a_length() {
        // 0x000001f0 bytes.
        let mut sound = vec![0, 0, 1, 0xf0];
        sound.extend([0x5a; 0x1f0]);
        assert!(!is_annex_b(&sound, NalLengthSize::Four));
        assert_eq!(repair_access_unit(&sound, NalLengthSize::Four), None);
        let broken = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 7];
        assert!(is_annex_b(&broken, NalLengthSize::Four));
        let repaired = repair_access_unit(&broken, NalLengthSize::Four).unwrap();
        assert_eq!(repaired[..], [0, 0, 0, 2, 9, 0xf0, 0, 0, 0, 2, 0x65, 7]);
        for other in [&[][..], &[0, 0], &[0, 0, 0], &[0, 0, 0, 9, 1], &[0x65, 0, 0, 1]] {
            assert!(!is_annex_b(other, NalLengthSize::Four), "{other:02x?}");
        }
    }
}
