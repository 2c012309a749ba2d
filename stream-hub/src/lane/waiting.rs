//! Readers that wait for a join point, and the first one that came for them.
//!
//! Without this a reader that is woken late would start at the latest join point, and miss what
//! came between: for audio, where every frame is one, all but the newest frame.

use std::collections::VecDeque;

use super::cursor::{Cursor, NOWHERE};
use super::ring::{Join, Ring};
use crate::Item;

/// The readers that wait, and the join points they may start at.
pub(super) struct Waiting<T> {
    /// Readers for whom no join point has come yet.
    readers: u32,
    /// Join points that were the first for somebody, in order, and for how many.
    firsts: VecDeque<(Join<T>, u32)>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { readers: 0, firsts: VecDeque::new() }
    }
}

impl<T: Item> Waiting<T> {
    /// A join point has come; how many readers will start there.
    pub(super) fn arrive(&mut self, join: &Join<T>) -> u32 {
        let readers = std::mem::take(&mut self.readers);
        if readers > 0 {
            self.firsts.push_back((join.clone(), readers));
        }
        readers
    }

    /// Passes the readers of a join point that is gone on to the next one, whose sequence number
    /// is returned with how many they are, or lets them wait on.
    pub(super) fn pass(&mut self, tail: u64) -> Option<(u64, u32)> {
        while self.firsts.front().is_some_and(|(join, _)| join.seq < tail) {
            let (_, readers) = self.firsts.pop_front()?;
            let Some((next, more)) = self.firsts.front_mut() else {
                self.readers += readers;
                return None;
            };
            *more += readers;
            if next.seq >= tail {
                return Some((next.seq, readers));
            }
        }
        None
    }
}

impl<T: Item> Ring<T> {
    /// Lets a reader wait for the next join point. Once it has come it is held for the reader.
    pub(super) fn wait_join(&mut self, cursor: &mut Cursor<T>) {
        if cursor.since == NOWHERE {
            cursor.since = self.head;
            self.waiting.readers += 1;
        }
    }

    /// The first join point that has come since the reader waits.
    pub(super) fn first_join(&self, cursor: &Cursor<T>) -> Option<u64> {
        let firsts = &self.waiting.firsts;
        let at = firsts.partition_point(|(join, _)| join.seq < cursor.since);
        firsts.get(at).map(|(join, _)| join.seq)
    }

    /// Ends the wait of a reader; the first join point that has come for it.
    pub(super) fn stop_waiting(&mut self, cursor: &mut Cursor<T>) -> Option<Join<T>> {
        let since = std::mem::replace(&mut cursor.since, NOWHERE);
        if since == NOWHERE {
            return None;
        }
        let at = self.waiting.firsts.partition_point(|(join, _)| join.seq < since);
        let Some((join, readers)) = self.waiting.firsts.get_mut(at) else {
            self.waiting.readers = self.waiting.readers.saturating_sub(1);
            return None;
        };
        let join = join.clone();
        *readers -= 1;
        if *readers == 0 {
            self.waiting.firsts.remove(at);
        }
        if let Some(part) = self.find(join.seq) {
            // The caller counts the reader where it goes, before anything is let go.
            self.parts[part].readers = self.parts[part].readers.saturating_sub(1);
        }
        Some(join)
    }
}
