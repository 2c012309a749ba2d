use std::fmt;

use aes::{Aes128, Aes256};
use ctr::Ctr32BE;
use ctr::cipher::{KeyIvInit, StreamCipher};

use super::{Profile, SrtpError};

/// The label of the exporter that makes the keying material of a DTLS handshake (RFC 5764, 4.2).
pub const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// The keys of one direction, for RTP and RTCP, made from a master key and salt (RFC 3711, 4.3).
#[derive(Clone)]
pub struct SessionKeys {
    pub(super) profile: Profile,
    pub(super) rtp: KeySet,
    pub(super) rtcp: KeySet,
}

/// What a cipher needs; shorter keys fill the beginning.
#[derive(Clone)]
pub(super) struct KeySet {
    pub(super) key: [u8; 32],
    pub(super) salt: [u8; 14],
    pub(super) auth: [u8; 20],
}

impl SessionKeys {
    /// The keys of this side and of the other, from what the exporter of a DTLS handshake gave: client key, server key,
    /// client salt, server salt (RFC 5764, 4.2). `is_client` says which side of the handshake this is. Material beyond
    /// [`Profile::keying_material_len`] is ignored.
    pub fn from_exporter(
        profile: Profile,
        material: &[u8],
        is_client: bool,
    ) -> Result<(Self, Self), SrtpError> {
        let error = SrtpError::KeyingMaterial {
            length: material.len(),
            needed: profile.keying_material_len(),
        };
        let mut rest = material;
        let mut take = |length| {
            let (part, after) = rest.split_at_checked(length).ok_or(error)?;
            rest = after;
            Ok::<_, SrtpError>(part)
        };
        let keys = [take(profile.key_len())?, take(profile.key_len())?];
        let salts = [take(profile.salt_len())?, take(profile.salt_len())?];
        let [client_key, server_key] = keys;
        let [client_salt, server_salt] = salts;
        let client = Self::from_master(profile, client_key, client_salt)?;
        let server = Self::from_master(profile, server_key, server_salt)?;
        Ok(if is_client { (client, server) } else { (server, client) })
    }

    /// The keys of one direction from its master key and salt, of just the lengths that the profile has.
    pub fn from_master(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, SrtpError> {
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            let length = key.len().saturating_add(salt.len());
            let needed = profile.key_len().saturating_add(profile.salt_len());
            return Err(SrtpError::KeyingMaterial { length, needed });
        }
        let key_set = |labels: [u8; 3]| {
            let [cipher, auth, salting] = labels;
            let mut set = KeySet { key: [0; 32], salt: [0; 14], auth: [0; 20] };
            derive(key, salt, cipher, set.key.get_mut(..profile.key_len()).unwrap_or_default());
            derive(key, salt, salting, set.salt.get_mut(..profile.salt_len()).unwrap_or_default());
            if !profile.is_aead() {
                derive(key, salt, auth, &mut set.auth);
            }
            set
        };
        Ok(Self { profile, rtp: key_set([0x00, 0x01, 0x02]), rtcp: key_set([0x03, 0x04, 0x05]) })
    }

    /// The profile that the keys are for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Fills `out` from the key stream of the master key, at a place that the label says (RFC 3711, 4.3.1 and 4.3.3; RFC
/// 6188, 3 for 256 bits). A salt of 96 bits counts as followed by zeroes (RFC 7714, 11).
fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) {
    let mut start = [0; 16];
    for (at, (place, &byte)) in start.iter_mut().zip(salt.iter().chain(&[0; 14])).enumerate() {
        *place = if at == 7 { byte ^ label } else { byte };
    }
    if let Ok(mut cipher) = Ctr32BE::<Aes128>::new_from_slices(key, &start) {
        cipher.apply_keystream(out);
    } else if let Ok(mut cipher) = Ctr32BE::<Aes256>::new_from_slices(key, &start) {
        cipher.apply_keystream(out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::hex;
    use super::*;

    /// The key, salt and first 20 bytes of authentication key of RTP.
    fn derived(key: &str, salt: &str) -> [Vec<u8>; 3] {
        let (key, salt) = (hex(key), hex(salt));
        [(0, key.len()), (2, 14), (1, 20)].map(|(label, length)| {
            let mut out = vec![0; length];
            derive(&key, &salt, label, &mut out);
            out
        })
    }

    #[test]
    fn derivation_of_rfc_3711_b_3() {
        let expected = [
            "c61e7a93744f39ee10734afe3ff7a087",
            "30cbbc08863d8c85d49db34a9ae1",
            "cebe321f6ff7716b6fd4ab49af256a156d38baa4",
        ];
        let made = derived("e1f97a0d3e018be0d64fa32c06de4139", "0ec675ad498afeebb6960b3aabe6");
        assert_eq!(made, expected.map(hex));
    }

    #[test]
    fn derivation_of_rfc_6188_7_2() {
        let expected = [
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
            "fa31791685ca444a9e07c6c64e93",
            "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
        ];
        let key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6";
        assert_eq!(derived(key, "3b04803de51ee7c96423ab5b78d2"), expected.map(hex));
    }

    #[test]
    fn exported_material_is_keys_then_salts() {
        for profile in Profile::ALL {
            let material: Vec<u8> = (0..).take(profile.keying_material_len()).collect();
            let (client, server) = SessionKeys::from_exporter(profile, &material, true).unwrap();
            let (own, other) = SessionKeys::from_exporter(profile, &material, false).unwrap();
            let (key, salt) = (profile.key_len(), profile.salt_len());
            let made = SessionKeys::from_master(
                profile,
                &material[key..2 * key],
                &material[2 * key + salt..],
            );
            let made = made.unwrap();
            assert_eq!((made.rtp.key, made.rtcp.salt), (server.rtp.key, server.rtcp.salt));
            assert_eq!((own.rtp.key, other.rtp.key), (server.rtp.key, client.rtp.key));
            assert_ne!(client.rtp.key, server.rtp.key);
            let short = &material[1..];
            let error = SrtpError::KeyingMaterial { length: short.len(), needed: short.len() + 1 };
            assert_eq!(SessionKeys::from_exporter(profile, short, true).unwrap_err(), error);
        }
    }

    #[test]
    fn keys_are_not_printed() {
        let keys = SessionKeys::from_master(Profile::AeadAes128Gcm, &[0x77; 16], &[0x66; 12]);
        assert_eq!(format!("{:?}", keys.unwrap()), "SessionKeys { profile: AeadAes128Gcm, .. }");
    }
}
