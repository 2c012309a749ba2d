//! AC-3 and E-AC-3: every frame says what it is.

use thiserror::Error;

use crate::bits::{BitReader, EndOfBits};

/// The head of an AC-3 or E-AC-3 frame (ETSI TS 102 366, 4.3 and E.1.2): these codecs have no
/// other configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ac3Frame {
    /// E-AC-3 rather than AC-3.
    pub is_enhanced: bool,
    /// `bsid`: up to 10 is AC-3, 11 to 16 E-AC-3.
    pub bitstream_id: u8,
    /// Sampling rate in Hz.
    pub sample_rate: u32,
    /// Channels, that of low frequencies included: 1 to 6.
    pub channels: u8,
    /// `lfeon`: one of the channels carries low frequencies.
    pub has_lfe: bool,
    /// Length of the frame in bytes.
    pub len: u32,
    /// Samples per channel in the frame: 256 to 1536.
    pub samples: u32,
}

/// Why a frame was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Ac3Error {
    /// It ends inside its head.
    #[error("ac-3 frame of {0} bytes is cut off")]
    Truncated(usize),
    /// It does not start with the sync word.
    #[error("ac-3 frame starts with {0:#06x}, not 0x0b77")]
    SyncWord(u16),
    /// A field has a value that is reserved.
    #[error("{field} of an ac-3 frame has the reserved value {value}")]
    Reserved {
        /// The field.
        field: &'static str,
        /// What was read.
        value: u8,
    },
}

