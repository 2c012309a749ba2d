//! WHIP (RFC 9725) and WHEP.

use std::fs;

use serde_json::json;

use super::{FRAGMENT, SDP, attributes, began, delete, fixture, play, publish, server};
use crate::support::{Clip, Ffmpeg, Reply, TestServer, clip, http};

#[test]
fn an_offer_is_answered_with_a_session() {
    let server = server();
    let reply = publish(&server, "/rtc/v1/whip/?app=live&stream=a");
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/sdp");
    assert_eq!(reply.header("accept-patch"), "application/trickle-ice-sdpfrag");
    let sdp = &reply.body;
    assert!(sdp.starts_with("v=0\r\n") && sdp.contains("a=ice-lite\r\n"), "{sdp}");
    assert_eq!(attributes(sdp, "setup"), ["passive"]);
    assert_eq!(attributes(sdp, "recvonly").len(), 1, "{sdp}");
    let [ufrag] = &attributes(sdp, "ice-ufrag")[..] else { panic!("{sdp}") };
    assert_eq!(reply.header("etag"), format!("\"{ufrag}\""));
    let location = reply.header("location");
    let remote = attributes(&fixture("chrome-publish"), "ice-ufrag").remove(0);
    let prefix = "/rtc/v1/whip/?action=delete&token=";
    assert!(location.starts_with(prefix), "{location}");
    let encoded = remote.replace('+', "%2B").replace('/', "%2F");
    let suffix = format!("&app=live&stream=a&session={ufrag}%3A{encoded}");
    assert!(location.ends_with(&suffix), "{location}");

    let clients = server.clients("a", "rtc-publish");
    let [client] = &clients[..] else { panic!("{clients:?}") };
    assert_eq!((&client["publish"], &client["ip"]), (&json!(true), &json!("127.0.0.1")));
    let stream = &server.api("streams")["streams"][0];
    assert_eq!(stream["publish"], json!({ "active": true, "cid": client["id"] }));
    assert_eq!((&stream["app"], &stream["name"]), (&json!("live"), &json!("a")));
    assert!(!stream["video"]["codec"].as_str().unwrap().is_empty(), "{stream}");
    assert_eq!(stream["audio"]["codec"], "Opus");
    assert_eq!(stream["audio"]["sample_rate"], 48_000);

    assert_eq!(delete(&server, location), 200);
    assert!(server.clients("a", "rtc-publish").is_empty());
    assert_eq!(server.api("streams")["streams"][0]["publish"]["active"], false);
    assert_eq!(delete(&server, location), 404);
}

/// As SRS has it: `action=play` on WHIP's path, and two names for WHEP's.
#[test]
fn whep_plays_before_anybody_publishes() {
    let server = server();
    for (path, name) in [
        ("/rtc/v1/whip/?app=live&stream=a&action=play", "a"),
        ("/rtc/v1/whip-play/?app=live&stream=b", "b"),
        ("/rtc/v1/whep/?stream=c", "c"),
        ("/rtc/v1/whep/", "livestream"),
        ("/whep/live/d", "d"),
        ("/whep/e", "e"),
    ] {
        let reply = play(&server, path);
        let location = began(&reply);
        assert_eq!(attributes(&reply.body, "sendonly").len(), 1, "{path}: {}", reply.body);
        assert_eq!(server.clients(name, "rtc-play").len(), 1, "{path}");
        assert_eq!(delete(&server, &location), 200, "{path}");
        assert!(server.clients(name, "rtc-play").is_empty(), "{path}");
    }
}

#[test]
fn short_paths_name_the_stream_and_the_session() {
    let server = server();
    let location = began(&publish(&server, "/whip/a%20b/c/d?x=1"));
    let token = location.strip_prefix("/whip/a%20b/c/d/").unwrap();
    assert_eq!(token.len(), 32, "{location}");
    let stream = &server.api("streams")["streams"][0];
    assert_eq!((&stream["app"], &stream["name"]), (&json!("a b/c"), &json!("d")));
    // Whoever has not the token has not the session.
    for path in ["/whip/a%20b/c/d/0", "/whip/a%20b/c/d", "/whip/", "/whip"] {
        assert_eq!(delete(&server, path), 404, "{path}");
    }
    // The whole address is as good as the path.
    assert_eq!(delete(&server, &format!("http://127.0.0.1:{}{location}", server.api)), 200);
}

