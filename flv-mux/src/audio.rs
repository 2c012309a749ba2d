//! The header at the start of an audio tag's body.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::{
    FourCc, Modifiers, Multitrack, Track,
    enhanced::{self, Prefix},
    wire::{Reader, Truncated, wire_enum},
};

wire_enum! {
    /// An audio codec by its old four-bit number (FLV 10.1, annex E.4.2.1).
    SoundFormat {
        /// Linear PCM in the byte order of the machine that wrote it.
        LinearPcm = 0,
        /// ADPCM.
        Adpcm = 1,
        /// MP3.
        Mp3 = 2,
        /// Linear PCM, little endian.
        LinearPcmLe = 3,
        /// Nellymoser at 16 kHz, mono.
        Nellymoser16k = 4,
        /// Nellymoser at 8 kHz, mono.
        Nellymoser8k = 5,
        /// Nellymoser.
        Nellymoser = 6,
        /// G.711 A-law.
        G711ALaw = 7,
        /// G.711 mu-law.
        G711MuLaw = 8,
        /// Marks an enhanced header, with a FourCC in place of this number.
        ExHeader = 9,
        /// AAC.
        Aac = 10,
        /// Speex.
        Speex = 11,
        /// Opus. Not in the specification, but used before enhanced RTMP.
        Opus = 13,
        /// MP3 at 8 kHz.
        Mp38k = 14,
        /// Sound of the device's own kind.
        DeviceSpecific = 15,
    }
}

wire_enum! {
    /// A sampling rate by its two bits (FLV 10.1, annex E.4.2.1). For AAC it says 44 kHz whatever
    /// the rate is: [`AudioSpecificConfig`](crate::AudioSpecificConfig) has it.
    SoundRate {
        /// 5.5 kHz.
        Khz5 = 0,
        /// 11 kHz.
        Khz11 = 1,
        /// 22 kHz.
        Khz22 = 2,
        /// 44 kHz.
        Khz44 = 3,
    }
}

wire_enum! {
    /// What an AAC tag carries (FLV 10.1, annex E.4.2.2).
    AacPacketType {
        /// The AudioSpecificConfig.
        SequenceHeader = 0,
        /// One raw frame.
        Raw = 1,
    }
}

wire_enum! {
    /// What an enhanced audio tag carries (Enhanced RTMP v2, "AudioPacketType").
    ///
    /// Two values of the wire never show here, for they are resolved to the type inside: 5,
    /// multitrack, and 7, a modifier.
    AudioPacketType {
        /// The decoder's configuration.
        SequenceStart = 0,
        /// A frame.
        CodedFrames = 1,
        /// Nothing: the sequence ends.
        SequenceEnd = 2,
        /// The order of the channels.
        MultichannelConfig = 4,
    }
}

/// The header at the start of an audio tag's body, in any of its forms.
///
/// [`decode`](Self::decode) looks at a few bytes and allocates nothing, so it is what a server
/// calls for every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AudioTagHeader {
    /// Codec number and sound parameters (FLV 10.1, annex E.4.2.1).
    Plain {
        /// The codec; never [`SoundFormat::ExHeader`] after decoding.
        format: SoundFormat,
        /// The sampling rate's two bits.
        rate: SoundRate,
        /// Samples of 16 bits rather than 8; always set for compressed formats.
        is_16_bit: bool,
        /// Two channels rather than one. Always set for AAC, whatever the channels are.
        is_stereo: bool,
        /// What the payload is; for [`SoundFormat::Aac`] only, and always there for it.
        aac_packet_type: Option<AacPacketType>,
    },
    /// FourCC and packet type (Enhanced RTMP v2).
    Enhanced {
        /// What the payload is; of a multitrack packet, what each track's is.
        packet_type: AudioPacketType,
        /// Nanoseconds to add to the tag's timestamp, 0 to 999,999 in 24 bits.
        nanos: u32,
        /// What follows packet type and modifiers.
        content: EnhancedAudio,
    },
}

/// What an enhanced audio header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnhancedAudio {
    /// One track of this codec.
    Single(FourCc),
    /// Several tracks, or one with an id; the payload starts at the first track's entry.
    Multitrack(Multitrack),
}

/// Why an audio tag header was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AudioHeaderError {
    /// The body is empty.
    #[error("audio tag has an empty body")]
    Empty,
    /// The body ends inside the header.
    #[error("audio tag header: {0}")]
    Truncated(#[from] Truncated),
}

const EX_HEADER: u8 = 9;
const MULTITRACK: u8 = 5;

