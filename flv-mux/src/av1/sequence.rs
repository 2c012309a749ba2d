//! Sequence headers: what a picture is.

use thiserror::Error;

use crate::{
    Limits,
    bits::{BitReader, EndOfBits},
};

/// An AV1 sequence header (AV1, 5.5), as far as a server or muxer needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Av1SequenceHeader {
    /// `seq_profile`: 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx` of the first operating point: 0 is level 2.0, 1 2.1, 4 3.0, and so on; 31
    /// is without bounds.
    pub level: u8,
    /// `seq_tier` of the first operating point: the High tier rather than Main.
    pub is_high_tier: bool,
    /// `still_picture`: the stream is one picture.
    pub is_still_picture: bool,
    /// Largest width of a picture in samples, 1 to 65,536.
    pub width: u32,
    /// Largest height of a picture in samples, 1 to 65,536.
    pub height: u32,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `mono_chrome`: there is no colour.
    pub is_monochrome: bool,
    /// `subsampling_x`: colour has half the width.
    pub subsampling_x: bool,
    /// `subsampling_y`: colour has half the height.
    pub subsampling_y: bool,
    /// `chroma_sample_position`: 0 unknown, 1 vertical, 2 colocated.
    pub chroma_sample_position: u8,
    /// Samples use the full range of values.
    pub full_range: bool,
    /// Colour primaries, transfer characteristics and matrix coefficients (ISO 23091-2).
    pub colour: Option<(u8, u8, u8)>,
    /// `num_units_in_display_tick` and `time_scale`; neither is 0.
    pub timing: Option<(u32, u32)>,
}

/// Why a sequence header was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Av1SequenceError {
    /// It ends inside a field.
    #[error("av1 sequence header of {0} bytes is cut off")]
    Truncated(usize),
    /// A profile that is not defined.
    #[error("av1 profile is {0}, over its limit of 2")]
    Profile(u8),
    /// The picture is larger than [`Limits::max_dimension`].
    #[error("picture of {width} by {height} is over the limit of {limit} samples")]
    TooLarge {
        /// Width in samples.
        width: u32,
        /// Height in samples.
        height: u32,
        /// What is allowed, in samples.
        limit: u32,
    },
}

impl Av1SequenceHeader {
    /// Decodes the payload of an open bitstream unit of type 1.
    ///
    /// # Errors
    ///
    /// [`Av1SequenceError`].
    pub fn decode(payload: &[u8], limits: &Limits) -> Result<Self, Av1SequenceError> {
        let read = read(&mut BitReader::new(payload));
        let header = read.map_err(|EndOfBits| Av1SequenceError::Truncated(payload.len()))?;
        if header.profile > 2 {
            return Err(Av1SequenceError::Profile(header.profile));
        }
        let (width, height, limit) = (header.width, header.height, limits.max_dimension);
        if width > limit || height > limit {
            return Err(Av1SequenceError::TooLarge { width, height, limit });
        }
        Ok(header)
    }
}

fn read(bits: &mut BitReader<'_>) -> Result<Av1SequenceHeader, EndOfBits> {
    let profile = bits.bits8(3)?;
    let is_still_picture = bits.flag()?;
    let is_reduced = bits.flag()?;
    let (level, is_high_tier, timing) =
        if is_reduced { (bits.bits8(5)?, false, None) } else { operating_points(bits)? };
    let width_bits = bits.bits(4)?.saturating_add(1);
    let height_bits = bits.bits(4)?.saturating_add(1);
    let width = bits.bits(width_bits)?.saturating_add(1);
    let height = bits.bits(height_bits)?.saturating_add(1);
    if !is_reduced && bits.flag()? {
        bits.bits(7)?; // lengths of frame ids
    }
    bits.bits(3)?; // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    if !is_reduced {
        skip_tools(bits)?;
    }
    bits.bits(3)?; // enable_superres, enable_cdef, enable_restoration
    let color = Color::read(bits, profile)?;
    Ok(Av1SequenceHeader {
        profile,
        level,
        is_high_tier,
        is_still_picture,
        width,
        height,
        bit_depth: color.bit_depth,
        is_monochrome: color.is_monochrome,
        subsampling_x: color.subsampling.0,
        subsampling_y: color.subsampling.1,
        chroma_sample_position: color.sample_position,
        full_range: color.full_range,
        colour: color.description,
        timing,
    })
}

