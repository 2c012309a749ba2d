//! `load` plays and publishes, and tells what is wrong.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread::{sleep, spawn},
    time::Duration,
};

use bytes::BytesMut;
use flv_mux::{TagKind, mux};
use serde_json::Value;

use crate::support::{Folder, Running, Server, clip, free_port, run, text};

const LOAD: &str = env!("CARGO_BIN_EXE_load");

fn load(arguments: &str) -> Running {
    let arguments: Vec<_> = arguments.split(' ').collect();
    Running::start(LOAD, &arguments)
}

/// The summary of a run, and its exit code.
fn summary(load: Running) -> (Value, Option<i32>) {
    let (status, said) = load.finish();
    (serde_json::from_str(&said).unwrap(), status.code())
}

#[test]
fn twenty_players_get_every_message() {
    let (_server, url) = Running::mini_server();
    let players = load(&format!(
        "rtmp-play --url {url}/s --clients 20 --seconds 6 --ramp-ms 200 --per-client"
    ));
    sleep(Duration::from_secs(1));
    let publisher = load(&format!("rtmp-publish --url {url}/s --seconds 3 --kbps 800 --fps 30"));
    let ((sent, sent_code), (got, got_code)) = (summary(publisher), summary(players));

    assert_eq!((sent_code, got_code), (Some(0), Some(0)), "{sent} {got}");
    // 90 frames of video, 129 of audio, metadata and two sequence headers.
    let messages = sent["messages"]["total"].as_u64().unwrap();
    assert!((219..=223).contains(&messages), "{messages}");
    let per_client = got["per_client"].as_array().unwrap();
    assert_eq!(per_client.len(), 20);
    for client in per_client {
        assert_eq!(client["messages"], messages, "{client}");
        assert_eq!(client["stamped"], messages - 3, "{client}");
        assert_eq!(client["bytes"], sent["bytes"]["total"], "{client}");
        for fault in ["gaps", "lost", "repeated", "out_of_order"] {
            assert_eq!(client[fault], 0, "{client}");
        }
        assert!(client["join_ms"].as_f64().unwrap() > 0.0, "{client}");
    }
    assert_eq!(got["started"], 20);
    assert_eq!(got["ended_early"], 0);
    assert_eq!(got["latency_ms"]["count"], (messages - 3) * 20);
}

#[test]
fn publishers_have_streams_of_their_own() {
    let (_server, url) = Running::mini_server();
    let publishers = load(&format!("rtmp-publish --url {url}/s?k=v --clients 3 --seconds 4"));
    let (got, code) = summary(load(&format!("rtmp-play --url {url}/s-2 --clients 2 --seconds 2")));
    assert_eq!(code, Some(0), "{got}");
    assert!(got["stamped"].as_u64().unwrap() > 100, "{got}");
    let (sent, code) = summary(publishers);
    assert_eq!(code, Some(0), "{sent}");
    assert_eq!(sent["started"], 3);
    // They begin one after the other, and end together.
    let count = |which| sent["messages"][which].as_u64().unwrap();
    assert!(count("min") > 200 && count("max") - count("min") <= 5, "{sent}");
}

#[test]
fn a_second_publisher_is_told_of() {
    let (_server, url) = Running::mini_server();
    let first = load(&format!("rtmp-publish --url {url}/s --seconds 4"));
    let (got, _) = summary(load(&format!("rtmp-play --url {url}/s --seconds 1")));
    assert_eq!(got["started"], 1);
    let (sent, code) = summary(load(&format!("rtmp-publish --url {url}/s --seconds 1")));
    assert_eq!(code, Some(1));
    assert_eq!(sent["reasons"]["refused: NetStream.Publish.BadName"], 1, "{sent}");
    assert_eq!(summary(first).1, Some(0));
}

#[test]
fn a_stream_of_another_publisher_is_counted() {
    let (_server, url) = Running::mini_server();
    let folder = Folder::new();
    let clip = clip(&folder, "clip.flv", "4", &["-c:v", "libx264", "-c:a", "aac"]);
    let players = load(&format!("rtmp-play --url {url}/s --clients 2 --seconds 4"));
    let to = format!("{url}/s");
    let _publisher = Running::ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &to]);
    let (got, code) = summary(players);
    assert_eq!(code, Some(0), "{got}");
    assert_eq!(got["stamped"], 0);
    assert!(got["messages"]["min"].as_u64().unwrap() > 80, "{got}");
    assert_eq!(got["join_ms"]["count"], 2);
    assert_eq!(got["latency_ms"], Value::Null);
}

