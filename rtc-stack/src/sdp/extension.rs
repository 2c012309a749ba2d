//! The header extensions of RTP that are agreed (`a=extmap`, RFC 8285).

use super::Direction;

/// A header extension that this crate reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Extension {
    /// The mid of a packet's section (RFC 8843, 15).
    Mid,
    /// The rid of a packet's simulcast layer (RFC 8852, 3).
    Rid,
    /// The rid of the layer that a retransmission repairs (RFC 8852, 3).
    RepairedRid,
    /// When the packet was sent, in 24 bits of seconds.
    AbsSendTime,
    /// A number that counts the packets of all sections.
    TransportWideCc,
    /// How loud the sound in the packet is (RFC 6464).
    AudioLevel,
    /// How pictures are to be turned.
    VideoOrientation,
}

impl Extension {
    /// All of them, in the order in which an offer of ours numbers them.
    pub const ALL: [Self; 7] = [
        Self::Mid,
        Self::TransportWideCc,
        Self::AbsSendTime,
        Self::AudioLevel,
        Self::VideoOrientation,
        Self::Rid,
        Self::RepairedRid,
    ];

    /// The address that names it.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportWideCc => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::VideoOrientation => "urn:3gpp:video-orientation",
        }
    }

    fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.uri() == uri)
    }
}

/// A header extension with the number that stands for it in packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtensionMap {
    /// The number, 1 to 14: what the one-byte form of RFC 8285 has room for.
    pub id: u8,
    /// The extension.
    pub extension: Extension,
    /// Who sends it.
    pub direction: Direction,
}

impl ExtensionMap {
    /// Reads the value of `a=extmap`; `None` for an extension or number that this crate doesn't take.
    ///
    /// Numbers over 14 need the two-byte form, which costs four times as much per packet; whoever offers more than
    /// fourteen extensions numbers those that matter first.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let number = words.next()?;
        let (id, direction) = match number.split_once('/') {
            Some((id, direction)) => (id, Direction::from_name(direction)?),
            None => (number, Direction::SendRecv),
        };
        let id = id.parse().ok().filter(|id| (1..=14).contains(id))?;
        Some(Self { id, extension: Extension::from_uri(words.next()?)?, direction })
    }
}

/// The numbers of the extensions that were agreed for a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct ExtensionIds {
    /// [`Extension::Mid`].
    pub mid: Option<u8>,
    /// [`Extension::Rid`].
    pub rid: Option<u8>,
    /// [`Extension::RepairedRid`].
    pub repaired_rid: Option<u8>,
    /// [`Extension::AbsSendTime`].
    pub abs_send_time: Option<u8>,
    /// [`Extension::TransportWideCc`].
    pub transport_wide_cc: Option<u8>,
    /// [`Extension::AudioLevel`].
    pub audio_level: Option<u8>,
    /// [`Extension::VideoOrientation`].
    pub video_orientation: Option<u8>,
}

impl ExtensionIds {
    pub(super) fn of(maps: &[ExtensionMap]) -> Self {
        let mut ids = Self::default();
        for map in maps {
            let place = match map.extension {
                Extension::Mid => &mut ids.mid,
                Extension::Rid => &mut ids.rid,
                Extension::RepairedRid => &mut ids.repaired_rid,
                Extension::AbsSendTime => &mut ids.abs_send_time,
                Extension::TransportWideCc => &mut ids.transport_wide_cc,
                Extension::AudioLevel => &mut ids.audio_level,
                Extension::VideoOrientation => &mut ids.video_orientation,
            };
            place.get_or_insert(map.id);
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_extensions_are_read_with_their_direction() {
        let read = ExtensionMap::parse("4/recvonly urn:ietf:params:rtp-hdrext:sdes:mid").unwrap();
        assert_eq!((read.id, read.extension), (4, Extension::Mid));
        assert_eq!(read.direction, Direction::RecvOnly);
        let level = ExtensionMap::parse("1 urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on");
        assert_eq!(level.map(|map| map.extension), Some(Extension::AudioLevel));
    }

    #[test]
    fn others_are_not() {
        for value in [
            "",
            "4",
            "0 urn:3gpp:video-orientation",
            "15 urn:3gpp:video-orientation",
            "x urn:3gpp:video-orientation",
            "4/sideways urn:3gpp:video-orientation",
            "5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        ] {
            assert_eq!(ExtensionMap::parse(value), None, "{value}");
        }
    }
}
