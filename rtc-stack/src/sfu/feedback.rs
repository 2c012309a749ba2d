//! What a publisher is told, and what it tells of itself.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::published::PublishedTrack;
use super::publisher::Publisher;
use super::{Event, PeerId, RoleState, SenderClock, Sfu, SfuConfig, SfuError, Track, seat_mut};
use crate::rtcp::{NtpTime, Packet, Packets, ReportBlock, Writer};
use crate::session::{Flow, Outgoing};
use crate::srtp::Outbound;
use crate::{Codec, CodecParameters, MediaKind};

/// Time between two reports: publishers hear from us at least once a second.
const REPORTS: Duration = Duration::from_millis(900);
/// The shortest time between two reports of arrivals.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);
/// How long the answer to a request for packets is waited for, at least.
const LEAST_ROUND_TRIP: Duration = Duration::from_millis(50);
/// The longest round trip that is believed: a report that lies must not stop retransmissions.
const LONGEST_RTT: Duration = Duration::from_secs(2);
/// Bytes of a compound after which another datagram is begun.
const COMPOUND: usize = 800;

impl Sfu {
    /// Asks a publisher for a keyframe of a track, unless one was asked for a moment ago
    /// ([`SfuConfig::keyframe_interval`]): then when that is over. It goes out with the next
    /// [`handle_timeout`](Self::handle_timeout).
    ///
    /// # Errors
    ///
    /// No such peer, or it is no publisher. A track that does not arrive yet is no error.
    pub fn request_keyframe(&mut self, publisher: PeerId, track: u8) -> Result<(), SfuError> {
        let peer = self.peers.get_mut(publisher).ok_or(SfuError::UnknownPeer)?;
        let RoleState::Publisher(publisher) = &mut peer.role else {
            return Err(SfuError::WrongRole);
        };
        if let Some(track) = publisher.tracks.get_mut(usize::from(track)) {
            track.is_keyframe_wanted = track.kind == MediaKind::Video;
        }
        let place = publisher.place;
        self.serve_soon(place);
        Ok(())
    }

    /// A publisher's tracks by their numbers, for [`set_tracks`](Self::set_tracks) of its stream. One that has not
    /// arrived yet has [`Codec::Other`], which no viewer gets. Empty for a peer that is gone, and for a viewer.
    pub fn tracks(&self, publisher: PeerId) -> Vec<Track> {
        let Some(RoleState::Publisher(publisher)) =
            self.peers.get(publisher).map(|peer| &peer.role)
        else {
            return Vec::new();
        };
        let parameters = |track| match publisher.codec(track) {
            Some(codec) => codec.parameters.clone(),
            None => CodecParameters::new(Codec::Other),
        };
        let tracks = publisher.tracks.iter();
        tracks.map(|track| Track { parameters: parameters(track), layer: track.layer }).collect()
    }

    /// Takes a compound of RTCP packets of a publisher.
    pub(super) fn receive_publisher_rtcp(&mut self, now: Instant, id: PeerId, compound: &[u8]) {
        let ntp = NtpTime::from_unix(self.config.wall_clock.since_1970(now));
        for packet in Packets::new(compound).flatten() {
            let Some(peer) = self.peers.get_mut(id) else { return };
            let RoleState::Publisher(publisher) = &mut peer.role else { return };
            let (ssrc, info) = match packet {
                Packet::SenderReport { ssrc, info, .. } => (ssrc, info),
                Packet::ExtendedReports(reports) => {
                    let ours = reports.last_references().find(|last| last.ssrc == publisher.ssrc);
                    let measured = ours.and_then(|last| last.round_trip(ntp));
                    publisher.rtt = smoothed(publisher.rtt, measured);
                    continue;
                }
                Packet::Goodbye(_) => {
                    peer.session.hint(now);
                    continue;
                }
                _ => continue,
            };
            let Some(number) = publisher.track_of(ssrc) else { continue };
            let Some(track) = publisher.tracks.get_mut(number) else { continue };
            if let Some(statistics) = &mut track.statistics {
                statistics.sender_report(info.time, now);
            }
            let clock =
                SenderClock { ssrc, time: info.time, timestamp: info.timestamp, arrival: now };
            let track = u8::try_from(number).unwrap_or(u8::MAX);
            self.push_bounded(Event::SenderClock { peer: id, track, clock });
        }
    }

    /// Serves the publisher in a place of the list if something is due by its time.
    pub(super) fn serve_if_due(&mut self, now: Instant, place: usize, out: &mut Outgoing) {
        let Some(&(publisher, Some(due))) = self.publishers.get(place) else { return };
        if due > now {
            return;
        }
        let next = self.serve_publisher(now, publisher, out);
        if let Some((_, due)) = self.publishers.get_mut(place) {
            *due = next;
        }
    }

