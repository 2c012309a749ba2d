//! Messages of RFC 5769, of another implementation, and of nobody.

use std::net::SocketAddr;

use hex_literal::hex;
use proptest::prelude::*;
use stun::agent::TransactionId;
use stun::attributes::{
    ATTR_ERROR_CODE, ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_PRIORITY,
    ATTR_UNKNOWN_ATTRIBUTES, ATTR_USE_CANDIDATE, ATTR_USERNAME,
};
use stun::fingerprint::FINGERPRINT as THEIR_FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{BINDING_REQUEST as THEIR_REQUEST, Getter, Message as Theirs, Setter};
use stun::textattrs::TextAttribute;
use stun::xoraddr::XorMappedAddress;

use super::*;

/// RFC 5769, 2.1: a check of a controlled agent.
const SAMPLE: [u8; 108] = hex!(
    "00010058 2112a442 b7e7a701bc34d686fa87dfae"
    "80220010 5354554e207465737420636c69656e74"
    "00240004 6e0001ff"
    "80290008 932ff9b151263b36"
    "00060009 6576746a3a68367659202020"
    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004 e57a3bcf"
);
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn from() -> SocketAddr {
    "192.0.2.1:32853".parse().unwrap()
}

fn ice() -> IceLite {
    IceLite::new(Credentials::new("evtj", PASSWORD).unwrap(), Some("h6vY"))
}

