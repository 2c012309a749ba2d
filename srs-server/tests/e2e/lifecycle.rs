//! Publishers that come, go, return and collide.

use std::{thread, time::Duration};

use bytes::Bytes;
use rtmp_proto::{MediaKind, Purpose};

use crate::support::{
    Clip, Ffmpeg, RtmpClient, TestServer, clip, inter_frame, key_frame, packets, video_header,
    wait_for,
};

/// A publisher is killed and returns within three seconds: both players go on.
#[test]
fn viewers_play_on_over_a_publisher_that_dies_and_returns() {
    let server = TestServer::start();
    let source = clip(Clip::Avc);
    let mut rtmp = Ffmpeg::record(&server.rtmp_url("a"));
    let mut flv = Ffmpeg::record(&server.flv_url("a"));
    let rtmp_id = server.wait_for_client("a", "rtmp-play");
    let flv_id = server.wait_for_client("a", "flv-play");

    let mut publisher = Ffmpeg::publish_forever(&source, &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    thread::sleep(Duration::from_millis(2500));
    publisher.kill();
    thread::sleep(Duration::from_millis(1500));
    assert!(Ffmpeg::publish(&source, &server.rtmp_url("a")).wait().success());
    assert_eq!(server.wait_for_client("a", "rtmp-play"), rtmp_id);
    server.kick(&rtmp_id);
    server.kick(&flv_id);
    rtmp.wait();
    flv.wait();

    for output in [&rtmp.output, &flv.output] {
        let video: Vec<_> =
            packets(output).into_iter().filter(|packet| packet.stream == "video").collect();
        let steps: Vec<_> = video.windows(2).map(|pair| pair[1].dts - pair[0].dts).collect();
        // About 60 frames of the first publisher and all 100 of the second.
        assert!(video.len() > 130, "{} frames", video.len());
        assert!(steps.iter().all(|step| (1..=120).contains(step)), "{steps:?}");
        // The second publisher begins anew with a keyframe, somewhere off the beat of 25.
        let keys: Vec<_> = (0..video.len()).filter(|&i| video[i].key).collect();
        let off_beat = keys.windows(2).filter(|pair| pair[1] - pair[0] != 25).count();
        assert!(off_beat <= 1, "keyframes at {keys:?}");
    }
}

/// After three seconds without a publisher the stream is over: HTTP-FLV ends, RTMP waits.
#[test]
fn a_stream_ends_for_good_after_the_grace() {
    let server = TestServer::start();
    let flv_url = server.flv_url("a");
    let flv = thread::spawn(move || {
        ureq::get(flv_url).call().unwrap().body_mut().with_config().read_to_vec().unwrap()
    });
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    server.wait_for_client("a", "flv-play");
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    for number in 0..30 {
        publisher.send(MediaKind::Video, number * 40, key_frame(number, 1000));
    }
    drop(publisher);
    // The header, and 30 tags of 1000 bytes with 15 around them.
    assert_eq!(flv.join().unwrap().len(), 13 + 30 * 1015);
    assert_eq!(server.clients("a", "rtmp-play").len(), 1);
    let before = player.collect(Duration::from_millis(200)).last().unwrap().1;

    // The next publisher's stream goes on for the player that waited, later than before.
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    publisher.send(MediaKind::Video, 0, key_frame(77, 1000));
    let (_, timestamp, payload) = player.next().unwrap();
    assert_eq!(payload, key_frame(77, 1000));
    assert!(timestamp > before, "{timestamp} after {before}");
}

#[test]
fn another_publisher_is_refused() {
    let server = TestServer::start();
    let mut first = RtmpClient::publish(&server.rtmp_url("a?token=1"));
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let refused =
        RtmpClient::open(&server.rtmp_url("a?token=2"), Purpose::publish()).err().unwrap();
    assert!(refused.starts_with("NetStream.Publish.BadName: "), "{refused}");
    server.wait_for_log("publish of __defaultVhost__/live/a refused: stream is busy");
    first.send(MediaKind::Video, 0, key_frame(1, 100));
    assert_eq!(player.next().unwrap().2, key_frame(1, 100));
}

#[test]
fn the_same_publisher_takes_over() {
    let server = TestServer::start();
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let mut first = RtmpClient::publish(&server.rtmp_url("a?token=1"));
    first.send(MediaKind::Video, 0, video_header());
    first.send(MediaKind::Video, 5000, key_frame(1, 100));
    assert_eq!(player.next().unwrap(), (MediaKind::Video, 0, video_header()));
    assert_eq!(player.next().unwrap(), (MediaKind::Video, 0, key_frame(1, 100)));

    let mut second = RtmpClient::publish(&server.rtmp_url("a?token=1"));
    server.wait_for_log("another publisher took __defaultVhost__/live/a over");
    second.send(MediaKind::Video, 0, video_header());
    second.send(MediaKind::Video, 0, key_frame(2, 100));
    second.send(MediaKind::Video, 40, inter_frame(3, 100));
    assert_eq!(player.next().unwrap(), (MediaKind::Video, 40, video_header()));
    assert_eq!(player.next().unwrap(), (MediaKind::Video, 40, key_frame(2, 100)));
    assert_eq!(player.next().unwrap(), (MediaKind::Video, 80, inter_frame(3, 100)));
    wait_for("end of the first", Duration::from_secs(5), || {
        first.try_send(MediaKind::Video, 80, key_frame(9, 100)).err()
    });
}

/// The wrap, a jump back, late audio, and a header that changes: one clock for the viewer.
#[test]
fn the_stream_has_one_clock_whatever_the_publisher_does() {
    let server = TestServer::start();
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    let audio = Bytes::from_static(&[0xaf, 1, 0x21]);
    let other_header = Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 0x4d, 0, 0x1f, 0xff, 0xe0, 0]);
    let wrap = u32::MAX - 39;
    let sent = [
        (MediaKind::Video, wrap, video_header(), 0),
        (MediaKind::Video, wrap, key_frame(1, 50), 0),
        (MediaKind::Video, 0, inter_frame(2, 50), 40),
        (MediaKind::Audio, 10, Bytes::from_static(&[0xaf, 0, 0x12, 0x10]), 40),
        (MediaKind::Audio, 10, audio.clone(), 50),
        (MediaKind::Data, 0, Bytes::from_static(b"\x02\x00\x06onText\x05"), 50),
        (MediaKind::Video, 40, inter_frame(3, 50), 80),
        (MediaKind::Video, 40, other_header, 80),
        (MediaKind::Video, 80, key_frame(4, 50), 120),
        // The encoder's clock jumps back by a minute.
        (MediaKind::Video, wrap - 60_000, key_frame(5, 50), 160),
        (MediaKind::Audio, wrap - 59_997, audio, 163),
        (MediaKind::Video, wrap - 59_960, inter_frame(6, 50), 200),
    ];
    for (kind, timestamp, payload, _) in &sent {
        publisher.send(*kind, *timestamp, payload.clone());
    }
    for (kind, _, payload, at) in sent {
        assert_eq!(player.next().unwrap(), (kind, at, payload));
    }
}
