//! What a stream carries: its codecs, its frames, its rate.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use flv_mux::{
    AudioObjectType, AudioSpecificConfig, AudioTagHeader, AvcDecoderConfigurationRecord, FourCc,
    Limits, Sbr, SoundFormat, SoundRate, Sps, TagKind, VideoCodecId, VideoFormat, VideoTagHeader,
};

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

/// A stream's video, in the words of SRS's API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VideoInfo {
    /// The codec: `H264`, `HEVC`, …
    pub codec: String,
    /// The profile: `High`, …; empty where it isn't known.
    pub profile: String,
    /// The level: `3.1`, …; empty where it isn't known.
    pub level: String,
    /// Width of the picture after cropping, pixels; 0 where it isn't known.
    pub width: u32,
    /// Height of the picture after cropping, pixels; 0 where it isn't known.
    pub height: u32,
}

/// A stream's audio, in the words of SRS's API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AudioInfo {
    /// The codec: `AAC`, `MP3`, …
    pub codec: String,
    /// Samples per second as they are played; 0 where it isn't known.
    pub sample_rate: u32,
    /// Channels; 0 where it isn't known.
    pub channels: usize,
    /// The profile: `LC`, …; empty where there is none.
    pub profile: String,
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

    pub(super) fn note_frame(&self) {
        self.frames.fetch_add(1, Relaxed);
    }

    /// Notes how much of its publisher's stream there was: time on its clock, and bytes.
    pub(super) fn note_age(&self, age: Duration, bytes: u64) {
        self.age_ms.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.bytes.store(bytes, Relaxed);
    }

    /// Notes the first audio message, and every configuration: its header and payload.
    pub(super) fn note_audio(&self, message: Option<(AudioTagHeader, &[u8])>) {
        self.has_audio.store(true, Relaxed);
        *lock(&self.audio) = message.map(|(header, payload)| AudioInfo::new(header, payload));
    }

    /// Notes the first video message, and every configuration: its header and payload.
    pub(super) fn note_video(&self, message: Option<(VideoTagHeader, &[u8])>) {
        self.has_video.store(true, Relaxed);
        *lock(&self.video) = message.map(|(header, payload)| VideoInfo::new(header, payload));
    }
}

impl VideoInfo {
    /// Reads a video message: its header and what follows.
    fn new(header: VideoTagHeader, payload: &[u8]) -> Self {
        let codec = match (header.four_cc(), header.format) {
            (Some(FourCc::AVC), _) => "H264".to_owned(),
            (Some(FourCc::HEVC), _) => "HEVC".to_owned(),
            (Some(FourCc::AV1), _) => "AV1".to_owned(),
            (Some(FourCc::VP8), _) => "VP8".to_owned(),
            (Some(FourCc::VP9), _) => "VP9".to_owned(),
            (Some(FourCc::VVC), _) => "VVC".to_owned(),
            (Some(other), _) => other.to_string(),
            (None, VideoFormat::Plain(VideoCodecId::H263)) => "H263".to_owned(),
            (None, VideoFormat::Plain(VideoCodecId::Vp6)) => "VP6".to_owned(),
            (None, VideoFormat::Plain(VideoCodecId::Vp6Alpha)) => "VP6Alpha".to_owned(),
            _ => "Other".to_owned(),
        };
        let mut info = Self { codec, ..Self::default() };
        if header.is_sequence_header()
            && header.four_cc() == Some(FourCc::AVC)
            && let Ok(record) = AvcDecoderConfigurationRecord::decode(payload)
        {
            info.profile = avc_profile(record.profile, record.compatibility).to_owned();
            info.level = format!("{}.{}", record.level / 10, record.level % 10);
            let sps = record.sps.first().map(|sps| Sps::decode(sps, &Limits::default()));
            if let Some(Ok(sps)) = sps {
                (info.width, info.height) = (sps.width, sps.height);
            }
        }
        info
    }
}

/// The name of an H.264 profile (ITU-T H.264, annex A.2).
fn avc_profile(profile: u8, constraints: u8) -> &'static str {
    match profile {
        66 if constraints & 0x40 != 0 => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4 Predictive",
        _ => "Other",
    }
}

impl AudioInfo {
    /// Reads an audio message: its header and what follows.
    fn new(header: AudioTagHeader, payload: &[u8]) -> Self {
        let mut info = match header {
            AudioTagHeader::Plain { format, rate, is_stereo, .. } => Self {
                codec: sound_format(format).to_owned(),
                sample_rate: sample_rate(format, rate),
                channels: 1 + usize::from(is_stereo),
                profile: String::new(),
            },
            _ => Self {
                codec: match header.four_cc() {
                    Some(FourCc::AAC) => "AAC".to_owned(),
                    Some(FourCc::MP3) => "MP3".to_owned(),
                    Some(FourCc::OPUS) => "Opus".to_owned(),
                    Some(FourCc::FLAC) => "FLAC".to_owned(),
                    Some(FourCc::AC3) => "AC3".to_owned(),
                    Some(FourCc::EAC3) => "EAC3".to_owned(),
                    Some(other) => other.to_string(),
                    None => "Other".to_owned(),
                },
                ..Self::default()
            },
        };
        if header.is_sequence_header()
            && header.four_cc() == Some(FourCc::AAC)
            && let Ok(config) = AudioSpecificConfig::decode(payload)
        {
            info.sample_rate = config.output_sample_rate();
            info.channels = config.channels().unwrap_or(0);
            info.profile = aac_profile(&config).to_owned();
        }
        info
    }
}

fn aac_profile(config: &AudioSpecificConfig) -> &'static str {
    match (config.object_type, config.sbr) {
        (_, Sbr::Hierarchical { ps: true, .. })
        | (_, Sbr::BackwardCompatible { ps: Some(true), .. }) => "HEv2",
        (_, Sbr::Hierarchical { .. } | Sbr::BackwardCompatible { .. }) => "HE",
        (AudioObjectType(1), _) => "Main",
        (AudioObjectType(2), _) => "LC",
        (AudioObjectType(3), _) => "SSR",
        _ => "Other",
    }
}

fn sound_format(format: SoundFormat) -> &'static str {
    match format {
        SoundFormat::Aac => "AAC",
        SoundFormat::Mp3 | SoundFormat::Mp38k => "MP3",
        SoundFormat::Opus => "Opus",
        SoundFormat::Speex => "Speex",
        SoundFormat::G711ALaw => "G711A",
        SoundFormat::G711MuLaw => "G711U",
        SoundFormat::LinearPcm | SoundFormat::LinearPcmLe => "PCM",
        _ => "Other",
    }
}

/// The rate that an audio tag header says, Hz.
fn sample_rate(format: SoundFormat, rate: SoundRate) -> u32 {
    match (format, rate) {
        (SoundFormat::Mp38k | SoundFormat::G711ALaw | SoundFormat::G711MuLaw, _) => 8_000,
        (SoundFormat::Speex, _) => 16_000,
        (_, SoundRate::Khz5) => 5_512,
        (_, SoundRate::Khz11) => 11_025,
        (_, SoundRate::Khz22) => 22_050,
        (_, SoundRate::Khz44) => 44_100,
        _ => 0,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
