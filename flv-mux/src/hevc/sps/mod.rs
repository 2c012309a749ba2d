//! Sequence parameter sets: what a picture is.

use thiserror::Error;

use crate::{
    HevcNalUnitType, HevcProfile, Limits,
    avc::{sps::without_emulation_prevention, vui::aspect_ratio},
    bits::{BitReader, EndOfBits},
};

/// An H.265 sequence parameter set (H.265, 7.3.2.2), as far as a server or muxer needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HevcSps {
    /// Profile, tier and level.
    pub profile: HevcProfile,
    /// `sps_max_sub_layers_minus1` + 1: temporal layers, 1 to 7.
    pub sub_layers: u8,
    /// `sps_temporal_id_nesting_flag`.
    pub temporal_id_nested: bool,
    /// `sps_seq_parameter_set_id`, 0 to 15.
    pub id: u8,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample, 8 to 16.
    pub luma_bit_depth: u8,
    /// Bits per chroma sample, 8 to 16.
    pub chroma_bit_depth: u8,
    /// Width of a picture in luma samples, conformance window applied.
    pub width: u32,
    /// Height of a picture in luma samples, conformance window applied.
    pub height: u32,
    /// `sps_max_num_reorder_pics` of the highest temporal layer: pictures that come before one
    /// they follow in presentation.
    pub max_num_reorder: u32,
    /// Video usability information; `None` when absent or cut off.
    pub vui: Option<HevcVui>,
}

/// Video usability information (H.265, annex E.2.1), as far as a server or muxer needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct HevcVui {
    /// Sample aspect ratio, width to height; `None` when unspecified or reserved.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// Samples use the full range of values.
    pub full_range: Option<bool>,
    /// Colour primaries, transfer characteristics and matrix coefficients (ISO 23091-2).
    pub colour: Option<(u8, u8, u8)>,
    /// The stream's clock.
    pub frame_rate: Option<HevcFrameRate>,
}

/// The clock of an H.265 stream (H.265, E.3.1): one tick for each picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HevcFrameRate {
    /// `vui_num_units_in_tick`, not 0.
    pub num_units_in_tick: u32,
    /// `vui_time_scale`, not 0.
    pub time_scale: u32,
}

impl HevcFrameRate {
    /// Pictures per second.
    pub fn per_second(self) -> f64 {
        f64::from(self.time_scale) / f64::from(self.num_units_in_tick)
    }
}

/// Why a sequence parameter set was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HevcSpsError {
    /// The NAL unit has another type.
    #[error("nal unit has type {0}, not 33, a sequence parameter set")]
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
    /// The picture has no samples, or more than [`Limits::max_dimension`] on a side.
    #[error("picture of {width} by {height} is empty or over the limit of {limit} samples")]
    Size {
        /// Width before the conformance window, in samples.
        width: u32,
        /// Height before the conformance window, in samples.
        height: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The conformance window leaves nothing of the picture.
    #[error("conformance window leaves nothing of a picture of {width} by {height}")]
    Window {
        /// Width before the conformance window, in samples.
        width: u32,
        /// Height before the conformance window, in samples.
        height: u32,
    },
}

impl HevcSps {
    /// Decodes a NAL unit of type 33: header bytes, emulation prevention bytes and all.
    ///
    /// # Errors
    ///
    /// [`HevcSpsError`].
    pub fn decode(nal: &[u8], limits: &Limits) -> Result<Self, HevcSpsError> {
        let limit = limits.max_sps;
        if nal.len() > limit {
            return Err(HevcSpsError::TooLong { len: nal.len(), limit });
        }
        let Some(([first, _], payload)) = nal.split_first_chunk::<2>() else {
            return Err(HevcSpsError::Truncated(nal.len()));
        };
        let nal_type = first >> 1 & 0x3f;
        if nal_type != HevcNalUnitType::SPS.0 {
            return Err(HevcSpsError::NotSps(nal_type));
        }
        let payload = without_emulation_prevention(payload);
        read(&mut BitReader::new(&payload), limits).map_err(|fault| match fault {
            Fault::End => HevcSpsError::Truncated(nal.len()),
            Fault::Error(error) => error,
        })
    }
}

