//! A client made of the same parts as the server: ICE, SRTP with keys that are given, RTP and RTCP.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_stack::arena::Destination;
use rtc_stack::rtcp::{LastReference, NtpTime, Packet, Packets, ReportBlock, SenderInfo, Writer};
use rtc_stack::rtp::{
    Fields, Header, ReceiveStatistics, SequenceExtender, TransportSequence, TwccRecorder,
};
use rtc_stack::sdp::{Negotiated, NegotiatedSection};
use rtc_stack::session::{Flow, Transport};
use rtc_stack::srtp::{Inbound, Outbound, Profile, SessionKeys};
use rtc_stack::{Codec, Limits, MediaKind, PayloadType, Ssrc};
use stun::agent::TransactionId;
use stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use stun::integrity::MessageIntegrity;
use stun::message::{BINDING_REQUEST, Message, Setter};
use stun::textattrs::TextAttribute;

use super::link::{Conditions, Link};

/// The server's address.
pub const SERVER: &str = "192.0.2.1";
pub const PROFILE: Profile = Profile::AeadAes128Gcm;

/// A packet as a viewer has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    pub timestamp: u32,
    pub marker: bool,
    pub payload_type: PayloadType,
    pub payload: Vec<u8>,
    pub arrival: Instant,
    /// Header extensions of the packet itself, or of its retransmission.
    pub extensions: Vec<(u8, Vec<u8>)>,
}

/// What stands for a payload in comparisons, whose failures people have to read.
pub type Digest = (usize, u64);

pub fn digest(payload: &[u8]) -> Digest {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    (payload.len(), hasher.finish())
}

/// What a viewer has of one source.
#[derive(Debug)]
pub struct Incoming {
    pub packets: BTreeMap<u64, Got>,
    pub recovered: BTreeSet<u64>,
    pub duplicates: u64,
    pub reports: Vec<(Instant, SenderInfo)>,
    extender: SequenceExtender,
    missing: BTreeMap<u64, (Instant, Option<Instant>, u32)>,
    statistics: ReceiveStatistics,
}

impl Incoming {
    fn new() -> Self {
        Self {
            packets: BTreeMap::new(),
            recovered: BTreeSet::new(),
            duplicates: 0,
            reports: Vec::new(),
            extender: SequenceExtender::default(),
            missing: BTreeMap::new(),
            statistics: ReceiveStatistics::new(90_000),
        }
    }

    /// Numbers between the first and the last that never came.
    pub fn holes(&self) -> Vec<u64> {
        let (Some(first), Some(last)) = (self.packets.keys().next(), self.packets.keys().last())
        else {
            return Vec::new();
        };
        (*first..=*last).filter(|number| !self.packets.contains_key(number)).collect()
    }

    /// The longest time for which nothing could be played, as each packet waits for those before it.
    pub fn longest_freeze(&self) -> Duration {
        let mut packets = self.packets.values();
        let Some(first) = packets.next() else { return Duration::MAX };
        let (mut playable, mut longest) = (first.arrival, Duration::ZERO);
        for packet in packets {
            longest = longest.max(packet.arrival.saturating_duration_since(playable));
            playable = playable.max(packet.arrival);
        }
        longest
    }

    pub fn payloads(&self) -> Vec<Digest> {
        self.packets.values().map(|got| digest(&got.payload)).collect()
    }
}

/// A source that a publisher sends.
pub struct Sending {
    pub ssrc: Ssrc,
    pub rtx: Option<(Ssrc, PayloadType)>,
    pub payload_type: PayloadType,
    pub section: usize,
    pub layer: Option<&'static str>,
    pub index: u64,
    pub timestamp: u32,
    rtx_index: u64,
    packets: u32,
    octets: u32,
    history: BTreeMap<u64, (u32, bool, Vec<u8>)>,
    pub keyframes_wanted: u32,
    /// Bytes of a frame, whatever the layer's name says; a keyframe has four times as many.
    pub frame_bytes: Option<usize>,
}

