use bytes::{BufMut, BytesMut};

use super::packet::Gather;
use super::{HandshakeError, packet, version};
use crate::random::Random;

/// The client's side: writes C0, C1 and C2, reads S0, S1 and S2.
#[derive(Debug, Clone)]
pub struct ClientHandshake {
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
    /// Appends C0 and C1 to `out` and starts to wait for S0. The seed chooses the random bytes of C1.
    pub fn new(seed: u64, out: &mut BytesMut) -> Self {
        out.put_u8(version::VERSION);
        out.put_slice(&packet::simple(&mut Random::new(seed)));
        Self { state: State::S0, gather: Gather::default() }
    }

    /// Takes the handshake's bytes off the front of `input` and appends the answer to `out`.
    ///
    /// Answers true once the handshake is complete; what is left in `input` are chunks. S2 should echo C1, but servers
    /// in use change parts of it, so it is not compared.
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
            // C2 echoes S1 (specification 5.2.4).
            out.put_slice(&s1);
            self.state = State::S2;
        }
        if self.state == State::S2 && self.gather.take(input).is_some() {
            self.state = State::Done;
        }
        Ok(self.state == State::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PACKET_SIZE, ServerHandshake};
    use super::*;

    #[test]
    fn both_sides_meet_byte_by_byte() {
        let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
        let mut client = ClientHandshake::new(1, &mut to_server);
        let mut server = ServerHandshake::new(2);
        let (mut client_done, mut server_done) = (false, false);
        for _ in 0..2 {
            for byte in to_server.split() {
                server_done = server.receive(&mut &[byte][..], &mut to_client).unwrap();
            }
            for byte in to_client.split() {
                client_done = client.receive(&mut &[byte][..], &mut to_server).unwrap();
            }
        }
        assert!(client_done && server_done);
    }

    #[test]
    fn c2_echoes_s1() {
        let mut out = BytesMut::new();
        let mut client = ClientHandshake::new(1, &mut out);
        assert_eq!((out[0], out.len()), (3, 1 + PACKET_SIZE));
        out.clear();
        let mut bytes = vec![3];
        bytes.extend([5; PACKET_SIZE]);
        assert_eq!(client.receive(&mut &bytes[..], &mut out), Ok(false));
        assert_eq!(out[..], [5; PACKET_SIZE]);
    }
}
