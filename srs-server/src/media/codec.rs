//! What a stream's codecs are, for people: read from the first messages and every configuration.

use flv_mux::{
    Ac3Frame, AudioObjectType, AudioSpecificConfig, AudioTagHeader, Av1CodecConfigurationRecord,
    AvcDecoderConfigurationRecord, FlacStreamInfo, FourCc, HevcDecoderConfigurationRecord,
    HevcNalUnitType, HevcSps, Limits, OpusHead, Sbr, SoundFormat, SoundRate, Sps, VideoCodecId,
    VideoFormat, VideoTagHeader, VpCodecConfigurationRecord,
};

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

impl VideoInfo {
    /// Reads a video message: its header and what follows, parameter sets only if it is asked to.
    pub(super) fn new(header: VideoTagHeader, payload: &[u8], parse_sps: bool) -> Self {
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
        if header.is_sequence_header() {
            // A configuration that can't be read leaves the details out.
            match header.four_cc() {
                Some(FourCc::AVC) => info.read_avc(payload, parse_sps),
                Some(FourCc::HEVC) => info.read_hevc(payload, parse_sps),
                Some(FourCc::AV1) => info.read_av1(payload, parse_sps),
                Some(FourCc::VP8 | FourCc::VP9) => info.read_vp(payload),
                _ => None,
            };
        }
        info
    }

    fn read_avc(&mut self, payload: &[u8], parse_sps: bool) -> Option<()> {
        let record = AvcDecoderConfigurationRecord::decode(payload).ok()?;
        self.profile = avc_profile(record.profile, record.compatibility).to_owned();
        self.level = format!("{}.{}", record.level / 10, record.level % 10);
        if !parse_sps {
            return Some(());
        }
        let sps = Sps::decode(record.sps.first()?, &Limits::default()).ok()?;
        (self.width, self.height) = (sps.width, sps.height);
        Some(())
    }

    fn read_hevc(&mut self, payload: &[u8], parse_sps: bool) -> Option<()> {
        let record = HevcDecoderConfigurationRecord::decode(payload).ok()?;
        self.profile = hevc_profile(record.profile.idc).to_owned();
        self.level = level_of_hevc(record.profile.level);
        if !parse_sps {
            return Some(());
        }
        let sps = record.units(HevcNalUnitType::SPS).next()?;
        let sps = HevcSps::decode(sps, &Limits::default()).ok()?;
        (self.width, self.height) = (sps.width, sps.height);
        Some(())
    }

    fn read_av1(&mut self, payload: &[u8], parse_sps: bool) -> Option<()> {
        let record = Av1CodecConfigurationRecord::decode(payload).ok()?;
        let header = record.sequence_header(&Limits::default())?;
        self.profile = av1_profile(header.profile).to_owned();
        self.level = level_of_av1(header.level);
        if parse_sps {
            (self.width, self.height) = (header.width, header.height);
        }
        Some(())
    }

    fn read_vp(&mut self, payload: &[u8]) -> Option<()> {
        let record = VpCodecConfigurationRecord::decode(payload).ok()?;
        self.profile = format!("Profile {}", record.profile);
        if record.level > 0 {
            self.level = format!("{}.{}", record.level / 10, record.level % 10);
        }
        Some(())
    }
}

/// The name of an H.265 profile (ITU-T H.265, annex A.3).
pub(super) fn hevc_profile(idc: u8) -> &'static str {
    match idc {
        1 => "Main",
        2 => "Main 10",
        3 => "Main Still Picture",
        4 => "Range Extensions",
        _ => "Other",
    }
}

/// A level of H.265, which is told in thirtieths: 93 is 3.1.
pub(super) fn level_of_hevc(level: u8) -> String {
    format!("{}.{}", level / 30, level % 30 / 3)
}

/// A level of AV1 by its index (AV1, annex A.3): 5 is 3.1.
pub(super) fn level_of_av1(index: u8) -> String {
    format!("{}.{}", 2 + index / 4, index % 4)
}

/// The name of an AV1 profile (AV1, annex A.2).
pub(super) fn av1_profile(profile: u8) -> &'static str {
    match profile {
        0 => "Main",
        1 => "High",
        2 => "Professional",
        _ => "Other",
    }
}

/// The name of an H.264 profile (ITU-T H.264, annex A.2).
pub(super) fn avc_profile(profile: u8, constraints: u8) -> &'static str {
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
    pub(super) fn new(header: AudioTagHeader, payload: &[u8]) -> Self {
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
        // What can't be read leaves the details out.
        match (header.four_cc(), header.is_sequence_header()) {
            (Some(FourCc::AAC), true) => info.read_aac(payload),
            (Some(FourCc::OPUS), true) => info.read_opus(payload),
            (Some(FourCc::FLAC), true) => info.read_flac(payload),
            (Some(FourCc::AC3 | FourCc::EAC3), false) => info.read_ac3(payload),
            _ => None,
        };
        info
    }

    fn read_aac(&mut self, payload: &[u8]) -> Option<()> {
        let config = AudioSpecificConfig::decode(payload).ok()?;
        self.sample_rate = config.output_sample_rate();
        self.channels = config.channels().unwrap_or(0);
        self.profile = aac_profile(&config).to_owned();
        Some(())
    }

    fn read_opus(&mut self, payload: &[u8]) -> Option<()> {
        // Whatever the rate before encoding was, Opus is played at 48 kHz.
        self.sample_rate = 48_000;
        self.channels = OpusHead::decode(payload).ok()?.channels.into();
        Some(())
    }

    fn read_flac(&mut self, payload: &[u8]) -> Option<()> {
        let info = FlacStreamInfo::decode(payload).ok()?;
        (self.sample_rate, self.channels) = (info.sample_rate, info.channels.into());
        Some(())
    }

    fn read_ac3(&mut self, payload: &[u8]) -> Option<()> {
        let frame = Ac3Frame::decode(payload).ok()?;
        (self.sample_rate, self.channels) = (frame.sample_rate, frame.channels.into());
        Some(())
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
