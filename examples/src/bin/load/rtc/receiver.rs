//! What a player gets: it counts all packets by their headers, and opens those that it has to.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_stack::{
    Codec, Limits, MediaKind, Ssrc,
    rtcp::{Packet, Packets, ReportBlock, Writer},
    rtp::{Arrived, Header, NackList, ReceiveStatistics, SequenceExtender},
    sdp::NegotiatedSection,
    stun::{Kind, classify},
};

use super::{
    Manner,
    port::{Arrival, Outbox, Peer},
    session::Session,
};
use crate::{client::ClientError, player::Player, stamp::Stamp};

/// Between two requests for a packet: no round trip on this machine takes longer.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// Bytes before what a retransmission carries (RFC 4588).
const ORIGINAL_SEQUENCE: usize = 2;

pub(super) struct Receiver {
    pub(super) player: Player,
    pub(super) session: Session,
    tracks: Vec<Track>,
    /// Who reports are from.
    ssrc: Ssrc,
    manner: Manner,
}

/// A source of the server's.
struct Track {
    ssrc: Ssrc,
    /// The source of its retransmissions.
    rtx: Option<Ssrc>,
    codec: Codec,
    is_video: bool,
    extender: SequenceExtender,
    statistics: ReceiveStatistics,
    missing: NackList,
}

impl Track {
    fn of(section: &NegotiatedSection) -> Option<Self> {
        let parameters = &section.codecs.first()?.parameters;
        let source = section.remote_sources.first()?;
        Some(Self {
            ssrc: source.ssrc,
            rtx: source.rtx,
            codec: parameters.codec,
            is_video: section.kind == MediaKind::Video,
            extender: SequenceExtender::default(),
            statistics: ReceiveStatistics::new(parameters.clock_rate),
            missing: NackList::new(&Limits::default()),
        })
    }
}

impl Peer for Receiver {
    fn receive(&mut self, arrival: Arrival, datagram: &mut [u8]) {
        self.player.read_at(arrival.nanos, arrival.is_first);
        self.player.bytes(datagram.len());
        match classify(datagram) {
            Kind::Dtls => self.session.receive_dtls(datagram),
            Kind::Rtcp => self.take_rtcp(arrival.at, datagram),
            Kind::Rtp if !self.manner.loses() => self.take_rtp(arrival.at, datagram),
            _ => {}
        }
    }
}

impl Receiver {
    pub(super) fn new(player: Player, session: Session, manner: Manner) -> Self {
        let tracks = session.negotiated.sections.iter().filter_map(Track::of).collect();
        Self { player, session, tracks, ssrc: Ssrc(fastrand::u32(1..)), manner }
    }

    /// When there is something to do at the latest.
    pub(super) fn due(&self) -> Instant {
        let lists = self.tracks.iter().filter(|_| self.manner.nack);
        let missing = lists.filter_map(|track| track.missing.poll_timeout(ROUND_TRIP)).min();
        self.session.due().min(missing.unwrap_or_else(|| self.session.due()))
    }

    pub(super) fn turn(&mut self, now: Instant, out: &mut Outbox<'_>) -> Result<(), ClientError> {
        let mut compound = BytesMut::new();
        if self.session.turn(now, out)? {
            self.report(now, &mut compound);
        }
        if self.manner.nack {
            self.ask(now, &mut compound);
        }
        self.session.send_rtcp(compound, out)
    }

    fn take_rtp(&mut self, now: Instant, datagram: &mut [u8]) {
        let Ok(header) = Header::parse(datagram) else { return };
        let ssrc = header.fields.ssrc;
        match self.tracks.iter().position(|track| track.ssrc == ssrc || track.rtx == Some(ssrc)) {
            Some(place) if self.tracks[place].ssrc == ssrc => {
                self.take_packet(now, place, &header, datagram);
            }
            Some(place) => self.take_again(now, place, datagram),
            None => {}
        }
    }

