//! What the API and the metrics tell of sessions and their streams.

use std::time::Duration;

use rtc_stack::MediaKind;
use serde_json::{Value, json};

use super::{flows, pictures, send, server};
use crate::support::{RtcClient, TestServer, wait_for};

/// H.264's parameters: Constrained Baseline 3.1, 640 by 360.
const SPS: [u8; 16] = [
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
];

/// A counter of the metrics that has no labels.
fn counter(server: &TestServer, name: &str) -> u64 {
    let url = format!("http://127.0.0.1:{}/metrics", server.api);
    let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// However short a client's time was, and though nobody asked meanwhile.
#[test]
fn every_byte_counts_also_those_of_the_last_second() {
    let server = server();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut bytes = 0;
    for number in 1..=10 {
        send(&mut publisher, number, number == 1);
        bytes += super::picture(number, true).iter().map(|part| part.len() as u64).sum::<u64>();
        bytes += super::sound(number).len() as u64;
        publisher.poll(Duration::from_millis(5));
    }
    viewer.until("all pictures", |viewer| (pictures(viewer).len() == 10).then_some(()));
    viewer.until("all sound", |it| (it.of(MediaKind::Audio).len() == 10).then_some(()));
    viewer.delete();
    publisher.delete();
    for name in ["srs_receive_bytes_total", "srs_send_bytes_total"] {
        wait_for(name, Duration::from_secs(20), || (counter(&server, name) == bytes).then_some(()));
    }
}

#[test]
fn the_api_tells_how_well_packets_travel() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    let seen = publisher.until("round trip", |publisher| {
        number += 1;
        send(publisher, number, number % 20 == 1);
        viewer.poll(Duration::from_millis(10));
        viewer.report(3, 64);
        let client = server.clients("a", "rtc-play").remove(0);
        client["rtc"]["rtt_ms"].is_number().then_some(client["rtc"].clone())
    });
    assert_eq!((&seen["loss"], &seen["lost"]), (&json!(0.25), &json!(3)), "{seen}");
    let rtt = seen["rtt_ms"].as_f64().unwrap();
    assert!(rtt > 0.0 && rtt < 2000.0, "{seen}");
    assert!(seen["packets"].as_u64() > Some(0), "{seen}");
    let publisher = server.clients("a", "rtc-publish").remove(0);
    let rtc = &publisher["rtc"];
    assert_eq!((&rtc["rtt_ms"], &rtc["lost"]), (&Value::Null, &json!(0)), "{rtc}");
    assert!(rtc["packets"].as_u64() > Some(0), "{rtc}");
    // Others have nothing of the kind.
    let _rtmp = crate::support::RtmpClient::publish(&server.rtmp_url("b"));
    let id = server.wait_for_client("b", "fmle-publish");
    assert_eq!(server.api(&format!("clients/{id}"))["client"].get("rtc"), None);
}

#[test]
fn the_api_tells_what_is_in_the_packets() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let video = || server.api("streams")["streams"][0]["video"].clone();
    // The description says what may come.
    let said = json!({ "codec": "H264", "profile": "Constrained Baseline", "level": "",
        "width": 0, "height": 0 });
    assert_eq!(video(), said);
    let mut parameters = vec![0x78, 0, SPS.len() as u8];
    parameters.extend_from_slice(&SPS);
    parameters.extend_from_slice(&[0, 4, 0x68, 0xce, 0x3c, 0x80]);
    publisher.send(MediaKind::Video, 3000, false, &parameters);
    send(&mut publisher, 1, true);
    let found = json!({ "codec": "H264", "profile": "Constrained Baseline", "level": "3.1",
        "width": 640, "height": 360 });
    publisher.until("parameters", |_| (video() == found).then_some(()));
    let audio = &server.api("streams")["streams"][0]["audio"];
    let expected = json!({ "codec": "Opus", "sample_rate": 48_000, "channel": 2, "profile": "" });
    assert_eq!(*audio, expected);
}

/// As with SRS: browsers say it of a source whenever they replace one.
#[test]
fn a_goodbye_of_a_source_ends_no_session() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    flows(&mut publisher, &mut viewer, &mut number);
    publisher.say_bye();
    viewer.say_bye();
    flows(&mut publisher, &mut viewer, &mut number);
    let counts = ["rtc-publish", "rtc-play"].map(|kind| server.clients("a", kind).len());
    assert_eq!(counts, [1, 1]);
}
