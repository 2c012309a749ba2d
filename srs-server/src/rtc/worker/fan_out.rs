//! The streams that a worker's viewers watch: one reader of each, however many watch it.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use rtc_stack::{
    Limits,
    session::Outgoing,
    sfu::{PeerId, Sfu, StreamId},
};
use stream_hub::{Hub, StreamKey, WakeGroup};
use tracing::warn;

use super::{
    bell::{Bell, Call},
    watched::Watched,
};
use crate::media::{Origin, RtpBody};

/// Bytes of a stream that are read in one go.
const BATCH: usize = 64 << 10;
/// How often it is looked whether a stream can be had that could not.
const RETRY: Duration = Duration::from_secs(1);
/// Takes what is to be sent now, and how and when the oldest packet in it came, if any was new.
pub(super) type Flush<'a> = &'a mut dyn FnMut(&mut Outgoing, Option<(Origin, Instant)>);

/// All that is watched.
pub(super) struct FanOut {
    streams: HashMap<StreamId, Watched>,
    by_key: HashMap<StreamKey, StreamId>,
    bell: Arc<Bell>,
    group: WakeGroup,
    hub: Hub,
    replay_age: Duration,
    /// Streams some of whose packets wait for the rest of a frame.
    waiting: Vec<StreamId>,
    retry: Option<Instant>,
}

impl FanOut {
    pub(super) fn new(hub: Hub, group: WakeGroup, bell: Arc<Bell>, limits: &Limits) -> Self {
        Self {
            streams: HashMap::new(),
            by_key: HashMap::new(),
            bell,
            group,
            hub,
            replay_age: limits.replay_age,
            waiting: Vec::new(),
            retry: None,
        }
    }

