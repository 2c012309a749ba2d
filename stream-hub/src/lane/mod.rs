//! One lane: a ring with a single producer and many readers.

mod batch;
mod config;
mod cursor;
mod reader;
mod ring;
mod segment;
mod waiting;

use std::any::{Any, type_name};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use batch::{Batch, BatchId};
pub use reader::{Reader, ReaderStats};
use ring::Ring;

use crate::wake::{Kind, Share, Signal, Wakes};
use crate::{Item, Limits, ReadEnd};

/// A ring of items, its readers' places to wait, and what they may know without its lock.
pub(crate) struct Lane<T> {
    ring: Mutex<Ring<T>>,
    signal: Arc<Signal>,
    shares: Mutex<Vec<Arc<Share>>>,
}

/// What the statistics tell of a lane's ring.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LaneCounts {
    pub(crate) pushed_items: u64,
    pub(crate) pushed_bytes: u64,
    pub(crate) held: (u64, usize, Duration),
    pub(crate) lost: u64,
    pub(crate) joins: u64,
    pub(crate) joins_cut: u64,
}

impl<T: Item> Lane<T> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            ring: Mutex::new(Ring::new(limits)),
            signal: Arc::default(),
            shares: Mutex::default(),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring<T>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shares(&self) -> MutexGuard<'_, Vec<Arc<Share>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, item: T, wakes: &mut Wakes) {
        let kind = if item.is_join_point() { Kind::JoinPoint } else { Kind::Item };
        let mut ring = self.ring();
        ring.push(item);
        self.signal.set_head(ring.head());
        self.signal.set_join(ring.join_seq());
        drop(ring);
        self.notify(kind, wakes);
    }

    fn notify(&self, kind: Kind, wakes: &mut Wakes) {
        for share in self.shares().iter() {
            share.notify(kind, wakes);
        }
    }

    /// The items a new converter is given first: configuration, then from the latest join point.
    pub(crate) fn replay(&self) -> Vec<T> {
        self.ring().replay()
    }

    fn change(&self, wakes: &mut Wakes, change: impl FnOnce(&mut Ring<T>)) {
        let mut ring = self.ring();
        change(&mut ring);
        self.signal.set_join(ring.join_seq());
        drop(ring);
        self.signal.bump();
        self.notify(Kind::Everything, wakes);
    }
}

/// What a stream does with a lane whose item type it does not know.
pub(crate) trait AnyLane: Any + Send + Sync {
    /// The stream ended for good.
    fn end(&self, wakes: &mut Wakes);
    /// Another producer goes on.
    fn discontinuity(&self, wakes: &mut Wakes);
    /// Readers get nothing more.
    fn close(&self, end: ReadEnd, wakes: &mut Wakes);
    /// A closed lane has a producer again.
    fn reopen(&self);
    fn counts(&self) -> LaneCounts;
    fn item_type(&self) -> &'static str;
}

impl<T: Item> AnyLane for Lane<T> {
    fn end(&self, wakes: &mut Wakes) {
        self.change(wakes, Ring::end);
    }

    fn discontinuity(&self, wakes: &mut Wakes) {
        // A reader may still have to read up to here, and not know it yet.
        self.change(wakes, Ring::discontinuity);
    }

    fn close(&self, end: ReadEnd, wakes: &mut Wakes) {
        self.change(wakes, |ring| ring.close(Some(end)));
    }

    fn reopen(&self) {
        let mut ring = self.ring();
        ring.close(None);
        // What comes next does not follow from what the last producer left.
        ring.discontinuity();
        self.signal.set_join(ring.join_seq());
    }

    fn counts(&self) -> LaneCounts {
        let ring = self.ring();
        LaneCounts {
            pushed_items: ring.head(),
            pushed_bytes: ring.counters.pushed_bytes,
            held: ring.held(),
            lost: ring.counters.lost,
            joins: ring.counters.joins,
            joins_cut: ring.counters.joins_cut,
        }
    }

    fn item_type(&self) -> &'static str {
        type_name::<T>()
    }
}
