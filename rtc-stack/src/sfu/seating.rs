//! Streams, the viewers in them, and the way of a packet to all of them.

use std::time::Instant;

use super::output::Gate;
use super::slab::Slab;
use super::stream::Stream;
use super::viewer::{Place, Viewer, bind};
use super::{
    Event, Peer, PeerId, RoleState, SenderClock, Sfu, SfuError, StreamId, Track, TrackPacket,
};
use crate::session::Outgoing;
use crate::{MediaKind, Rid};

/// A replay goes in so many parts: one at once, the others spread.
const REPLAY_PARTS: u32 = 4;

impl Sfu {
    /// Opens a stream that has these tracks, or none yet. A track's number is its place; tracks of one kind are
    /// simulcast layers, of which a viewer gets one.
    ///
    /// # Errors
    ///
    /// Too many streams, or too many tracks.
    pub fn open_stream(&mut self, tracks: &[Track]) -> Result<StreamId, SfuError> {
        let limit = self.limits.streams;
        if self.streams.len() >= limit {
            return Err(SfuError::TooManyStreams { limit });
        }
        self.check_tracks(tracks)?;
        Ok(self.streams.insert(Stream::new(tracks, &self.limits)))
    }

    fn check_tracks(&self, tracks: &[Track]) -> Result<(), SfuError> {
        let limit = self.limits.tracks.min(32);
        if tracks.len() > limit {
            return Err(SfuError::TooManyTracks { tracks: tracks.len(), limit });
        }
        Ok(())
    }

    /// Closes a stream. Its viewers stay, and belong to none.
    pub fn close_stream(&mut self, stream: StreamId) {
        let Some(closed) = self.streams.remove(stream) else { return };
        for mut seat in closed.seats {
            for output in seat.outputs.iter_mut().flatten() {
                output.bind(None, Gate::Next);
            }
            if let Some(viewer) = viewer_mut(&mut self.peers, seat.peer) {
                viewer.stream = None;
                viewer.place = Place::Parked(Box::new(seat));
            }
        }
    }

    /// Replaces the tracks of a stream, as they come to be known. Viewers are bound anew, by what their descriptions
    /// have, to those that differ; their sequence numbers and timestamps go on.
    ///
    /// # Errors
    ///
    /// No such stream, or too many tracks.
    pub fn set_tracks(
        &mut self,
        now: Instant,
        stream: StreamId,
        tracks: &[Track],
    ) -> Result<(), SfuError> {
        self.check_tracks(tracks)?;
        let found = self.streams.get_mut(stream).ok_or(SfuError::UnknownStream)?;
        let changed = found.set_tracks(tracks, &self.limits);
        self.bind_seats(now, stream, changed);
        Ok(())
    }

    /// Takes what comes next for another publisher's, when one comes back or takes the stream over. Sequence numbers and
    /// timestamps go on; viewers of pictures wait for a keyframe.
    ///
    /// # Errors
    ///
    /// No such stream.
    pub fn restart(&mut self, now: Instant, stream: StreamId) -> Result<(), SfuError> {
        let found = self.streams.get_mut(stream).ok_or(SfuError::UnknownStream)?;
        found.restart();
        self.bind_seats(now, stream, u32::MAX);
        Ok(())
    }

    fn bind_seats(&mut self, now: Instant, stream: StreamId, changed: u32) {
        let seats = self.streams.get(stream).map_or(0, |stream| stream.seats.len());
        for index in 0..seats {
            self.bind_seat(now, stream, index, changed);
        }
    }

