//! Offers of ours, answered by us and by others.

#[path = "sdp/support.rs"]
mod support;

use proptest::prelude::*;
use rtc_stack::dtls::Role;
use rtc_stack::sdp::{Answer, Direction, Offer, OfferBuilder, SdpError, TrackDescription};
use rtc_stack::{Codec, CodecParameters, MediaKind};
use support::{credentials, fingerprint, options, types};

fn h264(profile: &str) -> CodecParameters {
    let fmtp = format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}");
    CodecParameters::new(Codec::H264).with_fmtp(fmtp)
}

fn publisher() -> OfferBuilder {
    OfferBuilder::publish(credentials(), fingerprint(), 3)
        .audio([CodecParameters::new(Codec::Opus).with_fmtp("minptime=10;useinbandfec=1")])
        .video([h264("42e01f"), CodecParameters::new(Codec::Vp8)])
}

#[test]
fn both_sides_of_a_publication_agree() {
    let offer = publisher().build().unwrap();
    let read = Offer::parse(&offer.to_string()).unwrap();
    assert_eq!(read, offer);
    assert!(webrtc_sdp::parse_sdp(&offer.to_string(), true).is_ok());

    let server = read.answer_publish(&options()).unwrap();
    let client = Answer::parse(&server.sdp).unwrap().accept(&offer).unwrap();
    assert_eq!((server.role, client.role), (Role::Server, Role::Client));
    assert_eq!(client.remote_ice, credentials());
    assert!(client.remote_ice_lite);
    assert_eq!(client.remote_candidates.len(), 3);
    for (server, client) in server.sections.iter().zip(&client.sections) {
        assert_eq!(server.direction, Direction::RecvOnly);
        assert_eq!(client.direction, Direction::SendOnly);
        assert_eq!(types(server), types(client));
        assert_eq!(server.extensions, client.extensions);
        assert_eq!(server.remote_sources, [client.local_source.unwrap()]);
        let feedback = |codecs: &[rtc_stack::sdp::NegotiatedCodec]| {
            codecs.iter().map(|codec| codec.feedback).collect::<Vec<_>>()
        };
        assert_eq!(feedback(&server.codecs), feedback(&client.codecs));
    }
    assert_eq!(types(&client.sections[1]), [(97, Some(98)), (99, Some(100))]);
}

#[test]
fn both_sides_of_a_play_agree() {
    let offer = OfferBuilder::play(credentials(), fingerprint(), 3)
        .audio([CodecParameters::new(Codec::Opus), CodecParameters::new(Codec::Pcma)])
        .video([h264("42e01f"), h264("64001f")])
        .build()
        .unwrap();
    let source = [
        TrackDescription::new(CodecParameters::new(Codec::Opus)).unwrap(),
        TrackDescription::new(h264("640028")).unwrap(),
    ];
    let server = Offer::parse(&offer.to_string()).unwrap();
    let server = server.answer_play(Some(&source), &options()).unwrap();
    let client = Answer::parse(&server.sdp).unwrap().accept(&offer).unwrap();
    let video = client.section(MediaKind::Video).unwrap();
    assert_eq!(video.direction, Direction::RecvOnly);
    // PCMA has a number of its own, 8.
    assert_eq!(types(video), [(99, Some(100))]);
    assert_eq!(video.local_source, None);
    let local = server.section(MediaKind::Video).unwrap().local_source.unwrap();
    assert_eq!(video.remote_sources, [local]);
}

#[test]
fn an_offer_without_codecs_or_with_too_many_is_not_made() {
    let builder = || OfferBuilder::play(credentials(), fingerprint(), 3);
    assert_eq!(builder().build(), Err(SdpError::NoMedia));
    let full = builder().video(vec![CodecParameters::new(Codec::Vp8); 30]).build();
    assert_eq!(full.unwrap().description().sections[0].codecs.len(), 60);
    let many = builder().video(vec![CodecParameters::new(Codec::Vp8); 31]).build();
    assert_eq!(many, Err(SdpError::TooMany { what: "payload types", limit: 61 }));
}

#[test]
fn an_answer_must_be_one_to_the_offer() {
    let offer = publisher().build().unwrap();
    let sdp = offer.answer_publish(&options()).unwrap().sdp;
    let accept = |sdp: &str| Answer::parse(sdp).unwrap().accept(&offer);
    assert!(accept(&sdp).is_ok());
    let fewer = &sdp[..sdp.find("m=video").unwrap()];
    assert_eq!(accept(fewer), Err(SdpError::OtherSections { answered: 1, offered: 2 }));
    let others = Err(SdpError::OtherSections { answered: 2, offered: 2 });
    assert_eq!(accept(&sdp.replace("a=mid:1", "a=mid:2")), others);
    assert_eq!(accept(&sdp.replace("m=video", "m=audio")), others);
    assert_eq!(accept(&sdp.replace(":passive", ":actpass")), Err(SdpError::Setup("actpass")));
    let none = sdp.replace("m=audio 9", "m=audio 0").replace("m=video 9", "m=video 0");
    assert_eq!(accept(&none), Err(SdpError::NoCommonCodec));
    assert_eq!(accept(&sdp.replace("a=ice-pwd", "a=x")), Err(SdpError::NoCredentials));
    assert_eq!(accept(&sdp.replace("a=fingerprint", "a=x")), Err(SdpError::NoFingerprint));
    // Who answers without mids means the same sections.
    let unnamed = sdp.replace("a=mid:0\r\n", "").replace("a=mid:1\r\n", "");
    assert_eq!(accept(&unnamed).unwrap().sections.len(), 2);
    assert_eq!(accept(&sdp.replace(":passive", ":active")).unwrap().role, Role::Server);
}

fn codec() -> impl Strategy<Value = CodecParameters> {
    let codecs = [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp8, Codec::Vp9];
    (prop::sample::select(codecs.to_vec()), "([a-z-]{1,8}=[0-9a-f]{1,6}(;|)){0,3}")
        .prop_map(|(codec, fmtp)| CodecParameters::new(codec).with_fmtp(fmtp))
}

proptest! {
    #[test]
    fn what_is_written_is_read(video in prop::collection::vec(codec(), 1..8), seed in any::<u64>()) {
        let publish = OfferBuilder::publish(credentials(), fingerprint(), seed)
            .video(video.clone())
            .audio([CodecParameters::new(Codec::Pcmu)])
            .build()
            .unwrap();
        prop_assert_eq!(Offer::parse(&publish.to_string()).unwrap(), publish.clone());
        let mut options = options();
        options.seed = seed;
        let answer = publish.answer_publish(&options).unwrap();
        let client = Answer::parse(&answer.sdp).unwrap().accept(&publish).unwrap();
        prop_assert_eq!(client.sections.len(), answer.sections.len());
        for (client, server) in client.sections.iter().zip(&answer.sections) {
            prop_assert_eq!(types(client), types(server));
        }
    }

    #[test]
    fn whatever_is_read_ends(text in "(v=0\r\n)?([a-z]=[ -~]{0,24}\r?\n){0,12}", garbage in any::<String>()) {
        for text in [text, garbage] {
            let read = Offer::parse(&text);
            if let Ok(offer) = read {
                prop_assert!(Offer::parse(&offer.to_string()).is_ok());
            }
        }
    }
}
