//! H.264 profiles as descriptions name them (RFC 6184, 8.1).

use crate::CodecParameters;

/// The three bytes of `profile-level-id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProfileLevelId {
    /// `profile_idc`.
    pub profile_idc: u8,
    /// `profile-iop`: the constraint flags, the first in the highest bit.
    pub constraints: u8,
    /// `level_idc`: ten times the level.
    pub level_idc: u8,
}

/// A profile: what the first two bytes of `profile-level-id` come to (RFC 6184, table 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum H264Profile {
    /// Constrained Baseline: what every browser decodes.
    ConstrainedBaseline,
    /// Baseline.
    Baseline,
    /// Main.
    Main,
    /// Extended.
    Extended,
    /// Constrained High: High without interlacing and B-frames.
    ConstrainedHigh,
    /// High.
    High,
    /// Another one, told by its bytes.
    Other(u8, u8),
}

impl ProfileLevelId {
    /// Reads six hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 6 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let [_, profile_idc, constraints, level_idc] =
            u32::from_str_radix(text, 16).ok()?.to_be_bytes();
        Some(Self { profile_idc, constraints, level_idc })
    }

    /// The profile.
    pub const fn profile(self) -> H264Profile {
        let flags = self.constraints;
        match self.profile_idc {
            0x42 if flags & 0x4f == 0x40 => H264Profile::ConstrainedBaseline,
            0x4d if flags & 0x8f == 0x80 => H264Profile::ConstrainedBaseline,
            0x58 if flags & 0xcf == 0xc0 => H264Profile::ConstrainedBaseline,
            0x42 if flags & 0x4f == 0x00 => H264Profile::Baseline,
            0x58 if flags & 0xcf == 0x80 => H264Profile::Baseline,
            0x4d if flags & 0xaf == 0x00 => H264Profile::Main,
            0x58 if flags & 0xcf == 0x00 => H264Profile::Extended,
            0x64 if flags == 0x00 => H264Profile::High,
            0x64 if flags == 0x0c => H264Profile::ConstrainedHigh,
            profile => H264Profile::Other(profile, flags),
        }
    }
}

impl H264Profile {
    /// Whether a decoder of this profile decodes everything of another.
    pub fn decodes(self, stream: Self) -> bool {
        use H264Profile::{Baseline, ConstrainedBaseline, ConstrainedHigh, Extended, High, Main};
        match stream {
            same if same == self => true,
            ConstrainedBaseline => {
                matches!(self, Baseline | Main | Extended | ConstrainedHigh | High)
            }
            Baseline => self == Extended,
            Main | ConstrainedHigh => self == High,
            _ => false,
        }
    }
}

/// What `profile-level-id` says; `None` where it isn't written, which encoders leave out that don't know yet.
pub(super) fn profile_of(parameters: &CodecParameters) -> Option<H264Profile> {
    parameters
        .parameter("profile-level-id")
        .and_then(ProfileLevelId::parse)
        .map(ProfileLevelId::profile)
}

/// `packetization-mode`; 0 where it isn't written (RFC 6184, 8.1), `None` for nonsense.
pub(super) fn packetization_mode(parameters: &CodecParameters) -> Option<u8> {
    match parameters.parameter("packetization-mode") {
        None => Some(0),
        Some(mode) => mode.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> H264Profile {
        ProfileLevelId::parse(text).unwrap().profile()
    }

    #[test]
    fn profiles_of_the_table() {
        use H264Profile::*;
        for (text, expected) in [
            ("42e01f", ConstrainedBaseline),
            ("42c02a", ConstrainedBaseline),
            ("4d801f", ConstrainedBaseline),
            ("58C00a", ConstrainedBaseline),
            ("42001f", Baseline),
            ("42a01e", Baseline),
            ("58801f", Baseline),
            ("4d001f", Main),
            ("4D401f", Main),
            ("58001f", Extended),
            ("64001f", High),
            ("640c1f", ConstrainedHigh),
            ("f4001f", Other(0xf4, 0)),
            ("6e0010", Other(0x6e, 0)),
        ] {
            assert_eq!(profile(text), expected, "{text}");
        }
    }

    #[test]
    fn decoders_take_smaller_profiles() {
        assert!(profile("64001f").decodes(profile("42e01f")));
        assert!(profile("64001f").decodes(profile("4d001f")));
        assert!(profile("42001f").decodes(profile("42e034")));
        assert!(!profile("42e01f").decodes(profile("42001f")));
        assert!(!profile("4d001f").decodes(profile("64001f")));
    }

    #[test]
    fn garbage_is_no_profile() {
        for text in ["", "42e0", "42e01f0", "42e01g", "+2e01f", "42é01"] {
            assert_eq!(ProfileLevelId::parse(text), None, "{text}");
        }
    }
}
