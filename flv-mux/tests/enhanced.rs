//! Files in the enhanced form that ffmpeg 9 wrote: the expected figures are those that ffmpeg's
//! own demuxer prints for them.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use flv_mux::{
    Ac3Frame, AudioPacketType, AudioTagHeader, Av1CodecConfigurationRecord, Demuxer, EnhancedAudio,
    EnhancedVideo, FileSummary, FlacStreamInfo, FourCc, HevcDecoderConfigurationRecord,
    HevcNalUnitType, HevcSps, Limits, Metadata, Modifiers, MultichannelConfig, OpusHead,
    RewriteError, Tag, TagKind, TrackId, VideoFormat, VideoMetadata, VideoPacketType,
    VideoTagHeader, VpCodecConfigurationRecord, mux, video_to_enhanced, video_to_old,
};

const HEVC_OPUS: &[u8] = include_bytes!("data/hevc_opus.flv");
const AV1_FLAC: &[u8] = include_bytes!("data/av1_flac.flv");
const VP9_EAC3: &[u8] = include_bytes!("data/vp9_eac3.flv");
const AVC_AC3: &[u8] = include_bytes!("data/avc_ac3_index.flv");
const MULTITRACK: &[u8] = include_bytes!("data/multitrack.flv");
const HDR10: &[u8] = include_bytes!("data/hdr10.flv");
const OPUS_51: &[u8] = include_bytes!("data/opus51.flv");
const FILES: [&[u8]; 7] = [HEVC_OPUS, AV1_FLAC, VP9_EAC3, AVC_AC3, MULTITRACK, HDR10, OPUS_51];

fn demux(file: &[u8]) -> Vec<Tag> {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(file);
    let tags = std::iter::from_fn(|| demuxer.poll_tag().unwrap()).collect();
    assert_eq!(demuxer.wrong_previous_tag_sizes(), 0);
    assert!(demuxer.is_at_boundary());
    tags
}

/// What a track of a file holds.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    frames: usize,
    bytes: usize,
    dts: u64,
    pts: u64,
    keys: Vec<(u64, u64)>,
    config: Bytes,
    first: Bytes,
}

/// The tracks of a file by kind and number; a tag that is in no multitrack packet is of track 0.
fn tracks(file: &[u8]) -> BTreeMap<(u8, u8, FourCc), Sums> {
    let mut all = BTreeMap::<_, Sums>::new();
    for tag in demux(file) {
        match tag.kind {
            TagKind::Video => {
                let (header, offset) = VideoTagHeader::decode(&tag.body).unwrap();
                let payload = tag.body.slice(offset..);
                let VideoFormat::Enhanced { content: EnhancedVideo::Multitrack(layout), .. } =
                    header.format
                else {
                    let id = (9, 0, header.four_cc().unwrap());
                    video(all.entry(id).or_default(), &tag, header, payload);
                    continue;
                };
                for track in layout.tracks(&payload) {
                    let track = track.unwrap();
                    let (header, offset) = header.of_track(&track).unwrap();
                    let payload = Bytes::copy_from_slice(&track.payload[offset..]);
                    let sums = all.entry((9, track.id.0, track.codec)).or_default();
                    video(sums, &tag, header, payload);
                }
            }
            TagKind::Audio => {
                let (header, offset) = AudioTagHeader::decode(&tag.body).unwrap();
                let payload = tag.body.slice(offset..);
                let AudioTagHeader::Enhanced { content: EnhancedAudio::Multitrack(layout), .. } =
                    header
                else {
                    let id = (8, 0, header.four_cc().unwrap());
                    audio(all.entry(id).or_default(), &tag, header, payload);
                    continue;
                };
                for track in layout.tracks(&payload) {
                    let track = track.unwrap();
                    let sums = all.entry((8, track.id.0, track.codec)).or_default();
                    let payload = Bytes::copy_from_slice(track.payload);
                    audio(sums, &tag, header.of_track(&track), payload);
                }
            }
            _ => {}
        }
    }
    all
}

fn video(sums: &mut Sums, tag: &Tag, header: VideoTagHeader, payload: Bytes) {
    if header.is_sequence_header() {
        // ffmpeg starts AV1 with an empty one, until its encoder has told.
        sums.config = payload;
    } else if header.is_frame() {
        let dts = u64::from(tag.timestamp);
        let pts = dts.checked_add_signed(header.composition_time().into()).unwrap();
        sums.frames += 1;
        sums.bytes += payload.len();
        sums.dts += dts;
        sums.pts += pts;
        if header.is_keyframe() {
            sums.keys.push((pts, dts));
        }
    }
}

