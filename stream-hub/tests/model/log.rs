//! What was pushed, as a plain list, and what the bounds leave of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) const BYTES: usize = 20_000;
pub(crate) const TIME: Duration = Duration::from_secs(4);
/// The largest item, and what a segment may hold besides the one that lags.
pub(crate) const LARGEST: usize = 2000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    Plain,
    Config(u64),
}

pub(crate) struct Pushed {
    pub(crate) kind: Kind,
    pub(crate) size: usize,
    pub(crate) time: Duration,
}

/// All that happened to the lane.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) items: Vec<Pushed>,
    /// Takeovers, returns and ends, by the item they came before.
    pub(crate) breaks: BTreeSet<usize>,
    pub(crate) ends: Vec<usize>,
}

impl Log {
    pub(crate) fn head(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_key(&self, at: usize) -> bool {
        self.items[at].kind == Kind::Key
    }

    /// Configuration in force before item `at`, of its own publisher.
    pub(crate) fn configs(&self, at: usize) -> Vec<usize> {
        let from = self.breaks.range(..=at).next_back().copied().unwrap_or(0);
        let mut slots = BTreeMap::new();
        for seq in from..at {
            if let Kind::Config(slot) = self.items[seq].kind {
                slots.insert(slot, seq);
            }
        }
        slots.into_values().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The latest place to join, as far as no bound cuts it.
    pub(crate) fn latest(&self) -> Option<usize> {
        let from = self.breaks.last().copied().unwrap_or(0);
        (from..self.head()).rev().find(|seq| self.is_key(*seq))
    }

    pub(crate) fn first_key(&self, from: usize) -> Option<usize> {
        (from..self.head()).find(|seq| self.is_key(*seq))
    }

    pub(crate) fn lag(&self, at: usize) -> (usize, Duration) {
        let bytes = self.items[at..].iter().map(|item| item.size).sum();
        let newest = self.items.last().map_or(Duration::ZERO, |item| item.time);
        let time = self.items.get(at).map_or(Duration::ZERO, |item| newest - item.time);
        (bytes, time)
    }

    /// Whether the bounds leave it no room.
    pub(crate) fn must_be_gone(&self, at: usize) -> bool {
        let (bytes, time) = self.lag(at);
        at + 1 < self.head() && (bytes > BYTES || time > TIME)
    }

    /// Whether the bounds may have cut it, in steps of a segment.
    pub(crate) fn may_be_gone(&self, at: usize) -> bool {
        let (bytes, time) = self.lag(at);
        bytes > BYTES - LARGEST || time > TIME * 15 / 16
    }
}
