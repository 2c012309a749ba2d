//! From a publisher's messages to the stream's frames.

use std::time::{Duration, Instant};

use bytes::Bytes;
use flv_mux::{AudioTagHeader, FourCc, TagKind, VideoTagHeader};
use rtmp_proto::{MediaKind, MediaMessage};

use stream_hub::Slot;

use super::{Frame, MediaInfo, clock::Clock, mix::Mix, repair::Repair, slot};

/// Audio alone is a place to join when there was no video for this long.
const VIDEO_GONE: Duration = Duration::from_secs(10);

/// What is mended of a publisher's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestOptions {
    /// Which timestamps players see.
    pub timestamps: Timestamps,
    /// Whether metadata with `bravo_atc` asks for [`Timestamps::Original`].
    pub atc_auto: bool,
    /// Whether audio and video are put into the order of their timestamps.
    pub mix_correct: bool,
    /// Whether a sequence header that says nothing new is left out.
    pub reduce_sequence_header: bool,
    /// Whether parameter sets are read for the picture's size.
    pub parse_sps: bool,
    /// Whether NAL units behind start codes are mended.
    pub annexb: bool,
}

/// Which timestamps players see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamps {
    /// The stream's clock: from 0, over jumps and returns of the publisher.
    Clock,
    /// The publisher's, less its first.
    FromZero,
    /// The publisher's.
    Original,
}

impl IngestOptions {
    /// As a vhost has it.
    pub fn new(vhost: &srs_config::Vhost) -> Self {
        let (play, publish) = (&vhost.play, &vhost.publish);
        Self {
            timestamps: match play.time_jitter.as_str() {
                _ if play.atc => Timestamps::Original,
                "off" => Timestamps::Original,
                "zero" => Timestamps::FromZero,
                _ => Timestamps::Clock,
            },
            atc_auto: play.atc_auto,
            mix_correct: play.mix_correct,
            reduce_sequence_header: play.reduce_sequence_header,
            parse_sps: publish.parse_sps,
            annexb: publish.try_annexb_first,
        }
    }
}

/// Makes frames of one publisher's messages.
#[derive(Debug)]
pub struct Ingest {
    options: IngestOptions,
    mix: Mix,
    /// The publisher's first timestamp of a frame, and its latest.
    raw: Option<(u32, u32)>,
    /// The sequence headers in force, where they are compared.
    headers: Vec<(Slot, Bytes)>,
    clock: Clock,
    /// When the last video frame was, on the stream's clock.
    last_video: Option<Duration>,
    /// When this publisher's first frame was.
    first: Option<Duration>,
    bytes: u64,
    /// Whether all of the audio is told, and of which codec.
    audio_told: bool,
    audio_codec: Option<FourCc>,
    video_told: bool,
    video_codec: Option<FourCc>,
    repair: Repair,
}

impl Ingest {
    /// Frames of a publisher that goes on after `resume` on the stream's clock.
    pub fn new(options: IngestOptions, resume: Option<Duration>) -> Self {
        Self::with(options, Clock::new(resume))
    }

    /// Frames of messages whose timestamps are the stream's already; `time` is that of the first, whole.
    pub fn at(options: IngestOptions, time: Duration) -> Self {
        Self::with(options, Clock::at(time))
    }

    fn with(options: IngestOptions, clock: Clock) -> Self {
        Self {
            options,
            mix: Mix::default(),
            raw: None,
            headers: Vec::new(),
            clock,
            last_video: None,
            first: None,
            bytes: 0,
            audio_told: false,
            audio_codec: None,
            video_told: false,
            video_codec: None,
            repair: Repair::new(),
        }
    }

