//! From a publisher's messages to the stream's frames.

use std::time::{Duration, Instant};

use bytes::Bytes;
use flv_mux::{AudioTagHeader, TagKind, VideoTagHeader};
use rtmp_proto::{MediaKind, MediaMessage};

use stream_hub::Slot;

use super::{Frame, MediaInfo, clock::Clock, repair::Repair, slot};

/// Audio alone is a place to join when there was no video for this long.
const VIDEO_GONE: Duration = Duration::from_secs(10);

/// Makes frames of one publisher's messages.
#[derive(Debug)]
pub struct Ingest {
    clock: Clock,
    /// When the last video frame was, on the stream's clock.
    last_video: Option<Duration>,
    /// When this publisher's first frame was.
    first: Option<Duration>,
    bytes: u64,
    audio_told: bool,
    video_told: bool,
    repair: Repair,
}

impl Ingest {
    /// Frames of a publisher that goes on after `resume` on the stream's clock.
    pub fn new(resume: Option<Duration>) -> Self {
        Self {
            clock: Clock::new(resume),
            last_video: None,
            first: None,
            bytes: 0,
            audio_told: false,
            video_told: false,
            repair: Repair::new(),
        }
    }

    /// The frame that `message` is; `None` for one without a body, which says nothing.
    pub fn frame(
        &mut self,
        message: MediaMessage,
        now: Instant,
        media: &MediaInfo,
    ) -> Option<Frame> {
        let MediaMessage { kind, timestamp, payload: body } = message;
        if body.is_empty() {
            return None;
        }
        self.bytes += body.len() as u64;
        let frame = match kind {
            MediaKind::Data => self.script(body),
            MediaKind::Audio => self.audio(timestamp, body, now, media),
            MediaKind::Video => self.video(timestamp, body, now, media),
        };
        if frame.config_slot.is_none() {
            let age = frame.time.saturating_sub(*self.first.get_or_insert(frame.time));
            media.note_age(age, self.bytes);
        }
        Some(frame)
    }

    fn script(&self, body: Bytes) -> Frame {
        let is_metadata = body.starts_with(b"\x02\x00\x0aonMetaData");
        Frame {
            kind: TagKind::Script,
            time: self.clock.current(),
            body,
            is_join_point: false,
            config_slot: is_metadata.then_some(slot::METADATA),
        }
    }

    fn audio(&mut self, timestamp: u32, body: Bytes, now: Instant, media: &MediaInfo) -> Frame {
        let header = AudioTagHeader::decode(&body).ok();
        let slot = header.and_then(|(header, offset)| slot::of_audio(header, &body[offset..]));
        if slot == Some(slot::AUDIO) || !self.audio_told {
            let message = header.map(|(header, offset)| (header, &body[offset..]));
            let is_frame = header.is_none_or(|(header, _)| header.is_frame());
            self.audio_told = media.note_audio(message) || is_frame;
        }
        if slot.is_some() {
            return self.config(TagKind::Audio, slot, body);
        }
        let time = self.clock.time(TagKind::Audio, timestamp, now);
        let alone = self.last_video.is_none_or(|video| time > video + VIDEO_GONE);
        Frame { kind: TagKind::Audio, time, body, is_join_point: alone, config_slot: None }
    }

    fn video(&mut self, timestamp: u32, body: Bytes, now: Instant, media: &MediaInfo) -> Frame {
        let header = VideoTagHeader::decode(&body).ok();
        let body = match header {
            Some((header, offset)) => self.repair.video(header, offset, body),
            None => body,
        };
        let slot = header.and_then(|(header, offset)| slot::of_video(header, &body[offset..]));
        if slot == Some(slot::VIDEO) || !self.video_told {
            self.video_told = true;
            media.note_video(header.map(|(header, offset)| (header, &body[offset..])));
        }
        if slot.is_some() {
            return self.config(TagKind::Video, slot, body);
        }
        media.note_frame();
        let time = self.clock.time(TagKind::Video, timestamp, now);
        self.last_video = Some(time);
        let is_join_point = header.is_some_and(|(header, offset)| {
            // Of several tracks the default one says where to begin.
            header.is_keyframe()
                && header.is_frame()
                && slot::video_track(header, &body[offset..]) == 0
        });
        Frame { kind: TagKind::Video, time, body, is_join_point, config_slot: None }
    }

