//! NAL units, each after its length.

use thiserror::Error;

use crate::wire::{Reader, Truncated};

/// Bytes of the length before each NAL unit (ISO 14496-15, 5.2.4.1: `lengthSizeMinusOne` + 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NalLengthSize {
    /// One byte.
    One,
    /// Two bytes.
    Two,
    /// Four bytes: what almost every encoder uses.
    Four,
}

impl NalLengthSize {
    /// The length in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    pub(crate) const fn from_minus_one(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::One),
            1 => Some(Self::Two),
            3 => Some(Self::Four),
            _ => None,
        }
    }

    pub(crate) const fn minus_one(self) -> u8 {
        match self {
            Self::One => 0,
            Self::Two => 1,
            Self::Four => 3,
        }
    }
}

/// The type of an H.264 NAL unit: the low five bits of its first byte (H.264, table 7-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NalUnitType(pub u8);

impl NalUnitType {
    /// A slice of a picture that needs others.
    pub const SLICE: Self = Self(1);
    /// A slice of a picture that decoding can start at.
    pub const IDR: Self = Self(5);
    /// Supplemental enhancement information.
    pub const SEI: Self = Self(6);
    /// Sequence parameter set.
    pub const SPS: Self = Self(7);
    /// Picture parameter set.
    pub const PPS: Self = Self(8);
    /// Access unit delimiter.
    pub const AUD: Self = Self(9);
    /// Filler.
    pub const FILLER: Self = Self(12);

    /// The type of a NAL unit; `None` for an empty one.
    pub fn of(nal: &[u8]) -> Option<Self> {
        nal.first().map(|first| Self(first & 0x1f))
    }
}

/// Why an access unit could not be taken apart any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NalError {
    /// It ends inside a length or a NAL unit.
    #[error("access unit: {0}")]
    Truncated(#[from] Truncated),
}

/// The NAL units of an access unit in the form of FLV and MP4, each after its length.
///
/// Empty units are left out, for some encoders write them as padding. After an error comes `None`.
pub fn nal_units(access_unit: &[u8], length_size: NalLengthSize) -> NalUnits<'_> {
    NalUnits { reader: Reader::new(access_unit), length_size }
}

/// Iterator made by [`nal_units`].
#[derive(Debug, Clone)]
pub struct NalUnits<'a> {
    reader: Reader<'a>,
    length_size: NalLengthSize,
}

impl<'a> NalUnits<'a> {
    fn read(&mut self) -> Result<&'a [u8], Truncated> {
        const LENGTH: &str = "nal unit length";
        let len = match self.length_size {
            NalLengthSize::One => self.reader.u8(LENGTH)?.into(),
            NalLengthSize::Two => self.reader.u16(LENGTH)?.into(),
            NalLengthSize::Four => self.reader.u32(LENGTH)?,
        };
        self.reader.bytes(usize::try_from(len).unwrap_or(usize::MAX), "nal unit")
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = Result<&'a [u8], NalError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.reader.rest().is_empty() {
            match self.read() {
                Ok([]) => {}
                Ok(nal) => return Some(Ok(nal)),
                Err(error) => {
                    self.reader = Reader::new(&[]);
                    return Some(Err(error.into()));
                }
            }
        }
        None
    }
}

impl std::iter::FusedIterator for NalUnits<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], size: NalLengthSize) -> Vec<Result<&[u8], NalError>> {
        nal_units(bytes, size).collect()
    }

    #[test]
    fn takes_lengths_of_one_two_and_four_bytes() {
        let expected = [Ok(&[0x09, 0xf0][..]), Ok(&[0x65][..])];
        assert_eq!(all(&[2, 0x09, 0xf0, 1, 0x65], NalLengthSize::One), expected);
        assert_eq!(all(&[0, 2, 0x09, 0xf0, 0, 1, 0x65], NalLengthSize::Two), expected);
        let four = [0, 0, 0, 2, 0x09, 0xf0, 0, 0, 0, 1, 0x65];
        assert_eq!(all(&four, NalLengthSize::Four), expected);
        assert_eq!(NalUnitType::of(&[0x09, 0xf0]), Some(NalUnitType::AUD));
        assert_eq!(NalUnitType::of(&[0x65]), Some(NalUnitType::IDR));
    }

    #[test]
    fn leaves_out_empty_units() {
        assert_eq!(all(&[0, 0, 1, 0x65, 0], NalLengthSize::One), [Ok(&[0x65][..])]);
        assert!(all(&[], NalLengthSize::Four).is_empty());
    }

    #[test]
    fn a_cut_unit_or_length_is_one_error() {
        let cut = Truncated { what: "nal unit", needed: 3, got: 1 };
        assert_eq!(all(&[3, 0x65], NalLengthSize::One), [Err(cut.into())]);
        let cut = Truncated { what: "nal unit length", needed: 4, got: 3 };
        assert_eq!(all(&[0, 0, 1], NalLengthSize::Four), [Err(cut.into())]);
        let huge = Truncated { what: "nal unit", needed: 0xffff_ffff, got: 1 };
        assert_eq!(all(&[0xff, 0xff, 0xff, 0xff, 1], NalLengthSize::Four), [Err(huge.into())]);
    }
}
