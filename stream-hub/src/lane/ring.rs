//! The ring itself: what is held, and what is let go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::config::{self, Configs};
use super::segment::{Held, Segment, slots};
use super::waiting::Waiting;
use crate::{Item, Limits, ReadEnd};

/// A bound is this many segments at least, so that evicting one is a small step.
const STEPS: u32 = 16;

/// A segment and what only the ring's lock may change about it.
pub(super) struct Part<T> {
    pub(super) segment: Arc<Segment<T>>,
    pub(super) len: usize,
    /// Readers whose cursor was last seen here.
    pub(super) readers: u32,
    bytes: usize,
    first: Duration,
    open: bool,
}

impl<T> Part<T> {
    pub(super) fn base(&self) -> u64 {
        self.segment.base
    }

    pub(super) fn end(&self) -> u64 {
        self.segment.base + self.len as u64
    }
}

/// A join point and the configuration in force there.
pub(super) struct Join<T> {
    pub(super) seq: u64,
    pub(super) configs: Configs<T>,
    time: Duration,
    /// Bytes that were pushed before it.
    bytes: u64,
}

impl<T> Clone for Join<T> {
    fn clone(&self) -> Self {
        Self { configs: Arc::clone(&self.configs), ..*self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// Another producer goes on from here.
    Discontinuity,
    /// The stream ended for good here, for the `first`-th to the `last`-th time.
    End { first: u32, last: u32 },
}

/// A place between two items that no batch crosses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) seq: u64,
    pub(super) kind: MarkKind,
}

/// What the lane's statistics count.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) pushed_bytes: u64,
    pub(crate) lost: u64,
    pub(crate) joins: u64,
    /// Times the latest join point itself went over a bound.
    pub(crate) joins_cut: u64,
}

/// Everything of a lane that its lock guards.
pub(crate) struct Ring<T> {
    /// Unlike that of any other lane, even one that is gone.
    pub(super) id: u64,
    pub(super) parts: VecDeque<Part<T>>,
    pub(super) head: u64,
    /// The latest join point.
    pub(super) join: Option<Join<T>>,
    pub(super) waiting: Waiting<T>,
    pub(super) configs: Configs<T>,
    pub(super) marks: VecDeque<Mark>,
    /// Where the last mark that was let go stood; 0 for none.
    pub(super) mark_gone: u64,
    pub(super) ends: u32,
    pub(super) closed: Option<ReadEnd>,
    pub(crate) counters: Counters,
    last_time: Duration,
    bytes: usize,
    /// Readers at the head while no segment is open; they move to the one that opens there.
    unplaced: u32,
    bound_bytes: usize,
    bound_time: Duration,
}

