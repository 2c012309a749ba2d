//! The API's first endpoints, and HTTP around the streams.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use rtmp_proto::MediaKind;
use serde_json::Value;

use crate::support::{Clip, Ffmpeg, RtmpClient, TestServer, clip, key_frame, wait_for};

#[test]
fn versions_come_in_the_envelope() {
    let server = TestServer::start();
    let answer = server.api("versions");
    assert_eq!(answer["code"], 0);
    assert!(answer["server"].as_str().unwrap().starts_with("vid-"));
    assert_eq!(answer["service"].as_str().unwrap().len(), 8);
    assert_eq!(answer["pid"], server.pid().to_string());
    assert_eq!(answer["data"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(answer["data"]["major"].is_u64());
}

#[test]
fn a_stream_is_told_with_its_codecs_and_numbers() {
    let server = TestServer::start();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a?token=x"));
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let publisher = server.wait_for_client("a", "fmle-publish");
    let received = player.collect(Duration::from_secs(2));
    let bytes: usize = received.iter().map(|(_, _, payload)| payload.len()).sum();
    // The numbers may be a moment old.
    let answer = wait_for("the bytes received", Duration::from_secs(2), || {
        let answer = server.api("streams");
        (answer["streams"][0]["send_bytes"].as_u64()? as usize >= bytes).then_some(answer)
    });
    let stream = &answer["streams"][0];
    assert_eq!(stream["name"], "a");
    assert_eq!(stream["app"], "live");
    assert_eq!(stream["url"], "/live/a");
    assert_eq!(stream["tcUrl"], format!("rtmp://127.0.0.1:{}/live", server.rtmp));
    assert_eq!(stream["clients"], 2);
    assert_eq!(stream["publish"]["active"], true);
    assert_eq!(stream["publish"]["cid"], *publisher);
    let video = &stream["video"];
    assert_eq!(video["codec"], "H264");
    assert_eq!(video["profile"], "High");
    assert_eq!((&video["width"], &video["height"]), (&320.into(), &240.into()));
    assert_eq!(video["level"], "1.3");
    let audio = &stream["audio"];
    assert_eq!(audio["codec"], "AAC");
    assert_eq!(audio["profile"], "LC");
    assert_eq!((&audio["sample_rate"], &audio["channel"]), (&44100.into(), &2.into()));
    assert!(stream["frames"].as_u64().unwrap() >= 50);
    assert!(stream["recv_bytes"].as_u64().unwrap() as usize >= bytes);
    // 400 kbit/s of video and 64 of audio, over the 2 s that there were.
    let kbps = stream["kbps"]["recv_30s"].as_u64().unwrap();
    assert!((50..4000).contains(&kbps), "{kbps} kbit/s");

    let id = stream["id"].as_str().unwrap();
    assert_eq!(server.api(&format!("streams/{id}"))["stream"]["id"], *id);
    assert_eq!(server.api("streams/unknown")["code"], 2048);
}

#[test]
fn clients_are_listed_paged_and_kicked() {
    let server = TestServer::start();
    let mut players: Vec<_> = (0..3).map(|_| RtmpClient::play(&server.rtmp_url("a"))).collect();
    let page = server.api("clients?start=1&count=1");
    let second = &page["clients"][0];
    assert_eq!(page["clients"].as_array().unwrap().len(), 1);
    assert_eq!(second["type"], "rtmp-play");
    assert_eq!(second["ip"], "127.0.0.1");
    assert_eq!(second["publish"], false);
    assert_eq!(second["url"], "/live/a");
    let id = second["id"].as_str().unwrap();
    assert_eq!(server.api(&format!("clients/{id}"))["client"]["id"], *id);

    server.kick(id);
    assert_eq!(players[1].next().unwrap_err(), "closed");
    assert!(players[0].collect(Duration::from_millis(50)).is_empty());
    wait_for("the client gone", Duration::from_secs(5), || {
        (server.clients("a", "rtmp-play").len() == 2).then_some(())
    });
    assert_eq!(server.api(&format!("clients/{id}"))["code"], 2049);
    let answer: Value = ureq::delete(server.api_url("clients/none"))
        .call()
        .unwrap()
        .body_mut()
        .read_json()
        .unwrap();
    assert_eq!(answer["code"], 2049);
}

#[test]
fn a_kicked_publisher_ends_the_stream_at_once() {
    let server = TestServer::start();
    let mut publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    let mut flv = Ffmpeg::record(&server.flv_url("a"));
    server.wait_for_client("a", "flv-play");
    let id = server.wait_for_client("a", "fmle-publish");
    thread::sleep(Duration::from_millis(500));
    server.kick(&id);
    assert!(!publisher.wait().success());
    assert!(flv.wait().success());
    wait_for("no stream", Duration::from_secs(5), || {
        server.api("streams")["streams"].as_array().unwrap().is_empty().then_some(())
    });
}

#[test]
fn a_viewer_that_leaves_is_forgotten() {
    let server = TestServer::start();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    let mut flv = Ffmpeg::record(&server.flv_url("a"));
    server.wait_for_client("a", "flv-play");
    flv.kill();
    wait_for("the viewer gone", Duration::from_secs(5), || {
        server.clients("a", "flv-play").is_empty().then_some(())
    });
}

#[test]
fn bytes_of_viewers_that_left_stay_counted() {
    let server = TestServer::start();
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    for number in 0..3 {
        let mut player = RtmpClient::play(&server.rtmp_url("a"));
        let frame = key_frame(number, 10_000);
        publisher.send(MediaKind::Video, number * 40, frame.clone());
        while player.next().unwrap().2 != frame {}
    }
    wait_for("the viewers gone", Duration::from_secs(5), || {
        server.clients("a", "rtmp-play").is_empty().then_some(())
    });
    let stream = &server.api("streams")["streams"][0];
    assert!(stream["send_bytes"].as_u64().unwrap() > 30_000, "{stream}");
    assert!(stream["recv_bytes"].as_u64().unwrap() > 30_000, "{stream}");
}

#[test]
fn http_around_the_streams() {
    let server = TestServer::start();
    // HEAD is answered at once and is no viewer.
    let head = request(server.http, "HEAD /live/a.flv HTTP/1.1");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: video/x-flv\r\n"), "{head}");
    assert!(!head.contains("content-length"), "the length isn't known: {head}");
    assert!(server.api("clients")["clients"].as_array().unwrap().is_empty());
    assert!(server.api("streams")["streams"].as_array().unwrap().is_empty());

    for unknown in ["GET / HTTP/1.1", "GET /live/a.ogg HTTP/1.1", "GET /a.flv HTTP/1.1"] {
        let answer = request(server.http, unknown);
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{unknown}: {answer}");
    }
    let post = request(server.api, "POST /api/v1/versions HTTP/1.1");
    assert!(post.starts_with("HTTP/1.1 200 OK\r\n"), "{post}");
    let post = request(server.http, "POST /live/a.flv HTTP/1.1");
    assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
    for port in [server.http, server.api] {
        let options = request(port, "OPTIONS /live/a.flv HTTP/1.1");
        assert!(options.starts_with("HTTP/1.1 200 OK\r\n"), "{options}");
        assert!(options.contains("access-control-allow-origin: *\r\n"), "{options}");
        assert!(options.contains("access-control-allow-credentials: false\r\n"), "{options}");
    }
}

/// The answer to a request without a body, as far as it comes before the connection closes.
fn request(port: u16, line: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head = format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}
