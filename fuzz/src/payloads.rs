//! RTP payload formats, both ways.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rtc_stack::payload::{AccessUnit, Depacketizer, Packetizer, Payload};
use rtc_stack::rtp::{Fields, RtpPacket};
use rtc_stack::{Codec, Limits};

/// The codecs, and of each a payload that is a keyframe.
const CODECS: [(Codec, &[u8]); 6] = [
    (Codec::H264, &[0x65, 0x88]),
    (Codec::H265, &[0x26, 0x01, 0x80]),
    (Codec::Av1, &[0x18, 0x08, 1]),
    (Codec::Vp8, &[0x10, 0x10]),
    (Codec::Vp9, &[0x08, 0x82]),
    (Codec::Opus, &[0xfc]),
];

/// The two halves of a track.
struct Track {
    codec: Codec,
    depacketizer: Depacketizer,
    sequence: u64,
    now: Instant,
    out: Vec<AccessUnit>,
}

impl Track {
    fn new(codec: Codec, limits: &Limits) -> Self {
        let depacketizer = Depacketizer::new(codec, limits).expect("a codec with a format");
        Self { codec, depacketizer, sequence: 1 << 16, now: Instant::now(), out: Vec::new() }
    }

    fn receive(&mut self, timestamp: u32, marker: bool, payload: &[u8]) {
        let mut bytes = BytesMut::new();
        Fields { timestamp, marker, ..Fields::default() }.append(&[], &mut bytes);
        bytes.extend_from_slice(payload);
        let packet = RtpPacket::parse(bytes, self.sequence, self.now, self.codec);
        self.depacketizer.receive(&packet.expect("a header that was written"), &mut self.out);
        self.sequence += 1;
    }
}

/// What comes back of payloads that follow a keyframe.
fn come_back(codec: Codec, key: &[u8], payloads: &[Payload]) -> Vec<Vec<Bytes>> {
    let mut track = Track::new(codec, &Limits::default());
    track.receive(0, true, key);
    assert_eq!(track.out.len(), 1);
    for payload in payloads {
        track.receive(1, payload.marker(), &payload.to_bytes());
    }
    track.out.into_iter().skip(1).map(|unit| unit.units).collect()
}

/// The codec, then packets: a byte of what the header says (marker, timestamp, lost packets before it), the length, the
/// payload. Frames stay within the limits, and packetized again they come back the same.
pub fn rtp_depacketize(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let (codec, key) = CODECS[usize::from(*first) % CODECS.len()];
    let limits = Limits { frame_bytes: 512, frame_units: 8, ..Limits::default() };
    let mut track = Track::new(codec, &limits);
    let mut timestamp = 0;
    while let [flags, length, after @ ..] = rest {
        let (payload, after) = after.split_at(usize::from(*length).min(after.len()));
        timestamp += u32::from(flags >> 1 & 1);
        track.sequence += u64::from(flags >> 2 & 3);
        track.receive(timestamp, flags & 1 != 0, payload);
        rest = after;
    }
    let statistics = *track.depacketizer.statistics();
    assert_eq!(statistics.frames, track.out.len() as u64);
    assert!(statistics.keyframes <= statistics.frames);
    assert!(track.depacketizer.parameter_sets().len() <= limits.frame_units);
    for AccessUnit { units, .. } in track.out {
        assert!((1..=limits.frame_units).contains(&units.len()));
        let bytes: usize = units.iter().map(Bytes::len).sum();
        assert!(bytes <= limits.frame_bytes + 4 * units.len());
        let mut packetizer = Packetizer::new(codec, 600).expect("a codec with a format");
        let mut payloads = Vec::new();
        packetizer.packetize(units.clone(), &mut payloads).expect("units that came in packets");
        assert_eq!(come_back(codec, key, &payloads), [units]);
    }
}

/// The codec, the length of a payload beyond 64 bytes, then units after their lengths (16 bits). Payloads fit, the last
/// has the marker, and the units come back.
pub fn rtp_packetize(data: &[u8]) {
    let [first, room, rest @ ..] = data else { return };
    let (codec, key) = CODECS[usize::from(*first) % CODECS.len()];
    let room = 64 + usize::from(*room);
    let mut rest = rest;
    let mut units = Vec::new();
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (unit, after) = after.split_at(length.min(after.len()));
        units.push(Bytes::copy_from_slice(unit));
        rest = after;
    }
    if !matches!(codec, Codec::H264 | Codec::H265 | Codec::Av1) {
        units.truncate(1);
    }
    let mut packetizer = Packetizer::new(codec, room).expect("a codec with a format");
    let mut payloads = Vec::new();
    if packetizer.packetize(units.clone(), &mut payloads).is_err() {
        assert!(payloads.is_empty());
        return;
    }
    let is_video = codec.clock_rate() == Some(90_000);
    for (index, payload) in payloads.iter().enumerate() {
        assert!((1..=room).contains(&payload.len()));
        assert_eq!(payload.marker(), is_video && index + 1 == payloads.len());
    }
    if units.len() > Limits::default().frame_units || payloads.is_empty() {
        return;
    }
    let back = come_back(codec, key, &payloads);
    if codec == Codec::Av1 {
        // Sizes may have been written otherwise; those of the second time are the same.
        let mut again = Vec::new();
        let units = back.concat();
        packetizer.packetize(units.clone(), &mut again).expect("OBUs that came in packets");
        assert_eq!(come_back(codec, key, &again), [units]);
    } else {
        units.retain(|unit| match (codec, unit.first()) {
            (_, None) => false,
            (Codec::H264, Some(first)) => (1..24).contains(&(first & 0x1f)),
            (Codec::H265, Some(first)) => first >> 1 & 0x3f < 48 && unit.len() > 1,
            _ => true,
        });
        assert_eq!(back, [units]);
    }
}
