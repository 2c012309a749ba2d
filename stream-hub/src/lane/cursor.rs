//! Where a reader is, and what the ring gives it there.

use std::sync::Arc;

use super::batch::{Batch, Replay, Span};
use super::config::{self, Configs};
use super::ring::{Join, MarkKind, Ring};
use crate::{Item, Lost, OnLag, OnUnpublish, ReadEnd, Start, SubscribeOptions};

/// [`Cursor::counted`] of a reader that holds nothing back.
pub(super) const NOWHERE: u64 = u64::MAX;

/// A reader's place in its lane.
pub(crate) struct Cursor<T> {
    /// The next item to read. While joining: the first item not read, 0 for a new reader.
    pub(super) next: u64,
    /// While joining: the first item that may be configuration not read; before `next` if some
    /// was still to be replayed.
    unseen: u64,
    /// While joining: the first item that may be the join point.
    pub(super) from: u64,
    /// Where the ring counts this reader, see [`Ring::enter`].
    counted: u64,
    /// The ring's head when this reader began to wait for a join point, see [`Ring::wait_join`];
    /// [`NOWHERE`] while it doesn't wait.
    pub(super) since: u64,
    /// Discontinuities before this item have been told; [`NOWHERE`] before the first join.
    told: u64,
    /// The stream ended since the last batch: the next one is discontinuous.
    broken: bool,
    /// Configuration to replay before `next`, and how much of it was read.
    replay: Option<Configs<T>>,
    replayed: u32,
    /// Items of the last batch that were not advanced over.
    given: u32,
    /// Ends of the stream seen, or gone by before this reader came.
    ends: u32,
    pub(super) joining: bool,
    lagged: bool,
    /// The last batch went up to the head.
    to_head: bool,
    on_lag: OnLag,
    on_unpublish: OnUnpublish,
}

/// What a look at the ring came to.
pub(super) enum Step<T> {
    Batch(Batch<T>),
    End(ReadEnd),
    Wait,
}

impl<T> Cursor<T> {
    /// Whether everything there was at the last look has been read.
    pub(super) fn drained(&self) -> bool {
        self.to_head && self.given == 0
    }

    pub(super) fn has_replay(&self) -> bool {
        self.replay.is_some()
    }

    /// Has the reader look for a join point from where it is.
    fn rejoin(&mut self) {
        let replay = self.replay.take();
        let unread = replay.as_ref().and_then(|configs| configs.get(self.replayed as usize));
        self.unseen = unread.map_or(self.next, |config| config.seq);
        self.from = self.next;
        self.joining = true;
    }

    pub(super) fn advance(&mut self, items: usize) {
        let items = u32::try_from(items).unwrap_or(u32::MAX).min(self.given);
        self.given -= items;
        let mut left = items;
        if let Some(configs) = &self.replay {
            let replayed = left.min(configs.len() as u32 - self.replayed);
            self.replayed += replayed;
            left -= replayed;
            if self.replayed as usize == configs.len() {
                self.replay = None;
            }
        }
        self.next += u64::from(left);
    }
}

impl<T: Item> Ring<T> {
    /// Places a new reader.
    pub(super) fn place(&mut self, options: &SubscribeOptions) -> Cursor<T> {
        let mut cursor = Cursor {
            next: 0,
            unseen: 0,
            from: 0,
            counted: NOWHERE,
            since: NOWHERE,
            told: NOWHERE,
            broken: false,
            replay: None,
            replayed: 0,
            given: 0,
            ends: self.ends,
            joining: true,
            lagged: false,
            to_head: false,
            on_lag: options.on_lag,
            on_unpublish: options.on_unpublish,
        };
        let is_long = |join: &Join<T>| self.head - join.seq > options.max_replay;
        let latest = matches!(options.start, Start::LatestJoinPoint | Start::LatestJoinPointOrLive);
        let start = match &self.join {
            Some(join) if latest && is_long(join) => Start::NextJoinPoint,
            None if options.start == Start::LatestJoinPointOrLive => Start::Live,
            _ => options.start,
        };
        match start {
            Start::LatestJoinPoint | Start::LatestJoinPointOrLive => _ = self.join(&mut cursor),
            Start::NextJoinPoint => {
                cursor.from = self.head;
                self.wait_join(&mut cursor);
            }
            Start::Live => {
                let configs = self.configs.clone();
                // What was before it came is not its concern.
                let marked = self.marks.back().is_some_and(|mark| mark.seq == self.head);
                cursor.told = (self.head + u64::from(marked)).max(1);
                self.start_at(&mut cursor, self.head, configs);
            }
        }
        cursor
    }

