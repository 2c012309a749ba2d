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

mod aac;
mod clock;
mod contain;
mod counts;
mod error;
mod mp3;
mod opus;
mod pcm;
mod resample;
mod timeline;
mod to_aac;
mod to_opus;

pub use counts::Counts;
pub use error::{Codec, Error};
pub use to_aac::{AacFrame, AacSettings, Channels, OpusToAac};
pub use to_opus::{AudioInput, AudioToOpus, OpusPacket, OpusSettings};

/// Ticks of a timestamp in a second: all timestamps here count 1/48000 s.
pub const TICKS_PER_SECOND: u64 = 48_000;
/// Ticks of a timestamp in a millisecond.
pub const TICKS_PER_MS: u64 = 48;
/// The longest frame or packet that is decoded, in bytes: the longest of an ADTS header (13 bits),
/// and more than 120 ms of Opus at its highest rate.
pub const MAX_FRAME_BYTES: usize = 8191;
