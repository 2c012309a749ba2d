//! Properties that hold for every value: any split of a stream gives the same tags, and decoding
//! what was encoded gives it back.

use bytes::{Bytes, BytesMut};
use flv_mux::{
    AacPacketType, AudioObjectType, AudioPacketType, AudioSpecificConfig, AudioTagHeader,
    AvcDecoderConfigurationRecord, AvcFormat, AvcPacketType, ChannelElement, DemuxError, Demuxer,
    EnhancedAudio, EnhancedVideo, FileHeader, FourCc, FrameType, GaSpecificConfig,
    HevcDecoderConfigurationRecord, Limits, MatrixMixdown, Metadata, MetadataForm, Modifier,
    ModifierKind, Modifiers, Multitrack, NalLengthSize, ProgramConfig, Sbr, SoundFormat, SoundRate,
    Tag, TagHeader, TagKind, Track, TrackId, VideoCodecId, VideoFormat, VideoPacketType,
    VideoTagHeader, encode_modifiers, mux, nal_units, repair_access_unit, to_annex_b,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=most).prop_map(Bytes::from)
}

prop_compose! {
    fn tag()(
        kind in 0_u8..32, filter: bool, timestamp: u32, stream_id in 0_u32..1 << 24,
        body in bytes(300),
    ) -> Tag {
        Tag { kind: TagKind::from_wire(kind), filter, timestamp, stream_id, body }
    }
}

/// Splits `input` at sizes taken in turn and demuxes it; also what was polled last.
fn demux(input: &[u8], sizes: &[usize]) -> (Vec<Tag>, Result<Option<Tag>, DemuxError>, u64) {
    let mut demuxer = Demuxer::new(Limits { max_tag_body: 1000, ..Limits::default() });
    let mut tags = Vec::new();
    let mut rest = input;
    let mut sizes = sizes.iter().cycle();
    let mut last = Ok(None);
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |&size| size.min(rest.len()));
        let (piece, after) = rest.split_at(size);
        rest = after;
        demuxer.receive(piece);
        loop {
            last = demuxer.poll_tag();
            match &last {
                Ok(Some(tag)) => tags.push(tag.clone()),
                _ => break,
            }
        }
    }
    (tags, last, demuxer.wrong_previous_tag_sizes())
}

fn four_cc() -> impl Strategy<Value = FourCc> {
    prop_oneof![
        select(vec![FourCc::AVC, FourCc::HEVC, FourCc::VVC, FourCc::AV1, FourCc::OPUS]),
        any::<[u8; 4]>().prop_map(FourCc),
    ]
}

fn multitrack() -> impl Strategy<Value = Multitrack> {
    prop_oneof![
        four_cc().prop_map(Multitrack::OneTrack),
        four_cc().prop_map(Multitrack::ManyTracks),
        Just(Multitrack::ManyTracksManyCodecs),
        (3_u8..16, four_cc()).prop_map(|(kind, codec)| Multitrack::Other(kind, codec)),
    ]
}

const COMPOSITION_TIMES: std::ops::Range<i32> = -(1 << 23)..1 << 23;

fn old_video() -> impl Strategy<Value = VideoTagHeader> {
    (0_u8..8, 0_u8..16, any::<u8>(), COMPOSITION_TIMES).prop_map(
        |(frame_type, codec, packet_type, composition_time)| {
            let frame_type = FrameType::from_wire(frame_type);
            let codec = VideoCodecId::from_wire(codec);
            let packet_type = AvcPacketType::from_wire(packet_type);
            let format = match codec {
                VideoCodecId::Avc | VideoCodecId::Hevc | VideoCodecId::Av1
                    if frame_type != FrameType::Command =>
                {
                    VideoFormat::Packet { codec, packet_type, composition_time }
                }
                _ => VideoFormat::Plain(codec),
            };
            VideoTagHeader { frame_type, format }
        },
    )
}

fn enhanced_video() -> impl Strategy<Value = VideoTagHeader> {
    let inner = (four_cc(), multitrack(), any::<u8>(), any::<bool>(), COMPOSITION_TIMES);
    (0_u8..8, select(vec![0_u8, 1, 2, 3, 4, 5, 8, 15]), 0_u32..1 << 24, inner).prop_map(
        |(frame_type, packet_type, nanos, (codec, tracks, command, is_single, time))| {
            let frame_type = FrameType::from_wire(frame_type);
            let packet_type = VideoPacketType::from_wire(packet_type);
            let has_time = packet_type == VideoPacketType::CodedFrames
                && [FourCc::AVC, FourCc::HEVC, FourCc::VVC].contains(&codec);
            let is_command =
                frame_type == FrameType::Command && packet_type != VideoPacketType::Metadata;
            let content = if is_command {
                EnhancedVideo::Command(command)
            } else if is_single || frame_type == FrameType::Command {
                EnhancedVideo::Single { codec, composition_time: if has_time { time } else { 0 } }
            } else {
                EnhancedVideo::Multitrack(tracks)
            };
            let format = VideoFormat::Enhanced { packet_type, nanos, content };
            VideoTagHeader { frame_type, format }
        },
    )
}

