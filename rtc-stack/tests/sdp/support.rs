//! What the tests of descriptions share.
#![allow(dead_code, reason = "each test program uses a part of it")]

use rtc_stack::dtls::{Fingerprint, HashFunction};
use rtc_stack::sdp::{AnswerOptions, HostCandidate, NegotiatedSection, Offer};
use rtc_stack::stun::Credentials;

pub(crate) fn fixture(name: &str) -> String {
    let path = format!("{}/tests/sdp/{name}.sdp", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of all offers.
pub(crate) fn fixtures() -> Vec<String> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdp");
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "sdp"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() > 15, "{names:?}");
    names
}

pub(crate) fn offer(name: &str) -> Offer {
    Offer::parse(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("s7kq2mvb", "g4tzn6wq3ycx5hd2rbm7vk3plasoe5jf").unwrap()
}

pub(crate) fn fingerprint() -> Fingerprint {
    Fingerprint::of(HashFunction::Sha256, b"ours")
}

pub(crate) fn options() -> AnswerOptions {
    let address = "192.0.2.10:8000".parse().unwrap();
    let six = "[2001:db8::10]:8000".parse().unwrap();
    let candidates =
        vec![HostCandidate::udp(six), HostCandidate::udp(address), HostCandidate::tcp(address)];
    AnswerOptions::new(credentials(), fingerprint(), candidates, 7)
}

/// The payload types of a section with their retransmissions.
pub(crate) fn types(section: &NegotiatedSection) -> Vec<(u8, Option<u8>)> {
    let codecs = section.codecs.iter();
    codecs.map(|codec| (codec.payload_type.number(), codec.rtx.map(|rtx| rtx.number()))).collect()
}

/// The lines of an answer that are for a section, by its place.
pub(crate) fn section(sdp: &str, place: usize) -> String {
    sdp.split("\r\nm=").nth(place + 1).map(|section| format!("m={section}")).unwrap()
}
