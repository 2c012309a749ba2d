//! What is sealed here, the `webrtc-srtp` crate opens, byte for byte as it would seal it itself; and the other way
//! round. That crate reads headers before it knows whether they are authentic: it is given well-formed packets alone.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use rtc_stack::Limits;
use rtc_stack::rtp::Header;
use rtc_stack::srtp::{Inbound, Outbound, Profile, SessionKeys, SrtpError};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

/// One direction: a sender and a receiver of either implementation, with the same keys.
struct Both {
    profile: Profile,
    outbound: Outbound,
    inbound: Inbound,
    sender: Context,
    receiver: Context,
}

impl Both {
    /// The direction of the client or of the server of a handshake that exported this.
    fn new(profile: Profile, material: &[u8], of_client: bool) -> Self {
        let (keys, _) = SessionKeys::from_exporter(profile, material, of_client).unwrap();
        // RFC 5764, 4.2: both keys, then both salts.
        let (key, salt) = (profile.key_len(), profile.salt_len());
        let (key_at, salt_at) = if of_client { (0, 2 * key) } else { (key, 2 * key + salt) };
        let context = || {
            let (key, salt) = (&material[key_at..][..key], &material[salt_at..][..salt]);
            Context::new(key, salt, their_name(profile), None, None).unwrap()
        };
        Self {
            profile,
            outbound: Outbound::new(&keys).unwrap(),
            inbound: Inbound::new(keys, &Limits::default()),
            sender: context(),
            receiver: context(),
        }
    }

    fn seal_rtp(&self, plain: &[u8], index: u64) -> Vec<u8> {
        let mut packet = plain.to_vec();
        packet.resize(plain.len() + self.profile.rtp_overhead(), 0);
        let header = Header::parse(plain).unwrap().len();
        self.outbound.seal_rtp(header, index, &mut packet).unwrap();
        packet
    }

    fn seal_rtcp(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut packet = BytesMut::from(plain);
        self.outbound.seal_rtcp(&mut packet, 0).unwrap();
        packet.to_vec()
    }

    fn open_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut packet = packet.to_vec();
        let length = self.inbound.open_rtcp(&mut packet).unwrap();
        packet.truncate(length);
        packet
    }
}

fn their_name(profile: Profile) -> ProtectionProfile {
    match profile {
        Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        Profile::Aes128CmHmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
    }
}

/// What a packet is made of, beside its number.
#[derive(Debug, Clone)]
struct Shape {
    ssrc: u32,
    marker: bool,
    sources: Vec<u32>,
    /// What says which extension it is, and its bytes: a multiple of four.
    extension: Option<(u16, Vec<u8>)>,
    payload: Vec<u8>,
    padding: u8,
}

impl Shape {
    fn packet(&self, index: u64) -> Vec<u8> {
        let mut packet = vec![0x80 | self.sources.len() as u8, 96 | u8::from(self.marker) << 7];
        packet[0] |= u8::from(self.extension.is_some()) << 4 | u8::from(self.padding > 0) << 5;
        packet.extend((index as u16).to_be_bytes());
        packet.extend((index as u32).wrapping_mul(3000).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(self.sources.iter().flat_map(|source| source.to_be_bytes()));
        if let Some((kind, bytes)) = &self.extension {
            packet.extend(kind.to_be_bytes());
            packet.extend((bytes.len() as u16 / 4).to_be_bytes());
            packet.extend(bytes);
        }
        packet.extend(&self.payload);
        packet.extend(std::iter::repeat_n(self.padding, usize::from(self.padding)));
        packet
    }
}

fn extensions() -> impl Strategy<Value = Option<(u16, Vec<u8>)>> {
    let padded = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    // RFC 8285: elements with a header of one byte, or of two.
    let one_byte = (1_u8..15, vec(any::<u8>(), 1..=16)).prop_map(move |(id, value)| {
        let head = id << 4 | (value.len() - 1) as u8;
        (0xbede, padded([&[head][..], &value].concat()))
    });
    let two_bytes = (1_u8.., vec(any::<u8>(), 0..40)).prop_map(move |(id, value)| {
        (0x1000, padded([&[id, value.len() as u8][..], &value].concat()))
    });
    let other = vec(any::<u32>(), 0..5)
        .prop_map(|words| (0x1234, words.into_iter().flat_map(u32::to_be_bytes).collect()));
    proptest::option::of(prop_oneof![one_byte, two_bytes, other])
}

fn shapes() -> impl Strategy<Value = Shape> {
    let sources = vec(any::<u32>(), 0..=15);
    (1_u32..4, any::<bool>(), sources, extensions(), vec(any::<u8>(), 0..200), 0_u8..20).prop_map(
        |(ssrc, marker, sources, extension, payload, padding)| Shape {
            ssrc,
            marker,
            sources,
            extension,
            payload,
            padding,
        },
    )
}

fn directions() -> impl Strategy<Value = Both> {
    let profiles = proptest::sample::select(&Profile::ALL[..]);
    (profiles, vec(any::<u8>(), 88), any::<bool>())
        .prop_map(|(profile, material, of_client)| Both::new(profile, &material, of_client))
}

impl std::fmt::Debug for Both {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.profile.fmt(f)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Sources whose numbers begin anew again and again, each by steps of its own.
    #[test]
    fn rtp_is_the_same(
        mut both in directions(),
        firsts in proptest::array::uniform3(any::<u16>()),
        packets in vec((shapes(), 1_u64..20_000), 1..40),
    ) {
        let mut indices = firsts.map(u64::from);
        for (shape, step) in packets {
            let index = &mut indices[shape.ssrc as usize - 1];
            let plain = shape.packet(*index);
            let sealed = both.seal_rtp(&plain, *index);
            prop_assert_eq!(&sealed[..], &both.sender.encrypt_rtp(&plain).unwrap()[..]);
            prop_assert_eq!(&both.receiver.decrypt_rtp(&sealed).unwrap()[..], &plain[..]);
            let mut packet = sealed;
            let opened = both.inbound.open_rtp(&mut packet).unwrap();
            prop_assert_eq!(opened.index, *index);
            prop_assert_eq!(&packet[..opened.len], &plain[..]);
            *index += step;
        }
    }

