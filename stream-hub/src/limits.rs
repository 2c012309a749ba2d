//! Bounds and times.

use std::time::Duration;

/// The hub's bounds and times, with their defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes ([`Item::size`](crate::Item::size)) one lane holds; 32 MiB.
    ///
    /// A single item larger than this is held alone. A reader that lags by more has lost items.
    pub lane_bytes: usize,
    /// Stream time one lane holds; 30 s. A reader that lags by more has lost items.
    pub lane_time: Duration,
    /// Streams that exist at once, published or only waited for; 10,000. About 1 KiB each.
    pub streams: usize,
    /// Lanes of one stream, source and derived; 64. Each is bounded by the two lane limits.
    pub lanes_per_stream: usize,
    /// Source tracks of one publisher; 16.
    pub tracks: usize,
    /// How long a derived lane and its converter outlive their last reader; 10 s.
    pub linger: Duration,
    /// How long a stream outlives its publisher, so that it may come back; 3 s, 0 for not at all.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lane_bytes: 32 << 20,
            lane_time: Duration::from_secs(30),
            streams: 10_000,
            lanes_per_stream: 64,
            tracks: 16,
            linger: Duration::from_secs(10),
            grace: Duration::from_secs(3),
        }
    }
}
