//! The shape of a peer's handshake messages, looked at before the handshake's implementation gets them.
//!
//! Crate `dtls` looks at bytes without asking whether they are there, and takes memory for as many as a length
//! announces. A message whose lengths disagree is refused here (RFC 5246, 7.2.2: `decode_error`).

use super::assembly::Malformed;

const HELLO_VERIFY_REQUEST: u8 = 3;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_VERIFY: u8 = 15;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// A cursor over lengths and what they count (RFC 8446, 3.4).
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    /// What a length of one byte counts.
    pub(super) fn short(&mut self) -> Option<&'a [u8]> {
        let length = *self.bytes(1)?.first()?;
        self.bytes(usize::from(length))
    }

    /// What a length of two bytes counts.
    pub(super) fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    /// What a length of three bytes counts.
    fn longest(&mut self) -> Option<&'a [u8]> {
        let [a, b, c] = *self.bytes(3)?.first_chunk()?;
        self.bytes(usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Checks a whole message that is no hello. Of the kinds that aren't looked at, the implementation reads no more
/// than is there.
pub(super) fn check(kind: u8, body: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader(body);
    match kind {
        HELLO_VERIFY_REQUEST => hello_verify_request(&mut reader),
        CERTIFICATE => certificate(&mut reader),
        SERVER_KEY_EXCHANGE => server_key_exchange(&mut reader),
        CERTIFICATE_VERIFY => signature(&mut reader),
        CLIENT_KEY_EXCHANGE => key(&mut reader),
        _ => return Ok(()),
    }
    .and_then(|()| reader.end())
    .ok_or(Malformed)
}

/// RFC 6347, 4.2.1.
fn hello_verify_request(reader: &mut Reader<'_>) -> Option<()> {
    reader.bytes(2)?; // Version.
    reader.short()?; // Cookie.
    Some(())
}

/// RFC 5246, 7.4.2.
fn certificate(reader: &mut Reader<'_>) -> Option<()> {
    let mut chain = Reader(reader.longest()?);
    while !chain.0.is_empty() {
        chain.longest()?;
    }
    Some(())
}

/// RFC 8422, 5.4: of elliptic curves, there being no other cipher.
fn server_key_exchange(reader: &mut Reader<'_>) -> Option<()> {
    reader.bytes(1 + 2)?; // The kind of curve, and its name.
    key(reader)?;
    signature(reader)
}

/// RFC 5246, 4.7.
fn signature(reader: &mut Reader<'_>) -> Option<()> {
    reader.bytes(2)?; // Algorithms of hash and signature.
    reader.long()?;
    Some(())
}

/// A public key (RFC 8422, 5.4), which has at least a byte.
fn key(reader: &mut Reader<'_>) -> Option<()> {
    reader.short().filter(|key| !key.is_empty()).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each kind that is looked at, one.
    fn messages() -> Vec<(u8, Vec<u8>)> {
        vec![
            (HELLO_VERIFY_REQUEST, vec![0xfe, 0xfd, 3, 7, 8, 9]),
            (CERTIFICATE, vec![0, 0, 9, 0, 0, 2, 0x30, 0, 0, 0, 1, 0x30]),
            (SERVER_KEY_EXCHANGE, vec![3, 0, 29, 2, 5, 5, 4, 3, 0, 1, 9]),
            (CERTIFICATE_VERIFY, vec![4, 3, 0, 2, 1, 2]),
            (CLIENT_KEY_EXCHANGE, vec![3, 5, 6, 7]),
        ]
    }

    #[test]
    fn a_message_is_whole_and_nothing_follows() {
        for (kind, mut body) in messages() {
            assert_eq!(check(kind, &body), Ok(()), "{kind}");
            for length in 0..body.len() {
                assert_eq!(check(kind, &body[..length]), Err(Malformed), "{kind}, {length}");
            }
            body.push(0);
            assert_eq!(check(kind, &body), Err(Malformed), "{kind}");
        }
    }

    #[test]
    fn lengths_announce_no_more_than_there_is() {
        // 16 MiB of a certificate, in a chain that ends behind its length.
        let certificate = [0, 0, 3, 0xff, 0xff, 0xff];
        assert_eq!(check(CERTIFICATE, &certificate), Err(Malformed));
        assert_eq!(check(CERTIFICATE_VERIFY, &[4, 3, 0xff, 0xff]), Err(Malformed));
        // A client may have no certificate.
        assert_eq!(check(CERTIFICATE, &[0, 0, 0]), Ok(()));
    }

    #[test]
    fn a_key_exchange_has_a_key() {
        assert_eq!(check(CLIENT_KEY_EXCHANGE, &[0]), Err(Malformed));
        assert_eq!(check(SERVER_KEY_EXCHANGE, &[3, 0, 29, 0, 4, 3, 0, 1, 9]), Err(Malformed));
    }

    #[test]
    fn other_kinds_may_be_anything() {
        for kind in (0..=255).filter(|kind| messages().iter().all(|(known, _)| known != kind)) {
            assert_eq!(check(kind, &[]), Ok(()));
            assert_eq!(check(kind, &[255; 9]), Ok(()));
        }
    }
}