fn audio(sums: &mut Sums, tag: &Tag, header: AudioTagHeader, payload: Bytes) {
    if header.is_sequence_header() {
        sums.config = payload;
    } else if header.is_frame() {
        sums.frames += 1;
        sums.bytes += payload.len();
        sums.dts += u64::from(tag.timestamp);
        if sums.frames == 1 {
            sums.first = payload;
        }
    }
}

/// Frames, bytes, sums of DTS and PTS of a video track, and its keyframes' PTS and DTS.
fn check_video(sums: &Sums, figures: (usize, usize, u64, u64), keys: &[(u64, u64)]) {
    assert_eq!((sums.frames, sums.bytes, sums.dts, sums.pts), figures);
    assert_eq!(sums.keys, keys);
}

#[test]
fn hevc_and_opus() {
    let all = tracks(HEVC_OPUS);
    let video = &all[&(9, 0, FourCc::HEVC)];
    check_video(video, (25, 8591, 12_000, 14_000), &[(80, 0), (480, 320), (880, 760)]);
    let audio = &all[&(8, 0, FourCc::OPUS)];
    assert_eq!((audio.frames, audio.bytes, audio.dts), (51, 3821, 29_273));
    assert_eq!(all.len(), 2);
    let head = OpusHead::decode(&audio.config).unwrap();
    assert_eq!((head.channels, head.pre_skip, head.input_sample_rate), (1, 312, 48_000));

    let record = HevcDecoderConfigurationRecord::decode(&video.config).unwrap();
    assert_eq!((record.profile.idc, record.profile.level), (1, 60));
    let sets = [HevcNalUnitType::VPS, HevcNalUnitType::SPS, HevcNalUnitType::PPS];
    let sets = sets.map(|nal_type| record.units(nal_type).next().unwrap());
    let sps = HevcSps::decode(sets[1], &Limits::default()).unwrap();
    assert_eq!((sps.width, sps.height, sps.luma_bit_depth), (194, 108, 8));
    assert_eq!(sps.vui.unwrap().frame_rate.unwrap().per_second(), 25.0);

    // The same sets between start codes give the same record.
    let stream = sets.map(|set| [&[0, 0, 0, 1], &set[..]].concat()).concat();
    let repaired = HevcDecoderConfigurationRecord::from_annex_b(&stream, &Limits::default());
    let repaired = repaired.unwrap();
    assert_eq!(repaired.profile, record.profile);
    assert_eq!(repaired.units(HevcNalUnitType::SPS).next(), Some(sets[1]));
}

#[test]
fn av1_and_flac() {
    let all = tracks(AV1_FLAC);
    let video = &all[&(9, 0, FourCc::AV1)];
    check_video(video, (25, 10_764, 12_000, 12_000), &[(0, 0), (400, 400), (800, 800)]);
    let audio = &all[&(8, 0, FourCc::FLAC)];
    // 51 with the empty one that ends the track.
    assert_eq!((audio.frames, audio.bytes, audio.dts), (51, 15_483, 25_884));

    let record = Av1CodecConfigurationRecord::decode(&video.config).unwrap();
    let header = record.sequence_header(&Limits::default()).unwrap();
    assert_eq!((header.width, header.height, header.bit_depth), (194, 108, 8));
    assert_eq!(header.colour, Some((1, 1, 1)));
    let info = FlacStreamInfo::decode(&audio.config).unwrap();
    assert_eq!((info.sample_rate, info.channels, info.bits_per_sample), (16_000, 1, 16));
}

#[test]
fn vp9_and_eac3() {
    let all = tracks(VP9_EAC3);
    let video = &all[&(9, 0, FourCc::VP9)];
    check_video(video, (25, 21_046, 12_125, 12_125), &[(5, 5), (405, 405), (805, 805)]);
    let audio = &all[&(8, 0, FourCc::EAC3)];
    assert_eq!((audio.frames, audio.bytes, audio.dts), (32, 4096, 15_872));
    assert!(audio.config.is_empty());

    let record = VpCodecConfigurationRecord::decode(&video.config).unwrap();
    assert_eq!((record.profile, record.bit_depth, record.full_range), (0, 8, false));
    let frame = Ac3Frame::decode(&audio.first).unwrap();
    assert_eq!((frame.sample_rate, frame.channels, frame.len), (48_000, 1, 128));
}

