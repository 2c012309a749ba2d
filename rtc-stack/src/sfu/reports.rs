//! What viewers tell of what they get, and what they are told of it.

use std::time::{Duration, Instant};

use super::feedback::{Compound, smoothed};
use super::output::{Gate, Output};
use super::seat::Seat;
use super::seating::viewer_mut;
use super::slots::PERIOD;
use super::stream::Stream;
use super::viewer::{Place, Viewer};
use super::{PeerId, Sfu};
use crate::Ssrc;
use crate::rtcp::{NtpTime, Packet, Packets, ReportBlock, SenderInfo};
use crate::session::Outgoing;

/// How often it is looked whether what a viewer gets has begun.
const NEWCOMERS: Duration = Duration::from_millis(20);

impl Sfu {
    /// Takes a compound of RTCP packets of a viewer.
    pub(super) fn receive_viewer_rtcp(
        &mut self,
        now: Instant,
        id: PeerId,
        compound: &[u8],
        out: &mut Outgoing,
    ) {
        let ntp = NtpTime::from_unix(self.config.wall_clock.since_1970(now));
        for packet in Packets::new(compound).flatten() {
            match packet {
                Packet::ReceiverReport { blocks, .. } | Packet::SenderReport { blocks, .. } => {
                    for block in blocks.iter() {
                        self.note_report(id, ntp, &block);
                    }
                }
                Packet::Nack(nack) => {
                    let sequences = nack.sequences();
                    self.send_again(now, id, nack.media, sequences, out);
                }
                Packet::PictureLoss { media, .. } => self.note_picture_loss(now, id, media, out),
                Packet::FullIntraRequests(requests) => {
                    for (media, _) in requests.iter() {
                        self.note_picture_loss(now, id, media, out);
                    }
                }
                Packet::Remb(remb) => self.note_told_bitrate(now, id, remb.bitrate()),
                Packet::TransportFeedback(feedback) => self.note_arrivals(now, id, &feedback),
                Packet::Goodbye(_) => {
                    if let Some(peer) = self.peers.get_mut(id) {
                        peer.session.hint(now);
                    }
                }
                _ => {}
            }
        }
    }

    fn note_report(&mut self, id: PeerId, now: NtpTime, block: &ReportBlock) {
        let Some((viewer, seat)) = self.viewer_and_seat(id) else { return };
        let Some(index) = seat.output_of(block.ssrc) else { return };
        if let Some(report) = viewer.reports.get_mut(index) {
            report.lost = i64::from(block.cumulative_lost);
            report.fraction_lost = block.fraction_lost;
            report.jitter = block.jitter;
        }
        viewer.rtt = smoothed(viewer.rtt, block.round_trip(now));
    }

    fn send_again(
        &mut self,
        now: Instant,
        id: PeerId,
        media: Ssrc,
        sequences: impl Iterator<Item = u16>,
        out: &mut Outgoing,
    ) {
        if !self.config.nack {
            return;
        }
        let at = self.config.send_time(now);
        let Some(viewer) = viewer_mut(&mut self.peers, id) else { return };
        let (Place::Seated(index), Some(stream)) = (&viewer.place, viewer.stream) else { return };
        let Some(Stream { seats, tracks, .. }) = self.streams.get_mut(stream) else { return };
        let Some(seat) = seats.get_mut(*index) else { return };
        let Some(output) = seat.output_of(media) else { return };
        for lower in sequences {
            if let Some(report) = viewer.reports.get_mut(output) {
                report.nacks = report.nacks.saturating_add(1);
            }
            viewer.send_again((now, at), seat, (output, lower), tracks, &self.config, out);
        }
    }

    fn note_picture_loss(&mut self, now: Instant, id: PeerId, media: Ssrc, out: &mut Outgoing) {
        let Some((viewer, seat)) = self.viewer_and_seat(id) else { return };
        let Some(index) = seat.output_of(media) else { return };
        if let Some(report) = viewer.reports.get_mut(index) {
            report.plis = report.plis.saturating_add(1);
        }
        let track = seat.outputs.get(index).and_then(|output| output.as_ref()?.track);
        let (Some(track), Some(stream)) = (track, viewer.stream) else { return };
        if self.streams.get(stream).is_some_and(|stream| stream.makes_keyframes) {
            self.want_keyframe(now, stream, track);
        } else {
            self.repeat(now, id, index, out);
        }
    }

