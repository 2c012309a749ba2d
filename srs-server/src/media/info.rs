//! What a stream carries: its codecs, its frames, its rate.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use flv_mux::{AudioTagHeader, TagKind, VideoTagHeader};

use super::{AudioInfo, VideoInfo};

/// After this much of a stream, what it has not shown it doesn't have.
const SETTLED: Duration = Duration::from_secs(1);

/// What a stream carries; written by its publisher's connection, read by all.
#[derive(Debug, Default)]
pub struct MediaInfo {
    has_audio: AtomicBool,
    has_video: AtomicBool,
    frames: AtomicU64,
    age_ms: AtomicU64,
    bytes: AtomicU64,
    audio: Mutex<Option<AudioInfo>>,
    video: Mutex<Option<VideoInfo>>,
}

impl MediaInfo {
    /// Whether the stream has shown audio, or video.
    pub fn has(&self, kind: TagKind) -> bool {
        match kind {
            TagKind::Audio => self.has_audio.load(Relaxed),
            TagKind::Video => self.has_video.load(Relaxed),
            _ => false,
        }
    }

    /// Whether the publisher has sent enough for [`MediaInfo::has`] to be the whole truth.
    pub fn is_settled(&self) -> bool {
        u128::from(self.age_ms.load(Relaxed)) >= SETTLED.as_millis()
    }

    /// Video frames so far.
    pub fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// The rate of the stream on its own clock; 0 until it is settled.
    pub fn bytes_per_second(&self) -> usize {
        if !self.is_settled() {
            return 0;
        }
        let rate = self.bytes.load(Relaxed).saturating_mul(1000) / self.age_ms.load(Relaxed).max(1);
        usize::try_from(rate).unwrap_or(usize::MAX)
    }

    /// The audio, once its first message was seen.
    pub fn audio(&self) -> Option<AudioInfo> {
        lock(&self.audio).clone()
    }

    /// The video, once its first message was seen.
    pub fn video(&self) -> Option<VideoInfo> {
        lock(&self.video).clone()
    }

    /// Forgets the publisher before: the next may bring something else.
    pub fn restart(&self) {
        self.has_audio.store(false, Relaxed);
        self.has_video.store(false, Relaxed);
        self.age_ms.store(0, Relaxed);
        self.bytes.store(0, Relaxed);
        *lock(&self.audio) = None;
        *lock(&self.video) = None;
    }

    /// Notes the tracks of a publisher whose protocol tells them by itself.
    pub fn note_tracks(&self, video: Option<VideoInfo>, audio: Option<AudioInfo>) {
        self.has_video.store(video.is_some(), Relaxed);
        self.has_audio.store(audio.is_some(), Relaxed);
        *lock(&self.video) = video;
        *lock(&self.audio) = audio;
    }

    pub(super) fn note_frame(&self) {
        self.frames.fetch_add(1, Relaxed);
    }

    /// Notes how much of its publisher's stream there was: time on its clock, and bytes.
    pub(super) fn note_age(&self, age: Duration, bytes: u64) {
        self.age_ms.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.bytes.store(bytes, Relaxed);
    }

    /// Notes the first audio message, and every configuration: its header and payload. False
    /// where that doesn't tell the whole, as for codecs whose configuration is in each frame.
    pub(super) fn note_audio(&self, message: Option<(AudioTagHeader, &[u8])>) -> bool {
        self.has_audio.store(true, Relaxed);
        let info = message.map(|(header, payload)| AudioInfo::new(header, payload));
        let is_whole = info.as_ref().is_some_and(|info| info.sample_rate > 0);
        *lock(&self.audio) = info;
        is_whole
    }

    /// Notes the first video message, and every configuration: its header and payload, and
    /// whether parameter sets are read.
    pub(super) fn note_video(&self, message: Option<(VideoTagHeader, &[u8])>, parse_sps: bool) {
        self.has_video.store(true, Relaxed);
        *lock(&self.video) =
            message.map(|(header, payload)| VideoInfo::new(header, payload, parse_sps));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_publisher_has_nothing_of_the_last() {
        let media = MediaInfo::default();
        for (body, is_audio) in [(&[0x17, 1, 0, 0, 0, 0][..], false), (&[0x2f, 0xff, 0xfb], true)] {
            if is_audio {
                let (header, offset) = AudioTagHeader::decode(body).unwrap();
                media.note_audio(Some((header, &body[offset..])));
            } else {
                let (header, offset) = VideoTagHeader::decode(body).unwrap();
                media.note_video(Some((header, &body[offset..])), true);
                media.note_frame();
            }
        }
        media.note_age(Duration::from_secs(2), 1_000);
        let has = || [TagKind::Audio, TagKind::Video].map(|kind| media.has(kind));
        let codecs = || (media.video().map(|v| v.codec), media.audio().map(|a| a.codec));
        assert_eq!(codecs(), (Some("H264".to_owned()), Some("MP3".to_owned())));
        assert_eq!((has(), media.is_settled(), media.bytes_per_second()), ([true; 2], true, 500));
        media.restart();
        assert_eq!(codecs(), (None, None));
        assert_eq!((has(), media.is_settled(), media.bytes_per_second()), ([false; 2], false, 0));
        // They are the stream's, not the publisher's.
        assert_eq!(media.frames(), 1);
    }
}
