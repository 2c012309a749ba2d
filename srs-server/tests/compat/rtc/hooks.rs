//! Who is asked and told of sessions: as of RTMP's clients, each start that was allowed has one end.

use std::time::Duration;

use nix::sys::signal::Signal::SIGTERM;
use serde_json::json;

use super::{RTC, SDP, began, delete, fixture, play, publish, vhost};
use crate::support::{Answer, HookServer, TestServer, http, wait_for};

fn server(hooks: &HookServer, more: &str) -> TestServer {
    let urls: String = ["on_publish", "on_unpublish", "on_play", "on_stop"]
        .iter()
        .map(|action| format!("{action} {};", hooks.url(&format!("/{action}"))))
        .collect();
    let hooks = format!("http_hooks {{ enabled on; {urls} }} {more}");
    TestServer::configured(&format!("{RTC}{}", vhost(&hooks)))
}

#[test]
fn hooks_tell_of_sessions_as_of_rtmp() {
    let hooks = HookServer::start();
    let server = server(&hooks, "");
    let referer = ("Referer", "http://page.example/p");
    let token = ("Authorization", "Bearer secret+");
    let headers = [SDP, referer, token];
    let path = "POST /whip/live/a?x=1";
    let publisher = began(&http(server.http, path, &headers, &fixture("chrome-publish")));
    let publisher_id = server.wait_for_client("a", "rtc-publish");
    let headers = [SDP, referer];
    let path = "POST /rtc/v1/whep/?app=live&stream=a&token=own";
    let player = began(&http(server.api, path, &headers, &fixture("chrome-play")));
    let player_id = server.wait_for_client("a", "rtc-play");
    let envelope = server.api("streams");
    let expected = |action: &str, client_id: &str, param: &str| {
        let mut expected = json!({
            "server_id": envelope["server"], "service_id": envelope["service"],
            "action": action, "client_id": client_id, "ip": "127.0.0.1",
            "vhost": "__defaultVhost__", "app": "live", "tcUrl": "webrtc://localhost/live",
            "stream": "a", "param": param, "stream_url": "/live/a",
            "stream_id": envelope["streams"][0]["id"],
        });
        if action == "on_play" {
            expected["pageUrl"] = "http://page.example/p".into();
        }
        expected
    };
    assert_eq!(delete(&server, &player), 200);
    assert_eq!(delete(&server, &publisher), 200);
    assert_eq!(delete(&server, &publisher), 404);
    let calls = hooks.wait_for(4, |_| true);
    let of_player = "?app=live&stream=a&token=own";
    let of_publisher = "?x=1&token=secret%2B&upstream=rtc";
    assert_eq!(calls[0].json, expected("on_publish", &publisher_id, of_publisher));
    assert_eq!(calls[1].json, expected("on_play", &player_id, of_player));
    let ends = |action: &str| {
        calls[2..].iter().find(|call| call.action() == action).map(|call| call.json.clone())
    };
    assert_eq!(ends("on_stop"), Some(expected("on_stop", &player_id, of_player)));
    let unpublish = expected("on_unpublish", &publisher_id, of_publisher);
    assert_eq!(ends("on_unpublish"), Some(unpublish));
}

/// Kicked, never seen, taken over, or with the server: one end each.
#[test]
fn however_a_session_ends_one_end_is_told() {
    let hooks = HookServer::start();
    let mut server = server(&hooks, "publish { takeover same; }");
    began(&publish(&server, "/whip/live/kicked"));
    server.kick(&server.wait_for_client("kicked", "rtc-publish"));
    assert!(server.clients("kicked", "rtc-publish").is_empty());
    began(&play(&server, "/whep/live/kicked"));
    server.kick(&server.wait_for_client("kicked", "rtc-play"));
    assert!(server.clients("kicked", "rtc-play").is_empty());
    hooks.wait_for(4, |_| true);

    began(&publish(&server, "/whip/live/taken"));
    began(&publish(&server, "/whip/live/taken"));
    assert_eq!(server.clients("taken", "rtc-publish").len(), 1);
    hooks.wait_for(7, |_| true);
    began(&play(&server, "/whep/live/taken"));
    server.signal(SIGTERM);
    assert!(server.wait().success());
    let calls = hooks.calls();
    for (start, end) in [("on_publish", "on_unpublish"), ("on_play", "on_stop")] {
        let ids = |action: &str| {
            let mut ids: Vec<_> = calls
                .iter()
                .filter(|call| call.action() == action)
                .map(|call| call.json["client_id"].as_str().unwrap().to_owned())
                .collect();
            ids.sort();
            ids
        };
        assert_eq!(ids(start), ids(end));
        assert!(!ids(start).is_empty());
    }
    assert_eq!(calls.len(), 10, "{calls:?}");
}