    fn config(&self, kind: TagKind, config_slot: Option<Slot>, body: Bytes) -> Frame {
        let time = self.clock.current();
        Frame { kind, time, body, is_join_point: false, config_slot }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f, 0xff, 0xe0, 0];
    const KEYFRAME: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65];
    const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41];
    const AUDIO_HEADER: &[u8] = &[0xaf, 0, 0x12, 0x10];
    const AUDIO: &[u8] = &[0xaf, 1, 0x21];

    fn frames(messages: &[(MediaKind, u32, &'static [u8])]) -> Vec<Option<Frame>> {
        let (mut ingest, media) = (Ingest::new(None), MediaInfo::default());
        let now = Instant::now();
        messages
            .iter()
            .map(|&(kind, timestamp, body)| {
                let payload = Bytes::from_static(body);
                ingest.frame(MediaMessage { kind, timestamp, payload }, now, &media)
            })
            .collect()
    }

    fn join_points(messages: &[(MediaKind, u32, &'static [u8])]) -> Vec<bool> {
        frames(messages).into_iter().map(|frame| frame.unwrap().is_join_point).collect()
    }

    #[test]
    fn headers_and_metadata_are_configuration() {
        let slots: Vec<_> = frames(&[
            (MediaKind::Data, 0, b"\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09"),
            (MediaKind::Video, 0, VIDEO_HEADER),
            (MediaKind::Audio, 0, AUDIO_HEADER),
            (MediaKind::Data, 0, b"\x02\x00\x0aonTextData\x05"),
            (MediaKind::Video, 0, KEYFRAME),
        ])
        .into_iter()
        .map(|frame| frame.unwrap().config_slot)
        .collect();
        assert_eq!(slots, [Some(Slot(0)), Some(Slot(1)), Some(Slot(2)), None, None]);
    }

    #[test]
    fn viewers_join_at_keyframes_where_there_is_video() {
        let messages = [
            (MediaKind::Video, 0, VIDEO_HEADER),
            (MediaKind::Video, 0, KEYFRAME),
            (MediaKind::Audio, 10, AUDIO),
            (MediaKind::Video, 40, INTER),
            (MediaKind::Video, 80, KEYFRAME),
        ];
        assert_eq!(join_points(&messages), [false, true, false, false, true]);
    }

    #[test]
    fn viewers_join_anywhere_in_audio_alone_until_video_comes() {
        let messages = [
            (MediaKind::Audio, 0, AUDIO_HEADER),
            (MediaKind::Audio, 0, AUDIO),
            (MediaKind::Video, 5, KEYFRAME),
            (MediaKind::Audio, 23, AUDIO),
            (MediaKind::Audio, 9_000, AUDIO),
            (MediaKind::Audio, 18_000, AUDIO),
        ];
        assert_eq!(join_points(&messages), [false, true, true, false, false, true]);
    }

    #[test]
    fn headers_do_not_start_the_clock() {
        let times: Vec<_> = frames(&[
            (MediaKind::Video, 0, VIDEO_HEADER),
            (MediaKind::Video, 70_000, KEYFRAME),
            (MediaKind::Audio, 0, AUDIO_HEADER),
            (MediaKind::Audio, 70_023, AUDIO),
        ])
        .into_iter()
        .map(|frame| frame.unwrap().time.as_millis())
        .collect();
        assert_eq!(times, [0, 0, 0, 23]);
    }

    #[test]
    fn an_empty_message_is_no_frame() {
        assert!(frames(&[(MediaKind::Audio, 0, b"")])[0].is_none());
    }

    #[test]
    fn a_codec_nobody_knows_passes_untouched() {
        let body: &[u8] = &[0x1e, 0xde, 0xad, 0xbe, 0xef];
        let frame = frames(&[(MediaKind::Video, 7, body)]).remove(0).unwrap();
        assert_eq!(frame.body, body);
        assert!(frame.is_join_point);
    }
}
