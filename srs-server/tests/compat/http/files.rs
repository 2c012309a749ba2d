//! Files over HTTP.

use std::{fs, path::Path};

use super::{Answer, Taking, get, probe, request};
use crate::support::{Clip, Ffmpeg, TestServer, Version, clip, packets};

/// A server whose files are in `www` of its directory.
fn server(more: &str) -> (TestServer, std::path::PathBuf) {
    let server = TestServer::configured(&format!(
        "http_server {{ enabled on; listen 0; dir ./www; }}\n{more}"
    ));
    let www = server.dir().join("www");
    fs::create_dir_all(www.join("live")).unwrap();
    (server, www)
}

fn get_with(port: u16, path: &str, field: &str) -> Answer {
    request(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{field}"))
}

#[test]
fn http_server_serves_files() {
    let (server, www) = server("");
    let port = server.http;
    let types = [
        ("index.html", "text/html"),
        ("live/a.m3u8", "application/vnd.apple.mpegurl"),
        ("live/a-0.ts", "video/MP2T"),
        ("live/a-0.m4s", "video/iso.segment"),
        ("live/a.mpd", "application/dash+xml"),
        ("live/a.mp4", "video/mp4"),
        ("live/a.js", "text/javascript"),
        ("live/with space.flv", "video/x-flv"),
    ];
    for (name, content_type) in types {
        fs::write(www.join(name), name).unwrap();
        let path = format!("/{}", name.replace(' ', "%20"));
        let answer = get(port, &path);
        assert_eq!((answer.status, answer.text()), (200, name.to_owned()), "{name}");
        let found = answer.header("content-type").unwrap();
        assert!(found.starts_with(content_type), "{name}: {found}");
        assert_eq!(answer.header("content-length"), Some(&*name.len().to_string()));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(get(port, "/").text(), "index.html");
    assert_eq!(get(port, "/live").status, 307);
    assert_eq!(get(port, "/live/").status, 404);
    assert_eq!(get(port, "/none.html").status, 404);
    assert_eq!(get(port, "/index.html/x").status, 404);
    let playlist = get(port, "/live/a.m3u8");
    assert_eq!(playlist.header("cache-control"), Some("no-cache"));

    let range = get_with(port, "/live/a-0.ts", "Range: bytes=5-6");
    assert_eq!((range.status, range.text()), (206, "a-".to_owned()));
    assert_eq!(range.header("content-range"), Some("bytes 5-6/11"));
    assert_eq!(get_with(port, "/live/a-0.ts", "Range: bytes=99-").status, 416);
    let date = get(port, "/index.html").header("last-modified").unwrap().to_owned();
    let same = get_with(port, "/index.html", &format!("If-Modified-Since: {date}"));
    assert_eq!((same.status, same.body.len()), (304, 0));
    let head = request(port, "HEAD /index.html HTTP/1.1\r\nHost: localhost");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));
}

/// A directory that isn't there is no error, and what comes later is served.
#[test]
fn a_missing_directory_has_no_files() {
    let server = TestServer::configured("http_server { enabled on; listen 0; dir ./later; }");
    let later = server.dir().join("later");
    let _ = fs::remove_dir(&later);
    assert_eq!(get(server.http, "/a.txt").status, 404);
    fs::create_dir(&later).unwrap();
    fs::write(server.dir().join("later/a.txt"), "here").unwrap();
    assert_eq!(get(server.http, "/a.txt").text(), "here");
}

#[test]
fn http_static_serves_a_vhosts_files() {
    let (server, www) = server(
        "vhost __defaultVhost__ { }
         vhost own.example { http_static { enabled on; dir ./own; } }
         vhost part.example { http_static { enabled on; mount [vhost]/hls; dir ./own; } }
         vhost off.example { http_static { enabled off; dir ./own; } }",
    );
    fs::create_dir_all(server.dir().join("own/folder")).unwrap();
    for (path, text) in [("own/a.txt", "own"), ("www/a.txt", "www"), ("own/only.txt", "only")] {
        fs::write(server.dir().join(path), text).unwrap();
    }
    fs::create_dir(www.join("hlsx")).unwrap();
    fs::write(www.join("hlsx/a.txt"), "beside").unwrap();
    let is = |host: &str, path: &str, text: &str| {
        let answer = request(server.http, &format!("GET {path} HTTP/1.1\r\nHost: {host}"));
        let found = if answer.status == 200 { answer.text() } else { answer.status.to_string() };
        assert_eq!(found, text, "{path} on {host}");
    };
    is("localhost", "/a.txt", "www");
    is("own.example", "/a.txt", "own");
    is("localhost", "/a.txt?vhost=own.example", "own");
    is("own.example:8080", "/only.txt", "only");
    is("part.example", "/hls/a.txt", "own");
    is("part.example", "/hls/none.txt", "404");
    is("part.example", "/a.txt", "www");
    is("part.example", "/hlsx/a.txt", "beside");
    is("off.example", "/a.txt", "www");
    let folder = request(server.http, "GET /hls/folder HTTP/1.1\r\nHost: part.example");
    assert_eq!((folder.status, folder.header("location")), (307, Some("/hls/folder/")));
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let (server, www) = server("");
    fs::write(server.dir().join("secret.flv"), "secret").unwrap();
    fs::write(www.join("a.flv"), "open").unwrap();
    let paths = [
        "/../secret.flv",
        "/live/../../secret.flv",
        "/%2e%2e/secret.flv",
        "/..%2fsecret.flv",
        "/%2e%2e%2fsecret.flv",
        "/live/%2e%2e/%2e%2e/secret.flv",
        "/..%5csecret.flv",
        "/a.flv%00",
        "/%00",
        "//secret.flv",
        "/.%2e/secret.flv",
        "/%ff%fe",
        "/../secret.flv?start=1",
        "/%2e%2e/secret.flv?start=1",
    ];
    for path in paths {
        let answer = get(server.http, path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.head);
        assert!(!answer.text().contains("secret"), "{path}");
    }
    let absolute = format!("/{}", server.dir().join("secret.flv").display());
    assert_eq!(get(server.http, &absolute).status, 404);
    assert_eq!(get(server.http, "/a.flv").text(), "open");
    // Links are the administrator's own: they are followed.
    std::os::unix::fs::symlink(server.dir().join("secret.flv"), www.join("link.flv")).unwrap();
    assert_eq!(get(server.http, "/link.flv").text(), "secret");
}