    /// Takes `message`, and gives the frames that are due to `each`: none for a message without a
    /// body, which says nothing, or one whose place in the order isn't known yet.
    ///
    /// # Errors
    /// That of `each`.
    pub fn push<E>(
        &mut self,
        message: MediaMessage,
        now: Instant,
        media: &MediaInfo,
        mut each: impl FnMut(Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        if message.payload.is_empty() {
            return Ok(());
        }
        if !self.options.mix_correct || message.kind == MediaKind::Data {
            return self.frame(message, now, media).map_or(Ok(()), each);
        }
        self.mix.push(message);
        while let Some(message) = self.mix.pop() {
            self.frame(message, now, media).map_or(Ok(()), &mut each)?;
        }
        Ok(())
    }

    /// Gives the frames that were held back to `each`, since nothing more comes.
    ///
    /// # Errors
    /// That of `each`.
    pub fn finish<E>(
        &mut self,
        now: Instant,
        media: &MediaInfo,
        mut each: impl FnMut(Frame) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(message) = self.mix.first() {
            self.frame(message, now, media).map_or(Ok(()), &mut each)?;
        }
        Ok(())
    }

    /// The frame that `message` is; `None` for one that is left out.
    fn frame(&mut self, message: MediaMessage, now: Instant, media: &MediaInfo) -> Option<Frame> {
        let MediaMessage { kind, timestamp, payload: body } = message;
        self.bytes += body.len() as u64;
        let mut frame = match kind {
            MediaKind::Data => self.script(body, now),
            MediaKind::Audio => self.audio(timestamp, body, now, media),
            MediaKind::Video => self.video(timestamp, body, now, media),
        };
        if let Some(slot) = frame.config_slot {
            if self.options.reduce_sequence_header && !self.is_new(slot, &frame.body) {
                return None;
            }
        } else {
            let age = frame.time.saturating_sub(*self.first.get_or_insert(frame.time));
            media.note_age(age, self.bytes);
        }
        frame.timestamp = self.timestamp(&frame, timestamp);
        Some(frame)
    }

    /// The timestamp that players see.
    fn timestamp(&mut self, frame: &Frame, raw: u32) -> u32 {
        let is_timed = frame.kind != TagKind::Script && frame.config_slot.is_none();
        if is_timed {
            self.raw = Some((self.raw.map_or(raw, |(first, _)| first), raw));
        }
        // Configuration belongs where the frames are, whatever its own timestamp.
        let (first, latest) = self.raw.unwrap_or((raw, raw));
        match self.options.timestamps {
            // It wraps at 32 bits, after 49.7 days.
            Timestamps::Clock => frame.time.as_millis() as u32,
            Timestamps::FromZero => latest.wrapping_sub(first),
            Timestamps::Original => latest,
        }
    }

    /// Whether configuration is another than that in force, which it then is.
    fn is_new(&mut self, slot: Slot, body: &Bytes) -> bool {
        if slot == slot::METADATA {
            return true;
        }
        match self.headers.iter_mut().find(|(other, _)| *other == slot) {
            Some((_, header)) if header == body => false,
            Some((_, header)) => {
                header.clone_from(body);
                true
            }
            None => {
                self.headers.push((slot, body.clone()));
                true
            }
        }
    }

    fn script(&mut self, body: Bytes, now: Instant) -> Frame {
        let is_metadata = body.starts_with(b"\x02\x00\x0aonMetaData");
        if is_metadata && self.options.atc_auto && asks_for_atc(&body) {
            self.options.timestamps = Timestamps::Original;
        }
        self.config(TagKind::Script, is_metadata.then_some(slot::METADATA), body, now)
    }

    fn audio(&mut self, timestamp: u32, body: Bytes, now: Instant, media: &MediaInfo) -> Frame {
        let header = AudioTagHeader::decode(&body).ok();
        let slot = header.and_then(|(header, offset)| slot::of_audio(header, &body[offset..]));
        let is_other = header.is_some_and(|(header, offset)| {
            header.four_cc() != self.audio_codec
                && header.is_frame()
                && slot::audio_track(header, &body[offset..]) == 0
        });
        if slot == Some(slot::AUDIO) || is_other || !self.audio_told {
            self.audio_codec = header.and_then(|(header, _)| header.four_cc());
            let message = header.map(|(header, offset)| (header, &body[offset..]));
            let is_frame = header.is_none_or(|(header, _)| header.is_frame());
            self.audio_told = media.note_audio(message) || is_frame;
        }
        if slot.is_some() {
            return self.config(TagKind::Audio, slot, body, now);
        }
        let time = self.clock.time(TagKind::Audio, timestamp, now);
        let alone = self.last_video.is_none_or(|video| time > video + VIDEO_GONE);
        Frame { is_join_point: alone, ..Frame::new(TagKind::Audio, time, body, now) }
    }

    fn video(&mut self, timestamp: u32, body: Bytes, now: Instant, media: &MediaInfo) -> Frame {
        let header = VideoTagHeader::decode(&body).ok();
        let body = match header {
            Some((header, offset)) if self.options.annexb => {
                self.repair.video(header, offset, body)
            }
            _ => body,
        };
        let slot = header.and_then(|(header, offset)| slot::of_video(header, &body[offset..]));
        let is_other = header.is_some_and(|(header, offset)| {
            header.four_cc() != self.video_codec
                && header.is_frame()
                && slot::video_track(header, &body[offset..]) == 0
        });
        if slot == Some(slot::VIDEO) || is_other || !self.video_told {
            self.video_told = true;
            self.video_codec = header.and_then(|(header, _)| header.four_cc());
            let message = header.map(|(header, offset)| (header, &body[offset..]));
            media.note_video(message, self.options.parse_sps);
        }
        if slot.is_some() {
            return self.config(TagKind::Video, slot, body, now);
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
        Frame { is_join_point, ..Frame::new(TagKind::Video, time, body, now) }
    }

    /// What has no time of its own. It stays as long as the stream, and so has its own memory.
    fn config(&self, kind: TagKind, config_slot: Option<Slot>, body: Bytes, now: Instant) -> Frame {
        let body = if config_slot.is_some() { Bytes::copy_from_slice(&body) } else { body };
        Frame { config_slot, ..Frame::new(kind, self.clock.current(), body, now) }
    }
}

/// Whether metadata has a property `bravo_atc` that is set: to the text `true`, as encoders do, or
/// to a boolean.
fn asks_for_atc(body: &[u8]) -> bool {
    const NAME: &[u8] = b"\x00\x09bravo_atc";
    let at = body.windows(NAME.len()).position(|window| window == NAME);
    let value = at.and_then(|at| body.get(at + NAME.len()..)).unwrap_or_default();
    value.starts_with(b"\x02\x00\x04true") || value.starts_with(b"\x01\x01")
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
        frames_by(|_| {}, messages)
    }

    /// The frames made with options that `change` changed.
    fn frames_by(
        change: impl FnOnce(&mut srs_config::Vhost),
        messages: &[(MediaKind, u32, &'static [u8])],
    ) -> Vec<Option<Frame>> {
        let mut vhost = srs_config::Vhost::default();
        change(&mut vhost);
        let mut ingest = Ingest::new(IngestOptions::new(&vhost), None);
        let (media, now) = (MediaInfo::default(), Instant::now());
        messages
            .iter()
            .map(|&(kind, timestamp, body)| {
                let message = MediaMessage { kind, timestamp, payload: Bytes::from_static(body) };
                let mut frame = None;
                let each = |made| {
                    frame = Some(made);
                    Ok::<_, ()>(())
                };
                ingest.push(message, now, &media, each).unwrap();
                frame
            })
            .collect()
    }

    fn timestamps(frames: &[Option<Frame>]) -> Vec<u32> {
        frames.iter().flatten().map(|frame| frame.timestamp).collect()
    }

    #[test]
    fn players_see_the_clock_or_what_the_publisher_sent() {
        let messages = [
            (MediaKind::Video, 0, VIDEO_HEADER),
            (MediaKind::Video, 70_000, KEYFRAME),
            (MediaKind::Audio, 0, AUDIO_HEADER),
            (MediaKind::Audio, 70_023, AUDIO),
            (MediaKind::Video, 100, KEYFRAME),
        ];
        let seen = |change: fn(&mut srs_config::Vhost)| timestamps(&frames_by(change, &messages));
        assert_eq!(seen(|_| {}), [0, 0, 0, 23, 63]);
        assert_eq!(seen(|v| v.play.atc = true), [0, 70_000, 70_000, 70_023, 100]);
        assert_eq!(seen(|v| v.play.time_jitter = "off".into()), [0, 70_000, 70_000, 70_023, 100]);
        let back = 100_u32.wrapping_sub(70_000);
        assert_eq!(seen(|v| v.play.time_jitter = "zero".into()), [0, 0, 0, 23, back]);
    }

    #[test]
    fn metadata_may_ask_for_the_publishers_timestamps() {
        const METADATA: &[u8] =
            b"\x02\x00\x0aonMetaData\x08\0\0\0\x01\0\x09bravo_atc\x02\0\x04true\0\0\x09";
        let messages = [(MediaKind::Data, 0, METADATA), (MediaKind::Video, 70_000, KEYFRAME)];
        let seen = |change: fn(&mut srs_config::Vhost)| timestamps(&frames_by(change, &messages));
        assert_eq!(seen(|_| {}), [0, 0]);
        assert_eq!(seen(|v| v.play.atc_auto = true), [0, 70_000]);
    }

    #[test]
    fn a_sequence_header_that_says_nothing_new_may_be_left_out() {
        const OTHER: &[u8] = &[0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x20, 0xff, 0xe0, 0];
        let messages =
            [VIDEO_HEADER, VIDEO_HEADER, AUDIO_HEADER, OTHER, OTHER, VIDEO_HEADER].map(|body| {
                (if body == AUDIO_HEADER { MediaKind::Audio } else { MediaKind::Video }, 0, body)
            });
        let sent =
            |frames: Vec<Option<Frame>>| -> Vec<_> { frames.iter().map(Option::is_some).collect() };
        assert_eq!(sent(frames(&messages)), [true; 6]);
        let reduced = frames_by(|v| v.play.reduce_sequence_header = true, &messages);
        assert_eq!(sent(reduced), [true, false, true, true, false, true]);
    }

    /// Not all codecs have a sequence header that says so.
    #[test]
    fn codecs_that_change_are_told() {
        const MP3: &[u8] = &[0x2f, 0xff, 0xfb, 0x90];
        const VP6: &[u8] = &[0x14, 0, 0, 0, 1, 9];
        // Of another track, which is not what the API tells of.
        const OPUS: &[u8] = b"\x95\x01Opus\x01\xfc";
        let mut ingest = Ingest::new(IngestOptions::new(&srs_config::Vhost::default()), None);
        let (media, now) = (MediaInfo::default(), Instant::now());
        let mut codecs = |kind, body| {
            let message = MediaMessage { kind, timestamp: 0, payload: Bytes::from_static(body) };
            ingest.push(message, now, &media, |_| Ok::<_, ()>(())).unwrap();
            let (audio, video) = (media.audio(), media.video());
            (
                video.map_or_else(String::new, |v| v.codec),
                audio.map_or_else(String::new, |a| a.codec),
            )
        };
        for (kind, body, video, audio) in [
            (MediaKind::Video, VIDEO_HEADER, "H264", ""),
            (MediaKind::Video, KEYFRAME, "H264", ""),
            (MediaKind::Audio, AUDIO_HEADER, "H264", "AAC"),
            (MediaKind::Audio, OPUS, "H264", "AAC"),
            (MediaKind::Audio, MP3, "H264", "MP3"),
            (MediaKind::Video, VP6, "VP6", "MP3"),
            (MediaKind::Audio, AUDIO_HEADER, "VP6", "AAC"),
        ] {
            assert_eq!(codecs(kind, body), (video.to_owned(), audio.to_owned()), "{body:?}");
        }
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