pub struct Client {
    pub address: SocketAddr,
    pub up: Link,
    pub down: Link,
    pub negotiated: Negotiated,
    outbound: Outbound,
    inbound: Inbound,
    username: String,
    password: String,
    /// As a viewer.
    pub incoming: HashMap<Ssrc, Incoming>,
    rtx: HashMap<Ssrc, Ssrc>,
    pub asks_again: bool,
    pub keyframes_on_loss: bool,
    pub own_ssrc: Ssrc,
    /// Answers transport-wide numbers by reports.
    pub reports_arrivals: bool,
    arrivals: TwccRecorder,
    next_arrivals: Instant,
    /// As a publisher.
    pub sending: Vec<Sending>,
    /// The latest reference time of the server: its source, its middle, and when it came.
    reference: Option<(Ssrc, u32, Instant)>,
    transport_sequence: u16,
    pub transport_reported: u64,
    pub transport_lost: u64,
    pub receiver_reports: Vec<(Instant, ReportBlock)>,
    pub goodbyes: u32,
    pub nacked: u64,
    pub plis: u64,
    pub refused: u64,
    pub last_heard: Option<Instant>,
    next_check: Instant,
    next_report: Instant,
    pub is_silent: bool,
    pub wall: (Instant, Duration),
}

impl Client {
    pub fn new(
        now: Instant,
        address: SocketAddr,
        negotiated: Negotiated,
        local: (&str, &str),
        remote_ufrag: &str,
        keys: (&SessionKeys, SessionKeys),
        conditions: Conditions,
        seed: u64,
    ) -> Self {
        let rtx = negotiated.sections.iter().filter_map(|section| {
            let source = section.local_source?;
            Some((source.rtx?, source.ssrc))
        });
        Self {
            address,
            up: Link::new(conditions, seed),
            down: Link::new(conditions, seed + 1),
            rtx: rtx.collect(),
            negotiated,
            outbound: Outbound::new(keys.0).unwrap(),
            inbound: Inbound::new(keys.1, &Limits::default()),
            username: format!("{}:{remote_ufrag}", local.0),
            password: local.1.to_owned(),
            incoming: HashMap::new(),
            asks_again: true,
            keyframes_on_loss: false,
            own_ssrc: Ssrc(0x00c0_ffee),
            reports_arrivals: true,
            arrivals: TwccRecorder::new(&Limits::default()),
            next_arrivals: now,
            sending: Vec::new(),
            reference: None,
            transport_sequence: 0,
            transport_reported: 0,
            transport_lost: 0,
            receiver_reports: Vec::new(),
            goodbyes: 0,
            nacked: 0,
            plis: 0,
            refused: 0,
            last_heard: None,
            next_check: now,
            next_report: now + Duration::from_millis(300),
            is_silent: false,
            wall: (now, Duration::from_secs(1_700_000_000)),
        }
    }

    pub fn flow(&self) -> Flow {
        Flow {
            destination: Destination {
                peer: self.address,
                local_ip: Some(SERVER.parse::<IpAddr>().unwrap()),
            },
            transport: Transport::Udp,
        }
    }

    pub fn section(&self, kind: MediaKind) -> &NegotiatedSection {
        self.negotiated.section(kind).unwrap()
    }

    /// What a viewer has of its section of a kind.
    pub fn got(&self, kind: MediaKind) -> &Incoming {
        let ssrc = self.section(kind).local_source.unwrap().ssrc;
        self.incoming.get(&ssrc).unwrap_or_else(|| panic!("nothing of {kind}"))
    }

    pub fn has_any(&self, kind: MediaKind) -> bool {
        let ssrc = self.section(kind).local_source.unwrap().ssrc;
        self.incoming.get(&ssrc).is_some_and(|incoming| !incoming.packets.is_empty())
    }

    // --- ICE ---

