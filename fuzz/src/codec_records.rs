//! What is inside FLV tags.

use std::fmt::Debug;

use bytes::BytesMut;
use flv_mux::{
    Ac3Frame, AudioSpecificConfig, AudioSpecificConfigError, AudioTagHeader,
    Av1CodecConfigurationRecord, Av1SequenceHeader, AvcDecoderConfigurationRecord, FlacStreamInfo,
    HevcDecoderConfigurationRecord, HevcNalUnitType, HevcSps, Limits, Metadata, NalLengthSize,
    OpusHead, Sps, VideoTagHeader, VpCodecConfigurationRecord, VvcConfig, nal_units, obus,
};

/// The bytes are read as every structure that a tag can carry. What was accepted can be written,
/// and reading that gives the same again.
pub fn flv_codec_records(data: &[u8]) {
    let limits = Limits::default();
    tag_headers(data);
    avc(data, &limits);
    aac(data);
    metadata(data, &limits);
    newer(data, &limits);
}

fn encoded<E: Debug>(encode: impl FnOnce(&mut BytesMut) -> Result<(), E>) -> BytesMut {
    let mut out = BytesMut::new();
    encode(&mut out).expect("what was read can be written");
    out
}

fn tag_headers(data: &[u8]) {
    if let Ok((header, offset)) = VideoTagHeader::decode(data) {
        assert!(offset <= data.len());
        assert!(!header.is_keyframe() || header.is_frame());
        assert!(!(header.is_frame() && header.is_sequence_header()));
        let mut out = BytesMut::new();
        header.encode(&mut out);
        assert_eq!(VideoTagHeader::decode(&out), Ok((header, out.len())));
    }
    if let Ok((header, offset)) = AudioTagHeader::decode(data) {
        assert!(offset <= data.len());
        assert!(!(header.is_frame() && header.is_sequence_header()));
        let mut out = BytesMut::new();
        header.encode(&mut out);
        assert_eq!(AudioTagHeader::decode(&out), Ok((header, out.len())));
    }
}

fn avc(data: &[u8], limits: &Limits) {
    if let Ok(record) = AvcDecoderConfigurationRecord::decode(data) {
        let held: usize = record.sps.iter().chain(&record.pps).map(|set| set.len()).sum();
        assert!(held <= data.len());
        let out = encoded(|out| record.encode(out));
        assert_eq!(AvcDecoderConfigurationRecord::decode(&out).as_ref(), Ok(&record));
        for sps in &record.sps {
            sps_of(sps, limits);
        }
    }
    sps_of(data, limits);
    for size in [NalLengthSize::One, NalLengthSize::Two, NalLengthSize::Four] {
        let mut taken = 0;
        let mut units = nal_units(data, size);
        while let Some(unit) = units.next() {
            match unit {
                Ok(unit) => {
                    assert!(!unit.is_empty());
                    taken += size.bytes() + unit.len();
                }
                Err(_) => assert!(units.next().is_none()),
            }
        }
        assert!(taken <= data.len());
    }
}

fn sps_of(nal: &[u8], limits: &Limits) {
    if let Ok(sps) = Sps::decode(nal, limits) {
        assert!((1..=limits.max_dimension).contains(&sps.width));
        assert!((1..=limits.max_dimension).contains(&sps.height));
        let rate = sps.vui.and_then(|vui| vui.frame_rate);
        assert!(rate.is_none_or(|rate| rate.per_second() > 0.0 && rate.per_second().is_finite()));
    }
}

fn aac(data: &[u8]) {
    if let Ok(config) = AudioSpecificConfig::decode(data) {
        assert!(config.sample_rate > 0 && config.output_sample_rate() > 0);
        assert!(config.channels().unwrap_or(0) <= 93);
        let mut out = BytesMut::new();
        match config.encode(&mut out) {
            Ok(()) => assert_eq!(AudioSpecificConfig::decode(&out), Ok(config)),
            Err(AudioSpecificConfigError::ObjectType(_)) => assert_eq!(config.ga, None),
            Err(error) => panic!("what was read cannot be written: {error}"),
        }
    }
}

fn metadata(data: &[u8], limits: &Limits) {
    let Ok(metadata) = Metadata::decode(data, limits) else { return };
    let numbers = [metadata.width(), metadata.height(), metadata.duration()];
    assert!(numbers.into_iter().flatten().all(f64::is_finite));
    let _ = (metadata.video_codec(), metadata.audio_codec(), metadata.stereo());
    let mut out = BytesMut::new();
    // A name that was not UTF-8 gets longer when it is repaired, and may not fit any more.
    if metadata.encode(&mut out).is_ok() {
        // Compared as bytes, for a number may be NaN.
        let mut wide = limits.clone();
        wide.amf.bytes *= 4;
        let read = Metadata::decode(&out, &wide).expect("what was written can be read");
        assert_eq!(encoded(|again| read.encode(again)), out);
    }
}

/// The records of the newer codecs.
fn newer(data: &[u8], limits: &Limits) {
    if let Ok(record) = HevcDecoderConfigurationRecord::decode(data) {
        let out = encoded(|out| record.encode(out));
        assert_eq!(HevcDecoderConfigurationRecord::decode(&out).as_ref(), Ok(&record));
        for sps in record.units(HevcNalUnitType::SPS) {
            let _ = HevcSps::decode(sps, limits);
        }
    }
    if let Ok(sps) = HevcSps::decode(data, limits) {
        assert!((1..=limits.max_dimension).contains(&sps.width));
        assert!((1..=limits.max_dimension).contains(&sps.height));
        let rate = sps.vui.and_then(|vui| vui.frame_rate);
        assert!(rate.is_none_or(|rate| rate.per_second() > 0.0 && rate.per_second().is_finite()));
    }
    if let Ok(record) = Av1CodecConfigurationRecord::decode(data) {
        let _ = record.sequence_header(limits);
        let mut out = BytesMut::new();
        record.encode(&mut out);
        assert_eq!(Av1CodecConfigurationRecord::decode(&out), Ok(record));
    }
    if let Ok(header) = Av1SequenceHeader::decode(data, limits) {
        assert!((1..=limits.max_dimension).contains(&header.width));
        assert!([8, 10, 12].contains(&header.bit_depth));
    }
    let taken: usize = obus(data).map_while(Result::ok).map(|unit| 1 + unit.payload.len()).sum();
    assert!(taken <= data.len());
    if let Ok(record) = VpCodecConfigurationRecord::decode(data) {
        let out = encoded(|out| record.encode(out));
        assert_eq!(VpCodecConfigurationRecord::decode(&out), Ok(record));
    }
    if let Ok(head) = OpusHead::decode(data) {
        let out = encoded(|out| head.encode(out));
        assert_eq!(OpusHead::decode(&out), Ok(head));
    }
    if let Ok(info) = FlacStreamInfo::decode(data) {
        let mut out = BytesMut::new();
        info.encode_stream_header(&mut out);
        assert_eq!(FlacStreamInfo::decode(&out), Ok(info));
    }
    let _ = VvcConfig::decode(data);
    if let Ok(frame) = Ac3Frame::decode(data) {
        assert!(frame.sample_rate >= 8000 && (1..=6).contains(&frame.channels));
        assert!(frame.len > 0 && (256..=1536).contains(&frame.samples));
    }
}
