//! Open bitstream units: what AV1 data is a sequence of.

use thiserror::Error;

use crate::wire::{Reader, Truncated};

/// The type of an open bitstream unit: four bits of its first byte (AV1, 6.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObuType(pub u8);

impl ObuType {
    /// Sequence header.
    pub const SEQUENCE_HEADER: Self = Self(1);
    /// Temporal delimiter; FLV and MP4 leave it out.
    pub const TEMPORAL_DELIMITER: Self = Self(2);
    /// Frame header.
    pub const FRAME_HEADER: Self = Self(3);
    /// Tile group.
    pub const TILE_GROUP: Self = Self(4);
    /// Metadata, such as high dynamic range.
    pub const METADATA: Self = Self(5);
    /// Frame header and tile group in one.
    pub const FRAME: Self = Self(6);
    /// Padding.
    pub const PADDING: Self = Self(15);
}

/// One open bitstream unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Obu<'a> {
    /// What it is.
    pub obu_type: ObuType,
    /// `temporal_id` and `spatial_id`, where there is an extension header.
    pub layers: Option<(u8, u8)>,
    /// What follows header and size.
    pub payload: &'a [u8],
}

/// Why data could not be taken apart any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ObuError {
    /// It ends inside a unit.
    #[error("open bitstream unit: {0}")]
    Truncated(#[from] Truncated),
    /// The bit that must not be set is set: this is something else.
    #[error("open bitstream unit starts with {0:#04x}, whose first bit must be 0")]
    Forbidden(u8),
    /// A size of more than 32 bits or eight bytes.
    #[error("size of an open bitstream unit is over 32 bits")]
    Size,
}

/// The open bitstream units of a temporal unit or a configuration (AV1, 5.3).
///
/// A unit without a size reaches up to the end. After an error comes `None`.
pub fn obus(data: &[u8]) -> Obus<'_> {
    Obus { reader: Reader::new(data) }
}

/// Iterator made by [`obus`].
#[derive(Debug, Clone)]
pub struct Obus<'a> {
    reader: Reader<'a>,
}

impl<'a> Obus<'a> {
    fn read(&mut self) -> Result<Obu<'a>, ObuError> {
        let first = self.reader.u8("header")?;
        if first & 0x80 != 0 {
            return Err(ObuError::Forbidden(first));
        }
        let layers = if first & 0x04 != 0 {
            let extension = self.reader.u8("extension header")?;
            Some((extension >> 5, extension >> 3 & 3))
        } else {
            None
        };
        let len =
            if first & 0x02 != 0 { leb128(&mut self.reader)? } else { self.reader.rest().len() };
        let payload = self.reader.bytes(len, "payload")?;
        Ok(Obu { obu_type: ObuType(first >> 3 & 0x0f), layers, payload })
    }
}

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>, ObuError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.rest().is_empty() {
            return None;
        }
        let obu = self.read();
        if obu.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(obu)
    }
}

impl std::iter::FusedIterator for Obus<'_> {}

/// A number in groups of seven bits, the lowest first (AV1, 4.10.5).
fn leb128(reader: &mut Reader<'_>) -> Result<usize, ObuError> {
    let mut value = 0_u64;
    for shift in (0..56).step_by(7) {
        let byte = reader.u8("size")?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).map_err(|_| ObuError::Size)?;
            return Ok(usize::try_from(value).unwrap_or(usize::MAX));
        }
    }
    Err(ObuError::Size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_units_with_and_without_sizes() {
        let data = [0x12, 0, 0x0e, 0x28, 0x82, 0x00, 7, 8, 0x30, 1, 2, 3];
        let units: Vec<_> = obus(&data).map(Result::unwrap).collect();
        let unit = |obu_type, layers, payload| Obu { obu_type, layers, payload };
        let expected = [
            unit(ObuType::TEMPORAL_DELIMITER, None, &[][..]),
            unit(ObuType::SEQUENCE_HEADER, Some((1, 1)), &[7, 8]),
            unit(ObuType::FRAME, None, &[1, 2, 3]),
        ];
        assert_eq!(units, expected);
    }

    #[test]
    fn a_cut_or_foreign_unit_is_one_error() {
        let only = |data: &[u8]| {
            let mut units = obus(data);
            let first = units.next().unwrap().unwrap_err();
            assert_eq!(units.next(), None);
            first
        };
        let cut = Truncated { what: "payload", needed: 3, got: 1 };
        assert_eq!(only(&[0x0a, 3, 0]), ObuError::Truncated(cut));
        assert_eq!(only(&[0x0a]), Truncated { what: "size", needed: 1, got: 0 }.into());
        assert_eq!(only(&[0x92, 0]), ObuError::Forbidden(0x92));
        assert_eq!(only(&[&[0x0a][..], &[0x80; 8]].concat()), ObuError::Size);
        assert_eq!(only(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]), ObuError::Size);
    }
}
