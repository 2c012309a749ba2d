//! What is read and mended of a publisher's messages.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{send, server, take, url};
use crate::support::{Clip, Ffmpeg, RtmpClient, clip, key_frame, video_header, wait_for};

#[test]
fn reduce_sequence_header_sends_it_once() {
    let server =
        server(&[("once.example", "play { reduce_sequence_header on; }"), ("all.example", "")]);
    let other = Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 0x4d, 0, 0x1f, 0xff, 0xe0, 0]);
    let (header, one, two) = (video_header(), key_frame(1, 50), key_frame(2, 50));
    let sent = [&header, &header, &one, &header, &other, &two, &header];
    // A player begins with what is in force at its first keyframe: one header.
    let reduced = [&header, &one, &other, &two, &header];
    for (vhost, expected) in [("once.example", &reduced[..]), ("all.example", &sent[1..])] {
        let url = url(&server, vhost, "a");
        let mut player = RtmpClient::play(&url);
        let mut publisher = RtmpClient::publish(&url);
        for body in sent {
            send(&mut publisher, &[(0, body)]);
        }
        drop(publisher);
        let got: Vec<_> = take(&mut player, expected.len());
        let got: Vec<_> = got.iter().map(|(_, body)| body).collect();
        assert_eq!(got, expected, "{vhost}");
        assert_eq!(player.collect(Duration::from_millis(100)), [], "{vhost}");
    }
}

#[test]
fn parse_sps_off_tells_no_size() {
    let server = server(&[("off.example", "publish { parse_sps off; }"), ("on.example", "")]);
    let mut publishers = Vec::new();
    let mut video = |vhost: &str, stream: &str| -> Value {
        let url = format!("{}?vhost={vhost}", server.rtmp_url(stream));
        publishers.push(Ffmpeg::publish(&clip(Clip::Avc), &url));
        wait_for("video", Duration::from_secs(10), || {
            let streams = server.api("streams");
            let streams = streams["streams"].as_array()?;
            let stream = streams.iter().find(|s| s["name"] == stream)?;
            Some(stream["video"].clone()).filter(|video| video["profile"].is_string())
        })
    };
    let (off, on) = (video("off.example", "off"), video("on.example", "on"));
    assert_eq!((&on["width"], &on["height"]), (&json!(320), &json!(240)), "{on}");
    assert_eq!((&off["width"], &off["height"]), (&json!(0), &json!(0)), "{off}");
    for field in ["codec", "profile", "level"] {
        assert_eq!(off[field], on[field], "{field}");
    }
}

#[test]
fn try_annexb_first_off_leaves_start_codes() {
    let server =
        server(&[("off.example", "publish { try_annexb_first off; }"), ("on.example", "")]);
    let wrong = Bytes::from_static(&[0x17, 1, 0, 0, 0, 0, 0, 0, 1, 0x65, 1, 2, 3, 4, 5, 6]);
    let mended = Bytes::from_static(&[0x17, 1, 0, 0, 0, 0, 0, 0, 7, 0x65, 1, 2, 3, 4, 5, 6]);
    for (vhost, expected) in [("off.example", &wrong), ("on.example", &mended)] {
        let url = url(&server, vhost, "a");
        let mut player = RtmpClient::play(&url);
        let mut publisher = RtmpClient::publish(&url);
        send(&mut publisher, &[(0, &video_header()), (0, &wrong)]);
        drop(publisher);
        assert_eq!(take(&mut player, 2)[1].1, *expected, "{vhost}");
    }
}
