//! Where live streams are, and what their answers say.

use std::{
    io::{Read, Write},
    time::Duration,
};

use flv_mux::TagKind;

use super::{Taking, get, probe, request, send};
use crate::support::{Clip, Ffmpeg, TestServer, clip, wait_for};

const FLV: &str = "video/x-flv";

#[test]
fn http_remux_mounts() {
    let server = TestServer::configured(
        "vhost __defaultVhost__ { http_remux { enabled on; } }
         vhost ts.example { http_remux { enabled on; mount [vhost]/[app]/[stream].ts; } }
         vhost deep.example { http_remux { enabled on; mount /x/[app]/y/[stream].flv; } }
         vhost hot.example { http_remux { enabled on; mount /hot/[stream].aac; } }
         vhost host.example { http_remux { enabled on; mount host.example/[app]/[stream].mp3; } }
         vhost off.example { http_remux { enabled off; } }
         vhost gone.example { enabled off; http_remux { enabled on; } }",
    );
    let is = |host: &str, path: &str, content_type: Option<&str>| {
        let expected = content_type.map_or(404, |_| 200);
        let (status, found) = probe(server.http, host, path);
        assert_eq!(status, expected, "{path} on {host}");
        if let Some(content_type) = content_type {
            assert_eq!(found, content_type, "{path} on {host}");
        }
    };
    is("localhost", "/live/a.flv", Some(FLV));
    is("unknown.example:8080", "/live/a.flv", Some(FLV));
    is("localhost", "/live/a.ts", None);
    is("localhost", "/a.flv", None);
    is("ts.example", "/live/a.ts", Some("video/MP2T"));
    is("ts.example:80", "/live/a.flv", None);
    is("ts.example", "/live/x/a.flv", None);
    is("localhost", "/live/a.ts?vhost=ts.example", Some("video/MP2T"));
    is("localhost", "/live/a.ts?domain=ts.example", Some("video/MP2T"));
    is("deep.example", "/x/live/y/a.flv", Some(FLV));
    is("deep.example", "/x/live/z/a.flv", None);
    is("deep.example", "/live/a.flv", None);
    is("hot.example", "/hot/a.aac", Some("audio/x-aac"));
    is("hot.example", "/live/a.aac", None);
    is("host.example", "/live/a.mp3", Some("audio/mpeg"));
    is("localhost", "/live/a.mp3?vhost=host.example", Some("audio/mpeg"));
    is("off.example", "/live/a.flv", None);
    is("gone.example", "/live/a.flv", None);
    // As proxies are asked: the address names the host, whatever the header says.
    is("localhost", "http://ts.example/live/a.ts", Some("video/MP2T"));
    is("ts.example", "http://localhost:80/live/a.ts", None);
}

/// A mount without `[app]` finds the stream in whatever app it is.
#[test]
fn a_mount_without_an_app_plays_the_stream_of_that_name() {
    let server = TestServer::configured(
        "vhost __defaultVhost__ { }
         vhost hot.example { http_remux { enabled on; mount /hot/[stream].flv; } }",
    );
    let url = format!("{}?vhost=hot.example", server.rtmp_url("a"));
    let mut publisher = Ffmpeg::publish(&clip(Clip::Avc), &url);
    server.wait_for_client("a", "fmle-publish");
    let taking = Taking::start(server.http, "hot.example", "/hot/a.flv");
    let client = wait_for("a player", Duration::from_secs(20), || {
        server.clients("a", "flv-play").first().cloned()
    });
    assert_eq!(client["url"], "hot.example/live/a");
    assert!(publisher.wait().success());
    assert!(taking.finish().body.len() > 50_000);
}

#[test]
fn formats_are_served_beside_the_mounts_own() {
    let conf = |formats: &str| {
        TestServer::configured(&format!(
            "vhost __defaultVhost__ {{ http_remux {{ enabled on; {formats} }} }}"
        ))
    };
    let statuses = |server: &TestServer| {
        ["/live/a.flv", "/live/a.ts", "/live/a.aac", "/live/a.mp3", "/live/a.ogg"]
            .map(|path| probe(server.http, "localhost", path).0)
    };
    assert_eq!(statuses(&conf("")), [200, 404, 404, 404, 404]);
    assert_eq!(statuses(&conf("formats ts mp3;")), [200, 200, 404, 200, 404]);
    // Without a configuration all of them are.
    assert_eq!(statuses(&TestServer::start()), [200, 200, 200, 200, 404]);
}