    /// Takes what a publisher's report says of a track's clock, for the reports to its viewers.
    pub fn sender_clock(&mut self, stream: StreamId, track: u8, clock: &SenderClock) {
        if let Some(stream) = self.streams.get_mut(stream) {
            stream.report(&self.config, track, clock);
        }
    }

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
    }

    /// Binds a seat's outputs to the tracks that the stream has: those that carry none, or one that has changed.
    fn bind_seat(&mut self, now: Instant, stream: StreamId, index: usize, changed: u32) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        let Some(peer) = found.seats.get(index).map(|seat| seat.peer) else { return };
        let Some(viewer) = viewer_mut(&mut self.peers, peer) else { return };
        let mut wanted = Vec::new();
        let mut unsupported = Vec::new();
        for output in 0..super::seat::OUTPUTS {
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

    /// Sends a viewer that has just joined what there is since the last keyframe.
    fn catch_up_seat(&mut self, now: Instant, stream: StreamId, index: usize, out: &mut Outgoing) {
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

    /// Sends packets of a stream to all of its viewers. The viewers are gone through once, so that a batch of several
    /// packets costs less than each by itself.
    pub fn forward(
        &mut self,
        now: Instant,
        stream: StreamId,
        packets: &[TrackPacket],
        out: &mut Outgoing,
    ) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        for TrackPacket { track, packet } in packets {
            let admitted =
                found.tracks.get_mut(usize::from(*track)).and_then(|track| track.admit(packet));
            self.batch.extend(admitted.map(|kept| (*track, kept)));
        }
        let at = self.config.send_time(now);
        for seat in &mut found.seats {
            seat.forward(now, at, &self.batch, out);
        }
        self.batch.clear();
    }

    /// Lets a viewer have one simulcast layer, from the layer's next keyframe on; `None` leaves the choice to what
    /// arrives, of which it gets the highest.
    ///
    /// # Errors
    ///
    /// No such viewer, one that watches nothing, or no such layer.
    pub fn select_layer(
        &mut self,
        now: Instant,
        viewer: PeerId,
        layer: Option<Rid>,
    ) -> Result<(), SfuError> {
        let peer = self.peers.get_mut(viewer).ok_or(SfuError::UnknownPeer)?;
        let RoleState::Viewer(state) = &mut peer.role else { return Err(SfuError::WrongRole) };
        let stream = state.stream.ok_or(SfuError::UnknownStream)?;
        let found = self.streams.get(stream).ok_or(SfuError::UnknownStream)?;
        let has_layer = |rid| found.tracks.iter().any(|track| track.track.layer == Some(rid));
        if layer.is_some_and(|rid| !has_layer(rid)) {
            return Err(SfuError::UnknownLayer);
        }
        state.layer = layer;
        if let Place::Seated(index) = state.place {
            self.choose_layer(now, stream, index);
        }
        Ok(())
    }

    /// Lets a seat's outputs change to the layers that they should have.
    pub(super) fn choose_layer(&mut self, now: Instant, stream: StreamId, index: usize) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        let Some(peer) = found.seats.get(index).map(|seat| seat.peer) else { return };
        let Some(viewer) = viewer_mut(&mut self.peers, peer) else { return };
        let mut wanted = None;
        for output in 0..super::seat::OUTPUTS {
            let chosen = chosen(found, viewer, output, now);
            let Stream { seats, tracks, .. } = &mut *found;
            let seat = seats.get_mut(index);
            let Some(Some(output)) = seat.and_then(|seat| seat.outputs.get_mut(output)) else {
                continue;
            };
            let (Some(has), Some(chosen)) = (output.track, chosen) else { continue };
            let codec = |track: u8| {
                tracks.get(usize::from(track)).map(|track| track.track.parameters.codec)
            };
            output.pending = None;
            // Another layer has the same codec; sound does not change by itself.
            if has == chosen || codec(has) != codec(chosen) {
                continue;
            }
            if codec(chosen).and_then(|codec| codec.kind()) == Some(MediaKind::Video) {
                output.pending = Some(chosen);
                wanted = Some(chosen);
            }
        }
        if let Some(track) = wanted {
            self.want_keyframe(now, stream, track);
        }
    }

    /// Asks the server for a keyframe of a track, now or when one may be asked for again.
    pub(super) fn want_keyframe(&mut self, now: Instant, stream: StreamId, track: u8) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        let Some(state) = found.tracks.get_mut(usize::from(track)) else { return };
        if state.wants_keyframe(now, self.config.keyframe_interval) {
            self.events.push_back(Event::KeyframeWanted { stream, track });
        } else if !self.keyframes_wanted.contains(&(stream, track)) {
            self.keyframes_wanted.push((stream, track));
        }
    }
}

/// The track that an output of a viewer should carry.
fn chosen(stream: &Stream, viewer: &Viewer, output: usize, now: Instant) -> Option<u8> {
    let section = viewer.sections.get(output)?;
    let Place::Seated(index) = viewer.place else { return None };
    let has = stream.seats.get(index)?.outputs.get(output)?.as_ref()?.track;
    let is_chosen = |track: &Track| {
        track.kind() == Some(section.kind) && track.layer.is_some() && track.layer == viewer.layer
    };
    let by_name = (0u8..).zip(&stream.tracks).find(|(_, state)| is_chosen(&state.track));
    match by_name {
        Some((number, _)) => Some(number),
        None => {
            stream.best(now, section.kind, has.filter(|has| stream.is_kind(*has, section.kind)))
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
