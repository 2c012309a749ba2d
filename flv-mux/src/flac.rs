//! FLAC: the decoder's configuration.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::wire::{Reader, Truncated, be_24};

/// The payload of a FLAC sequence header: the stream information block (RFC 9639, 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlacStreamInfo {
    /// Smallest block but the last, in samples per channel.
    pub min_block: u16,
    /// Largest block in samples per channel.
    pub max_block: u16,
    /// Smallest frame in bytes, 24 bits; 0 when not known.
    pub min_frame: u32,
    /// Largest frame in bytes, 24 bits; 0 when not known.
    pub max_frame: u32,
    /// Sampling rate in Hz, 20 bits, not 0.
    pub sample_rate: u32,
    /// Channels, 1 to 8.
    pub channels: u8,
    /// Bits per sample, 4 to 32.
    pub bits_per_sample: u8,
    /// Samples per channel in all, 36 bits; 0 when not known.
    pub samples: u64,
    /// MD5 of the samples; zeros when not known.
    pub md5: [u8; 16],
}

/// Why a stream information block was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlacError {
    /// It ends inside a field.
    #[error("flac stream information: {0}")]
    Truncated(#[from] Truncated),
    /// The first metadata block is another.
    #[error("flac metadata block has type {0}, not 0, the stream information")]
    BlockType(u8),
    /// The sampling rate is 0.
    #[error("flac sampling rate is 0")]
    SampleRate,
}

const MARKER: &[u8; 4] = b"fLaC";
/// Bytes of the block, without its header.
const LEN: usize = 34;

impl FlacStreamInfo {
    /// Decodes the block: alone, as ffmpeg sends it, or behind the header of a metadata block, or
    /// behind that and the marker `fLaC`, as the specification of enhanced RTMP says. What follows
    /// is ignored.
    ///
    /// # Errors
    ///
    /// [`FlacError`].
    pub fn decode(input: &[u8]) -> Result<Self, FlacError> {
        let (input, has_marker) = match input.strip_prefix(MARKER) {
            Some(rest) => (rest, true),
            None => (input, false),
        };
        let mut reader = Reader::new(input);
        if has_marker || input.len() > LEN {
            let block_type = reader.u8("metadata block type")? & 0x7f;
            if block_type != 0 {
                return Err(FlacError::BlockType(block_type));
            }
            reader.u24("metadata block length")?;
        }
        let min_block = reader.u16("smallest block")?;
        let max_block = reader.u16("largest block")?;
        let min_frame = reader.u24("smallest frame")?;
        let max_frame = reader.u24("largest frame")?;
        let packed = u64::from(reader.u32("sampling rate")?) << 32;
        let packed = packed | u64::from(reader.u32("count of samples")?);
        let mut md5 = [0; 16];
        md5.copy_from_slice(reader.bytes(16, "md5")?);
        let field = |shift: u32, mask: u8| {
            let bits = packed.checked_shr(shift).unwrap_or(0) & u64::from(mask);
            u8::try_from(bits).unwrap_or(0).saturating_add(1)
        };
        let info = Self {
            min_block,
            max_block,
            min_frame,
            max_frame,
            sample_rate: u32::try_from(packed >> 44).unwrap_or(0),
            channels: field(41, 7),
            bits_per_sample: field(36, 31),
            samples: packed & 0xf_ffff_ffff,
            md5,
        };
        if info.sample_rate == 0 { Err(FlacError::SampleRate) } else { Ok(info) }
    }

    /// Appends the 34 bytes of the block to `out`, each field in its low bits.
    pub fn encode(&self, out: &mut BytesMut) {
        let packed = u64::from(self.sample_rate & 0xf_ffff) << 44
            | u64::from(self.channels.saturating_sub(1) & 7) << 41
            | u64::from(self.bits_per_sample.saturating_sub(1) & 31) << 36
            | (self.samples & 0xf_ffff_ffff);
        out.put_u16(self.min_block);
        out.put_u16(self.max_block);
        out.put_slice(&be_24(self.min_frame));
        out.put_slice(&be_24(self.max_frame));
        out.put_u64(packed);
        out.put_slice(&self.md5);
    }

    /// Appends marker, block header and block to `out`: the payload that the specification of
    /// enhanced RTMP asks for.
    pub fn encode_stream_header(&self, out: &mut BytesMut) {
        out.put_slice(MARKER);
        // The last metadata block, type 0, of 34 bytes.
        out.put_slice(&[0x80, 0, 0, 34]);
        self.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ffmpeg writes it: 16 kHz, mono, 16 bits.
    const BLOCK: [u8; 34] = [
        0x01, 0x45, 0x01, 0x45, 0, 0, 0, 0, 0x02, 0x9f, 0x03, 0xe8, 0, 0xf0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn alone_with_a_header_and_with_a_marker() {
        let info = FlacStreamInfo::decode(&BLOCK).unwrap();
        assert_eq!((info.sample_rate, info.channels, info.bits_per_sample), (16_000, 1, 16));
        assert_eq!((info.min_block, info.max_block, info.max_frame), (325, 325, 671));
        let mut out = BytesMut::new();
        info.encode(&mut out);
        assert_eq!(out[..], BLOCK);
        let mut whole = BytesMut::new();
        info.encode_stream_header(&mut whole);
        assert_eq!(whole[..8], *b"fLaC\x80\0\0\x22");
        assert_eq!(FlacStreamInfo::decode(&whole), Ok(info));
        assert_eq!(FlacStreamInfo::decode(&whole[4..]), Ok(info));
    }

    #[test]
    fn refuses_other_blocks_cut_ones_and_a_rate_of_nothing() {
        let error = FlacStreamInfo::decode(b"fLaC\x84\0\0\0");
        assert_eq!(error, Err(FlacError::BlockType(4)));
        for len in 0..BLOCK.len() {
            let error = FlacStreamInfo::decode(&BLOCK[..len]).unwrap_err();
            assert!(matches!(error, FlacError::Truncated(_)), "{len}");
        }
        assert_eq!(FlacStreamInfo::decode(&[0; 34]), Err(FlacError::SampleRate));
    }
}
