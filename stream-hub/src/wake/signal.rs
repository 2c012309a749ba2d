//! What readers and groups may know of a lane without its lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// A lane's head, latest join point and state, kept beside the ring.
#[derive(Default)]
pub(crate) struct Signal {
    head: AtomicU64,
    /// Sequence number of the latest join point plus one; 0 for none.
    join: AtomicU64,
    /// Goes up with every change that is not an item: an end, a failure.
    epoch: AtomicU64,
}

impl Signal {
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Whether there is a join point at `from` or later.
    ///
    /// Sequentially consistent, as is [`Signal::set_join`]: a joiner counts itself and then looks
    /// here, a push stores here and then looks at the count, and one of them sees the other.
    pub(crate) fn joins(&self, from: u64) -> bool {
        self.join.load(Ordering::SeqCst) > from
    }

    pub(crate) fn set_head(&self, head: u64) {
        self.head.store(head, Ordering::Release);
    }

    pub(crate) fn set_join(&self, join: Option<u64>) {
        self.join.store(join.map_or(0, |seq| seq + 1), Ordering::SeqCst);
    }

    pub(crate) fn bump(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}
