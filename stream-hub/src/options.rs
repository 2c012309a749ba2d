//! How a reader wants to read.

use std::time::Duration;

use crate::{TrackId, Variant};

/// Where a new reader starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// At the latest join point held, after the configuration in force there. If none is held, at
    /// the first one to come, however late the reader looks.
    #[default]
    LatestJoinPoint,
    /// At the next join point to come, after the configuration in force there.
    NextJoinPoint,
    /// At the latest join point held, as [`LatestJoinPoint`](Self::LatestJoinPoint) does, or with the
    /// next item where none is.
    LatestJoinPointOrLive,
    /// With the next item, after the configuration in force now.
    Live,
}

/// What happens to a reader that falls off the lane's tail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnLag {
    /// It goes on at the latest join point, after what configuration it missed, and is told its
    /// loss by [`Batch::gap`](crate::Batch::gap).
    #[default]
    Resume,
    /// It ends with [`ReadEnd::Lagged`](crate::ReadEnd::Lagged).
    Close,
}

/// What happens to a reader when its stream has ended for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnUnpublish {
    /// It reads what is left and waits for the next publisher.
    #[default]
    Wait,
    /// It reads what is left and ends with [`ReadEnd::Ended`](crate::ReadEnd::Ended). A reader that
    /// comes before any publisher waits for the first one.
    End,
}

/// How often a reader that has read everything is woken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Window {
    /// At every item: least delay.
    #[default]
    Every,
    /// Once in this time at most: fewer, larger writes. Needs a
    /// [`WakeGroup`](crate::WakeGroup); without one it is like `Every`.
    Fixed(Duration),
    /// Like `Fixed`, with the time the group has now:
    /// [`WakeGroup::set_auto_window`](crate::WakeGroup::set_auto_window).
    Auto,
}

/// How a reader wants to read; the default is the plain lane of track 0 from the latest join
/// point, every item at once, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscribeOptions {
    /// The track.
    pub track: TrackId,
    /// The variant, given to the last converter on the way.
    pub variant: Variant,
    /// Where to start.
    pub start: Start,
    /// The most items there may be from the latest join point on for a reader to start there; where there are more, it is the next join point.
    pub max_replay: u64,
    /// What to do after lagging too far.
    pub on_lag: OnLag,
    /// What to do when the stream has ended for good.
    pub on_unpublish: OnUnpublish,
    /// How often to be woken.
    pub window: Window,
    /// A reader that has read everything waits until more than this many items are there, or the
    /// stream ends. Where it starts, it waits for none.
    pub min_items: u32,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            track: TrackId::default(),
            variant: Variant::default(),
            start: Start::default(),
            max_replay: u64::MAX,
            on_lag: OnLag::default(),
            on_unpublish: OnUnpublish::default(),
            window: Window::default(),
            min_items: 0,
        }
    }
}