/// A check as browsers send it, with what the caller puts before the integrity.
fn check(password: &str, more: &[&dyn Setter]) -> Vec<u8> {
    let mut message = Theirs::new();
    let mut setters: Vec<Box<dyn Setter>> = vec![
        Box::new(THEIR_REQUEST),
        Box::new(TransactionId([7; 12])),
        Box::new(TextAttribute::new(ATTR_USERNAME, "evtj:h6vY".to_owned())),
    ];
    message.build(&setters).unwrap();
    for setter in more {
        setter.add_to(&mut message).unwrap();
    }
    setters.clear();
    MessageIntegrity::new_short_term_integrity(password.to_owned()).add_to(&mut message).unwrap();
    THEIR_FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

struct Raw(stun::attributes::AttrType, &'static [u8]);

impl Setter for Raw {
    fn add_to(&self, message: &mut Theirs) -> Result<(), stun::Error> {
        message.add(self.0, self.1);
        Ok(())
    }
}

/// Reads an answer with the other implementation, which verifies it.
fn read(answer: &Answer) -> Theirs {
    let mut message = Theirs::new();
    message.raw = answer.response.as_ref().to_vec();
    message.decode().unwrap();
    MessageIntegrity::new_short_term_integrity(PASSWORD.to_owned()).check(&mut message).unwrap();
    THEIR_FINGERPRINT.check(&message).unwrap();
    message
}

#[test]
fn the_sample_request_authenticates_and_its_role_is_refused() {
    assert_eq!(peek_username(&SAMPLE), Some(("evtj", "h6vY")));
    let answer = ice().answer(from(), &SAMPLE).unwrap();
    assert_eq!((answer.outcome, answer.is_nominated), (Outcome::RoleConflict, false));
    assert_eq!(answer.priority, Some(0x6e00_01ff));
    assert_eq!(read(&answer).get(ATTR_ERROR_CODE).unwrap()[..4], [0, 0, 4, 87]);
}

#[test]
fn addresses_are_masked_as_the_sample_responses_do() {
    let request = check(PASSWORD, &[&Raw(ATTR_ICE_CONTROLLING, &[1; 8])]);
    let mut request: [u8; 200] = std::array::from_fn(|i| request.get(i).copied().unwrap_or(0));
    // The transaction of RFC 5769 in a message signed anew.
    let length = 20 + usize::from(u16::from_be_bytes([request[2], request[3]]));
    request[8..20].copy_from_slice(&SAMPLE[8..20]);
    let mut signed = request[..length - 32].to_vec();
    signed[3] -= 8;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, PASSWORD.as_bytes());
    let tag = ring::hmac::sign(&key, &signed);
    signed.extend_from_slice(&[0, 8, 0, 20]);
    signed.extend_from_slice(tag.as_ref());

    let answer = ice().answer(from(), &signed).unwrap();
    assert_eq!(answer.response.as_ref()[20..32], hex!("00200008 0001a147 e112a643"));
    let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    let answer = ice().answer(v6, &signed).unwrap();
    let expected = hex!("00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9");
    assert_eq!(answer.response.as_ref()[20..44], expected);
    // A dual-stack socket writes IPv4 addresses so; the peer wants its own back.
    let mapped = "[::ffff:192.0.2.1]:32853".parse().unwrap();
    let answer = ice().answer(mapped, &signed).unwrap();
    assert_eq!(answer.response.as_ref()[20..32], hex!("00200008 0001a147 e112a643"));
}

#[test]
fn another_implementation_understands_the_answers() {
    let nominate = [
        &Raw(ATTR_ICE_CONTROLLING, &[1; 8]) as &dyn Setter,
        &Raw(ATTR_PRIORITY, &[0, 0, 1, 2]),
        &Raw(ATTR_USE_CANDIDATE, &[]),
    ];
    for address in ["192.0.2.7:9", "[2001:db8::1]:65535"] {
        let address: SocketAddr = address.parse().unwrap();
        let answer = ice().answer(address, &check(PASSWORD, &nominate)).unwrap();
        assert_eq!((answer.outcome, answer.is_nominated), (Outcome::Success, true));
        assert_eq!(answer.priority, Some(258));
        let mut mapped = XorMappedAddress::default();
        mapped.get_from(&read(&answer)).unwrap();
        assert_eq!(SocketAddr::new(mapped.ip, mapped.port), address);
    }
    let answer = ice().answer(from(), &check(PASSWORD, &[])).unwrap();
    assert_eq!((answer.outcome, answer.is_nominated), (Outcome::Success, false));
}

#[test]
fn what_must_be_understood_is_named_and_the_rest_left_aside() {
    let unknown = stun::attributes::AttrType(0x7f01);
    let optional = stun::attributes::AttrType(0xc057);
    let answer = ice().answer(from(), &check(PASSWORD, &[&Raw(optional, &[1, 2, 3])])).unwrap();
    assert_eq!(answer.outcome, Outcome::Success);
    let many: Vec<Raw> = (0..20).map(|_| Raw(unknown, &[])).collect();
    let many: Vec<&dyn Setter> = many.iter().map(|raw| raw as &dyn Setter).collect();
    let answer = ice().answer(from(), &check(PASSWORD, &many)).unwrap();
    assert_eq!(answer.outcome, Outcome::UnknownAttributes);
    let message = read(&answer);
    assert_eq!(message.get(ATTR_ERROR_CODE).unwrap()[..4], [0, 0, 4, 20]);
    assert_eq!(message.get(ATTR_UNKNOWN_ATTRIBUTES).unwrap(), hex!("7f01").repeat(8));
}

#[test]
fn what_does_not_authenticate_gets_no_answer() {
    let wrong = check("another password of ours", &[]);
    assert_eq!(ice().answer(from(), &wrong), Err(StunError::Integrity));
    let other = IceLite::new(Credentials::new("evtk", PASSWORD).unwrap(), None);
    assert_eq!(other.answer(from(), &SAMPLE), Err(StunError::User));
    let other = IceLite::new(Credentials::new("evtj", PASSWORD).unwrap(), Some("h6vX"));
    assert_eq!(other.answer(from(), &SAMPLE), Err(StunError::User));
    let any = IceLite::new(Credentials::new("evtj", PASSWORD).unwrap(), None);
    assert!(any.answer(from(), &SAMPLE).is_ok());
    // Without integrity: the sample up to there, with its length.
    let mut bare = SAMPLE[..76].to_vec();
    bare[3] = 56;
    assert_eq!(ice().answer(from(), &bare), Err(StunError::Integrity));
    assert_eq!(peek_username(&bare), None);
}

#[test]
fn only_requests_are_answered() {
    for kind in [0x0011u16, 0x0101, 0x0111, 0x0003] {
        let mut message = SAMPLE;
        message[..2].copy_from_slice(&kind.to_be_bytes());
        assert_eq!(ice().answer(from(), &message), Err(StunError::NotARequest { kind }));
        assert_eq!(peek_username(&message), None);
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    for bit in 0..SAMPLE.len() * 8 {
        let mut message = SAMPLE;
        message[bit / 8] ^= 1 << (bit % 8);
        // Where FINGERPRINT has another type there is none, and the integrity doesn't cover it.
        let is_without = (100 * 8..102 * 8).contains(&bit);
        assert_eq!(ice().answer(from(), &message).is_ok(), is_without, "bit {bit}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    for length in 0..SAMPLE.len() {
        assert!(matches!(ice().answer(from(), &SAMPLE[..length]), Err(StunError::Format(_))));
        assert_eq!(peek_username(&SAMPLE[..length]), None);
        // The same with a header that agrees.
        let mut cut = SAMPLE[..length].to_vec();
        if length >= 20 {
            cut[3] = (length - 20) as u8;
        }
        // All but FINGERPRINT is a whole message.
        assert_eq!(ice().answer(from(), &cut).is_ok(), length == 100, "{length}");
    }
}

#[test]
fn bounds_and_places_are_checked() {
    let message = |attributes: &[u8]| {
        let mut message = SAMPLE[..20].to_vec();
        message[2..4].copy_from_slice(&(attributes.len() as u16).to_be_bytes());
        message.extend_from_slice(attributes);
        ice().answer(from(), &message).unwrap_err()
    };
    let format = StunError::Format;
    assert_eq!(
        message(&hex!("00060009 00000000")),
        format(FormatError::Attribute { attribute: 6, length: 9 })
    );
    assert_eq!(
        message(&hex!("00240003 00000000")),
        format(FormatError::AttributeLength { attribute: 0x24, length: 3 })
    );
    assert_eq!(message(&hex!("80280004 00000000 80220000")), format(FormatError::FingerprintPlace));
    assert_eq!(
        message(&hex!("80220000").repeat(33)),
        format(FormatError::TooManyAttributes { limit: 32 })
    );
    assert_eq!(message(&hex!("8022")), format(FormatError::Length { said: 2, length: 2 }));
}

#[test]
fn the_controlled_role_is_refused_whoever_says_it() {
    let answer =
        ice().answer(from(), &check(PASSWORD, &[&Raw(ATTR_ICE_CONTROLLED, &[0; 8])])).unwrap();
    assert_eq!(answer.outcome, Outcome::RoleConflict);
}

proptest! {
    #[test]
    fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (classify(&data), peek_username(&data), ice().answer(from(), &data));
    }

    #[test]
    fn no_attributes_panic(attributes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut data = SAMPLE[..20].to_vec();
        data[2..4].copy_from_slice(&(attributes.len() as u16).to_be_bytes());
        data.extend_from_slice(&attributes);
        let _ = (peek_username(&data), ice().answer(from(), &data));
    }
}
