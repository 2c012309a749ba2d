//! What happens by itself.

use std::time::{Duration, Instant};

use super::slots::SLOTS;
use super::viewer::Place;
use super::{CloseReason, PeerId, RoleState, Sfu};
use crate::session::Outgoing;

/// How often publishers are looked after: lost packets are asked for, and arrivals reported.
const PUBLISHERS: Duration = Duration::from_millis(20);

impl Sfu {
    /// When [`handle_timeout`](Self::handle_timeout) is to be called; `None` while there is nothing to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let keyframes = self.keyframes_wanted.iter().filter_map(|(stream, track)| {
            let track = self.streams.get(*stream)?.tracks.get(usize::from(*track))?;
            track.keyframe_due(self.config.keyframe_interval)
        });
        let begun = [self.catch_up_due, self.probes_due, self.newcomers_due];
        let others = [self.slots.due(), self.publishers_due].into_iter().chain(begun);
        others.flatten().chain(keyframes).min()
    }

    /// Does what is due at `now`: reports, requests for lost packets, the rest of replays, and closing peers that are
    /// silent. Calls that come early do nothing.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Outgoing) {
        self.catch_up(now, out);
        self.send_probes(now, out);
        self.report_to_newcomers(now, out);
        self.ask_for_keyframes(now);
        if self.publishers_due.is_some_and(|due| due <= now) {
            self.publishers_due = if self.publishers.is_empty() {
                None
            } else {
                Some(now.checked_add(PUBLISHERS).unwrap_or(now))
            };
            // The list alone is gone through: nearly all have nothing due.
            for place in 0..self.publishers.len() {
                if let Some((_, due)) = self.publishers.get_mut(place) {
                    due.get_or_insert(now);
                }
                self.serve_if_due(now, place, out);
            }
        }
        while let Some(slot) = self.slots.next(now) {
            let peers: Vec<PeerId> = self.peers.keys(slot, SLOTS).collect();
            for peer in peers {
                self.visit(now, peer, out);
            }
            self.tidy_streams(now, slot);
        }
    }

    /// Once a second for every peer.
    fn visit(&mut self, now: Instant, id: PeerId, out: &mut Outgoing) {
        let Some(peer) = self.peers.get(id) else { return };
        let (timeout, after_hint) = (peer.stun_timeout, self.config.hint_timeout);
        if peer.session.is_expired(now, timeout, after_hint) {
            let reason = peer.session.expiry(now, timeout);
            self.close(id, reason, out);
            return;
        }
        let RoleState::Viewer(viewer) = &peer.role else { return };
        if let (Place::Seated(index), Some(stream)) = (&viewer.place, viewer.stream) {
            let index = *index;
            if viewer.layer.is_none() {
                self.choose_layer(now, stream, index);
                self.climb(now, stream, index, out);
            }
            self.report_to_viewer(now, id, out);
        }
    }

    /// Frees old packets of streams that get none.
    fn tidy_streams(&mut self, now: Instant, slot: usize) {
        let streams: Vec<_> = self.streams.keys(slot, SLOTS).collect();
        for stream in streams {
            let tracks = self.streams.get_mut(stream).map(|stream| &mut stream.tracks);
            for track in tracks.into_iter().flatten() {
                track.history.forget_older(now);
            }
        }
    }

    /// Asks for the keyframes that could not be asked for when they were wanted.
    fn ask_for_keyframes(&mut self, now: Instant) {
        let interval = self.config.keyframe_interval;
        let mut due = Vec::new();
        self.keyframes_wanted.retain(|(stream, track)| {
            let state = self.streams.get(*stream).and_then(|s| s.tracks.get(usize::from(*track)));
            // None once a keyframe has come, or the stream has gone.
            let Some(at) = state.and_then(|track| track.keyframe_due(interval)) else {
                return false;
            };
            if at <= now {
                due.push((*stream, *track));
            }
            at > now
        });
        for (stream, track) in due {
            self.want_keyframe(now, stream, track);
        }
    }
}

impl crate::session::Session {
    /// Why a peer that is expired is.
    fn expiry(&self, now: Instant, timeout: Duration) -> CloseReason {
        if self.selected().is_none() {
            CloseReason::NeverSeen
        } else if self.is_silent(now, timeout) {
            CloseReason::Silent
        } else {
            CloseReason::Left
        }
    }
}
