//! What a player takes of a stream: the variant of the RTMP lane that it reads.

use flv_mux::TagKind;
use rtmp_proto::MessageStreamId;
use stream_hub::Variant;

/// What a player takes of a stream. Players that take the same share one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The message stream it plays on.
    pub msid: MessageStreamId,
    /// Whether it wants audio (`receiveAudio`).
    pub audio: bool,
    /// Whether it wants video (`receiveVideo`).
    pub video: bool,
}

const NO_AUDIO: u64 = 1 << 32;
const NO_VIDEO: u64 = 1 << 33;

impl Dialect {
    /// Everything, on this message stream.
    pub fn new(msid: MessageStreamId) -> Self {
        Self { msid, audio: true, video: true }
    }

    /// Whether frames of this kind are wanted.
    pub fn takes(self, kind: TagKind) -> bool {
        match kind {
            TagKind::Audio => self.audio,
            TagKind::Video => self.video,
            _ => true,
        }
    }
}

impl From<Dialect> for Variant {
    fn from(dialect: Dialect) -> Self {
        let no_audio = if dialect.audio { 0 } else { NO_AUDIO };
        let no_video = if dialect.video { 0 } else { NO_VIDEO };
        Self(u64::from(dialect.msid.0) | no_audio | no_video)
    }
}

impl From<Variant> for Dialect {
    fn from(Variant(bits): Variant) -> Self {
        Self {
            // The low half is the id; the rest are flags.
            msid: MessageStreamId(bits as u32),
            audio: bits & NO_AUDIO == 0,
            video: bits & NO_VIDEO == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_says_all_of_a_dialect() {
        for msid in [0, 1, u32::MAX] {
            for (audio, video) in [(true, true), (true, false), (false, true), (false, false)] {
                let dialect = Dialect { msid: MessageStreamId(msid), audio, video };
                assert_eq!(Dialect::from(Variant::from(dialect)), dialect);
            }
        }
        assert_eq!(Variant::from(Dialect::new(MessageStreamId(1))), Variant(1));
    }
}
