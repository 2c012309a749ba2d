//! The header in front of an FLV stream, which says whether there is audio and video.

use bytes::{Bytes, BytesMut};
use flv_mux::{TagKind, mux};
use srs_config::HttpRemux;

use crate::media::MediaInfo;

/// What the header of one response says, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlvHeader {
    /// Audio and video, once it is decided.
    has: Option<(bool, bool)>,
    /// Whether what it denies is left out.
    is_strict: bool,
}

impl FlvHeader {
    /// By a vhost's settings: what the stream has, or what they say.
    pub(super) fn new(remux: &HttpRemux) -> Self {
        let said = (remux.has_audio, remux.has_video);
        Self { has: (!remux.guess_has_av).then_some(said), is_strict: remux.drop_if_not_match }
    }

    /// The bytes, once it is known what the stream has; or at the latest, which is when `is_late`.
    pub(super) fn decide(&mut self, media: &MediaInfo, is_late: bool) -> Option<Bytes> {
        let (audio, video) = match self.has {
            Some(said) => said,
            None => {
                let (audio, video) = (media.has(TagKind::Audio), media.has(TagKind::Video));
                if !(audio && video || media.is_settled() || is_late) {
                    return None;
                }
                (audio, video)
            }
        };
        self.has = Some((audio, video));
        let mut header = BytesMut::with_capacity(mux::PREFIX_LEN);
        mux::encode_header(&mut header, audio, video);
        Some(header.freeze())
    }

    /// Whether a tag goes out.
    pub(super) fn admits(&self, kind: TagKind) -> bool {
        match (kind, self.has) {
            (TagKind::Audio, Some((false, _))) | (TagKind::Video, Some((_, false))) => {
                !self.is_strict
            }
            _ => true,
        }
    }

    /// Whether every tag goes out.
    pub(super) fn admits_all(&self) -> bool {
        [TagKind::Audio, TagKind::Video].into_iter().all(|kind| self.admits(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(change: impl FnOnce(&mut HttpRemux)) -> FlvHeader {
        let mut remux = HttpRemux::default();
        change(&mut remux);
        FlvHeader::new(&remux)
    }

    fn admitted(header: FlvHeader) -> [bool; 3] {
        [TagKind::Audio, TagKind::Video, TagKind::Script].map(|kind| header.admits(kind))
    }

    #[test]
    fn a_guess_waits_for_the_stream_to_show() {
        let media = MediaInfo::default();
        let mut guess = header(|_| {});
        assert_eq!(guess.decide(&media, false), None);
        assert_eq!(admitted(guess), [true; 3]);
        assert_eq!(guess.decide(&media, true).unwrap()[..5], *b"FLV\x01\x00");
        assert_eq!(admitted(guess), [false, false, true]);
    }

    #[test]
    fn settings_may_say_what_it_is() {
        let media = MediaInfo::default();
        let mut audio = header(|remux| (remux.guess_has_av, remux.has_video) = (false, false));
        assert_eq!(audio.decide(&media, false).unwrap()[..5], *b"FLV\x01\x04");
        assert_eq!(admitted(audio), [true, false, true]);
        let lenient = header(|remux| {
            (remux.guess_has_av, remux.has_audio) = (false, false);
            remux.drop_if_not_match = false;
        });
        assert_eq!(admitted(lenient), [true; 3]);
    }
}
