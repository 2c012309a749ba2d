//! Publishers that come and go, and what time does to a stream.

use std::any::TypeId;
use std::sync::Arc;
use std::time::Instant;

use super::graph::{Body, Entry, Graph, Idle, LaneKey};
use super::publisher::Fence;
use super::resolve::Resolver;
use crate::lane::Lane;
use crate::wake::Wakes;
use crate::{BusyPolicy, Fenced, Item, PublishError, PublisherId, ReadEnd, TrackInfo};

/// The publisher there is.
pub(super) struct Active {
    pub(super) who: PublisherId,
    pub(super) since: Instant,
    pub(super) fence: Arc<Fence>,
}

/// The time in which a stream waits for its publisher to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grace {
    None,
    /// Since the last look at the clock.
    Lately,
    Until(Instant),
    Endless,
}

impl Graph {
    /// Lets a publisher in; returns its epoch.
    pub(crate) fn publish(
        &mut self,
        who: PublisherId,
        busy: BusyPolicy,
        now: Instant,
        fence: &Arc<Fence>,
        wakes: &mut Wakes,
    ) -> Result<u64, PublishError> {
        if let Some(active) = &self.publisher {
            let may = match busy {
                BusyPolicy::Refuse => false,
                BusyPolicy::TakeOverSame => active.who == who,
                BusyPolicy::TakeOver => true,
            };
            if !may {
                return Err(PublishError::Busy { by: active.who.clone() });
            }
            active.fence.fall(wakes);
        }
        self.epoch += 1;
        self.grace = Grace::None;
        self.publisher = Some(Active { who, since: now, fence: Arc::clone(fence) });
        // What the publisher before left: its tracks are closed, and what comes next in the lanes
        // made from them does not follow from what came before.
        for index in 0..self.entries.len() {
            let source = self.entry_mut(index).and_then(|entry| entry.source.take());
            if source.is_some() {
                self.broken(index, wakes);
            }
        }
        Ok(self.epoch)
    }

    /// Opens a track; returns its lane and the lane's index.
    pub(super) fn open_track<T: Item>(
        &mut self,
        epoch: u64,
        info: TrackInfo,
        cx: &Resolver<'_>,
        wakes: &mut Wakes,
    ) -> Result<(usize, Arc<Lane<T>>), PublishError> {
        if self.epoch != epoch {
            return Err(Fenced.into());
        }
        let (tracks, lanes) = (self.limits.tracks, self.limits.lanes_per_stream);
        let key = LaneKey { track: info.id, ..LaneKey::plain(TypeId::of::<T>()) };
        let open = self.entries.iter().flatten().filter(|entry| entry.source.is_some());
        if open.clone().any(|entry| entry.key == key) {
            return Err(PublishError::TrackTaken { id: info.id });
        }
        if open.count() >= tracks {
            return Err(PublishError::TooManyTracks { limit: tracks });
        }
        let index = self
            .lane_index(key, |limits| Arc::new(Lane::<T>::new(limits)))
            .ok_or(PublishError::TooManyLanes { limit: lanes })?;
        let was_derived = self.entry(index).is_some_and(|entry| entry.node.is_some());
        if was_derived {
            self.detach(index, wakes);
            self.broken(index, wakes);
        }
        if let Some(entry) = self.entry_mut(index) {
            entry.source = Some(info);
            if entry.failed.take().is_some() {
                entry.lane.reopen();
            }
        }
        self.attach_input(index, cx.registry, wakes);
        self.resolve_all(cx, wakes);
        let lane = self.lane(index).ok_or(PublishError::TooManyLanes { limit: lanes })?;
        Ok((index, lane))
    }

    /// The publisher of an epoch goes: for good, or within the grace.
    pub(super) fn unpublish(&mut self, epoch: u64, for_good: bool, wakes: &mut Wakes) {
        if self.epoch != epoch {
            return;
        }
        let Some(active) = self.publisher.take() else { return };
        active.fence.fall(wakes);
        self.epoch += 1;
        if for_good || self.limits.grace.is_zero() {
            self.end(wakes);
        } else {
            self.grace = Grace::Lately;
        }
    }

    /// Fences the publisher there is; false if there is none.
    pub(crate) fn fence(&mut self, wakes: &mut Wakes) -> bool {
        let there = self.publisher.is_some();
        self.unpublish(self.epoch, false, wakes);
        there
    }

