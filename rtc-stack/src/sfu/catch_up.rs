//! What viewers that join are sent of what was there before them.

use std::time::Instant;

use super::output::Gate;
use super::seating::viewer_mut;
use super::stream::Stream;
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
            let Some(cursor) = track.replay(now, &self.limits) else { continue };
            let Some(first) = track.history.get(cursor) else { continue };
            output.begin(now, cursor, first.timestamp);
            output.gate = Gate::CatchUp { cursor, parts: REPLAY_PARTS };
            is_catching_up = true;
        }
        let peer = seat.peer;
        if is_catching_up {
            self.catching_up.push((stream, peer));
            let due = self.next_part(now);
            self.catch_up_due.get_or_insert(due);
            self.step(now, stream, peer, out);
        }
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