/// A fault found while reading, before the length of the whole is known.
enum Fault {
    End,
    Error(HevcSpsError),
}

impl From<EndOfBits> for Fault {
    fn from(_: EndOfBits) -> Self {
        Self::End
    }
}

impl From<HevcSpsError> for Fault {
    fn from(error: HevcSpsError) -> Self {
        Self::Error(error)
    }
}

/// The next code, where it is at most `limit`.
fn ue(bits: &mut BitReader<'_>, field: &'static str, limit: u8) -> Result<u8, Fault> {
    let value = bits.ue()?;
    match u8::try_from(value) {
        Ok(value) if value <= limit => Ok(value),
        _ => Err(HevcSpsError::OutOfRange { field, value, limit: limit.into() }.into()),
    }
}

fn read(bits: &mut BitReader<'_>, limits: &Limits) -> Result<HevcSps, Fault> {
    bits.bits(4)?; // sps_video_parameter_set_id
    let highest = bits.bits8(3)?;
    if highest > 6 {
        let field = "sps_max_sub_layers_minus1";
        return Err(HevcSpsError::OutOfRange { field, value: highest.into(), limit: 6 }.into());
    }
    let temporal_id_nested = bits.flag()?;
    let profile = HevcProfile::read(bits)?;
    skip_sub_layers(bits, highest)?;
    let id = ue(bits, "sps_seq_parameter_set_id", 15)?;
    let chroma_format = ue(bits, "chroma_format_idc", 3)?;
    let separate_planes = chroma_format == 3 && bits.flag()?;
    let (coded_width, coded_height) = (bits.ue()?, bits.ue()?);
    let limit = limits.max_dimension;
    if !(1..=limit).contains(&coded_width) || !(1..=limit).contains(&coded_height) {
        let (width, height) = (coded_width, coded_height);
        return Err(HevcSpsError::Size { width, height, limit }.into());
    }
    let (width, height) = if bits.flag()? {
        let (unit_x, unit_y) = match (chroma_format, separate_planes) {
            (1, _) => (2, 2),
            (2, _) => (2, 1),
            _ => (1, 1),
        };
        let (left, right, top, bottom) = (bits.ue()?, bits.ue()?, bits.ue()?, bits.ue()?);
        windowed(coded_width, left, right, unit_x)
            .zip(windowed(coded_height, top, bottom, unit_y))
            .ok_or(HevcSpsError::Window { width: coded_width, height: coded_height })?
    } else {
        (coded_width, coded_height)
    };
    let luma = ue(bits, "bit_depth_luma_minus8", 8)?;
    let chroma = ue(bits, "bit_depth_chroma_minus8", 8)?;
    let poc_bits = ue(bits, "log2_max_pic_order_cnt_lsb_minus4", 12)?.saturating_add(4);
    let each_layer = bits.flag()?;
    let mut max_num_reorder = 0;
    for _ in if each_layer { 0 } else { highest }..=highest {
        bits.ue()?; // sps_max_dec_pic_buffering_minus1
        max_num_reorder = bits.ue()?;
        bits.ue()?; // sps_max_latency_increase_plus1
    }
    // What lies between here and the usability information is read to get past it: if that
    // fails, all that was wanted is there all the same.
    let vui = usability(bits, poc_bits).ok().flatten();
    Ok(HevcSps {
        profile,
        sub_layers: highest.saturating_add(1),
        temporal_id_nested,
        id,
        chroma_format,
        luma_bit_depth: luma.saturating_add(8),
        chroma_bit_depth: chroma.saturating_add(8),
        width,
        height,
        max_num_reorder,
        vui,
    })
}

/// What a window leaves of a side.
fn windowed(coded: u32, before: u32, after: u32, unit: u32) -> Option<u32> {
    let units = u64::from(before).saturating_add(after.into());
    let cut = u32::try_from(units.saturating_mul(unit.into())).ok()?;
    coded.checked_sub(cut).filter(|&left| left > 0)
}

