//! Which protocol a datagram belongs to (RFC 7983, RFC 5761).

/// The protocol of a datagram, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// STUN: a first byte of 0 to 3.
    Stun,
    /// DTLS: a first byte of 20 to 63.
    Dtls,
    /// RTP or SRTP: a first byte of 128 to 191.
    Rtp,
    /// RTCP or SRTCP: like RTP, with a second byte of 192 to 223.
    Rtcp,
    /// None of these, ZRTP and TURN channels among them, or nothing at all.
    Other,
}

/// Says what a datagram is. It may still be malformed.
pub const fn classify(datagram: &[u8]) -> Kind {
    match datagram {
        [0..=3, ..] => Kind::Stun,
        [20..=63, ..] => Kind::Dtls,
        [128..=191, 192..=223, ..] => Kind::Rtcp,
        [128..=191, _, ..] => Kind::Rtp,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_its_range() {
        for first in 0..=255u8 {
            let expected = match first {
                0..=3 => Kind::Stun,
                20..=63 => Kind::Dtls,
                128..=191 => Kind::Rtp,
                _ => Kind::Other,
            };
            assert_eq!(classify(&[first, 96]), expected, "{first}");
        }
        assert_eq!(classify(&[]), Kind::Other);
        assert_eq!(classify(&[0x80]), Kind::Other);
    }

    #[test]
    fn the_packet_type_tells_rtcp_from_rtp() {
        for second in 0..=255u8 {
            let is_rtcp = (192..=223).contains(&second);
            assert_eq!(classify(&[0x80, second]), if is_rtcp { Kind::Rtcp } else { Kind::Rtp });
        }
    }
}