impl AudioTagHeader {
    /// The header of an AAC tag, with the sound parameters that AAC always has.
    pub const fn aac(packet_type: AacPacketType) -> Self {
        Self::Plain {
            format: SoundFormat::Aac,
            rate: SoundRate::Khz44,
            is_16_bit: true,
            is_stereo: true,
            aac_packet_type: Some(packet_type),
        }
    }

    /// Decodes the header at the start of `body`; the second value is the payload's offset.
    ///
    /// Codecs without a name here are no error.
    ///
    /// # Errors
    ///
    /// [`AudioHeaderError`] when `body` ends before the header does.
    pub fn decode(body: &[u8]) -> Result<(Self, usize), AudioHeaderError> {
        let mut reader = Reader::new(body);
        let first = reader.u8("sound format").map_err(|_| AudioHeaderError::Empty)?;
        let header = match SoundFormat::from_wire(first >> 4) {
            SoundFormat::ExHeader => enhanced_header(first & 0x0f, &mut reader)?,
            format => Self::Plain {
                format,
                rate: SoundRate::from_wire(first >> 2 & 0x03),
                is_16_bit: first & 0x02 != 0,
                is_stereo: first & 0x01 != 0,
                aac_packet_type: match format {
                    SoundFormat::Aac => {
                        Some(AacPacketType::from_wire(reader.u8("aac packet type")?))
                    }
                    _ => None,
                },
            },
        };
        Ok((header, body.len().saturating_sub(reader.rest().len())))
    }

    /// Appends the header to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        let nanos = match *self {
            Self::Enhanced { nanos, .. } => nanos,
            Self::Plain { .. } => 0,
        };
        self.put(Prefix::Nanos(nanos), out);
    }

    /// Appends the header to `out` with these modifiers in place of its nanoseconds; the old form
    /// has none.
    pub fn encode_with(&self, modifiers: Modifiers<'_>, out: &mut BytesMut) {
        self.put(Prefix::Modifiers(modifiers), out);
    }

    /// The header of one track of a multitrack packet, as a tag of its own would have it.
    #[must_use]
    pub fn of_track(&self, track: &Track<'_>) -> Self {
        match *self {
            Self::Enhanced { packet_type, nanos, .. } => {
                let content = EnhancedAudio::Single(track.codec);
                Self::Enhanced { packet_type, nanos, content }
            }
            plain @ Self::Plain { .. } => plain,
        }
    }

    fn put(&self, prefix: Prefix<'_>, out: &mut BytesMut) {
        match *self {
            Self::Plain { format, rate, is_16_bit, is_stereo, aac_packet_type } => {
                let rate = (rate.to_wire() & 0x03) << 2;
                let size_and_type = u8::from(is_16_bit) << 1 | u8::from(is_stereo);
                out.put_u8((format.to_wire() & 0x0f) << 4 | rate | size_and_type);
                if let Some(packet_type) = aac_packet_type {
                    out.put_u8(packet_type.to_wire());
                }
            }
            Self::Enhanced { packet_type, content, .. } => match content {
                EnhancedAudio::Single(codec) => {
                    enhanced::put_first(EX_HEADER << 4, packet_type.to_wire(), prefix, out);
                    out.put_slice(&codec.0);
                }
                EnhancedAudio::Multitrack(tracks) => {
                    enhanced::put_first(EX_HEADER << 4, MULTITRACK, prefix, out);
                    tracks.put(packet_type.to_wire(), out);
                }
            },
        }
    }

    /// Whether the payload is the decoder's configuration.
    pub fn is_sequence_header(&self) -> bool {
        match *self {
            Self::Plain { aac_packet_type, .. } => {
                aac_packet_type == Some(AacPacketType::SequenceHeader)
            }
            Self::Enhanced { packet_type, .. } => packet_type == AudioPacketType::SequenceStart,
        }
    }

    /// Whether the payload is a frame: not a configuration or an end.
    pub fn is_frame(&self) -> bool {
        match *self {
            Self::Plain { aac_packet_type: None, .. } => true,
            Self::Plain { aac_packet_type, .. } => aac_packet_type == Some(AacPacketType::Raw),
            Self::Enhanced { packet_type, .. } => packet_type == AudioPacketType::CodedFrames,
        }
    }

    /// The codec as a FourCC, also for AAC, MP3 and Opus in the old form; `None` for the codecs
    /// that have no FourCC, and for tracks of many codecs.
    pub fn four_cc(&self) -> Option<FourCc> {
        match *self {
            Self::Plain { format, .. } => match format {
                SoundFormat::Aac => Some(FourCc::AAC),
                SoundFormat::Mp3 | SoundFormat::Mp38k => Some(FourCc::MP3),
                SoundFormat::Opus => Some(FourCc::OPUS),
                _ => None,
            },
            Self::Enhanced { content: EnhancedAudio::Single(codec), .. } => Some(codec),
            Self::Enhanced { content: EnhancedAudio::Multitrack(tracks), .. } => tracks.four_cc(),
        }
    }
}

