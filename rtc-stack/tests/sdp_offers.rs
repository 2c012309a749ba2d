//! Offers as encoders and browsers make them, and our answers.

#[path = "sdp/support.rs"]
mod support;

use rtc_stack::dtls::Role;
use rtc_stack::sdp::{
    Answer, CandidateProtocol, Direction, Feedback, Negotiated, SdpError, TrackDescription,
};
use rtc_stack::{Codec, CodecParameters, MediaKind, Mid, Ssrc};
use support::{credentials, fingerprint, fixtures, offer, options, section, types};

fn answer(name: &str) -> Negotiated {
    let offer = offer(name);
    let answer = match name.contains("play") || name.contains("whepsrc") {
        true => offer.answer_play(None, &options()),
        false => offer.answer_publish(&options()),
    };
    answer.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The first payload type of sound and of pictures, with their retransmissions.
fn firsts(negotiated: &Negotiated) -> Vec<(MediaKind, Direction, u8, Option<u8>)> {
    let sections = negotiated.sections.iter();
    sections.map(|s| (s.kind, s.direction, types(s)[0].0, types(s)[0].1)).collect()
}

#[test]
fn each_is_answered_section_by_section() {
    use Direction::{RecvOnly, SendOnly};
    use MediaKind::{Audio, Video};
    use Role::{Client, Server};
    let expected: [(&str, Role, &[_]); 17] = [
        ("aiortc-publish", Server, &[(Audio, RecvOnly, 96, None), (Video, RecvOnly, 97, Some(98))]),
        ("chrome-data", Server, &[(Video, RecvOnly, 96, Some(97))]),
        ("chrome-play", Server, &[(Audio, SendOnly, 111, None), (Video, SendOnly, 96, Some(97))]),
        (
            "chrome-publish",
            Server,
            &[(Audio, RecvOnly, 111, None), (Video, RecvOnly, 96, Some(97))],
        ),
        (
            "chrome-simulcast",
            Server,
            &[(Audio, RecvOnly, 111, None), (Video, RecvOnly, 96, Some(97))],
        ),
        ("ffmpeg-publish", Client, &[(Audio, RecvOnly, 111, None), (Video, RecvOnly, 106, None)]),
        ("ffmpeg-video-only", Server, &[(Video, RecvOnly, 106, None)]),
        (
            "firefox-play",
            Server,
            &[(Audio, SendOnly, 109, None), (Video, SendOnly, 120, Some(124))],
        ),
        (
            "firefox-publish",
            Server,
            &[(Audio, RecvOnly, 109, None), (Video, RecvOnly, 120, Some(124))],
        ),
        ("gstreamer-whepsrc", Server, &[(Video, SendOnly, 101, None), (Audio, SendOnly, 96, None)]),
        (
            "gstreamer-whipsink",
            Server,
            &[(Video, RecvOnly, 96, Some(97)), (Audio, RecvOnly, 98, None)],
        ),
        ("larix-publish", Server, &[(Audio, RecvOnly, 111, None), (Video, RecvOnly, 96, Some(97))]),
        ("obs-publish", Server, &[(Audio, RecvOnly, 111, None), (Video, RecvOnly, 96, None)]),
        ("pion-play", Server, &[(Video, SendOnly, 96, Some(97)), (Audio, SendOnly, 111, None)]),
        ("pion-publish", Server, &[(Video, RecvOnly, 96, Some(97)), (Audio, RecvOnly, 111, None)]),
        ("safari-play", Server, &[(Video, SendOnly, 96, Some(97)), (Audio, SendOnly, 111, None)]),
        (
            "safari-publish",
            Server,
            &[(Audio, RecvOnly, 111, None), (Video, RecvOnly, 96, Some(97))],
        ),
    ];
    assert_eq!(fixtures(), expected.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    for (name, role, sections) in &expected {
        let negotiated = answer(name);
        assert_eq!((name, firsts(&negotiated)), (name, sections.to_vec()));
        assert_eq!(negotiated.role, *role, "{name}");
    }
}

/// What holds for every answer.
#[test]
fn answers_are_read_again_by_us_and_by_others() {
    for name in fixtures() {
        let offer = offer(&name);
        let negotiated = answer(&name);
        let sdp = &negotiated.sdp;
        let read = Answer::parse(sdp).unwrap();
        let description = read.description();
        assert_eq!(read.to_string(), *sdp, "{name}");

        let theirs = sdp::SessionDescription::try_from(sdp.clone()).unwrap();
        assert_eq!(theirs.media_descriptions.len(), offer.description().sections.len());
        let mozilla =
            webrtc_sdp::parse_sdp(sdp, true).unwrap_or_else(|e| panic!("{name}: {e}\n{sdp}"));
        assert_eq!(mozilla.media.len(), offer.description().sections.len());

        assert!(description.ice_lite);
        let accepted: Vec<_> = negotiated.sections.iter().map(|section| section.mid).collect();
        assert_eq!(description.bundle, accepted, "{name}");
        for (offered, answered) in offer.description().sections.iter().zip(&description.sections) {
            assert_eq!((offered.mid, &offered.media), (answered.mid, &answered.media));
            assert_eq!(offered.protocol, answered.protocol);
            if answered.is_rejected() {
                assert_eq!(answered.formats, offered.formats);
                continue;
            }
            assert_eq!(answered.ice.as_ref(), Some(&credentials()));
            assert_eq!(answered.fingerprints, [fingerprint()]);
            assert_eq!(answered.rtcp_rsize, offered.rtcp_rsize);
            assert!(answered.rtcp_mux);
            for codec in &answered.codecs {
                let mut same = offered.codecs.iter();
                let same = same.find(|same| same.payload_type == codec.payload_type).unwrap();
                assert_eq!(same.parameters.codec, codec.parameters.codec);
                assert_eq!(same.feedback.intersection(codec.feedback), codec.feedback, "{name}");
            }
            for map in &answered.extensions {
                let same = |other: &&rtc_stack::sdp::ExtensionMap| {
                    (other.id, other.extension) == (map.id, map.extension)
                };
                assert_eq!(offered.extensions.iter().filter(same).count(), 1, "{name}");
            }
        }

        let tagged = description.section(accepted[0]).unwrap();
        let candidates: Vec<_> =
            tagged.candidates.iter().map(|c| (c.host.as_str(), c.protocol)).collect();
        assert_eq!(
            candidates,
            [
                ("192.0.2.10", CandidateProtocol::Udp),
                ("2001:db8::10", CandidateProtocol::Udp),
                ("192.0.2.10", CandidateProtocol::TcpPassive),
            ]
        );
        assert!(tagged.end_of_candidates);
        for other in description.sections.iter().filter(|other| other.mid != tagged.mid) {
            assert!(other.candidates.is_empty());
        }
    }
}

#[test]
fn the_peer_is_known_by_what_it_says_once_or_in_each_section() {
    for name in fixtures() {
        let negotiated = answer(&name);
        let expected = if name.starts_with("aiortc") { 3 } else { 1 };
        assert_eq!(negotiated.remote_fingerprints.len(), expected, "{name}");
        assert!(negotiated.remote_ice.ufrag().len() >= 4);
    }
    let obs = answer("obs-publish");
    assert_eq!(obs.remote_ice.ufrag(), "tGx7");
    assert_eq!(obs.remote_candidates.len(), 2);
    assert_eq!(answer("pion-publish").remote_candidates.len(), 3);
}

#[test]
fn chromes_publication() {
    let negotiated = answer("chrome-publish");
    let [audio, video] = negotiated.sections.as_slice() else { panic!("{negotiated:?}") };
    assert_eq!(types(audio), [(111, None), (0, None), (8, None)]);
    assert_eq!(
        types(video),
        [
            (96, Some(97)),
            (103, Some(104)),
            (107, Some(108)),
            (109, Some(114)),
            (115, Some(116)),
            (117, Some(118)),
            (39, Some(40)),
            (45, Some(46)),
            (98, Some(99)),
            (100, Some(101)),
            (119, Some(120)),
            (49, Some(50)),
        ]
    );
    assert!(video.codecs.iter().all(|codec| codec.feedback == Feedback::ALL));
    let opus = Feedback { transport_cc: true, ..Feedback::default() };
    assert_eq!(audio.codecs[0].feedback, opus);
    let extensions = video.extensions;
    assert_eq!(
        (extensions.mid, extensions.rid, extensions.repaired_rid),
        (Some(4), Some(10), Some(11))
    );
    assert_eq!((extensions.transport_wide_cc, extensions.abs_send_time), (Some(3), Some(2)));
    assert_eq!((extensions.video_orientation, extensions.audio_level), (Some(13), None));
    assert_eq!(audio.extensions.audio_level, Some(1));
    let [source] = video.remote_sources.as_slice() else { panic!("{video:?}") };
    assert_eq!((source.ssrc, source.rtx), (Ssrc(1170236489), Some(Ssrc(3904417726))));
    assert!(video.rids.is_empty());
    assert!(!negotiated.sdp.contains("playout-delay"));
    assert!(!negotiated.sdp.contains("flexfec") && !negotiated.sdp.contains("red/"));
    assert!(negotiated.sdp.contains("a=ice-options:trickle\r\n"));
    assert!(!negotiated.sdp.contains("a=ssrc:"));
}

#[test]
fn simulcast_layers_are_answered_in_the_order_of_preference() {
    let chrome = answer("chrome-simulcast");
    let names = |negotiated: &Negotiated| -> Vec<String> {
        let video = negotiated.section(MediaKind::Video).unwrap();
        video.rids.iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(&chrome), ["q", "h", "f"]);
    let video = section(&chrome.sdp, 1);
    assert!(video.contains("a=rid:q recv\r\na=rid:h recv\r\na=rid:f recv\r\n"), "{video}");
    assert!(video.contains("a=simulcast:recv q;h;f\r\n"), "{video}");

    let firefox = answer("firefox-publish");
    assert_eq!(names(&firefox), ["hi", "lo"]);
    let video = section(&firefox.sdp, 1);
    assert!(
        video.contains("a=extmap:8/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n"),
        "{video}"
    );
    assert_eq!(firefox.section(MediaKind::Video).unwrap().remote_sources.len(), 2);

    let mut two = options();
    two.layers = 2;
    let fewer = offer("chrome-simulcast").answer_publish(&two).unwrap();
    assert_eq!(names(&fewer), ["q", "h"]);
    assert!(fewer.sdp.contains("a=simulcast:recv q;h\r\n"));
}

#[test]
fn data_channels_and_second_cameras_are_refused_by_themselves() {
    let negotiated = answer("chrome-data");
    assert_eq!(negotiated.sections.len(), 1);
    assert_eq!(negotiated.sections[0].mid, Mid::new(b"1").unwrap());
    let data = section(&negotiated.sdp, 0);
    assert!(data.starts_with("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"), "{data}");
    assert!(
        section(&negotiated.sdp, 2).starts_with("m=video 0 UDP/TLS/RTP/SAVPF 96 97 109 114\r\n")
    );
    assert!(negotiated.sdp.contains("a=group:BUNDLE 1\r\n"));
}

#[test]
fn an_offer_without_feedback_gets_none() {
    let negotiated = answer("ffmpeg-publish");
    assert!(!negotiated.sdp.contains("a=rtcp-fb"));
    assert!(negotiated.sdp.contains("a=setup:active\r\n"));
    assert!(!negotiated.sdp.contains("a=extmap"));
    // OBS offers no numbers for packets to be reported by, and retransmits by the same payload type.
    let obs = answer("obs-publish");
    let video = obs.section(MediaKind::Video).unwrap();
    let expected = Feedback { nack: true, pli: true, remb: true, ..Feedback::default() };
    assert_eq!((video.codecs[0].feedback, video.codecs[0].rtx), (expected, None));
}

#[test]
fn stereo_is_asked_for_where_it_can_be_sent() {
    assert!(
        answer("obs-publish")
            .sdp
            .contains("a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;useinbandfec=1\r\n")
    );
    let gstreamer = answer("gstreamer-whipsink").sdp;
    assert!(gstreamer.contains("a=fmtp:98 stereo=1\r\n"));
    assert!(gstreamer.contains("a=fmtp:96 packetization-mode=1;profile-level-id=42c01f\r\n"));
}

#[test]
fn a_preferred_codec_comes_first_or_alone() {
    let offer = offer("chrome-publish");
    let mut options = options();
    options.preferred = vec![Codec::Av1];
    let first = offer.answer_publish(&options).unwrap();
    let video = first.section(MediaKind::Video).unwrap();
    assert_eq!(types(video)[..2], [(45, Some(46)), (96, Some(97))]);
    options.only_preferred = true;
    let alone = offer.answer_publish(&options).unwrap();
    assert_eq!(types(alone.section(MediaKind::Video).unwrap()), [(45, Some(46))]);
    assert_eq!(alone.section(MediaKind::Audio).unwrap().codecs.len(), 3);
    assert!(section(&alone.sdp, 1).starts_with("m=video 9 UDP/TLS/RTP/SAVPF 45 46\r\n"));
}

fn track(codec: Codec, fmtp: &str) -> TrackDescription {
    TrackDescription::new(CodecParameters::new(codec).with_fmtp(fmtp)).unwrap()
}

#[test]
fn a_player_is_answered_with_what_is_published() {
    for (name, profile, expected) in [
        ("chrome-play", "42e01f", (109, Some(114))),
        ("chrome-play", "640028", (119, Some(120))),
        ("chrome-play", "42c02a", (109, Some(114))),
        ("chrome-play", "640c1f", (119, Some(120))),
        ("chrome-play", "4d401f", (117, Some(118))),
        ("firefox-play", "42e01f", (126, Some(127))),
        // Firefox names no High: it decodes it all the same.
        ("firefox-play", "64001f", (126, Some(127))),
        ("safari-play", "42e01f", (98, Some(99))),
        ("safari-play", "640c33", (96, Some(97))),
        ("gstreamer-whepsrc", "42e01f", (102, None)),
        ("pion-play", "64001f", (112, Some(113))),
    ] {
        let fmtp = format!("packetization-mode=1;profile-level-id={profile}");
        let source = [track(Codec::Opus, ""), track(Codec::H264, &fmtp)];
        let negotiated = offer(name).answer_play(Some(&source), &options()).unwrap();
        let video = negotiated.section(MediaKind::Video).unwrap();
        assert_eq!((name, profile, types(video)), (name, profile, vec![expected]));
        assert_eq!(negotiated.section(MediaKind::Audio).unwrap().codecs.len(), 1);
    }
}

#[test]
fn a_codec_that_the_player_has_not_refuses_its_section_alone() {
    let source = [track(Codec::Opus, ""), track(Codec::H265, "profile-id=1")];
    let negotiated = offer("firefox-play").answer_play(Some(&source), &options()).unwrap();
    assert_eq!(negotiated.sections.len(), 1);
    assert!(section(&negotiated.sdp, 1).starts_with("m=video 0 "));
    let alone = offer("firefox-play").answer_play(Some(&source[1..]), &options());
    // The sound isn't known yet, and may come.
    assert_eq!(alone.unwrap().sections[0].kind, MediaKind::Audio);
}

#[test]
fn before_a_publisher_the_player_is_answered_with_everything_and_bound_later() {
    let negotiated = answer("chrome-play");
    let video = negotiated.section(MediaKind::Video).unwrap();
    assert_eq!(video.codecs.len(), 12);
    let bind = |codec, fmtp: &str| {
        let stream = CodecParameters::new(codec).with_fmtp(fmtp);
        video.bind(&stream).map(|codec| codec.payload_type.number())
    };
    assert_eq!(bind(Codec::H264, "profile-level-id=42e01f;packetization-mode=1"), Some(109));
    assert_eq!(bind(Codec::H264, "profile-level-id=42e01f;packetization-mode=0"), Some(115));
    assert_eq!(bind(Codec::H264, "profile-level-id=640033;packetization-mode=1"), Some(119));
    assert_eq!(bind(Codec::H264, ""), Some(107));
    assert_eq!(bind(Codec::Vp9, "profile-id=2"), Some(100));
    assert_eq!(bind(Codec::Vp9, ""), Some(98));
    assert_eq!(bind(Codec::Av1, ""), Some(45));
    assert_eq!(bind(Codec::H265, ""), Some(49));
    assert_eq!(bind(Codec::Opus, ""), None);
}

#[test]
fn a_stream_without_sound_leaves_the_sound_to_be_bound_later() {
    let source = [track(Codec::Vp8, "")];
    let negotiated = offer("chrome-play").answer_play(Some(&source), &options()).unwrap();
    let audio = negotiated.section(MediaKind::Audio).unwrap();
    assert_eq!(audio.direction, Direction::SendOnly);
    assert_eq!(types(audio), [(111, None), (0, None), (8, None)]);
    assert!(audio.local_source.is_some());
}

#[test]
fn what_is_played_has_sources_and_names_of_ours() {
    let negotiated = answer("chrome-play");
    let [audio, video] = [MediaKind::Audio, MediaKind::Video]
        .map(|kind| negotiated.section(kind).unwrap().local_source.unwrap());
    assert_eq!(audio.rtx, None);
    let rtx = video.rtx.unwrap();
    let all = [audio.ssrc, video.ssrc, rtx];
    assert!(all.iter().all(|ssrc| ssrc.0 != 0));
    assert!(audio.ssrc != video.ssrc && video.ssrc != rtx && audio.ssrc != rtx);
    let lines = section(&negotiated.sdp, 1);
    assert!(lines.contains(&format!("a=ssrc-group:FID {} {rtx}\r\n", video.ssrc)), "{lines}");
    assert!(lines.contains(&format!("a=ssrc:{rtx} cname:")), "{lines}");
    assert!(lines.contains("a=msid:"));
    let mut other = options();
    other.seed = 8;
    let other = offer("chrome-play").answer_play(None, &other).unwrap();
    assert_ne!(other.section(MediaKind::Audio).unwrap().local_source, Some(audio));
    let again = answer("chrome-play");
    assert_eq!(again, negotiated);
    assert!(negotiated.sections.iter().all(|section| section.extensions.rid.is_none()));
}

#[test]
fn only_packetization_mode_0_is_accepted() {
    let text = support::fixture("obs-publish").replace("packetization-mode=1;", "");
    let offer = rtc_stack::sdp::Offer::parse(&text).unwrap();
    let negotiated = offer.answer_publish(&options()).unwrap();
    assert_eq!(types(negotiated.section(MediaKind::Video).unwrap()), [(96, None)]);
    let video = section(&negotiated.sdp, 1);
    assert!(video.contains("a=fmtp:96 profile-level-id=42e01f;level-asymmetry-allowed=1\r\n"));
}

#[test]
fn who_wants_the_wrong_thing_is_told() {
    let play = offer("chrome-publish").answer_play(None, &options());
    assert_eq!(play, Err(SdpError::PlayOfSendonly(MediaKind::Audio)));
    let publish = offer("chrome-play").answer_publish(&options());
    assert_eq!(publish, Err(SdpError::NothingSent));
    let mut nothing = options();
    nothing.codecs = vec![Codec::Vp8];
    let none = offer("larix-publish").answer_publish(&nothing);
    assert_eq!(none, Err(SdpError::NoCommonCodec));
}

#[test]
fn who_offers_both_ways_may_publish_or_play() {
    let both = offer("safari-publish");
    let publish = both.answer_publish(&options()).unwrap();
    assert!(publish.sections.iter().all(|section| section.direction == Direction::RecvOnly));
    let play = both.answer_play(None, &options()).unwrap();
    assert!(play.sections.iter().all(|section| section.direction == Direction::SendOnly));
}