#[test]
fn a_wrong_token_ends_nothing() {
    let server = server();
    let location = began(&publish(&server, "/rtc/v1/whip/?stream=a"));
    let token = location.split("token=").nth(1).unwrap().split('&').next().unwrap();
    for wrong in ["", "0", "00000000000000000000000000000000"] {
        let reply =
            http(server.api, &format!("DELETE {}", location.replace(token, wrong)), &[], "");
        assert_eq!(reply.status, 403, "{reply:?}");
        assert_eq!(reply.json()["code"], 5036);
    }
    assert_eq!(server.clients("a", "rtc-publish").len(), 1);
    assert_eq!(delete(&server, &location), 200);
}

/// Browsers, encoders and toolkits, each by what it sends.
#[test]
fn every_known_client_is_answered() {
    let server = server();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../rtc-stack/tests/sdp");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_sdp = path.extension().is_some_and(|extension| extension == "sdp");
        if !is_sdp {
            continue;
        }
        let kind = if name.contains("play") || name.contains("whep") { "whep" } else { "whip" };
        let line = format!("POST /{kind}/live/{name}");
        let reply = http(server.http, &line, &[SDP], &fixture(&name));
        assert_eq!(reply.status, 201, "{name}: {reply:?}");
        count += 1;
    }
    assert!(count >= 10, "{count} descriptions");
}

#[test]
fn options_say_what_is_taken() {
    let server = server();
    for port in [server.api, server.http] {
        for path in ["/rtc/v1/whip/", "/rtc/v1/whep/", "/whip/live/a", "/whep/live/a/session"] {
            let origin = [
                ("Origin", "http://a.example"),
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "authorization, content-type"),
            ];
            let reply = http(port, &format!("OPTIONS {path}"), &origin, "");
            assert_eq!(reply.status, 204, "{path}");
            assert_eq!(reply.header("accept-post"), "application/sdp");
            assert_eq!(reply.header("access-control-allow-origin"), "*");
            assert_eq!(reply.header("access-control-allow-headers"), "*, Authorization");
            let exposed = reply.header("access-control-expose-headers");
            for name in ["*", "Location", "ETag", "Link"] {
                assert!(exposed.split(", ").any(|exposed| exposed == name), "{exposed}");
            }
        }
    }
    let reply = http(server.http, "POST /whip/live/a", &[SDP], &fixture("chrome-publish"));
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (201, "*"));
    let off = TestServer::configured(&format!(
        "{}{}http_api {{ enabled on; listen 0; crossdomain off; }}\n",
        super::RTC,
        super::vhost("")
    ));
    let reply = publish(&off, "/whip/live/a");
    assert!(!reply.headers.keys().any(|name| name.starts_with("access-control")), "{reply:?}");
}

/// A problem is a document of its own (RFC 9457).
#[track_caller]
fn problem(reply: &Reply, status: u16, code: Option<u32>) {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let json = reply.json();
    assert_eq!(json["status"], status, "{json}");
    assert_eq!(json["type"], "about:blank");
    assert!(json["title"].is_string() && json["detail"].is_string(), "{json}");
    assert_eq!(json.get("code"), code.map(|code| json!(code)).as_ref(), "{json}");
}

