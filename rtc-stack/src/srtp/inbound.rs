use std::fmt;

use super::replay::Sources;
use super::{
    Cm, ENCRYPTED, Gcm, LAST_RTP_INDEX, Profile, RTCP_HEADER_LEN, RTCP_INDEX_LEN, RtpCipher,
    SessionKeys, SrtpError, too_short,
};
use crate::Limits;
use crate::bytes_at::u32_at;
use crate::rtp::Header;

/// Opens what one peer sends. What it remembers changes only by packets that authenticate.
pub struct Inbound {
    keys: SessionKeys,
    /// Made when the first RTP packet comes: those who only watch send none.
    rtp: Option<Box<RtpCipher>>,
    rtp_sources: Sources,
    rtcp_sources: Sources,
}

/// An RTP packet that was opened in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its header.
    pub header: Header,
    /// How often its source's sequence number began anew, and the sequence number in the lowest 16 bits.
    pub index: u64,
    /// Bytes of the packet without the tag. What follows them is of no use.
    pub len: usize,
}

impl Inbound {
    /// Opens with the keys of this direction.
    #[must_use]
    pub fn new(keys: SessionKeys, limits: &Limits) -> Self {
        Self {
            keys,
            rtp: None,
            rtp_sources: Sources::new(limits.srtp_sources),
            rtcp_sources: Sources::new(limits.srtp_sources),
        }
    }

    /// The profile of the keys.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.keys.profile
    }

    /// Opens an RTP packet in place. After an error the bytes behind its header are of no use.
    ///
    /// A source begins with its first packet. Its sequence number must not have begun anew before that: how often it
    /// has is part of what is authenticated, nothing in DTLS-SRTP tells it, and RFC 3711 (3.3.1) has no guess but the
    /// numbers that were seen. Who hears a source for the first time after that gets [`SrtpError::Unauthentic`].
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<Opened, SrtpError> {
        let header = Header::parse(packet)?;
        let overhead = self.keys.profile.rtp_overhead();
        let error = too_short(packet.len(), header.len().saturating_add(overhead));
        let len = packet.len().checked_sub(overhead).filter(|len| *len >= header.len());
        let len = len.ok_or(error)?;
        let ssrc = header.fields.ssrc.0;
        let index = self.rtp_sources.estimate(ssrc, header.fields.sequence)?;
        if index > LAST_RTP_INDEX {
            return Err(SrtpError::IndexExhausted { index, last: LAST_RTP_INDEX });
        }
        self.rtp_sources.check(ssrc, index)?;
        let cipher = match &mut self.rtp {
            Some(cipher) => cipher,
            none => none.insert(Box::new(RtpCipher::new(self.keys.profile, &self.keys.rtp)?)),
        };
        match &**cipher {
            RtpCipher::Gcm(gcm) => gcm.open_rtp(header.len(), ssrc, index, packet)?,
            RtpCipher::Cm(cm) => cm.open_rtp(header.len(), ssrc, index, packet)?,
        }
        self.rtp_sources.accept(ssrc, index);
        Ok(Opened { header, index, len })
    }

    /// Opens a compound of RTCP packets in place and answers its length. After an error the bytes behind its first
    /// eight are of no use.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let profile = self.keys.profile;
        let overhead = profile.rtcp_overhead();
        let error = too_short(packet.len(), RTCP_HEADER_LEN.saturating_add(overhead));
        let len = packet.len().checked_sub(overhead).filter(|len| *len >= RTCP_HEADER_LEN);
        let len = len.ok_or(error)?;
        let index_from_end = if profile.is_aead() { RTCP_INDEX_LEN } else { overhead };
        let word = u32_at(packet, packet.len().saturating_sub(index_from_end)).ok_or(error)?;
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::NotEncrypted);
        }
        let ssrc = u32_at(packet, 4).ok_or(error)?;
        let index = u64::from(word & !ENCRYPTED);
        self.rtcp_sources.check(ssrc, index)?;
        if profile.is_aead() {
            Gcm::new(profile, &self.keys.rtcp)?.open_rtcp(ssrc, word, packet)?;
        } else {
            Cm::new(&self.keys.rtcp)?.open_rtcp(ssrc, word, packet)?;
        }
        self.rtcp_sources.accept(ssrc, index);
        Ok(len)
    }
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound").field("profile", &self.keys.profile).finish_non_exhaustive()
    }
}
