//! Our certificate: made at start, known to peers by its fingerprint alone.

use std::fmt;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use thiserror::Error;
use webrtc_dtls::crypto::{CryptoPrivateKey, CryptoPrivateKeyKind};

use crate::dtls::{Fingerprint, HashFunction};

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
#[error("no DTLS certificate: {reason}")]
pub struct CertificateError {
    /// What failed.
    pub reason: String,
}

impl CertificateError {
    fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string() }
    }
}

/// A certificate with its ECDSA P-256 key, the one that every WebRTC peer takes (RFC 8827, 6.5).
///
/// RSA is not offered: the handshake's implementation knows RSA keys, but refuses each configuration
/// that has one. Peers may have RSA certificates.
#[derive(Clone)]
pub struct Certificate {
    pub(super) inner: webrtc_dtls::crypto::Certificate,
    fingerprint: Fingerprint,
}

impl Certificate {
    /// Makes a self-signed certificate with a new key.
    pub fn generate() -> Result<Self, CertificateError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CertificateError::new)?;
        let params = CertificateParams::new(Vec::new()).map_err(CertificateError::new)?;
        let certificate = params.self_signed(&key).map_err(CertificateError::new)?;
        Self::from_der(certificate.der(), &key.serialize_der())
    }

    /// Takes a certificate and its ECDSA P-256 key in PKCS #8, both in DER.
    pub fn from_der(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key, &SystemRandom::new())
                .map_err(CertificateError::new)?;
        let private_key = CryptoPrivateKey {
            kind: CryptoPrivateKeyKind::Ecdsa256(pair),
            serialized_der: key.to_vec(),
        };
        let inner = webrtc_dtls::crypto::Certificate {
            certificate: vec![certificate.to_vec().into()],
            private_key,
        };
        Ok(Self { inner, fingerprint: Fingerprint::of(HashFunction::Sha256, certificate) })
    }

    /// Its SHA-256 fingerprint.
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint)
    }
}