    /// Serves the publisher in a place of the list with the next turn.
    pub(super) fn serve_soon(&mut self, place: usize) {
        if let Some((_, due)) = self.publishers.get_mut(place) {
            *due = None;
        }
    }

    /// Takes a publisher out of the list.
    pub(super) fn serve_no_more(&mut self, id: PeerId) {
        let Some(place) = self.publishers.iter().position(|(publisher, _)| *publisher == id) else {
            return;
        };
        self.publishers.swap_remove(place);
        let Some((moved, _)) = self.publishers.get(place) else { return };
        if let Some(RoleState::Publisher(moved)) =
            self.peers.get_mut(*moved).map(|peer| &mut peer.role)
        {
            moved.place = place;
        }
    }

    /// Sends a publisher what is due: requests for lost packets and keyframes, reports, arrivals. Answers when there is
    /// more; `None` for at once.
    pub(super) fn serve_publisher(
        &mut self,
        now: Instant,
        id: PeerId,
        out: &mut Outgoing,
    ) -> Option<Instant> {
        let peer = self.peers.get_mut(id)?;
        let flow = peer.session.selected()?;
        let RoleState::Publisher(publisher) = &mut peer.role else { return None };
        let mut outbound = publisher.outbound.take()?;
        let scratch = &mut self.scratch;
        let mut compound = Compound { scratch, outbound: &mut outbound, flow, out };
        publisher.write_requests(now, &self.config, &mut compound);
        if publisher.report_due.is_some_and(|due| due <= now) {
            publisher.report_due = now.checked_add(REPORTS);
            publisher.write_reports(now, &self.config, &mut compound);
        }
        compound.flush();
        if publisher.twcc_due.is_some_and(|due| due <= now) {
            let interval = self.config.transport_cc_interval.max(LEAST_INTERVAL);
            publisher.twcc_due = now.checked_add(interval);
            publisher.write_arrivals(&mut compound);
        }
        publisher.outbound = Some(outbound);
        if publisher.tracks.iter().any(PublishedTrack::has_wishes) {
            return None;
        }
        [publisher.report_due, publisher.twcc_due].into_iter().flatten().min()
    }

    /// Tells a peer that nothing follows.
    pub(super) fn say_goodbye(&mut self, id: PeerId, out: &mut Outgoing) {
        let cname = self.config.cname.as_bytes();
        if let Some(seat) = seat_mut(&mut self.peers, &mut self.streams, id) {
            let sources: Vec<_> = seat.outputs.iter().flatten().map(|output| output.ssrc).collect();
            let (flow, outbound) = (&seat.flow, &mut seat.srtp);
            let Some(first) = sources.first().copied() else { return };
            let mut compound = Compound { scratch: &mut self.scratch, outbound, flow, out };
            let mut writer = compound.writer();
            writer.receiver_report(first, &[]);
            writer.cname(first, cname);
            writer.goodbye(&sources, b"");
            compound.flush();
            return;
        }
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(flow) = peer.session.selected() else { return };
        let RoleState::Publisher(publisher) = &mut peer.role else { return };
        let ssrc = publisher.ssrc;
        let Some(outbound) = &mut publisher.outbound else { return };
        let mut compound = Compound { scratch: &mut self.scratch, outbound, flow, out };
        let mut writer = compound.writer();
        writer.receiver_report(ssrc, &[]);
        writer.cname(ssrc, cname);
        writer.goodbye(&[ssrc], b"");
        compound.flush();
    }
}

/// A round-trip time with another measurement, as RFC 6298, 2.3 smooths it.
pub(super) fn smoothed(before: Option<Duration>, measured: Option<Duration>) -> Option<Duration> {
    let Some(measured) = measured.filter(|rtt| *rtt <= LONGEST_RTT) else { return before };
    Some(before.map_or(measured, |before| {
        before.saturating_mul(7).saturating_add(measured).mul_f32(0.125)
    }))
}

/// RTCP packets on their way into one datagram, or several where they are many.
pub(super) struct Compound<'a> {
    pub(super) scratch: &'a mut BytesMut,
    pub(super) outbound: &'a mut Outbound,
    pub(super) flow: &'a Flow,
    pub(super) out: &'a mut Outgoing,
}

