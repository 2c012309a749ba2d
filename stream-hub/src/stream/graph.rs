//! A stream's lanes and the converters between them.

use std::any::{Any, TypeId};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Settled;
use super::life::{Active, Grace};
use crate::convert::{InlineNode, TaskNode};
use crate::lane::{AnyLane, Lane};
use crate::stats::{LaneStats, StreamStats};
use crate::wake::Wakes;
use crate::{
    ConvertError, Item, Limits, ReadEnd, StreamKey, TrackId, TrackInfo, Unavailable, Variant,
};

/// What tells a stream's lanes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneKey {
    pub(crate) item: TypeId,
    pub(crate) track: TrackId,
    pub(crate) variant: Variant,
}

impl LaneKey {
    /// The plain lane of an item type.
    pub(super) fn plain(item: TypeId) -> Self {
        Self { item, track: TrackId::default(), variant: Variant::default() }
    }
}

/// Since when something is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idle {
    No,
    /// Since the last look at the clock.
    Lately,
    Since(Instant),
}

/// The converter that makes a lane.
pub(super) struct Node {
    /// Registered converters from a source to this lane, this one last.
    pub(super) path: Vec<usize>,
    pub(super) inputs: Vec<usize>,
    pub(super) serial: u64,
    /// A task that still reads the rest of a stream that has ended.
    pub(super) draining: bool,
    pub(super) body: Body,
}

pub(super) enum Body {
    /// `None` while it works.
    Inline(Option<Box<dyn InlineNode>>),
    Task(Arc<dyn TaskNode>),
}

/// A lane and what belongs to it.
pub(super) struct Entry {
    pub(super) key: LaneKey,
    pub(super) lane: Arc<dyn AnyLane>,
    /// The publisher's track that fills the lane.
    pub(super) source: Option<TrackInfo>,
    /// Or the converter that does.
    pub(super) node: Option<Node>,
    /// Why there is none, and since when (known at the next look at the clock).
    pub(super) failed: Option<(Unavailable, Option<Instant>)>,
    /// The end of the stream has been told to the lane's readers just now.
    pub(super) ended: bool,
    /// Lanes that inline converters make from this one.
    pub(super) stages: Vec<usize>,
    /// Converters that read this lane, inline or not.
    pub(super) downstream: usize,
    pub(super) readers: usize,
    /// Since when nobody reads it.
    pub(super) idle: Idle,
}

pub(crate) struct Graph {
    pub(super) limits: Limits,
    /// Taken off the hub: nothing may be added.
    pub(crate) dead: bool,
    /// Goes up whenever a publisher comes or goes; a writer of another epoch is fenced.
    pub(super) epoch: u64,
    pub(super) publisher: Option<Active>,
    pub(super) grace: Grace,
    pub(super) entries: Vec<Option<Entry>>,
    pub(super) readers: usize,
    /// Time of the newest item of a source.
    pub(super) last_time: Option<Duration>,
    pub(super) last_push: Option<Instant>,
    pub(super) started: u64,
    pub(super) stopped: u64,
    /// The hub looks at this stream when it looks at the clock.
    pub(super) watched: bool,
}

