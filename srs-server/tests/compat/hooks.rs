//! HTTP callbacks: a hook server sees, and decides, what it does with SRS.

use std::{
    collections::HashMap,
    net::TcpListener,
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal::SIGTERM;
use rtmp_proto::{MediaKind, Purpose, amf0::Value};
use serde_json::json;

use crate::support::{
    Answer, Clip, Ffmpeg, HookServer, RtmpClient, TestDir, TestServer, clip, key_frame, wait_for,
};

/// The events of streams.
const OF_STREAMS: [&str; 4] = ["on_publish", "on_unpublish", "on_play", "on_stop"];
const ALL: [&str; 6] =
    ["on_connect", "on_close", "on_publish", "on_unpublish", "on_play", "on_stop"];

/// Exactly SRS's fields, whoever publishes or plays.
#[test]
fn hooks_tell_of_a_publisher_and_a_player() {
    let hooks = HookServer::start();
    let mut server = server(&hooks, &OF_STREAMS, "");
    let mut publisher =
        Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a?token=p&x=%20"));
    let publisher_id = server.wait_for_client("a", "fmle-publish");
    let mut player = Ffmpeg::record(&server.rtmp_url("a?token=v"));
    let player_id = server.wait_for_client("a", "rtmp-play");
    let mut flv = Ffmpeg::record(&format!("{}?token=f", server.flv_url("a")));
    let flv_id = server.wait_for_client("a", "flv-play");
    let envelope = server.api("streams");
    let stream_id = envelope["streams"][0]["id"].clone();

    let tc_url = format!("rtmp://127.0.0.1:{}/live", server.rtmp);
    let expected = |action: &str, client_id: &str, tc_url: &str, param: &str| {
        let mut expected = json!({
            "server_id": envelope["server"], "service_id": envelope["service"],
            "action": action, "client_id": client_id, "ip": "127.0.0.1",
            "vhost": "__defaultVhost__", "app": "live", "tcUrl": tc_url,
            "stream": "a", "param": param, "stream_url": "/live/a", "stream_id": stream_id,
        });
        if action == "on_play" {
            expected["pageUrl"] = "".into();
        }
        expected
    };
    for (client, id, tc_url, param) in [
        (&mut flv, flv_id, "rtmp://__defaultVhost__/live", "?token=f"),
        (&mut player, player_id, tc_url.as_str(), "?token=v"),
    ] {
        client.kill();
        let calls = hooks.wait_for(2, |call| call.json["client_id"] == id.as_str());
        assert_eq!(calls[0].json, expected("on_play", &id, tc_url, param));
        assert_eq!(calls[1].json, expected("on_stop", &id, tc_url, param));
    }
    publisher.kill();
    let calls = hooks.wait_for(2, |call| call.json["client_id"] == publisher_id.as_str());
    let param = "?token=p&x=%20";
    assert_eq!(calls[0].json, expected("on_publish", &publisher_id, &tc_url, param));
    assert_eq!(calls[1].json, expected("on_unpublish", &publisher_id, &tc_url, param));
    for call in hooks.calls() {
        assert_eq!(call.method, "POST");
        assert_eq!(call.headers["content-type"], "application/json");
        assert_eq!(call.path, format!("/{}", call.action()));
    }
    end(&mut server);
    assert_eq!(hooks.actions().len(), 6);
}

/// A connection is told of before and after everything that happens on it.
#[test]
fn hooks_tell_of_a_connection() {
    let hooks = HookServer::start();
    let mut server = server(&hooks, &ALL, "");
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a?token=1"));
    let id = server.wait_for_client("a", "fmle-publish");
    publisher.send(MediaKind::Video, 0, key_frame(1, 10_000));
    wait_for("the frame", Duration::from_secs(20), || {
        (server.api("streams")["streams"][0]["frames"] == 1).then_some(())
    });
    drop(publisher);
    let calls = hooks.wait_for(4, |_| true);
    let actions: Vec<_> = calls.iter().map(|call| call.action()).collect();
    assert_eq!(actions, ["on_connect", "on_publish", "on_unpublish", "on_close"]);

    let versions = server.api("versions");
    let common = |action: &str| {
        json!({
            "server_id": versions["server"], "service_id": versions["service"],
            "action": action, "client_id": id, "ip": "127.0.0.1",
            "vhost": "__defaultVhost__", "app": "live",
        })
    };
    let mut connect = common("on_connect");
    connect["tcUrl"] = format!("rtmp://127.0.0.1:{}/live", server.rtmp).into();
    connect["stream"] = "".into();
    connect["param"] = "".into();
    connect["pageUrl"] = "".into();
    assert_eq!(calls[0].json, connect);
    let bytes = |name: &str| calls[3].json[name].clone();
    let mut close = common("on_close");
    close["send_bytes"] = bytes("send_bytes");
    close["recv_bytes"] = bytes("recv_bytes");
    assert_eq!(calls[3].json, close);
    // The handshake alone is 3073 bytes each way.
    assert!((3073..100_000).contains(&bytes("send_bytes").as_u64().unwrap()));
    assert!((13_000..100_000).contains(&bytes("recv_bytes").as_u64().unwrap()));

    hooks.script("/on_connect", Answer::ok("1"));
    RtmpClient::open(&server.rtmp_url("a"), Purpose::publish()).err().unwrap();
    end(&mut server);
    // Who was not let in has not left either.
    assert_eq!(hooks.actions()[4..], ["on_connect"]);
}

/// As long as the hook server thinks, and after it said no, nobody sees the publisher.
#[test]
fn a_publisher_is_nobody_until_the_hook_says_yes() {
    let hooks = HookServer::start();
    let mut server = server(&hooks, &ALL, "");
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    hooks.wait_for_action("on_play");
    hooks.script("/on_publish", Answer::Hold);
    let mut publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    let asked = hooks.wait_for_action("on_publish");
    assert!(player.collect(Duration::from_secs(1)).is_empty());
    assert_no_publisher(&server);
    assert!(server.clients("a", "fmle-publish").is_empty());
    hooks.script("/on_publish", Answer::ok(r#"{"code":403,"msg":"no"}"#));
    assert!(!publisher.wait().success());
    assert!(player.collect(Duration::from_secs(1)).is_empty());
    assert_no_publisher(&server);

    // The next one, who is let in, is seen.
    hooks.script("/on_publish", Answer::ok("0"));
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    publisher.send(MediaKind::Video, 0, key_frame(7, 100));
    assert_eq!(player.next().unwrap().2, key_frame(7, 100));
    drop((publisher, player));
    end(&mut server);
    let of_denied = |call: &serde_json::Value| call["client_id"] == asked["client_id"];
    let told: Vec<_> = hooks.calls().into_iter().filter(|call| of_denied(&call.json)).collect();
    let actions: Vec<_> = told.iter().map(|call| call.action()).collect();
    assert_eq!(actions, ["on_connect", "on_publish", "on_close"]);
}

#[test]
fn a_player_that_is_denied_gets_nothing() {
    let hooks = HookServer::start();
    let mut server = server(&hooks, &OF_STREAMS, "");
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    hooks.script("/on_play", Answer::ok(r#"{"code":1}"#));
    if let Ok(mut player) = RtmpClient::open(&server.rtmp_url("a"), Purpose::play()) {
        let end = player.next().unwrap_err();
        assert_ne!(end, "nothing to read", "the connection stays");
    }
    let flv = ureq::get(server.flv_url("a")).call();
    assert!(matches!(flv, Err(ureq::Error::StatusCode(403))), "{flv:?}");
    hooks.wait_for(2, |call| call.action() == "on_play");
    end(&mut server);
    assert!(!hooks.actions().contains(&"on_stop".to_owned()));
}

/// Status 200 or 201, and `0` or an object with the integer code 0: nothing else lets anybody in.
#[test]
fn only_a_clear_yes_lets_a_publisher_in() {
    let hooks = HookServer::start();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let http = |status, body: &str| Answer::Http(status, body.to_owned());
    let answers = [
        ("zero", true, http(200, "0")),
        ("zero-line", true, http(200, "0\r\n")),
        ("created", true, http(201, r#"{"code":0}"#)),
        ("object", true, http(200, r#"{"code": 0, "data": {"x": 1}}"#)),
        ("empty", false, http(200, "")),
        ("one", false, http(200, "1")),
        ("code-1", false, http(200, r#"{"code":1}"#)),
        ("code-text", false, http(200, r#"{"code":"0"}"#)),
        ("no-code", false, http(200, "{}")),
        ("html", false, http(200, "<html></html>")),
        ("no-content", false, http(204, "")),
        (
            "found",
            false,
            Answer::Raw("HTTP/1.1 302 Found\r\nLocation: /zero\r\nContent-Length: 0\r\n\r\n"),
        ),
        ("forbidden", false, http(403, "0")),
        ("failed", false, http(500, "0")),
        ("garbage", false, Answer::Raw("\0\x01 I am no HTTP server\r\n\r\n0")),
        ("cut", false, Answer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0")),
        ("flood", false, Answer::Flood(100 * 1024 * 1024)),
    ];
    let vhost = |name: &str, url: &str| {
        format!("vhost {name} {{ http_hooks {{ enabled on; on_publish {url}; }} }}\n")
    };
    let mut text: String =
        answers.iter().map(|(name, ..)| vhost(name, &hooks.url(&format!("/{name}")))).collect();
    // A server that never answered well: elsewhere it may be a kept connection that breaks, and
    // the call is made once more.
    let broken = HookServer::start();
    let breaks = [("nothing", Answer::Raw("")), ("reset", Answer::Reset)];
    for (name, answer) in breaks.clone() {
        let path = format!("/{name}");
        text += &vhost(name, &broken.url(&path));
        broken.script(&path, answer);
    }
    text += &vhost("closed", &format!("http://{closed}/"));
    text += &vhost("no-url", "127.0.0.1/zero");
    let several: Vec<_> =
        ["zero", "code-1", "object"].map(|name| hooks.url(&format!("/{name}"))).into();
    text += &vhost("several", &several.join(" "));
    let mut server = TestServer::configured(&text);
    let publish = |name: &str| {
        RtmpClient::open(&server.rtmp_url(&format!("a?vhost={name}")), Purpose::publish())
    };
    for (name, is_yes, answer) in answers {
        hooks.script(&format!("/{name}"), answer);
        let result = publish(name);
        assert_eq!(result.is_ok(), is_yes, "{name}: {:?}", result.err());
        hooks.wait_for(1, |call| call.path == format!("/{name}"));
    }
    for (name, _) in breaks {
        assert!(publish(name).is_err(), "{name}");
        broken.wait_for(1, |call| call.path == format!("/{name}"));
    }
    for name in ["closed", "no-url", "several"] {
        assert!(publish(name).is_err(), "{name}");
    }
    // The first that says no is the last that is asked.
    hooks.wait_for(2, |call| call.path == "/zero");
    hooks.wait_for(1, |call| call.path == "/object");
    // What the kernels hold between the two is a few MiB.
    assert!(hooks.flooded() < 50 * 1024 * 1024, "{} bytes taken", hooks.flooded());
    end(&mut server);
}

/// Half a minute for an answer; other clients feel nothing of it.
#[test]
fn a_hook_server_that_hangs_is_a_no_and_delays_nobody_else() {
    let hooks = HookServer::start();
    let url = hooks.url("/hang");
    let mut server = TestServer::configured(&format!(
        "vhost __defaultVhost__ {{ http_hooks {{ enabled on; on_publish {}; }} }}
         vhost slow {{ http_hooks {{ enabled on; on_publish {url}; on_unpublish {url}; }} }}",
        hooks.url("/quick"),
    ));
    hooks.script("/hang", Answer::Hold);
    let begun = Instant::now();
    let slow_url = server.rtmp_url("a?vhost=slow");
    let mut slow = Ffmpeg::publish_forever(&clip(Clip::Avc), &slow_url);
    hooks.wait_for_action("on_publish");
    for number in 0..20 {
        // Each a stream of its own: that one has left is seen a little later.
        RtmpClient::publish(&server.rtmp_url(&format!("b{number}")));
    }
    assert_eq!(hooks.calls().len(), 21);
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    assert!(!slow.wait().success());
    assert!(begun.elapsed() >= Duration::from_secs(29), "{:?}", begun.elapsed());
    server.wait_for_log("gave no answer within 30 s");
    end(&mut server);
    assert_eq!(hooks.calls().len(), 21);
}

/// A certificate is believed only where its issuer is known.
#[test]
fn an_https_hook_server_is_verified() {
    let dir = TestDir::new();
    let (hooks, certificate) = HookServer::start_tls(dir.path());
    let certificate = certificate.to_str().unwrap();
    let text = vhost(&hooks, &OF_STREAMS, "");
    let mut server = TestServer::configured_with(&text, &[("SSL_CERT_FILE", certificate)]);
    drop(RtmpClient::publish(&server.rtmp_url("a")));
    hooks.wait_for_action("on_publish");
    end(&mut server);
    assert_eq!(hooks.actions(), ["on_publish", "on_unpublish"]);

    let mut server = TestServer::configured(&text);
    RtmpClient::open(&server.rtmp_url("a"), Purpose::publish()).err().unwrap();
    server.wait_for_log("invalid peer certificate");
    end(&mut server);
    assert_eq!(hooks.calls().len(), 2);
}

#[test]
fn calls_share_connections() {
    let hooks = HookServer::start();
    let mut server = server(&hooks, &ALL, "");
    for _ in 0..10 {
        RtmpClient::publish(&server.rtmp_url("a"));
    }
    let calls = hooks.wait_for(40, |_| true);
    let connections = calls.iter().map(|call| call.connection).max().unwrap() + 1;
    assert!(connections <= 10, "{connections} connections for 40 calls");
    end(&mut server);
}

/// However a client ends, and whatever its hook server is doing then.
#[test]
fn every_end_is_told_exactly_once() {
    let hooks = HookServer::start();
    let short = "publish { firstpkt_timeout 1000; }";
    let silent = vhost(&hooks, &ALL, short).replace("__defaultVhost__", "silent");
    let mut server = TestServer::configured(&format!("{}{silent}", vhost(&hooks, &ALL, "")));
    // Killed.
    let mut killed = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("killed"));
    server.wait_for_client("killed", "fmle-publish");
    killed.kill();
    // Kicked.
    let mut kicked = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("kicked"));
    let id = server.wait_for_client("kicked", "fmle-publish");
    let _player = RtmpClient::play(&server.rtmp_url("kicked"));
    let player_id = server.wait_for_client("kicked", "rtmp-play");
    let mut flv = Ffmpeg::record(&server.flv_url("kicked"));
    let flv_id = server.wait_for_client("kicked", "flv-play");
    for id in [player_id, flv_id, id] {
        server.kick(&id);
    }
    flv.wait();
    kicked.wait();
    // Silent for too long.
    let _silent = RtmpClient::publish(&server.rtmp_url("a?vhost=silent"));
    server.wait_for_log("no media message for 1000 ms");
    // Still there when the server ends.
    let _last = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("last"));
    server.wait_for_client("last", "fmle-publish");
    let _player = RtmpClient::play(&server.rtmp_url("last"));
    server.wait_for_client("last", "rtmp-play");
    end(&mut server);

    for (start, end, count) in [
        ("on_publish", "on_unpublish", 4),
        ("on_play", "on_stop", 3),
        // The silent one connects to one vhost and publishes to another.
        ("on_connect", "on_close", 7),
    ] {
        let of = |action: &str| {
            let mut ids: Vec<_> = hooks
                .calls()
                .iter()
                .filter(|call| call.action() == action)
                .map(|call| call.json["client_id"].as_str().unwrap().to_owned())
                .collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(of(start).len(), count, "{start}");
        assert_eq!(of(start), of(end), "{end}");
    }
}

/// The publisher goes, or the server ends, while the hook server still thinks; then it says yes.
#[test]
fn a_yes_that_comes_too_late_is_taken_back() {
    for ends_server in [false, true] {
        let hooks = HookServer::start();
        let mut server = server(&hooks, &ALL, "");
        hooks.script("/on_publish", Answer::Hold);
        let mut publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
        hooks.wait_for_action("on_publish");
        if ends_server {
            server.signal(SIGTERM);
            thread::sleep(Duration::from_millis(500));
        } else {
            // Its connection doesn't wait for the answer.
            publisher.kill();
            server.wait_for_log("rtmp connection closed by the client");
        }
        hooks.script("/on_publish", Answer::ok("0"));
        let calls = hooks.wait_for(4, |_| true);
        let actions: Vec<_> = calls.iter().map(|call| call.action()).collect();
        assert_eq!(actions, ["on_connect", "on_publish", "on_unpublish", "on_close"]);
        if !ends_server {
            server.signal(SIGTERM);
        }
        assert!(server.wait().success());
        assert_eq!(hooks.calls().len(), 4);
    }
}

/// The connection stays, and so its end is not the publish's.
#[test]
fn a_publish_may_end_before_its_connection() {
    let hooks = HookServer::start();
    let mut server = server(&hooks, &ALL, "");
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    publisher.command("FCUnpublish", vec![Value::Null, "a".into()]);
    hooks.wait_for_action("on_unpublish");
    server.wait_for_log("publish ended by the client");
    assert_eq!(hooks.actions(), ["on_connect", "on_publish", "on_unpublish"]);
    drop(publisher);
    hooks.wait_for_action("on_close");
    end(&mut server);
    assert_eq!(hooks.actions(), ["on_connect", "on_publish", "on_unpublish", "on_close"]);
}

/// Each client of a crowd is asked for and told of once, whatever else is going on.
#[test]
fn a_crowd_is_told_of_client_by_client() {
    crowd(&HookServer::start());
}

/// It doesn't say that it will, but no client is the worse for it.
#[test]
fn a_hook_server_may_close_after_each_answer() {
    let hooks = HookServer::start();
    for event in ALL {
        let answer = Answer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0");
        hooks.script(&format!("/{event}"), answer);
    }
    crowd(&hooks);
}

fn crowd(hooks: &HookServer) {
    let mut server = server(hooks, &ALL, "");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    RtmpClient::play(&server.rtmp_url("a"));
                }
            });
        }
    });
    end(&mut server);
    let mut clients: HashMap<String, Vec<String>> = HashMap::new();
    for call in hooks.calls() {
        let id = call.json["client_id"].as_str().unwrap().to_owned();
        clients.entry(id).or_default().push(call.action().to_owned());
    }
    assert_eq!(clients.len(), 80);
    for (id, actions) in clients {
        assert_eq!(actions, ["on_connect", "on_play", "on_stop", "on_close"], "{id}");
    }
}

/// As containers are configured: nothing but the environment.
#[test]
fn hooks_may_come_from_the_environment() {
    let hooks = HookServer::start();
    let mut server = TestServer::start_with(&[
        ("SRS_VHOST_HTTP_HOOKS_ENABLED", "on"),
        ("SRS_VHOST_HTTP_HOOKS_ON_PUBLISH", &hooks.url("/on_publish")),
        ("SRS_VHOST_HTTP_HOOKS_ON_UNPUBLISH", &hooks.url("/on_unpublish")),
    ]);
    drop(RtmpClient::publish(&server.rtmp_url("a")));
    hooks.wait_for_action("on_publish");
    end(&mut server);
    assert_eq!(hooks.actions(), ["on_publish", "on_unpublish"]);
}

/// A stream that names another vhost than its connection is that vhost's.
#[test]
fn each_vhost_has_its_own_hooks() {
    let (first, second) = (HookServer::start(), HookServer::start());
    let other = vhost(&second, &ALL, "").replace("__defaultVhost__", "other");
    let mut server = TestServer::configured(&format!("{}{other}", vhost(&first, &ALL, "")));
    drop(RtmpClient::publish(&server.rtmp_url("a?vhost=other")));
    second.wait_for_action("on_close");
    end(&mut server);
    assert_eq!(first.actions(), ["on_connect", "on_close"]);
    assert_eq!(second.actions(), ["on_connect", "on_publish", "on_unpublish", "on_close"]);
    for call in second.calls() {
        assert_eq!(call.json["vhost"], "other");
    }
    assert_eq!(second.wait_for_action("on_publish")["stream_url"], "other/live/a");
}

/// A server whose default vhost calls `hooks` for `events`, each by its name.
fn server(hooks: &HookServer, events: &[&str], more: &str) -> TestServer {
    TestServer::configured(&vhost(hooks, events, more))
}

fn vhost(hooks: &HookServer, events: &[&str], more: &str) -> String {
    let lines: String = events
        .iter()
        .map(|event| format!("{event} {};\n", hooks.url(&format!("/{event}"))))
        .collect();
    format!(
        "vhost __defaultVhost__ {{\nhttp_remux {{ enabled on; }}\n{more}\n\
         http_hooks {{ enabled on;\n{lines} }}\n}}\n"
    )
}

/// Ends a server; by then all that there is to tell is told.
fn end(server: &mut TestServer) {
    server.signal(SIGTERM);
    let status: ExitStatus = server.wait();
    assert!(status.success(), "{status}");
}

fn assert_no_publisher(server: &TestServer) {
    for stream in server.api("streams")["streams"].as_array().unwrap() {
        assert_eq!(stream["publish"]["active"], false, "{stream}");
        assert_eq!(stream["frames"], 0, "{stream}");
    }
}
