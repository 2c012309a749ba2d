use thiserror::Error;

use crate::dtls::DtlsError;
use crate::sdp::SdpError;
use crate::sfu::SfuError;
use crate::transport::dtls::CertificateError;

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Tracks that cannot be published: at most one of sound and one of pictures, each of a codec that is carried.
    #[error("{kind} track {number}: at most one of sound and one of pictures")]
    Track {
        /// The track's number.
        number: usize,
        /// What it is, or `unknown`.
        kind: &'static str,
    },
    /// The offer cannot be made, or the answer is none to it.
    #[error("session description: {0}")]
    Sdp(#[from] SdpError),
    /// The answer names no UDP address.
    #[error("the answer has no UDP candidate")]
    NoCandidate,
    /// The offer was to publish, and a player was asked for, or the other way round.
    #[error("the offer was made for another direction")]
    Direction,
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The handshake cannot begin.
    #[error(transparent)]
    Dtls(#[from] DtlsError),
    /// More was agreed on than the limits allow.
    #[error(transparent)]
    Sfu(#[from] SfuError),
    /// The ICE agent fails.
    #[error("ICE: {reason}")]
    Ice {
        /// What it says.
        reason: String,
    },
    /// The operating system gives no random numbers.
    #[error("no random numbers")]
    Random,
}

/// Why packets were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// As many batches as may wait do: the peer's path or this machine is too slow.
    #[error("{limit} batches wait to be sent")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// The client has ended.
    #[error("the client has ended")]
    Ended,
    /// The publisher has no such track.
    #[error("there is no track {0}")]
    UnknownTrack(u8),
    /// The payload is empty, or makes no packet.
    #[error("a payload of {0} bytes makes no packet")]
    Payload(usize),
}
