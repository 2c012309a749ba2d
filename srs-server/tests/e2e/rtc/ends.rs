//! However a session ends, both sides know, and the log says why.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{RTC, send, server};
use crate::support::{RtcClient, TestServer, wait_for};

fn says_goodbye(client: &mut RtcClient) {
    client.until("goodbye", |client| (client.goodbyes == (true, true)).then_some(()));
}

#[test]
fn a_viewer_and_a_publisher_are_kicked() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    send(&mut publisher, 1, true);
    server.kick(&server.wait_for_client("a", "rtc-play"));
    says_goodbye(&mut viewer);
    server.wait_for_log("play ended: kicked");
    server.kick(&server.wait_for_client("a", "rtc-publish"));
    publisher.until("goodbye", |publisher| publisher.goodbyes.1.then_some(()));
    server.wait_for_log("publish ended: kicked");
    assert!(server.clients("a", "rtc-publish").is_empty());
}

#[test]
fn a_client_that_closes_is_gone_at_once() {
    let server = server();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    server.wait_for_client("a", "rtc-play");
    viewer.close();
    server.wait_for_log("play ended: closed by the client");
    assert!(server.clients("a", "rtc-play").is_empty());
}

#[test]
fn a_client_that_is_silent_is_gone_in_time() {
    let short = "vhost __defaultVhost__ { rtc { enabled on; stun_timeout 2; } }\n";
    let server =
        TestServer::configured(&RTC.lines().take(2).chain([short]).collect::<Vec<_>>().join("\n"));
    let viewer = RtcClient::play(server.api, "a").connect();
    server.wait_for_log("connected");
    drop(viewer);
    server.wait_for_log("play ended: no packet of the client for 2 s");
    let never = RtcClient::play(server.api, "b");
    server.wait_for_log("no packet of the client for 2 s: is the candidate reachable?");
    drop(never);
}

#[test]
fn the_server_says_goodbye_when_it_ends() {
    let mut server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewers: Vec<RtcClient> =
        (0..3).map(|_| RtcClient::play(server.api, "a").connect()).collect();
    send(&mut publisher, 1, true);
    publisher.poll(Duration::from_millis(50));
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
    publisher.until("goodbye", |publisher| publisher.goodbyes.1.then_some(()));
    for viewer in &mut viewers {
        says_goodbye(viewer);
    }
}

#[test]
fn metrics_tell_of_datagrams_and_handshakes() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    wait_for("numbers", Duration::from_secs(20), || {
        number += 1;
        send(&mut publisher, number, true);
        publisher.poll(Duration::from_millis(10));
        viewer.poll(Duration::from_millis(10));
        let url = format!("http://127.0.0.1:{}/metrics", server.api);
        let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
        let value = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let is_there = value("srs_rtc_handshakes_total{result=\"ok\"}") == 2
            && value("srs_rtc_datagrams_total{way=\"in\"}") > 10
            && value("srs_rtc_datagrams_total{way=\"out\"}") > 10
            && value("srs_rtc_sessions{state=\"connected\"}") == 2
            && value("srs_residence_seconds_count{from=\"rtc\",to=\"rtc\"}") > 0;
        is_there.then_some(())
    });
}
