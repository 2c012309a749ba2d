//! The end of a stream, and what becomes of its players.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use super::{send, server, take, url, wait_for_frames};
use crate::support::{RtmpClient, TestServer, inter_frame, key_frame, video_header, wait_for};

/// An HTTP-FLV player of a stream: everything it gets, once the response has ended.
fn flv_player(server: &TestServer, vhost: &str, stream: &str) -> thread::JoinHandle<Vec<u8>> {
    let url = format!("{}?vhost={vhost}", server.flv_url(stream));
    let player = thread::spawn(move || {
        ureq::get(url).call().unwrap().body_mut().with_config().read_to_vec().unwrap()
    });
    server.wait_for_client(stream, "flv-play");
    player
}

/// Thirty frames, so that the FLV header needn't be waited for.
fn send_thirty(publisher: &mut RtmpClient) {
    for number in 0..30 {
        send(publisher, &[(number * 40, &key_frame(number, 100))]);
    }
}

#[test]
fn the_end_of_a_stream_ends_http_flv_and_rtmp_players_wait() {
    let server = server(&[("v.example", "")]);
    let url = url(&server, "v.example", "a");
    let flv = flv_player(&server, "v.example", "a");
    let mut rtmp = RtmpClient::play(&url);
    let mut publisher = RtmpClient::publish(&url);
    send_thirty(&mut publisher);
    assert_eq!(take(&mut rtmp, 9).len(), 9);
    assert!(!flv.is_finished());
    drop(publisher);
    let gone = Instant::now();
    assert_eq!(flv.join().unwrap().len(), 13 + 30 * 115);
    // At once, not after a grace of seconds.
    assert!(gone.elapsed() < Duration::from_secs(2), "{:?}", gone.elapsed());
    let before = take(&mut rtmp, 21);

    let mut publisher = RtmpClient::publish(&url);
    send(&mut publisher, &[(0, &video_header()), (0, &key_frame(77, 100))]);
    send(&mut publisher, &[(40, &inter_frame(78, 100))]);
    drop(publisher);
    let after = take(&mut rtmp, 3);
    let bodies: Vec<_> = after.iter().map(|(_, body)| body.clone()).collect();
    assert_eq!(bodies, [video_header(), key_frame(77, 100), inter_frame(78, 100)]);
    assert!(after[1].0 > before[20].0, "{after:?} after {before:?}");
}

#[test]
fn grace_keeps_players() {
    let server = server(&[
        ("grace.example", "publish { grace 4000; }"),
        ("none.example", "publish { grace 0; }"),
    ]);
    let mut players = Vec::new();
    for vhost in ["grace.example", "none.example"] {
        let stream = vhost.replace('.', "-");
        let flv = flv_player(&server, vhost, &stream);
        let mut publisher = RtmpClient::publish(&url(&server, vhost, &stream));
        send_thirty(&mut publisher);
        players.push(flv);
    }
    let none = players.pop().unwrap();
    let grace = players.pop().unwrap();
    assert_eq!(none.join().unwrap().len(), 13 + 30 * 115);
    let mut publisher = RtmpClient::publish(&url(&server, "grace.example", "grace-example"));
    send_thirty(&mut publisher);
    assert!(!grace.is_finished());
    drop(publisher);
    let gone = Instant::now();
    assert_eq!(grace.join().unwrap().len(), 13 + 60 * 115);
    assert!(gone.elapsed() > Duration::from_secs(3), "{:?}", gone.elapsed());
}

/// However short a stream is, nothing of it is lost.
#[test]
fn a_stream_of_one_frame_reaches_http_flv() {
    let server = server(&[("v.example", "")]);
    let flv = flv_player(&server, "v.example", "a");
    let mut publisher = RtmpClient::publish(&url(&server, "v.example", "a"));
    send(&mut publisher, &[(0, &video_header()), (0, &key_frame(1, 100))]);
    drop(publisher);
    let got = flv.join().unwrap();
    assert_eq!(got.len(), 13 + 15 + video_header().len() + 115);
    assert_eq!(got[..5], *b"FLV\x01\x01");
}

/// A kick by the API is the end, whatever the grace.
#[test]
fn a_publisher_that_is_kicked_ends_its_stream() {
    let server = server(&[("grace.example", "publish { grace 60000; }")]);
    let flv = flv_player(&server, "grace.example", "a");
    let mut publisher = RtmpClient::publish(&url(&server, "grace.example", "a"));
    send_thirty(&mut publisher);
    wait_for_frames(&server, "a", 30);
    let kicked = Instant::now();
    server.kick(&server.wait_for_client("a", "fmle-publish"));
    assert_eq!(flv.join().unwrap().len(), 13 + 30 * 115);
    // The grace ends it too.
    assert!(kicked.elapsed() < Duration::from_secs(45), "{:?}", kicked.elapsed());
}

/// The same stream in two vhosts is two streams, each with its vhost's settings, at one time.
#[test]
fn vhosts_differ_at_the_same_time() {
    let server = server(&[
        ("a.example", "play { mw_latency 0; mw_msgs 0; time_jitter off; gop_cache off; }"),
        ("b.example", "play { mw_latency 0; mw_msgs 0; } chunk_size 200;"),
    ]);
    let open = |vhost: &str| {
        let mut publisher = RtmpClient::publish(&url(&server, vhost, "s"));
        send(&mut publisher, &[(5000, &video_header()), (5000, &key_frame(1, 3000))]);
        publisher
    };
    let mut publishers = [open("a.example"), open("b.example")];
    wait_for("both streams", Duration::from_secs(5), || {
        let streams = server.api("streams");
        let streams = streams["streams"].as_array()?;
        (streams.len() == 2 && streams.iter().all(|s| s["frames"] == 1)).then_some(())
    });
    let mut a = RtmpClient::play(&url(&server, "a.example", "s"));
    let mut b = RtmpClient::play(&url(&server, "b.example", "s"));
    for publisher in &mut publishers {
        send(publisher, &[(5040, &inter_frame(2, 3000)), (5080, &key_frame(3, 3000))]);
    }
    assert_eq!(take(&mut a, 2)[1], (5080, key_frame(3, 3000)));
    let expected = [(0, key_frame(1, 3000)), (40, inter_frame(2, 3000)), (80, key_frame(3, 3000))];
    assert_eq!(take(&mut b, 4)[1..], expected);
    let ids: Vec<_> = server.api("streams")["streams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| stream["vhost"].as_str().unwrap().to_owned())
        .collect();
    assert_ne!(ids[0], ids[1]);
}

/// The head of an HTTP-FLV response comes at once, the FLV header with the first frames.
#[test]
fn http_flv_answers_before_there_is_a_publisher() {
    let server = server(&[]);
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.write_all(b"GET /live/a.flv HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&head));
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    send_thirty(&mut publisher);
    drop(publisher);
    let mut rest = Vec::new();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let _ = socket.read_to_end(&mut rest);
    assert!(rest.windows(3).any(|window| window == b"FLV"));
}
