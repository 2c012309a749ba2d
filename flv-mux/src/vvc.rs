//! H.266: what its configuration says at its start.

use thiserror::Error;

use crate::{
    NalLengthSize,
    bits::{BitReader, EndOfBits},
};

/// The start of the payload of an H.266 sequence header (ISO 14496-15, 11.2.4.2). Parameter sets
/// follow, which are not read here: hand the payload on as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VvcConfig {
    /// Bytes of the length before each NAL unit.
    pub nal_length_size: NalLengthSize,
    /// What the record says of the stream; `None` where it leaves it to the parameter sets.
    pub profile: Option<VvcProfile>,
}

/// Profile, tier and level of an H.266 stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VvcProfile {
    /// `general_profile_idc`, seven bits: 1 Main 10, 33 Main 10 4:4:4.
    pub idc: u8,
    /// `general_tier_flag`: the High tier rather than Main.
    pub is_high_tier: bool,
    /// `general_level_idc`: sixteen times the level's number, and three times what is behind its
    /// point.
    pub level: u8,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per sample, 8 to 15.
    pub bit_depth: u8,
}

/// Why a configuration was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VvcConfigError {
    /// It ends inside a field.
    #[error("vvc decoder configuration record of {0} bytes is cut off")]
    Truncated(usize),
    /// `LengthSizeMinusOne` is 2.
    #[error("nal unit lengths of 3 bytes are not allowed")]
    NalLengthSize,
}

impl VvcConfig {
    /// Decodes the start of a configuration, behind the four bytes of version and flags where a
    /// writer has put them.
    ///
    /// # Errors
    ///
    /// [`VvcConfigError`].
    pub fn decode(input: &[u8]) -> Result<Self, VvcConfigError> {
        // The record starts with five bits that are set.
        let record = input.strip_prefix(&[0, 0, 0, 0]).unwrap_or(input);
        let cut = |EndOfBits| VvcConfigError::Truncated(input.len());
        let mut bits = BitReader::new(record);
        bits.bits(5).map_err(cut)?;
        let size = bits.bits8(2).map_err(cut)?;
        let nal_length_size =
            NalLengthSize::from_minus_one(size).ok_or(VvcConfigError::NalLengthSize)?;
        let has_profile = bits.flag().map_err(cut)?;
        let profile = if has_profile { Some(profile(&mut bits).map_err(cut)?) } else { None };
        Ok(Self { nal_length_size, profile })
    }
}

fn profile(bits: &mut BitReader<'_>) -> Result<VvcProfile, EndOfBits> {
    bits.bits(14)?; // ols_idx, num_sublayers, constant_frame_rate
    let chroma_format = bits.bits8(2)?;
    let bit_depth = bits.bits8(3)?.saturating_add(8);
    bits.bits(13)?; // reserved, num_bytes_constraint_info
    let (idc, is_high_tier, level) = (bits.bits8(7)?, bits.flag()?, bits.bits8(8)?);
    Ok(VvcProfile { idc, is_high_tier, level, chroma_format, bit_depth })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of four bytes, one layer, 4:2:0 of 10 bits, Main 10, level 3.1.
    const RECORD: [u8; 7] = [0xff, 0x00, 0x11, 0x5f, 0x01, 0x02, 0x33];

    #[test]
    fn reads_profile_and_format() {
        let profile =
            VvcProfile { idc: 1, is_high_tier: false, level: 51, chroma_format: 1, bit_depth: 10 };
        let expected = VvcConfig { nal_length_size: NalLengthSize::Four, profile: Some(profile) };
        assert_eq!(VvcConfig::decode(&RECORD), Ok(expected));
        let boxed = [&[0; 4][..], &RECORD].concat();
        assert_eq!(VvcConfig::decode(&boxed), Ok(expected));
        let plain = VvcConfig { profile: None, ..expected };
        assert_eq!(VvcConfig::decode(&[0xfe]), Ok(plain));
    }

    #[test]
    fn refuses_cut_records_and_lengths_of_three() {
        for len in 0..RECORD.len() {
            assert_eq!(VvcConfig::decode(&RECORD[..len]), Err(VvcConfigError::Truncated(len)));
        }
        assert_eq!(VvcConfig::decode(&[0xfd]), Err(VvcConfigError::NalLengthSize));
    }
}
