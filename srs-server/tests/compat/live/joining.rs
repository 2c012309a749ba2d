//! Where a player begins, and how far it may lag.

use std::time::Duration;

use rtmp_proto::MediaKind;
use socket2::SockRef;

use super::{send, server, take, url, wait_for_frames};
use crate::support::{RtmpClient, inter_frame, key_frame, video_header};

/// At once: so that a test need not wait for merged writes.
const AT_ONCE: &str = "mw_latency 0; mw_msgs 0;";

#[test]
fn gop_cache_off_waits_for_the_next_keyframe() {
    let on = format!("play {{ {AT_ONCE} }}");
    let off = format!("play {{ {AT_ONCE} gop_cache off; }}");
    let server = server(&[("on.example", &on), ("off.example", &off)]);
    for (vhost, first) in [("on.example", key_frame(1, 50)), ("off.example", key_frame(4, 50))] {
        let stream = vhost.replace('.', "-");
        let mut publisher = RtmpClient::publish(&url(&server, vhost, &stream));
        let (key, inter) = (key_frame(1, 50), inter_frame(2, 50));
        send(&mut publisher, &[(0, &video_header()), (0, &key), (40, &inter)]);
        wait_for_frames(&server, &stream, 2);
        let mut player = RtmpClient::play(&url(&server, vhost, &stream));
        send(&mut publisher, &[(80, &inter_frame(3, 50)), (120, &key_frame(4, 50))]);
        let got = take(&mut player, 2);
        assert_eq!(got[0].1, video_header(), "{vhost}");
        assert_eq!(got[1].1, first, "{vhost}");
    }
}

#[test]
fn gop_cache_max_frames_ends_the_cache() {
    let server = server(&[("v.example", &format!("play {{ {AT_ONCE} gop_cache_max_frames 5; }}"))]);
    let url = url(&server, "v.example", "a");
    let mut publisher = RtmpClient::publish(&url);
    send(&mut publisher, &[(0, &video_header()), (0, &key_frame(0, 50))]);
    for number in 1..5 {
        send(&mut publisher, &[(number * 40, &inter_frame(number, 50))]);
    }
    wait_for_frames(&server, "a", 5);
    let mut early = RtmpClient::play(&url);
    assert_eq!(take(&mut early, 2)[1].1, key_frame(0, 50));

    send(&mut publisher, &[(200, &inter_frame(5, 50))]);
    wait_for_frames(&server, "a", 6);
    let mut late = RtmpClient::play(&url);
    send(&mut publisher, &[(240, &inter_frame(6, 50)), (280, &key_frame(7, 50))]);
    let got = take(&mut late, 2);
    assert_eq!((&got[0].1, &got[1].1), (&video_header(), &key_frame(7, 50)));
    // Who came in time goes on without a gap.
    let numbers: Vec<_> = take(&mut early, 7).into_iter().map(|(_, body)| number(&body)).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
}

/// Ten seconds of a stream, of which a player takes nothing until all is sent.
#[test]
fn queue_length_bounds_the_lag() {
    const FRAMES: u32 = 250;
    let short = format!("tcp_nodelay on; play {{ {AT_ONCE} queue_length 2; }}");
    let long = format!("tcp_nodelay on; play {{ {AT_ONCE} }}");
    let server = server(&[("short.example", &short), ("long.example", &long)]);
    let mut seen = Vec::new();
    for vhost in ["short.example", "long.example"] {
        let url = url(&server, vhost, &vhost.replace('.', "-"));
        let mut publisher = RtmpClient::publish(&url);
        let mut player = RtmpClient::play(&url);
        // What the kernel holds doesn't count towards the queue.
        SockRef::from(&player.socket).set_recv_buffer_size(128 * 1024).unwrap();
        for number in 0..FRAMES {
            let frame = if number % 25 == 0 { key_frame } else { inter_frame };
            publisher.send(MediaKind::Video, number * 40, frame(number, 20_000));
        }
        wait_for_frames(&server, &vhost.replace('.', "-"), u64::from(FRAMES));
        let mut numbers = vec![];
        while numbers.last() != Some(&(FRAMES - 1)) {
            numbers.push(number(&player.next().unwrap().2));
        }
        seen.push(numbers);
    }
    let [short, long] = &seen[..] else { unreachable!() };
    assert_eq!(*long, Vec::from_iter(0..FRAMES));
    // Whole groups of pictures are gone, and what is left goes on at a keyframe; once or more
    // often, since the kernel may take some more in between.
    let gaps: Vec<_> =
        short.windows(2).filter(|pair| pair[1] != pair[0] + 1).map(|pair| pair[1]).collect();
    assert!(gaps.iter().all(|number| number % 25 == 0), "{short:?}");
    // Two seconds are 50 frames.
    let last = *gaps.last().expect("a gap");
    assert!(FRAMES - last <= 75, "{short:?}");
    server.wait_for_log("the player is too slow");
}

/// The number that a frame of `key_frame` or `inter_frame` carries.
fn number(body: &[u8]) -> u32 {
    u32::from_be_bytes(body[10..14].try_into().unwrap())
}

/// Both profiles' default: a player that comes first waits as long as it takes.
#[test]
fn players_wait_for_the_first_publisher() {
    let server = server(&[]);
    let mut rtmp = RtmpClient::play(&server.rtmp_url("a"));
    let mut flv = ureq::get(server.flv_url("a")).call().unwrap();
    assert_eq!(flv.headers()["content-type"], "video/x-flv");
    assert_eq!(rtmp.collect(Duration::from_millis(300)), []);

    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    send(&mut publisher, &[(0, &video_header())]);
    for number in 0..30 {
        send(&mut publisher, &[(number * 40, &key_frame(number, 1000))]);
    }
    let got = take(&mut rtmp, 31);
    assert_eq!((&got[0].1, &got[30]), (&video_header(), &(29 * 40, key_frame(29, 1000))));
    drop(publisher);
    let flv = flv.body_mut().with_config().read_to_vec().unwrap();
    assert_eq!(flv.len(), 13 + 15 + video_header().len() + 30 * 1015);
}
