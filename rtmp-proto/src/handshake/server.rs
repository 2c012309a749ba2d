use bytes::{BufMut, BytesMut};

use super::digest::{self, Signer};
use super::packet::{Gather, PACKET_SIZE, Packet};
use super::{HandshakeError, HandshakeForm, packet, version};
use crate::random::Random;

/// The version that S1 of the complex form names: that of a Flash Media Server which knows digests.
const SERVER_VERSION: [u8; 4] = [3, 5, 1, 1];

/// The server's side: reads C0, C1 and C2, writes S0, S1 and S2.
#[derive(Debug, Clone)]
pub struct ServerHandshake {
    random: Random,
    state: State,
    form: HandshakeForm,
    gather: Gather,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    C0,
    C1,
    C2,
    Done,
}

impl ServerHandshake {
    /// Starts to wait for C0. The seed chooses the random bytes of S1.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            state: State::C0,
            form: HandshakeForm::Simple,
            gather: Gather::default(),
        }
    }

    /// The form that C1 asked for: complex if it has a digest that is right, whatever version it names.
    pub const fn form(&self) -> HandshakeForm {
        self.form
    }

    /// Takes the handshake's bytes off the front of `input` and appends the answer to `out`.
    ///
    /// Answers true once the handshake is complete; what is left in `input` are chunks. The contents of C2 are not
    /// checked, for encoders in use send anything there.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] for the first byte; nothing else can be wrong.
    pub fn receive(
        &mut self,
        input: &mut &[u8],
        out: &mut BytesMut,
    ) -> Result<bool, HandshakeError> {
        if self.state == State::C0 {
            let Some((&c0, rest)) = input.split_first() else { return Ok(false) };
            version::check(c0)?;
            *input = rest;
            self.state = State::C1;
        }
        if self.state == State::C1 {
            let Some(c1) = self.gather.take(input) else { return Ok(false) };
            self.answer(&c1, out);
            self.state = State::C2;
        }
        if self.state == State::C2 && self.gather.take(input).is_some() {
            self.state = State::Done;
        }
        Ok(self.state == State::Done)
    }

    /// Writes S0, S1 and S2, in the form of C1. The simple S2 is C1 byte for byte: librtmp compares the two.
    fn answer(&mut self, c1: &Packet, out: &mut BytesMut) {
        out.reserve(PACKET_SIZE.saturating_mul(2).saturating_add(1));
        out.put_u8(version::VERSION);
        if let Some((scheme, digest)) = digest::find(Signer::Client, c1) {
            self.form = HandshakeForm::Complex;
            let random = &mut self.random;
            let (s1, _) = digest::hello(scheme, Signer::Server, SERVER_VERSION, random);
            out.put_slice(&s1);
            out.put_slice(&digest::answer(Signer::Server, &digest, random));
        } else {
            out.put_slice(&packet::simple(&mut self.random));
            out.put_slice(c1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::digest::tests::{KNOWN, hex, known};
    use super::*;

    /// The answer to a C1 in pieces of this size, and the form.
    fn answer(c1: &Packet, piece: usize) -> (BytesMut, HandshakeForm) {
        let mut handshake = ServerHandshake::new(1);
        let mut out = BytesMut::new();
        let wire = [&[3][..], c1].concat();
        for mut input in wire.chunks(piece) {
            assert_eq!(handshake.receive(&mut input, &mut out), Ok(false));
        }
        (out, handshake.form())
    }

    #[test]
    fn a_digest_is_answered_in_its_scheme_in_any_split() {
        // The last of these is not a version that any player had.
        for version in [[9, 0, 124, 2], [10, 0, 32, 18], [0x80, 0, 7, 2], [0; 4]] {
            for entry in KNOWN {
                let (at, digest) = entry.c1;
                let mut c1 = known(1, version, at, digest);
                let digest = entry.scheme.sign(Signer::Client, &mut c1);
                let (out, form) = answer(&c1, PACKET_SIZE);
                assert_eq!(form, HandshakeForm::Complex);
                assert_eq!((out.len(), out[0]), (1 + 2 * PACKET_SIZE, 3));
                assert_eq!(out[1..9], [0, 0, 0, 0, 3, 5, 1, 1]);
                let (s1, s2) = out[1..].split_first_chunk::<PACKET_SIZE>().unwrap();
                let found = digest::find(Signer::Server, s1).map(|(scheme, _)| scheme);
                assert_eq!(found, Some(entry.scheme));
                let s2 = s2.try_into().unwrap();
                assert!(digest::is_answer(Signer::Server, &digest, s2));
                for piece in [1, 2, 7, 1000] {
                    assert_eq!(answer(&c1, piece), (out.clone(), form));
                }
            }
        }
    }

    #[test]
    fn a_digest_that_is_wrong_is_answered_simply() {
        for entry in KNOWN {
            let (at, digest) = entry.c1;
            let mut c1 = known(1, [9, 0, 124, 2], at, digest);
            assert_eq!(c1[at..][..32], hex::<32>(digest));
            c1[at] ^= 1;
            let (out, form) = answer(&c1, PACKET_SIZE);
            assert_eq!(form, HandshakeForm::Simple);
            assert_eq!(out[1..9], [0; 8]);
            assert_eq!(out[1 + PACKET_SIZE..], c1);
        }
    }

    #[test]
    fn answers_after_c1_and_ends_after_c2() {
        let mut handshake = ServerHandshake::new(1);
        let mut out = BytesMut::new();
        let mut bytes = vec![3];
        bytes.extend([1; PACKET_SIZE]);
        let mut input = &bytes[..];
        assert_eq!(handshake.receive(&mut input, &mut out), Ok(false));
        assert_eq!(out.len(), 1 + 2 * PACKET_SIZE);
        assert_eq!(out[..9], [3, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[1 + PACKET_SIZE..], [1; PACKET_SIZE]);
        let bytes = [9; PACKET_SIZE + 2];
        let mut input = &bytes[..];
        assert_eq!(handshake.receive(&mut input, &mut out), Ok(true));
        assert_eq!(input, [9, 9]);
        assert_eq!(out.len(), 1 + 2 * PACKET_SIZE);
    }

    #[test]
    fn the_first_byte_decides_at_once() {
        let mut out = BytesMut::new();
        let error = ServerHandshake::new(1).receive(&mut &b"GET / HTTP/1.1"[..], &mut out);
        assert_eq!(error, Err(HandshakeError::NotRtmp { first: b'G' }));
        assert!(out.is_empty());
    }
}