impl<T: Item> Ring<T> {
    pub(crate) fn new(limits: &Limits) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            parts: VecDeque::new(),
            head: 0,
            join: None,
            waiting: Waiting::default(),
            configs: Arc::default(),
            marks: VecDeque::new(),
            mark_gone: 0,
            ends: 0,
            closed: None,
            counters: Counters::default(),
            last_time: Duration::ZERO,
            bytes: 0,
            unplaced: 0,
            bound_bytes: limits.lane_bytes,
            bound_time: limits.lane_time,
        }
    }

    /// Sequence number of the first item held; the head if there is none.
    pub(super) fn tail(&self) -> u64 {
        self.parts.front().map_or(self.head, Part::base)
    }

    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    pub(crate) fn join_seq(&self) -> Option<u64> {
        self.join.as_ref().map(|join| join.seq)
    }

    /// Items, bytes and stream time held.
    pub(crate) fn held(&self) -> (u64, usize, Duration) {
        let first = self.parts.front().map_or(self.last_time, |part| part.first);
        (self.head - self.tail(), self.bytes, self.last_time.saturating_sub(first))
    }

    pub(crate) fn push(&mut self, item: T) {
        // An item that is out of time must not make the ring look longer than it is.
        let (size, time) = (item.size(), item.time().max(self.last_time));
        self.make_room(size, time);
        let at = self.open_part(size, time);
        let seq = self.head;
        if item.is_join_point() {
            let (configs, bytes) = (self.configs.clone(), self.counters.pushed_bytes);
            let join = Join { seq, configs, time, bytes };
            self.parts[at].readers += self.waiting.arrive(&join);
            self.join = Some(join);
        }
        if let Some(slot) = item.config_slot() {
            self.configs = config::with(&self.configs, seq, slot, &item);
        }
        self.counters.pushed_bytes += size as u64;
        self.last_time = time;
        self.bytes += size;
        self.head += 1;
        let part = &mut self.parts[at];
        part.segment.set(part.len, Held { item, end: self.counters.pushed_bytes });
        part.len += 1;
        part.bytes += size;
        self.forget_far_join();
        self.trim();
    }

    /// Lets go of a join point that is none any more.
    fn forget_far_join(&mut self) {
        let (Some(bound), Some(join)) = (T::JOIN_BOUND, &self.join) else { return };
        let bytes = self.counters.pushed_bytes - join.bytes;
        if self.last_time.saturating_sub(join.time) > bound.time || bytes > bound.bytes as u64 {
            self.join = None;
        }
    }

    /// Lets go of whole segments until an item of `size` bytes at `time` is within the bounds.
    fn make_room(&mut self, size: usize, time: Duration) {
        while let Some(front) = self.parts.front() {
            let fits = self.bytes.saturating_add(size) <= self.bound_bytes
                && time.saturating_sub(front.first) <= self.bound_time;
            if fits {
                return;
            }
            self.drop_front();
        }
    }

    /// Index of the part that takes the next item.
    fn open_part(&mut self, size: usize, time: Duration) -> usize {
        if let Some(last) = self.parts.back_mut() {
            let full = last.len >= slots::<T>()
                || last.bytes.saturating_add(size) > self.bound_bytes / STEPS as usize
                || time.saturating_sub(last.first) > self.bound_time / STEPS;
            if last.open && !full {
                return self.parts.len() - 1;
            }
            last.open = false;
        }
        self.parts.push_back(Part {
            segment: Arc::new(Segment::new(self.head)),
            len: 0,
            readers: std::mem::take(&mut self.unplaced),
            bytes: 0,
            first: time,
            open: true,
        });
        self.parts.len() - 1
    }

    /// Lets go of what neither a joiner nor a reader needs.
    pub(super) fn trim(&mut self) {
        while let Some(front) = self.parts.front() {
            let needed = match &self.join {
                Some(join) => front.end() > join.seq,
                None => front.open,
            };
            if needed || front.readers > 0 {
                return;
            }
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        let Some(front) = self.parts.pop_front() else { return };
        self.bytes -= front.bytes;
        let tail = self.tail();
        if self.join_seq().is_some_and(|seq| seq < tail) {
            self.join = None;
            self.counters.joins_cut += 1;
        }
        while let Some(mark) = self.marks.front().filter(|mark| mark.seq < tail) {
            self.mark_gone = mark.seq;
            self.marks.pop_front();
        }
        while let Some((seq, readers)) = self.waiting.pass(tail) {
            if let Some(at) = self.find(seq) {
                self.parts[at].readers += readers;
            }
        }
    }

    /// Another producer goes on: what was before is no place to join and its configuration is
    /// not in force.
    pub(crate) fn discontinuity(&mut self) {
        self.forget();
        let told = self.marks.back().is_some_and(|mark| mark.seq == self.head);
        if self.head > 0 && !told {
            self.marks.push_back(Mark { seq: self.head, kind: MarkKind::Discontinuity });
        }
        self.trim();
    }

    /// The stream ended for good: what no reader has still to read is let go.
    pub(crate) fn end(&mut self) {
        self.forget();
        self.ends = self.ends.wrapping_add(1);
        let (head, last) = (self.head, self.ends);
        // One mark at most in one place, so that marks cannot pile up without items.
        let first = match self.marks.back() {
            Some(Mark { seq, kind: MarkKind::End { first, .. } }) if *seq == head => *first,
            _ => last,
        };
        if self.marks.back().is_some_and(|mark| mark.seq == head) {
            self.marks.pop_back();
        }
        self.marks.push_back(Mark { seq: head, kind: MarkKind::End { first, last } });
        if let Some(last) = self.parts.back_mut() {
            last.open = false;
        }
        self.trim();
    }

    fn forget(&mut self) {
        self.join = None;
        self.configs = Arc::default();
    }

    /// Index of the part that holds `seq`.
    pub(super) fn find(&self, seq: u64) -> Option<usize> {
        // Nearly every reader is at the end.
        let last = self.parts.len().checked_sub(1)?;
        if self.parts[last].base() <= seq {
            return (seq < self.parts[last].end()).then_some(last);
        }
        let at = self.parts.partition_point(|part| part.end() <= seq);
        (self.parts.get(at)?.base() <= seq).then_some(at)
    }

    /// Counts a reader at `seq`; says where it is counted, for [`Ring::leave`].
    pub(super) fn enter(&mut self, seq: u64) -> u64 {
        let at = self.find(seq).or_else(|| {
            let last = self.parts.len().checked_sub(1)?;
            (seq >= self.head && self.parts[last].open).then_some(last)
        });
        if let Some(part) = at.and_then(|at| self.parts.get_mut(at)) {
            part.readers += 1;
            part.base()
        } else {
            self.unplaced += 1;
            self.head
        }
    }

    /// Ends what [`Ring::enter`] began.
    pub(super) fn leave(&mut self, counted: u64) {
        let at = self.parts.binary_search_by_key(&counted, Part::base);
        if let Ok(at) = at {
            self.parts[at].readers = self.parts[at].readers.saturating_sub(1);
        } else if counted == self.head {
            self.unplaced = self.unplaced.saturating_sub(1);
        }
        self.trim();
    }

    pub(super) fn close(&mut self, end: Option<ReadEnd>) {
        self.closed = end;
    }

    /// The configuration in force at the latest join point and the items from there on.
    pub(super) fn replay(&self) -> Vec<T> {
        let Some(join) = &self.join else {
            // Who can't wait for a join point goes on with what comes next.
            let is_live = T::JOIN_BOUND.is_some();
            let configs = self.configs.iter().filter(|_| is_live);
            return configs.map(|config| config.item.clone()).collect();
        };
        let configs = join.configs.iter().map(|config| config.item.clone());
        let from = self.find(join.seq).unwrap_or(self.parts.len());
        let items = self.parts.range(from..).flat_map(|part| {
            let skip = join.seq.saturating_sub(part.base()) as usize;
            part.segment.items(skip, part.len).cloned()
        });
        configs.chain(items).collect()
    }
}
