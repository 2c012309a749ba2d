//! How often a player is written to.

use std::{
    io::{ErrorKind, Read},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use super::{send, server, take, url, wait_for_frames};
use crate::support::{RtmpClient, TestServer, inter_frame, key_frame, video_header};

/// How long writes are counted.
const COUNTED: Duration = Duration::from_secs(3);
/// Bytes that come closer to each other than this came in one write.
const APART: Duration = Duration::from_millis(20);

/// How often players of these vhosts' streams are written to while each is sent a frame every
/// 40 ms.
pub(super) fn writes(server: &TestServer, vhosts: &[&str]) -> Vec<usize> {
    let mut publishers: Vec<_> = vhosts
        .iter()
        .map(|vhost| RtmpClient::publish(&url(server, vhost, &vhost.replace('.', "-"))))
        .collect();
    for (publisher, vhost) in publishers.iter_mut().zip(vhosts) {
        send(publisher, &[(0, &video_header()), (0, &key_frame(0, 100))]);
        wait_for_frames(server, &vhost.replace('.', "-"), 1);
    }
    let players: Vec<_> = vhosts
        .iter()
        .map(|vhost| {
            let mut player = RtmpClient::play(&url(server, vhost, &vhost.replace('.', "-")));
            take(&mut player, 2);
            thread::spawn(move || count_writes(&player.socket))
        })
        .collect();
    let began = Instant::now();
    for number in 1.. {
        for publisher in &mut publishers {
            send(publisher, &[(number * 40, &inter_frame(number, 100))]);
        }
        if began.elapsed() > COUNTED + Duration::from_millis(500) {
            break;
        }
        thread::sleep(Duration::from_millis(40));
    }
    players.into_iter().map(|player| player.join().unwrap()).collect()
}

/// How often something comes, and then nothing for a while.
fn count_writes(mut socket: &TcpStream) -> usize {
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (began, mut last, mut count) = (Instant::now(), None::<Instant>, 0);
    let mut buf = [0; 64 * 1024];
    while began.elapsed() < COUNTED {
        match socket.read(&mut buf) {
            Ok(0) => panic!("closed"),
            Ok(_) => {
                if last.is_none_or(|last| last.elapsed() > APART) {
                    count += 1;
                }
                last = Some(Instant::now());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
    count
}

/// Without a message more than is due: three seconds of 350 ms are nine writes, with one at each
/// end and a little time that a busy machine may lose.
#[test]
fn mw_latency_350_writes_at_most_four_times_a_second() {
    let server = server(&[
        ("merged.example", "play { mw_latency 350; }"),
        ("default.example", ""),
        ("every.example", "play { mw_latency 0; mw_msgs 0; }"),
    ]);
    let counts = writes(&server, &["merged.example", "default.example", "every.example"]);
    let [merged, default, every] = counts[..] else { unreachable!() };
    assert!((3..=12).contains(&merged), "{counts:?}");
    assert!((3..=12).contains(&default), "{counts:?}");
    assert!(every >= 3 * merged, "{counts:?}");
}

#[test]
fn send_min_interval_spaces_writes() {
    let server = server(&[
        ("spaced.example", "play { mw_latency 0; mw_msgs 0; send_min_interval 300; }"),
        ("auto.example", "play { mw_latency auto; send_min_interval 300; }"),
        ("every.example", "play { mw_latency 0; mw_msgs 0; }"),
    ]);
    let counts = writes(&server, &["spaced.example", "auto.example", "every.example"]);
    let [spaced, auto, every] = counts[..] else { unreachable!() };
    assert!((3..=12).contains(&spaced), "{counts:?}");
    assert!((3..=12).contains(&auto), "{counts:?}");
    assert!(every >= 3 * spaced, "{counts:?}");
}

#[test]
fn min_latency_sends_every_message() {
    let server = server(&[
        ("min.example", "min_latency on;"),
        ("auto.example", "play { mw_latency auto; mw_msgs auto; }"),
        ("default.example", ""),
    ]);
    let counts = writes(&server, &["min.example", "default.example"]);
    let [min, default] = counts[..] else { unreachable!() };
    assert!((3..=12).contains(&default), "{counts:?}");
    assert!(min >= 3 * default, "{counts:?}");

    // Not even one message waits for the next.
    for vhost in ["min.example", "auto.example"] {
        let url = url(&server, vhost, "one");
        let mut publisher = RtmpClient::publish(&url);
        let mut player = RtmpClient::play(&url);
        for number in 0..5 {
            send(&mut publisher, &[(number * 40, &key_frame(number, 100))]);
            assert_eq!(take(&mut player, 1)[0].1, key_frame(number, 100), "{vhost}");
        }
    }
}

#[test]
fn mw_msgs_holds_messages_back() {
    let server = server(&[("five.example", "play { mw_latency 0; mw_msgs 5; }")]);
    let url = url(&server, "five.example", "a");
    let mut publisher = RtmpClient::publish(&url);
    send(&mut publisher, &[(0, &video_header()), (0, &key_frame(0, 100))]);
    wait_for_frames(&server, "a", 1);
    let mut player = RtmpClient::play(&url);
    // Who joins waits for none.
    take(&mut player, 2);
    for number in 1..=5 {
        send(&mut publisher, &[(number * 200, &inter_frame(number, 100))]);
    }
    wait_for_frames(&server, "a", 6);
    assert_eq!(player.collect(Duration::from_millis(300)), []);
    send(&mut publisher, &[(1200, &inter_frame(6, 100))]);
    assert_eq!(take(&mut player, 6)[5], (1200, inter_frame(6, 100)));
}

/// With SRS's defaults, eight messages are held back: more than a second and a half. All come in
/// the end.
#[test]
fn a_stream_of_five_frames_a_second_arrives() {
    let server = server(&[]);
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    send(&mut publisher, &[(0, &video_header()), (0, &key_frame(0, 100))]);
    wait_for_frames(&server, "a", 1);
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    take(&mut player, 2);
    let began = Instant::now();
    let (mut sent, mut got) = (0, vec![]);
    while sent < 12 {
        sent += 1;
        send(&mut publisher, &[(sent * 200, &inter_frame(sent, 100))]);
        got.extend(player.collect(Duration::from_millis(200)));
        assert!(sent > 8 || got.is_empty(), "{} messages of {sent}", got.len());
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    // The ninth brings the eight before it, and what comes until they are written.
    assert!((9..12).contains(&got.len()), "{} messages", got.len());
    // The end of the stream brings the rest.
    drop(publisher);
    let rest = take(&mut player, 12 - got.len());
    assert_eq!(rest.last(), Some(&(2400, inter_frame(12, 100))));
}
