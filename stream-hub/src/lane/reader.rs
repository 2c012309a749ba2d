//! One reader of a lane.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::Lane;
use super::cursor::{Cursor, Step};
use crate::stream::Stream;
use crate::wake::{Share, Want};
use crate::{Batch, Item, ReadEnd, SubscribeOptions, WakeGroup};

/// What a reader has gone through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReaderStats {
    /// Items lost by lagging.
    pub lost: u64,
    /// Times the reader lagged too far.
    pub gaps: u32,
}

/// One reader of a lane: a cursor, and a place to wait. Dropping it unsubscribes.
pub struct Reader<T: Item> {
    lane: Arc<Lane<T>>,
    share: Arc<Share>,
    /// The stream that counts this reader, and the lane's index there; `None` for converters.
    owner: Option<Arc<Stream>>,
    index: u32,
    slot: u32,
    cursor: Cursor<T>,
    /// State of the lane that was last looked at under its lock.
    epoch: u64,
    /// Waits for its phase of the window.
    in_phase: bool,
    /// Items that are too few to be read.
    min_items: u32,
    /// Why nothing more comes; boxed, as most readers live without.
    ended: Option<Box<ReadEnd>>,
    stats: ReaderStats,
}

impl<T: Item> Lane<T> {
    /// Adds a reader.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        options: &SubscribeOptions,
        group: Option<&WakeGroup>,
        owner: Option<(Arc<Stream>, u32)>,
    ) -> Reader<T> {
        let group = group.map(|group| &group.0);
        let mut shares = self.shares();
        let known = shares.iter().find(|share| share.is_for(group, options.window));
        let share = known.cloned().unwrap_or_else(|| {
            let share = Arc::new(Share::new(group, options.window, &self.signal));
            shares.push(Arc::clone(&share));
            share
        });
        let slot = share.enter();
        drop(shares);
        let (owner, index) = owner.map_or((None, 0), |(stream, index)| (Some(stream), index));
        let epoch = self.signal.epoch().wrapping_sub(1);
        let cursor = self.ring().place(options);
        Reader {
            lane: Arc::clone(self),
            share,
            owner,
            index,
            slot,
            cursor,
            epoch,
            in_phase: false,
            min_items: options.min_items,
            ended: None,
            stats: ReaderStats::default(),
        }
    }

    fn unsubscribe(&self, share: &Arc<Share>, slot: u32, cursor: &mut Cursor<T>) {
        self.ring().remove(cursor);
        let mut shares = self.shares();
        let (empty, waker) = share.leave(slot);
        if empty {
            shares.retain(|other| !Arc::ptr_eq(other, share));
        }
        drop(shares);
        drop(waker);
    }
}

impl<T: Item> Reader<T> {
    /// The next items, from the first one not advanced over to the newest: at most `max_bytes`
    /// of them, but at least one item.
    ///
    /// While nothing is there, or the window of a reader that has read everything has not passed,
    /// the task is woken when that changes. A batch never crosses a gap in silence.
    ///
    /// # Errors
    ///
    /// [`ReadEnd`], for good: every later call returns the same.
    pub fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        max_bytes: usize,
    ) -> Poll<Result<Batch<T>, ReadEnd>> {
        if let Some(end) = &self.ended {
            return Poll::Ready(Err(ReadEnd::clone(end)));
        }
        let changed = self.lane.signal.epoch() != self.epoch;
        if !changed && !self.may_read(cx.waker()) {
            return Poll::Pending;
        }
        loop {
            let epoch = self.lane.signal.epoch();
            let step = self.lane.ring().read(&mut self.cursor, max_bytes);
            match step {
                Step::Batch(batch) => {
                    self.in_phase = false;
                    if let Some(lost) = batch.gap() {
                        self.stats.lost += lost.items;
                        self.stats.gaps += 1;
                    }
                    return Poll::Ready(Ok(batch));
                }
                Step::End(end) => {
                    if let ReadEnd::Lagged(lost) = &end {
                        self.stats.lost += lost.items;
                        self.stats.gaps += 1;
                    }
                    // It holds nothing back, even if it is kept.
                    self.lane.ring().remove(&mut self.cursor);
                    self.ended = Some(Box::new(end.clone()));
                    return Poll::Ready(Err(end));
                }
                Step::Wait => {
                    self.epoch = epoch;
                    if self.wait(cx.waker()) {
                        // What wakes it next is its phase already.
                        self.in_phase = self.cursor.drained();
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Whether a look at the ring is due; if not, the waker is set.
    fn may_read(&mut self, waker: &Waker) -> bool {
        if self.cursor.drained() && self.share.is_paced() {
            if !self.in_phase {
                self.in_phase = true;
                let seq = self.cursor.next + u64::from(self.min_items);
                self.share.wait_phase(self.slot, seq, waker);
                return self.lane.signal.epoch() != self.epoch;
            }
            if self.share.is_waiting(self.slot, waker) {
                return false;
            }
        }
        self.cursor.has_replay() || self.is_there() || !self.wait(waker)
    }

    fn is_there(&self) -> bool {
        match self.want() {
            Want::Item(seq) => self.lane.signal.head() > seq,
            Want::Join(seq) => self.lane.signal.joins(seq),
        }
    }

    fn want(&self) -> Want {
        if self.cursor.joining {
            Want::Join(self.cursor.from)
        } else {
            Want::Item(self.cursor.next + u64::from(self.min_items))
        }
    }

    /// Waits for items; false if there is something to look at already.
    fn wait(&mut self, waker: &Waker) -> bool {
        self.share.wait(self.slot, self.want(), waker) && self.lane.signal.epoch() == self.epoch
    }

    /// Goes past the first `items` of the last batch, at most all of it; the rest comes again.
    pub fn advance(&mut self, items: usize) {
        self.cursor.advance(items);
    }

    /// [`Reader::poll_batch`] as a future. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// [`ReadEnd`], for good.
    pub async fn batch(&mut self, max_bytes: usize) -> Result<Batch<T>, ReadEnd> {
        poll_fn(|cx| self.poll_batch(cx, max_bytes)).await
    }

    /// What this reader has lost so far.
    #[must_use]
    pub fn stats(&self) -> ReaderStats {
        self.stats
    }
}

impl<T: Item> Drop for Reader<T> {
    fn drop(&mut self) {
        self.lane.unsubscribe(&self.share, self.slot, &mut self.cursor);
        if let Some(stream) = self.owner.take() {
            stream.reader_left(self.index as usize);
        }
    }
}

impl<T: Item> std::fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("stats", &self.stats).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Slot;
    use crate::wake::WaitSlot;

    #[derive(Clone)]
    struct Nothing;

    impl Item for Nothing {
        fn size(&self) -> usize {
            0
        }
        fn time(&self) -> Duration {
            Duration::ZERO
        }
        fn is_join_point(&self) -> bool {
            true
        }
        fn config_slot(&self) -> Option<Slot> {
            None
        }
    }

    #[test]
    fn an_idle_reader_takes_192_bytes_at_most() {
        let list_of_free_slots = size_of::<u32>();
        let sum = size_of::<Reader<Nothing>>() + size_of::<WaitSlot>() + list_of_free_slots;
        assert!(sum <= 192, "{sum} bytes");
    }
}
