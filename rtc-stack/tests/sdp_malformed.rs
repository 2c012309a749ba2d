//! Descriptions that are cut, contradict themselves, or mean harm.

#[path = "sdp/support.rs"]
mod support;

use rtc_stack::Mid;
use rtc_stack::dtls::FingerprintError;
use rtc_stack::sdp::{
    Answer, IceFragment, MAX_FINGERPRINTS, MAX_PAYLOAD_TYPES, MAX_SECTIONS, MAX_SOURCES, MAX_TEXT,
    Negotiated, Offer, SdpError,
};
use rtc_stack::stun::CredentialsError;
use support::{fixture, fixtures, options, section};

/// Reads and answers in every way; what comes out must be a description again.
fn exercise(text: &str) {
    if let Ok(offer) = Offer::parse(text) {
        let written = offer.to_string();
        let again = Offer::parse(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
        assert_eq!(again.to_string(), written);
        for answer in [offer.answer_publish(&options()), offer.answer_play(None, &options())] {
            let Ok(Negotiated { sdp, sections, .. }) = answer else { continue };
            let answer = Answer::parse(&sdp).unwrap_or_else(|error| panic!("{error}\n{sdp}"));
            assert_eq!(answer.to_string(), sdp);
            assert!(!sections.is_empty());
            let accepted = answer.accept(&offer).unwrap_or_else(|error| panic!("{error}\n{sdp}"));
            assert_eq!(accepted.sections.len(), sections.len());
        }
    }
    if let Ok(fragment) = IceFragment::parse(text) {
        assert_eq!(IceFragment::parse(&fragment.to_string()), Ok(fragment));
    }
}

fn publish(text: &str) -> Result<Negotiated, SdpError> {
    Offer::parse(text)?.answer_publish(&options())
}

fn obs_with(from: &str, to: &str) -> String {
    let text = fixture("obs-publish");
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[test]
fn offers_cut_anywhere_are_answered_or_refused() {
    for name in fixtures() {
        let text = fixture(&name);
        for (end, _) in text.match_indices('\n') {
            exercise(&text[..end]);
        }
    }
    let text = fixture("obs-publish");
    for end in 0..text.len() {
        exercise(&text[..end]);
    }
}

#[test]
fn lines_left_out_or_said_twice_do_no_harm() {
    for name in ["chrome-publish", "firefox-publish", "obs-publish", "gstreamer-whipsink"] {
        let text = fixture(name);
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        for place in 0..lines.len() {
            let mut fewer = lines.clone();
            let line = fewer.remove(place);
            exercise(&fewer.concat());
            let mut more = lines.clone();
            more.push(line);
            exercise(&more.concat());
            more.swap(place, lines.len() / 2);
            exercise(&more.concat());
        }
    }
}

#[test]
fn limits_are_said() {
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(1 << 18));
    let length = long.len();
    assert_eq!(publish(&long), Err(SdpError::TooLong { length, limit: MAX_TEXT }));
    let head = fixture("obs-publish");

    let sections = format!("{head}{}", "m=audio 9 X 0\r\n".repeat(MAX_SECTIONS));
    let limit = MAX_SECTIONS;
    assert_eq!(publish(&sections), Err(SdpError::TooMany { what: "sections", limit }));

    let types = format!("{head}m=audio 9 UDP/TLS/RTP/SAVPF{}\r\n", " 0".repeat(129));
    let limit = MAX_PAYLOAD_TYPES;
    assert_eq!(publish(&types), Err(SdpError::TooMany { what: "payload types", limit }));

    let sources: String = (0..=MAX_SOURCES).map(|n| format!("a=ssrc:{n} cname:x\r\n")).collect();
    let limit = MAX_SOURCES;
    let sources = publish(&format!("{head}{sources}"));
    assert_eq!(sources, Err(SdpError::TooMany { what: "sources", limit }));

    let line = head.lines().find(|line| line.starts_with("a=fingerprint")).unwrap();
    let fingerprints = format!("{line}\r\n").repeat(MAX_FINGERPRINTS + 1);
    let limit = MAX_FINGERPRINTS;
    let fingerprints = publish(&format!("{head}{fingerprints}"));
    assert_eq!(fingerprints, Err(SdpError::TooMany { what: "fingerprints", limit }));
}

#[test]
fn what_is_no_description_is_named() {
    let version = |text: &str| match Offer::parse(text) {
        Err(SdpError::Version { read }) => read,
        other => panic!("{other:?}"),
    };
    assert_eq!(version(""), "");
    assert_eq!(version("{\"sdp\":\"v=0\"}\r\n").len(), 13);
    assert_eq!(version("v=1\r\n"), "v=1");
    let line = Offer::parse("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\nnonsense\r\n");
    assert_eq!(line, Err(SdpError::Line { number: 3, read: "nonsense".into() }));
    assert_eq!(publish("v=0\r\n"), Err(SdpError::NoMedia));
}

#[test]
fn mids_must_differ_and_be_in_the_bundle() {
    let twice = obs_with("a=mid:1", "a=mid:0");
    assert_eq!(publish(&twice), Err(SdpError::DuplicateMid(Mid::new(b"0").unwrap())));

    let missing = publish(&obs_with("a=mid:1\r\n", "")).unwrap();
    assert_eq!(missing.sections.len(), 1);
    assert!(section(&missing.sdp, 1).starts_with("m=video 0 "));

    let unknown = publish(&obs_with("BUNDLE 0 1", "BUNDLE 7 0 x")).unwrap();
    assert_eq!(unknown.sections.len(), 1);
    assert!(unknown.sdp.contains("a=group:BUNDLE 0\r\n"));

    assert_eq!(publish(&obs_with("BUNDLE 0 1", "BUNDLE 7")), Err(SdpError::NoBundle));
    assert_eq!(publish(&obs_with("a=group:BUNDLE 0 1\r\n", "")), Err(SdpError::NoBundle));
    let long = publish(&obs_with("a=mid:1", "a=mid:01234567890123456"));
    assert!(matches!(long, Err(SdpError::Value { name: "mid", .. })));
}

#[test]
fn rtcp_must_share_the_port() {
    assert_eq!(publish(&obs_with("a=rtcp-mux\r\n", "")), Err(SdpError::NoRtcpMux));
    let once = fixture("obs-publish").replacen("a=rtcp-mux\r\n", "", 1);
    assert_eq!(publish(&once).unwrap().sections.len(), 1);
}

#[test]
fn a_transport_must_lead_somewhere() {
    assert_eq!(publish(&obs_with("a=ice-ufrag:tGx7\r\n", "")), Err(SdpError::NoCredentials));
    let short = publish(&obs_with("a=ice-ufrag:tGx7", "a=ice-ufrag:tG"));
    let expected = CredentialsError::UfragLength { length: 2 };
    assert_eq!(short, Err(SdpError::Credentials(expected)));

    let digest = SdpError::Fingerprint(FingerprintError::Digest { name: "sha-256" });
    assert_eq!(publish(&obs_with("27:C9:0E", "27:C9")), Err(digest.clone()));
    assert_eq!(publish(&obs_with("27:C9:0E", "27:C9:0E:00")), Err(digest.clone()));
    assert_eq!(publish(&obs_with("27:C9:0E", "27:C9:ZZ")), Err(digest));
    assert_eq!(publish(&obs_with("sha-256", "md5")), Err(SdpError::NoFingerprint));

    let setup = publish(&obs_with("setup:actpass", "setup:holdconn"));
    assert_eq!(setup, Err(SdpError::Value { name: "setup", value: "holdconn".into() }));
    assert!(publish(&obs_with("a=setup:actpass\r\n", "")).unwrap().sdp.contains("setup:passive"));
}

#[test]
fn payload_types_have_seven_bits() {
    let wrong = publish(&obs_with("SAVPF 96", "SAVPF 200"));
    assert_eq!(wrong, Err(SdpError::Value { name: "payload type", value: "200".into() }));
    // Unlisted, nonsense, or another rate: the section has no codec left, and the other goes on.
    for rtpmap in ["97 H264/90000", "96", "96 H264", "96 H264/48000", "200 H264/90000", "96 /90000"]
    {
        let text = obs_with("a=rtpmap:96 H264/90000", &format!("a=rtpmap:{rtpmap}"));
        let answer = publish(&text).unwrap();
        assert_eq!(answer.sections.len(), 1, "{rtpmap}");
        assert!(section(&answer.sdp, 1).starts_with("m=video 0 UDP/TLS/RTP/SAVPF 96\r\n"));
    }
}

#[test]
fn garbage_in_formats_is_not_repeated() {
    let garbage =
        "a=fmtp:96 profile-level-id=zz;packetization-mode=1;;=;x;level-asymmetry-allowed=<b>";
    let text = obs_with(
        "a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1",
        garbage,
    );
    let answer = publish(&text).unwrap();
    assert!(
        section(&answer.sdp, 1).contains("a=fmtp:96 profile-level-id=zz;packetization-mode=1\r\n")
    );
    let interleaved = publish(&obs_with("packetization-mode=1", "packetization-mode=2")).unwrap();
    assert_eq!(interleaved.sections.len(), 1);
}

#[test]
fn a_number_of_a_header_extension_means_one_thing_in_a_bundle() {
    let text = fixture("larix-publish").replace(
        "a=extmap:14 urn:ietf:params:rtp-hdrext:toffset",
        "a=extmap:1 urn:3gpp:video-orientation",
    );
    let answer = publish(&text).unwrap();
    assert_eq!(answer.sections[0].extensions.audio_level, Some(1));
    assert_eq!(answer.sections[1].extensions.video_orientation, None);
}

#[test]
fn a_refused_or_foreign_section_is_refused_by_itself() {
    for (from, to) in [
        ("m=video 57249", "m=video 0"),
        ("m=video 57249 UDP/TLS/RTP/SAVPF", "m=video 57249 RTP/AVP"),
        ("m=video", "m=text"),
    ] {
        let answer = publish(&obs_with(from, to)).unwrap();
        assert_eq!(answer.sections.len(), 1, "{to}");
        assert!(section(&answer.sdp, 1).contains(" 0 "), "{to}");
    }
}
