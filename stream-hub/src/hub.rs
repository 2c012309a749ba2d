//! The hub: all streams, and the converters they may use.

use std::any::TypeId;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::convert::Registry;
use crate::lane::Lane;
use crate::stream::{LaneKey, Resolver, Stream};
use crate::wake::Wakes;
use crate::{
    BusyPolicy, Convert, ConvertTask, Item, Limits, Place, PublishError, Publisher, PublisherId,
    Reader, StreamInfo, StreamKey, StreamStats, SubscribeError, SubscribeOptions, Unavailable,
    Variant, WakeGroup,
};

#[derive(Default)]
struct Tasks {
    ready: VecDeque<ConvertTask>,
    wakers: Vec<Waker>,
}

/// The limits of a stream, by its name.
type LimitsOf = Box<dyn Fn(&StreamKey) -> Limits + Send + Sync>;

pub(crate) struct HubInner {
    limits: Limits,
    limits_of: Option<LimitsOf>,
    registry: RwLock<Registry>,
    streams: Mutex<HashMap<StreamKey, Arc<Stream>>>,
    tasks: Mutex<Tasks>,
    /// Streams with something that time will change.
    watched: Mutex<Vec<Arc<Stream>>>,
    next_timeout: Mutex<Option<Instant>>,
    closed: AtomicBool,
}

/// Why there is no stream of a name.
enum NoStream {
    TooMany { limit: usize },
    HubClosed,
}

impl From<NoStream> for PublishError {
    fn from(why: NoStream) -> Self {
        match why {
            NoStream::TooMany { limit } => Self::TooManyStreams { limit },
            NoStream::HubClosed => Self::HubClosed,
        }
    }
}

