//! Audio tags in the other form.

use std::ops::Range;

use crate::{
    AacPacketType, AudioPacketType, AudioTagHeader, EnhancedAudio, FourCc, Rewrite, RewriteError,
    SoundFormat, SoundRate, TrackId, rewrite::range_of,
};

/// Rewrites the body of an audio tag to the enhanced form; one that has it stays as it is.
///
/// AAC, MP3 (2 and 14) and Opus (13) get their FourCCs.
///
/// # Errors
///
/// [`RewriteError`]: the other formats have no FourCC.
pub fn audio_to_enhanced(body: &[u8]) -> Result<Rewrite, RewriteError> {
    let (header, offset) = AudioTagHeader::decode(body)?;
    let AudioTagHeader::Plain { format, aac_packet_type, .. } = header else {
        return Ok(Rewrite::unchanged(body));
    };
    let codec = header.four_cc().ok_or(RewriteError::CodecNumber(format.to_wire()))?;
    let packet_type = match aac_packet_type {
        Some(AacPacketType::SequenceHeader) => AudioPacketType::SequenceStart,
        Some(AacPacketType::Raw) | None => AudioPacketType::CodedFrames,
        Some(AacPacketType::Other(other)) => return Err(RewriteError::PacketType(other)),
    };
    let [a, b, c, d] = codec.0;
    let first = SoundFormat::ExHeader.to_wire() << 4 | packet_type.to_wire();
    Ok(Rewrite::new(&[first, a, b, c, d], offset..body.len()))
}

/// Rewrites the body of an audio tag to the old form; one that has it stays as it is.
///
/// `mp4a` becomes 10 and `.mp3` 2 (or 14 at 8 kHz), with the rate and channels that its frame
/// says. Of a multitrack packet, track 0 is left; modifiers are left out.
///
/// # Errors
///
/// [`RewriteError`]: other codecs, ends of sequences and orders of channels cannot be said in the
/// old form.
pub fn audio_to_old(body: &[u8]) -> Result<Rewrite, RewriteError> {
    let (header, offset) = AudioTagHeader::decode(body)?;
    let AudioTagHeader::Enhanced { packet_type, content, .. } = header else {
        return Ok(Rewrite::unchanged(body));
    };
    let rest = body.get(offset..).unwrap_or_default();
    match content {
        EnhancedAudio::Single(codec) => old(packet_type, codec, rest, range_of(body, rest)),
        EnhancedAudio::Multitrack(layout) => {
            for track in layout.tracks(rest) {
                let track = track?;
                if track.id == TrackId(0) {
                    let payload = range_of(body, track.payload);
                    return old(packet_type, track.codec, track.payload, payload);
                }
            }
            Err(RewriteError::NoTrack0)
        }
    }
}

fn old(
    packet_type: AudioPacketType,
    codec: FourCc,
    frame: &[u8],
    payload: Range<usize>,
) -> Result<Rewrite, RewriteError> {
    match (codec, packet_type) {
        (FourCc::AAC, AudioPacketType::SequenceStart) => {
            Ok(Rewrite::new(&[AAC, AacPacketType::SequenceHeader.to_wire()], payload))
        }
        (FourCc::AAC, AudioPacketType::CodedFrames) => {
            Ok(Rewrite::new(&[AAC, AacPacketType::Raw.to_wire()], payload))
        }
        (FourCc::MP3, AudioPacketType::CodedFrames) => Ok(Rewrite::new(&[mp3(frame)], payload)),
        (FourCc::AAC | FourCc::MP3, other) => Err(RewriteError::PacketType(other.to_wire())),
        (other, _) => Err(RewriteError::Codec(other)),
    }
}

/// AAC, always said to be of 44 kHz, 16 bits and two channels.
const AAC: u8 = 0xaf;
/// Samples of 16 bits.
const SIZE_16: u8 = 0x02;