    fn take_packet(&mut self, now: Instant, place: usize, header: &Header, datagram: &mut [u8]) {
        let Self { player, session, tracks, manner, .. } = self;
        let track = &mut tracks[place];
        let before = track.extender.newest();
        let number = track.extender.extend(header.fields.sequence);
        let gap = before.map_or(0, |before| number.saturating_sub(before).saturating_sub(1));
        let arrived = track.missing.receive(number, now);
        track.statistics.receive(number, header.fields.timestamp, now);
        let overhead = header.len() + session.inbound.profile().rtp_overhead();
        // What is asked for twice may come twice.
        if !(manner.nack && arrived == Arrived::Late) {
            player.packet(datagram.len().saturating_sub(overhead), arrived, gap);
        }
        if manner.nack && matches!(arrived, Arrived::AfterGap(_)) {
            session.woken.notify_one();
        }
        let wants_keyframe = track.is_video && player.report.join_ms.is_none();
        if arrived == Arrived::Late || !(player.is_probe() || wants_keyframe) {
            return;
        }
        let opened = match session.inbound.open_rtp(datagram) {
            Ok(opened) => opened,
            Err(error) => return session.end(ClientError::rtc(error)),
        };
        let payload = &datagram[header.len()..opened.len];
        if wants_keyframe && track.codec.is_keyframe_start(payload) {
            player.keyframe();
        }
        if player.is_probe() {
            Stamp::search(payload).into_iter().for_each(|stamp| player.stamped_packet(stamp));
        }
    }

    /// Takes a retransmission: what it repeats is told inside.
    fn take_again(&mut self, now: Instant, place: usize, datagram: &mut [u8]) {
        let Self { player, session, tracks, .. } = self;
        let opened = match session.inbound.open_rtp(datagram) {
            Ok(opened) => opened,
            Err(error) => return session.end(ClientError::rtc(error)),
        };
        let Ok(payload) = opened.header.payload(&datagram[..opened.len]) else { return };
        // One without content probes the bandwidth.
        let Some(&[high, low]) = payload.first_chunk() else { return };
        let track = &mut tracks[place];
        let number = track.extender.extend(u16::from_be_bytes([high, low]));
        let arrived = track.missing.receive(number, now);
        if arrived != Arrived::Recovered {
            return;
        }
        player.packet(payload.len() - ORIGINAL_SEQUENCE, arrived, 0);
        if player.is_probe() {
            let stamp = Stamp::search(&payload[ORIGINAL_SEQUENCE..]);
            stamp.into_iter().for_each(|stamp| player.stamped_packet(stamp));
        }
    }

    /// Notes the server's clock, which our reports repeat.
    fn take_rtcp(&mut self, now: Instant, datagram: &mut [u8]) {
        let Ok(length) = self.session.inbound.open_rtcp(datagram) else { return };
        for packet in Packets::new(&datagram[..length]).flatten() {
            if let Packet::SenderReport { ssrc, info, .. } = packet
                && let Some(track) = self.tracks.iter_mut().find(|track| track.ssrc == ssrc)
            {
                track.statistics.sender_report(info.time, now);
            }
        }
    }

    fn report(&mut self, now: Instant, compound: &mut BytesMut) {
        let blocks: Vec<ReportBlock> = self
            .tracks
            .iter_mut()
            .filter_map(|track| track.statistics.report(track.ssrc, now))
            .collect();
        let mut writer = Writer::new(compound);
        writer.receiver_report(self.ssrc, &blocks);
        writer.cname(self.ssrc, b"load");
    }

    /// Asks for what is missing.
    fn ask(&mut self, now: Instant, compound: &mut BytesMut) {
        let mut due = Vec::new();
        for track in &mut self.tracks {
            due.clear();
            track.missing.poll(now, ROUND_TRIP, &mut due);
            if due.is_empty() {
                continue;
            }
            let mut writer = Writer::new(compound);
            writer.nack(self.ssrc, track.ssrc, &due);
        }
    }
}
