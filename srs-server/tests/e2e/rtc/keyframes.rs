//! Where bridged pictures begin: with the last keyframe while it is young, or with one that is asked for.

use std::time::{Duration, Instant};

use rtc_stack::MediaKind;
use rtmp_proto::MediaKind as Rtmp;

use super::{message, picture};
use crate::support::{RtcClient, RtmpClient, TestServer, video_header};

const BRIDGED: &str = "rtc_server { enabled on; listen 0; candidate 127.0.0.1; }
vhost __defaultVhost__ { rtc { enabled on; rtmp_to_rtc on; rtc_to_rtmp on; pli_for_rtmp 30; } }
";

/// The numbers of the pictures that a viewer got, each of which is one packet.
fn numbers(viewer: &RtcClient) -> Vec<u32> {
    let number = |payload: &[u8]| u32::from_be_bytes(payload[2..6].try_into().unwrap());
    viewer.of(MediaKind::Video).iter().map(|got| number(&got.payload)).collect()
}

#[test]
fn a_viewer_of_rtmp_that_wants_a_keyframe_gets_the_last_one_again_while_it_is_young() {
    let server = TestServer::configured(BRIDGED);
    let mut viewer = RtcClient::play(server.api, "s").connect();
    let mut publisher = RtmpClient::publish(&server.rtmp_url("s"));
    publisher.send(Rtmp::Video, 0, video_header());
    let mut number = 0;
    let mut send = |viewer: &mut RtcClient, is_key: bool| {
        publisher.send(Rtmp::Video, number * 40, message(number, is_key));
        number += 1;
        viewer.poll(Duration::from_millis(40));
    };
    // Until the machine has been quick enough once.
    let deadline = Instant::now() + Duration::from_secs(30);
    let repeated = loop {
        assert!(Instant::now() < deadline, "nothing was sent again: {:?}", numbers(&viewer));
        send(&mut viewer, true);
        (0..4).for_each(|_| send(&mut viewer, false));
        let before = numbers(&viewer);
        if before.is_empty() {
            continue;
        }
        viewer.want_keyframe();
        (0..30).for_each(|_| send(&mut viewer, false));
        let after = numbers(&viewer);
        let back = after.windows(2).position(|pair| pair[1] < pair[0]);
        if let Some(back) = back {
            break (after, back);
        }
    };
    let (seen, back) = repeated;
    // From the keyframe on, as it was sent the first time, and on from there.
    assert_eq!(seen[back + 1] % 35, 0, "{seen:?}");
    assert!(seen[back + 1..].windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
    let video = viewer.of(MediaKind::Video);
    assert!(video.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    let steps = video.windows(2).map(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp));
    assert!(steps.into_iter().all(|step| step.cast_signed() > 0));
    // It is older than a second now.
    let before = numbers(&viewer);
    viewer.want_keyframe();
    (0..10).for_each(|_| send(&mut viewer, false));
    let new = numbers(&viewer).split_off(before.len());
    assert!(new.len() >= 5, "{new:?}");
    assert!(new.windows(2).all(|pair| pair[1] == pair[0] + 1), "{new:?}");
    assert_eq!(Some(new[0]), before.last().map(|last| last + 1));
}

/// A publisher that makes a keyframe every ten seconds, and when it is asked to.
#[test]
fn a_player_of_rtmp_that_comes_late_gets_a_picture_within_a_second() {
    let server = TestServer::configured(BRIDGED);
    let mut publisher = RtcClient::publish(server.api, "s").connect();
    let mut number = 0_u32;
    let mut asked = 0;
    let mut send = |publisher: &mut RtcClient| {
        let is_key = number.is_multiple_of(300) || publisher.keyframes_wanted > asked;
        asked = publisher.keyframes_wanted;
        if is_key {
            // Both sets in one packet (STAP-A).
            let sets = b"\x78\0\x18\x67\x42\xc0\x1f\xda\x01\x40\x16\xe9\xa8\x08\x08\x0a\0\0\x03\
                \0\x02\0\0\x03\0\x79\x08\0\x04\x68\xce\x3c\x80";
            publisher.send(MediaKind::Video, number * 3_000, false, sets);
        }
        let [first, last] = picture(number, is_key);
        publisher.send(MediaKind::Video, number * 3_000, false, &first);
        publisher.send(MediaKind::Video, number * 3_000, true, &last);
        number += 1;
        number
    };
    for _ in 0..150 {
        send(&mut publisher);
        publisher.poll(Duration::from_millis(33));
    }
    assert_eq!(publisher.keyframes_wanted, 0, "nobody has come yet");
    let mut player = RtmpClient::play(&server.rtmp_url("s"));
    let mut sent = 0;
    let first = loop {
        let number = send(&mut publisher);
        sent += 1;
        assert!(sent < 60, "no picture in two seconds");
        publisher.poll(Duration::from_millis(5));
        let got = player.collect(Duration::from_millis(28));
        let mut frames = got.iter().filter(|(_, _, body)| body.starts_with(&[0x17, 1]));
        if frames.next().is_some() {
            break number;
        }
    };
    assert!(publisher.keyframes_wanted >= 1);
    // In the publisher's time, of which 30 pictures are a second.
    assert!(sent <= 30, "after {sent} pictures, with number {first}");
}
