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

pub mod amf3;
mod decode;
mod encode;
mod limits;
mod marker;
mod object;
mod value;

pub use decode::{DecodeError, Decoder, decode, decode_all};
pub use encode::{EncodeError, encode, encode_all};
pub use limits::{Limits, MAX_DEPTH};
pub use object::Object;
pub use value::Value;
