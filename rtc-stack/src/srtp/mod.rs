//! SRTP and SRTCP (RFC 3711, RFC 7714) with the keys of a DTLS handshake (RFC 5764).
//!
//! [`SessionKeys::from_exporter`] makes the keys of both directions; an [`Outbound`] seals what is sent with one half,
//! an [`Inbound`] opens what is received with the other, both in place.

mod cm;
mod gcm;
mod inbound;
mod keys;
mod outbound;
mod profile;
mod replay;
#[cfg(test)]
mod vectors;

pub use inbound::{Inbound, Opened};
pub use keys::{EXPORTER_LABEL, SessionKeys};
pub use outbound::Outbound;
pub use profile::Profile;

use crate::rtp::RtpError;
use cm::Cm;
use gcm::Gcm;
use keys::KeySet;

/// What is wrong with a packet or with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// Keying material that is shorter than the profile needs.
    #[error("keying material of {length} bytes, the profile needs {needed}")]
    KeyingMaterial {
        /// Bytes that there are.
        length: usize,
        /// Bytes that there must be.
        needed: usize,
    },
    /// A packet without room for what must be in it.
    #[error("packet of {length} bytes, at least {needed} are needed")]
    TooShort {
        /// Bytes that there are.
        length: usize,
        /// Bytes that there must be.
        needed: usize,
    },
    /// An RTP header that can't be read.
    #[error(transparent)]
    Header(#[from] RtpError),
    /// A packet that was opened before.
    #[error("packet index {index} was received before")]
    Replayed {
        /// Its index.
        index: u64,
    },
    /// A packet from before the replay window, of which nobody knows whether it was opened before.
    #[error("packet index {index} is too old, the newest is {newest}")]
    TooOld {
        /// Its index.
        index: u64,
        /// The largest of the source.
        newest: u64,
    },
    /// A sequence number from before the first of its source.
    #[error("sequence number {sequence} comes before the first packet of the source")]
    BeforeFirst {
        /// The sequence number.
        sequence: u16,
    },
    /// A packet that wasn't made with these keys, or was changed on its way.
    #[error("packet does not authenticate")]
    Unauthentic,
    /// An SRTCP packet whose E bit says that it isn't encrypted.
    #[error("packet says that it is not encrypted")]
    NotEncrypted,
    /// All indices are used up: the session needs new keys.
    #[error("packet index {index} is beyond the last, {last}")]
    IndexExhausted {
        /// The index.
        index: u64,
        /// The last one that these keys allow.
        last: u64,
    },
    /// An index whose low 16 bits aren't the sequence number of the packet.
    #[error("sequence number {sequence} does not belong to index {index}")]
    IndexMismatch {
        /// The sequence number in the packet.
        sequence: u16,
        /// The index given.
        index: u64,
    },
}

/// The largest index of an RTP packet: 32 bits of rollovers and 16 of sequence number.
const LAST_RTP_INDEX: u64 = (1 << 48) - 1;
/// The largest index of an SRTCP packet.
const LAST_RTCP_INDEX: u32 = (1 << 31) - 1;
/// The bit in an SRTCP packet's index that says that it is encrypted.
const ENCRYPTED: u32 = 1 << 31;
/// Bytes of an RTCP packet that stay readable: its first header and sender.
const RTCP_HEADER_LEN: usize = 8;
/// Bytes of the index at the end of SRTCP packets.
const RTCP_INDEX_LEN: usize = 4;

/// The cipher for RTP with its key schedule. AES-CM is boxed, for it is larger by far than what most peers use.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
enum RtpCipher {
    Gcm(Gcm),
    Cm(Box<Cm>),
}

impl RtpCipher {
    fn new(profile: Profile, keys: &KeySet) -> Result<Self, SrtpError> {
        if profile.is_aead() {
            Gcm::new(profile, keys).map(Self::Gcm)
        } else {
            Cm::new(keys).map(|cm| Self::Cm(Box::new(cm)))
        }
    }
}

fn too_short(length: usize, needed: usize) -> SrtpError {
    SrtpError::TooShort { length, needed }
}

/// Splits a packet into the header, the body and what follows it.
fn split(packet: &mut [u8], header: usize, tail: usize) -> Result<[&mut [u8]; 3], SrtpError> {
    let length = packet.len();
    let error = too_short(length, header.saturating_add(tail));
    let body = length.checked_sub(header).and_then(|rest| rest.checked_sub(tail)).ok_or(error)?;
    let (header, rest) = packet.split_at_mut_checked(header).ok_or(error)?;
    let (body, tail) = rest.split_at_mut_checked(body).ok_or(error)?;
    Ok([header, body, tail])
}
