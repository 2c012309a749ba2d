//! What the configuration says of WebRTC, beside addresses.

use std::time::Duration;

use rtc_stack::MediaKind;

use super::{RTC, attributes, began, play, publish, vhost};
use crate::support::{RtcClient, TestServer, http, wait_for};

#[test]
fn rtc_server_is_off_unless_enabled() {
    let server = TestServer::configured(&vhost(""));
    for path in ["/rtc/v1/whip/", "/whip/live/a"] {
        let reply = publish(&server, path);
        assert_eq!(reply.status, 404, "{reply:?}");
        assert_eq!(reply.json()["code"], 5021);
    }
    assert!(!server.log().iter().any(|line| line.contains("rtc: listening")));
    assert!(TestServer::start().log().iter().any(|line| line.contains("rtc: listening")));
}

#[test]
fn rtc_of_a_vhost_is_off_unless_enabled() {
    let server = TestServer::configured(&format!(
        "{RTC}vhost __defaultVhost__ {{ }}\nvhost on.example {{ rtc {{ enabled on; }} }}\n"
    ));
    for reply in [publish(&server, "/whip/live/a"), play(&server, "/whep/live/a")] {
        assert_eq!(reply.status, 403, "{reply:?}");
        assert_eq!(reply.json()["code"], 5021);
    }
    began(&publish(&server, "/whip/live/a?vhost=on.example"));
}

#[test]
fn nack_and_twcc_are_agreed_to_where_they_are_on() {
    let feedback = |settings: &str| {
        let vhost = format!("vhost __defaultVhost__ {{ rtc {{ enabled on; {settings} }} }}");
        let server = TestServer::configured(&format!("{RTC}{vhost}\n"));
        let sdp = publish(&server, "/whip/live/a").body;
        let all = attributes(&sdp, "rtcp-fb");
        let has = |name: &str| all.iter().any(|value| value.split_once(' ').unwrap().1 == name);
        let extmap = attributes(&sdp, "extmap").join(" ").contains("transport-wide-cc");
        (has("nack"), has("transport-cc"), extmap, has("nack pli"))
    };
    assert_eq!(feedback(""), (true, true, true, true));
    assert_eq!(feedback("nack off;"), (false, true, true, true));
    assert_eq!(feedback("twcc off;"), (true, false, false, true));
}

#[test]
fn dtls_role_active_begins_the_handshake() {
    let setup = |role: &str| {
        let vhost = format!("vhost __defaultVhost__ {{ rtc {{ enabled on; dtls_role {role}; }} }}");
        let server = TestServer::configured(&format!("{RTC}{vhost}\n"));
        attributes(&play(&server, "/whep/live/a").body, "setup")
    };
    assert_eq!(setup("passive"), ["passive"]);
    assert_eq!(setup("active"), ["active"]);
}

#[test]
fn packets_of_a_payload_type_are_dropped() {
    let server = |settings: &str| {
        let vhost = format!("vhost __defaultVhost__ {{ rtc {{ enabled on; {settings} }} }}");
        TestServer::configured(&format!("{RTC}{vhost}\n"))
    };
    let flows = |server: &TestServer| {
        let mut publisher = RtcClient::publish(server.api, "a").connect();
        let mut viewer = RtcClient::play(server.api, "a").connect();
        let mut time = 0;
        viewer.until("sound", |viewer| {
            time += 1;
            // A whole IDR picture each time.
            publisher.send(MediaKind::Video, time * 3000, true, &[0x65, 0x88, 0x84]);
            publisher.send(MediaKind::Audio, time * 960, false, &[0x78, 1, 2, 3]);
            publisher.poll(Duration::from_millis(10));
            (viewer.of(MediaKind::Audio).len() > 20).then_some(())
        });
        (publisher.payload_type(MediaKind::Video), viewer.of(MediaKind::Video).len())
    };
    let (payload_type, pictures) = flows(&server("drop_for_pt 0;"));
    assert!(pictures > 10, "{pictures}");
    let dropping = server(&format!("drop_for_pt {payload_type};"));
    assert_eq!(flows(&dropping), (payload_type, 0));
}

/// No packet ever comes of these.
#[test]
fn a_session_that_nobody_uses_ends() {
    let vhost = "vhost __defaultVhost__ { rtc { enabled on; stun_timeout 1; } }";
    let server = TestServer::configured(&format!("{RTC}{vhost}\n"));
    began(&publish(&server, "/whip/live/a"));
    let location = began(&play(&server, "/whep/live/a"));
    wait_for("end of both", Duration::from_secs(20), || {
        (server.api("clients")["total"] == 0).then_some(())
    });
    server.wait_for_log("no packet of the client for 1 s: is the candidate reachable?");
    assert_eq!(super::delete(&server, &location), 404);
    began(&publish(&server, "/whip/live/a"));
}

#[test]
fn whip_tells_of_ice_servers() {
    let server = TestServer::configured(&format!(
        "rtc_server {{ enabled on; listen 0; candidate 127.0.0.1; \
         ice_servers stun:stun.example:3478 turn:turn.example; }}\n{}",
        vhost("")
    ));
    let links =
        "<stun:stun.example:3478>; rel=\"ice-server\", <turn:turn.example>; rel=\"ice-server\"";
    assert_eq!(publish(&server, "/whip/live/a").header("link"), links);
    let none = super::server();
    assert_eq!(publish(&none, "/whip/live/a").headers.get("link"), None);
}

/// Without a configuration everything is there, and a port that is taken is only a warning.
#[test]
fn without_a_configuration_webrtc_is_on() {
    let server = TestServer::start();
    let reply = publish(&server, "/whip/live/a");
    began(&reply);
    let candidates = attributes(&reply.body, "candidate").join("\n");
    assert!(candidates.contains(" udp ") && candidates.contains(" tcp "), "{candidates}");
    let page = http(server.http, "GET /players/whip.html", &[], "");
    assert_eq!(page.status, 200);
}
