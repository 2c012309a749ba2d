//! Streams, and the way of a packet to all of their viewers.

use std::time::Instant;

use super::output::Gate;
use super::seating::viewer_mut;
use super::stream::Stream;
use super::viewer::Place;
use super::{SenderClock, Sfu, SfuError, StreamId, Track, TrackPacket, padding};
use crate::session::Outgoing;

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

    /// Says whether who publishes a stream makes keyframes when asked to, which is so unless this says otherwise. Where it
    /// isn't, nobody is asked: a viewer that wants a keyframe gets the last one again with what followed it, if that is
    /// young and small ([`Limits::replay_age`](crate::Limits::replay_age),
    /// [`Limits::replay_bytes`](crate::Limits::replay_bytes)) and within what a viewer may be sent again, and else waits
    /// for the next. Nothing happens for a stream that is gone.
    pub fn set_makes_keyframes(&mut self, stream: StreamId, makes_keyframes: bool) {
        if let Some(found) = self.streams.get_mut(stream) {
            found.makes_keyframes = makes_keyframes;
        }
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

    /// Sends packets of a stream to all of its viewers. The viewers are gone through once, so that a batch of several
    /// packets costs less than each by itself.
    pub fn forward(
        &mut self,
        now: Instant,
        stream: StreamId,
        packets: &[TrackPacket],
        out: &mut Outgoing,
    ) {
        self.forward_in_parts(now, stream, packets, out, |_| {});
    }

    /// Does what [`forward`](Self::forward) does, and hands over what is to be sent so far after each viewer: where there
    /// are many, `flush` sends and clears it whenever it is much. So the packets of a frame still go to a viewer in one run,
    /// which would not be so if a batch were made smaller.
    pub fn forward_in_parts(
        &mut self,
        now: Instant,
        stream: StreamId,
        packets: &[TrackPacket],
        out: &mut Outgoing,
        mut flush: impl FnMut(&mut Outgoing),
    ) {
        let Some(found) = self.streams.get_mut(stream) else { return };
        for TrackPacket { track, packet } in packets {
            let admitted =
                found.tracks.get_mut(usize::from(*track)).and_then(|track| track.admit(packet));
            self.batch.extend(admitted.map(|kept| (*track, kept)));
        }
        padding::level(&mut self.batch);
        let at = self.config.send_time(now);
        for seat in &mut found.seats {
            seat.forward(now, at, &self.batch, out);
            flush(out);
        }
        self.batch.clear();
    }
}