    /// What comes in another order than it was sent, around the place where numbers begin anew.
    #[test]
    fn rtp_out_of_order_is_opened_alike(
        mut both in directions(), shape in shapes(), swaps in vec(any::<bool>(), 100),
    ) {
        let mut indices: Vec<u64> = (65_486..65_586).collect();
        for (at, swap) in swaps.into_iter().enumerate().skip(2) {
            if swap {
                indices.swap(at - 1, at);
            }
        }
        for index in indices {
            let plain = shape.packet(index);
            let mut sealed = both.seal_rtp(&plain, index);
            prop_assert_eq!(&both.receiver.decrypt_rtp(&sealed).unwrap()[..], &plain[..]);
            let opened = both.inbound.open_rtp(&mut sealed).unwrap();
            prop_assert_eq!((opened.index, &sealed[..opened.len]), (index, &plain[..]));
        }
    }

    /// Compounds of any length, each with the next index.
    #[test]
    fn rtcp_is_the_same(mut both in directions(), bodies in vec(vec(any::<u32>(), 0..40), 1..40)) {
        // That crate's first index is 1.
        both.seal_rtcp(&report(9, &[]));
        for body in bodies {
            let plain = report(7, &body);
            let sealed = both.seal_rtcp(&plain);
            prop_assert_eq!(&sealed[..], &both.sender.encrypt_rtcp(&plain).unwrap()[..]);
            prop_assert_eq!(&both.receiver.decrypt_rtcp(&sealed).unwrap()[..], &plain[..]);
            prop_assert_eq!(both.open_rtcp(&sealed), plain);
        }
    }
}

/// A packet of RTCP with this much behind its sender.
fn report(ssrc: u32, body: &[u32]) -> Vec<u8> {
    let length = body.len() as u16 + 1;
    let mut packet = vec![0x80, 201];
    packet.extend(length.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(body.iter().flat_map(|word| word.to_be_bytes()));
    packet
}

fn direction(profile: Profile) -> Both {
    let material: Vec<u8> = (0..88).collect();
    Both::new(profile, &material, true)
}

#[test]
fn the_index_of_rtcp_goes_on_beyond_two_bytes() {
    for profile in Profile::ALL {
        let mut both = direction(profile);
        let plain = report(7, &[1, 2, 3]);
        for index in 0..66_000_u32 {
            let sealed = both.seal_rtcp(&plain);
            if index.is_multiple_of(1000) || (65_530..65_540).contains(&index) {
                assert_eq!(both.receiver.decrypt_rtcp(&sealed).unwrap(), plain, "{index}");
                assert_eq!(both.open_rtcp(&sealed), plain, "{index}");
            }
        }
    }
}

/// RFC 3711, 3.3.1: the receiver's count of rollovers begins with zero, and nothing in DTLS-SRTP tells another. A
/// source that is first heard after its numbers have begun anew stays unheard, here as there.
#[test]
fn a_source_that_is_first_heard_after_a_rollover_does_not_authenticate() {
    let shape = Shape {
        ssrc: 1,
        marker: false,
        sources: Vec::new(),
        extension: None,
        payload: vec![5; 40],
        padding: 0,
    };
    for profile in Profile::ALL {
        let mut both = direction(profile);
        both.sender.encrypt_rtp(&shape.packet(65_535)).unwrap();
        let late = both.sender.encrypt_rtp(&shape.packet(65_536)).unwrap();
        assert!(both.receiver.decrypt_rtp(&late).is_err());
        assert_eq!(both.inbound.open_rtp(&mut late.to_vec()), Err(SrtpError::Unauthentic));
        // It has left no trace: the packet before it is the source's first.
        let mut first = both.seal_rtp(&shape.packet(65_535), 65_535);
        assert_eq!(both.inbound.open_rtp(&mut first).unwrap().index, 65_535);
        assert_eq!(both.inbound.open_rtp(&mut late.to_vec()).unwrap().index, 65_536);
    }
}
