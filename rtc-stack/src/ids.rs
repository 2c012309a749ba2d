//! The names that packets and session descriptions use.

use std::fmt;

/// The synchronization source of a stream of RTP packets (RFC 3550, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The payload type of an RTP packet, 0 to 127 (RFC 3550, 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PayloadType(u8);

impl PayloadType {
    /// Checks a number; `None` over 127.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 128 { Some(Self(number)) } else { None }
    }

    /// The payload type in the second byte of an RTP packet, which the marker bit shares.
    pub const fn from_wire(byte: u8) -> Self {
        Self(byte & 0x7f)
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for PayloadType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Most bytes of an identification tag: what the one-byte form of a header extension holds.
const TAG: usize = 16;

/// A short text without an allocation, for what is compared packet by packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
struct Tag {
    bytes: [u8; TAG],
    length: u8,
}

impl Tag {
    fn new(text: &[u8]) -> Option<Self> {
        let is_token = |byte: &u8| byte.is_ascii_graphic();
        if text.is_empty() || !text.iter().all(is_token) {
            return None;
        }
        let mut bytes = [0; TAG];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, length: u8::try_from(text.len()).ok()? })
    }

    fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }
}

macro_rules! tag {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(Tag);

        impl $name {
            /// Checks a text of 1 to 16 visible ASCII characters.
            pub fn new(text: &[u8]) -> Option<Self> {
                Tag::new(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_str().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.as_str())
            }
        }
    };
}

tag! {
    /// The identification tag of a media section (`a=mid`, RFC 5888).
    Mid
}
tag! {
    /// The identifier of a simulcast layer (`a=rid`, RFC 8851).
    Rid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_short_and_visible() {
        assert_eq!(Mid::new(b"0").unwrap().as_str(), "0");
        assert_eq!(Rid::new(b"0123456789abcdef").unwrap().to_string(), "0123456789abcdef");
        assert_eq!(Mid::new(b""), None);
        assert_eq!(Mid::new(b"a b"), None);
        assert_eq!(Mid::new(b"0123456789abcdefg"), None);
        assert_eq!(format!("{:?}", Mid::new(b"v").unwrap()), "Mid(v)");
    }

    #[test]
    fn payload_types_have_seven_bits() {
        assert_eq!(PayloadType::new(128), None);
        assert_eq!(PayloadType::from_wire(0xe0).number(), 96);
    }
}