impl Compound<'_> {
    /// Where the next packet is written.
    pub(super) fn writer(&mut self) -> Writer<'_> {
        if self.scratch.len() >= COMPOUND {
            self.flush();
        }
        Writer::new(self.scratch)
    }

    /// Seals and sends what was written.
    pub(super) fn flush(&mut self) {
        // It fails when all 2^31 numbers of the keys are used: after years.
        if !self.scratch.is_empty() && self.outbound.seal_rtcp(self.scratch, 0).is_ok() {
            self.out.push(self.flow, self.scratch);
        }
        self.scratch.clear();
    }
}

impl Publisher {
    fn write_requests(&mut self, now: Instant, config: &SfuConfig, compound: &mut Compound<'_>) {
        let (sender, is_reduced) = (self.ssrc, self.is_reduced);
        // An answer takes a little longer than the path alone.
        let measured = self.rtt.map(|rtt| rtt.mul_f32(1.25).max(LEAST_ROUND_TRIP));
        let round_trip = measured.unwrap_or(config.initial_rtt);
        for number in 0..self.tracks.len() {
            let feedback = self.tracks.get(number).and_then(|track| self.codec(track));
            let Some(feedback) = feedback.map(|codec| codec.feedback) else { continue };
            let Some(track) = self.tracks.get_mut(number) else { continue };
            let Some(media) = track.ssrc else { continue };
            let mut due = std::mem::take(&mut self.due);
            let asks = config.nack && feedback.nack;
            track.poll_missing(now, round_trip, asks, &mut due);
            let wants_keyframe = track.takes_keyframe_request(now, config.keyframe_interval);
            let wants_keyframe = wants_keyframe && (feedback.pli || feedback.fir);
            if !due.is_empty() || wants_keyframe {
                compound.begin(sender, config, is_reduced);
            }
            if !due.is_empty() {
                compound.writer().nack(sender, media, &due);
            }
            if wants_keyframe && feedback.pli {
                compound.writer().picture_loss(sender, media);
            } else if wants_keyframe {
                track.firs = track.firs.wrapping_add(1);
                compound.writer().full_intra_requests(sender, &[(media, track.firs)]);
            }
            due.clear();
            self.due = due;
        }
    }

    fn write_reports(&mut self, now: Instant, config: &SfuConfig, compound: &mut Compound<'_>) {
        let blocks: Vec<ReportBlock> =
            self.tracks.iter_mut().filter_map(|track| track.report(now)).collect();
        let mut writer = compound.writer();
        writer.receiver_report(self.ssrc, &blocks);
        writer.cname(self.ssrc, config.cname.as_bytes());
        writer.reference_time(self.ssrc, NtpTime::from_unix(config.wall_clock.since_1970(now)));
        if let Some(bitrate) = config.max_bitrate.filter(|_| self.twcc.is_none())
            && self.takes_remb()
        {
            let video = self.tracks.iter().filter(|track| track.kind == MediaKind::Video);
            let sources: Vec<_> = video.filter_map(|track| track.ssrc).collect();
            writer.remb(self.ssrc, bitrate, &sources);
        }
    }

    fn write_arrivals(&mut self, compound: &mut Compound<'_>) {
        let Some(media) = self.tracks.iter().find_map(|track| track.ssrc) else { return };
        let sender = self.ssrc;
        let Some(twcc) = &mut self.twcc else { return };
        // A datagram for each, since each may fill one.
        while twcc.is_due() && twcc.write(sender, media, compound.scratch) {
            compound.flush();
        }
    }
}

impl Compound<'_> {
    /// Begins a compound as RFC 3550, 6.1 has it, where the peer did not agree to leave that out (RFC 5506).
    fn begin(&mut self, sender: crate::Ssrc, config: &SfuConfig, is_reduced: bool) {
        let mut writer = self.writer();
        if !is_reduced {
            writer.receiver_report(sender, &[]);
            writer.cname(sender, config.cname.as_bytes());
        }
    }
}

impl PublishedTrack {
    /// Says which packets to ask for again; wants a keyframe for those that cannot be had.
    fn poll_missing(&mut self, now: Instant, rtt: Duration, asks: bool, due: &mut Vec<u16>) {
        let given_up = self.nacks.given_up();
        self.nacks.poll(now, rtt, due);
        let is_lost = self.nacks.given_up() > given_up || (!asks && !due.is_empty());
        if !asks {
            due.clear();
            self.nacks.clear();
        }
        self.nacked = self.nacked.saturating_add(due.len() as u64);
        self.is_keyframe_wanted |= is_lost && self.kind == MediaKind::Video;
    }

    fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let block = self.statistics.as_mut()?.report(self.ssrc?, now)?;
        self.reported = Some(block);
        Some(block)
    }
}