const SYNC_WORD: u32 = 0x0b77;
const RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// Kilobits per second by half of `frmsizecod` (table 4.13).
const BIT_RATES: [u32; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
/// Channels by `acmod` (table 4.3).
const CHANNELS: [u8; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
/// Blocks of 256 samples by `numblkscod`.
const BLOCKS: [u32; 4] = [1, 2, 3, 6];

impl Ac3Frame {
    /// Decodes the head of the frame that `frame` starts with.
    ///
    /// # Errors
    ///
    /// [`Ac3Error`].
    pub fn decode(frame: &[u8]) -> Result<Self, Ac3Error> {
        read(&mut BitReader::new(frame)).map_err(|fault| match fault {
            Fault::End => Ac3Error::Truncated(frame.len()),
            Fault::Error(error) => error,
        })
    }
}

enum Fault {
    End,
    Error(Ac3Error),
}

impl From<EndOfBits> for Fault {
    fn from(_: EndOfBits) -> Self {
        Self::End
    }
}

fn reserved(field: &'static str, value: u8) -> Fault {
    Fault::Error(Ac3Error::Reserved { field, value })
}

fn entry<T: Copy>(table: &[T], field: &'static str, index: u8) -> Result<T, Fault> {
    table.get(usize::from(index)).copied().ok_or_else(|| reserved(field, index))
}

fn read(bits: &mut BitReader<'_>) -> Result<Ac3Frame, Fault> {
    let word = bits.bits(16)?;
    if word != SYNC_WORD {
        let word = u16::try_from(word).unwrap_or(0);
        return Err(Fault::Error(Ac3Error::SyncWord(word)));
    }
    // Where both kinds have their `bsid`.
    let mut ahead = bits.clone();
    ahead.bits(24)?;
    match ahead.bits8(5)? {
        bitstream_id @ 0..=10 => plain(bits, bitstream_id),
        bitstream_id @ 11..=16 => enhanced(bits, bitstream_id),
        other => Err(reserved("bsid", other)),
    }
}

fn plain(bits: &mut BitReader<'_>, bitstream_id: u8) -> Result<Ac3Frame, Fault> {
    bits.bits(16)?; // crc1
    let (rate_code, size_code) = (bits.bits8(2)?, bits.bits8(6)?);
    let sample_rate = entry(&RATES, "fscod", rate_code)?;
    let bit_rate = entry(&BIT_RATES, "frmsizecod", size_code >> 1)?;
    // Words of 16 bits: a frame lasts 1536 samples; at 44.1 kHz some have one word more.
    let words = match rate_code {
        0 => bit_rate.saturating_mul(2),
        1 => (bit_rate.saturating_mul(320) / 147).saturating_add(u32::from(size_code & 1)),
        _ => bit_rate.saturating_mul(3),
    };
    bits.bits(8)?; // bsid, bsmod
    let mode = bits.bits8(3)?;
    if mode & 1 != 0 && mode != 1 {
        bits.bits(2)?; // cmixlev
    }
    if mode & 4 != 0 {
        bits.bits(2)?; // surmixlev
    }
    if mode == 2 {
        bits.bits(2)?; // dsurmod
    }
    let has_lfe = bits.flag()?;
    Ok(Ac3Frame {
        is_enhanced: false,
        bitstream_id,
        // From 9 on, half and a quarter of the rate.
        sample_rate: sample_rate >> bitstream_id.saturating_sub(8),
        channels: entry(&CHANNELS, "acmod", mode)?.saturating_add(has_lfe.into()),
        has_lfe,
        len: words.saturating_mul(2),
        samples: 1536,
    })
}

fn enhanced(bits: &mut BitReader<'_>, bitstream_id: u8) -> Result<Ac3Frame, Fault> {
    let stream_type = bits.bits8(2)?;
    if stream_type == 3 {
        return Err(reserved("strmtyp", stream_type));
    }
    bits.bits(3)?; // substreamid
    let words = bits.bits(11)?.saturating_add(1);
    let (sample_rate, blocks) = match bits.bits8(2)? {
        3 => (entry(&RATES, "fscod2", bits.bits8(2)?)? >> 1, 6),
        code => (entry(&RATES, "fscod", code)?, entry(&BLOCKS, "numblkscod", bits.bits8(2)?)?),
    };
    let mode = bits.bits8(3)?;
    let has_lfe = bits.flag()?;
    Ok(Ac3Frame {
        is_enhanced: true,
        bitstream_id,
        sample_rate,
        channels: entry(&CHANNELS, "acmod", mode)?.saturating_add(has_lfe.into()),
        has_lfe,
        len: words.saturating_mul(2),
        samples: blocks << 8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_ac_3_of_ffmpeg() {
        let frame = [0x0b, 0x77, 0x00, 0x3f, 0x32, 0x87, 0xc0, 0x00, 0x21, 0x03];
        let expected = Ac3Frame {
            is_enhanced: true,
            bitstream_id: 16,
            sample_rate: 48_000,
            channels: 1,
            has_lfe: false,
            len: 128,
            samples: 1536,
        };
        assert_eq!(Ac3Frame::decode(&frame), Ok(expected));
    }

    #[test]
    fn ac_3_in_five_channels_and_one() {
        // 384 kbit/s at 44.1 kHz, one word more, 3/2 and low frequencies.
        let frame = [0x0b, 0x77, 0, 0, 0x40 | 29, 0x40, 0xe1, 0x00];
        let read = Ac3Frame::decode(&frame).unwrap();
        assert_eq!((read.sample_rate, read.channels, read.has_lfe), (44_100, 6, true));
        assert_eq!((read.len, read.samples, read.is_enhanced), (1672, 1536, false));
    }

    #[test]
    fn refuses_other_words_reserved_values_and_cut_frames() {
        assert_eq!(Ac3Frame::decode(&[0xff, 0xfb]), Err(Ac3Error::SyncWord(0xfffb)));
        assert_eq!(Ac3Frame::decode(&[0x0b]), Err(Ac3Error::Truncated(1)));
        let reserved = |field, value| Err(Ac3Error::Reserved { field, value });
        assert_eq!(Ac3Frame::decode(&[0x0b, 0x77, 0, 0, 0, 0xf8]), reserved("bsid", 31));
        assert_eq!(Ac3Frame::decode(&[0x0b, 0x77, 0, 0, 0xc0, 0x40]), reserved("fscod", 3));
        let size = Ac3Frame::decode(&[0x0b, 0x77, 0, 0, 0x3f, 0x40]);
        assert_eq!(size, reserved("frmsizecod", 31));
        let half = [0x0b, 0x77, 0x00, 0x3f, 0xf2, 0x80, 0];
        assert_eq!(Ac3Frame::decode(&half), reserved("fscod2", 3));
    }
}
