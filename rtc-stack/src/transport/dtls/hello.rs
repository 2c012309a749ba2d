//! The peer's hello, read before the handshake's implementation gets it.
//!
//! There are two reasons. A server of crate `dtls` takes the first SRTP profile of the client that it
//! knows, and browsers list the slowest first: knowing their list, only the best of it is offered. And
//! that crate does not check where extensions end.

use super::assembly::Malformed;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CLIENT_KEY_EXCHANGE: u8 = 16;
/// The extension `use_srtp` (RFC 5764, 4.1.1).
const USE_SRTP: u16 = 14;

/// Remembers the profiles that a client listed.
#[derive(Debug, Default)]
pub(super) struct Hellos {
    profiles: Option<Vec<u16>>,
}

impl Hellos {
    /// The SRTP profiles that the peer lists, once its hello has come. Empty when it lists none.
    pub(super) fn profiles(&self) -> Option<&[u16]> {
        self.profiles.as_deref()
    }

    /// Looks at a whole handshake message.
    pub(super) fn take(&mut self, kind: u8, body: &[u8]) -> Result<(), Malformed> {
        match kind {
            CLIENT_HELLO | SERVER_HELLO => {
                let profiles = srtp_profiles(kind, body).ok_or(Malformed)?;
                self.profiles.get_or_insert(profiles);
                Ok(())
            }
            // Their implementation looks at the first bytes without asking whether they are there.
            SERVER_KEY_EXCHANGE | CLIENT_KEY_EXCHANGE if body.len() < 4 => Err(Malformed),
            _ => Ok(()),
        }
    }
}

/// A cursor over lengths and what they count (RFC 8446, 3.4).
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    fn short(&mut self) -> Option<&'a [u8]> {
        let length = *self.bytes(1)?.first()?;
        self.bytes(usize::from(length))
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }
}

/// Walks a hello to its end: `None` if lengths disagree, else the profiles of `use_srtp`.
fn srtp_profiles(kind: u8, hello: &[u8]) -> Option<Vec<u16>> {
    let mut reader = Reader(hello);
    reader.bytes(2 + 32)?; // Version and random.
    reader.short()?; // Session id.
    if kind == CLIENT_HELLO {
        reader.short()?; // Cookie.
        reader.long()?; // Cipher suites.
        reader.short()?; // Compression methods.
    } else {
        reader.bytes(2 + 1)?; // The cipher suite and compression method chosen.
    }
    let mut profiles = Vec::new();
    if reader.0.is_empty() {
        return Some(profiles);
    }
    let mut extensions = Reader(reader.long()?);
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let value = extensions.long()?;
        if kind == USE_SRTP {
            let list = Reader(value).long()?;
            profiles = list
                .chunks_exact(2)
                .filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)))
                .collect();
        }
    }
    Some(profiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Vec<u8> {
        let mut hello = vec![0xfe, 0xfd];
        hello.extend_from_slice(&[5; 32]);
        hello.extend_from_slice(&[0, 2, 1, 1, 0, 2, 0xc0, 0x2b, 1, 0]);
        hello.extend_from_slice(&[0, 15, 0, 23, 0, 0, 0, 14, 0, 7, 0, 4, 0, 1, 0, 7, 0]);
        hello
    }

    #[test]
    fn profiles_are_those_of_the_first_hello() {
        let mut hellos = Hellos::default();
        assert_eq!(hellos.profiles(), None);
        hellos.take(CLIENT_HELLO, &hello()).unwrap();
        assert_eq!(hellos.profiles(), Some([1, 7].as_slice()));
        let start = hello().len() - 17;
        hellos.take(CLIENT_HELLO, &hello()[..start]).unwrap();
        assert_eq!(hellos.profiles(), Some([1, 7].as_slice()));
    }

    #[test]
    fn a_hello_cut_anywhere_is_malformed_but_for_its_extensions() {
        let hello = hello();
        let start = hello.len() - 17;
        for length in 0..hello.len() {
            let read = Hellos::default().take(CLIENT_HELLO, &hello[..length]);
            assert_eq!(read.is_ok(), length == start, "{length}");
        }
    }

    #[test]
    fn a_key_exchange_has_its_first_bytes() {
        for kind in [CLIENT_KEY_EXCHANGE, SERVER_KEY_EXCHANGE] {
            assert_eq!(Hellos::default().take(kind, &[3, 0, 23]), Err(Malformed));
            assert_eq!(Hellos::default().take(kind, &[3, 0, 23, 65]), Ok(()));
        }
    }
}
