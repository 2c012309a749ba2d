//! What a DTLS handshake is to the rest of the crate (RFC 5764).
//!
//! A handshake costs as much CPU as a thousand packets, so it runs elsewhere: the shard that owns the
//! session hands datagrams in and takes datagrams and the result out, neither of which waits. When
//! there is something to take, the [`Waker`] that the handshake was started with is woken.
//!
//! After the handshake only two things matter of DTLS: that a peer whose copy of our last flight was
//! lost gets it again, and that either side can say goodbye. Both are left in an [`Association`], which
//! is small and owns no task.

use std::fmt;
use std::str::FromStr;
use std::task::Waker;

use bytes::Bytes;
use thiserror::Error;

use crate::srtp::Profile;

/// Starts handshakes. One for the whole server, shared by its shards.
pub trait Dtls: Send + Sync {
    /// The fingerprint of our certificate, for descriptions.
    fn fingerprint(&self) -> &Fingerprint;

    /// Starts a handshake with a peer whose certificate has one of these fingerprints.
    ///
    /// `waker` is woken whenever [`Handshake::poll`] has something new, from any thread.
    fn start(
        &self,
        role: Role,
        fingerprints: Vec<Fingerprint>,
        waker: Waker,
    ) -> Result<Box<dyn Handshake>, DtlsError>;
}

/// A handshake under way. Dropping it ends it.
pub trait Handshake: Send {
    /// Takes a datagram of the peer. Too many at once are dropped, as a network would.
    fn receive(&mut self, datagram: Bytes);

    /// What has happened, in order; `None` until the waker is woken. Nothing follows
    /// [`HandshakeEvent::Established`] or [`HandshakeEvent::Failed`].
    fn poll(&mut self) -> Option<HandshakeEvent>;
}

/// What a handshake brings forth.
#[derive(Debug)]
pub enum HandshakeEvent {
    /// A datagram for the peer.
    Transmit(Bytes),
    /// The peer is who its description says, and the keys are agreed.
    Established(Established),
    /// It is over. What the peer is told has been given out for transmission before.
    Failed(DtlsError),
}

/// What is left of a handshake that has succeeded.
#[derive(Debug)]
pub struct Established {
    /// How packets are protected from here on.
    pub srtp_profile: Profile,
    /// The exported keys: the client's key, the server's key, the client's salt, the server's salt
    /// (RFC 5764, 4.2), as long as the profile needs them.
    pub keying_material: KeyingMaterial,
    /// Which side of the handshake we were, and so which keys are ours.
    pub role: Role,
    /// What takes DTLS datagrams from here on.
    pub association: Box<dyn Association>,
}

/// A finished handshake: repeats its end for a peer that missed it, and knows a goodbye when it is one.
pub trait Association: Send + fmt::Debug {
    /// Takes a datagram of the peer.
    fn receive(&mut self, datagram: &[u8]) -> Reaction;

    /// The datagram that tells the peer that we close. Empty when nothing can be told.
    fn close(&mut self) -> Bytes;
}

/// What a datagram means after the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reaction {
    /// Nothing.
    None,
    /// The peer waits for our last flight: these datagrams, in order.
    Retransmit(Vec<Bytes>),
    /// The peer has closed, or says that it fails. This is authenticated.
    Closed,
}

/// Which side of a handshake we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// We begin: our description says `setup:active`.
    Client,
    /// The peer begins: our description says `setup:passive`.
    Server,
}

/// Keys that must not appear in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyingMaterial(pub Vec<u8>);

impl fmt::Debug for KeyingMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyingMaterial({} bytes)", self.0.len())
    }
}

/// Why a handshake has failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DtlsError {
    /// Nothing came of it in time.
    #[error("no DTLS handshake within {limit_s} s")]
    Timeout {
        /// The limit in seconds.
        limit_s: u64,
    },
    /// The peer's certificate is another than its description says, or there is none.
    #[error("the peer's certificate has none of its fingerprints")]
    Fingerprint,
    /// The peer offers no profile of SRTP that we know.
    #[error("no common SRTP protection profile")]
    SrtpProfile,
    /// More arrived than any handshake takes.
    #[error("more than {limit} bytes of handshake")]
    TooMuch {
        /// The limit.
        limit: usize,
    },
    /// As many handshakes as may run at once wait already.
    #[error("more than {limit} handshakes wait")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// The peer broke off, or what it said makes no sense.
    #[error("DTLS handshake: {reason}")]
    Failed {
        /// What the implementation says.
        reason: String,
    },
}