fn enhanced_header(first_type: u8, reader: &mut Reader<'_>) -> Result<AudioTagHeader, Truncated> {
    let (wire_type, nanos) = enhanced::modifiers(reader, first_type)?;
    let (wire_type, content) = if wire_type == MULTITRACK {
        let (tracks, wire_type) = Multitrack::read(reader)?;
        (wire_type, EnhancedAudio::Multitrack(tracks))
    } else {
        (wire_type, EnhancedAudio::Single(enhanced::four_cc(reader)?))
    };
    let packet_type = AudioPacketType::from_wire(wire_type);
    Ok(AudioTagHeader::Enhanced { packet_type, nanos, content })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes, checks that encoding gives the bytes back, and that the payload is what follows.
    fn check(bytes: &[u8]) -> AudioTagHeader {
        let mut body = bytes.to_vec();
        body.extend([0xaa; 8]);
        let (header, offset) = AudioTagHeader::decode(&body).unwrap();
        assert_eq!(offset, bytes.len());
        let mut out = BytesMut::new();
        header.encode(&mut out);
        assert_eq!(out[..], *bytes);
        header
    }

    #[test]
    fn aac_sequence_header_and_frames() {
        let sequence = check(&[0xaf, 0]);
        assert_eq!(sequence, AudioTagHeader::aac(AacPacketType::SequenceHeader));
        assert!(sequence.is_sequence_header() && !sequence.is_frame());
        let raw = check(&[0xaf, 1]);
        assert!(raw.is_frame() && !raw.is_sequence_header());
        assert_eq!(raw.four_cc(), Some(FourCc::AAC));
        let other = check(&[0xaf, 9]);
        assert!(!other.is_frame() && !other.is_sequence_header());
    }

    #[test]
    fn every_other_format_is_one_byte_and_a_frame() {
        for first in (0..=0xff).filter(|first| ![9, 10].contains(&(first >> 4))) {
            let header = check(&[first]);
            assert!(header.is_frame() && !header.is_sequence_header());
        }
        let mp3 = AudioTagHeader::Plain {
            format: SoundFormat::Mp3,
            rate: SoundRate::Khz22,
            is_16_bit: true,
            is_stereo: false,
            aac_packet_type: None,
        };
        assert_eq!(check(&[0x2a]), mp3);
        assert_eq!(check(&[0x7e]).four_cc(), None);
    }

    #[test]
    fn enhanced_codecs_have_a_fourcc() {
        for codec in [b"Opus", b"fLaC", b"ac-3", b"ec-3", b".mp3", b"mp4a", b"abcd"] {
            let start = check(&[&[0x90][..], codec].concat());
            assert!(start.is_sequence_header() && !start.is_frame());
            assert_eq!(start.four_cc(), Some(FourCc(*codec)));
            assert!(check(&[&[0x91][..], codec].concat()).is_frame());
            for first in [0x92, 0x94, 0x9f] {
                let header = check(&[&[first][..], codec].concat());
                assert!(!header.is_frame() && !header.is_sequence_header());
            }
        }
    }

    #[test]
    fn enhanced_tracks_and_nanoseconds() {
        assert!(check(b"\x95\x00mp4a").is_sequence_header());
        let many = check(b"\x95\x21");
        assert!(many.is_frame());
        assert_eq!(many.four_cc(), None);
        let nanos = check(b"\x97\x02\x0f\x42\x3f\x01Opus");
        assert!(matches!(nanos, AudioTagHeader::Enhanced { nanos: 999_999, .. }));
    }

    #[test]
    fn an_empty_or_cut_body_is_an_error() {
        assert_eq!(AudioTagHeader::decode(&[]), Err(AudioHeaderError::Empty));
        let truncated = |what, needed, got| Truncated { what, needed, got }.into();
        for (body, error) in [
            (&[0xaf][..], truncated("aac packet type", 1, 0)),
            (b"\x90Opu", truncated("fourcc", 4, 3)),
            (&[0x95], truncated("multitrack type", 1, 0)),
            (&[0x97, 1, 0], truncated("modifier data", 2, 1)),
        ] {
            assert_eq!(AudioTagHeader::decode(body), Err(error), "{body:02x?}");
        }
    }
}
