//! The decoder's configuration: parameter sets and how to take access units apart.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::{
    HevcNalUnitType, HevcProfile, HevcSps, HevcSpsError, Limits, NalLengthSize, annex_b_units,
    bits::BitReader,
    wire::{Reader, Truncated},
};

/// The payload of an H.265 sequence header (ISO 14496-15, 8.3.3.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HevcDecoderConfigurationRecord {
    /// Profile, tier and level.
    pub profile: HevcProfile,
    /// `min_spatial_segmentation_idc`, 12 bits.
    pub min_spatial_segmentation: u16,
    /// `parallelismType`, two bits: 0 unknown, 1 slices, 2 tiles, 3 wavefronts.
    pub parallelism: u8,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits per luma sample, 8 to 15.
    pub luma_bit_depth: u8,
    /// Bits per chroma sample, 8 to 15.
    pub chroma_bit_depth: u8,
    /// `avgFrameRate` in frames per 256 seconds; 0 when not said.
    pub average_frame_rate: u16,
    /// `constantFrameRate`, two bits: 0 not said, 1 constant, 2 constant in each temporal layer.
    pub constant_frame_rate: u8,
    /// `numTemporalLayers`, three bits; 0 when not said.
    pub temporal_layers: u8,
    /// `temporalIdNested`.
    pub temporal_id_nested: bool,
    /// Bytes of the length before each NAL unit.
    pub nal_length_size: NalLengthSize,
    /// Parameter sets and SEI messages by type, 255 at most.
    pub arrays: Vec<HevcNalArray>,
}

