//! The header extensions that this crate understands.

use crate::bytes_at::{array, u8_at, u16_at, u24_at};
use crate::{Mid, Rid};

/// What a header extension says, by the URI that a session description gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExtensionKind {
    /// The media section ([`Mid`], RFC 9143).
    Mid,
    /// The simulcast layer ([`Rid`], RFC 8852).
    Rid,
    /// The simulcast layer that a retransmission belongs to (RFC 8852).
    RepairedRid,
    /// When it was sent ([`AbsSendTime`]).
    AbsSendTime,
    /// The number of the packet among all of the transport ([`TransportSequence`]).
    TransportSequence,
    /// How loud it is ([`AudioLevel`], RFC 6464).
    AudioLevel,
    /// How the camera was held ([`Orientation`], 3GPP TS 26.114).
    Orientation,
}

impl ExtensionKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AbsSendTime,
        Self::TransportSequence,
        Self::AudioLevel,
        Self::Orientation,
    ];

    /// The URI.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportSequence => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::Orientation => "urn:3gpp:video-orientation",
        }
    }

    /// The kind with this URI, if it is known.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// Which id each kind of extension has, as negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtensionMap {
    /// By kind; 0 is none.
    ids: [u8; ExtensionKind::ALL.len()],
}

impl ExtensionMap {
    /// Gives a kind its id. The id 0 takes it away.
    pub fn set(&mut self, kind: ExtensionKind, id: u8) {
        crate::bytes_at::put(&mut self.ids, kind as usize, &[id]);
    }

    /// The id of a kind, if it was negotiated.
    #[must_use]
    pub fn id(&self, kind: ExtensionKind) -> Option<u8> {
        u8_at(&self.ids, kind as usize).filter(|id| *id != 0)
    }

    /// The kind of an id, if it was negotiated.
    #[must_use]
    pub fn kind(&self, id: u8) -> Option<ExtensionKind> {
        ExtensionKind::ALL.into_iter().find(|kind| self.id(*kind) == Some(id))
    }

    /// The media section that a packet names.
    #[must_use]
    pub fn mid(&self, extensions: super::Extensions<'_>) -> Option<Mid> {
        extensions.data_of(self.id(ExtensionKind::Mid)?).and_then(Mid::new)
    }

    /// The simulcast layer that a packet names.
    #[must_use]
    pub fn rid(&self, extensions: super::Extensions<'_>) -> Option<Rid> {
        extensions.data_of(self.id(ExtensionKind::Rid)?).and_then(Rid::new)
    }

    /// The simulcast layer that a retransmission names.
    #[must_use]
    pub fn repaired_rid(&self, extensions: super::Extensions<'_>) -> Option<Rid> {
        extensions.data_of(self.id(ExtensionKind::RepairedRid)?).and_then(Rid::new)
    }

    /// The number of a packet among all of its transport.
    #[must_use]
    pub fn transport_sequence(
        &self,
        extensions: super::Extensions<'_>,
    ) -> Option<TransportSequence> {
        let data = extensions.data_of(self.id(ExtensionKind::TransportSequence)?)?;
        TransportSequence::decode(data)
    }
}

/// The time of sending within 64 seconds: 24 bits, of which the lower 18 are fractions of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsSendTime(u32);

impl AbsSendTime {
    /// The time of a clock.
    pub fn new(time: std::time::Duration) -> Self {
        let seconds = (time.as_secs() & 0x3f) as u32;
        let fraction = (u64::from(time.subsec_nanos()) << 18) / 1_000_000_000;
        Self(seconds << 18 | fraction as u32)
    }

    /// The 24 bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Reads the data of the extension.
    pub fn decode(data: &[u8]) -> Option<Self> {
        if data.len() == 3 { u24_at(data, 0).map(Self) } else { None }
    }

    /// The data of the extension.
    pub const fn encode(self) -> [u8; 3] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }
}

/// A number that counts all packets of a transport (draft-holmer-rmcat-transport-wide-cc-extensions-01, 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportSequence(pub u16);

impl TransportSequence {
    /// Reads the data of the extension. The second version has more bytes, which ask for feedback.
    pub fn decode(data: &[u8]) -> Option<Self> {
        u16_at(data, 0).map(Self)
    }

    /// The data of the extension.
    pub const fn encode(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}

/// The loudness of a packet of sound (RFC 6464).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// Whether the encoder believes it to be speech.
    pub voice: bool,
    /// How far it is below the loudest possible, in dB: 0 to 127.
    pub below: u8,
}

