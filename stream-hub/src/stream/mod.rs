//! One stream: its publisher, its lanes, and the converters between them.
//!
//! One lock, the graph's, orders everything that happens to a stream but reading: pushes,
//! converters that start and stop, publishers and readers that come and go. A push therefore
//! never misses a converter that is starting, and no push of a fenced publisher comes late.
//! Readers take the lock of their lane alone, for a moment. Locks are taken in this order:
//! graph, ring, list of shares, share or queue.

mod graph;
mod life;
mod publisher;
mod resolve;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub(crate) use graph::{Graph, LaneKey};
pub use publisher::{Publisher, Writer};
pub(crate) use resolve::Resolver;

use crate::hub::HubInner;
use crate::wake::Wakes;
use crate::{StreamKey, Unavailable};

pub(crate) struct Stream {
    pub(crate) key: StreamKey,
    pub(crate) hub: Weak<HubInner>,
    graph: Mutex<Graph>,
}

impl Stream {
    pub(crate) fn new(key: StreamKey, hub: &Arc<HubInner>) -> Self {
        let graph = Graph::new(hub.limits_of(&key));
        Self { key, hub: Arc::downgrade(hub), graph: Mutex::new(graph) }
    }

    pub(crate) fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the graph, wakes those concerned, and has the hub look at what is left.
    pub(crate) fn change<R>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Graph, &mut Wakes) -> R,
    ) -> R {
        let mut wakes = Wakes::default();
        let mut graph = self.graph();
        let result = change(&mut graph, &mut wakes);
        let settled = graph.settle();
        drop(graph);
        wakes.wake_all();
        if let Some(hub) = self.hub.upgrade() {
            settled.apply(self, &hub);
        }
        result
    }

    pub(crate) fn reader_left(self: &Arc<Self>, index: usize) {
        self.change(|graph, _| graph.reader_left(index));
    }

    /// A converter's task has read its sources to their end.
    pub(crate) fn task_ended(self: &Arc<Self>, index: usize, serial: u64) {
        self.change(|graph, wakes| {
            if graph.is_current(index, serial) {
                graph.detach(index, wakes);
                graph.end_from(index, wakes);
            }
        });
    }

    /// A converter's task failed or was dropped.
    pub(crate) fn task_failed(self: &Arc<Self>, index: usize, serial: u64, why: Unavailable) {
        self.change(|graph, wakes| {
            if graph.is_current(index, serial) {
                graph.fail(index, &why, wakes);
            }
        });
    }
}

/// What the hub has to do for a stream after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    Nothing,
    /// A time starts with the next look at the clock.
    Watch,
    /// Nobody publishes, reads or waits: the stream goes.
    Gone,
}

impl Settled {
    fn apply(self, stream: &Arc<Stream>, hub: &HubInner) {
        match self {
            Self::Nothing => {}
            Self::Watch => hub.watch(stream),
            Self::Gone => hub.remove(stream),
        }
    }
}
