//! The codecs of sound between the bridges, which a build may leave out: then sound that needs them
//! is left out too.
//!
//! Timestamps count 1/48000 s, in and out.

#[cfg(feature = "transcode")]
mod codecs;
#[cfg(not(feature = "transcode"))]
mod none;

#[cfg(feature = "transcode")]
pub(super) use codecs::{ToAac, ToOpus};
#[cfg(not(feature = "transcode"))]
pub(super) use none::{ToAac, ToOpus};

/// A timestamp, and the packet or frame that plays then.
pub(super) type Timed = (u64, bytes::Bytes);
