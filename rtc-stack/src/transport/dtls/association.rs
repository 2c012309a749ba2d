//! What stays of a handshake: its last flight, and the keys of the alert protocol.

use bytes::Bytes;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;

use super::record::{ALERT, CHANGE_CIPHER_SPEC, HEADER, records};
use crate::dtls::{Association, Reaction, Role};

const KEY: usize = 16;
const SALT: usize = 4;
const EXPLICIT_NONCE: usize = 8;
const TAG: usize = 16;
/// How often the last flight is repeated at most, whoever asks: 30 s of a peer that asks each second.
const REPEATS: u8 = 32;
const CLOSE_NOTIFY: u8 = 0;
const FATAL: u8 = 2;

/// AES-128-GCM of one direction (RFC 5288), the only cipher that is negotiated.
#[derive(Clone, Copy)]
struct WriteKey {
    key: [u8; KEY],
    salt: [u8; SALT],
}

impl WriteKey {
    fn aead(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_128_GCM, &self.key).ok().map(LessSafeKey::new)
    }

    fn nonce(&self, explicit: [u8; EXPLICIT_NONCE]) -> Nonce {
        let [s0, s1, s2, s3] = self.salt;
        let [e0, e1, e2, e3, e4, e5, e6, e7] = explicit;
        Nonce::assume_unique_for_key([s0, s1, s2, s3, e0, e1, e2, e3, e4, e5, e6, e7])
    }
}

/// What the sides agreed on and each keeps (RFC 5246, 6.3).
pub(super) struct Secrets<'a> {
    pub(super) master: &'a [u8],
    pub(super) client_random: &'a [u8],
    pub(super) server_random: &'a [u8],
}

/// The next record sequence numbers of each epoch, and the flight that the peer may have missed.
#[derive(Debug, Default, Clone)]
pub(super) struct Sent {
    pub(super) plain: u64,
    pub(super) sealed: u64,
    pub(super) last_flight: Vec<Bytes>,
}

/// A finished handshake of crate `dtls`, which is gone by now: under 300 bytes.
pub(super) struct Finished {
    ours: WriteKey,
    theirs: WriteKey,
    sent: Sent,
    repeats: u8,
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finished").field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl Finished {
    /// `None` if the secrets are too short for keys, which no handshake makes them.
    pub(super) fn new(role: Role, secrets: &Secrets<'_>, sent: Sent) -> Option<Self> {
        let (client, server) = write_keys(secrets)?;
        let (ours, theirs) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Some(Self { ours, theirs, sent, repeats: 0 })
    }

    /// The last flight with record sequence numbers that the peer has not seen yet. The encrypted
    /// records keep theirs, which authenticate them: the peer has not accepted them so far.
    fn repeat(&mut self) -> Vec<Bytes> {
        let mut flight = Vec::with_capacity(self.sent.last_flight.len());
        for datagram in &self.sent.last_flight {
            let mut copy = Vec::with_capacity(datagram.len());
            for record in records(datagram) {
                let start = copy.len();
                copy.extend_from_slice(record.whole);
                if record.epoch == 0 {
                    let number = self.sent.plain.to_be_bytes();
                    self.sent.plain = self.sent.plain.saturating_add(1);
                    let places = copy.iter_mut().skip(start.saturating_add(5));
                    places.zip(number.iter().skip(2)).for_each(|(place, byte)| *place = *byte);
                }
            }
            flight.push(copy.into());
        }
        flight
    }

    /// The level and description of an alert, if it is one of the peer's.
    fn open_alert(&self, header: &[u8], content: &[u8]) -> Option<[u8; 2]> {
        let (explicit, sealed) = content.split_first_chunk::<EXPLICIT_NONCE>()?;
        if sealed.len() != TAG.saturating_add(2) {
            return None;
        }
        let mut sealed = sealed.to_vec();
        let nonce = self.theirs.nonce(*explicit);
        let alert = self.theirs.aead()?.open_in_place(nonce, aad(header, 2)?, &mut sealed).ok()?;
        (&*alert).try_into().ok()
    }

    fn seal_alert(&mut self, alert: [u8; 2]) -> Option<Bytes> {
        let [_, _, s0, s1, s2, s3, s4, s5] = self.sent.sealed.to_be_bytes();
        self.sent.sealed = self.sent.sealed.saturating_add(1);
        let length = u8::try_from(EXPLICIT_NONCE.saturating_add(2).saturating_add(TAG)).ok()?;
        let header = [ALERT, 0xfe, 0xfd, 0, 1, s0, s1, s2, s3, s4, s5, 0, length];
        // The handshake's implementation drew its nonces by chance: epoch and number repeat none but by one
        // in 2^64.
        let explicit = [0, 1, s0, s1, s2, s3, s4, s5];
        let mut sealed = alert.to_vec();
        let nonce = self.ours.nonce(explicit);
        self.ours.aead()?.seal_in_place_append_tag(nonce, aad(&header, 2)?, &mut sealed).ok()?;
        Some([header.as_slice(), &explicit, &sealed].concat().into())
    }
}

