//! The API under load, while streams are live.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use rtmp_proto::MediaKind;

use crate::support::{RtmpClient, TestServer, inter_frame, key_frame, video_header};

/// Calls the API over one connection, `rate` times a second, until `time` is over; how often it
/// was answered.
fn call(port: u16, rate: u32, time: Duration) -> u32 {
    const PATHS: [&str; 5] = ["streams", "clients", "vhosts", "summaries", "versions"];
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let began = Instant::now();
    let mut count = 0;
    let mut buf = [0; 64 * 1024];
    while began.elapsed() < time {
        let path = PATHS[count as usize % PATHS.len()];
        let head = format!("GET /api/v1/{path} HTTP/1.1\r\nHost: a\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") || !is_whole(&answer) {
            let read = socket.read(&mut buf).unwrap();
            assert!(read > 0, "closed");
            answer.extend_from_slice(&buf[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        count += 1;
        let due = Duration::from_secs(1) * count / rate;
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
    count
}

/// Whether an answer has as many bytes as it says.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_some_and(|length| length.parse() == Ok(body.len()))
}

#[test]
fn a_thousand_calls_a_second_cost_viewers_nothing() {
    const TIME: Duration = Duration::from_secs(5);
    const FRAMES: u32 = 200;
    let server = TestServer::start();
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    publisher.send(MediaKind::Video, 0, video_header());
    publisher.send(MediaKind::Video, 0, key_frame(0, 4_000));
    let players: Vec<_> = (0..4)
        .map(|_| {
            let mut player = RtmpClient::play(&server.rtmp_url("a"));
            thread::spawn(move || {
                let mut numbers = Vec::new();
                while numbers.last() != Some(&FRAMES) {
                    let (kind, _, payload) = player.next().unwrap();
                    if kind == MediaKind::Video && payload[1] == 1 {
                        numbers.push(u32::from_be_bytes(payload[10..14].try_into().unwrap()));
                    }
                }
                numbers
            })
        })
        .collect();
    for _ in 0..4 {
        server.wait_for_client("a", "rtmp-play");
    }
    let port = server.api;
    let callers: Vec<_> = (0..4).map(|_| thread::spawn(move || call(port, 250, TIME))).collect();
    let began = Instant::now();
    for number in 1..=FRAMES {
        let frame = if number % 25 == 0 { key_frame } else { inter_frame };
        publisher.send(MediaKind::Video, number * 25, frame(number, 4_000));
        let due = TIME * number / FRAMES;
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
    let expected: Vec<u32> = (0..=FRAMES).collect();
    for player in players {
        assert_eq!(player.join().unwrap(), expected, "messages are missing");
    }
    // As many calls as a loaded machine makes; alone it makes a thousand a second.
    let calls: u32 = callers.into_iter().map(|caller| caller.join().unwrap()).sum();
    assert!(calls >= 1_000, "{calls} calls");
    assert!(!server.log().iter().any(|line| line.contains("messages lost")));
}

#[test]
fn numbers_are_true_under_calls_without_end() {
    let server = TestServer::start();
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    publisher.send(MediaKind::Video, 0, video_header());
    let mut last = 0;
    for number in 0..50 {
        let frame = key_frame(number, 5_000);
        publisher.send(MediaKind::Video, number * 40, frame.clone());
        while player.next().unwrap().2 != frame {}
        let stream = server.api("streams")["streams"][0].clone();
        let sent = stream["send_bytes"].as_u64().unwrap();
        assert!(sent >= last, "{sent} after {last}");
        last = sent;
    }
    // Called too soon, numbers may be those of a moment ago; a moment later they aren't.
    thread::sleep(Duration::from_millis(500));
    let stream = server.api("streams")["streams"][0].clone();
    let sent = stream["send_bytes"].as_u64().unwrap();
    assert!((250_000..300_000).contains(&sent), "{sent}");
    assert!((250_000..300_000).contains(&stream["recv_bytes"].as_u64().unwrap()), "{stream}");
}