    /// When something is to be tried again, or has waited long enough.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waits = self.waiting.iter().filter_map(|id| self.wait_of(*id));
        waits.chain(self.retry).min()
    }

    /// Lets a viewer watch a stream, from its last keyframe on if that is young, and whenever there is
    /// a publisher.
    pub(super) fn watch(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        viewer: PeerId,
        key: &StreamKey,
        flush: Flush<'_>,
        out: &mut Outgoing,
    ) -> Result<StreamId, rtc_stack::sfu::SfuError> {
        let id = match self.by_key.get(key) {
            Some(&id) => {
                // What is there has to be with the others before somebody joins who begins with it.
                self.collect(now, sfu, id, flush, out);
                if let Some(watched) = self.streams.get_mut(&id) {
                    watched.send(now, sfu, id, flush, out);
                }
                id
            }
            None => self.open(now, sfu, key)?,
        };
        let replay = self.streams.get_mut(&id).map(Watched::take_packets).unwrap_or_default();
        match sfu.attach(now, viewer, id, &replay, out) {
            Ok(()) => {
                if let Some(watched) = self.streams.get_mut(&id) {
                    watched.viewers += 1;
                }
                Ok(id)
            }
            Err(error) => {
                self.close_unwatched(sfu, id);
                Err(error)
            }
        }
    }

    /// Notes that a viewer is gone.
    pub(super) fn leave(&mut self, sfu: &mut Sfu, id: StreamId) {
        if let Some(watched) = self.streams.get_mut(&id) {
            watched.viewers = watched.viewers.saturating_sub(1);
        }
        self.close_unwatched(sfu, id);
    }

    fn close_unwatched(&mut self, sfu: &mut Sfu, id: StreamId) {
        if self.streams.get(&id).is_some_and(|watched| watched.viewers == 0)
            && let Some(watched) = self.streams.remove(&id)
        {
            self.by_key.remove(&watched.key);
            sfu.close_stream(id);
        }
    }

    /// Asks the publisher of a stream for a keyframe.
    pub(super) fn want_keyframe(&self, id: StreamId, track: u8) {
        let source = self.streams.get(&id).and_then(|watched| watched.source.as_ref());
        if let Some(keyframes) = source.and_then(|source| source.keyframes.as_ref()) {
            keyframes.add(track);
        }
    }

    /// Begins to read a stream; what a viewer may begin with is in `packets` then.
    fn open(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        key: &StreamKey,
    ) -> Result<StreamId, rtc_stack::sfu::SfuError> {
        let id = sfu.open_stream(&[])?;
        let waker = self.bell.waker(Call::Stream(id));
        let mut watched = Watched::new(key.clone(), waker);
        let backlog = watched.subscribe(&self.hub, &self.group);
        for item in backlog {
            watched.take(now, sfu, id, item);
        }
        // What is too old to begin with only has the decoder run after it.
        let oldest = watched.packets.first().map(|packet| packet.packet.arrival);
        if oldest.is_some_and(|at| now.saturating_duration_since(at) > self.replay_age) {
            watched.take_packets();
        }
        if watched.reader.is_none() {
            self.retry = Some(now + RETRY);
        }
        self.by_key.insert(key.clone(), id);
        self.streams.insert(id, watched);
        Ok(id)
    }

    /// Reads again what could not be had.
    pub(super) fn handle_timeout(&mut self, now: Instant, sfu: &mut Sfu) {
        if self.retry.is_none_or(|at| at > now) {
            return;
        }
        self.retry = None;
        for (&id, watched) in &mut self.streams {
            if watched.reader.is_none() {
                for item in watched.subscribe(&self.hub, &self.group) {
                    watched.take(now, sfu, id, item);
                }
                // They come live: what was before has no viewer that waits for it.
                watched.take_packets();
                if watched.reader.is_none() {
                    self.retry = Some(now + RETRY);
                }
            }
        }
    }

    /// Sends what is there of a stream to its viewers, unless it is worth to wait a moment for more.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        id: StreamId,
        flush: Flush<'_>,
        out: &mut Outgoing,
    ) {
        self.collect(now, sfu, id, flush, out);
        let Some(watched) = self.streams.get_mut(&id) else { return };
        match watched.waits_until().filter(|until| *until > now) {
            None => watched.send(now, sfu, id, flush, out),
            Some(_) if self.waiting.contains(&id) => {}
            Some(_) => self.waiting.push(id),
        }
    }

    /// The next stream whose packets have waited long enough, or are no longer waiting.
    pub(super) fn poll_due(&mut self, now: Instant) -> Option<StreamId> {
        let is_due = |id: &StreamId| self.wait_of(*id).is_none_or(|until| until <= now);
        let index = self.waiting.iter().position(is_due)?;
        Some(self.waiting.swap_remove(index))
    }

    fn wait_of(&self, id: StreamId) -> Option<Instant> {
        self.streams.get(&id).and_then(Watched::waits_until)
    }

    /// Reads all that is there of a stream. What may not wait is sent.
    fn collect(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        id: StreamId,
        flush: Flush<'_>,
        out: &mut Outgoing,
    ) {
        let Some(watched) = self.streams.get_mut(&id) else { return };
        let waker = watched.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        while let Some(reader) = &mut watched.reader {
            let batch = match reader.poll_batch(cx, BATCH.saturating_sub(watched.bytes)) {
                Poll::Pending => return,
                Poll::Ready(Ok(batch)) => batch,
                Poll::Ready(Err(end)) => {
                    watched.send(now, sfu, id, flush, out);
                    watched.ended(&end);
                    self.retry = Some(now + RETRY);
                    return;
                }
            };
            if let Some(lost) = batch.gap() {
                warn!(stream = %watched.key, "the thread is too slow: {} packets lost", lost.items);
            }
            reader.advance(batch.len());
            if batch.discontinuity() {
                watched.send(now, sfu, id, flush, out);
                watched.restart(now, sfu, id);
            }
            for item in batch.iter() {
                if !matches!(item.body, RtpBody::Packet(_)) {
                    watched.send(now, sfu, id, flush, out);
                }
                watched.take(now, sfu, id, item.clone());
            }
            if watched.bytes >= BATCH {
                watched.send(now, sfu, id, flush, out);
            }
        }
    }
}

impl std::fmt::Debug for FanOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FanOut").field("streams", &self.streams.len()).finish_non_exhaustive()
    }
}