    /// The stream ends for good, until somebody else publishes it.
    fn end(&mut self, wakes: &mut Wakes) {
        self.grace = Grace::None;
        for entry in self.entries.iter_mut().flatten() {
            entry.ended = false;
        }
        for index in 0..self.entries.len() {
            if self.entry(index).is_some_and(|entry| entry.source.is_some()) {
                self.end_from(index, wakes);
            }
        }
        // Lanes that nothing fills: their readers came before the stream and see it end.
        for index in 0..self.entries.len() {
            let entry = self.entry_mut(index).filter(|e| e.node.is_none() && !e.ended);
            if let Some(entry) = entry {
                entry.lane.end(wakes);
            }
        }
    }

    /// Ends a lane and what is made from it.
    pub(crate) fn end_from(&mut self, index: usize, wakes: &mut Wakes) {
        for output in self.outputs(index) {
            let Some(node) = self.entry_mut(output).and_then(|entry| entry.node.as_mut()) else {
                continue;
            };
            if matches!(node.body, Body::Task(_)) {
                node.draining = true;
                continue;
            }
            self.with_inline(output, wakes, |node, graph, wakes| node.end(graph, wakes));
            self.detach(output, wakes);
            self.end_from(output, wakes);
        }
        if let Some(entry) = self.entry_mut(index) {
            entry.source = None;
            entry.ended = true;
            entry.lane.end(wakes);
        }
    }

    /// Whether a look at the clock is needed.
    pub(super) fn is_waiting(&self) -> bool {
        let idle = |entry: &Entry| {
            let unused = entry.node.is_some() && entry.downstream == 0 && entry.readers == 0;
            unused || entry.failed.is_some()
        };
        self.grace != Grace::None || self.entries.iter().flatten().any(idle)
    }

    /// Looks at the clock; says when to look again.
    pub(crate) fn tick(&mut self, now: Instant, wakes: &mut Wakes) -> Option<Instant> {
        if self.grace == Grace::Lately {
            // A grace beyond the clock's range never ends.
            self.grace = now.checked_add(self.limits.grace).map_or(Grace::Endless, Grace::Until);
        }
        if matches!(self.grace, Grace::Until(until) if until <= now) {
            self.end(wakes);
        }
        let linger = self.limits.linger;
        for entry in self.entries.iter_mut().flatten() {
            if entry.idle == Idle::Lately {
                entry.idle = Idle::Since(now);
            }
            if let Some((_, since)) = &mut entry.failed {
                let since = *since.get_or_insert(now);
                if now.saturating_duration_since(since) >= linger {
                    // The next who asks may try again.
                    entry.failed = None;
                    entry.lane.reopen();
                }
            }
        }
        // A lane that goes may leave the one it was made from without use.
        while let Some(index) = self.entries.iter().position(|entry| {
            entry.as_ref().is_some_and(|entry| {
                let unused = entry.readers == 0 && entry.downstream == 0 && entry.node.is_some();
                unused && is_over(entry.idle, linger, now)
            })
        }) {
            self.detach(index, wakes);
        }
        self.watched = false;
        if self.is_unused() {
            return None;
        }
        let lingers = self.entries.iter().flatten().filter_map(|entry| match entry.idle {
            Idle::Since(since) if entry.node.is_some() && entry.downstream == 0 => {
                since.checked_add(linger)
            }
            _ => entry
                .failed
                .as_ref()
                .and_then(|(_, since)| since.and_then(|since| since.checked_add(linger))),
        });
        let grace = match self.grace {
            Grace::Until(until) => Some(until),
            _ => None,
        };
        lingers.chain(grace).min()
    }

    /// The hub goes: everybody is told.
    pub(crate) fn close(&mut self, wakes: &mut Wakes) {
        self.dead = true;
        self.epoch += 1;
        self.grace = Grace::None;
        if let Some(active) = self.publisher.take() {
            active.fence.fall(wakes);
        }
        for index in 0..self.entries.len() {
            self.detach(index, wakes);
            if let Some(entry) = self.entry(index) {
                entry.lane.close(ReadEnd::HubClosed, wakes);
            }
        }
    }
}

fn is_over(idle: Idle, linger: std::time::Duration, now: Instant) -> bool {
    matches!(idle, Idle::Since(since) if now.saturating_duration_since(since) >= linger)
}
