use std::fmt;

use bytes::{BufMut, BytesMut};

use super::{
    Cm, ENCRYPTED, Gcm, KeySet, LAST_RTCP_INDEX, LAST_RTP_INDEX, Profile, RTCP_HEADER_LEN,
    RtpCipher, SessionKeys, SrtpError, too_short,
};
use crate::bytes_at::{put, u16_at, u32_at};
use crate::rtp::MIN_HEADER_LEN;

/// Seals what is sent to one peer.
///
/// It keeps no state per source: the index of an RTP packet comes from the caller. The keys of RTCP are expanded for
/// each packet, which costs less than a microsecond some times a second and saves half a kilobyte for each viewer.
pub struct Outbound {
    rtp: RtpCipher,
    rtcp: KeySet,
    profile: Profile,
    /// The index of the next RTCP packet. One count for all sources is sound, for none then has an index twice.
    rtcp_index: u32,
}

impl Outbound {
    /// Seals with the keys of this direction.
    pub fn new(keys: &SessionKeys) -> Result<Self, SrtpError> {
        let rtp = RtpCipher::new(keys.profile, &keys.rtp)?;
        Ok(Self { rtp, rtcp: keys.rtcp.clone(), profile: keys.profile, rtcp_index: 0 })
    }

    /// The profile of the keys.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Seals an RTP packet in place. It ends with room for the tag, [`Profile::rtp_overhead`] bytes of anything.
    ///
    /// `index` has 48 bits: how often the sequence number of this source began anew, then the sequence number. Two
    /// packets that differ in any bit must not have the same source and index: who sends a packet again, sends it as it
    /// was, or as a retransmission with a source of its own.
    pub fn seal_rtp(
        &self,
        header_len: usize,
        index: u64,
        packet: &mut [u8],
    ) -> Result<(), SrtpError> {
        let needed = header_len.max(MIN_HEADER_LEN).saturating_add(self.profile.rtp_overhead());
        let error = too_short(packet.len(), needed);
        if packet.len() < needed {
            return Err(error);
        }
        let ssrc = u32_at(packet, 8).ok_or(error)?;
        let sequence = u16_at(packet, 2).ok_or(error)?;
        if index > LAST_RTP_INDEX {
            return Err(SrtpError::IndexExhausted { index, last: LAST_RTP_INDEX });
        }
        if index & 0xffff != u64::from(sequence) {
            return Err(SrtpError::IndexMismatch { sequence, index });
        }
        match &self.rtp {
            RtpCipher::Gcm(gcm) => gcm.seal_rtp(header_len, ssrc, index, packet),
            RtpCipher::Cm(cm) => cm.seal_rtp(header_len, ssrc, index, packet),
        }
    }

    /// Seals the RTCP packets from `start` to the end of the buffer as one compound, which grows by
    /// [`Profile::rtcp_overhead`].
    pub fn seal_rtcp(&mut self, buffer: &mut BytesMut, start: usize) -> Result<(), SrtpError> {
        let plain = buffer.get(start..).unwrap_or_default();
        let error = too_short(plain.len(), RTCP_HEADER_LEN);
        let ssrc = u32_at(plain, 4).ok_or(error)?;
        let index = self.rtcp_index;
        if index > LAST_RTCP_INDEX {
            let last = u64::from(LAST_RTCP_INDEX);
            return Err(SrtpError::IndexExhausted { index: u64::from(index), last });
        }
        self.rtcp_index = index.saturating_add(1);
        let word = ENCRYPTED | index;
        let length = plain.len();
        buffer.put_bytes(0, self.profile.rtcp_overhead());
        let packet = buffer.get_mut(start..).unwrap_or_default();
        // The index stands after the tag with AEAD, before it without (RFC 7714, 9.3; RFC 3711, 3.4).
        let tag = if self.profile.is_aead() { self.profile.tag_len() } else { 0 };
        put(packet, length.saturating_add(tag), &word.to_be_bytes());
        if self.profile.is_aead() {
            Gcm::new(self.profile, &self.rtcp)?.seal_rtcp(ssrc, word, packet)
        } else {
            Cm::new(&self.rtcp)?.seal_rtcp(ssrc, word, packet)
        }
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("profile", &self.profile).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbound(profile: Profile) -> Outbound {
        let keys = SessionKeys::from_exporter(profile, &[7; 88], true).unwrap().0;
        Outbound::new(&keys).unwrap()
    }

    #[test]
    fn a_viewer_takes_little_memory() {
        let size = size_of::<Outbound>();
        assert!(size <= 672, "{size} bytes");
    }

    #[test]
    fn wrong_calls_are_errors() {
        for profile in Profile::ALL {
            let mut outbound = outbound(profile);
            let mut packet = [0x80; 40];
            let tag = profile.rtp_overhead();
            let short = SrtpError::TooShort { length: 11 + tag, needed: 12 + tag };
            assert_eq!(outbound.seal_rtp(0, 0x8080, &mut packet[..11 + tag]), Err(short));
            let short = SrtpError::TooShort { length: 40, needed: 41 };
            assert_eq!(outbound.seal_rtp(41 - tag, 0x8080, &mut packet), Err(short));
            let mismatch = SrtpError::IndexMismatch { sequence: 0x8080, index: 0x8081 };
            assert_eq!(outbound.seal_rtp(12, 0x8081, &mut packet), Err(mismatch));
            let error = outbound.seal_rtp(12, 1 << 48 | 0x8080, &mut packet);
            assert!(matches!(error, Err(SrtpError::IndexExhausted { .. })));
            assert_eq!(packet, [0x80; 40]);
            assert_eq!(outbound.seal_rtp(12, 0x8080, &mut packet), Ok(()));

            let mut buffer = BytesMut::from(&[0x80; 7][..]);
            let short = SrtpError::TooShort { length: 7, needed: 8 };
            assert_eq!(outbound.seal_rtcp(&mut buffer, 0), Err(short));
            let short = SrtpError::TooShort { length: 0, needed: 8 };
            assert_eq!(outbound.seal_rtcp(&mut buffer, 100), Err(short));
        }
    }

    #[test]
    fn rtcp_ends_with_its_last_index() {
        let mut outbound = outbound(Profile::AeadAes128Gcm);
        outbound.rtcp_index = LAST_RTCP_INDEX;
        let mut buffer = BytesMut::from(&[0x80; 8][..]);
        assert_eq!(outbound.seal_rtcp(&mut buffer, 0), Ok(()));
        let error = outbound.seal_rtcp(&mut buffer, 0);
        assert!(matches!(error, Err(SrtpError::IndexExhausted { .. })));
    }
}