impl AudioLevel {
    /// Reads the data of the extension.
    pub fn decode(data: &[u8]) -> Option<Self> {
        let byte = u8_at(data, 0)?;
        Some(Self { voice: byte & 0x80 != 0, below: byte & 0x7f })
    }

    /// The data of the extension. More than 127 dB are written as 127.
    pub fn encode(self) -> [u8; 1] {
        [self.below.min(127) | if self.voice { 0x80 } else { 0 }]
    }
}

/// How pictures are to be turned (3GPP TS 26.114, 7.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation {
    /// Whether the camera is on the back of the device.
    pub back_camera: bool,
    /// Whether they are mirrored.
    pub flipped: bool,
    /// Quarter turns: 0 to 3.
    pub quarter_turns: u8,
}

impl Orientation {
    /// Reads the data of the extension.
    pub fn decode(data: &[u8]) -> Option<Self> {
        let [byte] = array(data, 0)?;
        Some(Self {
            back_camera: byte & 0x08 != 0,
            flipped: byte & 0x04 != 0,
            quarter_turns: byte & 0x03,
        })
    }

    /// The data of the extension.
    pub fn encode(self) -> [u8; 1] {
        let camera = if self.back_camera { 0x08 } else { 0 };
        let flip = if self.flipped { 0x04 } else { 0 };
        [camera | flip | self.quarter_turns & 0x03]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::BytesMut;

    use super::super::{Fields, Header};
    use super::*;

    #[test]
    fn kinds_have_their_uris() {
        for kind in ExtensionKind::ALL {
            assert_eq!(ExtensionKind::from_uri(kind.uri()), Some(kind));
        }
        assert_eq!(ExtensionKind::from_uri("urn:nothing"), None);
    }

    #[test]
    fn ids_lead_to_kinds_and_back() {
        let mut map = ExtensionMap::default();
        for (id, kind) in (1..).zip(ExtensionKind::ALL) {
            assert_eq!(map.kind(id), None);
            map.set(kind, id);
            assert_eq!((map.id(kind), map.kind(id)), (Some(id), Some(kind)));
        }
        map.set(ExtensionKind::Mid, 0);
        assert_eq!((map.id(ExtensionKind::Mid), map.kind(0)), (None, None));
    }

    #[test]
    fn a_packet_names_its_section_layer_and_number() {
        let mut map = ExtensionMap::default();
        for (id, kind) in (1..).zip(ExtensionKind::ALL) {
            map.set(kind, id);
        }
        let mut packet = BytesMut::new();
        let list: [(u8, &[u8]); 4] = [(1, b"0"), (2, b"hi"), (3, b"lo"), (5, &[1, 2])];
        Fields::default().append(&list, &mut packet);
        let extensions = || Header::parse(&packet).unwrap().extensions(&packet);
        assert_eq!(map.mid(extensions()), Mid::new(b"0"));
        assert_eq!(map.rid(extensions()), Rid::new(b"hi"));
        assert_eq!(map.repaired_rid(extensions()), Rid::new(b"lo"));
        assert_eq!(map.transport_sequence(extensions()), Some(TransportSequence(0x0102)));
        assert_eq!(ExtensionMap::default().mid(extensions()), None);
    }

    #[test]
    fn times_of_sending_have_six_bits_of_seconds() {
        let time = AbsSendTime::new(Duration::from_millis(64_000 + 1_500));
        assert_eq!(time.bits(), 0x06_0000);
        assert_eq!(time.encode(), [6, 0, 0]);
        assert_eq!(AbsSendTime::decode(&[6, 0, 0]), Some(time));
        assert_eq!(AbsSendTime::decode(&[6, 0]), None);
        assert_eq!(AbsSendTime::new(Duration::new(63, 999_999_999)).bits(), 0xff_ffff);
    }

    #[test]
    fn every_byte_of_level_and_orientation_is_read_and_written() {
        for byte in 0..=255 {
            assert_eq!(AudioLevel::decode(&[byte]).unwrap().encode(), [byte]);
            assert_eq!(Orientation::decode(&[byte]).unwrap().encode(), [byte & 0x0f]);
        }
        assert_eq!(AudioLevel::decode(&[]), None);
        assert_eq!(Orientation::decode(&[]), None);
        assert_eq!(TransportSequence::decode(&[1]), None);
        assert_eq!(TransportSequence::decode(&[1, 2]).map(TransportSequence::encode), Some([1, 2]));
    }
}
