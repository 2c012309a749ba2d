//! WebRTC programs: `sfu`, `rtc_relay`, and `load` against them.

use std::net::UdpSocket;

use serde_json::Value;

use crate::support::{Running, example};

const LOAD: &str = env!("CARGO_BIN_EXE_load");

fn load(arguments: &str) -> Running {
    Running::start(LOAD, &arguments.split(' ').collect::<Vec<_>>())
}

/// Players who are there: what is published from now on is for all of them.
fn started(arguments: &str, clients: u32) -> Running {
    let said = format!(" {clients} started");
    Running::until_said(LOAD, &arguments.split(' ').collect::<Vec<_>>(), &said)
}

fn summary(load: Running) -> (Value, Option<i32>) {
    let (status, said) = load.finish();
    (serde_json::from_str(&said).unwrap(), status.code())
}

#[test]
fn players_by_whep_get_every_packet() {
    let (_server, url) = Running::sfu();
    let line = format!("rtc-play --url {url}/whep/s --clients 41 --seconds 12 --per-client");
    let players = started(&line, 41);
    let publisher = load(&format!("rtc-publish --url {url}/whip/s --seconds 3 --kbps 800"));
    let ((sent, sent_code), (got, got_code)) = (summary(publisher), summary(players));
    assert_eq!((sent_code, got_code), (Some(0), Some(0)), "{sent} {got}");
    // 75 frames of video in some packets each, and 150 of audio.
    let packets = sent["messages"]["total"].as_u64().unwrap();
    assert!(packets > 400, "{packets}");
    for client in got["per_client"].as_array().unwrap() {
        assert_eq!(client["messages"], packets, "{client}");
        assert_eq!(client["bytes"], sent["bytes"]["total"], "{client}");
        for fault in ["gaps", "lost", "repeated", "recovered"] {
            assert_eq!(client[fault], 0, "{client}");
        }
        // The first, the 21st and the 41st open what they get.
        let is_probe = client["index"].as_u64().unwrap() % 20 == 0;
        assert_eq!(client["stamped"].as_u64().unwrap() > 150, is_probe, "{client}");
        assert!(client["join_ms"].as_f64().is_some(), "{client}");
    }
    assert_eq!((&got["dropped_here"], &got["setup_ms"]["count"]), (&0.into(), &41.into()));
    assert_eq!((&got["started"], &got["probes"]), (&41.into(), &3.into()));
}

#[test]
fn what_is_lost_on_either_way_is_asked_for_and_comes_again() {
    let (_server, url) = Running::sfu();
    let line = format!("rtc-play --url {url}/whep/s --clients 5 --seconds 9 --nack");
    let players = started(&format!("{line} --lose-permille 50"), 5);
    let publisher = load(&format!("rtc-publish --url {url}/whip/s --seconds 3 --lose-permille 50"));
    let ((sent, sent_code), (got, got_code)) = (summary(publisher), summary(players));
    assert_eq!((sent_code, got_code), (Some(0), Some(0)), "{sent} {got}");
    // 5 % of some 400 packets, and of five times as many.
    assert!(sent["resent"].as_u64().unwrap() > 5, "{sent}");
    assert!(got["recovered"].as_u64().unwrap() > 30, "{got}");
    assert!(got["gaps"].as_u64().unwrap() > 30, "{got}");
    assert_eq!(got["lost"], 0, "{got}");
    // Nobody misses what is last.
    let packets = sent["messages"]["total"].as_u64().unwrap();
    assert!(got["messages"]["min"].as_u64().unwrap() + 10 > packets, "{sent} {got}");
}

#[test]
fn a_relay_makes_a_whole_copy() {
    let ((_first, from), (_second, to)) = (Running::sfu(), Running::sfu());
    let publisher = load(&format!("rtc-publish --url {from}/whip/s --seconds 9"));
    let relay = Running::start(
        example("rtc_relay"),
        &[&format!("{from}/whep/s"), &format!("{to}/whip/copy")],
    );
    let (got, code) = summary(load(&format!("rtc-play --url {to}/whep/copy --seconds 6")));
    assert_eq!(code, Some(0), "{got}");
    assert!(got["stamped"].as_u64().unwrap() > 100, "{got}");
    relay.interrupt();
    let (status, said) = relay.finish();
    assert!(status.success() && said.contains("relaying 2 tracks"), "{said}");
    let (sent, code) = summary(publisher);
    assert_eq!(code, Some(0), "{sent}");
}

#[test]
fn plain_rtp_goes_to_a_port_for_each_track() {
    let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (video, audio) = (bind(), bind());
    let port = |socket: &UdpSocket| socket.local_addr().unwrap();
    let line = format!("rtp-publish --video {} --audio {} --seconds 1", port(&video), port(&audio));
    let (status, _) = load(&line).finish();
    assert!(status.success());
    for (socket, payload_type, least) in [(video, 102, 80), (audio, 111, 45)] {
        socket.set_nonblocking(true).unwrap();
        let (mut packet, mut numbers) = ([0; 2048], Vec::new());
        while let Ok(length) = socket.recv(&mut packet) {
            assert!(length > 12 && packet[0] == 0x80 && packet[1] & 0x7f == payload_type);
            numbers.push(u16::from_be_bytes([packet[2], packet[3]]));
        }
        assert!(numbers.len() > least, "{}", numbers.len());
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
    }
}

#[test]
fn who_is_refused_is_told() {
    let (_server, url) = Running::sfu();
    let (got, code) = summary(load(&format!("rtc-play --url {url}/hls/s --seconds 1")));
    assert_eq!(code, Some(1));
    assert_eq!(got["reasons"]["refused: HTTP 400"], 1, "{got}");
}
