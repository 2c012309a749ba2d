//! The peer's hello, read before the handshake's implementation gets it.
//!
//! There are two reasons. A server of crate `dtls` takes the first SRTP profile of the client that it
//! knows, and browsers list the slowest first: knowing their list, only the best of it is offered. And
//! that crate does not check where extensions end.

use super::record::Fragment;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CLIENT_KEY_EXCHANGE: u8 = 16;
/// The extension `use_srtp` (RFC 5764, 4.1.1).
const USE_SRTP: u16 = 14;

/// Bytes of the longest hello: those with post-quantum keys have under 2,000.
const LONGEST: usize = 16 * 1024;
/// Pieces that may arrive out of order.
const PIECES: usize = 32;

/// What the peer sent makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Puts hellos together, and remembers the profiles that a client listed.
#[derive(Debug, Default)]
pub(super) struct Hellos {
    message: u16,
    pieces: Vec<(usize, Vec<u8>)>,
    profiles: Option<Vec<u16>>,
}

impl Hellos {
    /// The SRTP profiles that the peer lists, once its hello is whole. Empty when it lists none.
    pub(super) fn profiles(&self) -> Option<&[u16]> {
        self.profiles.as_deref()
    }

    /// Looks at a piece of a handshake message.
    pub(super) fn take(&mut self, fragment: &Fragment<'_>) -> Result<(), Malformed> {
        match fragment.kind {
            CLIENT_HELLO | SERVER_HELLO => {}
            // Their implementation looks at the first bytes without asking whether they are there.
            SERVER_KEY_EXCHANGE | CLIENT_KEY_EXCHANGE if fragment.length < 4 => {
                return Err(Malformed);
            }
            _ => return Ok(()),
        }
        if fragment.length > LONGEST {
            return Err(Malformed);
        }
        if fragment.message != self.message {
            self.message = fragment.message;
            self.pieces.clear();
        }
        if fragment.bytes.len() == fragment.length {
            return self.read(fragment.kind, fragment.bytes);
        }
        if self.pieces.len() < PIECES {
            self.pieces.push((fragment.offset, fragment.bytes.to_vec()));
        }
        if let Some(whole) = self.assemble(fragment.length) {
            self.pieces.clear();
            return self.read(fragment.kind, &whole);
        }
        Ok(())
    }

    fn assemble(&self, length: usize) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        while whole.len() < length {
            let next = self.pieces.iter().find_map(|(offset, bytes)| {
                let news = bytes.get(whole.len().checked_sub(*offset)?..)?;
                (!news.is_empty()).then_some(news)
            })?;
            whole.extend_from_slice(next);
        }
        Some(whole)
    }

    fn read(&mut self, kind: u8, hello: &[u8]) -> Result<(), Malformed> {
        let profiles = srtp_profiles(kind, hello).ok_or(Malformed)?;
        self.profiles.get_or_insert(profiles);
        Ok(())
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

    fn piece(bytes: &[u8], length: usize, offset: usize) -> Fragment<'_> {
        Fragment { kind: CLIENT_HELLO, length, message: 1, offset, bytes }
    }

    #[test]
    fn profiles_are_read_from_pieces_in_any_order() {
        let hello = hello();
        for cut in 1..hello.len() {
            let (a, b) = hello.split_at(cut);
            let mut hellos = Hellos::default();
            hellos.take(&piece(b, hello.len(), cut)).unwrap();
            assert_eq!(hellos.profiles(), None);
            hellos.take(&piece(a, hello.len(), 0)).unwrap();
            assert_eq!(hellos.profiles(), Some([1, 7].as_slice()));
        }
    }

    #[test]
    fn a_hello_cut_anywhere_is_malformed_but_for_its_extensions() {
        let hello = hello();
        let start = hello.len() - 17;
        for length in 0..hello.len() {
            let cut = &hello[..length];
            let read = Hellos::default().take(&piece(cut, length, 0));
            assert_eq!(read.is_ok(), length == start, "{length}");
        }
    }

    #[test]
    fn lengths_have_limits() {
        let wrong = Fragment { kind: CLIENT_KEY_EXCHANGE, ..piece(&[], 0, 0) };
        assert_eq!(Hellos::default().take(&wrong), Err(Malformed));
        assert_eq!(Hellos::default().take(&piece(&[1], 20_000, 0)), Err(Malformed));
        let mut hellos = Hellos::default();
        for _ in 0..1000 {
            hellos.take(&piece(&[1], 10_000, 5)).unwrap();
        }
        assert_eq!(hellos.pieces.len(), PIECES);
    }
}
