//! How viewers come to a stream, and leave it.

use std::time::Instant;

use super::layers::chosen;
use super::output::Gate;
use super::seat::OUTPUTS;
use super::slab::Slab;
use super::stream::Stream;
use super::viewer::{Place, Viewer, bind};
use super::{Event, Peer, PeerId, RoleState, Sfu, SfuError, StreamId, TrackPacket};
use crate::MediaKind;
use crate::session::Outgoing;

impl Sfu {
    /// Lets a viewer watch a stream. It is bound to the stream's tracks by what its description has of their codecs.
    ///
    /// It begins with the last keyframe if that is young and small ([`Limits::replay_age`](crate::Limits::replay_age),
    /// [`Limits::replay_bytes`](crate::Limits::replay_bytes)), else a keyframe is asked for. `replay` is for a shard
    /// that has not had the stream's packets yet: those from the last keyframe on, which other shards have had. A
    /// viewer that is not connected yet watches when it is.
    ///
    /// # Errors
    ///
    /// No such viewer or stream.
    pub fn attach(
        &mut self,
        now: Instant,
        viewer: PeerId,
        stream: StreamId,
        replay: &[TrackPacket],
        out: &mut Outgoing,
    ) -> Result<(), SfuError> {
        let peer = self.peers.get(viewer).ok_or(SfuError::UnknownPeer)?;
        let RoleState::Viewer(state) = &peer.role else { return Err(SfuError::WrongRole) };
        let is_connected = !matches!(state.place, Place::NotConnected);
        let found = self.streams.get_mut(stream).ok_or(SfuError::UnknownStream)?;
        // With viewers, the stream's packets come by `forward`, and must not be there before.
        if found.seats.is_empty() {
            for TrackPacket { track, packet } in replay {
                if let Some(track) = found.tracks.get_mut(usize::from(*track)) {
                    track.admit(packet);
                }
            }
        }
        self.detach(viewer);
        if is_connected {
            self.sit_down(now, viewer, stream, out);
        } else if let Some(state) = viewer_mut(&mut self.peers, viewer) {
            state.stream = Some(stream);
        }
        Ok(())
    }

    /// Lets a viewer watch nothing.
    pub fn detach(&mut self, viewer: PeerId) {
        let Some(state) = viewer_mut(&mut self.peers, viewer) else { return };
        let Some(stream) = state.stream.take() else { return };
        let Place::Seated(index) = state.place else { return };
        let Some(stream) = self.streams.get_mut(stream) else { return };
        if index >= stream.seats.len() {
            return;
        }
        let mut seat = stream.seats.swap_remove(index);
        for output in seat.outputs.iter_mut().flatten() {
            output.bind(None, Gate::Next);
        }
        state.place = Place::Parked(Box::new(seat));
        // The last seat has taken the place of the one that is free now.
        if let Some(moved) = stream.seats.get(index).map(|seat| seat.peer)
            && let Some(state) = viewer_mut(&mut self.peers, moved)
        {
            state.place = Place::Seated(index);
        }
    }

    /// Gives a connected viewer a seat in a stream.
    pub(super) fn sit_down(
        &mut self,
        now: Instant,
        viewer: PeerId,
        stream: StreamId,
        out: &mut Outgoing,
    ) {
        let Some(state) = viewer_mut(&mut self.peers, viewer) else { return };
        let Some(found) = self.streams.get_mut(stream) else { return };
        let index = found.seats.len();
        match std::mem::replace(&mut state.place, Place::Seated(index)) {
            Place::Parked(seat) => found.seats.push(*seat),
            other => {
                state.place = other;
                return;
            }
        }
        state.stream = Some(stream);
        self.bind_seat(now, stream, index, u32::MAX);
        self.catch_up_seat(now, stream, index, out);
        self.newcomers.push((viewer, now));
        self.newcomers_due.get_or_insert(now);
    }

    /// Binds a seat's outputs to the tracks that the stream has: those that carry none, or one that has changed.
    pub(super) fn bind_seat(&mut self, now: Instant, stream: StreamId, index: usize, changed: u32) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        let Some(peer) = found.seats.get(index).map(|seat| seat.peer) else { return };
        let Some(viewer) = viewer_mut(&mut self.peers, peer) else { return };
        let mut wanted = Vec::new();
        let mut unsupported = Vec::new();
        for output in 0..OUTPUTS {
            let chosen = chosen(found, viewer, output, now);
            let Stream { seats, tracks, .. } = &mut *found;
            let Some(Some(output)) = seats.get_mut(index).map(|seat| seat.outputs.get_mut(output))
            else {
                continue;
            };
            let Some(output) = output else { continue };
            let Some(section) = viewer.sections.get(usize::from(output.section)) else { continue };
            let track = chosen.and_then(|number| {
                tracks.get(usize::from(number)).map(|track| (number, &track.track))
            });
            let Some((number, track)) = track else {
                output.bind(None, Gate::Next);
                continue;
            };
            let is_same = |track: u8| {
                usize::from(track) < tracks.len()
                    && changed.checked_shr(u32::from(track)).unwrap_or(0) & 1 == 0
            };
            if output.track.is_some_and(is_same) {
                continue;
            }
            let is_video = section.kind == MediaKind::Video;
            let until = now.checked_add(self.config.keyframe_wait).unwrap_or(now);
            let gate = if is_video { Gate::Keyframe { until } } else { Gate::Next };
            if !bind(output, section, number, track, gate, &self.config) {
                unsupported.push(number);
            } else if is_video {
                wanted.push(number);
            }
        }
        found.measure(index);
        for track in unsupported {
            self.events.push_back(Event::Unsupported { peer, stream, track });
        }
        if self.config.keyframe_on_join {
            let has_begun = |track: &u8| {
                let track = self.streams.get(stream)?.tracks.get(usize::from(*track))?;
                track.replay(now, &self.limits)
            };
            wanted.retain(|track| has_begun(track).is_none());
            for track in wanted {
                self.want_keyframe(now, stream, track);
            }
        }
    }
}

/// A viewer by its number.
pub(super) fn viewer_mut(peers: &mut Slab<PeerId, Box<Peer>>, id: PeerId) -> Option<&mut Viewer> {
    match &mut peers.get_mut(id)?.role {
        RoleState::Viewer(viewer) => Some(viewer),
        RoleState::Publisher(_) => None,
    }
}
