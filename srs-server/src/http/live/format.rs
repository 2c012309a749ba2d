//! The formats of live streams over HTTP.

use crate::media::MediaInfo;
use flv_mux::TagKind;

/// A format, chosen by the path's extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Flv,
    Ts,
    Aac,
    Mp3,
}

impl Format {
    /// The format of files with this extension.
    pub(super) fn of(extension: &str) -> Option<Self> {
        match extension {
            "flv" => Some(Self::Flv),
            "ts" => Some(Self::Ts),
            "aac" => Some(Self::Aac),
            "mp3" => Some(Self::Mp3),
            _ => None,
        }
    }

    /// The `Content-Type`, as SRS has it.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Flv => "video/x-flv",
            Self::Ts => "video/MP2T",
            Self::Aac => "audio/x-aac",
            Self::Mp3 => "audio/mpeg",
        }
    }

    /// Why this format can't carry what the stream is known to have; `None` where it can, or where
    /// that isn't known yet.
    pub(super) fn refuses(self, media: &MediaInfo) -> Option<String> {
        let (audio, video) = (media.audio(), media.video());
        let codec = |kind, codec: Option<String>| match codec {
            Some(codec) => Some(codec),
            None => (media.is_settled() && !media.has(kind)).then(|| "no".to_owned()),
        };
        let audio = codec(TagKind::Audio, audio.map(|audio| audio.codec));
        let video = codec(TagKind::Video, video.map(|video| video.codec));
        let lacks = |found: &Option<String>, carried: &[&str]| {
            found.as_ref().is_some_and(|codec| !carried.contains(&codec.as_str()))
        };
        let carried: (&[&str], &[&str]) = match self {
            Self::Flv => return None,
            Self::Ts => (&["AAC", "MP3"], &["H264", "HEVC"]),
            Self::Aac => (&["AAC"], &[]),
            Self::Mp3 => (&["MP3"], &[]),
        };
        let has_nothing =
            lacks(&audio, carried.0) && (carried.1.is_empty() || lacks(&video, carried.1));
        has_nothing.then(|| {
            let tell = |codec: Option<String>| codec.unwrap_or_else(|| "unknown".to_owned());
            let carried: Vec<_> = carried.1.iter().chain(carried.0).copied().collect();
            format!(
                "the stream has {} video and {} audio, this format carries {}",
                tell(video),
                tell(audio),
                carried.join(", ")
            )
        })
    }
}