/// Profile and level of each temporal layer below the highest (H.265, 7.3.3).
fn skip_sub_layers(bits: &mut BitReader<'_>, highest: u8) -> Result<(), EndOfBits> {
    if highest == 0 {
        return Ok(());
    }
    let mut present = [(false, false); 8];
    // Those from `highest` on are reserved bits.
    for layer in &mut present {
        *layer = (bits.flag()?, bits.flag()?);
    }
    for &(has_profile, has_level) in present.iter().take(highest.into()) {
        if has_profile {
            bits.bits(32)?;
            bits.bits(32)?;
            bits.bits(24)?;
        }
        if has_level {
            bits.bits(8)?;
        }
    }
    Ok(())
}

fn usability(bits: &mut BitReader<'_>, poc_bits: u8) -> Result<Option<HevcVui>, Fault> {
    for _ in 0..6 {
        bits.ue()?; // sizes of coding and transform blocks, depths of the transform tree
    }
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.bits(2)?; // amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag()? {
        bits.bits(8)?; // bit depths of PCM
        bits.ue()?;
        bits.ue()?;
        bits.flag()?;
    }
    skip_reference_sets(bits)?;
    if bits.flag()? {
        for _ in 0..ue(bits, "num_long_term_ref_pics_sps", 32)? {
            bits.bits(poc_bits.into())?;
            bits.flag()?;
        }
    }
    bits.bits(2)?; // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
    if bits.flag()? { Ok(Some(HevcVui::read(bits)?)) } else { Ok(None) }
}

/// `scaling_list_data()` (H.265, 7.3.4).
fn skip_scaling_lists(bits: &mut BitReader<'_>) -> Result<(), EndOfBits> {
    for size in 0..4_u32 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.ue()?; // scaling_list_pred_matrix_id_delta
                continue;
            }
            if size > 1 {
                bits.se()?; // scaling_list_dc_coef_minus8
            }
            for _ in 0..if size == 0 { 16 } else { 64 } {
                bits.se()?;
            }
        }
    }
    Ok(())
}

/// The short-term reference picture sets (H.265, 7.3.7): each may build on the one before.
fn skip_reference_sets(bits: &mut BitReader<'_>) -> Result<(), Fault> {
    let mut pictures = 0_u8;
    for set in 0..ue(bits, "num_short_term_ref_pic_sets", 64)? {
        if set > 0 && bits.flag()? {
            bits.flag()?; // delta_rps_sign
            bits.ue()?; // abs_delta_rps_minus1
            let mut kept = 0_u8;
            for _ in 0..=pictures {
                // used_by_curr_pic_flag, or else use_delta_flag
                kept = kept.saturating_add(u8::from(bits.flag()? || bits.flag()?));
            }
            pictures = kept.min(32);
        } else {
            let negative = ue(bits, "num_negative_pics", 16)?;
            pictures = negative.saturating_add(ue(bits, "num_positive_pics", 16)?);
            for _ in 0..pictures {
                bits.ue()?; // delta_poc_minus1
                bits.flag()?; // used_by_curr_pic_flag
            }
        }
    }
    Ok(())
}

impl HevcVui {
    fn read(bits: &mut BitReader<'_>) -> Result<Self, EndOfBits> {
        let mut vui = Self::default();
        if bits.flag()? {
            vui.sample_aspect_ratio = aspect_ratio(bits)?;
        }
        if bits.flag()? {
            bits.flag()?; // overscan_appropriate_flag
        }
        if bits.flag()? {
            bits.bits(3)?; // video_format
            vui.full_range = Some(bits.flag()?);
            if bits.flag()? {
                vui.colour = Some((bits.bits8(8)?, bits.bits8(8)?, bits.bits8(8)?));
            }
        }
        if bits.flag()? {
            bits.ue()?; // chroma_sample_loc_type_top_field
            bits.ue()?; // chroma_sample_loc_type_bottom_field
        }
        bits.bits(3)?; // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
        if bits.flag()? {
            for _ in 0..4 {
                bits.ue()?; // default display window
            }
        }
        if bits.flag()? {
            let (num_units_in_tick, time_scale) = (bits.bits(32)?, bits.bits(32)?);
            if num_units_in_tick != 0 && time_scale != 0 {
                vui.frame_rate = Some(HevcFrameRate { num_units_in_tick, time_scale });
            }
        }
        Ok(vui)
    }
}

#[cfg(test)]
mod tests;
