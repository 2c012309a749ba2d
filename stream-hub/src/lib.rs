#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod convert;
mod error;
mod hub;
mod ids;
mod item;
mod lane;
mod limits;
mod options;
mod stats;
mod stream;
mod wake;

pub use convert::{Convert, ConvertTask, Output, Place};
pub use error::{ConvertError, Fenced, PublishError, ReadEnd, SubscribeError, Unavailable};
pub use hub::Hub;
pub use ids::{BusyPolicy, PublisherId, StreamInfo, StreamKey, TrackId, TrackInfo, Variant};
pub use item::{Item, JoinBound, Lost, Slot};
pub use lane::{Batch, BatchId, Reader, ReaderStats};
pub use limits::Limits;
pub use options::{OnLag, OnUnpublish, Start, SubscribeOptions, Window};
pub use stats::{LaneStats, StreamStats};
pub use stream::{Publisher, Writer};
pub use wake::WakeGroup;
