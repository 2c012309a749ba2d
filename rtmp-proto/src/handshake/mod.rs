//! The handshake (specification 5.2), in its simple and its complex form.
//!
//! Each side sends a version byte, 1536 bytes of its own and 1536 bytes that answer the peer's. In the simple form the
//! answer is an echo. In the complex form both packets of a side have an HMAC-SHA256 with a key that everybody knows: Flash
//! Player plays H.264 only from a server that has it. The server takes the form of C1; the client falls back to the simple
//! form with a server that answers so.

mod client;
mod digest;
mod packet;
mod server;
mod version;

use thiserror::Error;

pub use client::ClientHandshake;
pub use packet::PACKET_SIZE;
pub use server::ServerHandshake;

/// Whether a handshake has digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandshakeForm {
    /// Without: random bytes and their echo (specification 5.2).
    Simple,
    /// With digests, as Flash Player 9 and later and Flash Media Server make them.
    Complex,
}

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
