//! What the hub asks of the things it carries.

use std::time::Duration;

/// A kind of configuration a lane remembers for readers that join later.
///
/// A lane keeps the last item of each slot (a sequence header, metadata), at most 256 in all,
/// and replays those in force at a reader's join point. The numbers mean nothing to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u8);

/// All that the hub asks of what a lane carries.
///
/// Items are shared by reference between all readers of a lane; the hub clones one only to keep
/// it as configuration and to replay it into a new converter, so a clone has to be cheap: a
/// reference count, not a copy of the payload. Items are cloned and dropped with the lane locked:
/// neither may call the hub.
pub trait Item: Clone + Send + Sync + 'static {
    /// For how long a join point is one; for ever, unless a kind of item says otherwise.
    ///
    /// A lane holds what nobody has still to read only for those who join. Where they would not begin
    /// with what is old or long, that would be held in vain.
    const JOIN_BOUND: Option<JoinBound> = None;

    /// Bytes of memory the item holds, counted against [`Limits::lane_bytes`](crate::Limits).
    ///
    /// Include the item itself (`size_of::<Self>()`): items without a payload are held as well.
    fn size(&self) -> usize;

    /// Time of the item on the stream's clock, which starts at 0 and does not run backwards.
    ///
    /// Counted against [`Limits::lane_time`](crate::Limits). An item that is older than the one
    /// before it counts as one of the same time.
    fn time(&self) -> Duration;

    /// Whether a reader may start here: a keyframe, a segment, any audio frame of a pure audio
    /// stream.
    fn is_join_point(&self) -> bool;

    /// The configuration this item sets, or `None` for plain media.
    fn config_slot(&self) -> Option<Slot>;
}

/// How far behind the head of its lane a join point may be. One that is further is none any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JoinBound {
    /// Stream time from the join point on.
    pub time: Duration,
    /// Bytes ([`Item::size`]) from the join point on.
    pub bytes: usize,
}

/// What a reader missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Lost {
    /// Items between the last one read and the one the reader goes on with.
    ///
    /// Configuration items that are replayed after the loss are counted too. 0 tells a converter
    /// of a discontinuity without a loss: another publisher goes on with the stream.
    pub items: u64,
}