#[test]
fn what_is_wrong_is_told() {
    let server = server();
    let offer = fixture("chrome-publish");
    let post = |path: &str, headers: &[(&str, &str)], body: &str| {
        http(server.api, &format!("POST {path}"), headers, body)
    };
    let path = "/whip/live/a";
    let json = [("Content-Type", "application/json")];
    let reply = post(path, &json, &offer);
    problem(&reply, 415, None);
    assert_eq!(reply.header("accept-post"), "application/sdp");
    problem(&post(path, &[SDP], &"a".repeat(70_000)), 413, None);
    problem(&post(path, &[SDP, ("Content-Length", "99999999999")], "v=0"), 413, None);
    problem(&post(path, &[SDP], ""), 400, Some(5012));
    problem(&post(path, &[SDP], "v=1\r\n"), 400, Some(5012));
    for end in (0..offer.len()).step_by(97) {
        let status = post(path, &[SDP], offer.get(..end).unwrap_or_default()).status;
        assert!(matches!(status, 201 | 400 | 409 | 422), "{status} for {end} bytes");
    }
    problem(&post("/whip/live/b", &[SDP], &fixture("chrome-play")), 422, Some(5012));
    problem(&post("/whep/live/b", &[SDP], &offer), 422, Some(5012));
    let no_bundle = offer.replace("a=group:BUNDLE", "a=group:NONE");
    problem(&post("/whip/live/b", &[SDP], &no_bundle), 422, Some(5012));
    for path in ["/whip/live/..", "/whip/live/a%3Fb", "/whip/live/a%0Db", "/whip/%2E/a"] {
        problem(&post(path, &[SDP], &offer), 400, None);
    }
    for query in ["ice-ufrag=abc&ice-pwd=0123456789012345678901", "ice-ufrag=abcd&ice-pwd=short"] {
        problem(&post(&format!("/whip/live/b?{query}"), &[SDP], &offer), 400, None);
    }
    for method in ["PUT", "GET", "HEADER"] {
        let reply = http(server.api, &format!("{method} {path}"), &[], "");
        problem(&reply, 405, None);
        assert_eq!(reply.header("allow"), "OPTIONS, POST, PATCH, DELETE");
    }
    problem(&http(server.api, "PATCH /whip/live/b/x", &[FRAGMENT], "a=mid:0\r\n"), 404, None);
    assert!(server.clients("b", "rtc-publish").is_empty());
}

/// What is reserved for later is no stream and no other session (RFC 9725, 4.2 and 4.3).
#[test]
fn other_methods_are_told_so_everywhere() {
    let server = server();
    for path in ["/whip/live/a", "/rtc/v1/whip/?app=live&stream=a"] {
        let location = began(&publish(&server, path));
        for (port, target) in [server.api, server.http].map(|port| (port, &*location)) {
            let again = http(port, &format!("POST {target}"), &[SDP], &fixture("chrome-publish"));
            problem(&again, 405, None);
            assert_eq!(again.header("allow"), "OPTIONS, PATCH, DELETE");
        }
        for (port, target) in [(server.api, path), (server.http, path), (server.http, &location)] {
            for method in ["GET", "PUT"] {
                let reply = http(port, &format!("{method} {target}"), &[], "");
                problem(&reply, 405, None);
            }
        }
        assert_eq!(server.api("clients")["total"], 1);
        assert_eq!(delete(&server, &location), 200);
    }
}

#[test]
fn media_are_encrypted_whatever_the_query_says() {
    let server = server();
    let reply = play(&server, "/rtc/v1/whep/?stream=a&encrypt=false&dtls=false");
    began(&reply);
    assert_eq!(attributes(&reply.body, "fingerprint").len(), 1);
    assert!(reply.body.contains("UDP/TLS/RTP/SAVPF"), "{reply:?}");
    server.wait_for_log("`encrypt=false` has no effect: media are always encrypted");
}

/// None of them is a character of ICE, and some encoders have them nevertheless.
#[test]
fn odd_credentials_of_clients_are_taken() {
    let server = server();
    let offer = fixture("chrome-play");
    let own = attributes(&offer, "ice-ufrag").remove(0);
    for ufrag in ["ab=-_#", "a+/9", "user_1=="] {
        let odd = offer.replace(&format!("a=ice-ufrag:{own}"), &format!("a=ice-ufrag:{ufrag}"));
        let reply = http(server.api, "POST /rtc/v1/whep/?stream=a", &[SDP], &odd);
        let location = began(&reply);
        assert_eq!(delete(&server, &location), 200, "{location}");
    }
}

#[test]
fn credentials_of_the_query_are_the_servers() {
    let server = server();
    let query = "ice-ufrag=myufrag&ice-pwd=0123456789012345678901";
    let reply = publish(&server, &format!("/rtc/v1/whip/?stream=a&{query}"));
    began(&reply);
    assert_eq!(attributes(&reply.body, "ice-ufrag"), ["myufrag"]);
    assert_eq!(attributes(&reply.body, "ice-pwd"), ["0123456789012345678901"]);
    // Two sessions of one name could not be told apart.
    problem(&publish(&server, &format!("/rtc/v1/whip/?stream=b&{query}")), 409, None);
    assert!(server.clients("b", "rtc-publish").is_empty());
}

