//! Sequence parameter sets: what a picture is.

use thiserror::Error;

use crate::{
    Limits,
    avc::{nal::NalUnitType, vui::Vui},
    bits::{BitReader, EndOfBits},
};

/// An H.264 sequence parameter set (H.264, 7.3.2.1.1), as far as a server or muxer needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sps {
    /// `profile_idc`: 66 Baseline, 77 Main, 100 High, and so on.
    pub profile: u8,
    /// The constraint flags, `constraint_set0_flag` in the highest bit.
    pub constraints: u8,
    /// `level_idc`: ten times the level.
    pub level: u8,
    /// `seq_parameter_set_id`, 0 to 31.
    pub id: u8,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample, 8 to 14.
    pub luma_bit_depth: u8,
    /// Bits per chroma sample, 8 to 14.
    pub chroma_bit_depth: u8,
    /// `max_num_ref_frames`: pictures that others may need.
    pub max_num_ref_frames: u32,
    /// Width of a picture in luma samples, cropping applied.
    pub width: u32,
    /// Height of a picture in luma samples, cropping applied.
    pub height: u32,
    /// `frame_mbs_only_flag`: no picture is interlaced.
    pub frames_only: bool,
    /// Video usability information; `None` when absent or cut off, as some encoders leave it.
    pub vui: Option<Vui>,
}

/// Why a sequence parameter set was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpsError {
    /// The NAL unit has another type.
    #[error("nal unit has type {0}, not 7, a sequence parameter set")]
    NotSps(u8),
    /// It is longer than [`Limits::max_sps`].
    #[error("sequence parameter set of {len} bytes is over the limit of {limit}")]
    TooLong {
        /// Length of the NAL unit in bytes.
        len: usize,
        /// What is allowed.
        limit: usize,
    },
    /// It ends inside a field, or a code is longer than 32 bits.
    #[error("sequence parameter set of {0} bytes is cut off")]
    Truncated(usize),
    /// A field has a value that the specification does not allow.
    #[error("{field} is {value}, over its limit of {limit}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What was read.
        value: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The picture is larger than [`Limits::max_dimension`].
    #[error("picture of {width} by {height} macroblocks is over the limit of {limit} samples")]
    TooLarge {
        /// Width in macroblocks of 16 samples.
        width: u64,
        /// Height in macroblocks of 16 samples.
        height: u64,
        /// What is allowed, in samples.
        limit: u32,
    },
    /// Cropping leaves nothing of the picture.
    #[error("cropping leaves nothing of a picture of {width} by {height}")]
    Cropping {
        /// Width before cropping, in samples.
        width: u32,
        /// Height before cropping, in samples.
        height: u32,
    },
}

impl Sps {
    /// Decodes a NAL unit of type 7: header byte, emulation prevention bytes and all.
    ///
    /// # Errors
    ///
    /// [`SpsError`].
    pub fn decode(nal: &[u8], limits: &Limits) -> Result<Self, SpsError> {
        if nal.len() > limits.max_sps {
            return Err(SpsError::TooLong { len: nal.len(), limit: limits.max_sps });
        }
        let (first, payload) = nal.split_first().ok_or(SpsError::Truncated(0))?;
        let nal_type = first & 0x1f;
        if nal_type != NalUnitType::SPS.0 {
            return Err(SpsError::NotSps(nal_type));
        }
        let payload = without_emulation_prevention(payload);
        let read = read(&mut BitReader::new(&payload), limits);
        read.map_err(|fault| fault.into_error(nal.len()))
    }
}

/// A fault found while reading, before the length of the whole is known.
enum Fault {
    End,
    Error(SpsError),
}

impl Fault {
    fn into_error(self, len: usize) -> SpsError {
        match self {
            Self::End => SpsError::Truncated(len),
            Self::Error(error) => error,
        }
    }
}

impl From<EndOfBits> for Fault {
    fn from(_: EndOfBits) -> Self {
        Self::End
    }
}

impl From<SpsError> for Fault {
    fn from(error: SpsError) -> Self {
        Self::Error(error)
    }
}

fn at_most(field: &'static str, value: u32, limit: u32) -> Result<u32, SpsError> {
    if value > limit { Err(SpsError::OutOfRange { field, value, limit }) } else { Ok(value) }
}

/// `at_most` for limits that fit a byte.
fn at_most_u8(field: &'static str, value: u32, limit: u8) -> Result<u8, SpsError> {
    let value = at_most(field, value, limit.into())?;
    Ok(u8::try_from(value).unwrap_or(limit))
}

