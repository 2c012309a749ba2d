#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod demux;
mod enhanced;
mod fourcc;
mod header;
mod limits;
pub mod mux;
mod tag;
mod wire;

pub use demux::{DemuxError, Demuxer};
pub use enhanced::Multitrack;
pub use fourcc::FourCc;
pub use header::{FileHeader, HeaderError};
pub use limits::Limits;
pub use tag::{BodyTooLong, MAX_BODY, Tag, TagHeader, TagKind};
pub use wire::Truncated;
