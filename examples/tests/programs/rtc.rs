//! WebRTC programs: `sfu`, `rtc_relay`, and `load` against them.

use std::{thread::sleep, time::Duration};

use serde_json::Value;

use crate::support::{Running, example};

const LOAD: &str = env!("CARGO_BIN_EXE_load");

fn load(arguments: &str) -> Running {
    Running::start(LOAD, &arguments.split(' ').collect::<Vec<_>>())
}

fn summary(load: Running) -> (Value, Option<i32>) {
    let (status, said) = load.finish();
    (serde_json::from_str(&said).unwrap(), status.code())
}

#[test]
fn players_by_whep_get_every_packet() {
    let (_server, url) = Running::sfu();
    let players =
        load(&format!("rtc-play --url {url}/whep/s --clients 21 --seconds 6 --per-client"));
    sleep(Duration::from_secs(1));
    let publisher = load(&format!("rtc-publish --url {url}/whip/s --seconds 3 --kbps 800"));
    let ((sent, sent_code), (got, got_code)) = (summary(publisher), summary(players));
    assert_eq!((sent_code, got_code), (Some(0), Some(0)), "{sent} {got}");
    // Some 70 frames of video in some packets each, and 120 of audio.
    let packets = sent["messages"]["total"].as_u64().unwrap();
    assert!(packets > 250, "{packets}");
    for client in got["per_client"].as_array().unwrap() {
        assert_eq!(client["messages"], packets, "{client}");
        assert_eq!(client["bytes"], sent["bytes"]["total"], "{client}");
        // The first and the 21st open what they get.
        let is_probe = client["index"].as_u64().unwrap() % 20 == 0;
        assert_eq!(client["stamped"].as_u64().unwrap() > 150, is_probe, "{client}");
        assert!(client["join_ms"].as_f64().is_some(), "{client}");
    }
    assert_eq!((&got["started"], &got["probes"]), (&21.into(), &2.into()));
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
fn who_is_refused_is_told() {
    let (_server, url) = Running::sfu();
    let (got, code) = summary(load(&format!("rtc-play --url {url}/hls/s --seconds 1")));
    assert_eq!(code, Some(1));
    assert_eq!(got["reasons"]["refused: HTTP 400"], 1, "{got}");
}
