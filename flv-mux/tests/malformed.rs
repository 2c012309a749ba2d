//! Bytes of a peer never panic, and never make the crate hold more than its limits.

use flv_mux::{
    Ac3Frame, AudioSpecificConfig, AudioTagHeader, Av1CodecConfigurationRecord, Av1SequenceHeader,
    AvcDecoderConfigurationRecord, DemuxError, Demuxer, FileSummary, FlacStreamInfo,
    HevcDecoderConfigurationRecord, HevcSps, Limits, Metadata, MultichannelConfig, NalLengthSize,
    OpusHead, Sps, TagHeader, TagKind, VideoMetadata, VideoTagHeader, VpCodecConfigurationRecord,
    VvcConfig, annex_b_units, audio_to_enhanced, audio_to_old, nal_units, obus, repair_access_unit,
    video_to_enhanced, video_to_old,
};
use proptest::{collection::vec, prelude::*};

const FILES: [&[u8]; 7] = [
    include_bytes!("data/hevc_opus.flv"),
    include_bytes!("data/av1_flac.flv"),
    include_bytes!("data/multitrack.flv"),
    include_bytes!("data/h264_aac.flv"),
    include_bytes!("data/interlaced.flv"),
    include_bytes!("data/mp3.flv"),
    include_bytes!("data/h263.flv"),
];

/// Reads the bytes as everything that there is.
fn read_as_everything(bytes: &[u8]) {
    let limits = Limits::default();
    let _ = TagHeader::decode(bytes);
    let _ = AvcDecoderConfigurationRecord::decode(bytes);
    let _ = AudioSpecificConfig::decode(bytes);
    let _ = Sps::decode(bytes, &limits);
    let _ = Metadata::decode(bytes, &limits);
    let _ = HevcDecoderConfigurationRecord::decode(bytes);
    let _ = HevcDecoderConfigurationRecord::from_annex_b(bytes, &limits);
    let _ = AvcDecoderConfigurationRecord::from_annex_b(bytes, &limits);
    let _ = HevcSps::decode(bytes, &limits);
    let _ = Av1SequenceHeader::decode(bytes, &limits);
    if let Ok(record) = Av1CodecConfigurationRecord::decode(bytes) {
        let _ = record.sequence_header(&limits);
    }
    let _ = VpCodecConfigurationRecord::decode(bytes);
    let _ = VvcConfig::decode(bytes);
    let _ = OpusHead::decode(bytes);
    let _ = FlacStreamInfo::decode(bytes);
    let _ = Ac3Frame::decode(bytes);
    let _ = MultichannelConfig::decode(bytes);
    let _ = VideoMetadata::decode(bytes, &limits);
    for rewrite in [video_to_old, video_to_enhanced, audio_to_old, audio_to_enhanced] {
        assert!(
            rewrite(bytes).is_ok_and(|it| it.payload().end <= bytes.len())
                || rewrite(bytes).is_err()
        );
    }
    assert!(annex_b_units(bytes).map(<[u8]>::len).sum::<usize>() <= bytes.len());
    assert!(obus(bytes).flatten().map(|unit| unit.payload.len()).sum::<usize>() <= bytes.len());
    let _ = repair_access_unit(bytes, NalLengthSize::Four);
    if let Ok((_, offset)) = VideoTagHeader::decode(bytes) {
        assert!(offset <= bytes.len());
    }
    if let Ok((_, offset)) = AudioTagHeader::decode(bytes) {
        assert!(offset <= bytes.len());
    }
    for size in [NalLengthSize::One, NalLengthSize::Two, NalLengthSize::Four] {
        let units = nal_units(bytes, size).filter_map(Result::ok);
        assert!(units.map(<[u8]>::len).sum::<usize>() <= bytes.len());
    }
}

fn demux(bytes: &[u8]) {
    let mut demuxer = Demuxer::new(Limits { max_tag_body: 4096, ..Limits::default() });
    for piece in bytes.chunks(1 << 10) {
        demuxer.receive(piece);
        while let Ok(Some(tag)) = demuxer.poll_tag() {
            read_as_everything(&tag.body);
        }
        assert!(demuxer.buffered() <= 4096);
    }
    let mut demuxer = Demuxer::with_resync(Limits { max_tag_body: 4096, ..Limits::default() });
    let mut summary = FileSummary::new();
    for piece in bytes.chunks(1 << 10) {
        demuxer.receive(piece);
        while let Ok(Some(tag)) = demuxer.poll_tag() {
            summary.add(&tag);
        }
        assert!(demuxer.buffered() <= 4096 + 15);
    }
    assert!(summary.tags_len() + demuxer.skipped_bytes() <= bytes.len() as u64 + 4);
    summary.head(&Metadata::default()).unwrap();
}

#[test]
fn every_prefix_of_every_tag_body_is_harmless() {
    for file in FILES {
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.receive(file);
        while let Some(tag) = demuxer.poll_tag().unwrap() {
            for len in 0..tag.body.len().min(80) {
                let prefix = &tag.body[..len];
                read_as_everything(prefix);
                // Past the tag header, where the records are.
                read_as_everything(prefix.get(5..).unwrap_or_default());
                read_as_everything(prefix.get(2..).unwrap_or_default());
            }
        }
    }
}

#[test]
fn an_announced_tag_of_16_mib_is_refused_before_its_bytes() {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&FILES[0][..13]);
    demuxer.receive(&TagHeader::new(TagKind::Video, 0, 0xff_ffff).encode());
    let limit = 8 << 20;
    assert_eq!(demuxer.poll_tag(), Err(DemuxError::TagTooLarge { len: 0xff_ffff, limit }));
    assert_eq!(demuxer.buffered(), 0);
}

#[test]
fn endless_modifiers_end_with_the_body() {
    for first in [0x97, 0x97 | 0x20] {
        // Each modifier of one byte announces the next one.
        let mut body = vec![first];
        body.extend([0, 0xaa, 0x07].repeat(100_000));
        assert!(VideoTagHeader::decode(&body).is_err());
        assert!(AudioTagHeader::decode(&body).is_err() || first != 0x97);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_bytes_are_harmless(bytes in vec(any::<u8>(), 0..300)) {
        read_as_everything(&bytes);
        demux(&bytes);
    }

    #[test]
    fn random_parameter_sets_are_harmless(bytes in vec(any::<u8>(), 0..100), profile: u8) {
        read_as_everything(&[&[0x67, profile][..], &bytes].concat());
        read_as_everything(&[&[1, profile, 0, 0, 0xff, 0xe1][..], &bytes].concat());
        read_as_everything(&[&[0x10, 0x04][..], &bytes].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn damaged_files_are_harmless(
        file in 0..FILES.len(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        len in any::<prop::sample::Index>(),
    ) {
        let mut bytes = FILES[file].to_vec();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(len.index(bytes.len()));
        demux(&bytes);
    }
}
