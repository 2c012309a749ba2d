//! The digest that the complex form hides in C1 and S1, and the one that ends C2 and S2.
//!
//! No published specification has it; Flash Player 9 and Flash Media Server brought it, and servers and clients in use
//! agree on what is here.

use hmac_sha256::HMAC;

use super::packet::{PACKET_SIZE, Packet};
use crate::random::Random;

/// An HMAC-SHA256.
pub(super) type Digest = [u8; DIGEST_SIZE];

const DIGEST_SIZE: usize = 32;
/// Where the digest of C2 and S2 stands: at the end.
const ANSWER: usize = PACKET_SIZE - DIGEST_SIZE;
/// A digest starts at one of so many places in its half of the packet.
const PLACES: usize = 764 - 4 - DIGEST_SIZE;

/// Both keys are a name and these bytes; C1 and S1 are signed with the name alone.
const SECRET: [u8; 32] = [
    0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e, 0x57,
    0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb, 0x31, 0xae,
];

/// Who has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    Client,
    Server,
}

impl Signer {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Client => b"Genuine Adobe Flash Player 001",
            Self::Server => b"Genuine Adobe Flash Media Server 001",
        }
    }
}

/// In which half of C1 and S1 the digest is. The other has a key that only the encrypted variant needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Scheme 0: the offset is in bytes 8 to 11, the digest behind it.
    Zero,
    /// Scheme 1: the offset is in bytes 772 to 775, the digest behind it.
    One,
}

impl Scheme {
    /// Where the digest of this packet starts: its offset is the sum of four bytes.
    fn place(self, packet: &Packet) -> usize {
        let at: usize = match self {
            Self::Zero => 8,
            Self::One => 772,
        };
        let offset = packet.get(at..).and_then(|rest| rest.first_chunk::<4>()).copied();
        let sum: usize = offset.unwrap_or_default().into_iter().map(usize::from).sum();
        at.saturating_add(4).saturating_add(sum % PLACES)
    }

    /// The digest that stands in a C1 or S1, and the one that should.
    fn digests(self, signer: Signer, packet: &Packet) -> Option<(Digest, Digest)> {
        let (before, rest) = packet.split_at_checked(self.place(packet))?;
        let (found, after) = rest.split_first_chunk()?;
        let mut mac = HMAC::new(signer.name());
        mac.update(before);
        mac.update(after);
        Some((*found, mac.finalize()))
    }

    /// Writes the digest into a C1 or S1 and answers it.
    pub(super) fn sign(self, signer: Signer, packet: &mut Packet) -> Digest {
        let digest = self.digests(signer, packet).map(|(_, digest)| digest).unwrap_or_default();
        let place = self.place(packet);
        put(packet, place, &digest);
        digest
    }
}

/// The scheme and digest of a C1 or S1 that has one.
pub(super) fn find(signer: Signer, packet: &Packet) -> Option<(Scheme, Digest)> {
    [Scheme::Zero, Scheme::One].into_iter().find_map(|scheme| {
        let (found, digest) = scheme.digests(signer, packet)?;
        (found == digest).then_some((scheme, digest))
    })
}

/// A C1 or S1 of the complex form: time 0, a version, random bytes with the digest among them.
pub(super) fn hello(
    scheme: Scheme,
    signer: Signer,
    version: [u8; 4],
    random: &mut Random,
) -> (Packet, Digest) {
    let mut packet = [0; PACKET_SIZE];
    random.fill(&mut packet);
    put(&mut packet, 0, &[0; 4]);
    put(&mut packet, 4, &version);
    let digest = scheme.sign(signer, &mut packet);
    (packet, digest)
}

/// A C2 or S2 of the complex form: random bytes, signed with what the peer's digest makes of the key.
pub(super) fn answer(signer: Signer, peer: &Digest, random: &mut Random) -> Packet {
    let mut packet = [0; PACKET_SIZE];
    random.fill(&mut packet);
    let digest = answer_digest(signer, peer, &packet);
    put(&mut packet, ANSWER, &digest);
    packet
}

/// Whether a C2 or S2 answers our digest.
pub(super) fn is_answer(signer: Signer, own: &Digest, packet: &Packet) -> bool {
    packet.get(ANSWER..) == Some(answer_digest(signer, own, packet).as_slice())
}

fn answer_digest(signer: Signer, peer: &Digest, packet: &Packet) -> Digest {
    let mut key = HMAC::new([signer.name(), &SECRET].concat());
    key.update(peer);
    HMAC::mac(packet.get(..ANSWER).unwrap_or_default(), key.finalize())
}