/// The old header of an MP3 frame, after the frame's own header (ISO 11172-3, 2.4.1.3).
fn mp3(frame: &[u8]) -> u8 {
    let version = frame.get(1).map_or(3, |byte| byte >> 3 & 3);
    let rate_index = frame.get(2).map_or(0, |byte| byte >> 2 & 3);
    let is_stereo = frame.get(3).is_none_or(|byte| byte >> 6 != 3);
    let (format, rate) = match (version, rate_index) {
        (0, 2) => (SoundFormat::Mp38k, SoundRate::Khz5),
        (0, _) => (SoundFormat::Mp3, SoundRate::Khz11),
        (2, _) => (SoundFormat::Mp3, SoundRate::Khz22),
        _ => (SoundFormat::Mp3, SoundRate::Khz44),
    };
    format.to_wire() << 4 | rate.to_wire() << 2 | SIZE_16 | u8::from(is_stereo)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn encoded(body: &[u8], rewrite: Result<Rewrite, RewriteError>) -> Vec<u8> {
        let mut out = BytesMut::new();
        rewrite.unwrap().encode(body, &mut out);
        out.to_vec()
    }

    fn enhanced(body: &[u8]) -> Vec<u8> {
        encoded(body, audio_to_enhanced(body))
    }

    fn old(body: &[u8]) -> Vec<u8> {
        encoded(body, audio_to_old(body))
    }

    #[test]
    fn both_forms_of_every_packet() {
        for (old_body, enhanced_body) in [
            (&b"\xaf\0\x12\x10"[..], &b"\x90mp4a\x12\x10"[..]),
            (b"\xaf\x01\x21", b"\x91mp4a\x21"),
            (b"\x2f\xff\xfb\x90\x04", b"\x91.mp3\xff\xfb\x90\x04"),
            (b"\x2e\xff\xfb\x90\xc4", b"\x91.mp3\xff\xfb\x90\xc4"),
            (b"\x2b\xff\xf3\x90\x04", b"\x91.mp3\xff\xf3\x90\x04"),
            (b"\x27\xff\xe3\x90\x04", b"\x91.mp3\xff\xe3\x90\x04"),
            (b"\xe3\xff\xe3\x98\x04", b"\x91.mp3\xff\xe3\x98\x04"),
        ] {
            assert_eq!(enhanced(old_body), enhanced_body);
            assert_eq!(old(enhanced_body), old_body);
            assert!(audio_to_old(old_body).unwrap().is_unchanged());
            assert!(audio_to_enhanced(enhanced_body).unwrap().is_unchanged());
        }
        assert_eq!(enhanced(b"\xdfabc"), b"\x91Opusabc");
    }

    #[test]
    fn track_0_is_left_of_several() {
        assert_eq!(old(b"\x95\x01mp4a\0abc"), b"\xaf\x01abc");
        let many = b"\x95\x21Opus\x01\0\0\x01xmp4a\0\0\0\x02yz";
        assert_eq!(old(many), b"\xaf\x01yz");
        assert_eq!(audio_to_old(b"\x95\x01mp4a\x07abc"), Err(RewriteError::NoTrack0));
    }

    #[test]
    fn what_one_form_does_not_have() {
        for codec in [FourCc::OPUS, FourCc::FLAC, FourCc::AC3, FourCc::EAC3] {
            let body = [b"\x91", &codec.0[..], b"abc"].concat();
            assert_eq!(audio_to_old(&body), Err(RewriteError::Codec(codec)));
        }
        assert_eq!(audio_to_old(b"\x92mp4a"), Err(RewriteError::PacketType(2)));
        assert_eq!(audio_to_old(b"\x94mp4a\0\x02"), Err(RewriteError::PacketType(4)));
        assert_eq!(audio_to_old(b"\x90.mp3"), Err(RewriteError::PacketType(0)));
        assert_eq!(audio_to_enhanced(&[0x7e]), Err(RewriteError::CodecNumber(7)));
        assert_eq!(audio_to_enhanced(&[0xaf, 7]), Err(RewriteError::PacketType(7)));
        assert!(matches!(audio_to_old(&[]), Err(RewriteError::Audio(_))));
    }
}
