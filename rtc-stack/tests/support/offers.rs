//! What the clients of the tests offer.

use rtc_stack::dtls::{Fingerprint, HashFunction};
use rtc_stack::sdp::{AnswerOptions, Negotiated, Offer, OfferBuilder};
use rtc_stack::stun::Credentials;
use rtc_stack::{Codec, CodecParameters};

pub const H264: &str = "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1";

/// What a client can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Abilities {
    pub video: Vec<Codec>,
    pub audio: Vec<Codec>,
    pub rtx: bool,
    pub transport_cc: bool,
    /// Names of simulcast layers.
    pub layers: Vec<&'static str>,
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            video: vec![Codec::H264],
            audio: vec![Codec::Opus],
            rtx: true,
            transport_cc: true,
            layers: Vec::new(),
        }
    }
}

pub fn parameters(codec: Codec) -> CodecParameters {
    let fmtp = if codec == Codec::H264 { H264 } else { "" };
    CodecParameters::new(codec).with_fmtp(fmtp)
}

fn fingerprint() -> Fingerprint {
    Fingerprint::of(HashFunction::Sha256, b"a certificate")
}

/// What client and server come to agree on, from the server's side.
pub fn agree(
    abilities: &Abilities,
    publishes: bool,
    local: (&str, &str),
    remote: (&str, &str),
    seed: u64,
) -> Negotiated {
    let ice = Credentials::new(remote.0, remote.1).unwrap();
    let builder = match publishes {
        true => OfferBuilder::publish(ice, fingerprint(), seed),
        false => OfferBuilder::play(ice, fingerprint(), seed),
    };
    let of = |codecs: &[Codec]| codecs.iter().copied().map(parameters).collect::<Vec<_>>();
    let builder = builder.audio(of(&abilities.audio)).video(of(&abilities.video));
    let mut text = builder.build().unwrap().to_string();
    if !abilities.rtx {
        text = text.replace(" rtx/90000", " none/90000");
    }
    if !abilities.transport_cc {
        text = text.replace("transport-wide-cc-extensions-01", "nothing");
    }
    if !abilities.layers.is_empty() {
        // The sources are named by their layers alone.
        let is_kept = |line: &&str| !line.starts_with("a=ssrc");
        text = text.lines().filter(is_kept).map(|line| format!("{line}\r\n")).collect();
        text += "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n";
        text += "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n";
        for layer in &abilities.layers {
            text += &format!("a=rid:{layer} send\r\n");
        }
        text += &format!("a=simulcast:send {}\r\n", abilities.layers.join(";"));
    }
    let offer = Offer::parse(&text).unwrap();
    let ice = Credentials::new(local.0, local.1).unwrap();
    let options = AnswerOptions::new(ice, fingerprint(), Vec::new(), seed ^ 0x5555);
    match publishes {
        true => offer.answer_publish(&options).unwrap(),
        false => offer.answer_play(None, &options).unwrap(),
    }
}