    pub fn binding_request(&self, password: &str, nominate: bool) -> Vec<u8> {
        let mut message = Message::new();
        let username = TextAttribute::new(ATTR_USERNAME, self.username.clone());
        let integrity = MessageIntegrity::new_short_term_integrity(password.to_owned());
        let setters: Vec<Box<dyn Setter>> =
            vec![Box::new(TransactionId::new()), Box::new(BINDING_REQUEST), Box::new(username)];
        message.build(&setters).unwrap();
        message.add(ATTR_PRIORITY, &[0x6e, 0, 1, 0xff]);
        message.add(ATTR_ICE_CONTROLLING, &[1; 8]);
        if nominate {
            message.add(ATTR_USE_CANDIDATE, &[]);
        }
        integrity.add_to(&mut message).unwrap();
        message.raw.clone()
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn check(&mut self, now: Instant, nominate: bool) {
        let password = self.password.clone();
        let request = self.binding_request(&password, nominate);
        self.up.send(now, &request);
    }

    // --- publishing ---

    /// Makes a source for a section, with the codec that it begins with.
    pub fn start(&mut self, kind: MediaKind, codec: Codec, layer: Option<&'static str>, ssrc: u32) {
        let sections = &self.negotiated.sections;
        let section = sections.iter().position(|section| section.kind == kind).unwrap();
        let agreed = &sections[section];
        let codec = agreed.codecs.iter().find(|c| c.parameters.codec == codec).unwrap();
        let described = agreed.remote_sources.first().filter(|_| layer.is_none());
        let ssrc = match described {
            Some(source) if ssrc == 0 => source.ssrc,
            _ => Ssrc(ssrc),
        };
        let rtx_ssrc = described.filter(|source| source.ssrc == ssrc).and_then(|source| source.rtx);
        let rtx_ssrc = rtx_ssrc.unwrap_or(Ssrc(ssrc.0 ^ 0x8000_0000));
        self.sending.push(Sending {
            ssrc,
            rtx: codec.rtx.map(|payload_type| (rtx_ssrc, payload_type)),
            payload_type: codec.payload_type,
            section,
            layer,
            index: 1_000 + u64::from(ssrc.0 % 1_000),
            timestamp: ssrc.0.wrapping_mul(7_919),
            rtx_index: 77,
            packets: 0,
            octets: 0,
            history: BTreeMap::new(),
            keyframes_wanted: 0,
            frame_bytes: None,
        });
    }

    /// Sends a packet of a source.
    pub fn send(&mut self, now: Instant, source: usize, payload: &[u8], marker: bool) {
        let sending = &mut self.sending[source];
        let (index, timestamp) = (sending.index, sending.timestamp);
        sending.index += 1;
        sending.packets += 1;
        sending.octets += payload.len() as u32;
        sending.history.insert(index, (timestamp, marker, payload.to_vec()));
        if sending.history.len() > 2_000 {
            sending.history.pop_first();
        }
        let fields = Fields {
            marker,
            payload_type: sending.payload_type,
            sequence: index as u16,
            timestamp,
            ssrc: sending.ssrc,
        };
        self.send_packet(now, source, fields, index, &[], payload, false);
    }

    fn send_packet(
        &mut self,
        now: Instant,
        source: usize,
        fields: Fields,
        index: u64,
        before: &[u8],
        payload: &[u8],
        is_rtx: bool,
    ) {
        let sending = &self.sending[source];
        let section = &self.negotiated.sections[sending.section];
        let ids = &section.extensions;
        let number = self.transport_sequence.to_be_bytes();
        let layer = sending.layer.unwrap_or("");
        let id = |id: Option<u8>, is_sent: bool| id.filter(|_| is_sent).unwrap_or(0);
        let has_layer = !layer.is_empty();
        let is_audio = section.kind == MediaKind::Audio;
        let level = [0x80 | (index as u8 & 0x7f)];
        let orientation = [(index as u8) & 3];
        let extensions: [(u8, &[u8]); 6] = [
            (id(ids.mid, has_layer), section.mid.as_str().as_bytes()),
            (id(ids.rid, has_layer && !is_rtx), layer.as_bytes()),
            (id(ids.repaired_rid, has_layer && is_rtx), layer.as_bytes()),
            (id(ids.transport_wide_cc, true), &number),
            (id(ids.audio_level, is_audio), &level),
            (id(ids.video_orientation, !is_audio), &orientation),
        ];
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        let mut packet = BytesMut::new();
        let header = fields.append(&extensions, &mut packet);
        packet.extend_from_slice(before);
        packet.extend_from_slice(payload);
        packet.resize(packet.len() + PROFILE.rtp_overhead(), 0);
        self.outbound.seal_rtp(header, index, &mut packet).unwrap();
        self.up.send(now, &packet);
    }

    pub fn send_sender_reports(&mut self, now: Instant) {
        let time = NtpTime::from_unix(self.wall.1 + (now - self.wall.0));
        let infos: Vec<_> = self
            .sending
            .iter()
            .map(|sending| {
                let (packets, octets) = (sending.packets, sending.octets);
                (sending.ssrc, SenderInfo { time, timestamp: sending.timestamp, packets, octets })
            })
            .collect();
        if let Some((ssrc, last, at)) = self.reference {
            let delay = ((now - at).as_micros() * 65_536 / 1_000_000) as u32;
            let own = self.own_ssrc;
            self.send_rtcp(now, |writer| {
                writer.receiver_report(own, &[]);
                writer.last_reference(own, &LastReference { ssrc, last, delay });
            });
        }
        for (ssrc, info) in infos {
            self.send_rtcp(now, |writer| {
                writer.sender_report(ssrc, &info, &[]);
                writer.cname(ssrc, b"client");
            });
        }
    }

    pub fn send_rtcp(&mut self, now: Instant, write: impl FnOnce(&mut Writer<'_>)) {
        let mut buffer = BytesMut::new();
        write(&mut Writer::new(&mut buffer));
        self.outbound.seal_rtcp(&mut buffer, 0).unwrap();
        self.up.send(now, &buffer);
    }

    // --- receiving ---

    pub fn receive(&mut self, now: Instant, mut datagram: Vec<u8>) {
        match datagram.as_slice() {
            [0..=3, ..] => self.last_heard = Some(now),
            [128..=191, 192..=223, ..] => match self.inbound.open_rtcp(&mut datagram) {
                Ok(length) => self.receive_rtcp(now, &datagram[..length]),
                Err(_) => self.refused += 1,
            },
            [128..=191, ..] => match self.inbound.open_rtp(&mut datagram) {
                Ok(opened) => self.receive_rtp(now, &opened.header, &datagram[..opened.len]),
                Err(_) => self.refused += 1,
            },
            _ => {}
        }
    }

    fn receive_rtp(&mut self, now: Instant, header: &Header, packet: &[u8]) {
        self.last_heard = Some(now);
        let payload = header.payload(packet).unwrap();
        let fields = header.fields;
        let extensions = header.extensions(packet).map(|(id, data)| (id, data.to_vec())).collect();
        let id = self.negotiated.sections.iter().find_map(|s| s.extensions.transport_wide_cc);
        let number = id.and_then(|id| header.extensions(packet).data_of(id));
        if let Some(number) = number.and_then(TransportSequence::decode) {
            self.arrivals.receive(number.0, now);
        }
        let media = self.rtx.get(&fields.ssrc).copied();
        let is_ours = self.negotiated.sections.iter().any(|section| {
            section
                .local_source
                .is_some_and(|source| Some(source.ssrc) == media.or(Some(fields.ssrc)))
        });
        assert!(is_ours, "{:?} is no source of ours", fields.ssrc);
        let incoming =
            self.incoming.entry(media.unwrap_or(fields.ssrc)).or_insert_with(Incoming::new);
        let (lower, payload, payload_type) = match media {
            None => (fields.sequence, payload, fields.payload_type),
            Some(_) => {
                let (original, payload) = payload.split_first_chunk().unwrap();
                let agreed = self.negotiated.sections.iter();
                let codec = agreed.flat_map(|section| &section.codecs);
                let mut codec = codec.filter(|codec| codec.rtx == Some(fields.payload_type));
                let payload_type = codec.next().unwrap().payload_type;
                (u16::from_be_bytes(*original), payload, payload_type)
            }
        };
        let newest = incoming.extender.newest();
        let number = incoming.extender.extend(lower);
        let got = Got {
            timestamp: fields.timestamp,
            marker: fields.marker,
            payload_type,
            payload: payload.to_vec(),
            arrival: now,
            extensions,
        };
        if incoming.packets.contains_key(&number) {
            incoming.duplicates += 1;
            return;
        }
        if media.is_none() {
            incoming.statistics.receive(number, fields.timestamp, now);
        }
        if let Some((_, asked, _)) = incoming.missing.remove(&number)
            && asked.is_some()
        {
            incoming.recovered.insert(number);
        }
        incoming.packets.insert(number, got);
        if let Some(newest) = newest {
            for missing in newest + 1..number {
                incoming.missing.insert(missing, (now, None, 0));
            }
        }
    }

    fn receive_rtcp(&mut self, now: Instant, compound: &[u8]) {
        self.last_heard = Some(now);
        for packet in Packets::new(compound) {
            match packet.unwrap() {
                Packet::SenderReport { ssrc, info, .. } => {
                    if let Some(incoming) = self.incoming.get_mut(&ssrc) {
                        incoming.reports.push((now, info));
                        incoming.statistics.sender_report(info.time, now);
                    }
                }
                Packet::ReceiverReport { blocks, .. } => {
                    self.receiver_reports.extend(blocks.iter().map(|block| (now, block)));
                }
                Packet::Nack(nack) => {
                    let sequences: Vec<u16> = nack.sequences().collect();
                    for lower in sequences {
                        self.nacked += 1;
                        self.send_again(now, nack.media, lower);
                    }
                }
                Packet::PictureLoss { media, .. } => {
                    self.plis += 1;
                    for sending in self.sending.iter_mut().filter(|s| s.ssrc == media) {
                        sending.keyframes_wanted += 1;
                    }
                }
                Packet::TransportFeedback(feedback) => {
                    for status in feedback.statuses() {
                        self.transport_reported += 1;
                        self.transport_lost += u64::from(status.arrival.is_none());
                    }
                }
                Packet::Goodbye(_) => self.goodbyes += 1,
                Packet::ExtendedReports(reports) => {
                    let time = reports.reference_time().map(|time| time.middle());
                    self.reference = time.map(|middle| (reports.sender, middle, now));
                }
                _ => {}
            }
        }
    }

    fn send_again(&mut self, now: Instant, media: Ssrc, lower: u16) {
        if !self.asks_again {
            return;
        }
        let Some(source) = self.sending.iter().position(|s| s.ssrc == media) else { return };
        let sending = &mut self.sending[source];
        let number =
            (sending.index - 1) - u64::from(((sending.index - 1) as u16).wrapping_sub(lower));
        let Some((timestamp, marker, payload)) = sending.history.get(&number).cloned() else {
            return;
        };
        let (ssrc, payload_type) = sending.rtx.unwrap_or((sending.ssrc, sending.payload_type));
        if sending.rtx.is_some() {
            let index = sending.rtx_index;
            sending.rtx_index += 1;
            let sequence = index as u16;
            let fields = Fields { marker, payload_type, sequence, timestamp, ssrc };
            self.send_packet(now, source, fields, index, &lower.to_be_bytes(), &payload, true);
        }
    }

    // --- time ---

    pub fn next(&self) -> Instant {
        if self.is_silent {
            self.next_report + Duration::from_secs(3_600)
        } else {
            self.next_report.min(self.next_check)
        }
    }

    /// Checks twice a second, and what a viewer asks for every 20 ms.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is_silent {
            return;
        }
        if self.next_check <= now {
            self.check(now, true);
            self.next_check = now + Duration::from_millis(500);
        }
        if self.next_report <= now {
            self.next_report = now + Duration::from_millis(20);
            self.ask_again(now);
            if self.reports_arrivals && self.next_arrivals <= now {
                self.next_arrivals = now + Duration::from_millis(60);
                self.report_arrivals(now);
            }
        }
    }

