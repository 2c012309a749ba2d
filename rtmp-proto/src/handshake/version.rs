use super::HandshakeError;

/// The version both sides send (specification 5.2.2).
pub(super) const VERSION: u8 = 3;

/// Checks C0 or S0.
///
/// Later versions than 3 are answered as 3, as the specification asks. From 32 on it is text, for which the
/// specification keeps the range free.
pub(super) fn check(version: u8) -> Result<(), HandshakeError> {
    match version {
        0..=2 => Err(HandshakeError::Version { version }),
        6 | 8 | 9 => Err(HandshakeError::Encrypted { version }),
        // A TLS record of type handshake.
        0x16 | 0x20.. => Err(HandshakeError::NotRtmp { first: version }),
        _ => Ok(()),
    }
}

/// What the first byte looks like, for the error's text.
pub(super) const fn guess(first: u8) -> &'static str {
    match first {
        0x16 => "a tls handshake",
        b'G' | b'P' | b'H' | b'O' | b'D' | b'C' | b'T' => "perhaps an http request",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for version in [3, 4, 5, 7, 10, 31] {
            assert_eq!(check(version), Ok(()));
        }
        assert_eq!(check(0), Err(HandshakeError::Version { version: 0 }));
        assert_eq!(check(6), Err(HandshakeError::Encrypted { version: 6 }));
        for first in [0x16, b' ', b'G', b'P', 0xff] {
            assert_eq!(check(first), Err(HandshakeError::NotRtmp { first }));
        }
        assert_eq!(
            HandshakeError::NotRtmp { first: b'G' }.to_string(),
            "first byte 0x47 is not rtmp (perhaps an http request)"
        );
    }
}