#[test]
fn clients_that_end_early_are_told_of() {
    let (mut server, url) = Running::mini_server();
    let players = load(&format!("rtmp-play --url {url}/s --clients 3 --seconds 20"));
    let publisher = load(&format!("rtmp-publish --url {url}/s --seconds 20"));
    sleep(Duration::from_millis(1500));
    server.kill();
    for running in [players, publisher] {
        let (told, code) = summary(running);
        assert_eq!(code, Some(1), "{told}");
        assert_eq!(told["ended_early"], told["clients"]);
        assert_eq!(told["started"], told["clients"]);
    }
    let nobody = format!("rtmp://127.0.0.1:{}/live/s", free_port());
    let (told, code) = summary(load(&format!("rtmp-play --url {nobody} --clients 2")));
    assert_eq!((code, &told["started"]), (Some(1), &Value::from(0)));
    let reasons = told["reasons"].as_object().unwrap();
    assert!(reasons.keys().all(|reason| reason.starts_with("connect: ")), "{told}");
}

#[test]
fn it_stops_by_itself_whatever_the_server_does() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live/s", silent.local_addr().unwrap());
    for mode in ["rtmp-play", "rtmp-publish"] {
        let running = load(&format!("{mode} --url {url} --clients 2 --seconds 1"));
        let (told, code) = summary(running);
        assert_eq!(code, Some(1));
        assert_eq!(told["reasons"]["not started in time"], 2, "{told}");
    }
}

#[test]
fn other_machines_are_refused() {
    for url in ["rtmp://192.0.2.1/live/s", "rtmp://0.0.0.0/live/s"] {
        let done = run(LOAD, &["rtmp-play", "--url", url]);
        assert_eq!(done.status.code(), Some(2));
        assert!(text(&done.stderr).contains("only loopback addresses"), "{}", text(&done.stderr));
    }
}

#[test]
fn flv_players_of_the_server_get_every_message() {
    let server = Server::start();
    let (rtmp, http) = (server.rtmp, server.http);
    let publishers = load(&format!(
        "rtmp-publish --url rtmp://{rtmp}/live/s --clients 2 --seconds 6 --kbps 800"
    ));
    sleep(Duration::from_secs(1));
    let url = format!("http://{http}/live/s.flv");
    let players = load(&format!("flv-play --url {url} --clients 20 --streams 2 --seconds 3"));
    let (got, code) = summary(players);
    assert_eq!(code, Some(0), "{got}");
    assert_eq!((&got["started"], &got["streams"]), (&20.into(), &2.into()));
    // Three seconds of 25 frames of video and 43 of audio, 800 kbit/s.
    assert!(got["stamped"].as_u64().unwrap() > 20 * 150, "{got}");
    assert!(got["bytes"]["min"].as_u64().unwrap() > 220_000, "{got}");
    assert_eq!(got["join_ms"]["count"], 20);
    assert!(got["latency_ms"]["count"].as_u64().unwrap() > 20 * 100, "{got}");
    assert_eq!(summary(publishers).1, Some(0));

    let (told, code) = summary(load(&format!("flv-play --url http://{http}/no --seconds 1")));
    assert_eq!((code, &told["started"]), (Some(1), &Value::from(0)));
    assert!(told["reasons"]["refused: HTTP 404"] == 1, "{told}");
}

#[test]
fn an_flv_player_sees_a_gap() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/live/s.flv", listener.local_addr().unwrap());
    let mut flv = BytesMut::new();
    mux::encode_header(&mut flv, true, false);
    for counter in [0, 1, 2, 5, 6, 6] {
        let body = format!("\u{2f}\u{1}srs-load-stamp-1{counter:016x}{:016x}", 0);
        mux::encode_tag(&mut flv, TagKind::Audio, counter * 23, body.as_bytes()).unwrap();
    }
    let server = spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let count = socket.read(&mut request).unwrap();
        assert!(request[..count].starts_with(b"GET /live/s.flv HTTP/1.1\r\n"));
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        socket.write_all(&flv).unwrap();
        sleep(Duration::from_secs(2));
    });
    let (told, code) = summary(load(&format!("flv-play --url {url} --seconds 1")));
    server.join().unwrap();
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(told["stamped"], 6);
    assert_eq!((&told["gaps"], &told["lost"]), (&1.into(), &2.into()));
    assert_eq!(told["repeated"], 1);
}