    fn report_arrivals(&mut self, now: Instant) {
        while self.arrivals.is_due() {
            let mut report = BytesMut::new();
            if !self.arrivals.write(self.own_ssrc, Ssrc(1), &mut report) {
                return;
            }
            self.outbound.seal_rtcp(&mut report, 0).unwrap();
            self.up.send(now, &report);
        }
    }

    fn ask_again(&mut self, now: Instant) {
        if !self.asks_again {
            return;
        }
        let mut requests = Vec::new();
        for (ssrc, incoming) in &mut self.incoming {
            let mut due = Vec::new();
            let mut lost = false;
            incoming.missing.retain(|number, (since, asked, tries)| {
                if *tries >= 10 || now - *since > Duration::from_secs(2) {
                    lost = true;
                    return false;
                }
                let is_due = match asked {
                    None => now - *since >= Duration::from_millis(15),
                    Some(asked) => now - *asked >= Duration::from_millis(110),
                };
                if is_due {
                    *asked = Some(now);
                    *tries += 1;
                    due.push(*number as u16);
                }
                true
            });
            requests.push((*ssrc, due, lost && self.keyframes_on_loss));
        }
        let own = self.own_ssrc;
        for (ssrc, due, lost) in requests {
            if !due.is_empty() {
                self.send_rtcp(now, |writer| {
                    writer.receiver_report(own, &[]);
                    writer.nack(own, ssrc, &due);
                });
            }
            if lost {
                self.send_rtcp(now, |writer| writer.picture_loss(own, ssrc));
            }
        }
    }

    pub fn send_receiver_reports(&mut self, now: Instant) {
        let blocks: Vec<_> = self
            .incoming
            .iter_mut()
            .filter_map(|(ssrc, incoming)| incoming.statistics.report(*ssrc, now))
            .collect();
        let own = self.own_ssrc;
        self.send_rtcp(now, |writer| writer.receiver_report(own, &blocks));
    }
}
