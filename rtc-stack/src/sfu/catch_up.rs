//! What viewers that join are sent of what was there before them.

use std::time::Instant;

use super::output::{Gate, Output};
use super::seating::viewer_mut;
use super::stream::{Stream, StreamTrack};
use super::viewer::Place;
use super::{PeerId, Sfu, StreamId};
use crate::session::Outgoing;

/// A replay goes in so many parts: one at once, the others spread.
const REPLAY_PARTS: u32 = 4;

impl Sfu {
    /// Sends a viewer that has just joined what there is since the last keyframe.
    pub(super) fn catch_up_seat(
        &mut self,
        now: Instant,
        stream: StreamId,
        index: usize,
        out: &mut Outgoing,
    ) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        let Stream { seats, tracks, .. } = found;
        let Some(seat) = seats.get_mut(index) else { return };
        let mut is_catching_up = false;
        for output in seat.outputs.iter_mut().flatten() {
            let Gate::Keyframe { .. } = output.gate else { continue };
            let track = output.track.and_then(|track| tracks.get(usize::from(track)));
            let Some(track) = track else { continue };
            let Some(keyframe) = track.replay(now, &self.limits) else { continue };
            is_catching_up |= output.go_back_to(now, keyframe.sequence, track);
        }
        let peer = seat.peer;
        if is_catching_up {
            self.begin_catching_up(now, stream, peer, out);
        }
    }

    /// Sends a viewer that has lost too much what there is since the last keyframe, once more: for publishers that make
    /// no other because one is wanted. It is part of what the viewer may be sent again.
    pub(super) fn repeat(&mut self, now: Instant, id: PeerId, index: usize, out: &mut Outgoing) {
        let Some(viewer) = viewer_mut(&mut self.peers, id) else { return };
        let (Place::Seated(seat), Some(stream)) = (&viewer.place, viewer.stream) else { return };
        let Some(Stream { seats, tracks, .. }) = self.streams.get_mut(stream) else { return };
        let Some(seat) = seats.get_mut(*seat) else { return };
        let Some(Some(output)) = seat.outputs.get_mut(index) else { return };
        if matches!(output.gate, Gate::CatchUp { .. }) {
            return;
        }
        let track = output.track.and_then(|track| tracks.get(usize::from(track)));
        let Some(track) = track else { return };
        let Some(keyframe) = track.replay(now, &self.limits) else { return };
        if viewer.retransmission.affords(keyframe.bytes)
            && output.go_back_to(now, keyframe.sequence, track)
        {
            viewer.retransmission.spend(keyframe.bytes);
            self.begin_catching_up(now, stream, id, out);
        }
    }

    fn begin_catching_up(
        &mut self,
        now: Instant,
        stream: StreamId,
        peer: PeerId,
        out: &mut Outgoing,
    ) {
        self.catching_up.push((stream, peer));
        let due = self.next_part(now);
        self.catch_up_due.get_or_insert(due);
        self.step(now, stream, peer, out);
    }

    /// Sends the next parts of replays, when they are due.
    pub(super) fn catch_up(&mut self, now: Instant, out: &mut Outgoing) {
        if self.catch_up_due.is_none_or(|due| due > now) {
            return;
        }
        let mut viewers = std::mem::take(&mut self.catching_up);
        viewers.retain(|(stream, peer)| self.step(now, *stream, *peer, out));
        self.catch_up_due = if viewers.is_empty() { None } else { Some(self.next_part(now)) };
        self.catching_up = viewers;
    }

    fn next_part(&self, now: Instant) -> Instant {
        let spread = self.config.replay_spread.checked_div(REPLAY_PARTS).unwrap_or_default();
        now.checked_add(spread).unwrap_or(now)
    }

    /// Sends one part of a replay. False if there is nothing left of it.
    fn step(&mut self, now: Instant, stream: StreamId, peer: PeerId, out: &mut Outgoing) -> bool {
        let Some(viewer) = viewer_mut(&mut self.peers, peer) else { return false };
        let Place::Seated(index) = viewer.place else { return false };
        if viewer.stream != Some(stream) {
            return false;
        }
        let Some(Stream { seats, tracks, .. }) = self.streams.get_mut(stream) else { return false };
        let Some(seat) = seats.get_mut(index) else { return false };
        let at = self.config.send_time(now);
        let mut is_left = false;
        for index in 0..seat.outputs.len() {
            let Some(Some(output)) = seat.outputs.get(index) else { continue };
            let Gate::CatchUp { mut cursor, parts } = output.gate else { continue };
            let track = output.track.and_then(|track| tracks.get(usize::from(track)));
            let Some(track) = track else { continue };
            let end = track.timeline.next();
            let part = end.saturating_sub(cursor).div_ceil(u64::from(parts.max(1)));
            let stop = cursor.saturating_add(part);
            while cursor < stop {
                if let Some(kept) = track.history.get(cursor) {
                    seat.send(now, at, index, kept, out);
                }
                cursor = cursor.saturating_add(1);
            }
            let parts = parts.saturating_sub(1);
            let gate = if cursor >= end { Gate::Open } else { Gate::CatchUp { cursor, parts } };
            is_left |= gate != Gate::Open;
            if let Some(Some(output)) = seat.outputs.get_mut(index) {
                output.gate = gate;
            }
        }
        is_left
    }
}

impl Output {
    /// Carries its track from this packet on again, under new numbers. False if there is no such packet.
    fn go_back_to(&mut self, now: Instant, sequence: u64, track: &StreamTrack) -> bool {
        let Some(first) = track.history.get(sequence) else { return false };
        self.begin(now, sequence, first.timestamp);
        self.gate = Gate::CatchUp { cursor: sequence, parts: REPLAY_PARTS };
        true
    }
}
