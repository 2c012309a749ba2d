use super::*;

/// Decodes, checks that encoding gives the bytes back, and that the payload is what follows.
fn check(bytes: &[u8]) -> VideoTagHeader {
    let mut body = bytes.to_vec();
    body.extend([0xaa; 8]);
    let (header, offset) = VideoTagHeader::decode(&body).unwrap();
    assert_eq!(offset, bytes.len());
    let mut out = BytesMut::new();
    header.encode(&mut out);
    assert_eq!(out[..], *bytes);
    header
}

#[test]
fn h264_sequence_header_is_no_keyframe() {
    let header = check(&[0x17, 0, 0, 0, 0]);
    assert!(header.is_sequence_header());
    assert!(!header.is_keyframe() && !header.is_frame());
    assert_eq!(header.four_cc(), Some(FourCc::AVC));
}

#[test]
fn h264_frames_have_a_signed_composition_time() {
    let key = check(&[0x17, 1, 0, 0, 80]);
    assert!(key.is_keyframe() && !key.is_sequence_header());
    assert_eq!(key.composition_time(), 80);

    let inter = check(&[0x27, 1, 0xff, 0xff, 0xd8]);
    assert!(!inter.is_keyframe() && inter.is_frame());
    assert_eq!(inter.composition_time(), -40);
}

#[test]
fn an_end_of_sequence_may_leave_out_its_composition_time() {
    let whole = check(&[0x17, 2, 0, 0, 0]);
    assert!(!whole.is_frame());
    for body in [&[0x17, 2][..], &[0x17, 2, 0]] {
        let (short, _) = VideoTagHeader::decode(body).unwrap();
        assert_eq!(short, whole);
    }
}

#[test]
fn old_numbers_of_h265_and_av1_have_packets_like_h264() {
    for (byte, codec) in [(0x1c, FourCc::HEVC), (0x1d, FourCc::AV1)] {
        let header = check(&[byte, 1, 0, 0, 0]);
        assert!(header.is_keyframe());
        assert_eq!(header.four_cc(), Some(codec));
    }
}

#[test]
fn other_codecs_are_one_byte_and_never_an_error() {
    for codec in (0..16).filter(|codec| ![7, 12, 13].contains(codec)) {
        let header = check(&[0x10 | codec]);
        assert!(header.is_keyframe() && !header.is_sequence_header());
        assert_eq!(header.format, VideoFormat::Plain(VideoCodecId::from_wire(codec)));
        assert_eq!(header.four_cc(), None);
    }
    assert_eq!(check(&[0x24]).format, VideoFormat::Plain(VideoCodecId::Vp6));
}

#[test]
fn an_old_command_is_not_a_frame() {
    let (header, offset) = VideoTagHeader::decode(&[0x57, 0]).unwrap();
    assert_eq!((header.frame_type, offset), (FrameType::Command, 1));
    assert!(!header.is_frame() && !header.is_sequence_header());
}

#[test]
fn enhanced_sequence_start_and_end() {
    let start = check(b"\x90hvc1");
    assert!(start.is_sequence_header() && !start.is_keyframe());
    assert_eq!(start.four_cc(), Some(FourCc::HEVC));
    assert!(check(b"\x95av01").is_sequence_header());
    assert!(!check(b"\x92hvc1").is_frame());
}

#[test]
fn enhanced_frames_have_a_composition_time_where_the_codec_has_one() {
    for codec in [b"avc1", b"hvc1", b"vvc1"] {
        let mut bytes = [&[0xa1][..], codec].concat();
        bytes.extend([0xff, 0xff, 0xff]);
        assert_eq!(check(&bytes).composition_time(), -1);
        let implicit = check(&[&[0x93][..], codec].concat());
        assert!(implicit.is_keyframe());
        assert_eq!(implicit.composition_time(), 0);
    }
    for codec in [b"av01", b"vp08", b"vp09", b"abcd"] {
        let header = check(&[&[0x91][..], codec].concat());
        assert!(header.is_keyframe());
        assert_eq!(header.four_cc(), Some(FourCc(*codec)));
    }
}

#[test]
fn enhanced_metadata_is_not_a_frame_whatever_its_frame_type() {
    for first in [0x94, 0xd4] {
        let header = check(&[&[first][..], b"hvc1"].concat());
        assert!(!header.is_frame() && !header.is_keyframe() && !header.is_sequence_header());
    }
}

#[test]
fn an_enhanced_command_has_no_codec() {
    let header = check(&[0xd0, 1]);
    let content = EnhancedVideo::Command(1);
    let packet_type = VideoPacketType::SequenceStart;
    assert_eq!(header.format, VideoFormat::Enhanced { packet_type, nanos: 0, content });
    assert!(!header.is_sequence_header() && !header.is_frame());
    assert_eq!(header.four_cc(), None);
}

#[test]
fn a_multitrack_packet_is_what_its_tracks_are() {
    let frames = check(b"\x96\x01avc1");
    assert!(frames.is_keyframe());
    assert_eq!(frames.four_cc(), Some(FourCc::AVC));
    let start = check(b"\x96\x10hvc1");
    assert!(start.is_sequence_header());
    let many = check(b"\xa6\x21");
    assert!(many.is_frame());
    assert_eq!(many.four_cc(), None);
}

#[test]
fn nanoseconds_come_before_the_codec() {
    let header = check(b"\x97\x02\x00\x01\xf4\x03hvc1");
    assert!(header.is_keyframe());
    assert!(matches!(header.format, VideoFormat::Enhanced { nanos: 500, .. }));
    let tracks = check(b"\x97\x02\x00\x01\xf4\x06\x01avc1");
    assert!(matches!(tracks.format, VideoFormat::Enhanced { nanos: 500, .. }));
}

#[test]
fn unknown_packet_types_are_kept() {
    let header = check(b"\x9favc1");
    assert!(!header.is_frame() && !header.is_sequence_header());
    let content = EnhancedVideo::Single { codec: FourCc::AVC, composition_time: 0 };
    let packet_type = VideoPacketType::Other(15);
    assert_eq!(header.format, VideoFormat::Enhanced { packet_type, nanos: 0, content });
}

#[test]
fn an_empty_or_cut_body_is_an_error() {
    assert_eq!(VideoTagHeader::decode(&[]), Err(VideoHeaderError::Empty));
    let truncated = |what, needed, got| Truncated { what, needed, got }.into();
    for (body, error) in [
        (&[0x17][..], truncated("avc packet type", 1, 0)),
        (&[0x17, 1, 0, 0], truncated("composition time", 3, 2)),
        (b"\x90hvc", truncated("fourcc", 4, 3)),
        (b"\x91hvc1\0\0", truncated("composition time", 3, 2)),
        (&[0xd0], truncated("video command", 1, 0)),
        (&[0x96], truncated("multitrack type", 1, 0)),
        (&[0x97], truncated("modifier size", 1, 0)),
        (&[0x97, 2, 0], truncated("modifier data", 3, 1)),
        (&[0x97, 0, 0], truncated("modifier type", 1, 0)),
    ] {
        assert_eq!(VideoTagHeader::decode(body), Err(error), "{body:02x?}");
    }
    let error = VideoTagHeader::decode(&[0x17]).unwrap_err();
    assert_eq!(error.to_string(), "video tag header: avc packet type needs 1 bytes, 0 left");
}
