//! Both bridges, one behind the other, without sockets and in any time.

mod changes;
mod damage;
mod hours;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use flv_mux::TagKind;
use rtc_stack::{
    Codec, CodecParameters, Limits, MediaKind,
    payload::{AccessUnit, Depacketizer, Packetizer},
    rtp::{Fields, RtpPacket},
    sfu::{Track, TrackPacket},
};
use stream_hub::{Convert, Output, TrackId};

use super::{Counters, Direction, FromRtc, Running, ToRtc, Wanted};
use crate::media::{Frame, KeyframeWish, Origin, RtpBody, RtpItem, RtpSource};

/// Constrained Baseline 3.1, and another.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe9, 0xa8, 0x08, 0x08, 0x0a, 0, 0, 3, 0, 2, 0,
    0, 3, 0, 0x79, 0x08,
];
const OTHER_SPS: &[u8] =
    &[0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0, 0, 3, 0, 1];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];
const OTHER_PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x81];

/// A bridge of each direction, and what they count.
struct Bridges {
    to_rtc: ToRtc,
    from_rtc: FromRtc,
    counters: Arc<Counters>,
    /// When the stream's clock was at 0.
    start: Instant,
}

impl Bridges {
    fn new() -> Self {
        Self::wanting(Wanted::Opus)
    }

    /// Bridges to players that want Opus or AAC.
    fn wanting(wanted: Wanted) -> Self {
        let settings = srs_config::Rtc::default();
        let counters = Arc::<Counters>::default();
        let running = |direction| Running::new(&counters, direction);
        Self {
            to_rtc: ToRtc::new(&settings, running(Direction::ToRtc)),
            from_rtc: FromRtc::new(&settings, wanted, running(Direction::FromRtc)),
            counters: counters.clone(),
            start: Instant::now(),
        }
    }

    /// What a message becomes on its way to WebRTC.
    fn send(&mut self, kind: TagKind, time: Duration, body: impl Into<Bytes>) -> Vec<RtpItem> {
        let frame = Frame::new(kind, time, body.into(), self.start + time);
        self.send_frame(&frame)
    }

    fn send_frame(&mut self, frame: &Frame) -> Vec<RtpItem> {
        let mut out = Output::new();
        self.to_rtc.push(TrackId(0), frame, &mut out).unwrap();
        out.drain().collect()
    }

    /// What an item becomes on its way from WebRTC.
    fn receive(&mut self, item: &RtpItem) -> Vec<Frame> {
        let mut out = Output::new();
        self.from_rtc.push(TrackId(0), item, &mut out).unwrap();
        out.drain().collect()
    }

    fn dropped(&self, what: &str) -> u64 {
        let dropped = self.counters.dropped();
        dropped.iter().find(|(name, _)| *name == what).unwrap().1
    }
}

/// A WebRTC publisher of one track: each access unit 40 ms behind the one before it.
struct Publisher {
    start: Instant,
    codec: Option<Codec>,
    number: u64,
    sequence: u64,
    /// What is asked of it.
    wish: Arc<KeyframeWish>,
}

impl Publisher {
    fn new(start: Instant) -> Self {
        let wish = Arc::new(KeyframeWish::new(std::task::Waker::noop().clone()));
        Self { start, codec: None, number: 0, sequence: 65_000, wish }
    }

    /// The items that an access unit comes to.
    fn publish(&mut self, codec: Codec, units: &[&[u8]]) -> Vec<RtpItem> {
        let mut payloads = Vec::new();
        let mut packetizer = Packetizer::new(codec, 1_200).unwrap();
        let units = units.iter().map(|unit| Bytes::copy_from_slice(unit));
        packetizer.packetize(units, &mut payloads).unwrap();
        let last = payloads.len() - 1;
        let payloads = payloads.iter().map(|payload| payload.to_bytes()).enumerate();
        let payloads: Vec<_> = payloads.map(|(at, payload)| (payload, at == last)).collect();
        self.send(codec, &payloads)
    }

    /// The items that payloads come to, which may be anything; each with its mark.
    fn send(&mut self, codec: Codec, payloads: &[(Bytes, bool)]) -> Vec<RtpItem> {
        let time = ms(self.number * 40);
        let mut items = Vec::new();
        if self.codec != Some(codec) {
            self.codec = Some(codec);
            let tracks = vec![Track::new(CodecParameters::new(codec))];
            let keyframes = Some(self.wish.clone());
            let source = RtpSource { tracks, keyframes, origin: Origin::Rtc };
            items.push(RtpItem::new(time, false, RtpBody::Source(Arc::new(source))));
        }
        let clock_rate = CodecParameters::new(codec).clock_rate;
        let timestamp = (self.number * 40 * u64::from(clock_rate) / 1_000) as u32;
        for (payload, marker) in payloads {
            let mut packet = BytesMut::new();
            let sequence = self.sequence as u16;
            let fields = Fields { timestamp, sequence, marker: *marker, ..Fields::default() };
            fields.append(&[], &mut packet);
            packet.extend_from_slice(payload);
            let packet = RtpPacket::parse(packet, self.sequence, self.start + time, codec).unwrap();
            self.sequence += 1;
            let packet = TrackPacket { track: 0, packet };
            items.push(RtpItem::new(time, false, RtpBody::Packet(packet)));
        }
        self.number += 1;
        items
    }
}

/// The access units that a viewer puts together of the items of one kind.
fn access_units(items: &[RtpItem], codec: Codec) -> Vec<AccessUnit> {
    let mut depacketizer = Depacketizer::new(codec, &Limits::default()).unwrap();
    let mut units = Vec::new();
    for packet in packets(items, codec.kind().unwrap()) {
        depacketizer.receive(packet, &mut units);
    }
    units
}

/// The packets of one kind among items, whose tracks are told before them.
fn packets(items: &[RtpItem], kind: MediaKind) -> Vec<&RtpPacket> {
    let mut tracks = Vec::new();
    let mut packets = Vec::new();
    for item in items {
        match &item.body {
            RtpBody::Source(source) => tracks = source.tracks.clone(),
            RtpBody::Packet(packet) if tracks[usize::from(packet.track)].kind() == Some(kind) => {
                packets.push(&packet.packet);
            }
            _ => {}
        }
    }
    packets
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The body of H.264's configuration, with lengths of so many bytes.
fn avc_header(sps: &[u8], pps: &[u8], length_size: u8) -> Vec<u8> {
    let mut body =
        vec![0x17, 0, 0, 0, 0, 1, sps[1], sps[2], sps[3], 0xfc | (length_size - 1), 0xe1];
    body.extend((sps.len() as u16).to_be_bytes());
    body.extend(sps);
    body.push(1);
    body.extend((pps.len() as u16).to_be_bytes());
    body.extend(pps);
    body
}

/// The body of a picture of H.264.
fn avc(units: &[&[u8]], length_size: u8) -> Vec<u8> {
    let is_key = units.iter().any(|unit| unit.first().is_some_and(|first| first & 0x1f == 5));
    let mut body = vec![if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    for unit in units {
        let length = (unit.len() as u32).to_be_bytes();
        body.extend(&length[4 - usize::from(length_size)..]);
        body.extend(*unit);
    }
    body
}

/// A slice that says its number: of an IDR picture or of another.
fn slice(number: u32, is_key: bool) -> Vec<u8> {
    let first: &[u8] = if is_key { &[0x65, 0x88] } else { &[0x41, 0x9a] };
    [first, &number.to_be_bytes(), &[0x55; 60]].concat()
}