/// NAL units of one type in a [`HevcDecoderConfigurationRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HevcNalArray {
    /// `array_completeness`: access units carry none of this type.
    pub is_complete: bool,
    /// The type of all units.
    pub nal_type: HevcNalUnitType,
    /// The units, NAL header included: 65,535 bytes each at most.
    pub units: Vec<Bytes>,
}

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HevcRecordError {
    /// It ends inside a field.
    #[error("hevc decoder configuration record: {0}")]
    Truncated(#[from] Truncated),
    /// A version that cannot be read.
    #[error("hevc decoder configuration record has version {0}, not 1")]
    Version(u8),
    /// `lengthSizeMinusOne` is 2.
    #[error("nal unit lengths of 3 bytes are not allowed")]
    NalLengthSize,
    /// More NAL units than [`HevcDecoderConfigurationRecord::MAX_UNITS`], or more arrays or longer
    /// units than the record can carry.
    #[error("{count} nal units, the longest of {longest} bytes, do not fit in an hevc record")]
    TooMany {
        /// How many there are.
        count: usize,
        /// The longest of them, in bytes; 0 while reading.
        longest: usize,
    },
    /// There is no sequence parameter set to make a record of.
    #[error("no sequence parameter set")]
    NoSps,
    /// The sequence parameter set cannot be read.
    #[error(transparent)]
    Sps(#[from] HevcSpsError),
}

impl HevcDecoderConfigurationRecord {
    /// Most NAL units in a record: bounds the memory that empty ones would take. A stream has at
    /// most 16 + 16 + 64 parameter sets.
    pub const MAX_UNITS: usize = 512;

    /// Decodes a record. The NAL units are copied, no more bytes than `input` has.
    ///
    /// Reserved bits are ignored, and so is what follows the record. Version 0, which encoders
    /// wrote before the specification was final, is taken as 1.
    ///
    /// # Errors
    ///
    /// [`HevcRecordError`].
    pub fn decode(input: &[u8]) -> Result<Self, HevcRecordError> {
        let mut reader = Reader::new(input);
        let version = reader.u8("version")?;
        if version > 1 {
            return Err(HevcRecordError::Version(version));
        }
        let mut bits = BitReader::new(reader.bytes(12, "profile, tier and level")?);
        let profile = HevcProfile::read(&mut bits).unwrap_or_default();
        let min_spatial_segmentation = reader.u16("spatial segmentation")? & 0x0fff;
        let parallelism = reader.u8("parallelism type")? & 3;
        let chroma_format = reader.u8("chroma format")? & 3;
        let luma_bit_depth = (reader.u8("luma bit depth")? & 7).saturating_add(8);
        let chroma_bit_depth = (reader.u8("chroma bit depth")? & 7).saturating_add(8);
        let average_frame_rate = reader.u16("average frame rate")?;
        let byte = reader.u8("nal unit length size")?;
        let nal_length_size =
            NalLengthSize::from_minus_one(byte & 3).ok_or(HevcRecordError::NalLengthSize)?;
        let mut left = Self::MAX_UNITS;
        let mut arrays = Vec::new();
        for _ in 0..reader.u8("count of arrays")? {
            arrays.push(HevcNalArray::read(&mut reader, &mut left)?);
        }
        Ok(Self {
            profile,
            min_spatial_segmentation,
            parallelism,
            chroma_format,
            luma_bit_depth,
            chroma_bit_depth,
            average_frame_rate,
            constant_frame_rate: byte >> 6,
            temporal_layers: byte >> 3 & 7,
            temporal_id_nested: byte & 4 != 0,
            nal_length_size,
            arrays,
        })
    }

    /// Appends the record to `out`.
    ///
    /// # Errors
    ///
    /// [`HevcRecordError::TooMany`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), HevcRecordError> {
        let all = || self.arrays.iter().flat_map(|array| &array.units);
        let (count, longest) = (all().count(), all().map(Bytes::len).max().unwrap_or(0));
        let too_many = HevcRecordError::TooMany { count, longest };
        let Ok(arrays) = u8::try_from(self.arrays.len()) else { return Err(too_many) };
        if count > Self::MAX_UNITS || longest > usize::from(u16::MAX) {
            return Err(too_many);
        }
        out.put_u8(1);
        out.put_slice(&self.profile.encode());
        out.put_u16(0xf000 | self.min_spatial_segmentation);
        out.put_u8(0xfc | self.parallelism);
        out.put_u8(0xfc | self.chroma_format);
        out.put_u8(0xf8 | (self.luma_bit_depth.saturating_sub(8) & 7));
        out.put_u8(0xf8 | (self.chroma_bit_depth.saturating_sub(8) & 7));
        out.put_u16(self.average_frame_rate);
        let layers = (self.temporal_layers & 7) << 3 | u8::from(self.temporal_id_nested) << 2;
        out.put_u8(self.constant_frame_rate << 6 | layers | self.nal_length_size.minus_one());
        out.put_u8(arrays);
        for array in &self.arrays {
            out.put_u8(u8::from(array.is_complete) << 7 | (array.nal_type.0 & 0x3f));
            out.put_u16(u16::try_from(array.units.len()).unwrap_or(u16::MAX));
            for unit in &array.units {
                out.put_u16(u16::try_from(unit.len()).unwrap_or(u16::MAX));
                out.put_slice(unit);
            }
        }
        Ok(())
    }

    /// The NAL units of a type, in their order.
    pub fn units(&self, nal_type: HevcNalUnitType) -> impl Iterator<Item = &Bytes> {
        let of_type = move |array: &&HevcNalArray| array.nal_type == nal_type;
        self.arrays.iter().filter(of_type).flat_map(|array| &array.units)
    }

    /// Makes the record of parameter sets and SEI messages in the form of Annex B, with lengths of
    /// four bytes. Other NAL units are left out.
    ///
    /// # Errors
    ///
    /// [`HevcRecordError`]: there must be a sequence parameter set, and the first must be sound.
    pub fn from_annex_b(data: &[u8], limits: &Limits) -> Result<Self, HevcRecordError> {
        let types = [
            HevcNalUnitType::VPS,
            HevcNalUnitType::SPS,
            HevcNalUnitType::PPS,
            HevcNalUnitType::PREFIX_SEI,
            HevcNalUnitType::SUFFIX_SEI,
        ];
        let count = annex_b_units(data).take(Self::MAX_UNITS.saturating_add(1)).count();
        if count > Self::MAX_UNITS {
            return Err(HevcRecordError::TooMany { count, longest: 0 });
        }
        let arrays = types.map(|nal_type| {
            let of_type = |unit: &&[u8]| HevcNalUnitType::of(unit) == Some(nal_type);
            let units = annex_b_units(data).filter(of_type).map(Bytes::copy_from_slice).collect();
            HevcNalArray { is_complete: false, nal_type, units }
        });
        let arrays: Vec<_> = arrays.into_iter().filter(|array| !array.units.is_empty()).collect();
        let mut sets = arrays.iter().filter(|array| array.nal_type == HevcNalUnitType::SPS);
        let first = sets.next().and_then(|array| array.units.first());
        let sps = HevcSps::decode(first.ok_or(HevcRecordError::NoSps)?, limits)?;
        Ok(Self {
            profile: sps.profile,
            min_spatial_segmentation: 0,
            parallelism: 0,
            chroma_format: sps.chroma_format,
            luma_bit_depth: sps.luma_bit_depth,
            chroma_bit_depth: sps.chroma_bit_depth,
            average_frame_rate: 0,
            constant_frame_rate: 0,
            temporal_layers: sps.sub_layers,
            temporal_id_nested: sps.temporal_id_nested,
            nal_length_size: NalLengthSize::Four,
            arrays,
        })
    }
}

impl HevcNalArray {
    fn read(reader: &mut Reader<'_>, left: &mut usize) -> Result<Self, HevcRecordError> {
        let byte = reader.u8("nal unit type")?;
        let count = usize::from(reader.u16("count of nal units")?);
        *left = left.checked_sub(count).ok_or(HevcRecordError::TooMany { count, longest: 0 })?;
        let units = (0..count).map(|_| {
            let len = reader.u16("nal unit length")?;
            Ok(Bytes::copy_from_slice(reader.bytes(len.into(), "nal unit")?))
        });
        let units = units.collect::<Result<_, Truncated>>()?;
        Ok(Self { is_complete: byte & 0x80 != 0, nal_type: HevcNalUnitType(byte & 0x3f), units })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What x265 and ffmpeg make of 194 by 108 pixels, High dynamic range left out.
    const RECORD: &[u8] = &[
        1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 60, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f,
        2, 0x20, 0, 1, 0, 3, 0x40, 1, 0x0c, 0xa2, 0, 1, 0, 3, 0x44, 1, 0xc1,
    ];

    #[test]
    fn decodes_and_encodes() {
        let record = HevcDecoderConfigurationRecord::decode(RECORD).unwrap();
        assert_eq!((record.profile.idc, record.profile.level), (1, 60));
        assert_eq!(record.profile.compatibility, 0x6000_0000);
        assert_eq!(record.profile.constraints, 0x9000_0000_0000);
        assert_eq!((record.chroma_format, record.luma_bit_depth), (1, 8));
        assert_eq!((record.temporal_layers, record.temporal_id_nested), (1, true));
        assert_eq!(record.nal_length_size, NalLengthSize::Four);
        assert!(record.arrays[1].is_complete && !record.arrays[0].is_complete);
        let pps: Vec<_> = record.units(HevcNalUnitType::PPS).collect();
        assert_eq!(pps, [&RECORD[36..39]]);
        let mut out = BytesMut::new();
        record.encode(&mut out).unwrap();
        assert_eq!(out[..], *RECORD);
    }

    #[test]
    fn a_cut_record_is_truncated() {
        for len in 0..RECORD.len() {
            let error = HevcDecoderConfigurationRecord::decode(&RECORD[..len]).unwrap_err();
            assert!(matches!(error, HevcRecordError::Truncated(_)), "{len}: {error}");
        }
    }

    #[test]
    fn refuses_versions_lengths_and_thousands_of_units() {
        let decode = |at: usize, value: u8| {
            let mut bytes = RECORD.to_vec();
            bytes[at] = value;
            HevcDecoderConfigurationRecord::decode(&bytes)
        };
        assert!(decode(0, 0).is_ok());
        assert_eq!(decode(0, 2), Err(HevcRecordError::Version(2)));
        assert_eq!(decode(21, 0x0e), Err(HevcRecordError::NalLengthSize));
        let error = HevcRecordError::TooMany { count: 513, longest: 0 };
        let mut bytes = RECORD.to_vec();
        bytes[24..26].copy_from_slice(&[2, 1]);
        assert_eq!(HevcDecoderConfigurationRecord::decode(&bytes), Err(error));

        let mut record = HevcDecoderConfigurationRecord::decode(RECORD).unwrap();
        record.arrays[0].units = vec![Bytes::from(vec![0; 1 << 16])];
        let error = HevcRecordError::TooMany { count: 2, longest: 1 << 16 };
        assert_eq!(record.encode(&mut BytesMut::new()), Err(error));
    }

    #[test]
    fn needs_a_sequence_parameter_set() {
        let error = HevcDecoderConfigurationRecord::from_annex_b(
            &[0, 0, 0, 1, 0x40, 1, 0x0c],
            &Limits::default(),
        );
        assert_eq!(error, Err(HevcRecordError::NoSps));
    }
}
