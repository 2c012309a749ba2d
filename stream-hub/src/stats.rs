//! What the hub tells about itself.

use std::time::{Duration, Instant};

use crate::lane::LaneCounts;
use crate::{PublisherId, StreamKey, TrackId, TrackInfo, Variant};

/// One stream now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamStats {
    /// The stream's name.
    pub key: StreamKey,
    /// Who publishes it; `None` while it is only waited for, or within the grace.
    pub publisher: Option<PublisherId>,
    /// Since when.
    pub published_since: Option<Instant>,
    /// When the newest item was pushed, by any publisher so far.
    pub last_push: Option<Instant>,
    /// Readers of all its lanes; converters are not counted.
    pub readers: usize,
    /// Its lanes, source and derived.
    pub lanes: Vec<LaneStats>,
    /// Converters started so far.
    pub converters_started: u64,
    /// Converters stopped so far, for any reason.
    pub converters_stopped: u64,
}

impl StreamStats {
    /// Whether somebody publishes the stream.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.publisher.is_some()
    }
}

/// One lane now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaneStats {
    /// Name of the item type, for people.
    pub item_type: &'static str,
    /// The track.
    pub track: TrackId,
    /// The variant.
    pub variant: Variant,
    /// The publisher's track, for a source lane.
    pub source: Option<TrackInfo>,
    /// Readers; converters are not counted.
    pub readers: usize,
    /// Items pushed so far.
    pub pushed_items: u64,
    /// Bytes pushed so far.
    pub pushed_bytes: u64,
    /// Items held.
    pub held_items: u64,
    /// Bytes held.
    pub held_bytes: usize,
    /// Stream time held, from the oldest item to the newest.
    pub held_time: Duration,
    /// Items lost by readers that lagged, summed over all of them so far.
    pub lost_items: u64,
    /// Readers that started at a join point so far, converters included.
    pub joins: u64,
    /// Times the latest join point itself went over a bound, so that joiners had to wait.
    pub join_points_cut: u64,
}

impl LaneStats {
    pub(crate) fn new(
        item_type: &'static str,
        track: TrackId,
        variant: Variant,
        source: Option<TrackInfo>,
        readers: usize,
        counts: LaneCounts,
    ) -> Self {
        let (held_items, held_bytes, held_time) = counts.held;
        Self {
            item_type,
            track,
            variant,
            source,
            readers,
            pushed_items: counts.pushed_items,
            pushed_bytes: counts.pushed_bytes,
            held_items,
            held_bytes,
            held_time,
            lost_items: counts.lost,
            joins: counts.joins,
            join_points_cut: counts.joins_cut,
        }
    }
}
