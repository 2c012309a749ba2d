//! A run of items a reader was given.

use std::fmt;
use std::sync::Arc;

use super::config::Configs;
use super::segment::Segment;
use crate::{Item, Lost};

/// A slice of one segment.
pub(super) struct Span<T> {
    pub(super) segment: Arc<Segment<T>>,
    pub(super) from: u32,
    pub(super) to: u32,
}

/// Configuration items that come before the ring's.
pub(super) struct Replay<T> {
    pub(super) configs: Configs<T>,
    pub(super) from: u32,
    pub(super) to: u32,
}

impl<T> Replay<T> {
    pub(super) fn items(&self) -> impl Iterator<Item = &T> + Clone {
        let configs = self.configs.get(self.from as usize..self.to as usize);
        configs.unwrap_or_default().iter().map(|config| &config.item)
    }
}

/// Which items of which lane a batch holds: what is made of one batch serves for every other of
/// the same id, for as long as the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchId {
    lane: u64,
    first: u64,
    len: u32,
}

/// Items in order, at least one, shared with every other reader of the lane.
///
/// A batch keeps at most two segments of the lane in memory, even past the lane's bounds: drop it
/// before waiting for a slow peer; [`Reader::poll_batch`](crate::Reader::poll_batch) gives what
/// was not advanced over again.
pub struct Batch<T> {
    pub(super) replay: Option<Replay<T>>,
    pub(super) spans: [Option<Span<T>>; 2],
    pub(super) lane: u64,
    /// Sequence number of the first item of the ring's.
    pub(super) first: u64,
    pub(super) len: u32,
    pub(super) discontinuity: bool,
    pub(super) bytes: usize,
    /// Items lost before; 0 for none.
    pub(super) lost: u64,
}

impl<T: Item> Batch<T> {
    /// The items by reference: replayed configuration first, then the ring's.
    pub fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        let replay = self.replay.iter().flat_map(|replay| replay.items());
        let spans = self.spans.iter().flatten();
        replay
            .chain(spans.flat_map(|span| span.segment.items(span.from as usize, span.to as usize)))
    }

    /// Number of items, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Sum of the items' [`Item::size`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Which items these are; `None` with replayed configuration, which few readers get.
    #[must_use]
    pub fn id(&self) -> Option<BatchId> {
        let Self { lane, first, len, .. } = *self;
        self.replay.is_none().then_some(BatchId { lane, first, len })
    }

    /// What was lost before this batch; told once, on the first batch after the loss.
    #[must_use]
    pub fn gap(&self) -> Option<Lost> {
        (self.lost > 0).then_some(Lost { items: self.lost })
    }

    /// Whether another publisher or converter took over between the batch before and this one;
    /// told once.
    #[must_use]
    pub fn discontinuity(&self) -> bool {
        self.discontinuity
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("len", &self.len)
            .field("bytes", &self.bytes)
            .field("lost", &self.lost)
            .field("discontinuity", &self.discontinuity)
            .finish_non_exhaustive()
    }
}