impl Association for Finished {
    fn receive(&mut self, datagram: &[u8]) -> Reaction {
        let mut is_late = false;
        for record in records(datagram) {
            match (record.epoch, record.kind) {
                (1, ALERT) => {
                    let header = record.whole.get(..HEADER).unwrap_or_default();
                    let alert = self.open_alert(header, record.content);
                    if let Some([_, CLOSE_NOTIFY] | [FATAL, _]) = alert {
                        return Reaction::Closed;
                    }
                }
                // Each copy of the peer's last flight has one of these.
                (0, CHANGE_CIPHER_SPEC) => is_late = true,
                _ => {}
            }
        }
        if is_late && self.repeats < REPEATS && !self.sent.last_flight.is_empty() {
            self.repeats = self.repeats.saturating_add(1);
            return Reaction::Retransmit(self.repeat());
        }
        Reaction::None
    }

    fn close(&mut self) -> Bytes {
        self.seal_alert([1, CLOSE_NOTIFY]).unwrap_or_default()
    }
}

/// What is authenticated beside the content: epoch, number, type, version, and the plain length.
fn aad(header: &[u8], length: u8) -> Option<Aad<[u8; 13]>> {
    let [kind, v0, v1, e0, e1, s0, s1, s2, s3, s4, s5, _, _] = *header.first_chunk::<HEADER>()?;
    Some(Aad::from([e0, e1, s0, s1, s2, s3, s4, s5, kind, v0, v1, 0, length]))
}

/// The client's and the server's key (RFC 5246, 6.3): no MAC keys in an AEAD cipher.
fn write_keys(secrets: &Secrets<'_>) -> Option<(WriteKey, WriteKey)> {
    let seed = [b"key expansion", secrets.server_random, secrets.client_random].concat();
    let block = expand(secrets.master, &seed, 2 * (KEY + SALT));
    let (client, rest) = block.split_first_chunk::<KEY>()?;
    let (server, rest) = rest.split_first_chunk::<KEY>()?;
    let (client_salt, rest) = rest.split_first_chunk::<SALT>()?;
    let (server_salt, _) = rest.split_first_chunk::<SALT>()?;
    let client = WriteKey { key: *client, salt: *client_salt };
    Some((client, WriteKey { key: *server, salt: *server_salt }))
}

/// P_SHA256 (RFC 5246, 5).
fn expand(secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut out = Vec::new();
    let mut chain = hmac::sign(&key, seed);
    while out.len() < length {
        out.extend_from_slice(hmac::sign(&key, &[chain.as_ref(), seed].concat()).as_ref());
        chain = hmac::sign(&key, chain.as_ref());
    }
    out.truncate(length);
    out
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::super::record;
    use super::*;

    fn pair() -> (Finished, Finished) {
        let secrets =
            Secrets { master: &[1; 48], client_random: &[2; 32], server_random: &[3; 32] };
        let ccs = Bytes::from_static(&[20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1, 1]);
        let finished = Bytes::from_static(&[22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9]);
        let last_flight = vec![[ccs, finished].concat().into()];
        let sent = Sent { plain: 7, sealed: 1, last_flight };
        (
            Finished::new(Role::Client, &secrets, Sent::default()).unwrap(),
            Finished::new(Role::Server, &secrets, sent).unwrap(),
        )
    }

    #[test]
    fn the_pseudorandom_function_is_the_published_one() {
        // The test vector of the TLS working group's list for P_SHA256.
        let secret = hex!("9bbe436ba940f017b17652849a71db35");
        let seed = [b"test label".as_slice(), &hex!("a0ba9f936cda311827a6f796ffd5198c")].concat();
        let expected = hex!("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a");
        assert_eq!(expand(&secret, &seed, 32), expected);
    }

    #[test]
    fn a_goodbye_is_known_and_nothing_else_is_one() {
        let (mut client, mut server) = pair();
        let goodbye = server.close();
        assert_eq!(client.receive(&goodbye), Reaction::Closed);
        assert_eq!(client.receive(&server.close()), Reaction::Closed);
        assert_eq!(server.receive(&client.close()), Reaction::Closed);
        for bit in 0..goodbye.len() * 8 {
            let mut wrong = goodbye.to_vec();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(client.receive(&wrong), Reaction::None, "{bit}");
        }
        for length in 0..goodbye.len() {
            assert_eq!(client.receive(&goodbye[..length]), Reaction::None, "{length}");
        }
        let warning = server.seal_alert([1, 90]).unwrap();
        assert_eq!(client.receive(&warning), Reaction::None);
        let fatal = server.seal_alert([2, 20]).unwrap();
        assert_eq!(client.receive(&fatal), Reaction::Closed);
        assert_eq!(client.receive(&record::plain_alert(1, 0)), Reaction::None);
    }

    #[test]
    fn the_last_flight_is_repeated_with_new_numbers_and_not_for_ever() {
        let (mut client, mut server) = pair();
        let late = [20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1];
        for time in 0..REPEATS {
            let Reaction::Retransmit(flight) = server.receive(&late) else { panic!("{time}") };
            let numbers: Vec<_> =
                records(&flight[0]).map(|record| (record.epoch, record.sequence)).collect();
            assert_eq!(numbers, [(0, 7 + u64::from(time)), (1, 0)]);
        }
        assert_eq!(server.receive(&late), Reaction::None);
        assert_eq!(client.receive(&late), Reaction::None);
    }
}
