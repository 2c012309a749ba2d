//! A run of items a reader was given.

use std::fmt;
use std::sync::Arc;

use super::config::Configs;
use super::segment::Segment;
use crate::{Item, Lost};

/// A slice of one segment.
pub(super) struct Span<T> {
    pub(super) segment: Arc<Segment<T>>,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Configuration items that come before the ring's.
pub(super) struct Replay<T> {
    pub(super) configs: Configs<T>,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Items in order, at least one, shared with every other reader of the lane.
///
/// A batch keeps at most two segments of the lane in memory, even past the lane's bounds: drop it
/// before waiting for a slow peer; [`Reader::poll_batch`](crate::Reader::poll_batch) gives what
/// was not advanced over again.
pub struct Batch<T> {
    pub(super) replay: Option<Replay<T>>,
    pub(super) spans: [Option<Span<T>>; 2],
    pub(super) len: usize,
    pub(super) bytes: usize,
    pub(super) gap: Option<Lost>,
    pub(super) discontinuity: bool,
}

impl<T: Item> Batch<T> {
    /// The items by reference: replayed configuration first, then the ring's.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let replay = self.replay.iter().flat_map(|replay| {
            replay.configs[replay.from..replay.to].iter().map(|config| &config.item)
        });
        let spans = self.spans.iter().flatten();
        replay.chain(spans.flat_map(|span| span.segment.items(span.from, span.to)))
    }

    /// Number of items, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Sum of the items' [`Item::size`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was lost before this batch; told once, on the first batch after the loss.
    #[must_use]
    pub fn gap(&self) -> Option<Lost> {
        self.gap
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
            .field("gap", &self.gap)
            .field("discontinuity", &self.discontinuity)
            .finish_non_exhaustive()
    }
}
