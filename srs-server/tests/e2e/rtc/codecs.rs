//! The codecs of enhanced RTMP, from RTMP to WebRTC and back: as they were sent, and decoded.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use flv_mux::{TagKind, VideoTagHeader};
use rtc_stack::{Codec, MediaKind, payload::AccessUnit};
use rtmp_proto::MediaKind as Rtmp;

use super::message;
use crate::support::{
    Clip, Ffmpeg, Frame, RtmpClient, TestServer, Version, WhepClient, WhipClient, clip, file_of,
    file_of_ivf, frames, pictures, tags, video_header,
};

/// A frame of silence, 20 ms.
const OPUS: &[u8] = &[0xfc, 0xff, 0xfe];

fn server() -> TestServer {
    TestServer::configured(
        "rtc_server { enabled on; listen 0; candidate 127.0.0.1; }
        vhost __defaultVhost__ {
            rtc { enabled on; rtmp_to_rtc on; rtc_to_rtmp on; } http_remux { enabled on; }
        }",
    )
}

fn video(which: Clip) -> Vec<Frame> {
    let frames = frames(&clip(which)).into_iter();
    frames.filter(|frame| frame.kind == TagKind::Video).collect()
}

/// What decoders need of a unit: delimiters are left out on the way.
fn kept(codec: Codec, units: &[Bytes]) -> Vec<Bytes> {
    let is_kept = |unit: &&Bytes| codec != Codec::H265 || unit[0] >> 1 & 0x3f != 35;
    let units: Vec<Bytes> = units.iter().filter(is_kept).cloned().collect();
    // A temporal unit of AV1 is one unit there, and its OBUs here.
    if codec == Codec::Av1 { vec![av1(&units.concat()).into()] } else { units }
}

/// OBUs without temporal delimiters and padding, which payloads don't have.
fn av1(data: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut rest = data;
    while let Some(obu) = flv_mux::obus(rest).next() {
        let whole = rest.len() - after(rest, obu.unwrap().payload);
        let kind = rest[0] >> 3 & 0xf;
        if !matches!(kind, 2 | 8 | 15) {
            kept.extend_from_slice(&rest[..whole]);
        }
        rest = &rest[whole..];
    }
    kept
}

/// Bytes behind a part of `data`.
fn after(data: &[u8], part: &[u8]) -> usize {
    let start = part.as_ptr() as usize - data.as_ptr() as usize;
    data.len() - start - part.len()
}

/// A file that ffmpeg decodes.
fn file(codec: Codec, units: &[AccessUnit]) -> PathBuf {
    let frame = |unit: &AccessUnit| Bytes::from(unit.units.concat());
    match codec {
        Codec::H265 => {
            let nals = units.iter().flat_map(|unit| &unit.units);
            let bytes = nals.flat_map(|nal| [&[0, 0, 0, 1], &nal[..]].concat());
            file_of("frames.hevc", &bytes.collect::<Vec<u8>>())
        }
        Codec::Av1 => {
            // Each temporal unit begins with a delimiter again.
            let frames = units.iter().map(|unit| [&[0x12, 0], &frame(unit)[..]].concat().into());
            file_of_ivf(b"AV01", &frames.collect::<Vec<_>>())
        }
        _ => file_of_ivf(b"VP90", &units.iter().map(frame).collect::<Vec<_>>()),
    }
}