/// A path that could be both is the stream while that is published, else the file.
#[test]
fn a_live_stream_wins_over_a_file() {
    let (server, www) = server("");
    fs::write(www.join("live/a.flv"), "a recording").unwrap();
    assert_eq!(get(server.http, "/live/a.flv").text(), "a recording");
    let mut publisher = Ffmpeg::publish(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    let taking = Taking::start(server.http, "localhost", "/live/a.flv");
    server.wait_for_client("a", "flv-play");
    assert!(publisher.wait().success());
    assert!(taking.finish().body.starts_with(b"FLV"));
    assert_eq!(get(server.http, "/live/a.flv").text(), "a recording");
}

/// A player seeks in a file by the offset of a keyframe's tag.
#[test]
fn flv_files_start_at_an_offset() {
    let (server, www) = server("");
    let bytes = fs::read(clip(Clip::Avc)).unwrap();
    fs::write(www.join("a.flv"), &bytes).unwrap();
    // The tag of the third keyframe.
    let mut demuxer = flv_mux::Demuxer::new(flv_mux::Limits::default());
    demuxer.receive(&bytes);
    let (mut at, mut offsets) = (13, Vec::new());
    while let Some(tag) = demuxer.poll_tag().unwrap() {
        if tag.kind == flv_mux::TagKind::Video && tag.body[..2] == [0x17, 1] {
            offsets.push(at);
        }
        at += tag.body.len() + 15;
    }
    let start = offsets[2];
    let answer = get(server.http, &format!("/a.flv?start={start}"));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("video/x-flv")));
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()));
    assert!(answer.body.starts_with(b"FLV\x01\x05"));
    assert!(answer.body.ends_with(&bytes[start..]));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("started.flv");
    fs::write(&path, &answer.body).unwrap();
    let video = |file: &Path| -> Vec<_> {
        packets(file).into_iter().filter(|packet| packet.stream == "video").collect()
    };
    assert_eq!(video(&path), video(&clip(Clip::Avc))[50..]);
    let status = Version::Current
        .command()
        .args(["-v", "error", "-xerror", "-i"])
        .arg(&path)
        .args(["-f", "null", "-"])
        .status()
        .unwrap();
    assert!(status.success(), "it decodes");

    // What leaves nothing out is the file; what is beyond its end is refused.
    for start in ["0", "13", "x", ""] {
        assert_eq!(get(server.http, &format!("/a.flv?start={start}")).body, bytes, "{start}");
    }
    let beyond = get(server.http, &format!("/a.flv?start={}", bytes.len() + 1));
    assert_eq!((beyond.status, beyond.body.len()), (416, 0));
    let head =
        request(server.http, &format!("HEAD /a.flv?start={start} HTTP/1.1\r\nHost: localhost"));
    assert_eq!(head.header("content-length"), answer.header("content-length"));
    fs::write(www.join("b.flv"), "no flv").unwrap();
    assert_eq!(get(server.http, "/b.flv?start=3").text(), "no flv");
}

#[test]
fn mp4_files_are_served_in_ranges_by_the_query() {
    let (server, www) = server("");
    fs::write(www.join("a.mp4"), "0123456789").unwrap();
    for query in ["range=2-4", "range=bytes=2-4", "x=1&range=2-4"] {
        let answer = get(server.http, &format!("/a.mp4?{query}"));
        assert_eq!((answer.status, answer.text()), (206, "234".to_owned()), "{query}");
        assert_eq!(answer.header("content-range"), Some("bytes 2-4/10"));
    }
    assert_eq!(get(server.http, "/a.mp4").text(), "0123456789");
    assert_eq!(get(server.http, "/a.mp4?range=20-").status, 416);
}

/// One port for both, where the addresses are the same.
#[test]
fn http_and_the_api_may_share_a_port() {
    let port = std::net::TcpListener::bind(("::", 0)).unwrap().local_addr().unwrap().port();
    let server = TestServer::configured(&format!(
        "http_api {{ enabled on; listen {port}; }}
         http_server {{ enabled on; listen {port}; dir ./www; }}"
    ));
    assert_eq!((server.http, server.api), (port, port));
    fs::create_dir_all(server.dir().join("www")).unwrap();
    fs::write(server.dir().join("www/a.txt"), "file").unwrap();
    assert_eq!(get(port, "/a.txt").text(), "file");
    assert_eq!(server.api("versions")["code"], 0);
    assert_eq!(get(port, "/metrics").status, 200);
    assert_eq!(probe(port, "localhost", "/live/a.flv").0, 200);
    let taking = Taking::start(port, "localhost", "/live/a.flv");
    server.wait_for_client("a", "flv-play");
    assert!(Ffmpeg::publish(&clip(Clip::Avc), &server.rtmp_url("a")).wait().success());
    assert!(taking.finish().body.len() > 50_000);
}
