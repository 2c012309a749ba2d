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

mod capabilities;
pub mod chunk;
pub mod handshake;
mod ids;
mod limits;
mod media;
pub mod message;
mod random;
mod session;
pub mod url;

pub use amf0;
pub use capabilities::{Capabilities, CapsEx, CodecInfo, FourCc};
pub use ids::{ChunkStreamId, MessageStreamId, MessageType, RequestId};
pub use limits::Limits;
pub use media::{MediaKind, MediaMessage};
pub use session::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, Connect, EndReason, Output,
    PublishKind, PublishStyle, Purpose, ReconnectError, SendError, ServerConfig, ServerEvent,
    ServerOutput, ServerSession, SessionError, Stats, StatusCode, UnknownRequest, UnknownStream,
};
pub use url::{RtmpUrl, StreamAddress};