fn goes_to_webrtc(which: Clip, codec: Codec) {
    let server = server();
    let codecs = [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9, Codec::Opus];
    let mut player = WhepClient::play(server.api, "s", &codecs);
    let sent = video(which);
    let mut ffmpeg = Ffmpeg::publish_by(Version::Current, &clip(which), &server.rtmp_url("s"));
    let got = player.until(codec, sent.len());
    assert!(ffmpeg.wait().success());
    assert_eq!(got.len(), sent.len());
    for (number, (got, sent)) in got.iter().zip(&sent).enumerate() {
        assert!(kept(codec, &got.units) == kept(codec, &sent.units), "{codec} {number}");
        assert_eq!(got.is_keyframe, sent.is_key, "{codec} {number}");
    }
    for pair in got.windows(2) {
        let step = pair[1].timestamp - pair[0].timestamp;
        assert!((3_510..=3_690).contains(&step), "{codec}: {step}");
    }
    let file = file(codec, &got);
    let decoded = pictures(&file);
    assert_eq!(decoded.len(), sent.len());
    assert_eq!(decoded, pictures(&clip(which)));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn hevc_goes_to_webrtc() {
    goes_to_webrtc(Clip::Hevc, Codec::H265);
}

#[test]
fn av1_goes_to_webrtc() {
    goes_to_webrtc(Clip::Av1Flac, Codec::Av1);
}

#[test]
fn vp9_goes_to_webrtc() {
    goes_to_webrtc(Clip::Vp9Eac3, Codec::Vp9);
}

fn comes_from_webrtc(which: Clip, codec: Codec) {
    let server = server();
    let mut publisher = WhipClient::publish(server.api, "s", codec);
    server.wait_for_client("s", "rtc-publish");
    let mut rtmp = Ffmpeg::record_by(Version::Current, &server.rtmp_url("s"));
    let mut flv = Ffmpeg::record_by(Version::Current, &server.flv_url("s"));
    let id = server.wait_for_client("s", "rtmp-play");
    server.wait_for_client("s", "flv-play");
    let sent = video(which);
    let start = Instant::now();
    for (number, frame) in (0_u32..).zip(&sent) {
        publisher.send(MediaKind::Video, number * 3_600, frame.units.iter().cloned());
        for half in 0..2 {
            let timestamp = (2 * number + half) * 960;
            publisher.send(MediaKind::Audio, timestamp, [Bytes::from_static(OPUS)]);
        }
        let due = start + Duration::from_millis(40) * (number + 1);
        publisher.poll(due.saturating_duration_since(Instant::now()));
    }
    publisher.poll(Duration::from_millis(500));
    publisher.close();
    assert!(flv.wait().success());
    server.kick(&id);
    rtmp.wait();
    let expected = pictures(&clip(which));
    for file in [&rtmp.output, &flv.output] {
        let got: Vec<Frame> =
            frames(file).into_iter().filter(|frame| frame.kind == TagKind::Video).collect();
        assert_eq!(got.len(), sent.len(), "{}", file.display());
        for (number, (got, sent)) in got.iter().zip(&sent).enumerate() {
            assert_eq!(got.is_key, sent.is_key, "{codec} {number}");
            assert!(kept(codec, &got.units) == kept(codec, &sent.units), "{codec} {number}");
        }
        assert!(got.windows(2).all(|pair| (30..=50).contains(&(pair[1].time - pair[0].time))));
        assert_eq!(pictures(file), expected, "{}", file.display());
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn hevc_comes_from_webrtc() {
    comes_from_webrtc(Clip::Hevc, Codec::H265);
}

#[test]
fn av1_comes_from_webrtc() {
    comes_from_webrtc(Clip::Av1Flac, Codec::Av1);
}

#[test]
fn vp9_comes_from_webrtc() {
    comes_from_webrtc(Clip::Vp9Eac3, Codec::Vp9);
}

/// A viewer that agreed to H.264 alone, while the publisher sends H.265 for a time: sound goes on, and
/// pictures come again with what was agreed to.
#[test]
fn sound_goes_on_while_a_viewer_cannot_take_the_codec() {
    let server = server();
    let mut player = WhepClient::play(server.api, "s", &[Codec::H264, Codec::Opus]);
    let mut other = WhepClient::play(server.api, "s", &[Codec::H264, Codec::H265, Codec::Opus]);
    let mut publisher = RtmpClient::publish(&server.rtmp_url("s"));
    let hevc: Vec<Bytes> = tags(&clip(Clip::Hevc))
        .into_iter()
        .filter(|tag| tag.kind == TagKind::Video)
        .map(|tag| tag.body)
        .filter(|body| {
            let (header, _) = VideoTagHeader::decode(body).unwrap();
            header.is_sequence_header() || header.is_frame()
        })
        .take(26)
        .collect();
    let mut number = 0_u32;
    let mut round = |picture: &mut dyn FnMut(u32) -> Vec<Bytes>, players: [&mut WhepClient; 2]| {
        let [one, two] = players;
        for at in 0..25 {
            let time = number * 40;
            for body in picture(at) {
                publisher.send(Rtmp::Video, time, body);
            }
            for half in 0..2 {
                let sound = [&b"\x91Opus\xfc"[..], &(2 * number + half).to_be_bytes()].concat();
                publisher.send(Rtmp::Audio, time + 20 * half, sound.into());
            }
            number += 1;
            one.poll(Duration::from_millis(20));
            two.poll(Duration::from_millis(20));
        }
    };
    let mut h264 = |at: u32| match at {
        0 => vec![video_header(), message(at, true)],
        _ => vec![message(at, false)],
    };
    round(&mut h264, [&mut player, &mut other]);
    let mut h265 = |at: u32| match at {
        0 => hevc[..2].to_vec(),
        _ => vec![hevc[at as usize + 1].clone()],
    };
    round(&mut h265, [&mut player, &mut other]);
    let before = player.units(Codec::H264).len();
    round(&mut h264, [&mut player, &mut other]);
    player.poll(Duration::from_millis(300));
    other.poll(Duration::from_millis(300));
    assert_eq!(before, 25);
    let units = player.units(Codec::H264);
    let number = |unit: &AccessUnit| unit.units.last().unwrap()[2..6].to_vec();
    let expected: Vec<_> = (0..25_u32).chain(0..25).map(|at| at.to_be_bytes().to_vec()).collect();
    assert_eq!(units.iter().map(number).collect::<Vec<_>>(), expected);
    assert!(units[0].is_keyframe && units[25].is_keyframe);
    // Packets have no hole that would be taken for a loss, and nothing is in them that is H.265.
    let packets = player.packets(Codec::H264);
    assert!(packets.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
    let sounds = player.units(Codec::Opus);
    let numbers: Vec<_> = sounds.iter().map(|unit| unit.units[0][1..].to_vec()).collect();
    let expected: Vec<_> = (0..150_u32).map(|at| at.to_be_bytes().to_vec()).collect();
    assert_eq!(numbers, expected);
    // Who agreed to both gets both.
    assert_eq!(other.units(Codec::H265).len(), 25);
    assert_eq!(other.units(Codec::H264).len(), 50);
}