fn audio() -> impl Strategy<Value = AudioTagHeader> {
    let plain = (0_u8..16, 0_u8..4, any::<bool>(), any::<bool>(), any::<u8>())
        .prop_filter("the marker of enhanced headers", |(format, ..)| *format != 9)
        .prop_map(|(format, rate, is_16_bit, is_stereo, packet_type)| {
            let format = SoundFormat::from_wire(format);
            let aac_packet_type =
                (format == SoundFormat::Aac).then(|| AacPacketType::from_wire(packet_type));
            let rate = SoundRate::from_wire(rate);
            AudioTagHeader::Plain { format, rate, is_16_bit, is_stereo, aac_packet_type }
        });
    let content = prop_oneof![
        four_cc().prop_map(EnhancedAudio::Single),
        multitrack().prop_map(EnhancedAudio::Multitrack),
    ];
    let enhanced = (select(vec![0_u8, 1, 2, 3, 4, 6, 15]), 0_u32..1 << 24, content).prop_map(
        |(packet_type, nanos, content)| AudioTagHeader::Enhanced {
            packet_type: AudioPacketType::from_wire(packet_type),
            nanos,
            content,
        },
    );
    prop_oneof![plain, enhanced]
}

prop_compose! {
    fn avc_record()(
        profile in select(vec![66_u8, 77, 88, 100, 110, 122, 244]),
        compatibility: u8,
        level: u8,
        nal_length_size in
            select(vec![NalLengthSize::One, NalLengthSize::Two, NalLengthSize::Four]),
        sps in vec(bytes(40), 0..=31),
        pps in vec(bytes(10), 0..=40),
        (chroma_format, luma_bit_depth, chroma_bit_depth) in (0_u8..4, 8_u8..16, 8_u8..16),
        sps_extensions in option::of(vec(bytes(5), 0..5)),
    ) -> AvcDecoderConfigurationRecord {
        let format = sps_extensions.filter(|_| profile > 88).map(|sps_extensions| AvcFormat {
            chroma_format,
            luma_bit_depth,
            chroma_bit_depth,
            sps_extensions,
        });
        AvcDecoderConfigurationRecord {
            profile, compatibility, level, nal_length_size, sps, pps, format,
        }
    }
}

fn elements() -> impl Strategy<Value = Vec<ChannelElement>> {
    let element =
        (any::<bool>(), 0_u8..16).prop_map(|(is_pair, tag)| ChannelElement { is_pair, tag });
    vec(element, 0..=15)
}

prop_compose! {
    fn program()(
        (tag, object_type, sampling_index) in (0_u8..16, 0_u8..4, 0_u8..16),
        (front, side, back, coupling) in (elements(), elements(), elements(), elements()),
        (lfe, data) in (vec(0_u8..16, 0..=3), vec(0_u8..16, 0..=7)),
        (mono_mixdown, stereo_mixdown) in (option::of(0_u8..16), option::of(0_u8..16)),
        matrix in option::of((0_u8..4, any::<bool>())),
        comment in vec(any::<u8>(), 0..=255),
    ) -> ProgramConfig {
        let matrix_mixdown =
            matrix.map(|(index, pseudo_surround)| MatrixMixdown { index, pseudo_surround });
        ProgramConfig {
            tag, object_type, sampling_index, front, side, back, lfe, data, coupling,
            mono_mixdown, stereo_mixdown, matrix_mixdown, comment,
        }
    }
}

fn rate() -> impl Strategy<Value = u32> {
    prop_oneof![select(vec![48_000, 44_100, 24_000, 7350]), 1_u32..1 << 24]
}

