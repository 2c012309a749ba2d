//! What a description says of DTLS (RFC 8122, RFC 8842).

use std::fmt;

use super::SdpError;

/// Who speaks first, as `a=setup` says it (RFC 4145, 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setup {
    /// This side speaks first.
    Active,
    /// The other side speaks first.
    Passive,
    /// Whichever the answer chooses.
    Actpass,
}

impl Setup {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Actpass => "actpass",
        }
    }

    pub(super) fn parse(value: &str) -> Result<Self, SdpError> {
        match value {
            "active" => Ok(Self::Active),
            "passive" => Ok(Self::Passive),
            "actpass" => Ok(Self::Actpass),
            _ => Err(SdpError::value("setup", value)),
        }
    }
}

/// What we are in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// We speak first.
    Client,
    /// The peer speaks first.
    Server,
}

/// The hash of a fingerprint (RFC 8122, 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FingerprintHash {
    /// SHA-1, 20 bytes. Old, and still written by some.
    Sha1,
    /// SHA-256, 32 bytes. Everybody's.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl FingerprintHash {
    /// The name that a description has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// How many bytes it has.
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];
        all.into_iter().find(|hash| hash.as_str().eq_ignore_ascii_case(name))
    }
}

/// The hash of the certificate that a side will show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    hash: FingerprintHash,
    digest: Vec<u8>,
}

impl Fingerprint {
    /// Checks that the digest is as long as the hash makes it.
    pub fn new(hash: FingerprintHash, digest: &[u8]) -> Option<Self> {
        (digest.len() == hash.length()).then(|| Self { hash, digest: digest.to_owned() })
    }

    /// Reads the value of `a=fingerprint`; `Ok(None)` for a hash that isn't known.
    ///
    /// # Errors
    ///
    /// [`SdpError::Value`] if the digest of a known hash isn't as many pairs of hexadecimal digits as it should be.
    pub fn parse(value: &str) -> Result<Option<Self>, SdpError> {
        let wrong = || SdpError::value("fingerprint", value);
        let (name, digits) = value.split_once(' ').ok_or_else(wrong)?;
        let Some(hash) = FingerprintHash::from_name(name) else {
            return Ok(None);
        };
        let mut digest = Vec::with_capacity(hash.length());
        for pair in digits.trim().split(':').take(hash.length().saturating_add(1)) {
            if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            digest.push(u8::from_str_radix(pair, 16).map_err(|_| wrong())?);
        }
        Self::new(hash, &digest).map(Some).ok_or_else(wrong)
    }

    /// The hash.
    pub const fn hash(&self) -> FingerprintHash {
        self.hash
    }

    /// The bytes of the digest.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl fmt::Display for Fingerprint {
    /// The value of `a=fingerprint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.as_str())?;
        for (at, byte) in self.digest.iter().enumerate() {
            write!(f, "{}{byte:02X}", if at == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_of_the_specification_is_read() {
        // RFC 8122, 5.
        let text = "SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";
        let read = Fingerprint::parse(text).unwrap().unwrap();
        assert_eq!(read.hash(), FingerprintHash::Sha1);
        assert_eq!(read.digest()[..2], [0x4a, 0xad]);
        assert_eq!(read.to_string(), text.replace("SHA", "sha"));
    }

    #[test]
    fn a_wrong_length_is_an_error_and_an_unknown_hash_is_not() {
        assert_eq!(Fingerprint::parse("md5 00:11"), Ok(None));
        assert!(Fingerprint::parse("sha-256").is_err());
        let digits = vec!["ab"; 33];
        for length in (0..32).chain([33]) {
            let text = format!("sha-256 {}", digits[..length].join(":"));
            assert!(Fingerprint::parse(&text).is_err(), "{length}");
        }
        assert!(Fingerprint::parse(&format!("sha-256 {}", digits[..32].join(":"))).is_ok());
        assert!(Fingerprint::parse(&format!("sha-256 {}", ["+1"; 32].join(":"))).is_err());
        assert!(Fingerprint::parse(&format!("sha-256 {}", ["ä"; 32].join(":"))).is_err());
    }
}
