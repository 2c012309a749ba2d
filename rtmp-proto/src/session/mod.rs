//! Sessions: one connection each, without socket and clock.

mod client;
mod error;
mod link;
mod outbox;
mod server;
mod status;

pub use client::{ClientConfig, ClientEvent, ClientOutput, ClientSession, Purpose};
pub use error::{ReconnectError, SendError, SessionError, UnknownRequest, UnknownStream};
pub use link::Stats;
pub use outbox::Output;
pub use server::{
    Connect, EndReason, PublishKind, PublishStyle, ServerConfig, ServerEvent, ServerOutput,
    ServerSession,
};
pub use status::StatusCode;
