//! Who wakes a worker: readers of streams, handshakes, and publishers that are taken over.

use std::{
    mem::take,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::AcqRel},
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
            rope.is_rung.store(false, std::sync::atomic::Ordering::Release);
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