impl From<NoStream> for SubscribeError {
    fn from(why: NoStream) -> Self {
        match why {
            NoStream::TooMany { limit } => Self::TooManyStreams { limit },
            NoStream::HubClosed => Self::HubClosed,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HubInner {
    pub(crate) fn registry(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self, stream: &Arc<Stream>) {
        lock(&self.watched).push(Arc::clone(stream));
    }

    pub(crate) fn remove(&self, stream: &Arc<Stream>) {
        let mut streams = lock(&self.streams);
        if streams.get(&stream.key).is_some_and(|there| Arc::ptr_eq(there, stream)) {
            streams.remove(&stream.key);
        }
    }

    pub(crate) fn add_task(&self, task: ConvertTask, wakes: &mut Wakes) {
        let mut tasks = lock(&self.tasks);
        tasks.ready.push_back(task);
        for waker in tasks.wakers.drain(..) {
            wakes.add(waker);
        }
    }

    /// The limits of a new stream.
    pub(crate) fn limits_of(&self, key: &StreamKey) -> Limits {
        self.limits_of.as_ref().map_or_else(|| self.limits.clone(), |of| of(key))
    }

    /// The stream of a key, new if need be.
    fn stream(self: &Arc<Self>, key: &StreamKey) -> Result<Arc<Stream>, NoStream> {
        let mut streams = lock(&self.streams);
        if self.closed.load(Ordering::Acquire) {
            return Err(NoStream::HubClosed);
        }
        if let Some(stream) = streams.get(key) {
            return Ok(Arc::clone(stream));
        }
        let limit = self.limits.streams;
        if streams.len() >= limit {
            return Err(NoStream::TooMany { limit });
        }
        let stream = Arc::new(Stream::new(key.clone(), self));
        streams.insert(key.clone(), Arc::clone(&stream));
        Ok(stream)
    }

    fn close(&self) {
        let streams = {
            let mut streams = lock(&self.streams);
            // Under the lock: no stream comes after.
            self.closed.store(true, Ordering::Release);
            std::mem::take(&mut *streams)
        };
        let watched = std::mem::take(&mut *lock(&self.watched));
        let tasks = std::mem::take(&mut *lock(&self.tasks));
        for stream in streams.values() {
            stream.change(|graph, wakes| graph.close(wakes));
        }
        drop((watched, tasks.ready));
        for waker in tasks.wakers {
            waker.wake();
        }
    }
}

impl Drop for HubInner {
    fn drop(&mut self) {
        self.close();
    }
}

/// All streams, and the converters they may use. A clone is another handle to the same hub.
///
/// When the last handle goes, or at [`Hub::close`], publishers are fenced and readers end with
/// [`ReadEnd::HubClosed`](crate::ReadEnd::HubClosed).
#[derive(Clone)]
pub struct Hub(Arc<HubInner>);

impl Hub {
    /// A hub without streams.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self::build(limits, None)
    }

    /// A hub without streams, where each stream has limits of its own: `of` is asked once for
    /// each new stream, and must not call the hub. [`Limits::streams`] counts in `limits` alone.
    #[must_use]
    pub fn with_limits_of(
        limits: Limits,
        of: impl Fn(&StreamKey) -> Limits + Send + Sync + 'static,
    ) -> Self {
        Self::build(limits, Some(Box::new(of)))
    }

    fn build(limits: Limits, limits_of: Option<LimitsOf>) -> Self {
        Self(Arc::new(HubInner {
            limits,
            limits_of,
            registry: RwLock::default(),
            streams: Mutex::default(),
            tasks: Mutex::default(),
            watched: Mutex::default(),
            next_timeout: Mutex::new(None),
            closed: AtomicBool::new(false),
        }))
    }

    /// The limits the hub was made with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Adds a converter from `In` to `Out`, for streams whose readers will need it.
    ///
    /// Register before streams are published. Several steps are chained as the shortest path; a
    /// type may be converted to itself, which makes its variants. `make` is called with the
    /// stream locked, as are inline converters: they must not call the hub, but may hold readers
    /// and publishers, and be dropped with them. The variant is that asked for if this is the last
    /// step of a path, else what the step after it reads: 0 unless
    /// [registered otherwise](Self::register_reading).
    pub fn register<In: Item, Out: Item>(
        &self,
        place: Place,
        make: impl Fn(&StreamInfo, Variant) -> Result<Box<dyn Convert<In, Out>>, Unavailable>
        + Send
        + Sync
        + 'static,
    ) {
        self.register_reading(place, |_| Variant::default(), make);
    }

    /// Adds a converter as [`register`](Self::register) does, which reads another variant of its
    /// input lane according to the variant that it is to make.
    ///
    /// `input` says which, for each variant of `Out`. It matters where the input lane is itself
    /// converted: what a publisher brings has no variants. `input` is called as `make` is.
    pub fn register_reading<In: Item, Out: Item>(
        &self,
        place: Place,
        input: impl Fn(Variant) -> Variant + Send + Sync + 'static,
        make: impl Fn(&StreamInfo, Variant) -> Result<Box<dyn Convert<In, Out>>, Unavailable>
        + Send
        + Sync
        + 'static,
    ) {
        let mut registry = self.0.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.register(place, input, make);
    }

    /// Becomes the publisher of a stream.
    ///
    /// # Errors
    ///
    /// [`PublishError`] if somebody else publishes it and `busy` does not allow to take over, or
    /// there are too many streams.
    pub fn publish(
        &self,
        key: StreamKey,
        who: PublisherId,
        busy: BusyPolicy,
        now: Instant,
    ) -> Result<Publisher, PublishError> {
        loop {
            let stream = self.0.stream(&key)?;
            let fence = Arc::default();
            let result = stream.change(|graph, wakes| {
                (!graph.dead).then(|| {
                    let epoch = graph.publish(who.clone(), busy, now, &fence, wakes)?;
                    Ok::<_, PublishError>((epoch, graph.last_time()))
                })
            });
            // A stream that is just going makes room for another of its name.
            if let Some(result) = result {
                let (epoch, resume) = result?;
                return Ok(Publisher { stream, fence, epoch, resume });
            }
            self.0.remove(&stream);
        }
    }

    /// Reads a stream's items of type `T`, published or converted; waits for a publisher if there
    /// is none yet.
    ///
    /// With a `group`, the reader is woken by [`WakeGroup::wake_due`]; without one, by each push
    /// directly, which costs the publisher.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] if there are too many streams or lanes. That `T` cannot be had is told
    /// by [`Reader::poll_batch`], once the stream is published.
    pub fn subscribe<T: Item>(
        &self,
        key: &StreamKey,
        options: SubscribeOptions,
        group: Option<&WakeGroup>,
    ) -> Result<Reader<T>, SubscribeError> {
        let registry = self.0.registry();
        loop {
            let stream = self.0.stream(key)?;
            let cx = Resolver { stream: &stream, hub: &self.0, registry: &registry };
            let result = stream.change(|graph, wakes| {
                (!graph.dead).then(|| {
                    let item = TypeId::of::<T>();
                    let lane_key = LaneKey { item, track: options.track, variant: options.variant };
                    let full = SubscribeError::TooManyLanes { limit: graph.lane_limit() };
                    let index = graph
                        .lane_index(lane_key, |limits| Arc::new(Lane::<T>::new(limits)))
                        .ok_or(full.clone())?;
                    let lane = graph.lane::<T>(index).ok_or(full)?;
                    graph.reader_came(index);
                    graph.resolve(index, &cx, wakes);
                    let owner = Some((Arc::clone(&stream), index as u32));
                    Ok(lane.subscribe(&options, group, owner))
                })
            });
            if let Some(result) = result {
                return result;
            }
            self.0.remove(&stream);
        }
    }

    /// Takes a stream from its publisher, who finds itself fenced; false if there is none.
    ///
    /// The stream goes on as if the publisher had been dropped.
    pub fn fence(&self, key: &StreamKey) -> bool {
        let stream = lock(&self.0.streams).get(key).cloned();
        stream.is_some_and(|stream| stream.change(|graph, wakes| graph.fence(wakes)))
    }

    /// The next task of a [`Place::Task`] converter that nobody runs yet.
    #[must_use]
    pub fn poll_task(&self) -> Option<ConvertTask> {
        lock(&self.0.tasks).ready.pop_front()
    }

    /// Waits for the next task; `None` once the hub is closed.
    pub async fn next_task(&self) -> Option<ConvertTask> {
        poll_fn(|cx: &mut Context<'_>| {
            let mut tasks = lock(&self.0.tasks);
            if let Some(task) = tasks.ready.pop_front() {
                return Poll::Ready(Some(task));
            }
            if self.0.closed.load(Ordering::Acquire) {
                return Poll::Ready(None);
            }
            if !tasks.wakers.iter().any(|old| old.will_wake(cx.waker())) {
                tasks.wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// When [`Hub::handle_timeout`] has something to do, as far as is known.
    ///
    /// A time that starts when something is dropped (the grace of a stream, the linger of a lane)
    /// is not known before the next call of [`Hub::handle_timeout`]: call that every half second
    /// as well.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        *lock(&self.0.next_timeout)
    }

    /// Ends streams whose grace, and converters whose linger is over; calling it in vain does no
    /// harm.
    pub fn handle_timeout(&self, now: Instant) {
        let watched = std::mem::take(&mut *lock(&self.0.watched));
        let mut next: Option<Instant> = None;
        for stream in watched {
            let at = stream.change(|graph, wakes| graph.tick(now, wakes));
            next = match (next, at) {
                (Some(next), Some(at)) => Some(next.min(at)),
                (next, at) => next.or(at),
            };
        }
        *lock(&self.0.next_timeout) = next;
    }

    /// All streams, in no order.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamStats> {
        let streams: Vec<Arc<Stream>> = lock(&self.0.streams).values().cloned().collect();
        streams.iter().map(|stream| stream.graph().stats(&stream.key)).collect()
    }

    /// One stream, if it exists.
    #[must_use]
    pub fn stream(&self, key: &StreamKey) -> Option<StreamStats> {
        let stream = lock(&self.0.streams).get(key).cloned()?;
        let stats = stream.graph().stats(key);
        Some(stats)
    }

    /// Ends everything: publishers are fenced, readers end, tasks are over.
    pub fn close(&self) {
        self.0.close();
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}
