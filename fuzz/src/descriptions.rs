//! Session descriptions and ICE fragments.

use rtc_stack::dtls::{Fingerprint, HashFunction};
use rtc_stack::sdp::{Answer, AnswerOptions, HostCandidate, IceFragment, Offer, TrackDescription};
use rtc_stack::stun::Credentials;
use rtc_stack::{Codec, CodecParameters};

/// A text, read as an offer, as an answer and as a fragment: what was read is written, and that is
/// read as the same; every answer of ours is one to its offer, and both sides agree on its sections.
pub fn sdp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(fragment) = IceFragment::parse(text) {
        let options = options();
        let answer = fragment.answer_restart(options.ice.clone(), &options.candidates);
        assert_eq!(IceFragment::parse(&answer.to_string()), Ok(answer));
        assert_eq!(IceFragment::parse(&fragment.to_string()), Ok(fragment));
    }
    let Ok(offer) = Offer::parse(text) else { return };
    let written = offer.to_string();
    // What is written may be longer, since what is said once is written for every section.
    if let Ok(again) = Offer::parse(&written) {
        assert_eq!(again.to_string(), written);
    }
    let options = options();
    let h264 =
        CodecParameters::new(Codec::H264).with_fmtp("packetization-mode=1;profile-level-id=64001f");
    let tracks = [TrackDescription::new(h264).expect("video")];
    let answers = [
        offer.answer_publish(&options),
        offer.answer_play(None, &options),
        offer.answer_play(Some(&tracks), &options),
    ];
    for agreed in answers.into_iter().flatten() {
        assert!(!agreed.sections.is_empty());
        let Ok(answer) = Answer::parse(&agreed.sdp) else {
            assert!(agreed.sdp.len() > rtc_stack::sdp::MAX_TEXT, "{}", agreed.sdp);
            continue;
        };
        assert_eq!(answer.to_string(), agreed.sdp);
        let accepted = answer.accept(&offer).expect("an answer to this offer");
        assert_eq!(accepted.sections.len(), agreed.sections.len());
        for (theirs, ours) in accepted.sections.iter().zip(&agreed.sections) {
            assert_eq!((theirs.mid, theirs.kind), (ours.mid, ours.kind));
            assert_eq!(theirs.direction, ours.direction.reversed());
            assert_eq!(theirs.extensions, ours.extensions);
            assert_eq!(theirs.codecs.len(), ours.codecs.len());
            for (theirs, ours) in theirs.codecs.iter().zip(&ours.codecs) {
                assert_eq!((theirs.payload_type, theirs.rtx), (ours.payload_type, ours.rtx));
                assert_eq!(theirs.feedback, ours.feedback);
            }
        }
    }
}

fn options() -> AnswerOptions {
    let ice = Credentials::new("s7kq2mvb", "g4tzn6wq3ycx5hd2rbm7vk3plasoe5jf").expect("sound");
    let address = "192.0.2.10:8000".parse().expect("an address");
    let candidates = vec![HostCandidate::udp(address), HostCandidate::tcp(address)];
    AnswerOptions::new(ice, Fingerprint::of(HashFunction::Sha256, b"ours"), candidates, 7)
}
