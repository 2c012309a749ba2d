//! The peer's hello, read before the handshake's implementation gets it.
//!
//! There are two reasons. A server of crate `dtls` takes the first SRTP profile of the client that it
//! knows, and browsers list the slowest first: knowing their list, only the best of it is offered. And
//! that crate does not check where extensions end.

use std::collections::BTreeSet;

use super::assembly::Malformed;
use super::messages::{self, Reader};

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
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
            _ => messages::check(kind, body),
        }
    }
}

/// Walks a hello to its end: `None` if lengths disagree, else the profiles of `use_srtp`.
fn srtp_profiles(kind: u8, hello: &[u8]) -> Option<Vec<u16>> {
    let mut reader = Reader(hello);
    reader.bytes(2 + 32)?; // Version and random.
    let session_id = reader.short()?;
    if kind == CLIENT_HELLO {
        // Who has one asks for a session that he had before, and there is none: the keys of media are made anew
        // for each. Crate `dtls` takes the bytes of the id for what follows them.
        session_id.is_empty().then_some(())?;
        reader.short()?; // Cookie.
        // Pairs of bytes. Of a half, the crate takes the rest for what follows.
        reader.long().filter(|suites| suites.len().is_multiple_of(2))?;
        reader.short()?; // Compression methods.
    } else {
        reader.bytes(2 + 1)?; // The cipher suite and compression method chosen.
    }
    let mut profiles = Vec::new();
    if reader.0.is_empty() {
        return Some(profiles);
    }
    let mut extensions = Reader(reader.long()?);
    reader.end()?;
    let mut seen = BTreeSet::new();
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        // No more than one of a kind (RFC 5246, 7.4.1.4): each may have the crate take 64 KiB.
        seen.insert(kind).then_some(())?;
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

    /// What a server of crate `dtls` would read past the end of.
    #[test]
    fn a_hello_with_a_session_id_or_half_a_cipher_suite_is_malformed() {
        let with = |session: &[u8], suites: &[u8]| {
            let mut hello = vec![0xfe, 0xfd];
            hello.extend_from_slice(&[5; 32]);
            hello.push(session.len() as u8);
            hello.extend_from_slice(session);
            hello.extend_from_slice(&[0, 0, suites.len() as u8]);
            hello.extend_from_slice(suites);
            hello.extend_from_slice(&[1, 0, 0, 4, 0, 23, 0, 0]);
            Hellos::default().take(CLIENT_HELLO, &hello)
        };
        assert_eq!(with(&[], &[0xc0, 0x2b]), Ok(()));
        // An id that reads as no cookie, suites and methods, then one byte of an extension.
        assert_eq!(with(&[0, 0, 0, 0, 0, 1, 9], &[0xc0, 0x2b]), Err(Malformed));
        assert_eq!(with(&[7; 32], &[0xc0, 0x2b]), Err(Malformed));
        assert_eq!(with(&[], &[0xc0, 0x2b, 0]), Err(Malformed));
    }

    #[test]
    fn a_server_may_name_its_session() {
        let mut hello = vec![0xfe, 0xfd];
        hello.extend_from_slice(&[5; 32]);
        hello.extend_from_slice(&[2, 8, 9, 0xc0, 0x2b, 0, 0, 4, 0, 23, 0, 0]);
        assert_eq!(Hellos::default().take(SERVER_HELLO, &hello), Ok(()));
    }

    #[test]
    fn extensions_come_once_and_last() {
        let start = hello().len() - 17;
        let with = |extensions: &[u8]| {
            let hello = [&hello()[..start], extensions].concat();
            Hellos::default().take(CLIENT_HELLO, &hello)
        };
        assert_eq!(with(&[0, 8, 0, 23, 0, 0, 0, 99, 0, 0]), Ok(()));
        assert_eq!(with(&[0, 8, 0, 23, 0, 0, 0, 23, 0, 0]), Err(Malformed));
        assert_eq!(with(&[0, 4, 0, 23, 0, 0, 0]), Err(Malformed));
        for rest in 1..4 {
            let cut = [&[0, 4 + rest, 0, 23, 0, 0][..], &vec![0; usize::from(rest)]].concat();
            assert_eq!(with(&cut), Err(Malformed), "{rest}");
        }
    }
}