impl Graph {
    pub(crate) fn lane_limit(&self) -> usize {
        self.limits.lanes_per_stream
    }

    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            dead: false,
            epoch: 0,
            publisher: None,
            grace: Grace::None,
            entries: Vec::new(),
            readers: 0,
            last_time: None,
            last_push: None,
            started: 0,
            stopped: 0,
            watched: false,
        }
    }

    pub(super) fn entry(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index).and_then(Option::as_ref)
    }

    pub(super) fn entry_mut(&mut self, index: usize) -> Option<&mut Entry> {
        self.entries.get_mut(index).and_then(Option::as_mut)
    }

    pub(super) fn find(&self, key: LaneKey) -> Option<usize> {
        self.entries.iter().position(|entry| entry.as_ref().is_some_and(|e| e.key == key))
    }

    /// The lane of a key, made by `new` if there is none; `None` if there are too many.
    pub(crate) fn lane_index(
        &mut self,
        key: LaneKey,
        new: impl FnOnce(&Limits) -> Arc<dyn AnyLane>,
    ) -> Option<usize> {
        if let Some(index) = self.find(key) {
            return Some(index);
        }
        let free = self.entries.iter().position(Option::is_none);
        if free.is_none() && self.entries.len() >= self.limits.lanes_per_stream {
            return None;
        }
        let entry = Entry {
            key,
            lane: new(&self.limits),
            source: None,
            node: None,
            failed: None,
            ended: false,
            stages: Vec::new(),
            downstream: 0,
            readers: 0,
            idle: Idle::Lately,
        };
        let index = free.unwrap_or(self.entries.len());
        match self.entries.get_mut(index) {
            Some(place) => *place = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        Some(index)
    }

    /// The lane at an index, as what it is.
    pub(crate) fn lane<T: Item>(&self, index: usize) -> Option<Arc<Lane<T>>> {
        let lane: Arc<dyn Any + Send + Sync> = Arc::clone(&self.entry(index)?.lane) as _;
        lane.downcast().ok()
    }

    pub(crate) fn last_time(&self) -> Option<Duration> {
        self.last_time
    }

    pub(crate) fn reader_came(&mut self, index: usize) {
        self.readers += 1;
        if let Some(entry) = self.entry_mut(index) {
            entry.readers += 1;
            entry.idle = Idle::No;
        }
    }

    pub(super) fn reader_left(&mut self, index: usize) {
        self.readers = self.readers.saturating_sub(1);
        if let Some(entry) = self.entry_mut(index) {
            entry.readers = entry.readers.saturating_sub(1);
            if entry.readers == 0 {
                entry.idle = Idle::Lately;
            }
        }
    }

    /// Pushes one item into a lane and through the inline converters that read it.
    pub(crate) fn emit<T: Item>(
        &mut self,
        index: usize,
        lane: &Lane<T>,
        item: T,
        wakes: &mut Wakes,
    ) {
        self.feed(index, &item, wakes);
        lane.push(item, wakes);
    }

    fn feed(&mut self, index: usize, item: &dyn Any, wakes: &mut Wakes) {
        let Some(entry) = self.entry(index) else { return };
        let (stages, track) = (entry.stages.len(), entry.key.track);
        let mut failed: Vec<(usize, ConvertError)> = Vec::new();
        for stage in 0..stages {
            let target = self.entry(index).and_then(|entry| entry.stages.get(stage).copied());
            let Some(target) = target else { break };
            let result = self.with_inline(target, wakes, |node, graph, wakes| {
                node.push(track, item, graph, wakes)
            });
            if let Some(Err(error)) = result {
                failed.push((target, error));
            }
        }
        for (target, error) in failed {
            self.fail(target, &error.into(), wakes);
        }
    }

    /// Takes a lane's inline converter out, lets it work on the graph, and puts it back.
    pub(super) fn with_inline<R>(
        &mut self,
        index: usize,
        wakes: &mut Wakes,
        work: impl FnOnce(&mut dyn InlineNode, &mut Self, &mut Wakes) -> R,
    ) -> Option<R> {
        let mut node = self.inline(index)?.take()?;
        let result = work(node.as_mut(), self, wakes);
        match self.inline(index) {
            Some(place) => *place = Some(node),
            None => wakes.dispose(node),
        }
        Some(result)
    }

    fn inline(&mut self, index: usize) -> Option<&mut Option<Box<dyn InlineNode>>> {
        match &mut self.entry_mut(index)?.node.as_mut()?.body {
            Body::Inline(node) => Some(node),
            Body::Task(_) => None,
        }
    }

    /// Whether a lane is made by this very converter.
    pub(crate) fn is_current(&self, index: usize, serial: u64) -> bool {
        let node = self.entry(index).and_then(|entry| entry.node.as_ref());
        node.is_some_and(|node| node.serial == serial)
    }

    /// Indices of the lanes whose converters read this one.
    pub(super) fn outputs(&self, index: usize) -> Vec<usize> {
        let reads = |entry: &Option<Entry>| {
            let node = entry.as_ref().and_then(|entry| entry.node.as_ref());
            node.is_some_and(|node| node.inputs.contains(&index))
        };
        (0..self.entries.len()).filter(|other| reads(&self.entries[*other])).collect()
    }

    /// Stops a lane's converter.
    pub(super) fn detach(&mut self, index: usize, wakes: &mut Wakes) {
        let Some(node) = self.entry_mut(index).and_then(|entry| entry.node.take()) else { return };
        self.stopped += 1;
        for input in node.inputs {
            if let Some(entry) = self.entry_mut(input) {
                entry.stages.retain(|stage| *stage != index);
                entry.downstream = entry.downstream.saturating_sub(1);
            }
        }
        match node.body {
            Body::Task(task) => task.cancel(wakes),
            Body::Inline(Some(node)) => wakes.dispose(node),
            Body::Inline(None) => {}
        }
    }

    /// Ends a derived lane with a reason, and those made from it.
    pub(super) fn fail(&mut self, index: usize, why: &Unavailable, wakes: &mut Wakes) {
        for output in self.outputs(index) {
            self.fail(output, why, wakes);
        }
        self.detach(index, wakes);
        if let Some(entry) = self.entry_mut(index) {
            entry.failed = Some((why.clone(), None));
            entry.lane.close(ReadEnd::Unavailable(why.clone()), wakes);
        }
    }

    /// Marks a lane and those made inline from it: another producer goes on.
    pub(crate) fn broken(&mut self, index: usize, wakes: &mut Wakes) {
        for output in self.outputs(index) {
            let told = self.with_inline(output, wakes, |node, graph, wakes| node.gap(graph, wakes));
            match told {
                Some(Ok(())) => self.broken(output, wakes),
                Some(Err(error)) => self.fail(output, &error.into(), wakes),
                // A task reads of it in the lane.
                None => {}
            }
        }
        if let Some(entry) = self.entry(index) {
            entry.lane.discontinuity(wakes);
        }
    }

    /// Whether nobody publishes, reads or is waited for.
    pub(super) fn is_unused(&self) -> bool {
        self.publisher.is_none() && self.readers == 0 && self.grace == Grace::None
    }

    /// What the hub has to do after a change.
    pub(super) fn settle(&mut self) -> Settled {
        if self.dead {
            return Settled::Nothing;
        }
        self.collect();
        if self.is_unused() {
            self.dead = true;
            return Settled::Gone;
        }
        if !self.watched && self.is_waiting() {
            self.watched = true;
            return Settled::Watch;
        }
        Settled::Nothing
    }

    /// Lets go of lanes that nothing fills and nobody reads.
    pub(super) fn collect(&mut self) {
        for place in &mut self.entries {
            let unused = place.as_ref().is_some_and(|entry| {
                entry.source.is_none()
                    && entry.node.is_none()
                    && entry.failed.is_none()
                    && entry.readers == 0
                    && entry.downstream == 0
            });
            if unused {
                *place = None;
            }
        }
    }

    pub(crate) fn stats(&self, key: &StreamKey) -> StreamStats {
        let lanes = self.entries.iter().flatten().map(|entry| {
            LaneStats::new(
                entry.lane.item_type(),
                entry.key.track,
                entry.key.variant,
                entry.source.clone(),
                entry.readers,
                entry.lane.counts(),
            )
        });
        StreamStats {
            key: key.clone(),
            publisher: self.publisher.as_ref().map(|active| active.who.clone()),
            published_since: self.publisher.as_ref().map(|active| active.since),
            last_push: self.last_push,
            readers: self.readers,
            lanes: lanes.collect(),
            converters_started: self.started,
            converters_stopped: self.stopped,
        }
    }
}
