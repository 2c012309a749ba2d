use thiserror::Error;

use crate::dtls::FingerprintError;
use crate::stun::CredentialsError;
use crate::{MediaKind, Mid};

/// Why a session description was not understood, or not answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SdpError {
    /// The text is longer than [`MAX_TEXT`](super::MAX_TEXT).
    #[error("description of {length} bytes, at most {limit}")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// More of something than a description may have.
    #[error("more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The text doesn't begin with `v=0`.
    #[error("description begins with `{read}`, not `v=0`")]
    Version {
        /// The first line, shortened.
        read: String,
    },
    /// A line that isn't a letter, an equals sign and a value.
    #[error("line {number} is `{read}`, not a letter and a value")]
    Line {
        /// Which line, from 1.
        number: usize,
        /// The line, shortened.
        read: String,
    },
    /// The value of a line that matters makes no sense.
    #[error("{name} of `{value}`")]
    Value {
        /// The attribute, or the letter of the line.
        name: &'static str,
        /// The value, shortened.
        value: String,
    },
    /// The user fragment or password of ICE makes no sense.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A fingerprint by a known hash function isn't as long as the function makes it.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// Two media sections have the same identification tag.
    #[error("two sections with mid {0}")]
    DuplicateMid(Mid),
    /// No group of the kind BUNDLE, or none that names a section with media.
    #[error("no section with media in a BUNDLE group")]
    NoBundle,
    /// No section with media may multiplex RTP and RTCP.
    #[error("no section with media has rtcp-mux")]
    NoRtcpMux,
    /// No section of audio or video.
    #[error("no section of audio or video")]
    NoMedia,
    /// No ICE user fragment and password where the media is.
    #[error("no ice-ufrag and ice-pwd")]
    NoCredentials,
    /// No fingerprint of a certificate where the media is, by a hash that is known.
    #[error("no fingerprint by a known hash")]
    NoFingerprint,
    /// The `a=setup` cannot be answered, or is no answer.
    #[error("setup of {0} has no place here")]
    Setup(&'static str),
    /// A publisher that doesn't send.
    #[error("nothing is sent in an offer to publish")]
    NothingSent,
    /// A player that only sends.
    #[error("{0} is sendonly in an offer to play")]
    PlayOfSendonly(MediaKind),
    /// A player that receives nothing.
    #[error("nothing is received in an offer to play")]
    NothingReceived,
    /// Not one codec that both sides have.
    #[error("no codec in common")]
    NoCommonCodec,
    /// The answer's sections are not those of the offer.
    #[error("{answered} sections in answer to {offered}, or others")]
    OtherSections {
        /// How many the answer has.
        answered: usize,
        /// How many the offer has.
        offered: usize,
    },
}

impl SdpError {
    pub(super) fn value(name: &'static str, value: &str) -> Self {
        Self::Value { name, value: shorten(value) }
    }
}

/// As much of a peer's text as an error repeats.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(64).collect()
}