    /// Takes a reader out.
    pub(super) fn remove(&mut self, cursor: &mut Cursor<T>) {
        self.stop_waiting(cursor);
        if cursor.counted != NOWHERE {
            self.leave(std::mem::replace(&mut cursor.counted, NOWHERE));
        }
        self.trim();
    }

    /// Moves a joining reader to the first join point since it waits, else to the latest, if it
    /// may start there; else it waits. Returns how many items it lost by lagging.
    fn join(&mut self, cursor: &mut Cursor<T>) -> u64 {
        let first = self.stop_waiting(cursor).filter(|join| join.seq >= cursor.from);
        let latest = self.join.as_ref().filter(|join| join.seq >= cursor.from);
        let Some(Join { seq, configs, .. }) = first.or_else(|| latest.cloned()) else {
            self.wait_join(cursor);
            return 0;
        };
        let lost = if cursor.lagged { seq.saturating_sub(cursor.next) } else { 0 };
        self.counters.lost += lost;
        self.counters.joins += u64::from(!cursor.lagged);
        self.start_at(cursor, seq, configs);
        lost
    }

    fn start_at(&mut self, cursor: &mut Cursor<T>, seq: u64, configs: Configs<T>) {
        let first = config::unseen(&configs, cursor.unseen);
        cursor.replayed = first as u32;
        cursor.replay = (first < configs.len()).then_some(configs);
        if cursor.told == NOWHERE {
            cursor.told = seq + 1;
        }
        cursor.next = seq;
        cursor.joining = false;
        cursor.lagged = false;
        self.recount(cursor);
    }

    /// Counts the reader where it is now.
    fn recount(&mut self, cursor: &mut Cursor<T>) {
        let counted = self.enter(cursor.next);
        if cursor.counted != NOWHERE {
            self.leave(cursor.counted);
        }
        cursor.counted = counted;
    }

    /// The next items for a reader, at most `max_bytes` of them but at least one.
    pub(super) fn read(&mut self, cursor: &mut Cursor<T>, max_bytes: usize) -> Step<T> {
        if let Some(end) = &self.closed {
            return Step::End(end.clone());
        }
        // What was given and not advanced over is given again.
        cursor.given = 0;
        cursor.to_head = false;
        let mut end = match self.pass_ends(cursor) {
            Ok(end) => end,
            Err(end) => return Step::End(end),
        };
        if !cursor.joining && cursor.next < self.tail() {
            if cursor.on_lag == OnLag::Close {
                let lost = Lost { items: self.tail() - cursor.next };
                self.counters.lost += lost.items;
                return Step::End(ReadEnd::Lagged(lost));
            }
            self.remove(cursor);
            cursor.rejoin();
            cursor.lagged = true;
            // It goes on past the ends that are still held, too.
            end = match self.pass_ends(cursor) {
                Ok(end) => end,
                Err(end) => return Step::End(end),
            };
        }
        let mut lost = 0;
        if cursor.joining {
            lost = self.join(cursor);
            if cursor.joining {
                return Step::Wait;
            }
        }
        let mut batch = Batch {
            replay: None,
            spans: [None, None],
            lane: self.id,
            first: cursor.next,
            len: 0,
            discontinuity: false,
            bytes: 0,
            lost,
        };
        if cursor.replay.is_none() || !cut_replay(cursor, max_bytes, &mut batch) {
            self.cut(cursor, end, max_bytes, &mut batch);
        }
        if batch.len == 0 {
            self.recount(cursor);
            return Step::Wait;
        }
        cursor.given = batch.len;
        Step::Batch(batch)
    }