/// A hash function of certificate fingerprints (RFC 8122, 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashFunction {
    /// SHA-1, which old peers still send.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashFunction {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in a description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    const fn algorithm(self) -> &'static ring::digest::Algorithm {
        match self {
            Self::Sha1 => &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        }
    }
}

/// The fingerprint of a certificate: `sha-256 12:34:...` in a description.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    function: HashFunction,
    digest: Vec<u8>,
}

/// Why a text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// The hash function is none of SHA-1, SHA-256, SHA-384 and SHA-512.
    #[error("unknown hash function of a fingerprint")]
    HashFunction,
    /// The digest is no row of hexadecimal bytes, or not as long as the hash function makes it.
    #[error("no {name} digest")]
    Digest {
        /// The hash function.
        name: &'static str,
    },
}

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(function: HashFunction, certificate: &[u8]) -> Self {
        let digest = ring::digest::digest(function.algorithm(), certificate);
        Self { function, digest: digest.as_ref().to_vec() }
    }

    /// Whether a certificate in DER has this fingerprint.
    pub fn matches(&self, certificate: &[u8]) -> bool {
        *self == Self::of(self.function, certificate)
    }

    /// The hash function.
    pub const fn function(&self) -> HashFunction {
        self.function
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name())?;
        let mut separator = ' ';
        for byte in &self.digest {
            write!(f, "{separator}{byte:02X}")?;
            separator = ':';
        }
        Ok(())
    }
}

/// Reads the value of `a=fingerprint`; the case of letters does not matter.
impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let (name, digest) = text.trim().split_once(' ').ok_or(FingerprintError::HashFunction)?;
        let function = HashFunction::ALL
            .into_iter()
            .find(|function| name.eq_ignore_ascii_case(function.name()))
            .ok_or(FingerprintError::HashFunction)?;
        let wrong = FingerprintError::Digest { name: function.name() };
        let length = function.algorithm().output_len();
        let digest: Option<Vec<u8>> = digest
            .trim()
            .split(':')
            .take(length.saturating_add(1))
            .map(|byte| match byte.as_bytes() {
                [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    u8::from_str_radix(byte, 16).ok()
                }
                _ => None,
            })
            .collect();
        match digest {
            Some(digest) if digest.len() == length => Ok(Self { function, digest }),
            _ => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_written() {
        for function in HashFunction::ALL {
            let made = Fingerprint::of(function, b"certificate");
            let text = made.to_string();
            assert_eq!(text.parse(), Ok(made.clone()));
            assert_eq!(text.to_lowercase().parse(), Ok(made.clone()));
            assert!(made.matches(b"certificate") && !made.matches(b"another"));
        }
        // FIPS 180-4's example of SHA-1.
        let abc = "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D";
        assert!(abc.parse::<Fingerprint>().unwrap().matches(b"abc"));
        assert_eq!(Fingerprint::of(HashFunction::Sha1, b"abc").to_string(), abc);
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let wrong = |text: &str| text.parse::<Fingerprint>().unwrap_err();
        assert_eq!(wrong(""), FingerprintError::HashFunction);
        assert_eq!(wrong("md5 00:11"), FingerprintError::HashFunction);
        let digest = FingerprintError::Digest { name: "sha-1" };
        let whole = ["AB"; 20].join(":");
        assert!(format!("sha-1 {whole}").parse::<Fingerprint>().is_ok());
        for text in [
            "sha-1 zz".to_owned(),
            "sha-1 A9:99".to_owned(),
            format!("sha-1 {whole}:00"),
            format!("sha-1 {}:+1", ["AB"; 19].join(":")),
            format!("sha-1 {}", "AB".repeat(20)),
        ] {
            assert_eq!(wrong(&text), digest, "{text}");
        }
    }
}