#[test]
fn has_audio_and_has_video_shape_the_header() {
    // What the header says, and whether audio and video come.
    let shape = |settings: &str| {
        let server = TestServer::configured(&format!(
            "vhost __defaultVhost__ {{ http_remux {{ enabled on; {settings} }} }}"
        ));
        let taking = Taking::start(server.http, "localhost", "/live/a.flv");
        server.wait_for_client("a", "flv-play");
        assert!(Ffmpeg::publish(&clip(Clip::Avc), &server.rtmp_url("a")).wait().success());
        let mut demuxer = flv_mux::Demuxer::new(flv_mux::Limits::default());
        demuxer.receive(&taking.finish().body);
        let mut tags = [0, 0];
        while let Some(tag) = demuxer.poll_tag().unwrap() {
            match tag.kind {
                TagKind::Audio => tags[0] += 1,
                TagKind::Video => tags[1] += 1,
                _ => {}
            }
        }
        let header = demuxer.header().unwrap();
        ((header.has_audio, header.has_video), tags.map(|count| count > 90))
    };
    assert_eq!(shape(""), ((true, true), [true, true]));
    // A guess is stronger than what is said.
    assert_eq!(shape("has_audio off;"), ((true, true), [true, true]));
    let no_guess = "guess_has_av off;";
    let no_audio = format!("{no_guess} has_audio off;");
    assert_eq!(shape(&no_audio), ((false, true), [false, true]));
    assert_eq!(shape(&format!("{no_guess} has_video off;")), ((true, false), [true, false]));
    let lenient = format!("{no_audio} drop_if_not_match off;");
    assert_eq!(shape(&lenient), ((false, true), [true, true]));
}

/// The head is there at once, and the response ends with the stream; then the connection serves
/// the next request.
#[test]
fn a_connection_goes_on_behind_a_stream_that_ended() {
    let server = TestServer::configured("");
    let mut socket = send(server.http, "GET /live/a.flv HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut head = [0; 15];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(head, *b"HTTP/1.1 200 OK");
    server.wait_for_client("a", "flv-play");
    assert!(Ffmpeg::publish(&clip(Clip::Avc), &server.rtmp_url("a")).wait().success());
    wait_for("end of the play", Duration::from_secs(20), || {
        server.clients("a", "flv-play").is_empty().then_some(())
    });
    let next = "HEAD /live/b.flv HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(next.as_bytes()).unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    let end = b"\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n";
    assert!(
        rest.windows(end.len()).any(|window| window == end),
        "the body ends, and the next head"
    );
}

/// A player that waits, and asks for more and more meanwhile, is no longer kept: where it was read
/// no further, it could leave unnoticed.
#[test]
fn a_waiting_player_that_floods_is_closed() {
    let server = TestServer::configured("");
    let mut socket = send(server.http, "GET /live/a.flv HTTP/1.1\r\nHost: localhost\r\n\r\n");
    server.wait_for_client("a", "flv-play");
    socket.write_all(&[b'x'; 8 * 1024]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(server.clients("a", "flv-play").len(), 1, "so much is kept");
    // It may be closed in the middle of this.
    let _ = socket.write_all(&[b'x'; 32 * 1024]);
    wait_for("the player gone", Duration::from_secs(5), || {
        server.clients("a", "flv-play").is_empty().then_some(())
    });
}

/// What is left of a request's body is not taken for the next request.
#[test]
fn a_request_with_a_body_is_the_last_of_its_connection() {
    let server = TestServer::configured("");
    let head = |lines: &str| {
        let request = format!("GET /live/a.flv HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        let mut socket = send(server.http, &request);
        let mut head = vec![0; 2048];
        let len = socket.read(&mut head).unwrap();
        String::from_utf8_lossy(&head[..len]).into_owned()
    };
    assert!(!head("").contains("connection: close"));
    assert!(head("Content-Length: 9\r\n").contains("connection: close"));
}

/// An old client gets the bytes as they are, and the connection's end as theirs.
#[test]
fn clients_of_http_1_0_get_no_chunks() {
    let server = TestServer::configured("");
    let mut publisher = Ffmpeg::publish(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    let answer = get(server.http, "/live/a.flv");
    assert!(publisher.wait().success());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("transfer-encoding"), None);
    assert!(answer.body.starts_with(b"FLV\x01\x05"), "{:?}", answer.head);
    assert!(answer.body.len() > 50_000);
}

#[test]
fn only_get_and_head_are_allowed() {
    let server = TestServer::configured("");
    let answer = request(server.http, "PUT /live/a.flv HTTP/1.1\r\nHost: localhost");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    let answer = request(server.http, "OPTIONS /live/a.flv HTTP/1.1\r\nHost: localhost");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    let server = TestServer::configured("http_server { enabled on; listen 0; crossdomain off; }");
    let answer = request(server.http, "OPTIONS /live/a.flv HTTP/1.1\r\nHost: localhost");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
}
