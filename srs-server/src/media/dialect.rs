//! What a player takes of a stream: the variant of the RTMP lane that it reads.

use std::borrow::Cow;

use bytes::BytesMut;
use flv_mux::{
    AudioTagHeader, FourCc, Rewrite, RewriteError, TagKind, VideoFormat, VideoTagHeader,
    audio_to_old, video_to_enhanced, video_to_old,
};
use rtmp_proto::MessageStreamId;
use stream_hub::Variant;

use super::Frame;

/// What a player takes of a stream. Players that take the same share one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The message stream it plays on.
    pub msid: MessageStreamId,
    /// The chunk size that it was told; 17 bits of it count.
    pub chunk_size: u32,
    /// Whether it wants audio (`receiveAudio`).
    pub audio: bool,
    /// Whether it wants video (`receiveVideo`).
    pub video: bool,
    /// The codecs that it announced when it connected; `None` for a player that announced none.
    pub codecs: Option<Codecs>,
}

/// A set of codecs that have a FourCC in enhanced RTMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codecs(u16);

/// The codecs that a set can have, in the order of its bits.
const KNOWN: [FourCc; 12] = [
    FourCc::AVC,
    FourCc::HEVC,
    FourCc::VVC,
    FourCc::AV1,
    FourCc::VP8,
    FourCc::VP9,
    FourCc::AAC,
    FourCc::MP3,
    FourCc::OPUS,
    FourCc::FLAC,
    FourCc::AC3,
    FourCc::EAC3,
];

impl Codecs {
    /// The known codecs for which `has` is true.
    pub fn of(has: impl Fn(FourCc) -> bool) -> Self {
        let bits = KNOWN.iter().enumerate().filter(|&(_, &codec)| has(codec));
        Self(bits.fold(0, |set, (bit, _)| set | 1 << bit))
    }

    /// Whether no codec is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the codec is in the set. One that is not known is in no set.
    pub fn has(self, codec: FourCc) -> bool {
        KNOWN.iter().position(|&known| known == codec).is_some_and(|bit| self.0 & 1 << bit != 0)
    }
}

const CHUNK_SIZE: u32 = 32;
const CHUNK_SIZE_BITS: u64 = 0x1_ffff;
const NO_AUDIO: u64 = 1 << 49;
const NO_VIDEO: u64 = 1 << 50;
const ANNOUNCED: u64 = 1 << 51;
const CODECS: u32 = 52;

impl Dialect {
    /// Everything as it was published, on this message stream, in chunks of this size.
    pub fn new(msid: MessageStreamId, chunk_size: u32) -> Self {
        Self { msid, chunk_size, audio: true, video: true, codecs: None }
    }

    /// The frame's body as the player takes it; `None` where it takes none.
    ///
    /// Whoever announced nothing gets what was published: most players and relays take more than
    /// they say. Whoever announced codecs gets those in the enhanced form, others in the old form
    /// where there is one (H.264, H.265, AV1, AAC, MP3), and else nothing of that track.
    pub(super) fn body<'a>(&self, frame: &'a Frame) -> Option<Cow<'a, [u8]>> {
        let body = &frame.body[..];
        let rewrite = match (frame.kind, self.codecs) {
            (TagKind::Audio, _) if !self.audio => return None,
            (TagKind::Video, _) if !self.video => return None,
            (TagKind::Audio, Some(codecs)) => audio_for(codecs, body),
            (TagKind::Video, Some(codecs)) => video_for(codecs, body),
            _ => None,
        };
        match rewrite {
            None => Some(body.into()),
            Some(Ok(rewrite)) if rewrite.is_unchanged() => Some(body.into()),
            Some(Ok(rewrite)) => {
                let mut out = BytesMut::with_capacity(rewrite.body_len());
                rewrite.encode(body, &mut out);
                Some(Vec::from(out).into())
            }
            Some(Err(_)) => None,
        }
    }
}

/// How an audio body changes for a player of `codecs`; `None` where it doesn't.
fn audio_for(codecs: Codecs, body: &[u8]) -> Option<Result<Rewrite, RewriteError>> {
    let (header, _) = AudioTagHeader::decode(body).ok()?;
    let is_enhanced = matches!(header, AudioTagHeader::Enhanced { .. });
    let is_taken = header.four_cc().is_some_and(|codec| codecs.has(codec));
    (is_enhanced && !is_taken).then(|| audio_to_old(body))
}

/// How a video body changes for a player of `codecs`; `None` where it doesn't.
fn video_for(codecs: Codecs, body: &[u8]) -> Option<Result<Rewrite, RewriteError>> {
    let (header, _) = VideoTagHeader::decode(body).ok()?;
    let codec = header.four_cc();
    let is_taken = codec.is_some_and(|codec| codecs.has(codec));
    match header.format {
        VideoFormat::Enhanced { .. } => (!is_taken).then(|| video_to_old(body)),
        // H.264 has always had its number; for the others a FourCC is what the player knows.
        _ => (is_taken && codec != Some(FourCc::AVC)).then(|| video_to_enhanced(body)),
    }
}

