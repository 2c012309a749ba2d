//! The decoder's configuration: parameter sets and how to take access units apart.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::{
    Limits, Sps, SpsError, annex_b_units,
    avc::nal::{NalLengthSize, NalUnitType},
    wire::{Reader, Truncated},
};

/// The payload of an H.264 sequence header (ISO 14496-15, 5.2.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AvcDecoderConfigurationRecord {
    /// `AVCProfileIndication`: `profile_idc` of the sequence parameter set.
    pub profile: u8,
    /// `profile_compatibility`: the constraint flags.
    pub compatibility: u8,
    /// `AVCLevelIndication`: ten times the level.
    pub level: u8,
    /// Bytes of the length before each NAL unit.
    pub nal_length_size: NalLengthSize,
    /// Sequence parameter sets, NAL header included: 31 at most, 65,535 bytes each.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets, NAL header included: 255 at most, 65,535 bytes each.
    pub pps: Vec<Bytes>,
    /// What the High profiles add. Many encoders leave it out.
    pub format: Option<AvcFormat>,
}

/// What the record says of a stream of the High profiles (ISO 14496-15, 5.2.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AvcFormat {
    /// `chroma_format`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4; two bits.
    pub chroma_format: u8,
    /// Bits per luma sample, 8 to 15.
    pub luma_bit_depth: u8,
    /// Bits per chroma sample, 8 to 15.
    pub chroma_bit_depth: u8,
    /// Sequence parameter set extensions: 255 at most, 65,535 bytes each.
    pub sps_extensions: Vec<Bytes>,
}

/// Why a record was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AvcRecordError {
    /// It ends inside a field.
    #[error("avc decoder configuration record: {0}")]
    Truncated(#[from] Truncated),
    /// Another version than 1: not this record, or not one that can be read.
    #[error("avc decoder configuration record has version {0}, not 1")]
    Version(u8),
    /// `lengthSizeMinusOne` is 2.
    #[error("nal unit lengths of 3 bytes are not allowed")]
    NalLengthSize,
}

/// More or longer parameter sets than a record can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{count} parameter sets, the longest of {longest} bytes, do not fit in an avc record")]
pub struct TooManyParameterSets {
    /// How many there are of the kind that does not fit.
    pub count: usize,
    /// The longest of them, in bytes.
    pub longest: usize,
}

impl AvcDecoderConfigurationRecord {
    /// Decodes a record. The parameter sets are copied, no more bytes than `input` has.
    ///
    /// Reserved bits are ignored, and so is what follows the record. The fields of the High
    /// profiles are taken where they are complete and their reserved bits are right, and left out
    /// otherwise, for some encoders write other bytes there.
    ///
    /// # Errors
    ///
    /// [`AvcRecordError`].
    pub fn decode(input: &[u8]) -> Result<Self, AvcRecordError> {
        let mut reader = Reader::new(input);
        let version = reader.u8("version")?;
        if version != 1 {
            return Err(AvcRecordError::Version(version));
        }
        let profile = reader.u8("profile")?;
        let compatibility = reader.u8("profile compatibility")?;
        let level = reader.u8("level")?;
        let nal_length_size =
            NalLengthSize::from_minus_one(reader.u8("nal unit length size")? & 0x03)
                .ok_or(AvcRecordError::NalLengthSize)?;
        let sps_count = reader.u8("count of sequence parameter sets")? & 0x1f;
        let sps = read_sets(&mut reader, sps_count)?;
        let pps_count = reader.u8("count of picture parameter sets")?;
        let pps = read_sets(&mut reader, pps_count)?;
        let format = if has_format(profile) { AvcFormat::read(&mut reader) } else { None };
        Ok(Self { profile, compatibility, level, nal_length_size, sps, pps, format })
    }

    /// Appends the record to `out`.
    ///
    /// The fields of the High profiles are written where [`profile`](Self::profile) has them.
    ///
    /// # Errors
    ///
    /// [`TooManyParameterSets`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), TooManyParameterSets> {
        let sps_count = count_of(&self.sps, 31)?;
        let pps_count = count_of(&self.pps, 255)?;
        let format = match &self.format {
            Some(format) if has_format(self.profile) => {
                Some((format, count_of(&format.sps_extensions, 255)?))
            }
            _ => None,
        };
        out.put_slice(&[1, self.profile, self.compatibility, self.level]);
        out.put_u8(0xfc | self.nal_length_size.minus_one());
        out.put_u8(0xe0 | sps_count);
        put_sets(&self.sps, out);
        out.put_u8(pps_count);
        put_sets(&self.pps, out);
        if let Some((format, count)) = format {
            out.put_u8(0xfc | (format.chroma_format & 0x03));
            out.put_u8(0xf8 | (format.luma_bit_depth.saturating_sub(8) & 0x07));
            out.put_u8(0xf8 | (format.chroma_bit_depth.saturating_sub(8) & 0x07));
            out.put_u8(count);
            put_sets(&format.sps_extensions, out);
        }
        Ok(())
    }
}