    /// Sends a viewer the reports of what it gets (RFC 3550, 6.4.1), and counts anew what it may be sent again.
    pub(super) fn report_to_viewer(&mut self, now: Instant, id: PeerId, out: &mut Outgoing) {
        let sent = self.viewer_and_seat(id).map_or(0, |(_, seat)| {
            seat.outputs.iter().flatten().map(|output| output.bytes).fold(0, u64::saturating_add)
        });
        let Some(viewer) = viewer_mut(&mut self.peers, id) else { return };
        viewer.retransmission.refill(&self.limits, sent);
        self.send_reports(now, id, out);
    }

    /// Sends viewers that have joined their first reports as soon as all that they get has begun: until then they cannot
    /// know which sound belongs to which picture.
    pub(super) fn report_to_newcomers(&mut self, now: Instant, out: &mut Outgoing) {
        if self.newcomers_due.is_none_or(|due| due > now) {
            return;
        }
        let mut newcomers = std::mem::take(&mut self.newcomers);
        newcomers.retain(|(id, since)| {
            let Some((_, seat)) = self.viewer_and_seat(*id) else { return false };
            let mut bound = seat.outputs.iter().flatten().filter(|output| output.track.is_some());
            let has_begun = seat.outputs.iter().flatten().any(|output| output.track.is_some())
                && bound.all(Output::is_under_way);
            if has_begun {
                self.send_reports(now, *id, out);
            }
            // Later ones come by themselves.
            !has_begun && now.saturating_duration_since(*since) < PERIOD
        });
        self.newcomers_due = if newcomers.is_empty() { None } else { now.checked_add(NEWCOMERS) };
        self.newcomers = newcomers;
    }

    fn send_reports(&mut self, now: Instant, id: PeerId, out: &mut Outgoing) {
        let wall = self.config.wall_clock.since_1970(now);
        let time = NtpTime::from_unix(wall);
        let Some(viewer) = viewer_mut(&mut self.peers, id) else { return };
        let (Place::Seated(index), Some(stream)) = (&viewer.place, viewer.stream) else { return };
        let Some(Stream { seats, tracks, .. }) = self.streams.get_mut(stream) else { return };
        let Some(seat) = seats.get_mut(*index) else { return };
        let Seat { flow, srtp, outputs, .. } = seat;
        let mut compound = Compound { scratch: &mut self.scratch, outbound: srtp, flow, out };
        for output in outputs.iter().flatten().filter(|output| output.is_under_way()) {
            let track = output.track.and_then(|track| tracks.get(usize::from(track)));
            let timestamp = track.and_then(|track| track.timestamp_at(now, wall));
            let Some(timestamp) = timestamp.map(|timestamp| output.timestamp(timestamp)) else {
                continue;
            };
            let (packets, octets) = (output.packets as u32, output.bytes as u32);
            let info = SenderInfo { time, timestamp, packets, octets };
            let mut writer = compound.writer();
            writer.sender_report(output.ssrc, &info, &[]);
            writer.cname(output.ssrc, self.config.cname.as_bytes());
        }
        compound.flush();
    }

    fn viewer_and_seat(&mut self, id: PeerId) -> Option<(&mut Viewer, &Seat)> {
        let viewer = viewer_mut(&mut self.peers, id)?;
        let Place::Seated(index) = &viewer.place else { return None };
        let seat = self.streams.get(viewer.stream?)?.seats.get(*index)?;
        Some((viewer, seat))
    }
}

impl Seat {
    /// The output of a source.
    fn output_of(&self, ssrc: Ssrc) -> Option<usize> {
        self.outputs.iter().position(|output| output.as_ref().is_some_and(|o| o.ssrc == ssrc))
    }
}

impl Output {
    /// Whether the offsets that it has now have been used.
    fn is_under_way(&self) -> bool {
        self.has_sent() && matches!(self.gate, Gate::Open | Gate::CatchUp { .. })
    }
}