#[test]
fn the_codec_of_the_query_is_the_only_one() {
    let server = server();
    for (codec, others) in [("vp9", ["H264", "VP8"]), ("h264", ["VP9", "VP8"])] {
        let reply = publish(&server, &format!("/whip/live/{codec}?codec={codec}"));
        began(&reply);
        let maps = attributes(&reply.body, "rtpmap").join(" ");
        assert!(maps.contains(&codec.to_uppercase()) && maps.contains("opus"), "{maps}");
        assert!(!others.iter().any(|other| maps.contains(other)), "{maps}");
    }
}

const TRICKLE: &str = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
    a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n\
    a=end-of-candidates\r\n";

fn patch(server: &TestServer, location: &str, tag: Option<&str>, body: &str) -> Reply {
    let mut headers = vec![FRAGMENT];
    headers.extend(tag.map(|tag| ("If-Match", tag)));
    http(server.api, &format!("PATCH {location}"), &headers, body)
}

#[test]
fn candidates_of_the_client_are_checked_and_not_needed() {
    let server = server();
    for path in ["/whip/live/a", "/rtc/v1/whip/?stream=b"] {
        let reply = publish(&server, path);
        let (location, etag) = (began(&reply), reply.header("etag"));
        let sent = patch(&server, &location, Some(etag), TRICKLE);
        assert_eq!((sent.status, sent.body.as_str()), (204, ""), "{sent:?}");
        problem(&patch(&server, &location, None, TRICKLE), 428, None);
        problem(&patch(&server, &location, Some("\"other\""), TRICKLE), 412, None);
        problem(&patch(&server, &location, Some(etag), "no fragment"), 400, Some(5012));
        let wrong =
            http(server.api, &format!("PATCH {location}"), &[SDP, ("If-Match", etag)], TRICKLE);
        problem(&wrong, 415, None);
        assert_eq!(wrong.header("accept-patch"), "application/trickle-ice-sdpfrag");
    }
}

#[test]
fn ice_begins_anew() {
    let server = server();
    let reply = publish(&server, "/whip/live/a");
    let (location, old) = (began(&reply), reply.header("etag").to_owned());
    let fragment = |ufrag: &str| {
        format!(
            "a=group:BUNDLE 0 1\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:0123456789012345678901\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
        )
    };
    let mut tags = vec![old.clone()];
    for (ufrag, tag) in [("new1", "*"), ("new2", "*"), ("new3", "")] {
        let last = tags.last().unwrap().clone();
        let tag = if tag.is_empty() { &last } else { tag };
        let answer = patch(&server, &location, Some(tag), &fragment(ufrag));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/trickle-ice-sdpfrag");
        let [ours] = &attributes(&answer.body, "ice-ufrag")[..] else { panic!("{answer:?}") };
        assert_eq!(attributes(&answer.body, "ice-pwd").len(), 1);
        assert!(!attributes(&answer.body, "candidate").is_empty());
        let etag = answer.header("etag").to_owned();
        assert_eq!(etag, format!("\"{ours}\""));
        assert!(!tags.contains(&etag), "{etag}");
        tags.push(etag);
        // The same again is no other restart.
        let again = patch(&server, &location, Some("*"), &fragment(ufrag));
        assert_eq!(again.status, 204, "{again:?}");
    }
    problem(&patch(&server, &location, Some(&old), TRICKLE), 412, None);
    assert_eq!(delete(&server, &location), 200);
    problem(&patch(&server, &location, Some("*"), &fragment("new4")), 404, None);
}

/// Without `rtmp_to_rtc` nothing of it would ever come.
#[test]
fn what_comes_by_rtmp_is_not_there_unless_it_is_brought() {
    let server = server();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    problem(&play(&server, "/whep/live/a"), 404, Some(5021));
    problem(&publish(&server, "/whip/live/a"), 409, Some(5020));
    assert!(server.clients("a", "rtc-play").is_empty());
}

#[test]
fn sessions_count_among_the_connections() {
    let server =
        TestServer::configured(&format!("{}max_connections 1;\n{}", super::RTC, super::vhost("")));
    let location = began(&play(&server, "/whep/live/a"));
    let reply = play(&server, "/whep/live/b");
    problem(&reply, 503, Some(1074));
    assert_eq!(reply.header("retry-after"), "5");
    assert_eq!(delete(&server, &location), 200);
    began(&play(&server, "/whep/live/b"));
}
