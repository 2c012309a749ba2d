//! The handshake (specification 5.2), in its simple form.
//!
//! Each side sends a version byte, 1536 bytes of its own and 1536 bytes that echo the peer's. Clients that put a digest
//! into their 1536 bytes accept an answer in the simple form too.

mod client;
mod packet;
mod server;
mod version;

use thiserror::Error;

pub use client::ClientHandshake;
pub use packet::PACKET_SIZE;
pub use server::ServerHandshake;

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The first byte is that of another protocol: text such as HTTP, or TLS.
    #[error("first byte {first:#04x} is not rtmp ({})", version::guess(*.first))]
    NotRtmp {
        /// The first byte.
        first: u8,
    },
    /// The peer wants the encrypted variant of the protocol (RTMPE).
    #[error("rtmp version {version} is encrypted and not supported")]
    Encrypted {
        /// The version byte: 6, 8 or 9.
        version: u8,
    },
    /// A version that went out of use before the protocol was published.
    #[error("rtmp version {version} is not supported, the least is 3")]
    Version {
        /// The version byte: 0, 1 or 2.
        version: u8,
    },
}