prop_compose! {
    fn aac_config()(
        object_type in 1_u8..=4,
        sample_rate in rate(),
        channel_config in 0_u8..16,
        sbr in prop_oneof![
            Just(Sbr::Implicit),
            Just(Sbr::Absent),
            (rate(), any::<bool>()).prop_map(|(sample_rate, ps)| Sbr::Hierarchical { sample_rate, ps }),
            (rate(), any::<Option<bool>>())
                .prop_map(|(sample_rate, ps)| Sbr::BackwardCompatible { sample_rate, ps }),
        ],
        (short_frames, core_coder_delay) in (any::<bool>(), option::of(0_u16..1 << 14)),
        program in program(),
    ) -> AudioSpecificConfig {
        let program = (channel_config == 0).then_some(program);
        AudioSpecificConfig {
            object_type: AudioObjectType(object_type),
            sample_rate,
            channel_config,
            sbr,
            ga: Some(GaSpecificConfig { short_frames, core_coder_delay, program }),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_split_gives_the_same_tags(
        tags in vec(tag(), 0..12),
        header: (bool, bool),
        sizes in vec(1_usize..40, 1..8),
    ) {
        let mut stream = BytesMut::new();
        mux::encode_header(&mut stream, header.0, header.1);
        for tag in &tags {
            tag.encode(&mut stream).unwrap();
        }
        prop_assert_eq!(demux(&stream, &[]), (tags.clone(), Ok(None), 0));
        prop_assert_eq!(demux(&stream, &sizes), (tags, Ok(None), 0));
    }

    #[test]
    fn any_split_of_anything_after_a_header_gives_the_same(
        tail in vec(any::<u8>(), 0..600),
        sizes in vec(1_usize..40, 1..8),
    ) {
        let mut stream = BytesMut::new();
        mux::encode_header(&mut stream, true, true);
        stream.extend_from_slice(&tail);
        prop_assert_eq!(demux(&stream, &sizes), demux(&stream, &[]));
    }

    #[test]
    fn file_headers(version: u8, has_audio: bool, has_video: bool) {
        let header = FileHeader { version, has_audio, has_video };
        let mut out = BytesMut::new();
        header.encode(&mut out);
        prop_assert_eq!(FileHeader::decode(&out, 9), Ok(Some((header, 9))));
    }

    #[test]
    fn tag_headers(tag in tag(), body_len in 0_u32..1 << 24) {
        let header = TagHeader { body_len, ..tag.header().unwrap() };
        prop_assert_eq!(TagHeader::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn video_tag_headers(
        header in prop_oneof![old_video(), enhanced_video()],
        payload in bytes(10),
    ) {
        let mut out = BytesMut::new();
        header.encode(&mut out);
        let len = out.len();
        out.extend_from_slice(&payload);
        prop_assert_eq!(VideoTagHeader::decode(&out), Ok((header, len)));
    }

    #[test]
    fn audio_tag_headers(header in audio(), payload in bytes(10)) {
        let mut out = BytesMut::new();
        header.encode(&mut out);
        let len = out.len();
        out.extend_from_slice(&payload);
        prop_assert_eq!(AudioTagHeader::decode(&out), Ok((header, len)));
    }

    #[test]
    fn avc_records(record in avc_record()) {
        let mut out = BytesMut::new();
        record.encode(&mut out).unwrap();
        prop_assert_eq!(AvcDecoderConfigurationRecord::decode(&out), Ok(record));
    }

    #[test]
    fn audio_specific_configs(config in aac_config()) {
        let mut out = BytesMut::new();
        config.encode(&mut out).unwrap();
        prop_assert_eq!(AudioSpecificConfig::decode(&out), Ok(config));
    }

    #[test]
    fn access_units(units in vec(bytes(200), 0..8), size in 0..3) {
        let size = [NalLengthSize::One, NalLengthSize::Two, NalLengthSize::Four][size as usize];
        let mut access_unit = Vec::new();
        for unit in &units {
            let len = u32::try_from(unit.len()).unwrap().to_be_bytes();
            access_unit.extend(&len[4 - size.bytes()..]);
            access_unit.extend(unit);
        }
        let read: Vec<_> = nal_units(&access_unit, size).map(Result::unwrap).collect();
        let kept: Vec<_> = units.iter().filter(|unit| !unit.is_empty()).collect();
        prop_assert_eq!(read, kept);
    }

    #[test]
    fn metadata(properties in vec((".{0,8}", -1e9..1e9), 0..20), is_object: bool) {
        let form = if is_object { MetadataForm::Object } else { MetadataForm::EcmaArray };
        let metadata = Metadata { form, properties: properties.into_iter().collect() };
        let mut out = BytesMut::new();
        metadata.encode(&mut out).unwrap();
        prop_assert_eq!(Metadata::decode(&out, &Limits::default()), Ok(metadata));
    }

    #[test]
    fn modifiers(list in vec((0_u8..16, vec(any::<u8>(), 1..700)), 0..5), header in enhanced_video()) {
        let list: Vec<_> = list
            .iter()
            .map(|(kind, data)| Modifier { kind: ModifierKind::from_wire(*kind), data })
            .collect();
        let mut chain = BytesMut::new();
        encode_modifiers(&list, &mut chain).unwrap();
        let modifiers = Modifiers::decode(&chain).unwrap();
        prop_assert_eq!(modifiers.iter().collect::<Vec<_>>(), list);
        let mut out = BytesMut::new();
        header.encode_with(modifiers, &mut out);
        let read = Modifiers::of_video(&out).unwrap();
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), modifiers.iter().collect::<Vec<_>>());
        let (again, len) = VideoTagHeader::decode(&out).unwrap();
        prop_assert_eq!((again.frame_type, len), (header.frame_type, out.len()));
        let mut twice = BytesMut::new();
        again.encode_with(read, &mut twice);
        prop_assert_eq!(twice, out);
    }

    #[test]
    fn tracks(ids in vec((any::<u8>(), bytes(40), four_cc()), 0..6)) {
        let all: Vec<_> = ids
            .iter()
            .map(|(id, payload, codec)| Track { id: TrackId(*id), codec: *codec, payload })
            .collect();
        let mut out = BytesMut::new();
        Multitrack::ManyTracksManyCodecs.encode_tracks(&all, &mut out).unwrap();
        let read: Vec<_> =
            Multitrack::ManyTracksManyCodecs.tracks(&out).map(Result::unwrap).collect();
        prop_assert_eq!(read, all);
    }

    #[test]
    fn hevc_records(
        profile in any::<[u8; 12]>(), numbers in any::<[u8; 8]>(), rate: u16,
        arrays in vec((any::<bool>(), 0_u8..64, vec(bytes(30), 0..4)), 0..6),
    ) {
        let mut input = vec![1];
        input.extend(profile);
        input.extend([0xf0 | numbers[0], numbers[1], 0xfc | numbers[2], 0xfc | numbers[3]]);
        input.extend([0xf8 | numbers[4], 0xf8 | numbers[5]]);
        input.extend(rate.to_be_bytes());
        input.extend([numbers[6] | 3, u8::try_from(arrays.len()).unwrap()]);
        for (is_complete, nal_type, units) in &arrays {
            input.push(u8::from(*is_complete) << 7 | nal_type);
            input.extend(u16::try_from(units.len()).unwrap().to_be_bytes());
            for unit in units {
                input.extend(u16::try_from(unit.len()).unwrap().to_be_bytes());
                input.extend(unit);
            }
        }
        let record = HevcDecoderConfigurationRecord::decode(&input).unwrap();
        let mut out = BytesMut::new();
        record.encode(&mut out).unwrap();
        prop_assert_eq!(&out[..], &input[..]);
    }

    #[test]
    fn annex_b_there_and_back(units in vec(vec(4_u8..=255, 2..60), 1..6)) {
        let mut stream = Vec::new();
        for unit in &units {
            stream.extend([0, 0, 0, 1]);
            stream.extend(unit);
        }
        let repaired = repair_access_unit(&stream, NalLengthSize::Four).unwrap();
        let read: Vec<_> = nal_units(&repaired, NalLengthSize::Four).map(Result::unwrap).collect();
        prop_assert_eq!(read, units);
        let mut back = BytesMut::new();
        to_annex_b(&repaired, NalLengthSize::Four, &mut back).unwrap();
        prop_assert_eq!(&back[..], &stream[..]);
    }

    #[test]
    fn damage_costs_only_the_tags_it_touches(
        bodies in vec(bytes(60), 8..20),
        at in any::<prop::sample::Index>(),
        noise in vec(any::<u8>(), 1..30),
        split in 1_usize..50,
    ) {
        let mut stream = BytesMut::new();
        mux::encode_header(&mut stream, true, true);
        let mut ends = Vec::new();
        for (timestamp, body) in (0..).zip(&bodies) {
            mux::encode_tag(&mut stream, TagKind::Audio, timestamp, body).unwrap();
            ends.push(stream.len());
        }
        let at = 13 + at.index(stream.len() - 13);
        let mut damaged = stream.to_vec();
        damaged.splice(at..at, noise);
        let mut demuxer = Demuxer::with_resync(Limits { max_tag_body: 500, ..Limits::default() });
        let mut times = Vec::new();
        let mut poll = |demuxer: &mut Demuxer| {
            while let Some(tag) = demuxer.poll_tag().unwrap() {
                times.push(tag.timestamp);
            }
        };
        for piece in damaged.chunks(split) {
            demuxer.receive(piece);
            poll(&mut demuxer);
        }
        demuxer.finish();
        poll(&mut demuxer);
        // All but the damaged one; noise may look like a tag, or like the end of one.
        let touched = ends.iter().position(|&end| at < end).unwrap();
        let whole = (0..).zip(&bodies).map(|(time, _): (u32, _)| time);
        for time in whole.filter(|&time| time as usize != touched) {
            prop_assert!(times.contains(&time), "{time} of {touched}: {times:?}");
        }
    }
}
