//! Both ends of a track, and access units that are possible in each codec.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rtc_stack::payload::{AccessUnit, Depacketizer, Packetizer, Payload};
use rtc_stack::rtp::{Fields, RtpPacket};
use rtc_stack::{Codec, Limits};

pub(crate) const CODECS: [Codec; 8] = [
    Codec::H264,
    Codec::H265,
    Codec::Av1,
    Codec::Vp8,
    Codec::Vp9,
    Codec::Opus,
    Codec::Pcmu,
    Codec::Pcma,
];

pub(crate) fn is_video(codec: Codec) -> bool {
    codec.clock_rate() == Some(90_000)
}

/// Nothing depends on it.
#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}

/// The packet of a payload.
pub(crate) fn packet(
    codec: Codec,
    sequence: u64,
    timestamp: u32,
    marker: bool,
    payload: &[u8],
) -> RtpPacket {
    let mut bytes = BytesMut::new();
    let fields = Fields { sequence: sequence as u16, timestamp, marker, ..Fields::default() };
    fields.append(&[], &mut bytes);
    bytes.extend_from_slice(payload);
    RtpPacket::parse(bytes, sequence, now(), codec).unwrap()
}

/// The packets of these frames, frame `n` with timestamp 3,000 `n`.
pub(crate) fn packets(codec: Codec, room: usize, frames: &[Vec<Bytes>]) -> Vec<RtpPacket> {
    let mut packetizer = Packetizer::new(codec, room).unwrap();
    let mut packets = Vec::new();
    for (timestamp, frame) in (0..).step_by(3_000).zip(frames) {
        let mut payloads: Vec<Payload> = Vec::new();
        packetizer.packetize(frame.clone(), &mut payloads).unwrap();
        assert!(!payloads.is_empty());
        for payload in payloads {
            assert!((1..=room).contains(&payload.len()));
            let sequence = packets.len() as u64 + (1 << 16);
            let fields = Fields { timestamp, ..Fields::default() };
            packets.push(payload.to_packet(fields, sequence, now(), codec).unwrap());
        }
    }
    packets
}

/// What comes of packets.
pub(crate) fn depacketized<'a>(
    codec: Codec,
    packets: impl IntoIterator<Item = &'a RtpPacket>,
) -> Vec<AccessUnit> {
    let mut depacketizer = Depacketizer::new(codec, &Limits::default()).unwrap();
    let mut out = Vec::new();
    packets.into_iter().for_each(|packet| depacketizer.receive(packet, &mut out));
    out
}

/// Frames of any of the codecs, the first of which is a keyframe.
pub(crate) fn frames(codec: Codec) -> BoxedStrategy<Vec<Vec<Bytes>>> {
    prop::collection::vec(frame(codec), 1..5)
        .prop_map(move |mut frames| {
            frames[0] = keyframe(codec, std::mem::take(&mut frames[0]));
            frames
        })
        .boxed()
}

fn frame(codec: Codec) -> BoxedStrategy<Vec<Bytes>> {
    // Around the borders of packets of 200 bytes, of which the formats take up to six.
    let length = prop_oneof![3_usize..30, 190_usize..210, 380_usize..410, 3_usize..3_000];
    let filled = (length, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]);
    let units = match codec {
        Codec::H264 | Codec::H265 | Codec::Av1 => 1..6,
        _ => 1..2,
    };
    let unit = (filled, 1_u8..13).prop_map(move |(mut unit, kind)| {
        match codec {
            // Of no picture, so that the first frame alone is a keyframe.
            Codec::H264 => unit[0] = unit[0] & 0xe0 | if matches!(kind, 5 | 7) { 1 } else { kind },
            Codec::H265 => unit[0] = unit[0] & 0x81 | kind << 1,
            Codec::Av1 => return obu([3, 4, 5, 6, 7][usize::from(kind % 5)], &unit),
            Codec::Vp8 => unit[0] |= 0x01,
            Codec::Vp9 => unit[0] = 0x86,
            _ => unit.truncate(200),
        }
        Bytes::from(unit)
    });
    prop::collection::vec(unit, units).boxed()
}

fn keyframe(codec: Codec, mut units: Vec<Bytes>) -> Vec<Bytes> {
    let first: &[u8] = match codec {
        Codec::H264 => &[0x65, 0x88, 1],
        Codec::H265 => &[0x26, 0x01, 0x88],
        Codec::Av1 => &[0x0a, 1, 7],
        _ => {
            let mut frame = units[0].to_vec();
            frame[0] = match codec {
                Codec::Vp8 => 0x10,
                Codec::Vp9 => 0x82,
                _ => frame[0],
            };
            return vec![frame.into()];
        }
    };
    units.insert(0, Bytes::from_static(first));
    units
}

/// An OBU with its size in as few bytes as hold it.
pub(crate) fn obu(kind: u8, body: &[u8]) -> Bytes {
    let mut obu = vec![kind << 3 | 2];
    let mut size = body.len();
    while size > 0x7f {
        obu.push(size as u8 | 0x80);
        size >>= 7;
    }
    obu.push(size as u8);
    obu.extend_from_slice(body);
    obu.into()
}