    /// Takes note of the ends of the stream that the reader has come to; returns the next one.
    fn pass_ends(&mut self, cursor: &mut Cursor<T>) -> Result<Option<u64>, ReadEnd> {
        while cursor.ends != self.ends {
            let next = cursor.ends.wrapping_add(1);
            let mark = self.marks.iter().find_map(|mark| match mark.kind {
                MarkKind::End { first, last } if (first..=last).contains(&next) => {
                    Some((mark.seq, last))
                }
                _ => None,
            });
            // A mark that is gone lies before the tail.
            let (seq, last) = mark.unwrap_or((self.tail(), next));
            let at = if cursor.joining { self.first_join(cursor) } else { Some(cursor.next) };
            let reached = at.is_none_or(|at| at >= seq) && !cursor.has_replay();
            if mark.is_some() && !reached {
                return Ok(Some(seq));
            }
            if cursor.on_unpublish == OnUnpublish::End {
                return Err(ReadEnd::Ended);
            }
            cursor.ends = last;
            if reached {
                // A reader that waits goes on waiting, or has its join point already.
                if !cursor.joining {
                    self.remove(cursor);
                    cursor.rejoin();
                }
                // Who came after another break in the same place has not read what was before either.
                cursor.broken |= cursor.told != NOWHERE && cursor.told <= seq;
                cursor.from = cursor.from.max(seq);
            }
        }
        Ok(None)
    }

    /// Adds what is at the reader's place to a batch, up to the next mark.
    fn cut(&mut self, cursor: &mut Cursor<T>, end: Option<u64>, max: usize, batch: &mut Batch<T>) {
        let mut limit = end.unwrap_or(self.head);
        let mut before = self.mark_gone;
        if !self.marks.is_empty() {
            let marks = self.marks.partition_point(|mark| mark.seq <= cursor.next);
            limit = self.marks.get(marks).map_or(limit, |mark| mark.seq.min(limit));
            let last = marks.checked_sub(1).and_then(|last| self.marks.get(last));
            before = last.map_or(before, |mark| mark.seq);
        }
        let discontinuity = cursor.broken || before >= cursor.told;
        let Some(at) = self.find(cursor.next).filter(|_| cursor.next < limit) else {
            cursor.to_head = limit == self.head;
            return;
        };
        let room = max.saturating_sub(batch.bytes);
        let mut next = cursor.next;
        let mut start = None;
        let mut bytes = 0;
        for (part, span) in self.parts.range(at..).zip(&mut batch.spans) {
            if next >= limit {
                break;
            }
            let from = (next - part.base()) as usize;
            let to = (limit.min(part.end()) - part.base()) as usize;
            let Some(first) = part.segment.held(from) else { break };
            let start = *start.get_or_insert_with(|| first.end - first.item.size() as u64);
            let sum =
                |at: usize| part.segment.held(at).map_or(0, |held| (held.end - start) as usize);
            // One item at least, however large.
            let least = if batch.len == 0 { from + 1 } else { from };
            let fit = fit(from, to, |at| sum(at) <= room).max(least);
            if fit == from {
                break;
            }
            bytes = sum(fit - 1);
            batch.len += (fit - from) as u32;
            next += (fit - from) as u64;
            let segment = Arc::clone(&part.segment);
            *span = Some(Span { segment, from: from as u32, to: fit as u32 });
            if fit < to {
                break;
            }
        }
        batch.bytes += bytes;
        if next > cursor.next {
            batch.discontinuity = discontinuity;
            cursor.broken = false;
            cursor.told = cursor.next + 1;
        }
        cursor.to_head = next == self.head;
        if self.parts[at].base() != cursor.counted {
            self.recount(cursor);
        }
    }
}

/// Starts a batch with replayed configuration; true if it is full with that.
fn cut_replay<T: Item>(cursor: &Cursor<T>, max: usize, batch: &mut Batch<T>) -> bool {
    let Some(configs) = &cursor.replay else { return false };
    let from = cursor.replayed;
    let mut to = from;
    for config in configs.iter().skip(from as usize) {
        let bytes = batch.bytes.saturating_add(config.item.size());
        if to > from && bytes > max {
            break;
        }
        batch.bytes = bytes;
        to += 1;
    }
    batch.len = to - from;
    let full = (to as usize) < configs.len() || batch.bytes >= max;
    batch.replay = Some(Replay { configs: configs.clone(), from, to });
    full
}

/// End of the longest run of `from..to` whose items are all within the bound.
fn fit(from: usize, to: usize, within: impl Fn(usize) -> bool) -> usize {
    if within(to - 1) {
        return to;
    }
    let (mut low, mut high) = (from, to - 1);
    while low < high {
        let mid = low + (high - low) / 2;
        if within(mid) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    low
}