type Timing = Option<(u32, u32)>;

/// Timing, and level and tier of the first operating point.
fn operating_points(bits: &mut BitReader<'_>) -> Result<(u8, bool, Timing), EndOfBits> {
    let mut timing = None;
    let mut delay_bits = None;
    if bits.flag()? {
        let (units, scale) = (bits.bits(32)?, bits.bits(32)?);
        timing = (units != 0 && scale != 0).then_some((units, scale));
        if bits.flag()? {
            bits.ue()?; // num_ticks_per_picture_minus_1
        }
        if bits.flag()? {
            delay_bits = Some(bits.bits(5)?.saturating_add(1));
            bits.bits(32)?; // num_units_in_decoding_tick
            bits.bits(10)?; // lengths of removal and presentation times
        }
    }
    let has_display_delay = bits.flag()?;
    let mut first = None;
    for _ in 0..=bits.bits(5)? {
        bits.bits(12)?; // operating_point_idc
        let level = bits.bits8(5)?;
        let is_high_tier = level > 7 && bits.flag()?;
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.bits(delay_bits)?; // decoder_buffer_delay
            bits.bits(delay_bits)?; // encoder_buffer_delay
            bits.flag()?; // low_delay_mode_flag
        }
        if has_display_delay && bits.flag()? {
            bits.bits(4)?; // initial_display_delay_minus_1
        }
        first.get_or_insert((level, is_high_tier));
    }
    let (level, is_high_tier) = first.unwrap_or_default();
    Ok((level, is_high_tier, timing))
}

/// What pictures that need others may use.
fn skip_tools(bits: &mut BitReader<'_>) -> Result<(), EndOfBits> {
    bits.bits(4)?; // interintra and masked compound, warped motion, dual filter
    let has_order_hint = bits.flag()?;
    if has_order_hint {
        bits.bits(2)?; // enable_jnt_comp, enable_ref_frame_mvs
    }
    // Both are 2 (chosen per frame) unless said otherwise.
    let screen_content = if bits.flag()? { 2 } else { bits.bits(1)? };
    if screen_content > 0 && !bits.flag()? {
        bits.flag()?; // seq_force_integer_mv
    }
    if has_order_hint {
        bits.bits(3)?; // order_hint_bits_minus_1
    }
    Ok(())
}

/// `color_config()` (AV1, 5.5.2).
struct Color {
    bit_depth: u8,
    is_monochrome: bool,
    description: Option<(u8, u8, u8)>,
    full_range: bool,
    subsampling: (bool, bool),
    sample_position: u8,
}

/// sRGB: BT.709 primaries, its own transfer, and no matrix.
const SRGB: (u8, u8, u8) = (1, 13, 0);

