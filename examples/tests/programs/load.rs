//! `load` plays and publishes, and tells what is wrong.

use serde_json::Value;

use crate::support::{Folder, Running, clip, free_port, run, text};

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
    std::thread::sleep(std::time::Duration::from_secs(1));
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
    assert_eq!(sent["messages"]["min"], sent["messages"]["max"]);
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
    std::thread::sleep(std::time::Duration::from_millis(1500));
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
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
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
