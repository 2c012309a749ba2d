//! How a viewer gets the simulcast layer that its path carries: down when there is less room, up when more is found.

use std::time::{Duration, Instant};

use super::seat::Seat;
use super::seating::viewer_mut;
use super::stream::Stream;
use super::viewer::{Place, Viewer};
use super::{PeerId, Sfu, StreamId};
use crate::MediaKind;
use crate::rtcp::TransportFeedback;
use crate::session::Outgoing;

/// A probe goes in so many parts, this long apart.
const PARTS: u32 = 4;
const PART: Duration = Duration::from_millis(20);
/// Packets of one part, at most.
const PART_PACKETS: u64 = 64;
/// How much more than a layer needs is asked of the path, in percent of that.
const ASKED: u64 = 110;
/// How long it is waited for before a higher layer is tried: at first, and after many times that it did not fit.
const FIRST_WAIT: Duration = Duration::from_secs(3);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long what a viewer says may go on growing to what a layer needs: it grows by a twelfth in a second.
const TRIAL: Duration = Duration::from_secs(15);

/// Where a viewer is on its way to higher layers.
#[derive(Debug, Default)]
pub(super) struct Climb {
    /// Before this, nothing higher is tried.
    next: Option<Instant>,
    wait: Duration,
    /// The present probe: its rate in bits per second, and its parts that are left.
    probe: Option<(u64, u32)>,
    /// A layer that is tried since nothing can be measured: until when, and the most that the viewer has said meanwhile.
    trial: Option<(Instant, u64)>,
    pub(super) probed_bytes: u64,
}

impl Climb {
    /// Lets time pass before the next try; the more, the less was between this and the last.
    pub(super) fn fail(&mut self, now: Instant) {
        let lately =
            self.next.is_some_and(|next| now < next.checked_add(LONGEST_WAIT).unwrap_or(now));
        self.wait = if lately { self.wait.saturating_mul(2) } else { FIRST_WAIT };
        self.wait = self.wait.clamp(FIRST_WAIT, LONGEST_WAIT);
        self.next = now.checked_add(self.wait);
        self.trial = None;
    }

    fn may_try(&self, now: Instant) -> bool {
        self.probe.is_none() && self.next.is_none_or(|next| next <= now)
    }
}

impl Viewer {
    /// The place of the output that carries pictures, if one does.
    fn pictures(&self) -> Option<usize> {
        self.sections.iter().position(|section| section.kind == MediaKind::Video)
    }

    /// What a choice of layers has to keep within, in bits per second; `None` where nothing says that there is too
    /// little room.
    pub(super) fn budget(&self, now: Instant, seat: &Seat, needed: u64) -> Option<u64> {
        let measured = seat.bandwidth.as_ref();
        if let Some((measured, bits)) = measured.and_then(|m| Some((m, m.bits()?))) {
            // Encoders vary: without a sign of congestion, what is sent is carried.
            return Some(if measured.was_congested(now) { bits } else { bits.max(needed) });
        }
        let told = self.told_bitrate?;
        // A path that is full is told by a rate that falls.
        let is_trial =
            |(until, most): (Instant, u64)| now < until && told >= (most / 20).saturating_mul(19);
        Some(if self.climb.trial.is_some_and(is_trial) { told.max(needed) } else { told })
    }
}

impl Sfu {
    /// Takes what a viewer says that it can take of us.
    pub(super) fn note_told_bitrate(&mut self, now: Instant, id: PeerId, bits: u64) {
        let Some(viewer) = viewer_mut(&mut self.peers, id) else { return };
        viewer.told_bitrate = Some(bits);
        if let Some((_, most)) = &mut viewer.climb.trial {
            *most = bits.max(*most);
        }
        self.adapt(now, id);
    }

    /// Takes a viewer's report of arrivals.
    pub(super) fn note_arrivals(
        &mut self,
        now: Instant,
        id: PeerId,
        feedback: &TransportFeedback<'_>,
    ) {
        let Some(viewer) = viewer_mut(&mut self.peers, id) else { return };
        let (Place::Seated(index), Some(stream)) = (&viewer.place, viewer.stream) else { return };
        let Some(Stream { seats, .. }) = self.streams.get_mut(stream) else { return };
        let seat = seats.get_mut(*index);
        let Some(bandwidth) = seat.and_then(|seat| seat.bandwidth.as_mut()) else { return };
        let rtt = viewer.rtt.unwrap_or(self.config.initial_rtt);
        let heard = bandwidth.receive(now, rtt, feedback);
        viewer.transport_received = viewer.transport_received.saturating_add(heard.received);
        viewer.transport_lost = viewer.transport_lost.saturating_add(heard.lost);
        if heard.probed == Some(false) {
            viewer.climb.fail(now);
        }
        if heard.is_congested || heard.probed == Some(true) {
            self.adapt(now, id);
        }
    }

