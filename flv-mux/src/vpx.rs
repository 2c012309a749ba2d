//! VP8 and VP9: the decoder's configuration.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::wire::{Reader, Truncated};

/// The payload of a VP8 or VP9 sequence header tag (VP codecs in ISO base media files, version 1):
/// four bytes of version and flags come first, as in the files' box.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VpCodecConfigurationRecord {
    /// `profile`, 0 to 3.
    pub profile: u8,
    /// `level`: ten times the level; 0 when not said.
    pub level: u8,
    /// `bitDepth`, four bits: 8, 10 or 12.
    pub bit_depth: u8,
    /// `chromaSubsampling`, three bits: 0 4:2:0 vertical, 1 4:2:0 colocated, 2 4:2:2, 3 4:4:4.
    pub chroma_subsampling: u8,
    /// `videoFullRangeFlag`.
    pub full_range: bool,
    /// Colour primaries, transfer characteristics and matrix coefficients (ISO 23091-2).
    pub colour: (u8, u8, u8),
    /// `codecInitializationData`: empty for VP8 and VP9; 65,535 bytes at most.
    pub initialization_data: Bytes,
}

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VpRecordError {
    /// It ends inside a field.
    #[error("vp codec configuration record: {0}")]
    Truncated(#[from] Truncated),
    /// Another version than 1.
    #[error("vp codec configuration record has version {0}, not 1")]
    Version(u8),
    /// The initialization data does not fit.
    #[error("initialization data of {0} bytes is over the limit of 65535")]
    TooLong(usize),
}

impl VpCodecConfigurationRecord {
    /// Decodes a record; what follows it is ignored.
    ///
    /// # Errors
    ///
    /// [`VpRecordError`].
    pub fn decode(input: &[u8]) -> Result<Self, VpRecordError> {
        let mut reader = Reader::new(input);
        let version = reader.u8("version")?;
        if version != 1 {
            return Err(VpRecordError::Version(version));
        }
        reader.u24("flags")?;
        let profile = reader.u8("profile")?;
        let level = reader.u8("level")?;
        let format = reader.u8("bit depth")?;
        let colour = (
            reader.u8("colour primaries")?,
            reader.u8("transfer characteristics")?,
            reader.u8("matrix coefficients")?,
        );
        let len = reader.u16("length of initialization data")?;
        let data = reader.bytes(len.into(), "initialization data")?;
        Ok(Self {
            profile,
            level,
            bit_depth: format >> 4,
            chroma_subsampling: format >> 1 & 7,
            full_range: format & 1 != 0,
            colour,
            initialization_data: Bytes::copy_from_slice(data),
        })
    }

    /// Appends the record to `out`.
    ///
    /// # Errors
    ///
    /// [`VpRecordError::TooLong`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), VpRecordError> {
        let len = self.initialization_data.len();
        let len = u16::try_from(len).map_err(|_| VpRecordError::TooLong(len))?;
        let format = self.bit_depth << 4 | (self.chroma_subsampling & 7) << 1;
        let (primaries, transfer, matrix) = self.colour;
        out.put_slice(&[1, 0, 0, 0, self.profile, self.level]);
        out.put_slice(&[format | u8::from(self.full_range), primaries, transfer, matrix]);
        out.put_u16(len);
        out.put_slice(&self.initialization_data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ffmpeg writes it of libvpx's VP9: profile 0, level 1, BT.709.
    const RECORD: [u8; 12] = [1, 0, 0, 0, 0, 10, 0x82, 1, 1, 1, 0, 0];

    #[test]
    fn decodes_and_encodes() {
        let record = VpCodecConfigurationRecord::decode(&RECORD).unwrap();
        assert_eq!((record.profile, record.level, record.bit_depth), (0, 10, 8));
        assert_eq!((record.chroma_subsampling, record.full_range), (1, false));
        assert_eq!(record.colour, (1, 1, 1));
        let mut out = BytesMut::new();
        record.encode(&mut out).unwrap();
        assert_eq!(out[..], RECORD);
    }

    #[test]
    fn refuses_versions_cut_records_and_long_data() {
        for len in 0..RECORD.len() {
            let error = VpCodecConfigurationRecord::decode(&RECORD[..len]).unwrap_err();
            assert!(matches!(error, VpRecordError::Truncated(_)), "{len}");
        }
        let mut other = RECORD;
        other[0] = 0;
        assert_eq!(VpCodecConfigurationRecord::decode(&other), Err(VpRecordError::Version(0)));
        let mut record = VpCodecConfigurationRecord::decode(&RECORD).unwrap();
        record.initialization_data = vec![0; 1 << 16].into();
        assert_eq!(record.encode(&mut BytesMut::new()), Err(VpRecordError::TooLong(1 << 16)));
    }
}
