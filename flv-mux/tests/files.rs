//! Files that ffmpeg wrote: the expected figures are those that ffprobe prints for them.

use bytes::{Bytes, BytesMut};
use flv_mux::{
    AudioSpecificConfig, AudioTagHeader, AvcDecoderConfigurationRecord, CodecName, Demuxer,
    FileHeader, Limits, Metadata, NalUnitType, Sbr, SoundFormat, Sps, Tag, TagKind, VideoCodecId,
    VideoFormat, VideoTagHeader, mux, nal_units,
};

const H264_AAC: &[u8] = include_bytes!("data/h264_aac.flv");
const INTERLACED: &[u8] = include_bytes!("data/interlaced.flv");
const MP3: &[u8] = include_bytes!("data/mp3.flv");
const H263: &[u8] = include_bytes!("data/h263.flv");

fn demux(file: &[u8]) -> (FileHeader, Vec<Tag>) {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(file);
    let tags = std::iter::from_fn(|| demuxer.poll_tag().unwrap()).collect();
    assert_eq!(demuxer.wrong_previous_tag_sizes(), 0);
    assert!(demuxer.is_at_boundary());
    (demuxer.header().unwrap(), tags)
}

/// A frame as ffprobe counts them.
struct Packet {
    dts: u32,
    pts: i64,
    payload: Bytes,
    is_key: bool,
}

fn video(tags: &[Tag]) -> Vec<Packet> {
    let frames = tags.iter().filter(|tag| tag.kind == TagKind::Video).filter_map(|tag| {
        let (header, offset) = VideoTagHeader::decode(&tag.body).unwrap();
        header.is_frame().then(|| Packet {
            dts: tag.timestamp,
            pts: i64::from(tag.timestamp) + i64::from(header.composition_time()),
            payload: tag.body.slice(offset..),
            is_key: header.is_keyframe(),
        })
    });
    frames.collect()
}

fn audio(tags: &[Tag]) -> Vec<Packet> {
    let frames = tags.iter().filter(|tag| tag.kind == TagKind::Audio).filter_map(|tag| {
        let (header, offset) = AudioTagHeader::decode(&tag.body).unwrap();
        header.is_frame().then(|| Packet {
            dts: tag.timestamp,
            pts: tag.timestamp.into(),
            payload: tag.body.slice(offset..),
            is_key: true,
        })
    });
    frames.collect()
}

/// Count, bytes, sum of DTS.
fn sums(packets: &[Packet]) -> (usize, usize, u32) {
    let bytes = packets.iter().map(|packet| packet.payload.len()).sum();
    (packets.len(), bytes, packets.iter().map(|packet| packet.dts).sum())
}

fn keys(packets: &[Packet]) -> Vec<(i64, u32)> {
    packets.iter().filter(|packet| packet.is_key).map(|key| (key.pts, key.dts)).collect()
}

fn metadata(tags: &[Tag]) -> Metadata {
    assert_eq!(tags[0].kind, TagKind::Script);
    Metadata::decode(&tags[0].body, &Limits::default()).unwrap()
}

fn avc_record(tags: &[Tag]) -> AvcDecoderConfigurationRecord {
    let payload = tags.iter().filter(|tag| tag.kind == TagKind::Video).find_map(|tag| {
        let (header, offset) = VideoTagHeader::decode(&tag.body).unwrap();
        header.is_sequence_header().then(|| tag.body.slice(offset..))
    });
    AvcDecoderConfigurationRecord::decode(&payload.unwrap()).unwrap()
}

#[test]
fn h264_and_aac() {
    let (header, tags) = demux(H264_AAC);
    assert_eq!(header, FileHeader::new(true, true));
    // 138 packets, metadata, two sequence headers, one end of sequence.
    assert_eq!(tags.len(), 142);

    let frames = video(&tags);
    assert_eq!(sums(&frames), (50, 9804, 49_000));
    assert_eq!(keys(&frames), [(80, 0), (1080, 1000)]);
    assert_eq!((frames[1].pts, frames[1].dts), (200, 40));
    assert_eq!(sums(&audio(&tags)), (88, 7943, 93_882));

    let metadata = metadata(&tags);
    assert_eq!((metadata.width(), metadata.height()), (Some(320.0), Some(180.0)));
    assert_eq!(metadata.frame_rate(), Some(25.0));
    assert_eq!(metadata.video_codec(), Some(CodecName::Id(VideoCodecId::Avc)));
    assert_eq!(metadata.audio_codec(), Some(CodecName::Id(SoundFormat::Aac)));
    assert_eq!((metadata.audio_sample_rate(), metadata.stereo()), (Some(44_100.0), Some(true)));
    assert_eq!(metadata.encoder(), Some("Lavf59.27.100"));
}

