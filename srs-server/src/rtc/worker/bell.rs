//! Who wakes a worker: readers of streams, handshakes, and publishers that are taken over.

use std::{
    mem::take,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{AcqRel, Release},
        },
    },
    task::{Wake, Waker},
};

use rtc_stack::sfu::{PeerId, StreamId};
use tokio::sync::Notify;

/// To whom a worker is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// There are packets of a stream.
    Stream(StreamId),
    /// A peer's handshake goes on, or its stream is another's, or a keyframe is wanted of it.
    Peer(PeerId),
}

/// What calls a worker from other tasks and threads, without waking it to look at everything it has.
#[derive(Debug, Default)]
pub(super) struct Bell {
    calls: Mutex<Vec<Arc<Rope>>>,
    notify: Notify,
}

/// Rings for one thing, and is not heard twice before it is answered.
#[derive(Debug)]
struct Rope {
    bell: Arc<Bell>,
    call: Call,
    is_rung: AtomicBool,
}

impl Bell {
    /// What calls the worker for `call`.
    pub(super) fn waker(self: &Arc<Self>, call: Call) -> Waker {
        let bell = self.clone();
        Arc::new(Rope { bell, call, is_rung: AtomicBool::new(false) }).into()
    }

    /// Waits until it is rung.
    pub(super) async fn rung(&self) {
        self.notify.notified().await;
    }

    /// The calls so far; who calls from now on is heard again.
    pub(super) fn answer(&self) -> impl Iterator<Item = Call> {
        let calls = take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        calls.into_iter().map(|rope| {
            rope.is_rung.store(false, Release);
            rope.call
        })
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        if !self.is_rung.swap(true, AcqRel) {
            let bell = self.bell.clone();
            bell.calls.lock().unwrap_or_else(PoisonError::into_inner).push(self);
            bell.notify.notify_one();
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.clone().wake();
    }
}

#[cfg(test)]
mod tests {
    use rtc_stack::{
        Limits,
        sfu::{Sfu, SfuConfig},
    };

    use super::*;

    #[tokio::test]
    async fn who_rings_often_is_heard_once() {
        let now = std::time::Instant::now();
        let mut sfu = Sfu::new(SfuConfig::new(now, Default::default()), Limits::default(), 1);
        let [first, second] = [(); 2].map(|()| Call::Stream(sfu.open_stream(&[]).unwrap()));
        let bell = Arc::<Bell>::default();
        let wakers = [first, second].map(|call| bell.waker(call));
        for waker in [&wakers[1], &wakers[0], &wakers[1]] {
            waker.wake_by_ref();
        }
        bell.rung().await;
        assert_eq!(bell.answer().collect::<Vec<_>>(), [second, first]);
        assert_eq!(bell.answer().count(), 0);
        wakers[0].wake_by_ref();
        bell.rung().await;
        assert_eq!(bell.answer().collect::<Vec<_>>(), [first]);
    }
}