#[test]
fn limit_is_played_and_published_to() {
    for window in ["0", "100"] {
        let (_limit, address) = Running::limit(&["--window-ms", window, "--seconds", "20"]);
        let publisher = load(&format!("rtmp-publish --url rtmp://{address}/live/s --seconds 3"));
        let flv = format!("flv-play --url http://{address}/live/s.flv --clients 10 --seconds 3");
        let flv = load(&flv);
        let rtmp = format!("rtmp-play --url rtmp://{address}/live/s --clients 10 --seconds 3");
        for players in [load(&rtmp), flv] {
            let (got, code) = summary(players);
            assert_eq!(code, Some(0), "{got}");
            assert_eq!(got["started"], 10);
            assert!(got["stamped"].as_u64().unwrap() > 10 * 100, "{got}");
            assert!(got["latency_ms"]["count"].as_u64().unwrap() > 10 * 100, "{got}");
        }
        assert_eq!(summary(publisher).1, Some(0));
    }
}

#[test]
fn limit_sends_to_players_by_whep_too() {
    let (_limit, address) = Running::limit(&["--seconds", "30"]);
    let url = format!("http://{address}/whep/s");
    // Who has left is sent nothing, and so is nobody's loss.
    let (gone, code) = summary(load(&format!("rtc-play --url {url} --clients 3 --seconds 1")));
    assert_eq!(code, Some(0), "{gone}");
    let line =
        format!("rtc-play --url {url} --clients 41 --seconds 4 --settle-ms 500 --per-client");
    let (got, code) = summary(load(&line));
    assert_eq!(code, Some(0), "{got}");
    assert_eq!((&got["started"], &got["probes"]), (&41.into(), &3.into()), "{got}");
    for client in got["per_client"].as_array().unwrap() {
        // 4 s of some 130 packets each second, and 600 kbit/s: all that was sent since it came.
        assert!(client["messages"].as_u64().unwrap() > 400, "{client}");
        assert!(client["bytes"].as_u64().unwrap() > 240_000, "{client}");
        for fault in ["gaps", "lost", "repeated"] {
            assert_eq!(client[fault], 0, "{client}");
        }
        // Within a GOP.
        assert!(client["join_ms"].as_f64().unwrap() < 2_500.0, "{client}");
    }
    assert!(got["latency_ms"]["count"].as_u64().unwrap() > 3 * 200, "{got}");
    assert_eq!((&got["dropped_here"], &got["behind"]), (&0.into(), &0.into()), "{got}");

    let mut socket = std::net::TcpStream::connect(&address).unwrap();
    socket.write_all(b"POST /whep/s HTTP/1.1\r\nContent-Length: 3\r\n\r\nv=0").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty(), "{}", text(&answer));
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_is_measured_and_rendered() {
    let folder = Folder::new();
    let (page, chart) = (folder.path("page.md"), folder.path("page.svg"));
    let report = |more: &str| {
        let line = format!(
            "report --quick --servers limit --only rtmp-play-0,flv-play-40,rtc-play --clients 20 \
             --warmup 1 --steady 2 --out {page} {more}"
        );
        run(LOAD, &line.split_ascii_whitespace().collect::<Vec<_>>())
    };
    let done = report("");
    assert!(done.status.success(), "{}", text(&done.stderr));
    let told = std::fs::read(folder.path("page.json")).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    let measurements = told["measurements"].as_array().unwrap();
    let groups: Vec<_> = measurements.iter().map(|one| &one["group"]).collect();
    assert_eq!(groups, ["rtmp-play-0", "flv-play-40", "rtc-play"]);
    // One in twenty opens what comes by WebRTC.
    for (one, latencies) in measurements.iter().zip([1000, 1000, 300]) {
        assert!(one["cpu"].as_f64().unwrap() > 0.0, "{one}");
        assert!(one["reads"].as_f64().unwrap() > 5.0, "{one}");
        assert!(one["latency_ms"]["count"].as_u64().unwrap() > latencies, "{one}");
        assert_eq!(one["faults"], serde_json::json!([]), "{one}");
    }
    let rendered = std::fs::read_to_string(&page).unwrap();
    let rows = rendered.lines().filter(|line| line.starts_with("| 20 | limit"));
    assert_eq!(rows.count(), 3, "{rendered}");
    assert!(std::fs::read_to_string(&chart).unwrap().contains("<svg"));

    // What has been measured is not measured again, and the page can be made from it.
    assert!(!text(&report("").stderr).contains("min left"), "it was measured again");
    std::fs::remove_file(&page).unwrap();
    assert!(report("--render").status.success());
    let again = std::fs::read_to_string(&page).unwrap();
    let tables = |page: &str| page.split_once("## RTMP").unwrap().1.to_owned();
    assert_eq!(tables(&again), tables(&rendered));
}