#[test]
fn h264_and_ac3() {
    let all = tracks(AVC_AC3);
    let video = &all[&(9, 0, FourCc::AVC)];
    check_video(video, (25, 7869, 12_000, 14_000), &[(80, 0), (480, 400), (880, 800)]);
    let audio = &all[&(8, 0, FourCc::AC3)];
    assert_eq!((audio.frames, audio.bytes, audio.dts), (32, 6144, 18_272));
    let frame = Ac3Frame::decode(&audio.first).unwrap();
    assert_eq!((frame.sample_rate, frame.channels, frame.len), (48_000, 1, 192));
}

#[test]
fn four_tracks() {
    let all = tracks(MULTITRACK);
    // Beside the frames of four tracks there is the colour of the second video, in a tag that
    // names no track.
    assert_eq!(all.values().filter(|sums| sums.frames > 0).count(), 4);
    let main = &all[&(9, 0, FourCc::AVC)];
    check_video(main, (25, 5769, 12_000, 14_000), &[(80, 0), (480, 400), (880, 800)]);
    let small = &all[&(9, 1, FourCc::HEVC)];
    check_video(small, (25, 3004, 12_000, 14_000), &[(80, 0), (480, 400), (880, 680)]);
    let main = &all[&(8, 0, FourCc::AAC)];
    assert_eq!((main.frames, main.bytes, main.dts), (48, 2953, 26_880));
    let second = &all[&(8, 1, FourCc::OPUS)];
    assert_eq!((second.frames, second.bytes, second.dts), (51, 2199, 29_273));
}

#[test]
fn colours_of_high_dynamic_range() {
    let colors: Vec<_> = demux(HDR10)
        .iter()
        .filter(|tag| tag.kind == TagKind::Video)
        .filter_map(|tag| {
            let (header, offset) = VideoTagHeader::decode(&tag.body).unwrap();
            let packet_type = match header.format {
                VideoFormat::Enhanced { packet_type, .. } => packet_type,
                _ => panic!("{header:?}"),
            };
            (packet_type == VideoPacketType::Metadata)
                .then(|| VideoMetadata::decode(&tag.body[offset..], &Limits::default()).unwrap())
        })
        .collect();
    assert_eq!(colors.len(), 1);
    let config = colors[0].color_info().unwrap().config.unwrap();
    // BT.2020, PQ, BT.2020 non-constant.
    assert_eq!((config.primaries, config.transfer), (Some(9.0), Some(16.0)));
    assert_eq!(config.matrix, Some(9.0));
}

#[test]
fn channels_in_their_order() {
    let config = demux(OPUS_51).iter().find_map(|tag| {
        let (header, offset) = AudioTagHeader::decode(&tag.body).ok()?;
        let is_config = matches!(
            header,
            AudioTagHeader::Enhanced { packet_type: AudioPacketType::MultichannelConfig, .. }
        );
        is_config.then(|| MultichannelConfig::decode(&tag.body[offset..]).unwrap())
    });
    assert_eq!(config, Some(MultichannelConfig::Native { channels: 6, flags: 0x3f }));
}

#[test]
fn encoding_what_was_decoded_gives_the_same_bytes() {
    for file in FILES {
        let mut out = BytesMut::new();
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.receive(file);
        let header = demuxer.header().unwrap();
        mux::encode_header(&mut out, header.has_audio, header.has_video);
        for tag in demux(file) {
            let body = again(&tag);
            assert_eq!(body, tag.body);
            mux::encode_tag(&mut out, tag.kind, tag.timestamp, &body).unwrap();
        }
        assert!(out == file);
    }
}

