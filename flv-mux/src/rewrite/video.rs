//! Video tags in the other form.

use crate::{
    AvcPacketType, EnhancedVideo, FourCc, FrameType, Rewrite, RewriteError, TrackId, Truncated,
    VideoCodecId, VideoFormat, VideoHeaderError, VideoPacketType, VideoTagHeader,
    rewrite::range_of, wire::be_24,
};

const EX_HEADER: u8 = 0x80;

/// Rewrites the body of a video tag to the enhanced form; one that has it stays as it is.
///
/// H.264, H.265 (12) and AV1 (13) get their FourCCs, a command its own form. A composition time of
/// 0 is left out, and AV1's always: its frames are presented when they are decoded.
///
/// # Errors
///
/// [`RewriteError`]: the other codecs have no FourCC.
pub fn video_to_enhanced(body: &[u8]) -> Result<Rewrite, RewriteError> {
    let (header, offset) = VideoTagHeader::decode(body)?;
    let first = EX_HEADER | (header.frame_type.to_wire() & 0x07) << 4;
    let payload = offset..body.len();
    match header.format {
        VideoFormat::Enhanced { .. } => Ok(Rewrite::unchanged(body)),
        VideoFormat::Plain(_) if header.frame_type == FrameType::Command => {
            if payload.is_empty() {
                let cut = Truncated { what: "video command", needed: 1, got: 0 };
                return Err(VideoHeaderError::from(cut).into());
            }
            Ok(Rewrite::new(&[first], payload))
        }
        VideoFormat::Plain(codec) => Err(RewriteError::CodecNumber(codec.to_wire())),
        VideoFormat::Packet { codec, packet_type, composition_time } => {
            let codec = header.four_cc().ok_or(RewriteError::CodecNumber(codec.to_wire()))?;
            let has_time = codec != FourCc::AV1;
            let packet_type = match packet_type {
                AvcPacketType::SequenceHeader => VideoPacketType::SequenceStart,
                AvcPacketType::Nalu if has_time && composition_time == 0 => {
                    VideoPacketType::CodedFramesX
                }
                AvcPacketType::Nalu => VideoPacketType::CodedFrames,
                AvcPacketType::EndOfSequence => VideoPacketType::SequenceEnd,
                AvcPacketType::Other(other) => return Err(RewriteError::PacketType(other)),
            };
            let [a, b, c, d] = codec.0;
            let [x, y, z] = be_24(composition_time.cast_unsigned());
            let bytes = [first | packet_type.to_wire(), a, b, c, d, x, y, z];
            let len = if has_time && packet_type == VideoPacketType::CodedFrames { 8 } else { 5 };
            Ok(Rewrite::new(bytes.get(..len).unwrap_or_default(), payload))
        }
    }
}

/// Rewrites the body of a video tag to the old form; one that has it stays as it is.
///
/// `avc1` becomes 7, `hvc1` 12 and `av01` 13. Of a multitrack packet, track 0 is left; modifiers
/// are left out.
///
/// # Errors
///
/// [`RewriteError`]: other codecs, metadata, and configurations for MPEG-2 TS cannot be said in
/// the old form.
pub fn video_to_old(body: &[u8]) -> Result<Rewrite, RewriteError> {
    let (header, offset) = VideoTagHeader::decode(body)?;
    let VideoFormat::Enhanced { packet_type, content, .. } = header.format else {
        return Ok(Rewrite::unchanged(body));
    };
    let frame_type = (header.frame_type.to_wire() & 0x07) << 4;
    let rest = body.get(offset..).unwrap_or_default();
    match content {
        // The command's byte follows a first byte whose codec means nothing.
        EnhancedVideo::Command(command) => {
            let first = frame_type | VideoCodecId::Avc.to_wire();
            Ok(Rewrite::new(&[first, command], range_of(body, rest)))
        }
        EnhancedVideo::Single { codec, composition_time } => {
            old(frame_type, packet_type, codec, composition_time, range_of(body, rest))
        }
        EnhancedVideo::Multitrack(layout) => {
            for track in layout.tracks(rest) {
                let track = track?;
                if track.id == TrackId(0) {
                    let (single, offset) = header.of_track(&track)?;
                    let payload = track.payload.get(offset..).unwrap_or_default();
                    let payload = range_of(body, payload);
                    let time = single.composition_time();
                    return old(frame_type, packet_type, track.codec, time, payload);
                }
            }
            Err(RewriteError::NoTrack0)
        }
    }
}

