//! The decoder's configuration.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::{
    Av1SequenceHeader, Limits, ObuType, obus,
    wire::{Reader, Truncated},
};

/// The payload of an AV1 sequence header tag (AV1 in ISO base media files, 2.3.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Av1CodecConfigurationRecord {
    /// `seq_profile`, three bits: 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx_0`, five bits.
    pub level: u8,
    /// `seq_tier_0`: the High tier rather than Main.
    pub is_high_tier: bool,
    /// Bits per sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `monochrome`: there is no colour.
    pub is_monochrome: bool,
    /// `chroma_subsampling_x`: colour has half the width.
    pub subsampling_x: bool,
    /// `chroma_subsampling_y`: colour has half the height.
    pub subsampling_y: bool,
    /// `chroma_sample_position`, two bits.
    pub chroma_sample_position: u8,
    /// `initial_presentation_delay_minus_one` + 1: samples to decode before the first is
    /// presented, 1 to 16.
    pub initial_presentation_delay: Option<u8>,
    /// `configOBUs`: the sequence header, and metadata. May be empty.
    pub config_obus: Bytes,
}

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Av1RecordError {
    /// It ends inside a field.
    #[error("av1 codec configuration record: {0}")]
    Truncated(#[from] Truncated),
    /// The first byte is not marker and version 1.
    #[error("av1 codec configuration record starts with {0:#04x}, not 0x81")]
    Version(u8),
}

const MARKER_AND_VERSION: u8 = 0x81;

impl Av1CodecConfigurationRecord {
    /// Decodes a record. The units are copied, no more bytes than `input` has; they are not looked
    /// into. Reserved bits are ignored.
    ///
    /// # Errors
    ///
    /// [`Av1RecordError`].
    pub fn decode(input: &[u8]) -> Result<Self, Av1RecordError> {
        let mut reader = Reader::new(input);
        let first = reader.u8("version")?;
        if first != MARKER_AND_VERSION {
            return Err(Av1RecordError::Version(first));
        }
        let profile_and_level = reader.u8("profile and level")?;
        let format = reader.u8("format")?;
        let delay = reader.u8("presentation delay")?;
        let has_delay = delay & 0x10 != 0;
        Ok(Self {
            profile: profile_and_level >> 5,
            level: profile_and_level & 0x1f,
            is_high_tier: format & 0x80 != 0,
            bit_depth: match format & 0x60 {
                0x60 => 12,
                0x40 => 10,
                _ => 8,
            },
            is_monochrome: format & 0x10 != 0,
            subsampling_x: format & 0x08 != 0,
            subsampling_y: format & 0x04 != 0,
            chroma_sample_position: format & 3,
            initial_presentation_delay: has_delay.then_some((delay & 0x0f).saturating_add(1)),
            config_obus: Bytes::copy_from_slice(reader.rest()),
        })
    }

    /// Appends the record to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        let bits = |set: bool, bit: u8| if set { bit } else { 0 };
        let depth = bits(self.bit_depth > 8, 0x40) | bits(self.bit_depth > 10, 0x20);
        let subsampling = bits(self.subsampling_x, 0x08) | bits(self.subsampling_y, 0x04);
        let format = bits(self.is_high_tier, 0x80) | depth | bits(self.is_monochrome, 0x10);
        out.put_u8(MARKER_AND_VERSION);
        out.put_u8(self.profile << 5 | (self.level & 0x1f));
        out.put_u8(format | subsampling | (self.chroma_sample_position & 3));
        let delay = self.initial_presentation_delay;
        out.put_u8(delay.map_or(0, |delay| 0x10 | (delay.saturating_sub(1) & 0x0f)));
        out.put_slice(&self.config_obus);
    }

    /// The record of a sequence header, with the units that it was found in.
    pub fn new(header: &Av1SequenceHeader, config_obus: Bytes) -> Self {
        Self {
            profile: header.profile,
            level: header.level,
            is_high_tier: header.is_high_tier,
            bit_depth: header.bit_depth,
            is_monochrome: header.is_monochrome,
            subsampling_x: header.subsampling_x,
            subsampling_y: header.subsampling_y,
            chroma_sample_position: header.chroma_sample_position,
            initial_presentation_delay: None,
            config_obus,
        }
    }

    /// The sequence header in [`config_obus`](Self::config_obus); `None` where there is none, or
    /// none that is sound.
    pub fn sequence_header(&self, limits: &Limits) -> Option<Av1SequenceHeader> {
        let mut units = obus(&self.config_obus).map_while(Result::ok);
        let unit = units.find(|unit| unit.obu_type == ObuType::SEQUENCE_HEADER)?;
        Av1SequenceHeader::decode(unit.payload, limits).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ffmpeg writes it of libaom's sequence header.
    const RECORD: &[u8] = &[
        0x81, 0x00, 0x0c, 0x00, 0x0a, 0x0d, 0x00, 0x00, 0x00, 0x03, 0xb6, 0x0e, 0xb3, 0x6b, 0xe4,
        0x40, 0x40, 0x40, 0x41,
    ];

    #[test]
    fn decodes_and_encodes() {
        let record = Av1CodecConfigurationRecord::decode(RECORD).unwrap();
        let header = record.sequence_header(&Limits::default()).unwrap();
        assert_eq!((header.width, header.height), (194, 108));
        assert_eq!(Av1CodecConfigurationRecord::new(&header, record.config_obus.clone()), record);
        let mut out = BytesMut::new();
        record.encode(&mut out);
        assert_eq!(out[..], *RECORD);
    }

    #[test]
    fn every_field_has_its_bits() {
        let bytes = [0x81, 0x4d, 0xf2, 0x1f];
        let record = Av1CodecConfigurationRecord::decode(&bytes).unwrap();
        assert_eq!((record.profile, record.level, record.is_high_tier), (2, 13, true));
        assert_eq!((record.bit_depth, record.is_monochrome), (12, true));
        assert_eq!((record.subsampling_x, record.chroma_sample_position), (false, 2));
        assert_eq!(record.initial_presentation_delay, Some(16));
        assert_eq!(record.sequence_header(&Limits::default()), None);
        let mut out = BytesMut::new();
        record.encode(&mut out);
        assert_eq!(out[..], bytes);
    }

    #[test]
    fn refuses_versions_and_cut_records() {
        let error = Av1CodecConfigurationRecord::decode(&[0x82, 0, 0, 0]);
        assert_eq!(error, Err(Av1RecordError::Version(0x82)));
        for len in 0..4 {
            let error = Av1CodecConfigurationRecord::decode(&RECORD[..len]).unwrap_err();
            assert!(matches!(error, Av1RecordError::Truncated(_)));
        }
    }
}
