//! What peers are shown in DTLS handshakes.

use std::fmt;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rtc_stack::dtls::{Fingerprint, HashFunction};

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no certificate for WebRTC: {0}")]
pub struct CertificateError(String);

impl CertificateError {
    pub(super) fn new(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// A self-signed certificate, ECDSA on P-256, which lives as long as the server: descriptions carry
/// its fingerprint, and so nobody has to trust who signed it.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Its private key, PKCS #8 in DER.
    pub key: Vec<u8>,
    fingerprint: Fingerprint,
}

impl Certificate {
    /// Makes a new one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, CertificateError> {
        let failed = |error: rcgen::Error| CertificateError(error.to_string());
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        let params = CertificateParams::new(Vec::new()).map_err(failed)?;
        let der = params.self_signed(&key).map_err(failed)?.der().to_vec();
        let fingerprint = Fingerprint::of(HashFunction::Sha256, &der);
        Ok(Self { der, key: key.serialize_der(), fingerprint })
    }

    /// Its fingerprint by SHA-256.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl fmt::Debug for Certificate {
    /// Without the key, which has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.fingerprint.to_string()).finish()
    }
}
