//! Sound: from packets to the bodies of audio messages.

use bytes::{BufMut, Bytes, BytesMut};
use flv_mux::{
    AacPacketType, AudioPacketType, AudioTagHeader, EnhancedAudio, FourCc, OpusHead, SoundFormat,
    SoundRate,
};
use rtc_stack::{Codec, payload::AccessUnit};
use stream_hub::Variant;

use super::Message;
use crate::{
    bridge::{Running, pace::Pace, transcode::ToAac},
    media::Dialect,
};

/// Samples by which a decoder of Opus is late, as encoders have it (RFC 7845, 4.2).
const PRE_SKIP: u16 = 312;

/// As what players want Opus: the variants of the lane of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// AAC, which all of them know.
    Aac,
    /// As it is: they said that they know it.
    Opus,
}

impl Wanted {
    /// What RTMP players of a dialect want.
    pub(crate) fn by(dialect: &Dialect) -> Self {
        let knows_opus = dialect.codecs.is_some_and(|codecs| codecs.has(FourCc::OPUS));
        if knows_opus { Self::Opus } else { Self::Aac }
    }
}

impl From<Variant> for Wanted {
    fn from(Variant(number): Variant) -> Self {
        if number == 0 { Self::Aac } else { Self::Opus }
    }
}

impl From<Wanted> for Variant {
    fn from(wanted: Wanted) -> Self {
        Self((wanted == Wanted::Opus).into())
    }
}

/// Makes the bodies of a stream's audio messages.
pub(super) struct Sounds {
    wanted: Wanted,
    /// Whether players were told how to decode what follows.
    is_told: bool,
    /// What makes AAC; `None` where nobody wants it, or nothing can.
    to_aac: Option<ToAac>,
    pace: Pace,
}

impl Sounds {
    pub(super) fn new(wanted: Wanted, bitrate: u32) -> Self {
        let to_aac = if wanted == Wanted::Aac { ToAac::new(bitrate) } else { None };
        Self { wanted, is_told: false, to_aac, pace: Pace::default() }
    }

    /// The messages that a packet comes to or completes.
    pub(super) fn take(
        &mut self,
        codec: Codec,
        unit: &AccessUnit,
        running: &Running,
    ) -> Vec<Message> {
        let packets = unit.units.iter();
        let mut messages = Vec::new();
        match (codec, self.wanted) {
            (Codec::Opus, Wanted::Aac) => {
                for packet in packets {
                    if self.pace.admits(unit.arrival, 1) {
                        self.transcode(unit.timestamp, packet, running, &mut messages);
                    } else {
                        running.note_excess_sound();
                    }
                }
            }
            (Codec::Opus, Wanted::Opus) => {
                self.tell(unit.timestamp, opus_head, &mut messages);
                messages.extend(packets.map(|packet| {
                    (unit.timestamp, enhanced(AudioPacketType::CodedFrames, packet))
                }));
            }
            (Codec::Pcma, _) => {
                messages.extend(
                    packets.map(|packet| (unit.timestamp, g711(SoundFormat::G711ALaw, packet))),
                );
            }
            (Codec::Pcmu, _) => {
                messages.extend(
                    packets.map(|packet| (unit.timestamp, g711(SoundFormat::G711MuLaw, packet))),
                );
            }
            _ => {}
        }
        messages
    }

    /// What comes next doesn't follow from what came before.
    pub(super) fn gap(&mut self) {
        if let Some(bridge) = &mut self.to_aac {
            bridge.gap();
        }
    }

    fn transcode(
        &mut self,
        timestamp: u64,
        packet: &[u8],
        running: &Running,
        messages: &mut Vec<Message>,
    ) {
        let Some(bridge) = &mut self.to_aac else { return };
        let frames = bridge.push(timestamp, packet, running);
        let config = bridge.config().clone();
        self.tell(timestamp, || aac(AacPacketType::SequenceHeader, &config), messages);
        let raw = |(timestamp, data): (u64, Bytes)| (timestamp, aac(AacPacketType::Raw, &data));
        messages.extend(frames.into_iter().map(raw));
    }

    /// Says once how to decode what follows.
    fn tell(&mut self, timestamp: u64, how: impl FnOnce() -> Bytes, messages: &mut Vec<Message>) {
        if !self.is_told {
            self.is_told = true;
            messages.push((timestamp, how()));
        }
    }
}

fn aac(packet_type: AacPacketType, data: &[u8]) -> Bytes {
    body(AudioTagHeader::aac(packet_type), data)
}

fn enhanced(packet_type: AudioPacketType, data: &[u8]) -> Bytes {
    let content = EnhancedAudio::Single(FourCc::OPUS);
    body(AudioTagHeader::Enhanced { packet_type, nanos: 0, content }, data)
}

/// The start of Opus: WebRTC's has two channels, whatever is in them.
fn opus_head() -> Bytes {
    let head = OpusHead {
        channels: 2,
        pre_skip: PRE_SKIP,
        input_sample_rate: 48_000,
        output_gain: 0,
        mapping: None,
    };
    let mut bytes = BytesMut::new();
    // Two channels need no mapping.
    let _ = head.encode(&mut bytes);
    enhanced(AudioPacketType::SequenceStart, &bytes)
}

/// G.711 as it is: 8 kHz and one channel, which the header has no words for.
fn g711(format: SoundFormat, data: &[u8]) -> Bytes {
    let header = AudioTagHeader::Plain {
        format,
        rate: SoundRate::Khz5,
        is_16_bit: true,
        is_stereo: false,
        aac_packet_type: None,
    };
    body(header, data)
}

fn body(header: AudioTagHeader, data: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(8 + data.len());
    header.encode(&mut body);
    body.put_slice(data);
    body.freeze()
}
