//! H.264 and H.265 as transport streams have them: NAL units behind start codes, each access unit
//! with a delimiter, and parameter sets before keyframes.

use bytes::{BufMut, Bytes, BytesMut};
use flv_mux::{
    AvcDecoderConfigurationRecord, FourCc, HevcDecoderConfigurationRecord, HevcNalUnitType,
    NalLengthSize, NalUnitType, nal_units,
};

use super::{super::slot, psi::StreamType};

const START_CODE: &[u8] = &[0, 0, 0, 1];

/// One configuration of a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VideoConfig {
    pub(super) stream: StreamType,
    length_size: NalLengthSize,
    /// The parameter sets, behind start codes.
    sets: Bytes,
}

impl VideoConfig {
    /// Reads a sequence header; `None` for other codecs, for one that can't be read, and for one
    /// that is too long: it goes out with every keyframe, however small that is.
    pub(super) fn new(codec: Option<FourCc>, record: &[u8]) -> Option<Self> {
        if record.len() > slot::MAX_BYTES {
            return None;
        }
        match codec? {
            FourCc::AVC => {
                let record = AvcDecoderConfigurationRecord::decode(record).ok()?;
                let sets = start_codes(record.sps.iter().chain(&record.pps));
                Some(Self { stream: StreamType::Avc, length_size: record.nal_length_size, sets })
            }
            FourCc::HEVC => {
                let record = HevcDecoderConfigurationRecord::decode(record).ok()?;
                let units = |nal_type| record.units(nal_type);
                let sets = start_codes(
                    units(HevcNalUnitType::VPS)
                        .chain(units(HevcNalUnitType::SPS))
                        .chain(units(HevcNalUnitType::PPS)),
                );
                Some(Self { stream: StreamType::Hevc, length_size: record.nal_length_size, sets })
            }
            _ => None,
        }
    }

    /// Whether frames of this codec are those that it configures.
    pub(super) fn carries(&self, codec: Option<FourCc>) -> bool {
        codec
            == Some(match self.stream {
                StreamType::Hevc => FourCc::HEVC,
                _ => FourCc::AVC,
            })
    }

    /// Appends an access unit; what of it can't be taken apart is left out. False where nothing
    /// was left, and nothing is appended.
    pub(super) fn put(&self, is_key: bool, access_unit: &[u8], out: &mut BytesMut) -> bool {
        let units = || {
            let units = nal_units(access_unit, self.length_size).map_while(Result::ok);
            units.filter(|unit| !self.is_delimiter(unit))
        };
        if units().next().is_none() {
            return false;
        }
        out.put_slice(START_CODE);
        out.put_slice(match self.stream {
            // Any type of slice may follow.
            StreamType::Hevc => &[0x46, 0x01, 0x50],
            _ => &[0x09, 0xf0],
        });
        // Those that the encoder sends along may be newer.
        if is_key && !units().any(|unit| self.is_sps(unit)) {
            out.put_slice(&self.sets);
        }
        for unit in units() {
            out.put_slice(START_CODE);
            out.put_slice(unit);
        }
        true
    }

    fn is_delimiter(&self, unit: &[u8]) -> bool {
        match self.stream {
            StreamType::Hevc => HevcNalUnitType::of(unit) == Some(HevcNalUnitType::AUD),
            _ => NalUnitType::of(unit) == Some(NalUnitType::AUD),
        }
    }

    fn is_sps(&self, unit: &[u8]) -> bool {
        match self.stream {
            StreamType::Hevc => HevcNalUnitType::of(unit) == Some(HevcNalUnitType::SPS),
            _ => NalUnitType::of(unit) == Some(NalUnitType::SPS),
        }
    }
}

fn start_codes<'a>(units: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let mut out = BytesMut::new();
    for unit in units.filter(|unit| !unit.is_empty()) {
        out.put_slice(START_CODE);
        out.put_slice(unit);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVC: &[u8] = &[1, 0x42, 0, 0x1e, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 2];

    fn avc() -> VideoConfig {
        VideoConfig::new(Some(FourCc::AVC), AVC).unwrap()
    }

    fn put(is_key: bool, unit: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        avc().put(is_key, unit, &mut out);
        out.to_vec()
    }

    #[test]
    fn a_keyframe_has_a_delimiter_and_parameter_sets() {
        let unit = [0, 0, 0, 2, 0x06, 5, 0, 0, 0, 2, 0x65, 9];
        let expected = [
            &[0, 0, 0, 1, 0x09, 0xf0][..],
            &[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2],
            &[0, 0, 0, 1, 0x06, 5, 0, 0, 0, 1, 0x65, 9],
        ];
        assert_eq!(put(true, &unit), expected.concat());
        assert_eq!(put(false, &unit), [expected[0], expected[2]].concat());
    }

    #[test]
    fn delimiters_and_parameter_sets_of_the_encoder_are_not_doubled() {
        let unit = [0, 0, 0, 2, 0x09, 0x10, 0, 0, 0, 2, 0x67, 7, 0, 0, 0, 1, 0x65];
        let expected = [0, 0, 0, 1, 0x09, 0xf0, 0, 0, 0, 1, 0x67, 7, 0, 0, 0, 1, 0x65];
        assert_eq!(put(true, &unit), expected);
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        let cut = [0, 0, 0, 1, 0x41, 0, 0, 0, 9, 0x41];
        assert_eq!(put(false, &cut), [0, 0, 0, 1, 0x09, 0xf0, 0, 0, 0, 1, 0x41]);
        assert!(put(true, &[0, 0, 0, 9, 0x65]).is_empty());
        assert!(put(true, &[0, 0, 0, 1, 0x09]).is_empty());
        assert!(put(true, &[]).is_empty());
    }

    #[test]
    fn hevc_has_three_kinds_of_parameter_sets() {
        let mut record = vec![1];
        record.extend([0; 20]);
        record.extend([0x03, 3]);
        for (nal_type, byte) in [(34, 3), (32, 1), (33, 2)] {
            record.extend([0x80 | nal_type, 0, 1, 0, 3, nal_type << 1, 1, byte]);
        }
        let config = VideoConfig::new(Some(FourCc::HEVC), &record).unwrap();
        let mut out = BytesMut::new();
        assert!(config.put(true, &[0, 0, 0, 3, 0x26, 1, 9], &mut out));
        let expected = [
            [0, 0, 0, 1, 0x46, 1, 0x50],
            [0, 0, 0, 1, 0x40, 1, 1],
            [0, 0, 0, 1, 0x42, 1, 2],
            [0, 0, 0, 1, 0x44, 1, 3],
            [0, 0, 0, 1, 0x26, 1, 9],
        ];
        assert_eq!(out[..], expected.concat());
        assert!(VideoConfig::new(Some(FourCc::AV1), &record).is_none());
    }

    #[test]
    fn parameter_sets_that_would_swell_each_keyframe_are_refused() {
        // As many sets of the greatest length as have room: some 2 MiB.
        let sets = [&[0xff, 0xff, 0x67][..], &[1; 0xfffe]].concat().repeat(31);
        let record = [&[1, 0x42, 0, 0x1e, 0xff, 0xff][..], &sets, &[0]].concat();
        assert!(AvcDecoderConfigurationRecord::decode(&record).is_ok());
        assert_eq!(VideoConfig::new(Some(FourCc::AVC), &record), None);
    }
}
