use aes::Aes128Enc;
use ctr::CtrCore;
use ctr::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use ctr::flavors::Ctr32BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::{KeySet, RTCP_HEADER_LEN, RTCP_INDEX_LEN, SrtpError, split};
use crate::bytes_at::array;

const TAG_LEN: usize = 10;
const KEY_LEN: usize = 16;

/// AES in counter mode and HMAC-SHA1 for packets (RFC 3711, 4.1.1 and 4.2.1), with their key schedules.
pub(super) struct Cm {
    cipher: Aes128Enc,
    mac: Hmac<Sha1>,
    salt: [u8; 14],
}

impl Cm {
    pub(super) fn new(keys: &KeySet) -> Result<Self, SrtpError> {
        let error = SrtpError::KeyingMaterial { length: keys.key.len(), needed: KEY_LEN };
        let key: [u8; KEY_LEN] = array(&keys.key, 0).ok_or(error)?;
        let mac = Hmac::new_from_slice(&keys.auth).map_err(|_| error)?;
        Ok(Self { cipher: Aes128Enc::new(&key.into()), mac, salt: keys.salt })
    }

    pub(super) fn seal_rtp(
        &self,
        header_len: usize,
        ssrc: u32,
        index: u64,
        packet: &mut [u8],
    ) -> Result<(), SrtpError> {
        let [header, body, tag] = split(packet, header_len, TAG_LEN)?;
        self.encrypt(ssrc, index, body);
        let mac = self.mac_of(&[header, body, &rollovers(index)]).finalize().into_bytes();
        tag.copy_from_slice(mac.get(..TAG_LEN).unwrap_or_default());
        Ok(())
    }

    pub(super) fn open_rtp(
        &self,
        header_len: usize,
        ssrc: u32,
        index: u64,
        packet: &mut [u8],
    ) -> Result<(), SrtpError> {
        let [header, body, tag] = split(packet, header_len, TAG_LEN)?;
        let mac = self.mac_of(&[header, body, &rollovers(index)]);
        mac.verify_truncated_left(tag).map_err(|_| SrtpError::Unauthentic)?;
        self.encrypt(ssrc, index, body);
        Ok(())
    }

    /// The packet ends with room for the tag, after the index, whose E bit is set.
    pub(super) fn seal_rtcp(
        &self,
        ssrc: u32,
        word: u32,
        packet: &mut [u8],
    ) -> Result<(), SrtpError> {
        let [header, body, tail] = split(packet, RTCP_HEADER_LEN, RTCP_INDEX_LEN + TAG_LEN)?;
        self.encrypt(ssrc, u64::from(word & !super::ENCRYPTED), body);
        let mac = self.mac_of(&[header, body, &word.to_be_bytes()]).finalize().into_bytes();
        let tag = mac.get(..TAG_LEN).unwrap_or_default();
        crate::bytes_at::put(tail, RTCP_INDEX_LEN, tag);
        Ok(())
    }

    pub(super) fn open_rtcp(
        &self,
        ssrc: u32,
        word: u32,
        packet: &mut [u8],
    ) -> Result<(), SrtpError> {
        let [header, body, tail] = split(packet, RTCP_HEADER_LEN, RTCP_INDEX_LEN + TAG_LEN)?;
        let mac = self.mac_of(&[header, body, &word.to_be_bytes()]);
        let tag = tail.get(RTCP_INDEX_LEN..).unwrap_or_default();
        mac.verify_truncated_left(tag).map_err(|_| SrtpError::Unauthentic)?;
        self.encrypt(ssrc, u64::from(word & !super::ENCRYPTED), body);
        Ok(())
    }

    /// Encrypts or decrypts, which is the same.
    fn encrypt(&self, ssrc: u32, index: u64, body: &mut [u8]) {
        // RFC 3711, 4.1.1: the salt over source and index, then 16 bits that count blocks. Packets have fewer blocks
        // than that counts, so a counter of 32 bits is the same.
        let [_, _, number @ ..] = (u128::from(ssrc) << 48 | u128::from(index)).to_be_bytes();
        let mut start = [0; 16];
        let bytes = self.salt.iter().zip(number);
        start.iter_mut().zip(bytes).for_each(|(byte, (salt, with))| *byte = salt ^ with);
        let core = CtrCore::<_, Ctr32BE>::inner_iv_init(&self.cipher, &start.into());
        StreamCipherCoreWrapper::from_core(core).apply_keystream(body);
    }

    fn mac_of(&self, parts: &[&[u8]]) -> Hmac<Sha1> {
        let mut mac = self.mac.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

fn rollovers(index: u64) -> [u8; 4] {
    let [_, _, rollovers @ .., _, _] = index.to_be_bytes();
    rollovers
}

#[cfg(test)]
mod tests {
    use super::super::vectors::hex;
    use super::*;

    #[test]
    fn key_stream_of_rfc_3711_b_2() {
        let mut keys = KeySet { key: [0; 32], salt: [0; 14], auth: [0; 20] };
        keys.key[..16].copy_from_slice(&hex("2b7e151628aed2a6abf7158809cf4f3c"));
        keys.salt.copy_from_slice(&hex("f0f1f2f3f4f5f6f7f8f9fafbfcfd"));
        // The last blocks that the specification shows are the 0xff00th and following.
        let mut stream = vec![0; 0xff02 * 16];
        Cm::new(&keys).unwrap().encrypt(0, 0, &mut stream);
        assert_eq!(
            stream[..48],
            hex("e03ead0935c95e80e166b16dd92b4eb4\
                 d23513162b02d0f72a43a2fe4a5f97ab\
                 41e95b3bb0a2e8dd477901e4fca894c0")
        );
        assert_eq!(
            stream[0xfeff * 16..],
            hex("ec8cdf7398607cb0f2d21675ea9ea1e4\
                 362b7c3c6773516318a077d7fc5073ae\
                 6a2cc3787889374fbeb4c81b17ba6c44")
        );
    }
}
