//! Enhanced RTMP: the codecs that FLV had no number for.

use std::time::Duration;

use rtmp_proto::MediaKind;
use serde_json::{Value, json};

use crate::support::{Clip, Ffmpeg, RtmpClient, TestServer, Version, clip, contents};

/// Publishes a clip to players that were there before, and compares every packet and frame.
fn comes_out_as_it_went_in(which: Clip, video: Value, audio: Value) {
    let server = TestServer::start();
    let source = clip(which);
    let mut rtmp = Ffmpeg::record_by(Version::Current, &server.rtmp_url("a"));
    let mut flv = Ffmpeg::record_by(Version::Current, &server.flv_url("a"));
    let rtmp_id = server.wait_for_client("a", "rtmp-play");
    server.wait_for_client("a", "flv-play");

    let mut publisher = Ffmpeg::publish_by(Version::Current, &source, &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let stream = &server.api("streams")["streams"][0];
    assert_eq!(stream["video"], video);
    assert_eq!(stream["audio"], audio);
    assert!(publisher.wait().success());
    assert!(flv.wait().success());
    server.kick(&rtmp_id);
    rtmp.wait();

    let sent = contents(&source);
    // A hundred frames of video and more of audio, as packets and as pictures.
    assert!(sent.len() > 400, "{} packets and frames in the clip", sent.len());
    assert_eq!(contents(&rtmp.output), sent, "by RTMP");
    assert_eq!(contents(&flv.output), sent, "by HTTP-FLV");
}

fn video(codec: &str, profile: &str, level: &str) -> Value {
    json!({ "codec": codec, "profile": profile, "level": level, "width": 320, "height": 240 })
}

fn audio(codec: &str) -> Value {
    json!({ "codec": codec, "sample_rate": 48000, "channel": 2, "profile": "" })
}

#[test]
fn hevc_and_opus() {
    comes_out_as_it_went_in(Clip::HevcOpus, video("HEVC", "Main", "2.0"), audio("Opus"));
}

#[test]
fn av1_and_flac() {
    comes_out_as_it_went_in(Clip::Av1Flac, video("AV1", "Main", "2.0"), audio("FLAC"));
}

#[test]
fn vp9_and_eac3() {
    // The record of VP9 doesn't say how large the picture is.
    let mut video = video("VP9", "Profile 0", "2.0");
    (video["width"], video["height"]) = (0.into(), 0.into());
    comes_out_as_it_went_in(Clip::Vp9Eac3, video, audio("EAC3"));
}

/// Two tracks of sound, which a player that comes late gets with their headers too.
#[test]
fn two_audio_tracks() {
    comes_out_as_it_went_in(
        Clip::TwoAudio,
        video("H264", "High", "1.3"),
        json!({ "codec": "AAC", "sample_rate": 48000, "channel": 2, "profile": "LC" }),
    );
}

#[test]
fn a_late_player_gets_the_headers_of_every_track() {
    let server = TestServer::start();
    let url = server.rtmp_url("a");
    let _publisher = Ffmpeg::publish_by(Version::Current, &clip(Clip::TwoAudio), &url);
    server.wait_for_client("a", "fmle-publish");
    std::thread::sleep(Duration::from_millis(1500));
    let mut player = RtmpClient::play(&url);
    let mut headers = 0;
    loop {
        let (kind, _, body) = player.next().unwrap();
        match (kind, &body[..]) {
            (MediaKind::Video, [0x17, 0, ..] | [0x90, ..]) => headers |= 1,
            (MediaKind::Video, _) => break,
            (MediaKind::Audio, [0xaf, 0, ..] | [0x90, ..]) => headers |= 2,
            // Multitrack, sequence start, track 1.
            (MediaKind::Audio, [0x95, 0x00, b'm', b'p', b'4', b'a', 1, ..]) => headers |= 4,
            _ => {}
        }
    }
    assert_eq!(headers, 0b111);
}

/// The first bytes of the video and audio messages that a player gets in two seconds.
fn first_bytes(player: &mut RtmpClient) -> [Vec<Vec<u8>>; 2] {
    let received = player.collect(Duration::from_secs(2));
    [MediaKind::Video, MediaKind::Audio].map(|kind| {
        let messages = received.iter().filter(|message| message.0 == kind);
        messages.map(|(_, _, body)| body[..5].to_vec()).collect()
    })
}

/// H.265 and Opus for players that say what they take: the enhanced form where they know the
/// codec, the old form where there is one, else the rest of the stream.
#[test]
fn players_get_the_form_that_they_announced() {
    let server = TestServer::start();
    let url = server.rtmp_url("a");
    let mut knows = RtmpClient::play_announcing(&url, &["hvc1", "Opus"]);
    let mut any = RtmpClient::play_announcing(&url, &["*"]);
    let mut old = RtmpClient::play_announcing(&url, &["av01"]);
    let mut silent = RtmpClient::play(&url);
    let _publisher = Ffmpeg::publish_by(Version::Current, &clip(Clip::HevcOpus), &url);
    server.wait_for_client("a", "fmle-publish");

    for player in [&mut knows, &mut any, &mut silent] {
        let [video, audio] = first_bytes(player);
        assert!(video.len() > 20 && audio.len() > 20, "{} and {}", video.len(), audio.len());
        assert!(video.iter().all(|body| body[0] & 0x80 != 0 && body[1..5] == *b"hvc1"));
        assert!(audio.iter().all(|body| body[0] >> 4 == 9 && body[1..5] == *b"Opus"));
    }
    let [video, audio] = first_bytes(&mut old);
    assert!(video.len() > 20, "{}", video.len());
    // A sequence header first, then a keyframe, all with H.265's number.
    assert_eq!((video[0][0], video[0][1]), (0x1c, 0));
    assert_eq!((video[1][0], video[1][1]), (0x1c, 1));
    assert!(video.iter().all(|body| body[0] & 0x8f == 0x0c));
    assert!(audio.is_empty(), "Opus has no old form");
}
