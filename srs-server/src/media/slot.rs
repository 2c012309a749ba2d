//! What of a stream is configuration: sent to a viewer before the place where it joins.

use flv_mux::{
    AudioPacketType, AudioTagHeader, EnhancedAudio, EnhancedVideo, VideoFormat, VideoPacketType,
    VideoTagHeader,
};
use stream_hub::Slot;

/// `onMetaData`.
pub(super) const METADATA: Slot = Slot(0);
/// The video sequence header of the default track.
pub(super) const VIDEO: Slot = Slot(Kind::Video as u8);
/// The audio sequence header of the default track.
pub(super) const AUDIO: Slot = Slot(Kind::Audio as u8);
/// Kinds of configuration that a track can have, each in a slot of its own.
const KINDS: u8 = 4;
/// Longer messages have no slots either: a stream holds one message for each, in every form of it
/// that is read.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// Tracks beyond this one have no slots: a viewer that joins gets their next configuration.
const MAX_TRACK: u8 = 62;

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The video sequence header.
    Video = 1,
    /// The audio sequence header.
    Audio,
    /// Colours and light (HDR).
    VideoMetadata,
    /// The order of audio channels.
    Channels,
}

fn slot(track: u8, kind: Kind) -> Option<Slot> {
    (track <= MAX_TRACK).then(|| Slot(track * KINDS + kind as u8))
}

/// The slot that a video message sets.
pub(super) fn of_video(header: VideoTagHeader, payload: &[u8]) -> Option<Slot> {
    if payload.len() > MAX_BYTES {
        return None;
    }
    let track = video_track(header, payload);
    match header.format {
        _ if header.is_sequence_header() => slot(track, Kind::Video),
        VideoFormat::Enhanced { packet_type: VideoPacketType::Metadata, .. } => {
            slot(track, Kind::VideoMetadata)
        }
        _ => None,
    }
}

/// The slot that an audio message sets.
pub(super) fn of_audio(header: AudioTagHeader, payload: &[u8]) -> Option<Slot> {
    if payload.len() > MAX_BYTES {
        return None;
    }
    let track = audio_track(header, payload);
    match header {
        AudioTagHeader::Enhanced { packet_type: AudioPacketType::SequenceStart, .. } => {
            slot(track, Kind::Audio)
        }
        AudioTagHeader::Enhanced { packet_type: AudioPacketType::MultichannelConfig, .. } => {
            slot(track, Kind::Channels)
        }
        _ if header.is_sequence_header() => slot(track, Kind::Audio),
        _ => None,
    }
}

/// The track of a video message; 0 is the default track, and that of messages that name none.
pub(super) fn video_track(header: VideoTagHeader, payload: &[u8]) -> u8 {
    match header.format {
        VideoFormat::Enhanced { content: EnhancedVideo::Multitrack(tracks), .. } => {
            first(tracks, payload)
        }
        _ => 0,
    }
}

/// The track of an audio message; 0 is the default track, and that of messages that name none.
pub(super) fn audio_track(header: AudioTagHeader, payload: &[u8]) -> u8 {
    match header {
        AudioTagHeader::Enhanced { content: EnhancedAudio::Multitrack(tracks), .. } => {
            first(tracks, payload)
        }
        _ => 0,
    }
}

/// The first track of a message that has several, or one with an id.
fn first(tracks: flv_mux::Multitrack, payload: &[u8]) -> u8 {
    tracks.tracks(payload).next().and_then(Result::ok).map_or(0, |track| track.id.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(body: &[u8]) -> Option<Slot> {
        let (header, offset) = VideoTagHeader::decode(body).unwrap();
        of_video(header, &body[offset..])
    }

    fn audio(body: &[u8]) -> Option<Slot> {
        let (header, offset) = AudioTagHeader::decode(body).unwrap();
        of_audio(header, &body[offset..])
    }

    #[test]
    fn every_kind_of_every_track_has_a_slot_of_its_own() {
        let slots = [
            video(&[0x17, 0, 0, 0, 0, 1]),
            video(b"\x90hvc1\x01"),
            video(b"\x94hvc1\x02"),
            // One track, number 1 and number 63.
            video(b"\x96\x00avc1\x01\x01"),
            video(b"\x96\x00avc1\x3f\x01"),
            video(b"\x91hvc1\0\0\0\x01"),
            audio(&[0xaf, 0, 0x12, 0x10]),
            audio(b"\x90OpusOpusHead"),
            audio(b"\x94Opus\x01\x02"),
            audio(b"\x95\x00mp4a\x01\x12\x10"),
            audio(b"\x91Opus\xfc"),
        ];
        let numbers = slots.map(|slot| slot.map(|Slot(number)| number));
        let some = Some;
        assert_eq!(
            numbers,
            [
                some(1),
                some(1),
                some(3),
                some(5),
                None,
                None,
                some(2),
                some(2),
                some(4),
                some(6),
                None
            ]
        );
    }

    /// 253 slots of 16 MiB each would be 4 GiB for one publisher.
    #[test]
    fn a_message_that_is_too_long_to_be_kept_has_no_slot() {
        for (len, is_kept) in [(MAX_BYTES, true), (MAX_BYTES + 1, false)] {
            let body = |header: &[u8]| [header, &vec![0; len][..]].concat();
            assert_eq!(video(&body(&[0x17, 0, 0, 0, 0])).is_some(), is_kept);
            assert_eq!(video(&body(b"\x94hvc1")).is_some(), is_kept);
            assert_eq!(audio(&body(&[0xaf, 0])).is_some(), is_kept);
        }
    }
}
