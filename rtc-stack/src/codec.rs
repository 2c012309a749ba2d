//! What RTP payloads carry, as session descriptions name it.

use std::fmt;

/// Which sort of media a codec codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl MediaKind {
    /// The word of an `m=` line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The encoding of an RTP payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// H.264 (RFC 6184).
    H264,
    /// HEVC (RFC 7798).
    H265,
    /// AV1 (the Alliance's RTP payload format).
    Av1,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// Opus (RFC 7587).
    Opus,
    /// G.711 by the mu law (RFC 3551).
    Pcmu,
    /// G.711 by the A law (RFC 3551).
    Pcma,
    /// Redundant payloads (RFC 2198).
    Red,
    /// Generic forward error correction (RFC 5109).
    UlpFec,
    /// Retransmission of another payload type (RFC 4588).
    Rtx,
    /// Something that this crate does not carry.
    Other,
}

impl Codec {
    /// Reads the encoding name of an `a=rtpmap` line, in upper or lower case.
    pub fn from_name(name: &str) -> Self {
        const NAMES: [(&str, Codec); 13] = [
            ("H264", Codec::H264),
            ("H265", Codec::H265),
            ("HEVC", Codec::H265),
            ("AV1", Codec::Av1),
            // What encoders called it before the payload format was settled.
            ("AV1X", Codec::Av1),
            ("VP8", Codec::Vp8),
            ("VP9", Codec::Vp9),
            ("opus", Codec::Opus),
            ("PCMU", Codec::Pcmu),
            ("PCMA", Codec::Pcma),
            ("red", Codec::Red),
            ("ulpfec", Codec::UlpFec),
            ("rtx", Codec::Rtx),
        ];
        let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(Self::Other, |(_, codec)| *codec)
    }

    /// The encoding name as its registration spells it; empty for [`Codec::Other`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Av1 => "AV1",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Opus => "opus",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::Red => "red",
            Self::UlpFec => "ulpfec",
            Self::Rtx => "rtx",
            Self::Other => "",
        }
    }

    /// Sound or pictures; `None` for what is neither by itself (redundancy, retransmission, the unknown).
    pub const fn kind(self) -> Option<MediaKind> {
        match self {
            Self::H264 | Self::H265 | Self::Av1 | Self::Vp8 | Self::Vp9 => Some(MediaKind::Video),
            Self::Opus | Self::Pcmu | Self::Pcma => Some(MediaKind::Audio),
            Self::Red | Self::UlpFec | Self::Rtx | Self::Other => None,
        }
    }

    /// Ticks per second of the RTP timestamp, if the payload format fixes them.
    pub const fn clock_rate(self) -> Option<u32> {
        match self {
            Self::H264 | Self::H265 | Self::Av1 | Self::Vp8 | Self::Vp9 => Some(90_000),
            Self::Opus => Some(48_000),
            Self::Pcmu | Self::Pcma => Some(8_000),
            Self::Red | Self::UlpFec | Self::Rtx | Self::Other => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "other",
            named => named.name(),
        })
    }
}

/// A codec with what `a=rtpmap` and `a=fmtp` say of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CodecParameters {
    /// The codec.
    pub codec: Codec,
    /// Ticks per second of the RTP timestamp.
    pub clock_rate: u32,
    /// Channels of sound; 1 where none are written, as for video.
    pub channels: u8,
    /// The format parameters as written: `name=value` pairs with semicolons between them; may be empty.
    pub fmtp: String,
}

impl CodecParameters {
    /// A codec at its usual clock rate (90 kHz where its format fixes none), without format parameters.
    ///
    /// Opus has two channels: its `a=rtpmap` must say so, whatever the sound is (RFC 7587, 7).
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            clock_rate: codec.clock_rate().unwrap_or(90_000),
            channels: if codec == Codec::Opus { 2 } else { 1 },
            fmtp: String::new(),
        }
    }

    /// The same with these format parameters.
    #[must_use]
    pub fn with_fmtp(mut self, fmtp: impl Into<String>) -> Self {
        self.fmtp = fmtp.into();
        self
    }

    /// The value of a format parameter; its name may be in upper or lower case. The first one counts.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// The format parameters in their order: name and value, the value empty where there is no equals sign.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fmtp.split(';').filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = name.trim();
            (!name.is_empty()).then(|| (name, value.trim()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_either_case() {
        assert_eq!(Codec::from_name("h264"), Codec::H264);
        assert_eq!(Codec::from_name("OPUS"), Codec::Opus);
        assert_eq!(Codec::from_name("AV1X"), Codec::Av1);
        assert_eq!(Codec::from_name("telephone-event"), Codec::Other);
        for codec in [Codec::H265, Codec::Vp9, Codec::Pcma, Codec::Red, Codec::UlpFec, Codec::Rtx] {
            assert_eq!(Codec::from_name(codec.name()), codec);
        }
    }

    #[test]
    fn parameters_are_found_between_blanks_and_without_a_value() {
        let h264 = CodecParameters::new(Codec::H264)
            .with_fmtp("profile-level-id=42e01f; Packetization-Mode = 1;; flag ;a=b=c");
        assert_eq!(h264.parameter("packetization-mode"), Some("1"));
        assert_eq!(h264.parameter("flag"), Some(""));
        assert_eq!(h264.parameter("a"), Some("b=c"));
        assert_eq!(h264.parameter("apt"), None);
        assert_eq!(h264.parameters().count(), 4);
    }
}
