use bytes::{BufMut, BytesMut};

use super::digest::{self, Digest, Scheme, Signer};
use super::packet::Gather;
use super::{HandshakeError, HandshakeForm, packet, version};
use crate::random::Random;

/// The version that C1 of the complex form names: that of a Flash Player which knows digests.
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];

/// The client's side: writes C0, C1 and C2, reads S0, S1 and S2.
#[derive(Debug, Clone)]
pub struct ClientHandshake {
    random: Random,
    /// The digest in C1; none once the server has answered it simply.
    digest: Option<Digest>,
    state: State,
    gather: Gather,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    S0,
    S1,
    S2,
    Done,
}

impl ClientHandshake {
    /// Appends C0 and C1 to `out` and starts to wait for S0. The seed chooses the random bytes.
    ///
    /// C1 of the complex form is good for every server: those that know no digests take it for random bytes.
    pub fn new(form: HandshakeForm, seed: u64, out: &mut BytesMut) -> Self {
        let mut random = Random::new(seed);
        out.put_u8(version::VERSION);
        let digest = match form {
            HandshakeForm::Simple => {
                out.put_slice(&packet::simple(&mut random));
                None
            }
            HandshakeForm::Complex => {
                let signer = Signer::Client;
                let (c1, digest) = digest::hello(Scheme::Zero, signer, CLIENT_VERSION, &mut random);
                out.put_slice(&c1);
                Some(digest)
            }
        };
        Self { random, digest, state: State::S0, gather: Gather::default() }
    }

    /// The form, as far as it has come: complex as long as all that was received has the digests that belong there.
    pub const fn form(&self) -> HandshakeForm {
        match self.digest {
            Some(_) => HandshakeForm::Complex,
            None => HandshakeForm::Simple,
        }
    }

    /// Takes the handshake's bytes off the front of `input` and appends the answer to `out`.
    ///
    /// Answers true once the handshake is complete; what is left in `input` are chunks. A server whose S1 has no digest,
    /// or a wrong one, gets the simple C2. S2 should echo C1 or have a digest, but servers in use change parts of it, so
    /// that it decides nothing but the [`form`](Self::form).
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] for the first byte; nothing else can be wrong.
    pub fn receive(
        &mut self,
        input: &mut &[u8],
        out: &mut BytesMut,
    ) -> Result<bool, HandshakeError> {
        if self.state == State::S0 {
            let Some((&s0, rest)) = input.split_first() else { return Ok(false) };
            version::check(s0)?;
            *input = rest;
            self.state = State::S1;
        }
        if self.state == State::S1 {
            let Some(s1) = self.gather.take(input) else { return Ok(false) };
            match self.digest.and_then(|_| digest::find(Signer::Server, &s1)) {
                Some((_, digest)) => {
                    out.put_slice(&digest::answer(Signer::Client, &digest, &mut self.random));
                }
                None => {
                    self.digest = None;
                    // C2 echoes S1 (specification 5.2.4).
                    out.put_slice(&s1);
                }
            }
            self.state = State::S2;
        }
        if self.state == State::S2
            && let Some(s2) = self.gather.take(input)
        {
            self.digest = self.digest.filter(|own| digest::is_answer(Signer::Server, own, &s2));
            self.state = State::Done;
        }
        Ok(self.state == State::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::digest::tests::{KNOWN, known};
    use super::super::packet::Packet;
    use super::super::{PACKET_SIZE, ServerHandshake};
    use super::*;

    const FORMS: [HandshakeForm; 2] = [HandshakeForm::Simple, HandshakeForm::Complex];

    #[test]
    fn both_sides_meet_in_any_split() {
        for form in FORMS {
            for piece in [1, 2, 7, 1536, 1537, usize::MAX] {
                let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
                let mut client = ClientHandshake::new(form, 1, &mut to_server);
                let mut server = ServerHandshake::new(2);
                let (mut client_done, mut server_done) = (false, false);
                for _ in 0..2 {
                    for mut bytes in to_server.split().chunks(piece) {
                        server_done = server.receive(&mut bytes, &mut to_client).unwrap();
                    }
                    for mut bytes in to_client.split().chunks(piece) {
                        client_done = client.receive(&mut bytes, &mut to_server).unwrap();
                    }
                }
                assert!(client_done && server_done);
                assert_eq!((client.form(), server.form()), (form, form));
            }
        }
    }

    /// C2 of a client that gets this S1.
    fn c2(form: HandshakeForm, s1: &Packet) -> (Packet, HandshakeForm) {
        let mut out = BytesMut::new();
        let mut client = ClientHandshake::new(form, 1, &mut out);
        out.clear();
        let bytes = [&[3], &s1[..]].concat();
        assert_eq!(client.receive(&mut &bytes[..], &mut out), Ok(false));
        (Packet::try_from(&out[..]).unwrap(), client.form())
    }

    #[test]
    fn c1_has_a_digest_or_no_version() {
        let mut out = BytesMut::new();
        ClientHandshake::new(HandshakeForm::Simple, 1, &mut out);
        assert_eq!(
            (out[..9].to_vec(), out.len()),
            (vec![3, 0, 0, 0, 0, 0, 0, 0, 0], 1 + PACKET_SIZE)
        );
        out.clear();
        ClientHandshake::new(HandshakeForm::Complex, 1, &mut out);
        assert_eq!(out[..9], [3, 0, 0, 0, 0, 9, 0, 124, 2]);
        let c1 = Packet::try_from(&out[1..]).unwrap();
        assert!(matches!(digest::find(Signer::Client, &c1), Some((Scheme::Zero, _))));
    }

    #[test]
    fn a_simple_server_gets_its_s1_back() {
        // Zero version, the version of a server without digests, a digest that is wrong.
        let mut wrong = known(3, [3, 5, 1, 1], KNOWN[0].s1.0, KNOWN[0].s1.1);
        wrong[KNOWN[0].s1.0] ^= 1;
        for s1 in [[0; PACKET_SIZE], [5; PACKET_SIZE], wrong] {
            for form in FORMS {
                assert_eq!(c2(form, &s1), (s1, HandshakeForm::Simple));
            }
        }
    }

    #[test]
    fn a_server_may_answer_in_either_scheme() {
        for entry in KNOWN {
            let s1 = known(3, [3, 5, 1, 1], entry.s1.0, entry.s1.1);
            let (_, digest) = digest::find(Signer::Server, &s1).unwrap();
            let (c2, form) = c2(HandshakeForm::Complex, &s1);
            assert_eq!(form, HandshakeForm::Complex);
            assert!(digest::is_answer(Signer::Client, &digest, &c2));
        }
        // Who did not ask for digests does not see them.
        let s1 = known(3, [3, 5, 1, 1], KNOWN[0].s1.0, KNOWN[0].s1.1);
        assert_eq!(c2(HandshakeForm::Simple, &s1), (s1, HandshakeForm::Simple));
    }

    #[test]
    fn an_s2_without_the_digest_is_no_error() {
        let mut out = BytesMut::new();
        let mut client = ClientHandshake::new(HandshakeForm::Complex, 1, &mut out);
        let s1 = known(3, [3, 5, 1, 1], KNOWN[1].s1.0, KNOWN[1].s1.1);
        let bytes = [&[3], &s1[..], &[9; PACKET_SIZE + 1]].concat();
        let mut input = &bytes[..];
        assert_eq!(client.receive(&mut input, &mut out), Ok(true));
        assert_eq!((input, client.form()), (&[9][..], HandshakeForm::Simple));
    }
}