fn read(bits: &mut BitReader<'_>, limits: &Limits) -> Result<Sps, Fault> {
    let (profile, constraints, level) = (bits.bits8(8)?, bits.bits8(8)?, bits.bits8(8)?);
    let id = at_most_u8("seq_parameter_set_id", bits.ue()?, 31)?;
    let format = if has_format(profile) { Format::read(bits)? } else { Format::default() };
    at_most("log2_max_frame_num_minus4", bits.ue()?, 12)?;
    skip_picture_order_count(bits)?;
    let max_num_ref_frames = bits.ue()?;
    bits.flag()?; // gaps_in_frame_num_value_allowed_flag
    let width_in_mbs = u64::from(bits.ue()?).saturating_add(1);
    let map_units = u64::from(bits.ue()?).saturating_add(1);
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    // A map unit is a macroblock, or a pair of them where pictures may be interlaced.
    let height_in_mbs = if frames_only { map_units } else { map_units.saturating_mul(2) };
    let (coded_width, coded_height) = samples(width_in_mbs, height_in_mbs, limits.max_dimension)?;
    let (width, height) = if bits.flag()? {
        let (unit_x, unit_y) = format.crop_units(frames_only);
        let cropped = |coded: u32, before: u32, after: u32, unit: u32| {
            let units = u64::from(before).saturating_add(after.into());
            let crop = u32::try_from(units.saturating_mul(unit.into())).ok()?;
            coded.checked_sub(crop).filter(|&left| left > 0)
        };
        let (left, right, top, bottom) = (bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?);
        cropped(coded_width, left, right, unit_x)
            .zip(cropped(coded_height, top, bottom, unit_y))
            .ok_or(SpsError::Cropping { width: coded_width, height: coded_height })?
    } else {
        (coded_width, coded_height)
    };
    let vui = if bits.flag()? { Vui::read(bits).ok() } else { None };
    Ok(Sps {
        profile,
        constraints,
        level,
        id,
        chroma_format: format.chroma_format,
        luma_bit_depth: format.luma_bit_depth,
        chroma_bit_depth: format.chroma_bit_depth,
        max_num_ref_frames,
        width,
        height,
        frames_only,
        vui,
    })
}

/// Macroblocks to samples, where both sides stay within the limit.
fn samples(width: u64, height: u64, limit: u32) -> Result<(u32, u32), SpsError> {
    let side =
        |mbs: u64| u32::try_from(mbs.saturating_mul(16)).ok().filter(|&samples| samples <= limit);
    side(width).zip(side(height)).ok_or(SpsError::TooLarge { width, height, limit })
}

fn skip_picture_order_count(bits: &mut BitReader<'_>) -> Result<(), Fault> {
    match at_most("pic_order_cnt_type", bits.ue()?, 2)? {
        0 => {
            at_most("log2_max_pic_order_cnt_lsb_minus4", bits.ue()?, 12)?;
        }
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.se()?; // offset_for_non_ref_pic
            bits.se()?; // offset_for_top_to_bottom_field
            for _ in 0..at_most("num_ref_frames_in_pic_order_cnt_cycle", bits.ue()?, 255)? {
                bits.se()?; // offset_for_ref_frame
            }
        }
        _ => {}
    }
    Ok(())
}

/// The profiles whose parameter sets say what their samples are (H.264, 7.3.2.1.1).
fn has_format(profile: u8) -> bool {
    matches!(profile, 44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244)
}

/// What samples are, where it is not 4:2:0 of 8 bits.
struct Format {
    chroma_format: u8,
    separate_planes: bool,
    luma_bit_depth: u8,
    chroma_bit_depth: u8,
}

impl Default for Format {
    fn default() -> Self {
        Self { chroma_format: 1, separate_planes: false, luma_bit_depth: 8, chroma_bit_depth: 8 }
    }
}

impl Format {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, Fault> {
        let chroma_format = at_most_u8("chroma_format_idc", bits.ue()?, 3)?;
        let separate_planes = chroma_format == 3 && bits.flag()?;
        let luma = at_most_u8("bit_depth_luma_minus8", bits.ue()?, 6)?;
        let chroma = at_most_u8("bit_depth_chroma_minus8", bits.ue()?, 6)?;
        bits.flag()?; // qpprime_y_zero_transform_bypass_flag
        if bits.flag()? {
            for list in 0..if chroma_format == 3 { 12 } else { 8 } {
                if bits.flag()? {
                    skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
        Ok(Self {
            chroma_format,
            separate_planes,
            luma_bit_depth: luma.saturating_add(8),
            chroma_bit_depth: chroma.saturating_add(8),
        })
    }

    /// Samples per unit of cropping, across and down (H.264, 7.4.2.1.1).
    fn crop_units(&self, frames_only: bool) -> (u32, u32) {
        let (x, y) = match (self.chroma_format, self.separate_planes) {
            (1, _) => (2, 2),
            (2, _) => (2, 1),
            _ => (1, 1),
        };
        (x, if frames_only { y } else { y << 1 })
    }
}

/// `scaling_list()` (H.264, 7.3.2.1.1.1).
fn skip_scaling_list(bits: &mut BitReader<'_>, size: u32) -> Result<(), Fault> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = bits.se()?.wrapping_add(last) & 0xff;
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

/// Takes out the byte 3 of every `00 00 03` (H.264, 7.4.1.1).
pub(crate) fn without_emulation_prevention(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len());
    let mut zeros = 0_u8;
    for &byte in payload {
        if zeros == 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros.saturating_add(1).min(2) } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests;
