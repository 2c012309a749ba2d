//! Video usability information: the tail of a sequence parameter set.

use crate::bits::{BitReader, EndOfBits};

/// Video usability information (H.264, annex E.1.1), as far as a server or muxer needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Vui {
    /// Sample aspect ratio, width to height; `None` when unspecified or reserved.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// Luma uses the full range of values.
    pub full_range: Option<bool>,
    /// Colour primaries, transfer characteristics and matrix coefficients (ISO 23091-2).
    pub colour: Option<(u8, u8, u8)>,
    /// The stream's clock.
    pub frame_rate: Option<FrameRate>,
    /// `max_num_reorder_frames`: pictures that come before one they follow in presentation. 0
    /// means that there are no B-frames to wait for.
    pub max_num_reorder_frames: Option<u32>,
    /// `max_dec_frame_buffering`: pictures that the decoder keeps.
    pub max_dec_frame_buffering: Option<u32>,
}

/// The clock of an H.264 stream (H.264, E.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameRate {
    /// `num_units_in_tick`, not 0.
    pub num_units_in_tick: u32,
    /// `time_scale`, not 0.
    pub time_scale: u32,
    /// Every frame lasts two ticks.
    pub is_fixed: bool,
}

impl FrameRate {
    /// Frames per second, each of two ticks (fields).
    pub fn per_second(self) -> f64 {
        f64::from(self.time_scale) / (2.0 * f64::from(self.num_units_in_tick))
    }
}

/// Ratios of `aspect_ratio_idc` 1 to 16 (H.264, table E-1).
const ASPECT_RATIOS: [(u16, u16); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];
const EXTENDED_SAR: u8 = 255;
/// `cpb_cnt_minus1` at most (H.264, E.2.2).
const MAX_CPB: u32 = 31;

impl Vui {
    pub(crate) fn read(bits: &mut BitReader<'_>) -> Result<Self, EndOfBits> {
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
        if bits.flag()? {
            let (num_units_in_tick, time_scale) = (bits.bits(32)?, bits.bits(32)?);
            let is_fixed = bits.flag()?;
            if num_units_in_tick != 0 && time_scale != 0 {
                vui.frame_rate = Some(FrameRate { num_units_in_tick, time_scale, is_fixed });
            }
        }
        let has_nal_hrd = bits.flag()?;
        if has_nal_hrd {
            skip_hrd(bits)?;
        }
        let has_vcl_hrd = bits.flag()?;
        if has_vcl_hrd {
            skip_hrd(bits)?;
        }
        if has_nal_hrd || has_vcl_hrd {
            bits.flag()?; // low_delay_hrd_flag
        }
        bits.flag()?; // pic_struct_present_flag
        if bits.flag()? {
            bits.flag()?; // motion_vectors_over_pic_boundaries_flag
            for _ in 0..4 {
                bits.ue()?; // two bounds of sizes, two of motion vectors
            }
            vui.max_num_reorder_frames = Some(bits.ue()?);
            vui.max_dec_frame_buffering = Some(bits.ue()?);
        }
        Ok(vui)
    }
}

pub(crate) fn aspect_ratio(bits: &mut BitReader<'_>) -> Result<Option<(u16, u16)>, EndOfBits> {
    let idc = bits.bits8(8)?;
    if idc == EXTENDED_SAR {
        let side = |value| u16::try_from(value).map_err(|_| EndOfBits);
        let ratio = (side(bits.bits(16)?)?, side(bits.bits(16)?)?);
        return Ok((ratio.0 != 0 && ratio.1 != 0).then_some(ratio));
    }
    let index = usize::from(idc).checked_sub(1);
    Ok(index.and_then(|index| ASPECT_RATIOS.get(index)).copied())
}

/// `hrd_parameters()` (H.264, E.1.2).
fn skip_hrd(bits: &mut BitReader<'_>) -> Result<(), EndOfBits> {
    let count_minus_one = bits.ue()?;
    if count_minus_one > MAX_CPB {
        return Err(EndOfBits);
    }
    bits.bits(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..=count_minus_one {
        bits.ue()?; // bit_rate_value_minus1
        bits.ue()?; // cpb_size_value_minus1
        bits.flag()?; // cbr_flag
    }
    bits.bits(20)?; // four lengths of five bits
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::BitWriter;

    fn vui(write: impl FnOnce(&mut BitWriter)) -> Result<Vui, EndOfBits> {
        let mut bits = BitWriter::default();
        write(&mut bits);
        Vui::read(&mut BitReader::new(&bits.into_bytes()))
    }

    #[test]
    fn nothing_present_is_the_default() {
        assert_eq!(vui(|bits| bits.put(16, 0)), Ok(Vui::default()));
    }

    #[test]
    fn reads_an_extended_aspect_ratio_and_colour() {
        let read = vui(|bits| {
            bits.put(9, 0x1ff);
            bits.put(32, 40 << 16 | 33);
            bits.put(1, 0); // overscan
            bits.put(1, 1);
            bits.put(3, 5);
            bits.put(2, 3); // full range, colour description
            bits.put(24, 0x09_1009);
            bits.put(16, 0);
        });
        let read = read.unwrap();
        assert_eq!(read.sample_aspect_ratio, Some((40, 33)));
        assert_eq!((read.full_range, read.colour), (Some(true), Some((9, 16, 9))));
    }

    #[test]
    fn unspecified_reserved_and_zero_ratios_are_none() {
        for (idc, sides) in [(0, 0), (17, 0), (255, 7)] {
            let read = vui(|bits| {
                bits.put(1, 1);
                bits.put(8, idc);
                bits.put(32, sides);
                bits.put(32, 0);
            });
            assert_eq!(read.unwrap().sample_aspect_ratio, None, "{idc}");
        }
    }

    #[test]
    fn skips_both_hrd_parameters() {
        let hrd = |bits: &mut BitWriter| {
            bits.put(1, 1);
            bits.put(3, 0b010); // two of them
            bits.put(8, 0);
            bits.put(6, 0b11_0111); // ue 0, ue 0, flag, ue 0, ue 0, flag
            bits.put(20, 0);
        };
        let read = vui(|bits| {
            bits.put(5, 0);
            hrd(bits);
            hrd(bits);
            bits.put(2, 0);
            bits.put(2, 3); // restrictions, motion vectors
            bits.put(4, 0xf);
            bits.put(6, 0b01_1011); // 2 and 2
        });
        let read = read.unwrap();
        assert_eq!(read.max_num_reorder_frames, Some(2));
        assert_eq!(read.max_dec_frame_buffering, Some(2));
    }

    #[test]
    fn refuses_more_hrd_buffers_than_there_can_be() {
        let read = vui(|bits| {
            bits.put(6, 1);
            bits.put(11, 33); // ue 32
            bits.put(32, 0);
        });
        assert_eq!(read, Err(EndOfBits));
    }

    #[test]
    fn a_clock_of_zero_is_none() {
        let read = vui(|bits| {
            bits.put(4, 0);
            bits.put(1, 1);
            bits.put(32, 0);
            bits.put(32, 50);
            bits.put(16, 0);
        });
        assert_eq!(read.unwrap().frame_rate, None);
        let ntsc = FrameRate { num_units_in_tick: 1001, time_scale: 60_000, is_fixed: true };
        assert!((ntsc.per_second() - 29.97).abs() < 0.001);
    }
}