fn old(
    frame_type: u8,
    packet_type: VideoPacketType,
    codec: FourCc,
    composition_time: i32,
    payload: std::ops::Range<usize>,
) -> Result<Rewrite, RewriteError> {
    let codec = match codec {
        FourCc::AVC => VideoCodecId::Avc,
        FourCc::HEVC => VideoCodecId::Hevc,
        FourCc::AV1 => VideoCodecId::Av1,
        other => return Err(RewriteError::Codec(other)),
    };
    let packet_type = match packet_type {
        VideoPacketType::SequenceStart => AvcPacketType::SequenceHeader,
        VideoPacketType::CodedFrames | VideoPacketType::CodedFramesX => AvcPacketType::Nalu,
        VideoPacketType::SequenceEnd => AvcPacketType::EndOfSequence,
        other => return Err(RewriteError::PacketType(other.to_wire())),
    };
    let [x, y, z] = be_24(composition_time.cast_unsigned());
    Ok(Rewrite::new(&[frame_type | codec.to_wire(), packet_type.to_wire(), x, y, z], payload))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn encoded(body: &[u8], rewrite: Result<Rewrite, RewriteError>) -> Vec<u8> {
        let rewrite = rewrite.unwrap();
        let mut out = BytesMut::new();
        rewrite.encode(body, &mut out);
        assert_eq!(out.len(), rewrite.body_len());
        out.to_vec()
    }

    fn enhanced(body: &[u8]) -> Vec<u8> {
        encoded(body, video_to_enhanced(body))
    }

    fn old(body: &[u8]) -> Vec<u8> {
        encoded(body, video_to_old(body))
    }

    #[test]
    fn both_forms_of_every_packet() {
        for (old_body, enhanced_body) in [
            (&b"\x17\0\0\0\0abc"[..], &b"\x90avc1abc"[..]),
            (b"\x1c\0\0\0\0abc", b"\x90hvc1abc"),
            (b"\x1d\0\0\0\0abc", b"\x90av01abc"),
            (b"\x17\x01\0\0\x50abc", b"\x91avc1\0\0\x50abc"),
            (b"\x2c\x01\xff\xff\xd8abc", b"\xa1hvc1\xff\xff\xd8abc"),
            (b"\x2c\x01\0\0\0abc", b"\xa3hvc1abc"),
            (b"\x2d\x01\0\0\0abc", b"\xa1av01abc"),
            (b"\x1c\x02\0\0\0", b"\x92hvc1"),
            (b"\x57\x01", b"\xd0\x01"),
        ] {
            assert_eq!(enhanced(old_body), enhanced_body);
            assert_eq!(old(enhanced_body), old_body);
            assert!(video_to_old(old_body).unwrap().is_unchanged());
            assert_eq!(old(old_body), old_body);
            assert_eq!(enhanced(enhanced_body), enhanced_body);
        }
    }

    #[test]
    fn a_short_end_of_sequence_and_modifiers() {
        assert_eq!(enhanced(&[0x17, 2]), b"\x92avc1");
        assert_eq!(old(b"\x97\x02\0\x01\xf4\x03hvc1abc"), b"\x1c\x01\0\0\0abc");
    }

    #[test]
    fn track_0_is_left_of_several() {
        assert_eq!(old(b"\x96\x01avc1\0\0\0\x28abc"), b"\x17\x01\0\0\x28abc");
        let many = b"\x96\x21av01\x01\0\0\x01xhvc1\0\0\0\x05\0\0\x50yzavc1\x02\0\0\x03\0\0\0";
        assert_eq!(old(many), b"\x1c\x01\0\0\x50yz");
        assert_eq!(video_to_old(b"\x96\x01avc1\x01\0\0\x28abc"), Err(RewriteError::NoTrack0));
    }

    #[test]
    fn what_one_form_does_not_have() {
        for codec in [FourCc::VP8, FourCc::VP9, FourCc::VVC, FourCc(*b"abcd")] {
            let body = [b"\x91", &codec.0[..], b"\0\0\0abc"].concat();
            assert_eq!(video_to_old(&body), Err(RewriteError::Codec(codec)));
        }
        assert_eq!(video_to_old(b"\x94hvc1"), Err(RewriteError::PacketType(4)));
        assert_eq!(video_to_old(b"\x95av01"), Err(RewriteError::PacketType(5)));
        assert_eq!(video_to_enhanced(&[0x24]), Err(RewriteError::CodecNumber(4)));
        let error = video_to_enhanced(&[0x17, 9, 0, 0, 0]);
        assert_eq!(error, Err(RewriteError::PacketType(9)));
        assert!(matches!(video_to_old(&[]), Err(RewriteError::Video(_))));
        // A command of the enhanced form has its byte.
        assert!(matches!(video_to_enhanced(&[0x57]), Err(RewriteError::Video(_))));
        assert!(matches!(video_to_old(b"\x96\x11avc1\0"), Err(RewriteError::Track(_))));
    }
}