/// Why no record can be made of parameter sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AvcParameterSetError {
    /// There is no sequence parameter set, or no picture parameter set.
    #[error("no {0} parameter set")]
    Missing(&'static str),
    /// The first sequence parameter set cannot be read.
    #[error(transparent)]
    Sps(#[from] SpsError),
}

impl AvcDecoderConfigurationRecord {
    /// Makes the record of parameter sets in the form of Annex B, with lengths of four bytes: what
    /// some encoders send where the record is due. Other NAL units are left out, and so are the
    /// sets that do not fit.
    ///
    /// # Errors
    ///
    /// [`AvcParameterSetError`].
    pub fn from_annex_b(data: &[u8], limits: &Limits) -> Result<Self, AvcParameterSetError> {
        let sets = |nal_type: NalUnitType, most: usize| -> Vec<Bytes> {
            let of_type = |unit: &&[u8]| {
                NalUnitType::of(unit) == Some(nal_type) && unit.len() <= usize::from(u16::MAX)
            };
            let units = annex_b_units(data).filter(of_type).take(most);
            units.map(Bytes::copy_from_slice).collect()
        };
        let sps = sets(NalUnitType::SPS, 31);
        let pps = sets(NalUnitType::PPS, 255);
        let first = sps.first().ok_or(AvcParameterSetError::Missing("sequence"))?;
        if pps.is_empty() {
            return Err(AvcParameterSetError::Missing("picture"));
        }
        let read = Sps::decode(first, limits)?;
        let format = has_format(read.profile).then(|| AvcFormat {
            chroma_format: read.chroma_format,
            luma_bit_depth: read.luma_bit_depth,
            chroma_bit_depth: read.chroma_bit_depth,
            sps_extensions: Vec::new(),
        });
        Ok(Self {
            profile: read.profile,
            compatibility: read.constraints,
            level: read.level,
            nal_length_size: NalLengthSize::Four,
            sps,
            pps,
            format,
        })
    }
}

impl AvcFormat {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let reserved = |byte: u8, mask: u8| (byte & mask == mask).then_some(byte & !mask);
        let chroma_format = reserved(reader.u8("chroma format").ok()?, 0xfc)?;
        let luma = reserved(reader.u8("luma bit depth").ok()?, 0xf8)?;
        let chroma = reserved(reader.u8("chroma bit depth").ok()?, 0xf8)?;
        let count = reader.u8("count of sequence parameter set extensions").ok()?;
        Some(Self {
            chroma_format,
            luma_bit_depth: luma.saturating_add(8),
            chroma_bit_depth: chroma.saturating_add(8),
            sps_extensions: read_sets(reader, count).ok()?,
        })
    }
}

/// Baseline, Main and Extended end the record after the picture parameter sets.
fn has_format(profile: u8) -> bool {
    !matches!(profile, 66 | 77 | 88)
}

fn read_sets(reader: &mut Reader<'_>, count: u8) -> Result<Vec<Bytes>, Truncated> {
    (0..count)
        .map(|_| {
            let len = reader.u16("parameter set length")?;
            Ok(Bytes::copy_from_slice(reader.bytes(len.into(), "parameter set")?))
        })
        .collect()
}

fn put_sets(sets: &[Bytes], out: &mut BytesMut) {
    for set in sets {
        out.put_u16(u16::try_from(set.len()).unwrap_or(u16::MAX));
        out.put_slice(set);
    }
}

