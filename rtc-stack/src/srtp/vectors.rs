//! Whole packets of the specifications, and both directions against each other.

use bytes::BytesMut;
use proptest::prelude::*;

use super::keys::KeySet;
use super::*;
use crate::{Limits, Ssrc};

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// RFC 7714 gives the session keys, not the master keys.
fn rfc_7714_keys() -> KeySet {
    let mut keys = KeySet { key: [0; 32], salt: [0; 14], auth: [0; 20] };
    keys.key = std::array::from_fn(|at| at as u8);
    keys.salt[..12].copy_from_slice(b"Quid pro quo");
    keys
}

fn gcm(profile: Profile) -> Gcm {
    Gcm::new(profile, &rfc_7714_keys()).unwrap()
}

#[test]
fn rtp_of_rfc_7714_16() {
    let header = "8040f17b 8041f8d3 5501a0b2";
    let sealed = [
        (
            Profile::AeadAes128Gcm,
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Profile::AeadAes256Gcm,
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ];
    for (profile, sealed) in sealed {
        let plain = [&hex(header)[..], b"Gallia est omnis divisa in partes tres"].concat();
        let sealed = [hex(header), hex(sealed)].concat();
        let mut packet = [&plain[..], &[0; 16]].concat();
        gcm(profile).seal_rtp(12, 0x5501_a0b2, 0xf17b, &mut packet).unwrap();
        assert_eq!(packet, sealed);
        gcm(profile).open_rtp(12, 0x5501_a0b2, 0xf17b, &mut packet).unwrap();
        assert_eq!(packet[..plain.len()], plain);
    }
}

const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 \
                    4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef";

#[test]
fn rtcp_of_rfc_7714_17_that_is_encrypted() {
    let sealed = [
        (
            Profile::AeadAes128Gcm,
            "81c8000d 4d617273 \
             63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda \
             4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        ),
        (
            Profile::AeadAes256Gcm,
            "81c8000d 4d617273 \
             d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be \
             8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        ),
    ];
    let (plain, word) = (hex(RTCP), 0x8000_05d4);
    for (profile, sealed) in sealed {
        let mut packet = [&plain[..], &[0; 20]].concat();
        packet[plain.len() + 16..].copy_from_slice(&u32::to_be_bytes(word));
        gcm(profile).seal_rtcp(0x4d61_7273, word, &mut packet).unwrap();
        assert_eq!(packet, hex(sealed));
        gcm(profile).open_rtcp(0x4d61_7273, word, &mut packet).unwrap();
        assert_eq!(packet[..plain.len()], plain);
    }
}

/// The packets of the same section that are authenticated alone. WebRTC has none of them (RFC 8827, 6.5): their tags
/// are right, and yet they are refused by the bit that says so.
#[test]
fn rtcp_of_rfc_7714_17_that_is_only_authenticated_is_refused() {
    let tags = [
        (Profile::AeadAes128Gcm, "841dd968 3dd78ec9 2ae58790 125f62b3 000005d4"),
        (Profile::AeadAes256Gcm, "91db4afb feee5a97 8fab4393 ed2615fe 000005d4"),
    ];
    for (profile, tag) in tags {
        let key = vec![0; profile.key_len()];
        let mut keys = SessionKeys::from_master(profile, &key, &[0; 12]).unwrap();
        keys.rtcp = rfc_7714_keys();
        let mut packet = [hex(RTCP), hex(tag)].concat();
        let refused = Inbound::new(keys, &Limits::default()).open_rtcp(&mut packet);
        assert_eq!(refused, Err(SrtpError::NotEncrypted));
        assert_eq!(packet[..RTCP.replace(' ', "").len() / 2], hex(RTCP));
    }
}

/// RFC 3711 has no whole packets. These are what implementations check AES-CM with; the keys are those of RFC 3711, B.3.
#[test]
fn packets_of_aes_cm() {
    let keys = SessionKeys::from_master(
        Profile::Aes128CmHmacSha1_80,
        &hex("e1f97a0d3e018be0d64fa32c06de4139"),
        &hex("0ec675ad498afeebb6960b3aabe6"),
    )
    .unwrap();
    let mut outbound = Outbound::new(&keys).unwrap();
    let mut inbound = Inbound::new(keys, &Limits::default());

    let plain = [hex("800f1234decafbadcafebabe"), vec![0xab; 16]].concat();
    let mut packet = [&plain[..], &[0; 10]].concat();
    outbound.seal_rtp(12, 0x1234, &mut packet).unwrap();
    let sealed = "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb";
    assert_eq!(packet, hex(sealed));
    let opened = inbound.open_rtp(&mut packet).unwrap();
    assert_eq!((opened.index, opened.header.fields.ssrc), (0x1234, Ssrc(0xcafe_babe)));
    assert_eq!(packet[..opened.len], plain);

    let plain = [hex("81c8000bcafebabe"), vec![0xab; 16]].concat();
    let mut first = BytesMut::from(&plain[..]);
    outbound.seal_rtcp(&mut first, 0).unwrap();
    let mut packet = BytesMut::from(&plain[..]);
    outbound.seal_rtcp(&mut packet, 0).unwrap();
    let sealed = "81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798";
    assert_eq!(packet, hex(sealed));
    assert_eq!(inbound.open_rtcp(&mut packet), Ok(plain.len()));
    assert_eq!(packet[..plain.len()], plain);
}

fn pair(profile: Profile) -> (Outbound, Inbound) {
    let material: Vec<u8> = (0..).take(profile.keying_material_len()).collect();
    let (keys, _) = SessionKeys::from_exporter(profile, &material, true).unwrap();
    let (_, same) = SessionKeys::from_exporter(profile, &material, false).unwrap();
    (Outbound::new(&keys).unwrap(), Inbound::new(same, &Limits::default()))
}

fn sealed(outbound: &Outbound, ssrc: u32, index: u64, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend((index as u16).to_be_bytes());
    packet.extend([0, 0, 0, 1]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet.resize(packet.len() + outbound.profile().rtp_overhead(), 0);
    outbound.seal_rtp(12, index, &mut packet).unwrap();
    packet
}

fn sealed_rtcp(outbound: &mut Outbound) -> Vec<u8> {
    let mut packet = BytesMut::from(&[0x80, 201, 0, 1, 0, 0, 0, 7, 1, 2, 3, 4][..]);
    outbound.seal_rtcp(&mut packet, 0).unwrap();
    packet.to_vec()
}

#[test]
fn indices_go_on_over_rollovers_and_reordering_around_them() {
    for profile in Profile::ALL {
        let (outbound, mut inbound) = pair(profile);
        for index in [65_530, 65_535, 65_537, 65_534, 65_536, 98_304, 131_071, 131_072, 131_070] {
            let mut packet = sealed(&outbound, 5, index, b"x");
            assert_eq!(inbound.open_rtp(&mut packet).unwrap().index, index);
        }
        let mut packet = sealed(&outbound, 5, 131_072, b"x");
        let replayed = Err(SrtpError::Replayed { index: 131_072 });
        assert_eq!(inbound.open_rtp(&mut packet), replayed);
        let mut packet = sealed(&outbound, 5, 130_000, b"x");
        let old = Err(SrtpError::TooOld { index: 130_000, newest: 131_072 });
        assert_eq!(inbound.open_rtp(&mut packet), old);
    }
}

#[test]
fn nothing_changes_by_packets_that_do_not_authenticate() {
    for profile in Profile::ALL {
        let (mut outbound, mut inbound) = pair(profile);
        inbound.open_rtp(&mut sealed(&outbound, 5, 100, b"x")).unwrap();
        // Were it believed, the packets that follow would be too old.
        let mut forged = sealed(&outbound, 5, 30_000, b"x");
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(inbound.open_rtp(&mut forged), Err(SrtpError::Unauthentic));
        assert_eq!(inbound.open_rtp(&mut sealed(&outbound, 5, 101, b"x")).unwrap().index, 101);

        let packet = sealed_rtcp(&mut outbound);
        let at = packet.len() - if profile.is_aead() { 4 } else { 14 };
        let mut forged = packet.clone();
        forged[at + 1] = 0xff;
        assert_eq!(inbound.open_rtcp(&mut forged), Err(SrtpError::Unauthentic));
        let mut plain = packet.clone();
        plain[at] &= 0x7f;
        assert_eq!(inbound.open_rtcp(&mut plain), Err(SrtpError::NotEncrypted));
        assert_eq!(inbound.open_rtcp(&mut packet.clone()), Ok(12));
        assert_eq!(inbound.open_rtcp(&mut packet.clone()), Err(SrtpError::Replayed { index: 0 }));
    }
}

#[test]
fn every_changed_bit_and_every_cut_is_noticed() {
    for profile in Profile::ALL {
        let (mut outbound, mut inbound) = pair(profile);
        let rtp = sealed(&outbound, 5, 100, b"payload");
        let rtcp = sealed_rtcp(&mut outbound);
        for bit in 0..rtp.len() * 8 {
            let mut packet = rtp.clone();
            packet[bit / 8] ^= 1 << (bit % 8);
            assert!(inbound.open_rtp(&mut packet).is_err(), "bit {bit}");
        }
        for bit in 0..rtcp.len() * 8 {
            let mut packet = rtcp.clone();
            packet[bit / 8] ^= 1 << (bit % 8);
            assert!(inbound.open_rtcp(&mut packet).is_err(), "bit {bit}");
        }
        for length in 0..rtp.len() {
            assert!(inbound.open_rtp(&mut rtp[..length].to_vec()).is_err());
        }
        for length in 0..rtcp.len() {
            assert!(inbound.open_rtcp(&mut rtcp[..length].to_vec()).is_err());
        }
        let short = SrtpError::TooShort { length: 12, needed: 12 + profile.rtp_overhead() };
        assert_eq!(inbound.open_rtp(&mut rtp[..12].to_vec()), Err(short));
        let short = SrtpError::TooShort { length: 8, needed: 8 + profile.rtcp_overhead() };
        assert_eq!(inbound.open_rtcp(&mut rtcp[..8].to_vec()), Err(short));
        assert!(inbound.open_rtp(&mut rtp.clone()).is_ok());
        assert!(inbound.open_rtcp(&mut rtcp.clone()).is_ok());
    }
}

proptest! {
    #[test]
    fn what_was_sealed_is_opened(
        payload in proptest::collection::vec(any::<u8>(), 0..300), ssrc: u32, first: u16,
        profile in proptest::sample::select(&Profile::ALL[..]),
        steps in proptest::collection::vec(1_u64..30_000, 1..20),
    ) {
        let (outbound, mut inbound) = pair(profile);
        let mut index = u64::from(first);
        for step in steps {
            let mut packet = sealed(&outbound, ssrc, index, &payload);
            let opened = inbound.open_rtp(&mut packet).unwrap();
            prop_assert_eq!(opened.index, index);
            prop_assert_eq!(&packet[12..opened.len], &payload[..]);
            index += step;
        }
    }
}
