//! SRS's own signalling, in JSON.

use serde_json::{Value, json};

use super::{RTC, attributes, fixture, server, vhost};
use crate::support::{TestServer, http};

fn post(port: u16, path: &str, body: &Value) -> Value {
    let json = [("Content-Type", "application/json")];
    let reply = http(port, &format!("POST {path}"), &json, &body.to_string());
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    reply.json()
}

fn asked(offer: &str, url: &str) -> Value {
    json!({ "sdp": fixture(offer), "streamurl": url, "api": "http://x/", "clientip": null, "tid": "1" })
}

#[test]
fn the_json_api_publishes_and_plays() {
    let server = server();
    let head = server.api("versions");
    for (port, name) in [(server.api, "a"), (server.http, "b")] {
        for (path, offer, kind) in [
            ("/rtc/v1/publish/", "chrome-publish", "rtc-publish"),
            ("/rtc/v1/play/", "chrome-play", "rtc-play"),
        ] {
            let url = format!("webrtc://localhost/live/{name}");
            let answer = post(port, path, &asked(offer, &url));
            let mut keys: Vec<_> = answer.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            assert_eq!(keys, ["code", "pid", "sdp", "server", "service", "sessionid"]);
            assert_eq!((&answer["code"], &answer["server"]), (&json!(0), &head["server"]));
            let sdp = answer["sdp"].as_str().unwrap();
            let local = attributes(sdp, "ice-ufrag").remove(0);
            let remote = attributes(&fixture(offer), "ice-ufrag").remove(0);
            assert_eq!(answer["sessionid"], format!("{local}:{remote}"));
            assert_eq!(server.clients(name, kind).len(), 1);
        }
    }
}

#[test]
fn any_scheme_of_url_names_the_stream() {
    let server = TestServer::configured(&format!(
        "{RTC}{}vhost v.example {{ rtc {{ enabled on; }} }}\n",
        vhost("")
    ));
    let vhosts = server.api("vhosts")["vhosts"].clone();
    for (number, (url, of)) in [
        ("webrtc://localhost/live/0", 0),
        ("webrtc://localhost:8000/live/1?x=1", 0),
        ("http://v.example/live/2", 1),
        ("rtmp://localhost/live/3?vhost=v.example", 1),
        ("webrtc://localhost/live/4?domain=v.example", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = post(server.api, "/rtc/v1/play/", &asked("chrome-play", url));
        assert_eq!(answer["code"], 0, "{url}");
        let client = server.clients(&number.to_string(), "rtc-play").remove(0);
        assert_eq!(client["vhost"], vhosts[of]["id"], "{url}");
    }
}

/// Whatever it is, as SRS: the log says which.
#[test]
fn any_failure_is_code_400() {
    let server = server();
    let failed = json!({ "code": 400 });
    let url = "webrtc://localhost/live/a";
    assert_eq!(post(server.api, "/rtc/v1/publish/", &asked("chrome-publish", url))["code"], 0);
    for (path, body) in [
        ("/rtc/v1/publish/", asked("chrome-publish", url)),
        ("/rtc/v1/publish/", asked("chrome-play", "webrtc://localhost/live/b")),
        ("/rtc/v1/play/", asked("chrome-publish", url)),
        ("/rtc/v1/play/", asked("chrome-play", "webrtc://localhost/live")),
        ("/rtc/v1/play/", asked("chrome-play", "")),
        ("/rtc/v1/play/", json!({ "streamurl": url })),
        ("/rtc/v1/play/", json!({ "sdp": "v=0" })),
        ("/rtc/v1/play/", json!({ "sdp": 1, "streamurl": url })),
        ("/rtc/v1/play/", json!([])),
    ] {
        assert_eq!(post(server.api, path, &body), failed, "{path} {body}");
    }
    server.wait_for_log("code=5020");
    let no_json = http(server.api, "POST /rtc/v1/play/", &[], "no json");
    assert_eq!(no_json.json(), failed);
    let long = http(server.api, "POST /rtc/v1/play/", &[], &"x".repeat(200_000));
    assert_eq!(long.json(), failed);
    assert_eq!(http(server.api, "GET /rtc/v1/play/", &[], "").json(), failed);
    assert_eq!(http(server.api, "OPTIONS /rtc/v1/play/", &[], "").status, 204);
}

#[test]
fn loss_is_ordered_by_the_sessions_name() {
    let server = server();
    let answer = post(server.api, "/rtc/v1/play/", &asked("chrome-play", "webrtc://h/live/a"));
    let id = answer["sessionid"].as_str().unwrap().replace('+', "%2B");
    let nack =
        |query: &str| http(server.api, &format!("GET /rtc/v1/nack/?{query}"), &[], "").json();
    let lost = nack(&format!("username={id}&drop=7"));
    assert_eq!(lost["code"], 0);
    assert_eq!(lost["query"], json!({ "username": answer["sessionid"], "drop": 7 }));
    for query in [format!("username={id}&drop=x"), "username=a:b&drop=1".to_owned(), String::new()]
    {
        assert_eq!(nack(&query), json!({ "code": 400 }), "{query}");
    }
}