/// How many sets there are, where all of them fit.
fn count_of(sets: &[Bytes], most: u8) -> Result<u8, TooManyParameterSets> {
    let longest = sets.iter().map(Bytes::len).max().unwrap_or(0);
    match u8::try_from(sets.len()) {
        Ok(count) if count <= most && longest <= usize::from(u16::MAX) => Ok(count),
        _ => Err(TooManyParameterSets { count: sets.len(), longest }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0x67, 0x64, 0x00, 0x0a];
    const PPS: &[u8] = &[0x68, 0xeb];

    fn high() -> (Vec<u8>, AvcDecoderConfigurationRecord) {
        let mut bytes = vec![1, 0x64, 0, 0x0a, 0xff, 0xe1, 0, 4];
        bytes.extend(SPS);
        bytes.extend([1, 0, 2]);
        bytes.extend(PPS);
        bytes.extend([0xfd, 0xf8, 0xfa, 1, 0, 1, 0x6d]);
        let record = AvcDecoderConfigurationRecord {
            profile: 100,
            compatibility: 0,
            level: 10,
            nal_length_size: NalLengthSize::Four,
            sps: vec![Bytes::from_static(SPS)],
            pps: vec![Bytes::from_static(PPS)],
            format: Some(AvcFormat {
                chroma_format: 1,
                luma_bit_depth: 8,
                chroma_bit_depth: 10,
                sps_extensions: vec![Bytes::from_static(&[0x6d])],
            }),
        };
        (bytes, record)
    }

    #[test]
    fn decodes_and_encodes_a_high_profile() {
        let (bytes, record) = high();
        assert_eq!(AvcDecoderConfigurationRecord::decode(&bytes), Ok(record.clone()));
        let mut out = BytesMut::new();
        record.encode(&mut out).unwrap();
        assert_eq!(out[..], bytes);
    }

    #[test]
    fn a_baseline_record_ends_with_its_picture_parameter_sets() {
        let bytes = [1, 66, 0xc0, 30, 0xfd, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68, 0xfd, 0xf8, 0xf8, 0];
        let record = AvcDecoderConfigurationRecord::decode(&bytes).unwrap();
        assert_eq!((record.nal_length_size, record.format.as_ref()), (NalLengthSize::Two, None));
        let mut out = BytesMut::new();
        record.encode(&mut out).unwrap();
        assert_eq!(out[..], bytes[..13]);
    }

    #[test]
    fn the_high_fields_may_be_missing_cut_or_something_else() {
        let (bytes, record) = high();
        let without = AvcDecoderConfigurationRecord { format: None, ..record };
        for len in [17, 18, 20, 21, 23] {
            let decoded = AvcDecoderConfigurationRecord::decode(&bytes[..len]);
            assert_eq!(decoded, Ok(without.clone()), "{len}");
        }
        let mut other = bytes;
        other[17] = 0;
        assert_eq!(AvcDecoderConfigurationRecord::decode(&other), Ok(without));
    }

    #[test]
    fn a_cut_record_is_truncated() {
        let (bytes, _) = high();
        for len in 0..17 {
            let error = AvcDecoderConfigurationRecord::decode(&bytes[..len]).unwrap_err();
            assert!(matches!(error, AvcRecordError::Truncated(_)), "{len}: {error}");
        }
    }

    #[test]
    fn refuses_another_version_and_lengths_of_three_bytes() {
        // An Annex B start code in place of a record.
        let annex_b = AvcDecoderConfigurationRecord::decode(&[0, 0, 0, 1, 0x67]);
        assert_eq!(annex_b, Err(AvcRecordError::Version(0)));
        let three = AvcDecoderConfigurationRecord::decode(&[1, 66, 0, 30, 0xfe, 0xe0, 0]);
        assert_eq!(three, Err(AvcRecordError::NalLengthSize));
    }

    #[test]
    fn refuses_to_write_what_does_not_fit() {
        let (_, record) = high();
        let mut out = BytesMut::new();
        let many = AvcDecoderConfigurationRecord { sps: vec![Bytes::new(); 32], ..record.clone() };
        let error = TooManyParameterSets { count: 32, longest: 0 };
        assert_eq!(many.encode(&mut out), Err(error));
        let pps = vec![Bytes::from(vec![0; 65_536])];
        let long = AvcDecoderConfigurationRecord { pps, ..record };
        assert_eq!(long.encode(&mut out), Err(TooManyParameterSets { count: 1, longest: 65_536 }));
        assert!(out.is_empty());
    }

    #[test]
    fn makes_a_record_of_a_byte_stream() {
        // x264: High profile, level 1.1, 194 by 108.
        let sps = [
            0x67, 0x64, 0, 0x0b, 0xac, 0xd9, 0x43, 0x4f, 0xe2, 0x2f, 0x01, 0x6a, 0x02, 0x02, 0x02,
            0x80, 0, 0, 3, 0, 0x80, 0, 0, 0x19, 0x07, 0x8a, 0x14, 0xcb,
        ];
        let stream = [&[0, 0, 0, 1], &sps[..], &[0, 0, 1, 9, 0xf0, 0, 0, 1], PPS].concat();
        let record =
            AvcDecoderConfigurationRecord::from_annex_b(&stream, &Limits::default()).unwrap();
        assert_eq!((record.profile, record.level), (100, 11));
        assert_eq!(
            (record.sps.as_slice(), record.pps.as_slice()),
            ([Bytes::copy_from_slice(&sps)].as_slice(), [Bytes::from_static(PPS)].as_slice())
        );
        assert_eq!(record.format.unwrap().chroma_format, 1);
        let without =
            AvcDecoderConfigurationRecord::from_annex_b(&stream[..32], &Limits::default());
        assert_eq!(without, Err(AvcParameterSetError::Missing("picture")));
        let none = AvcDecoderConfigurationRecord::from_annex_b(&[], &Limits::default());
        assert_eq!(none, Err(AvcParameterSetError::Missing("sequence")));
    }
}