#[test]
fn who_is_denied_leaves_nothing() {
    let hooks = HookServer::start();
    let server = server(&hooks, "");
    hooks.script("/on_publish", Answer::ok(r#"{"code":1}"#));
    hooks.script("/on_play", Answer::ok(r#"{"code":403}"#));
    for reply in [publish(&server, "/whip/live/a"), play(&server, "/whep/live/a")] {
        assert_eq!(reply.status, 403, "{reply:?}");
        // Who denied it, and how, is none of the client's business.
        assert_eq!(reply.json()["detail"], "denied");
        assert_eq!(reply.json()["code"], 3064);
    }
    assert_eq!(server.api("clients")["total"], 0);
    assert_eq!(hooks.actions(), ["on_publish", "on_play"]);
    // The stream is free for who is allowed.
    hooks.script("/on_publish", Answer::ok("0"));
    began(&publish(&server, "/whip/live/a"));
}

/// A publish that is bound to fail is no publish to hook servers.
#[test]
fn nobody_is_asked_of_what_is_refused_anyway() {
    let hooks = HookServer::start();
    let server = server(&hooks, "");
    began(&publish(&server, "/whip/live/a"));
    hooks.wait_for(1, |_| true);
    assert_eq!(publish(&server, "/whip/live/a").status, 409);
    assert_eq!(play(&server, "/whip/live/b").status, 422);
    let reply = http(server.api, "POST /whip/live/b", &[SDP], "nonsense");
    assert_eq!(reply.status, 400);
    assert_eq!(hooks.actions(), ["on_publish"]);
}

/// A client that goes while the hook server thinks is told to have ended, if it was allowed.
#[test]
fn a_client_that_goes_while_it_is_asked_leaves_nothing() {
    use std::io::Write;

    let hooks = HookServer::start();
    let server = server(&hooks, "");
    hooks.script("/on_publish", Answer::Hold);
    let offer = fixture("chrome-publish");
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", server.api)).unwrap();
    let head = format!(
        "POST /whip/live/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n",
        offer.len()
    );
    socket.write_all(format!("{head}{offer}").as_bytes()).unwrap();
    hooks.wait_for(1, |call| call.action() == "on_publish");
    drop(socket);
    std::thread::sleep(Duration::from_millis(300));
    hooks.script("/on_publish", Answer::ok("0"));
    hooks.wait_for(1, |call| call.action() == "on_unpublish");
    assert_eq!(server.api("clients")["total"], 0);
    wait_for("a free stream", Duration::from_secs(20), || {
        (publish(&server, "/whip/live/a").status == 201).then_some(())
    });
}

#[test]
fn security_and_refer_hold_for_sessions() {
    let server = TestServer::configured(&format!(
        "{RTC}{}{}",
        vhost("security { enabled on; deny publish all; allow play all; }"),
        "vhost v.example { rtc { enabled on; } refer { enabled on; play page.example; } }\n"
    ));
    let denied = publish(&server, "/whip/live/a");
    assert_eq!((denied.status, &denied.json()["code"]), (403, &json!(1053)));
    began(&play(&server, "/whep/live/a"));
    let path = "POST /whep/live/a?vhost=v.example";
    let offer = fixture("chrome-play");
    let other = http(server.api, path, &[SDP, ("Referer", "http://other.example/")], &offer);
    assert_eq!((other.status, &other.json()["code"]), (403, &json!(2015)));
    let own = http(server.api, path, &[SDP, ("Referer", "http://page.example/")], &offer);
    assert_eq!(own.status, 201, "{own:?}");
}
