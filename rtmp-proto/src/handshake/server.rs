use bytes::{BufMut, BytesMut};

use super::packet::{Gather, PACKET_SIZE, Packet};
use super::{HandshakeError, packet, version};
use crate::random::Random;

/// The server's side: reads C0, C1 and C2, writes S0, S1 and S2.
#[derive(Debug, Clone)]
pub struct ServerHandshake {
    random: Random,
    state: State,
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
        Self { random: Random::new(seed), state: State::C0, gather: Gather::default() }
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

    /// Writes S0, S1 and S2. S2 is C1 byte for byte: librtmp compares the two.
    fn answer(&mut self, c1: &Packet, out: &mut BytesMut) {
        out.reserve(PACKET_SIZE.saturating_mul(2).saturating_add(1));
        out.put_u8(version::VERSION);
        out.put_slice(&packet::simple(&mut self.random));
        out.put_slice(c1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
