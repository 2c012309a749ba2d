//! The streams that a worker's viewers watch: one reader of each, however many watch it.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use rtc_stack::{
    Limits,
    session::Outgoing,
    sfu::{PeerId, Sfu, StreamId, TrackPacket},
};
use stream_hub::{Hub, ReadEnd, Reader, Start, StreamKey, SubscribeOptions, WakeGroup, Window};
use tracing::{debug, warn};

use super::bell::{Bell, Call};
use crate::media::{RtpBody, RtpItem, RtpSource};

/// Bytes that all viewers of a stream are sent in one go, at most: the send arena's share. One packet
/// goes to all of them at least.
const PASS: usize = 4 << 20;
/// Bytes of a stream that are read in one go.
const BATCH: usize = 64 << 10;
/// How often it is looked whether a stream can be had that could not.
const RETRY: Duration = Duration::from_secs(1);

/// Takes what is to be sent now, and when the oldest packet in it came, if any was new.
pub(super) type Flush<'a> = &'a mut dyn FnMut(&mut Outgoing, Option<Instant>);

/// All that is watched.
pub(super) struct FanOut {
    streams: HashMap<StreamId, Watched>,
    by_key: HashMap<StreamKey, StreamId>,
    bell: Arc<Bell>,
    group: WakeGroup,
    hub: Hub,
    replay_age: Duration,
    /// Packets on their way, kept for its room.
    packets: Vec<TrackPacket>,
    retry: Option<Instant>,
}

/// A stream that somebody watches.
struct Watched {
    key: StreamKey,
    waker: Waker,
    /// `None` while the stream can't be had.
    reader: Option<Reader<RtpItem>>,
    source: Option<Arc<RtpSource>>,
    viewers: usize,
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
            packets: Vec::new(),
            retry: None,
        }
    }

    /// When something is to be tried again.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.retry
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
                self.pump(now, sfu, id, flush, out);
                id
            }
            None => self.open(now, sfu, key)?,
        };
        let replay = std::mem::take(&mut self.packets);
        let attached = sfu.attach(now, viewer, id, &replay, out);
        self.packets = replay;
        self.packets.clear();
        match attached {
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
        if let Some(source) = source {
            source.keyframes.add(track);
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
        let mut watched =
            Watched { key: key.clone(), waker, reader: None, source: None, viewers: 0 };
        let backlog = watched.subscribe(&self.hub, &self.group);
        self.packets.clear();
        for item in backlog {
            watched.take(now, sfu, id, item, &mut self.packets);
        }
        // What is too old to begin with only has the decoder run after it.
        let oldest = self.packets.first().map(|packet| packet.packet.arrival);
        if oldest.is_some_and(|at| now.saturating_duration_since(at) > self.replay_age) {
            self.packets.clear();
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
        let mut none = Vec::new();
        for (&id, watched) in &mut self.streams {
            if watched.reader.is_none() {
                for item in watched.subscribe(&self.hub, &self.group) {
                    watched.take(now, sfu, id, item, &mut none);
                }
                // They come live: what was before has no viewer that waits for it.
                none.clear();
                if watched.reader.is_none() {
                    self.retry = Some(now + RETRY);
                }
            }
        }
    }

    /// Sends all that is there of a stream to its viewers.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        id: StreamId,
        flush: Flush<'_>,
        out: &mut Outgoing,
    ) {
        let Some(watched) = self.streams.get_mut(&id) else { return };
        let most = (PASS / watched.viewers.max(1)).min(BATCH);
        let waker = watched.waker.clone();
        let cx = &mut Context::from_waker(&waker);
        while let Some(reader) = &mut watched.reader {
            let batch = match reader.poll_batch(cx, most) {
                Poll::Pending => return,
                Poll::Ready(Ok(batch)) => batch,
                Poll::Ready(Err(end)) => {
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
                watched.restart(now, sfu, id);
            }
            let mut oldest = None;
            for item in batch.iter() {
                if !matches!(item.body, RtpBody::Packet(_)) {
                    sfu.forward(now, id, &self.packets, out);
                    self.packets.clear();
                }
                watched.take(now, sfu, id, item.clone(), &mut self.packets);
            }
            if let Some(first) = self.packets.first() {
                oldest = Some(first.packet.arrival);
            }
            sfu.forward(now, id, &self.packets, out);
            self.packets.clear();
            flush(out, oldest);
        }
    }
}

impl Watched {
    /// Subscribes, and reads what there is since the latest place to join. If there is no such place
    /// yet, it is whatever comes next, before which the tracks are told.
    fn subscribe(&mut self, hub: &Hub, group: &WakeGroup) -> Vec<RtpItem> {
        for start in [Start::LatestJoinPoint, Start::Live] {
            let options =
                SubscribeOptions { start, window: Window::Every, ..SubscribeOptions::default() };
            let mut reader = match hub.subscribe::<RtpItem>(&self.key, options, Some(group)) {
                Ok(reader) => reader,
                Err(error) => {
                    warn!(stream = %self.key, "can't be played: {error}");
                    return Vec::new();
                }
            };
            let mut items = Vec::new();
            let cx = &mut Context::from_waker(&self.waker);
            let end = loop {
                match reader.poll_batch(cx, usize::MAX) {
                    Poll::Pending => break None,
                    Poll::Ready(Ok(batch)) => {
                        reader.advance(batch.len());
                        items.extend(batch.iter().cloned());
                    }
                    Poll::Ready(Err(end)) => break Some(end),
                }
            };
            if let Some(end) = end {
                self.ended(&end);
                return Vec::new();
            }
            if !items.is_empty() || start == Start::Live {
                self.reader = Some(reader);
                return items;
            }
        }
        Vec::new()
    }

    /// Takes one item: packets are put aside.
    fn take(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        id: StreamId,
        item: RtpItem,
        packets: &mut Vec<TrackPacket>,
    ) {
        match item.body {
            RtpBody::Packet(packet) => packets.push(packet),
            RtpBody::Clock { track, clock } => sfu.sender_clock(id, track, &clock),
            RtpBody::Source(source) => {
                if let Err(error) = sfu.set_tracks(now, id, &source.tracks) {
                    warn!(stream = %self.key, "its tracks can't be played: {error}");
                }
                self.source = Some(source);
            }
        }
    }

    /// Another publisher goes on with the stream.
    fn restart(&mut self, now: Instant, sfu: &mut Sfu, id: StreamId) {
        self.source = None;
        // The stream is there as long as it is watched.
        let _ = sfu.restart(now, id);
    }

    fn ended(&mut self, end: &ReadEnd) {
        debug!(stream = %self.key, "nothing for WebRTC: {end}");
        self.reader = None;
        self.source = None;
    }
}

impl std::fmt::Debug for FanOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FanOut").field("streams", &self.streams.len()).finish_non_exhaustive()
    }
}
