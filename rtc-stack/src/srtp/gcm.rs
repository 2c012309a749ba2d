use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

use super::{KeySet, Profile, RTCP_HEADER_LEN, RTCP_INDEX_LEN, SrtpError, split, too_short};
use crate::bytes_at::{array, put};

const TAG_LEN: usize = 16;

/// AES-GCM for packets (RFC 7714), with the key schedule of one key.
pub(super) struct Gcm {
    key: LessSafeKey,
    salt: [u8; 12],
}

impl Gcm {
    pub(super) fn new(profile: Profile, keys: &KeySet) -> Result<Self, SrtpError> {
        let algorithm = if profile.key_len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let needed = profile.key_len();
        let error = SrtpError::KeyingMaterial { length: keys.key.len(), needed };
        let key = keys.key.get(..needed).ok_or(error)?;
        let key = UnboundKey::new(algorithm, key).map_err(|_| error)?;
        let salt = array(&keys.salt, 0).ok_or(error)?;
        Ok(Self { key: LessSafeKey::new(key), salt })
    }

    pub(super) fn seal_rtp(
        &self,
        header_len: usize,
        ssrc: u32,
        index: u64,
        packet: &mut [u8],
    ) -> Result<(), SrtpError> {
        let [header, body, tag] = split(packet, header_len, TAG_LEN)?;
        let made = self.seal(self.rtp_nonce(ssrc, index), header, body)?;
        tag.copy_from_slice(made.as_ref());
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
        self.open(self.rtp_nonce(ssrc, index), header, body, tag)
    }

    /// The packet ends with the index, before which there is room for the tag.
    pub(super) fn seal_rtcp(
        &self,
        ssrc: u32,
        word: u32,
        packet: &mut [u8],
    ) -> Result<(), SrtpError> {
        let [header, body, tail] = split(packet, RTCP_HEADER_LEN, TAG_LEN + RTCP_INDEX_LEN)?;
        let made = self.seal(self.rtcp_nonce(ssrc, word), &rtcp_aad(header, word), body)?;
        put(tail, 0, made.as_ref());
        Ok(())
    }

    pub(super) fn open_rtcp(
        &self,
        ssrc: u32,
        word: u32,
        packet: &mut [u8],
    ) -> Result<(), SrtpError> {
        let [header, body, tail] = split(packet, RTCP_HEADER_LEN, TAG_LEN + RTCP_INDEX_LEN)?;
        let tag = tail.get(..TAG_LEN).unwrap_or_default();
        self.open(self.rtcp_nonce(ssrc, word), &rtcp_aad(header, word), body, tag)
    }

    fn seal(&self, nonce: Nonce, aad: &[u8], body: &mut [u8]) -> Result<Tag, SrtpError> {
        let too_long = too_short(body.len(), 0);
        self.key.seal_in_place_separate_tag(nonce, Aad::from(aad), body).map_err(|_| too_long)
    }

    fn open(&self, nonce: Nonce, aad: &[u8], body: &mut [u8], tag: &[u8]) -> Result<(), SrtpError> {
        let tag = Tag::try_from(tag).map_err(|_| SrtpError::Unauthentic)?;
        self.key
            .open_in_place_separate_tag(nonce, Aad::from(aad), tag, body, 0..)
            .map_err(|_| SrtpError::Unauthentic)?;
        Ok(())
    }

    /// RFC 7714, 8.1: two zero bytes, source, rollovers and sequence number, over which the salt goes.
    fn rtp_nonce(&self, ssrc: u32, index: u64) -> Nonce {
        self.nonce(u128::from(ssrc) << 48 | u128::from(index))
    }

    /// RFC 7714, 9.1: two zero bytes, source, two zero bytes, index without the E bit.
    fn rtcp_nonce(&self, ssrc: u32, word: u32) -> Nonce {
        self.nonce(u128::from(ssrc) << 48 | u128::from(word & !super::ENCRYPTED))
    }

    fn nonce(&self, number: u128) -> Nonce {
        let [_, _, _, _, number @ ..] = number.to_be_bytes();
        let mut nonce = self.salt;
        nonce.iter_mut().zip(number).for_each(|(byte, with)| *byte ^= with);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// RFC 7714, 9.2: the first header and sender, then the index with its E bit.
fn rtcp_aad(header: &[u8], word: u32) -> [u8; 12] {
    let mut aad = [0; 12];
    put(&mut aad, 0, header);
    put(&mut aad, RTCP_HEADER_LEN, &word.to_be_bytes());
    aad
}
