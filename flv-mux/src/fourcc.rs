//! Four-character codec names of enhanced RTMP.

use std::fmt;

/// A codec's four characters (Enhanced RTMP v2, "FourCC").
///
/// Any four bytes are accepted; the constants are those that the specification names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// H.264.
    pub const AVC: Self = Self(*b"avc1");
    /// H.265.
    pub const HEVC: Self = Self(*b"hvc1");
    /// H.266.
    pub const VVC: Self = Self(*b"vvc1");
    /// AV1.
    pub const AV1: Self = Self(*b"av01");
    /// VP8.
    pub const VP8: Self = Self(*b"vp08");
    /// VP9.
    pub const VP9: Self = Self(*b"vp09");
    /// Opus.
    pub const OPUS: Self = Self(*b"Opus");
    /// FLAC.
    pub const FLAC: Self = Self(*b"fLaC");
    /// AC-3.
    pub const AC3: Self = Self(*b"ac-3");
    /// E-AC-3.
    pub const EAC3: Self = Self(*b"ec-3");
    /// MP3.
    pub const MP3: Self = Self(*b".mp3");
    /// AAC.
    pub const AAC: Self = Self(*b"mp4a");

    /// The characters as a big-endian number, as `onMetaData` carries them.
    pub const fn to_u32(self) -> u32 {
        u32::from_be_bytes(self.0)
    }

    /// The characters of a big-endian number.
    pub const fn from_u32(value: u32) -> Self {
        Self(value.to_be_bytes())
    }
}

/// The characters; bytes that are not printable ASCII are escaped.
impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_big_endian_number_in_metadata() {
        assert_eq!(FourCc::AV1.to_u32(), 1_635_135_537);
        assert_eq!(FourCc::from_u32(1_635_135_537), FourCc::AV1);
    }

    #[test]
    fn shows_its_characters() {
        assert_eq!(FourCc::MP3.to_string(), ".mp3");
        assert_eq!(format!("{:?}", FourCc([b'a', 0, 0xff, b'b'])), r"FourCc(a\x00\xffb)");
    }
}
