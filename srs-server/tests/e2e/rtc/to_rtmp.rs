//! What WebRTC publishers send reaches players of RTMP and HTTP-FLV.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_stack::MediaKind;
use rtmp_proto::MediaKind as Rtmp;

use super::{picture, sound};
use crate::support::{RtcClient, RtmpClient, TestServer};

const BRIDGED: &str = "rtc_server { enabled on; listen 0; candidate 127.0.0.1; }
vhost __defaultVhost__ { rtc { enabled on; rtc_to_rtmp on; pli_for_rtmp 0.5; } }
";
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe9, 0xa8, 0x08, 0x08, 0x0a, 0, 0, 3, 0, 2, 0,
    0, 3, 0, 0x79, 0x08,
];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// Sends a picture, with its parameter sets if it is a keyframe, and the sound that goes with it.
fn send(publisher: &mut RtcClient, number: u32, is_key: bool) {
    let timestamp = number * 3000;
    if is_key {
        publisher.send(MediaKind::Video, timestamp, false, SPS);
        publisher.send(MediaKind::Video, timestamp, false, PPS);
    }
    let [first, last] = picture(number, is_key);
    publisher.send(MediaKind::Video, timestamp, false, &first);
    publisher.send(MediaKind::Video, timestamp, true, &last);
    publisher.send(MediaKind::Audio, number * 1600, false, &sound(number));
}

/// The body of the message that a picture becomes.
fn body(number: u32, is_key: bool) -> Vec<u8> {
    let [first, last] = picture(number, is_key);
    let nal = [&[first[0] & 0xe0 | first[1] & 0x1f], &first[2..], &last[2..]].concat();
    let start = if is_key { 0x17 } else { 0x27 };
    [&[start, 1, 0, 0, 0][..], &(nal.len() as u32).to_be_bytes(), &nal].concat()
}

/// Publishes until the player has so many messages of a kind.
fn publish_until(
    publisher: &mut RtcClient,
    player: &mut RtmpClient,
    number: &mut u32,
    kind: Rtmp,
    messages: usize,
) -> Vec<(Rtmp, u32, Bytes)> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut got: Vec<(Rtmp, u32, Bytes)> = Vec::new();
    while got.iter().filter(|(of, ..)| *of == kind).count() < messages {
        assert!(Instant::now() < deadline, "{} messages", got.len());
        send(publisher, *number, number.is_multiple_of(30));
        *number += 1;
        publisher.poll(Duration::from_millis(10));
        got.extend(player.collect(Duration::from_millis(1)));
    }
    got
}

#[test]
fn h264_arrives_as_messages_of_rtmp() {
    let server = TestServer::configured(BRIDGED);
    let mut publisher = RtcClient::publish(server.api, "s").connect();
    let mut player = RtmpClient::play(&server.rtmp_url("s"));
    let mut number = 0;
    let got = publish_until(&mut publisher, &mut player, &mut number, Rtmp::Video, 70);
    let video: Vec<_> = got.iter().filter(|(kind, ..)| *kind == Rtmp::Video).collect();
    let (_, _, configuration) = video[0];
    assert_eq!(configuration[..5], [0x17, 0, 0, 0, 0]);
    let record = flv_mux::AvcDecoderConfigurationRecord::decode(&configuration[5..]).unwrap();
    assert_eq!((&record.sps[0][..], &record.pps[0][..]), (SPS, PPS));
    // It begins with a keyframe and goes on bit by bit; 33 ms apart.
    let first = (0..1_000).step_by(30).find(|&number| body(number, true) == video[1].2[..]);
    let first = first.expect("a keyframe");
    for (at, (_, timestamp, payload)) in video[1..].iter().enumerate() {
        let number = first + u32::try_from(at).unwrap();
        assert!(body(number, number.is_multiple_of(30)) == payload[..], "picture {number}");
        let apart = i64::from(*timestamp) - i64::from(video[1].1);
        let expected = i64::from(number - first) * 100 / 3;
        assert!((apart - expected).abs() <= 1, "picture {number}: {apart} ms");
    }
    // The publisher is asked for keyframes from time to time.
    assert!(publisher.keyframes_wanted > 0);
}

#[test]
fn opus_goes_as_it_is_to_those_who_know_it() {
    let server = TestServer::configured(BRIDGED);
    let mut publisher = RtcClient::publish(server.api, "s").connect();
    let mut player = RtmpClient::play_announcing(&server.rtmp_url("s"), &["Opus"]);
    let mut number = 0;
    let got = publish_until(&mut publisher, &mut player, &mut number, Rtmp::Audio, 40);
    let audio: Vec<_> = got.iter().filter(|(kind, ..)| *kind == Rtmp::Audio).collect();
    assert_eq!(audio[0].2[..14], *b"\x90OpusOpusHead\x01");
    let first = (0..1_000).find(|&number| audio[1].2[5..] == sound(number)[..]);
    let first = first.expect("a sound that was sent");
    for (at, (_, _, payload)) in audio[1..].iter().enumerate() {
        let number = first + u32::try_from(at).unwrap();
        assert_eq!(payload[..], [b"\x91Opus", &sound(number)[..]].concat());
    }
}
