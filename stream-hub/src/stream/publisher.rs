//! What a publisher holds: the stream, and a writer per track.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::Stream;
use super::resolve::Resolver;
use crate::lane::Lane;
use crate::wake::Wakes;
use crate::{Fenced, Item, PublishError, StreamKey, TrackId, TrackInfo};

/// Stands between a publisher and a stream it no longer owns.
#[derive(Default)]
pub(crate) struct Fence {
    fallen: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Fence {
    pub(super) fn fall(&self, wakes: &mut Wakes) {
        self.fallen.store(true, Ordering::Release);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            wakes.add(waker);
        }
    }
}

/// The right to fill a stream.
///
/// Dropping it unpublishes: the stream waits [`Limits::grace`](crate::Limits::grace) for another
/// publisher, then ends for good. Keep it as long as its writers; without it they are fenced.
#[must_use = "dropping the publisher unpublishes the stream"]
pub struct Publisher {
    pub(crate) stream: Arc<Stream>,
    pub(crate) fence: Arc<Fence>,
    pub(crate) epoch: u64,
    pub(crate) resume: Option<Duration>,
}

impl Publisher {
    /// The stream's name.
    #[must_use]
    pub fn key(&self) -> &StreamKey {
        &self.stream.key
    }

    /// Opens a track: a lane of its own, read by everybody who subscribes to `T`, and by all
    /// converters from `T`.
    ///
    /// Readers of a type that no converters lead to from the tracks open so far are told so.
    ///
    /// # Errors
    ///
    /// [`PublishError`] if the track is open already, there are too many, or this publisher is
    /// fenced.
    pub fn track<T: Item>(
        &mut self,
        info: impl Into<TrackInfo>,
    ) -> Result<Writer<T>, PublishError> {
        let info = info.into();
        let track = info.id;
        let hub = self.stream.hub.upgrade().ok_or(PublishError::HubClosed)?;
        let registry = hub.registry();
        let stream = &self.stream;
        let cx = Resolver { stream, hub: &hub, registry: &registry };
        let (index, lane) =
            stream.change(|graph, wakes| graph.open_track::<T>(self.epoch, info, &cx, wakes))?;
        Ok(Writer {
            stream: Arc::clone(&self.stream),
            lane,
            index,
            track,
            epoch: self.epoch,
            wakes: Wakes::default(),
        })
    }

    /// The newest time on the stream's clock that its publishers before this one reached.
    ///
    /// `None` if there was none. A publisher goes on after it, so that times do not run backwards
    /// for readers who stayed.
    #[must_use]
    pub fn resume_time(&self) -> Option<Duration> {
        self.resume
    }

    /// Whether the stream was taken from this publisher.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.fence.fallen.load(Ordering::Acquire)
    }

    /// Ready once the stream was taken from this publisher.
    pub fn poll_fenced(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waker = self.fence.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_fenced() {
            return Poll::Ready(());
        }
        if !waker.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
            let old = waker.replace(cx.waker().clone());
            // It may be the last of a task that holds a publisher: no lock is held then.
            drop(waker);
            drop(old);
        }
        Poll::Pending
    }

    /// Waits until the stream is taken from this publisher.
    pub async fn fenced(&self) {
        poll_fn(|cx| self.poll_fenced(cx)).await;
    }

    /// Ends the stream for good, without a grace.
    pub fn end(self) {
        self.leave(true);
    }

    fn leave(&self, for_good: bool) {
        self.stream.change(|graph, wakes| graph.unpublish(self.epoch, for_good, wakes));
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.leave(false);
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("key", &self.stream.key)
            .field("fenced", &self.is_fenced())
            .finish_non_exhaustive()
    }
}

/// Fills one track.
pub struct Writer<T: Item> {
    stream: Arc<Stream>,
    lane: Arc<Lane<T>>,
    index: usize,
    track: TrackId,
    epoch: u64,
    /// Empty between pushes; kept for its room.
    wakes: Wakes,
}

impl<T: Item> Writer<T> {
    /// The track's number.
    #[must_use]
    pub fn track(&self) -> TrackId {
        self.track
    }

    /// Adds the next item and converts it for the lanes made inline from this track.
    ///
    /// Never waits for a reader. `now` is only told by the statistics.
    ///
    /// # Errors
    ///
    /// [`Fenced`] once the stream was taken from the publisher; the item is dropped.
    pub fn push(&mut self, item: T, now: Instant) -> Result<(), Fenced> {
        let mut graph = self.stream.graph();
        if graph.epoch != self.epoch {
            return Err(Fenced);
        }
        let time = item.time();
        graph.last_time = Some(graph.last_time.map_or(time, |last| last.max(time)));
        graph.last_push = Some(now);
        graph.emit(self.index, &self.lane, item, &mut self.wakes);
        drop(graph);
        self.wakes.wake_all();
        Ok(())
    }
}

impl<T: Item> fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("key", &self.stream.key)
            .field("track", &self.track)
            .finish_non_exhaustive()
    }
}