impl From<Dialect> for Variant {
    fn from(dialect: Dialect) -> Self {
        let no_audio = if dialect.audio { 0 } else { NO_AUDIO };
        let no_video = if dialect.video { 0 } else { NO_VIDEO };
        let codecs = dialect.codecs.map_or(0, |Codecs(set)| ANNOUNCED | u64::from(set) << CODECS);
        let chunk_size = (u64::from(dialect.chunk_size) & CHUNK_SIZE_BITS) << CHUNK_SIZE;
        Self(u64::from(dialect.msid.0) | chunk_size | no_audio | no_video | codecs)
    }
}

impl From<Variant> for Dialect {
    fn from(Variant(bits): Variant) -> Self {
        Self {
            // The low half is the id; the rest are flags, and the set of codecs.
            msid: MessageStreamId(bits as u32),
            chunk_size: (bits >> CHUNK_SIZE & CHUNK_SIZE_BITS) as u32,
            audio: bits & NO_AUDIO == 0,
            video: bits & NO_VIDEO == 0,
            codecs: (bits & ANNOUNCED != 0).then_some(Codecs((bits >> CODECS) as u16)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_variant_says_all_of_a_dialect() {
        let sets = [None, Some(Codecs::of(|_| false)), Some(Codecs::of(|_| true))];
        for (msid, codecs) in [0, 1, u32::MAX].into_iter().zip(sets) {
            for (audio, video) in [(true, true), (true, false), (false, true), (false, false)] {
                let (msid, chunk_size) = (MessageStreamId(msid), 65_536);
                let dialect = Dialect { msid, chunk_size, audio, video, codecs };
                assert_eq!(Dialect::from(Variant::from(dialect)), dialect);
            }
        }
    }

    fn taken(codecs: Option<&[FourCc]>, kind: TagKind, body: &'static [u8]) -> Option<Vec<u8>> {
        let codecs = codecs.map(|list| Codecs::of(|codec| list.contains(&codec)));
        let dialect = Dialect { codecs, ..Dialect::new(MessageStreamId(1), 60_000) };
        let body = Bytes::from_static(body);
        let frame = Frame::new(kind, Duration::ZERO, body, Instant::now());
        dialect.body(&frame).map(Cow::into_owned)
    }

    const HEVC_FRAME: &[u8] = b"\x93hvc1\0\0\0\x02\x26\x01";
    const HEVC_FRAME_OLD: &[u8] = b"\x1c\x01\0\0\0\0\0\0\x02\x26\x01";
    const OPUS_FRAME: &[u8] = b"\x91Opus\xfc\xff\xfe";

    #[test]
    fn a_player_that_announced_nothing_gets_what_was_published() {
        for body in [HEVC_FRAME, HEVC_FRAME_OLD] {
            assert_eq!(taken(None, TagKind::Video, body).unwrap(), body);
        }
        assert_eq!(taken(None, TagKind::Audio, OPUS_FRAME).unwrap(), OPUS_FRAME);
    }

    #[test]
    fn a_codec_that_was_announced_comes_in_the_enhanced_form() {
        let hevc: &[_] = &[FourCc::HEVC, FourCc::OPUS];
        assert_eq!(taken(Some(hevc), TagKind::Video, HEVC_FRAME).unwrap(), HEVC_FRAME);
        assert_eq!(taken(Some(hevc), TagKind::Video, HEVC_FRAME_OLD).unwrap(), HEVC_FRAME);
        assert_eq!(taken(Some(hevc), TagKind::Audio, OPUS_FRAME).unwrap(), OPUS_FRAME);
    }

    #[test]
    fn a_codec_that_was_not_announced_comes_in_the_old_form_or_not_at_all() {
        let other: &[_] = &[FourCc::VP9];
        assert_eq!(taken(Some(other), TagKind::Video, HEVC_FRAME).unwrap(), HEVC_FRAME_OLD);
        assert_eq!(taken(Some(other), TagKind::Video, HEVC_FRAME_OLD).unwrap(), HEVC_FRAME_OLD);
        assert_eq!(taken(Some(other), TagKind::Audio, OPUS_FRAME), None);
        let avc: &[u8] = b"\x17\x01\0\0\0\0\0\0\x02\x65\x01";
        assert_eq!(taken(Some(other), TagKind::Video, avc).unwrap(), avc);
    }

    #[test]
    fn a_codec_nobody_knows_goes_through() {
        let screen: &[u8] = b"\x13\x01\x02";
        assert_eq!(taken(Some(&[]), TagKind::Video, screen).unwrap(), screen);
    }
}
