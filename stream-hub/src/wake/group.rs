//! The readers of one thread, woken together.

use std::cmp::Ordering as Order;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::{Share, Wakes};

/// What [`Window::Auto`](crate::Window::Auto) means in a group now, in nanoseconds.
#[derive(Clone, Default)]
pub(crate) struct Pace(Arc<AtomicU64>);

impl Pace {
    pub(super) fn window(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// Shares that something happened to, and who is to be told.
#[derive(Default)]
struct Queue {
    shares: Vec<Arc<Share>>,
    waker: Option<Waker>,
}

/// Only the group's own thread comes here.
#[derive(Default)]
struct Timers {
    heap: BinaryHeap<Timer>,
    spare: Vec<Arc<Share>>,
}

struct Timer {
    at: Instant,
    share: Arc<Share>,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest, as the heap gives the greatest first.
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> Order {
        other.at.cmp(&self.at)
    }
}

#[derive(Default)]
pub(crate) struct Group {
    pace: Pace,
    queue: Mutex<Queue>,
    timers: Mutex<Timers>,
}

impl Group {
    pub(super) fn pace(&self) -> Pace {
        self.pace.clone()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enqueue(&self, share: Arc<Share>, wakes: &mut Wakes) {
        let mut queue = self.queue();
        queue.shares.push(share);
        if let Some(waker) = queue.waker.take() {
            wakes.add(waker);
        }
    }
}

/// The readers of one thread, woken together.
///
/// A push tells a group once, however many readers it has; the group's thread then wakes them
/// with [`WakeGroup::wake_due`]. Have one per thread (shard) that serves readers, keep it as long
/// as they live, and run beside them
///
/// ```text
/// loop {
///     let next = group.wake_due(now());
///     select! { _ = group.dirty() => {}, _ = sleep_until(next), if next.is_some() => {} }
/// }
/// ```
///
/// A clone is another handle to the same group.
#[derive(Clone, Default)]
pub struct WakeGroup(pub(crate) Arc<Group>);

impl WakeGroup {
    /// A group without readers; [`Window::Auto`](crate::Window::Auto) means every item.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ready when [`WakeGroup::wake_due`] has something to do, until it is called.
    ///
    /// Only the waker of the last call is woken: one task per group.
    pub fn poll_dirty(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.0.queue();
        if !queue.shares.is_empty() {
            return Poll::Ready(());
        }
        if !queue.waker.as_ref().is_some_and(|old| old.will_wake(cx.waker())) {
            let old = queue.waker.replace(cx.waker().clone());
            // It may be the last of a task that holds readers: no lock is held then.
            drop(queue);
            drop(old);
        }
        Poll::Pending
    }

    /// Waits until [`WakeGroup::wake_due`] has something to do.
    pub async fn dirty(&self) {
        std::future::poll_fn(|cx| self.poll_dirty(cx)).await;
    }

    /// Wakes the readers that are due, and returns when to call again, if at all, should the
    /// group not become dirty before. Calling it early or in vain does no harm.
    ///
    /// Readers' wakers are called under a lock of the hub: a waker may schedule its task, as
    /// those of executors do, but must not read, subscribe or drop a reader itself.
    #[must_use = "windows pass only if this is called at the time it returns"]
    pub fn wake_due(&self, now: Instant) -> Option<Instant> {
        let mut timers = self.0.timers.lock().unwrap_or_else(PoisonError::into_inner);
        let Timers { heap, spare } = &mut *timers;
        std::mem::swap(&mut self.0.queue().shares, spare);
        for share in spare.drain(..) {
            if let Some(at) = share.service(now)
                && !share.set_timed(true)
            {
                heap.push(Timer { at, share });
            }
        }
        while heap.peek().is_some_and(|timer| timer.at <= now) {
            let Some(Timer { share, .. }) = heap.pop() else { break };
            match share.service(now) {
                Some(at) => heap.push(Timer { at, share }),
                None => _ = share.set_timed(false),
            }
        }
        heap.peek().map(|timer| timer.at)
    }

    /// Sets what [`Window::Auto`](crate::Window::Auto) means from now on; zero for every item.
    ///
    /// The caller measures how busy the thread is; the hub does not.
    pub fn set_auto_window(&self, window: Duration) {
        let nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        self.0.pace.0.store(nanos, Ordering::Relaxed);
    }

    /// What [`Window::Auto`](crate::Window::Auto) means now.
    #[must_use]
    pub fn auto_window(&self) -> Duration {
        self.0.pace.window()
    }
}

impl std::fmt::Debug for WakeGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WakeGroup")
            .field("auto_window", &self.auto_window())
            .finish_non_exhaustive()
    }
}
