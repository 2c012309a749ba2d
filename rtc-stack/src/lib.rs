#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
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

pub mod arena;
mod bytes_at;
#[cfg(feature = "client")]
pub mod client;
mod codec;
pub mod dtls;
mod ids;
mod limits;
pub mod payload;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod session;
pub mod sfu;
pub mod srtp;
pub mod stun;
#[cfg(feature = "tokio")]
pub mod transport;

pub use codec::{Codec, CodecParameters, MediaKind};
pub use ids::{Mid, PayloadType, Rid, Ssrc};
pub use limits::Limits;
