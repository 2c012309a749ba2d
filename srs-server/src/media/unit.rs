//! What a frame carries, whatever form its body has: the outputs that take codecs apart begin here.

use flv_mux::{
    AudioTagHeader, EnhancedAudio, EnhancedVideo, FourCc, TagKind, VideoFormat, VideoTagHeader,
};

use super::Frame;

/// What a frame's default track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit<'a> {
    /// Audio or video.
    pub(crate) kind: TagKind,
    /// The codec; `None` for those that have no FourCC.
    pub(crate) codec: Option<FourCc>,
    pub(crate) role: Role,
    /// The codec's own bytes.
    pub(crate) data: &'a [u8],
}

/// What a [`Unit`] is to its codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The decoder's configuration.
    Config,
    /// A frame.
    Frame {
        /// Whether decoding can start here; of video.
        is_key: bool,
        /// Presentation time minus decoding time, milliseconds.
        composition_time: i32,
    },
}

impl<'a> Unit<'a> {
    /// The unit that `frame` carries; `None` for what is neither configuration nor a frame of the
    /// default track, and for what can't be read.
    pub(crate) fn of(frame: &'a Frame) -> Option<Self> {
        match frame.kind {
            TagKind::Audio => Self::of_audio(&frame.body),
            TagKind::Video => Self::of_video(&frame.body),
            _ => None,
        }
    }

    fn of_audio(body: &'a [u8]) -> Option<Self> {
        let (header, offset) = AudioTagHeader::decode(body).ok()?;
        let payload = body.get(offset..)?;
        let (header, data) = match header {
            AudioTagHeader::Enhanced { content: EnhancedAudio::Multitrack(tracks), .. } => {
                let track = default_track(tracks, payload)?;
                (header.of_track(&track), track.payload)
            }
            _ => (header, payload),
        };
        let role = match (header.is_sequence_header(), header.is_frame()) {
            (true, _) => Role::Config,
            (_, true) => Role::Frame { is_key: false, composition_time: 0 },
            _ => return None,
        };
        Some(Self { kind: TagKind::Audio, codec: header.four_cc(), role, data })
    }

    fn of_video(body: &'a [u8]) -> Option<Self> {
        let (header, offset) = VideoTagHeader::decode(body).ok()?;
        let payload = body.get(offset..)?;
        let (header, data) = match header.format {
            VideoFormat::Enhanced { content: EnhancedVideo::Multitrack(tracks), .. } => {
                let track = default_track(tracks, payload)?;
                let (header, offset) = header.of_track(&track).ok()?;
                (header, track.payload.get(offset..)?)
            }
            _ => (header, payload),
        };
        let role = match (header.is_sequence_header(), header.is_frame()) {
            (true, _) => Role::Config,
            (_, true) => Role::Frame {
                is_key: header.is_keyframe(),
                composition_time: header.composition_time(),
            },
            _ => return None,
        };
        Some(Self { kind: TagKind::Video, codec: header.four_cc(), role, data })
    }
}

fn default_track(tracks: flv_mux::Multitrack, payload: &[u8]) -> Option<flv_mux::Track<'_>> {
    tracks.tracks(payload).map_while(Result::ok).find(|track| track.id.0 == 0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::*;

    fn unit(kind: TagKind, body: &'static [u8]) -> Option<(Option<FourCc>, Role, Vec<u8>)> {
        let body = Bytes::from_static(body);
        let frame = Frame::new(kind, Duration::ZERO, body, Instant::now());
        Unit::of(&frame).map(|unit| (unit.codec, unit.role, unit.data.to_vec()))
    }

    #[test]
    fn the_old_and_the_enhanced_form_carry_the_same() {
        let key = Role::Frame { is_key: true, composition_time: 40 };
        let some = Some(FourCc::HEVC);
        let is = Some((some, key, vec![1, 2]));
        assert_eq!(unit(TagKind::Video, &[0x1c, 1, 0, 0, 40, 1, 2]), is);
        assert_eq!(unit(TagKind::Video, b"\x91hvc1\0\0\x28\x01\x02"), is);
        // One track of two: number 0, 5 bytes long, then number 1.
        let two = b"\x96\x11hvc1\x00\0\0\x05\0\0\x28\x01\x02\x01\0\0\x04\0\0\0\x09";
        assert_eq!(unit(TagKind::Video, two), is);
        assert_eq!(
            unit(TagKind::Video, &[0x1c, 0, 0, 0, 0, 7]),
            Some((some, Role::Config, vec![7]))
        );
    }

    #[test]
    fn other_tracks_and_what_is_no_frame_are_nothing() {
        assert_eq!(unit(TagKind::Audio, b"\x95\x01mp4a\x01\x21"), None);
        assert_eq!(unit(TagKind::Audio, b"\x92mp4a"), None);
        assert_eq!(unit(TagKind::Video, &[0x17, 2, 0, 0, 0]), None);
        assert_eq!(unit(TagKind::Video, &[0x17]), None);
        assert_eq!(unit(TagKind::Script, b"\x02\0\0"), None);
    }
}