#[test]
fn h264_configuration_and_nal_units() {
    let (_, tags) = demux(H264_AAC);
    let record = avc_record(&tags);
    assert_eq!((record.profile, record.level), (100, 12));
    let sps = Sps::decode(&record.sps[0], &Limits::default()).unwrap();
    assert_eq!((sps.width, sps.height, sps.profile, sps.level), (320, 180, 100, 12));
    let vui = sps.vui.unwrap();
    assert_eq!(vui.frame_rate.unwrap().per_second(), 25.0);
    assert_eq!(vui.max_num_reorder_frames, Some(2));

    for frame in video(&tags) {
        let types: Vec<_> = nal_units(&frame.payload, record.nal_length_size)
            .map(|nal| NalUnitType::of(nal.unwrap()).unwrap())
            .collect();
        assert_eq!(types.contains(&NalUnitType::IDR), frame.is_key);
    }
}

#[test]
fn aac_configuration() {
    let (_, tags) = demux(H264_AAC);
    let first = tags.iter().find(|tag| tag.kind == TagKind::Audio).unwrap();
    let (header, offset) = AudioTagHeader::decode(&first.body).unwrap();
    assert!(header.is_sequence_header());
    let config = AudioSpecificConfig::decode(&first.body[offset..]).unwrap();
    assert_eq!((config.sample_rate, config.channels(), config.sbr), (44_100, Some(2), Sbr::Absent));
}

#[test]
fn interlaced_h264() {
    let (header, tags) = demux(INTERLACED);
    assert_eq!(header, FileHeader::new(false, true));
    let frames = video(&tags);
    assert_eq!(sums(&frames), (25, 6455, 12_000));
    assert_eq!(keys(&frames), [(80, 0), (480, 400), (880, 800)]);
    let sps = Sps::decode(&avc_record(&tags).sps[0], &Limits::default()).unwrap();
    assert_eq!((sps.width, sps.height, sps.frames_only), (322, 180, false));
    assert_eq!(sps.vui.unwrap().sample_aspect_ratio, Some((12, 11)));
}

#[test]
fn mp3() {
    let (header, tags) = demux(MP3);
    assert_eq!(header, FileHeader::new(true, false));
    assert_eq!(sums(&audio(&tags)), (40, 4180, 20_373));
    let (first, _) = AudioTagHeader::decode(&tags[1].body).unwrap();
    assert!(matches!(
        first,
        AudioTagHeader::Plain { format: SoundFormat::Mp3, is_stereo: false, .. }
    ));
    let metadata = metadata(&tags);
    assert_eq!(metadata.file_size(), Some(MP3.len() as f64));
    assert_eq!(metadata.stereo(), Some(false));
}

#[test]
fn sorenson_h263_passes_without_being_known() {
    let (_, tags) = demux(H263);
    let frames = video(&tags);
    assert_eq!(sums(&frames), (10, 12_583, 4500));
    assert_eq!(keys(&frames), [(0, 0)]);
    let (first, offset) = VideoTagHeader::decode(&tags[1].body).unwrap();
    assert_eq!((first.format, offset), (VideoFormat::Plain(VideoCodecId::H263), 1));
    assert_eq!(metadata(&tags).duration(), Some(1.0));
}

#[test]
fn muxing_what_was_demuxed_gives_the_same_bytes() {
    for file in [H264_AAC, INTERLACED, MP3, H263] {
        let (header, tags) = demux(file);
        let mut out = BytesMut::new();
        mux::encode_header(&mut out, header.has_audio, header.has_video);
        for tag in &tags {
            mux::encode_tag(&mut out, tag.kind, tag.timestamp, &tag.body).unwrap();
        }
        assert!(out == file, "{} bytes of {}", out.len(), file.len());
    }
}

#[test]
fn encoding_what_was_decoded_gives_the_same_bytes() {
    for file in [H264_AAC, INTERLACED, MP3, H263] {
        for Tag { kind, body, .. } in demux(file).1 {
            let mut out = BytesMut::new();
            match kind {
                TagKind::Video => {
                    let (header, offset) = VideoTagHeader::decode(&body).unwrap();
                    header.encode(&mut out);
                    if header.is_sequence_header() {
                        let record = AvcDecoderConfigurationRecord::decode(&body[offset..]);
                        record.unwrap().encode(&mut out).unwrap();
                    } else {
                        out.extend_from_slice(&body[offset..]);
                    }
                }
                TagKind::Audio => {
                    let (header, offset) = AudioTagHeader::decode(&body).unwrap();
                    header.encode(&mut out);
                    if header.is_sequence_header() {
                        let config = AudioSpecificConfig::decode(&body[offset..]);
                        config.unwrap().encode(&mut out).unwrap();
                    } else {
                        out.extend_from_slice(&body[offset..]);
                    }
                }
                _ => Metadata::decode(&body, &Limits::default()).unwrap().encode(&mut out).unwrap(),
            }
            assert_eq!(out, body);
        }
    }
}
