//! H.265: what a server reads of it, and no more.

mod record;
mod sps;

pub use record::{HevcDecoderConfigurationRecord, HevcNalArray, HevcRecordError};
pub use sps::{HevcFrameRate, HevcSps, HevcSpsError, HevcVui};

use crate::bits::{BitReader, EndOfBits};

/// The type of an H.265 NAL unit: bits 6 to 1 of its first byte (H.265, table 7-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HevcNalUnitType(pub u8);

impl HevcNalUnitType {
    /// Video parameter set.
    pub const VPS: Self = Self(32);
    /// Sequence parameter set.
    pub const SPS: Self = Self(33);
    /// Picture parameter set.
    pub const PPS: Self = Self(34);
    /// Access unit delimiter.
    pub const AUD: Self = Self(35);
    /// Supplemental enhancement information before a picture.
    pub const PREFIX_SEI: Self = Self(39);
    /// Supplemental enhancement information behind a picture.
    pub const SUFFIX_SEI: Self = Self(40);

    /// The type of a NAL unit; `None` for an empty one.
    pub fn of(nal: &[u8]) -> Option<Self> {
        nal.first().map(|first| Self(first >> 1 & 0x3f))
    }

    /// Whether it is a slice of a picture that decoding can start at (BLA, IDR or CRA).
    pub const fn is_random_access(self) -> bool {
        matches!(self.0, 16..=23)
    }
}

/// Profile, tier and level of an H.265 stream (H.265, 7.3.3, the `general_` fields).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct HevcProfile {
    /// `general_profile_space`, two bits: 0.
    pub space: u8,
    /// `general_tier_flag`: the High tier rather than Main.
    pub is_high_tier: bool,
    /// `general_profile_idc`, five bits: 1 Main, 2 Main 10, 3 still pictures, 4 range extensions.
    pub idc: u8,
    /// `general_profile_compatibility_flag`: that of profile 0 in the highest bit.
    pub compatibility: u32,
    /// The constraint flags, 48 bits, `general_progressive_source_flag` in the highest.
    pub constraints: u64,
    /// `general_level_idc`: thirty times the level.
    pub level: u8,
}

impl HevcProfile {
    /// Reads the 96 bits that a record and a parameter set have in common.
    fn read(bits: &mut BitReader<'_>) -> Result<Self, EndOfBits> {
        let (space, is_high_tier, idc) = (bits.bits8(2)?, bits.flag()?, bits.bits8(5)?);
        let compatibility = bits.bits(32)?;
        let constraints = u64::from(bits.bits(16)?) << 32 | u64::from(bits.bits(32)?);
        let level = bits.bits8(8)?;
        Ok(Self { space, is_high_tier, idc, compatibility, constraints, level })
    }

    /// The twelve bytes.
    fn encode(&self) -> [u8; 12] {
        let first = (self.space & 3) << 6 | u8::from(self.is_high_tier) << 5 | (self.idc & 0x1f);
        let [a, b, c, d] = self.compatibility.to_be_bytes();
        let [_, _, e, f, g, h, i, j] = self.constraints.to_be_bytes();
        [first, a, b, c, d, e, f, g, h, i, j, self.level]
    }
}