impl Color {
    fn read(bits: &mut BitReader<'_>, profile: u8) -> Result<Self, EndOfBits> {
        let is_high = bits.flag()?;
        let bit_depth = match (is_high, profile) {
            (false, _) => 8,
            (true, 2) if bits.flag()? => 12,
            (true, _) => 10,
        };
        let is_monochrome = profile != 1 && bits.flag()?;
        let description = if bits.flag()? {
            Some((bits.bits8(8)?, bits.bits8(8)?, bits.bits8(8)?))
        } else {
            None
        };
        let mut color = Self {
            bit_depth,
            is_monochrome,
            description,
            full_range: true,
            subsampling: (false, false),
            sample_position: 0,
        };
        if is_monochrome {
            color.full_range = bits.flag()?;
            color.subsampling = (true, true);
            return Ok(color);
        }
        if description == Some(SRGB) {
            return Ok(color);
        }
        color.full_range = bits.flag()?;
        color.subsampling = match (profile, bit_depth) {
            (0, _) => (true, true),
            (1, _) => (false, false),
            (_, 12) => {
                let x = bits.flag()?;
                (x, x && bits.flag()?)
            }
            _ => (true, false),
        };
        if color.subsampling == (true, true) {
            color.sample_position = bits.bits8(2)?;
        }
        Ok(color)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::BitWriter;

    fn decode(payload: &[u8]) -> Result<Av1SequenceHeader, Av1SequenceError> {
        Av1SequenceHeader::decode(payload, &Limits::default())
    }

    /// libaom: 194 by 108, BT.709.
    const MAIN: &[u8] =
        &[0x00, 0x00, 0x00, 0x03, 0xb6, 0x0e, 0xb3, 0x6b, 0xe4, 0x40, 0x40, 0x40, 0x41];

    #[test]
    fn main_profile() {
        let header = decode(MAIN).unwrap();
        assert_eq!((header.width, header.height, header.profile, header.level), (194, 108, 0, 0));
        assert_eq!((header.bit_depth, header.is_monochrome, header.full_range), (8, false, false));
        assert_eq!((header.subsampling_x, header.subsampling_y), (true, true));
        assert_eq!((header.colour, header.timing), (Some((1, 1, 1)), None));
        for len in 0..12 {
            assert_eq!(decode(&MAIN[..len]), Err(Av1SequenceError::Truncated(len)), "{len}");
        }
    }

    #[test]
    fn timing_decoder_model_and_several_operating_points() {
        let mut bits = BitWriter::default();
        bits.put(3, 2);
        bits.put(2, 0);
        bits.put(1, 1); // timing
        bits.put(32, 1001);
        bits.put(32, 30_000);
        bits.put(2, 0b11); // equal intervals of one tick
        bits.put(1, 1); // decoder model
        bits.put(5, 9);
        bits.put(32, 1);
        bits.put(10, 0);
        bits.put(1, 1); // display delay
        bits.put(5, 1);
        for (level, tier) in [(13, 1), (5, 0)] {
            bits.put(12, 0);
            bits.put(5, level);
            if level > 7 {
                bits.put(1, tier);
            }
            bits.put(1, 1);
            bits.put(21, 0);
            bits.put(1, 1);
            bits.put(4, 3);
        }
        bits.put(8, 0xbb);
        bits.put(12, 3839);
        bits.put(12, 2159);
        bits.put(1, 1); // frame ids
        bits.put(7, 0);
        bits.put(3, 0);
        bits.put(4, 0);
        bits.put(1, 1); // order hints
        bits.put(2, 0);
        bits.put(2, 0); // no screen content tools
        bits.put(3, 6);
        bits.put(3, 0);
        bits.put(2, 3); // 12 bits
        bits.put(2, 1); // colour
        bits.put(24, 0x09_1009);
        bits.put(3, 0b111); // full range, subsampled both ways
        bits.put(2, 2);
        bits.put(2, 0);
        let header = decode(&bits.into_bytes()).unwrap();
        assert_eq!((header.width, header.height, header.profile), (3840, 2160, 2));
        assert_eq!((header.level, header.is_high_tier), (13, true));
        assert_eq!((header.bit_depth, header.colour), (12, Some((9, 16, 9))));
        assert_eq!((header.timing, header.chroma_sample_position), (Some((1001, 30_000)), 2));
    }

    #[test]
    fn a_reduced_header_in_srgb_and_in_grey() {
        let reduced = |profile: u32, color: &[(u32, u32)]| {
            let mut bits = BitWriter::default();
            bits.put(3, profile);
            bits.put(2, 3);
            bits.put(5, 4);
            bits.put(8, 0x99);
            bits.put(10, 639);
            bits.put(10, 479);
            bits.put(6, 0);
            for &(count, value) in color {
                bits.put(count, value);
            }
            bits.put(8, 0);
            decode(&bits.into_bytes())
        };
        let srgb = reduced(1, &[(2, 1), (24, 0x01_0d00)]).unwrap();
        assert!(srgb.is_still_picture && srgb.full_range && !srgb.subsampling_x);
        assert_eq!((srgb.width, srgb.height, srgb.level), (640, 480, 4));
        let grey = reduced(0, &[(3, 0b010)]).unwrap();
        assert!(grey.is_monochrome && grey.subsampling_y && !grey.full_range);
        assert_eq!(reduced(5, &[]), Err(Av1SequenceError::Profile(5)));
    }

    #[test]
    fn refuses_pictures_over_the_limit() {
        let limits = Limits { max_dimension: 193, ..Limits::default() };
        let error = Av1SequenceError::TooLarge { width: 194, height: 108, limit: 193 };
        assert_eq!(Av1SequenceHeader::decode(MAIN, &limits), Err(error));
    }
}