    fn adapt(&mut self, now: Instant, id: PeerId) {
        let Some(viewer) = viewer_mut(&mut self.peers, id) else { return };
        if let (Place::Seated(index), Some(stream), None) =
            (&viewer.place, viewer.stream, viewer.layer)
        {
            let index = *index;
            self.choose_layer(now, stream, index);
        }
    }

    /// Once a second, looks whether a viewer might have the next higher layer. Where arrivals are reported, that is
    /// found out by packets that are sent again for nothing else; where the viewer itself says what it can take, which
    /// is little more than what it gets, by the layer.
    pub(super) fn climb(
        &mut self,
        now: Instant,
        stream: StreamId,
        index: usize,
        out: &mut Outgoing,
    ) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        if !found.has_layers(MediaKind::Video) {
            return;
        }
        let Some(peer) = found.seats.get(index).map(|seat| seat.peer) else { return };
        let Some(viewer) = viewer_mut(&mut self.peers, peer) else { return };
        let Some(place) = viewer.pictures() else { return };
        let output = |seat: &Seat| seat.outputs.get(place)?.as_ref().map(|o| (o.track, o.pending));
        let Some((Some(has), None)) = found.seats.get(index).and_then(output) else { return };
        let next = found.next_higher(now, MediaKind::Video, has);
        let Some(seat) = found.seats.get_mut(index) else { return };
        if let Some(bandwidth) = &mut seat.bandwidth
            && bandwidth.abandon_probe(now)
        {
            viewer.climb.fail(now);
        }
        let (Some((higher, needs)), Some(bits)) = (next, viewer.estimate(seat)) else { return };
        if bits >= needs || !viewer.climb.may_try(now) {
            return;
        }
        viewer.climb.next = now.checked_add(FIRST_WAIT);
        match &mut seat.bandwidth {
            Some(bandwidth) if bandwidth.bits().is_some() => {
                if bandwidth.is_probing() || bandwidth.was_congested(now) {
                    return;
                }
                let target = needs.saturating_mul(ASKED) / 100;
                let first = seat.transport_sequence.wrapping_add(1);
                bandwidth.begin_probe(now, first, target);
                viewer.climb.probe = Some((target, PARTS));
                self.probing.push((stream, peer));
                if self.send_probe(now, stream, peer, out) {
                    self.probes_due = self.probes_due.or(now.checked_add(PART));
                }
            }
            _ => {
                viewer.climb.trial = now.checked_add(TRIAL).map(|until| (until, bits));
                if let Some(Some(output)) = seat.outputs.get_mut(place) {
                    output.pending = Some(higher);
                }
                self.want_keyframe(now, stream, higher);
            }
        }
    }

    /// Sends the next parts of probes, when they are due.
    pub(super) fn send_probes(&mut self, now: Instant, out: &mut Outgoing) {
        if self.probes_due.is_none_or(|due| due > now) {
            return;
        }
        let mut viewers = std::mem::take(&mut self.probing);
        viewers.retain(|(stream, peer)| self.send_probe(now, *stream, *peer, out));
        self.probes_due = if viewers.is_empty() { None } else { now.checked_add(PART) };
        self.probing = viewers;
    }

    /// Sends one part of a probe: the latest packets again, as their receiver has them already. False if it was the last.
    fn send_probe(
        &mut self,
        now: Instant,
        stream: StreamId,
        peer: PeerId,
        out: &mut Outgoing,
    ) -> bool {
        let Some(viewer) = viewer_mut(&mut self.peers, peer) else { return false };
        let Some((target, parts)) = viewer.climb.probe.take() else { return false };
        let Place::Seated(index) = viewer.place else { return false };
        if viewer.stream != Some(stream) {
            return false;
        }
        let Some(Stream { seats, tracks, .. }) = self.streams.get_mut(stream) else { return false };
        let Some(seat) = seats.get_mut(index) else { return false };
        let at = self.config.send_time(now);
        let Some(place) = viewer.pictures() else { return false };
        let bytes = target.saturating_mul(PART.as_millis() as u64) / 8_000;
        let mut sent = 0u64;
        for back in 1..=PART_PACKETS {
            let Some(Some(output)) = seat.outputs.get(place) else { break };
            let latest = output.next.wrapping_sub(back) as u16;
            let (Some((number, sequence)), true) = (output.sequence_of(latest), sent < bytes)
            else {
                break;
            };
            let track = output.track.and_then(|track| tracks.get(usize::from(track)));
            let Some(kept) = track.and_then(|track| track.history.get(sequence)) else { continue };
            let length = seat.send_again(at, place, number, kept, out);
            sent = sent.saturating_add(length as u64);
        }
        viewer.climb.probed_bytes = viewer.climb.probed_bytes.saturating_add(sent);
        let left = parts.saturating_sub(1);
        if left > 0 && sent > 0 {
            viewer.climb.probe = Some((target, left));
            return true;
        }
        let end = seat.transport_sequence.wrapping_add(1);
        if let Some(bandwidth) = &mut seat.bandwidth {
            bandwidth.finish_probe(end);
        }
        false
    }
}