/// The body, taken apart down to the tracks and put together.
fn again(tag: &Tag) -> BytesMut {
    let body = &tag.body;
    let mut out = BytesMut::new();
    match tag.kind {
        TagKind::Video => {
            let (header, offset) = VideoTagHeader::decode(body).unwrap();
            header.encode_with(Modifiers::of_video(body).unwrap(), &mut out);
            let payload = &body[offset..];
            match header.format {
                VideoFormat::Enhanced { content: EnhancedVideo::Multitrack(layout), .. } => {
                    let tracks: Vec<_> = layout.tracks(payload).map(Result::unwrap).collect();
                    assert_ne!(tracks[0].id, TrackId(0));
                    layout.encode_tracks(&tracks, &mut out).unwrap();
                }
                VideoFormat::Enhanced { packet_type: VideoPacketType::Metadata, .. } => {
                    let metadata = VideoMetadata::decode(payload, &Limits::default()).unwrap();
                    metadata.encode(&mut out).unwrap();
                }
                _ => out.extend_from_slice(payload),
            }
        }
        TagKind::Audio => {
            let (header, offset) = AudioTagHeader::decode(body).unwrap();
            header.encode_with(Modifiers::of_audio(body).unwrap(), &mut out);
            let payload = &body[offset..];
            match header {
                AudioTagHeader::Enhanced { content: EnhancedAudio::Multitrack(layout), .. } => {
                    let tracks: Vec<_> = layout.tracks(payload).map(Result::unwrap).collect();
                    layout.encode_tracks(&tracks, &mut out).unwrap();
                }
                AudioTagHeader::Enhanced {
                    packet_type: AudioPacketType::MultichannelConfig,
                    ..
                } => {
                    MultichannelConfig::decode(payload).unwrap().encode(&mut out).unwrap();
                }
                _ => out.extend_from_slice(payload),
            }
        }
        _ => out.extend_from_slice(body),
    }
    out
}

#[test]
fn the_keyframe_index_of_a_file() {
    let tags = demux(AVC_AC3);
    let metadata = Metadata::decode(&tags[0].body, &Limits::default()).unwrap();
    let theirs = metadata.seek_table().unwrap();
    let places: Vec<_> =
        theirs.keyframes().iter().map(|keyframe| (keyframe.time, keyframe.position)).collect();
    assert_eq!(places, [(0, 728), (400, 6384), (800, 11_830)]);
    assert_eq!(theirs.seek(799).unwrap().position, 6384);

    // Made anew, the head is another, and the distances are the same.
    let mut summary = FileSummary::new();
    tags[1..].iter().for_each(|tag| summary.add(tag));
    let head = summary.head(&metadata).unwrap();
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&head);
    let first = demuxer.poll_tag().unwrap().unwrap();
    let metadata = Metadata::decode(&first.body, &Limits::default()).unwrap();
    let ours = metadata.seek_table().unwrap();
    let first = ours.keyframes()[0].position - theirs.keyframes()[0].position;
    for (our, their) in ours.keyframes().iter().zip(theirs.keyframes()) {
        assert_eq!((our.time, our.position - first), (their.time, their.position));
    }
    assert_eq!(metadata.file_size(), Some(head.len() as f64 + summary.tags_len() as f64));
}

#[test]
fn a_damaged_file_loses_the_damaged_tags_alone() {
    let mut file = HEVC_OPUS.to_vec();
    let all = demux(HEVC_OPUS).len();
    file.drain(6000..6010);
    file[9000..9020].fill(0xee);
    let mut demuxer = Demuxer::with_resync(Limits::default());
    demuxer.receive(&file);
    demuxer.finish();
    let kept: Vec<_> = std::iter::from_fn(|| demuxer.poll_tag().unwrap()).collect();
    assert!(kept.len() >= all - 3, "{} of {all}", kept.len());
    let bytes: usize = kept.iter().map(|tag| mux::encoded_len(tag.body.len())).sum();
    assert_eq!(13 + bytes as u64 + demuxer.skipped_bytes(), file.len() as u64);
}

#[test]
fn real_tags_come_back_from_the_old_form() {
    for file in [HEVC_OPUS, AV1_FLAC, HDR10, AVC_AC3] {
        for tag in demux(file).iter().filter(|tag| tag.kind == TagKind::Video) {
            let body = &tag.body;
            let there = match video_to_old(body) {
                Ok(there) => there,
                // Colours are for players of the enhanced form alone.
                Err(error) => {
                    assert_eq!(error, RewriteError::PacketType(4));
                    continue;
                }
            };
            let mut old = BytesMut::new();
            there.encode(body, &mut old);
            let (header, offset) = VideoTagHeader::decode(&old).unwrap();
            assert!(!matches!(header.format, VideoFormat::Enhanced { .. }));
            let back = video_to_enhanced(&old).unwrap();
            let mut enhanced = BytesMut::new();
            back.encode(&old, &mut enhanced);
            // H.264 was in the old form from the start.
            if there.is_unchanged() {
                assert_eq!(old, body);
            } else {
                assert_eq!(old[offset..], body[there.payload()]);
                assert_eq!(enhanced, body);
            }
        }
    }
}
