/// How packets are protected: cipher, authentication, and the lengths of their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, reason = "the registered name ends in two numbers")]
pub enum Profile {
    /// AES-GCM with keys of 128 bits (RFC 7714).
    AeadAes128Gcm,
    /// AES-GCM with keys of 256 bits (RFC 7714).
    AeadAes256Gcm,
    /// AES in counter mode with 128 bits, HMAC-SHA1 with a tag of 80 (RFC 3711).
    Aes128CmHmacSha1_80,
}

impl Profile {
    /// All profiles, the one that costs least first.
    pub const ALL: [Self; 3] =
        [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::Aes128CmHmacSha1_80];

    /// The number in the `use_srtp` extension of DTLS (RFC 5764, 4.1.2; RFC 7714, 14.2).
    pub const fn id(self) -> u16 {
        match self {
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
            Self::Aes128CmHmacSha1_80 => 0x0001,
        }
    }

    /// The profile with this number, if it is known.
    pub const fn from_id(id: u16) -> Option<Self> {
        match id {
            0x0007 => Some(Self::AeadAes128Gcm),
            0x0008 => Some(Self::AeadAes256Gcm),
            0x0001 => Some(Self::Aes128CmHmacSha1_80),
            _ => None,
        }
    }

    /// Bytes of a master key, and of the session keys made from it.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmHmacSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt, and of the session salts made from it.
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Bytes of the authentication tag.
    pub const fn tag_len(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }

    /// Bytes that a sealed RTP packet is longer.
    pub const fn rtp_overhead(self) -> usize {
        self.tag_len()
    }

    /// Bytes that a sealed compound of RTCP packets is longer: the tag and the index.
    pub const fn rtcp_overhead(self) -> usize {
        self.tag_len().saturating_add(super::RTCP_INDEX_LEN)
    }

    /// Bytes to ask of the exporter of a DTLS handshake: a key and a salt for either side.
    pub const fn keying_material_len(self) -> usize {
        self.key_len().saturating_add(self.salt_len()).saturating_mul(2)
    }

    pub(super) const fn is_aead(self) -> bool {
        !matches!(self, Self::Aes128CmHmacSha1_80)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_are_the_registered_ones() {
        for profile in Profile::ALL {
            assert_eq!(Profile::from_id(profile.id()), Some(profile));
        }
        assert_eq!(Profile::from_id(0x0002), None);
        let material = Profile::ALL.map(Profile::keying_material_len);
        assert_eq!(material, [56, 88, 60]);
        assert_eq!(Profile::ALL.map(Profile::rtp_overhead), [16, 16, 10]);
        assert_eq!(Profile::ALL.map(Profile::rtcp_overhead), [20, 20, 14]);
    }
}