fn put(packet: &mut Packet, at: usize, bytes: &[u8]) {
    for (to, from) in packet.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A packet of no meaning: byte `i` is `i * 7 + add`.
    pub(in super::super) fn filler(add: u8) -> Packet {
        std::array::from_fn(|i| (i as u8).wrapping_mul(7).wrapping_add(add))
    }

    pub(in super::super) fn hex<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    /// A known C1 or S1: the filler with a version and a digest in its place.
    pub(in super::super) fn known(add: u8, version: [u8; 4], at: usize, digest: &str) -> Packet {
        let mut packet = filler(add);
        put(&mut packet, 0, &[0; 4]);
        put(&mut packet, 4, &version);
        put(&mut packet, at, &hex::<32>(digest));
        packet
    }

    /// What an implementation by Python's `hmac` and `hashlib` makes of the fillers.
    pub(in super::super) struct Known {
        pub(in super::super) scheme: Scheme,
        pub(in super::super) c1: (usize, &'static str),
        pub(in super::super) s1: (usize, &'static str),
        pub(in super::super) s2: &'static str,
        pub(in super::super) c2: &'static str,
    }

    pub(in super::super) const KNOWN: [Known; 2] = [
        Known {
            scheme: Scheme::Zero,
            c1: (282, "4e646a42afb01ca6455cf7bc68bbe341a65ae459fe5c70ac5ce3c908495531ab"),
            s1: (290, "9b756a8bb0231de2bd0134688c310ddb531087089656d83431559c14d057756c"),
            s2: "3b5c4ba147c3c8f3762677a7c07b079ab6bc31f36f7927f2bb581ea814a835ed",
            c2: "90f7a0da865892606b81d285110b8fc0c7daf105ca52898b46fdf77208bbb7b8",
        },
        Known {
            scheme: Scheme::One,
            c1: (934, "5ed3743f4eae46166a71352190411ac4b6f870e92150468289da8808890ce9c5"),
            s1: (942, "942f47bc70805625195b18256bd857265ae316d57294f84b4f9f36bf72a82211"),
            s2: "846da030ced206d425281f5a0b8422b293eff24fe771ee1aede2e0b0f536c224",
            c2: "6427f9e129448c522dbbdc315adc095931ef757041f2693d1d0fbe117aba949f",
        },
    ];

    #[test]
    fn known_digests_of_both_schemes_and_signers() {
        for Known { scheme, c1, s1, s2, c2 } in KNOWN {
            for (signer, add, version, (at, digest)) in
                [(Signer::Client, 1, [9, 0, 124, 2], c1), (Signer::Server, 3, [3, 5, 1, 1], s1)]
            {
                let packet = known(add, version, at, digest);
                assert_eq!(scheme.place(&packet), at);
                assert_eq!(find(signer, &packet), Some((scheme, hex(digest))));
                // Signing it again changes nothing.
                let mut again = packet;
                assert_eq!(scheme.sign(signer, &mut again), hex(digest));
                assert_eq!(again, packet);
            }
            assert_eq!(answer_digest(Signer::Server, &hex(c1.1), &filler(5)), hex(s2));
            assert_eq!(answer_digest(Signer::Client, &hex(s1.1), &filler(9)), hex(c2));
        }
    }

    #[test]
    fn every_byte_is_covered() {
        for Known { c1: (at, digest), .. } in KNOWN {
            let packet = known(1, [9, 0, 124, 2], at, digest);
            for index in 0..PACKET_SIZE {
                let mut changed = packet;
                changed[index] ^= 0x40;
                assert_eq!(find(Signer::Client, &changed), None, "{index}");
            }
            assert_eq!(find(Signer::Server, &packet), None);
        }
    }

    #[test]
    fn every_place_is_in_the_packet() {
        for scheme in [Scheme::Zero, Scheme::One] {
            let mut random = Random::new(4);
            for _ in 0..300 {
                let (packet, digest) = hello(scheme, Signer::Server, [3, 5, 1, 1], &mut random);
                assert_eq!(find(Signer::Server, &packet), Some((scheme, digest)));
            }
            let all = [0xff; PACKET_SIZE];
            assert!(scheme.place(&all) + DIGEST_SIZE <= PACKET_SIZE);
        }
    }

    #[test]
    fn answers_belong_to_one_digest() {
        let answer = answer(Signer::Server, &[7; 32], &mut Random::new(1));
        assert!(is_answer(Signer::Server, &[7; 32], &answer));
        assert!(!is_answer(Signer::Server, &[8; 32], &answer));
        assert!(!is_answer(Signer::Client, &[7; 32], &answer));
    }
}
