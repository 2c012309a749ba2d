//! The HTTP API: its settings, and the numbers it tells. `api/contract.rs` checks every field.

mod bad_input;
mod contract;
mod load;
mod numbers;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use nix::sys::signal::Signal;
use procfs::{net::TcpState, process::FDTarget};
use serde_json::{Value, json};

use crate::support::{Clip, Ffmpeg, Home, RtmpClient, TestServer, clip, free_ports, wait_for};

const LIMIT: Duration = Duration::from_secs(20);

/// What a server answers to a request that is sent as it stands, up to the end of the connection.
fn exchange(port: u16, request: impl AsRef<[u8]>) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    // A server that refuses may close before it has read everything.
    let _ = socket.write_all(request.as_ref());
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The answer to one request with these further lines of its head.
fn request(port: u16, line: &str, lines: &str) -> String {
    exchange(
        port,
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n"),
    )
}

fn get(port: u16, path: &str) -> String {
    request(port, &format!("GET {path}"), "")
}

/// The JSON that an answer ends with.
fn body(answer: &str) -> Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(head.contains("content-type: application/json\r\n"), "{answer}");
    serde_json::from_str(body).unwrap()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn server_id_is_told() {
    let server = TestServer::configured("server_id vid-mine;");
    assert_eq!(server.api("versions")["server"], "vid-mine");
}

#[test]
fn crossdomain_off_sends_no_headers() {
    let off = TestServer::configured(
        "http_api { enabled on; listen 0; crossdomain off; }\n\
         http_server { enabled on; listen 0; crossdomain off; }",
    );
    let on = TestServer::configured("");
    for (port, path) in [(off.api, "/api/v1/versions"), (off.http, "/live/a.flv")] {
        let answer = request(port, &format!("HEAD {path}"), "Origin: http://a.example\r\n");
        assert_eq!(status(&answer), "200", "{answer}");
        assert!(!answer.contains("access-control-"), "{answer}");
    }
    for (port, path) in [(on.api, "/api/v1/versions"), (on.http, "/live/a.flv")] {
        let answer = request(port, &format!("HEAD {path}"), "Origin: http://a.example\r\n");
        assert!(answer.contains("access-control-allow-origin: *\r\n"), "{answer}");
    }
}

#[test]
fn raw_api_is_off_unless_enabled() {
    let server = TestServer::configured("");
    for rpc in ["reload", "reload-fetch", "query", ""] {
        assert_eq!(server.api(&format!("raw?rpc={rpc}")), json!({ "code": 1061 }), "{rpc}");
    }
    // What is allowed may be asked nevertheless.
    let raw = server.api("raw?rpc=raw");
    assert_eq!(
        raw,
        json!({
            "code": 0,
            "http_api": {
                "enabled": true,
                "listen": "0",
                "crossdomain": true,
                "raw_api": {
                    "enabled": false,
                    "allow_reload": false,
                    "allow_query": false,
                    "allow_update": false,
                },
            },
        })
    );
    let server =
        TestServer::configured("http_api { enabled on; listen 0; raw_api { enabled on; } }");
    assert_eq!(server.api("raw?rpc=reload")["code"], 1061);
    assert_eq!(server.api("raw?rpc=update")["code"], 1060);
    assert_eq!(server.api("raw")["code"], 1060);
}

#[test]
fn raw_api_reloads_where_allowed() {
    const API: &str =
        "http_api { enabled on; listen 0; raw_api { enabled on; allow_reload on; } }\n";
    let server = TestServer::configured(API);
    let fetch = || server.api("raw?rpc=reload-fetch");
    assert_eq!(
        fetch(),
        json!({ "code": 0, "data": { "err": 0, "msg": "", "state": 0, "rid": "" } })
    );
    let names = || -> Vec<Value> {
        let vhosts = server.api("vhosts");
        vhosts["vhosts"].as_array().unwrap().iter().map(|vhost| vhost["name"].clone()).collect()
    };
    assert_eq!(names(), ["__defaultVhost__"]);
    let default = server.api("vhosts")["vhosts"][0]["id"].clone();

    let conf = server.dir().join("srs.conf");
    let text = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, format!("{text}\nvhost a.example {{ }}\n")).unwrap();
    assert_eq!(server.api("raw?rpc=reload"), json!({ "code": 0 }));
    let first = fetch();
    assert_eq!((&first["data"]["err"], &first["data"]["state"]), (&json!(0), &json!(90)));
    assert_eq!(names(), ["__defaultVhost__", "a.example"]);
    assert_eq!(server.api("vhosts")["vhosts"][0]["id"], default, "ids stay over a reload");

    // A file with an error changes nothing and is told.
    std::fs::write(&conf, format!("{text}\nno_such_directive on;\n")).unwrap();
    assert_eq!(server.api("raw?rpc=reload"), json!({ "code": 0 }));
    let second = fetch();
    assert_eq!(second["data"]["err"], 1023);
    let message = second["data"]["msg"].as_str().unwrap();
    assert!(message.contains("no_such_directive"), "{message}");
    assert_ne!(second["data"]["rid"], first["data"]["rid"]);
    assert_ne!(second["data"]["state"], 90);
    assert_eq!(names(), ["__defaultVhost__", "a.example"]);
}

#[test]
fn api_demands_basic_auth() {
    let server = TestServer::configured(
        "http_api { enabled on; listen 0; auth { enabled on; username admin; password s3cret; } }",
    );
    // admin:s3cret, admin:wrong, :
    let (right, wrong, empty) = ("YWRtaW46czNjcmV0", "YWRtaW46d3Jvbmc=", "Og==");
    let ask = |path: &str, lines: &str| request(server.api, &format!("GET {path}"), lines);
    for path in ["/api/", "/api/v1/", "/api/v1/streams", "/api/v1/none", "/api", "/metrics"] {
        for lines in [
            String::new(),
            format!("Authorization: Basic {wrong}\r\n"),
            format!("Authorization: Basic {empty}\r\n"),
            format!("Authorization: Bearer {right}\r\n"),
            "Authorization: Basic \u{7f}\r\n".to_owned(),
        ] {
            let answer = ask(path, &lines);
            if answer.starts_with("HTTP/1.1 400 ") && lines.contains('\u{7f}') {
                continue;
            }
            assert_eq!(status(&answer), "401", "{path} {lines}: {answer}");
            assert!(answer.contains("www-authenticate: Basic"), "{answer}");
        }
    }
    let lines = format!("Authorization: Basic {right}\r\n");
    assert_eq!(body(&ask("/api/v1/streams", &lines))["code"], 0);
    assert_eq!(status(&ask("/metrics", &lines)), "200");
    // Nothing else asks for it: not the root, not what players ask WebRTC's signalling.
    assert_eq!(body(&ask("/", ""))["code"], 0);
    assert_ne!(status(&ask("/rtc/v1/play/", "")), "401");
    // A page asks whether it may ask before it knows the password.
    let preflight = request(server.api, "OPTIONS /api/v1/streams", "");
    assert_eq!(status(&preflight), "200");
    let open = TestServer::configured("");
    assert_eq!(status(&get(open.api, "/api/v1/streams")), "200");
}

/// The classes of a histogram hold every write once: by RTMP and by HTTP.
#[test]
fn metrics_tell_how_long_messages_stay() {
    let server = TestServer::start();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let _flv = Ffmpeg::record(&server.flv_url("a"));
    server.wait_for_client("a", "flv-play");
    let messages = player.collect(Duration::from_secs(3)).len();
    let answer = get(server.api, "/metrics");
    assert!(answer.contains("# TYPE srs_residence_seconds histogram\n"), "{answer}");
    for to in ["rtmp", "http"] {
        let value = |what: &str, also: &str| -> f64 {
            let start = format!("srs_residence_seconds_{what}{{");
            let labels = ["from=\"rtmp\"".to_owned(), format!("to=\"{to}\""), also.to_owned()];
            let is_it = |line: &&str| {
                line.starts_with(&start) && labels.iter().all(|label| line.contains(label))
            };
            let line = answer.lines().find(is_it);
            let line = line.unwrap_or_else(|| panic!("no {what} to {to} {also}: {answer}"));
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        let (count, sum) = (value("count", ""), value("sum", ""));
        // At most a write per message, and more than a few of them.
        assert!((10.0..=messages as f64 + 200.0).contains(&count), "{to}: {count} of {messages}");
        assert!(sum > 0.0 && sum / count < 1.0, "{to}: {sum} s in {count} writes");
        assert_eq!(value("bucket", "le=\"+Inf\""), count, "{to}");
        assert!(value("bucket", "le=\"0.0001\"") <= value("bucket", "le=\"1.0\""), "{to}");
    }
}

#[test]
fn exporter_serves_metrics() {
    let [port] = free_ports();
    let server = TestServer::configured(&format!(
        "exporter {{ enabled on; listen {port}; label cn-beijing; tag cn-edge; }}"
    ));
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    let received: usize =
        player.collect(Duration::from_secs(1)).iter().map(|(_, _, payload)| payload.len()).sum();
    // The numbers may be 200 ms old.
    std::thread::sleep(Duration::from_millis(300));
    let answer = get(port, "/metrics");
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("content-type: text/plain; charset=utf-8\r\n"), "{answer}");
    let value = |name: &str| -> f64 {
        let line = answer.lines().find(|line| line.split([' ', '{']).next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no {name}: {answer}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    for (name, kind) in [
        ("srs_node_uname_info", "gauge"),
        ("srs_build_info", "gauge"),
        ("srs_cpu_percent", "gauge"),
        ("srs_memory", "gauge"),
        ("srs_send_bytes_total", "counter"),
        ("srs_receive_bytes_total", "counter"),
        ("srs_streams", "gauge"),
        ("srs_clients", "gauge"),
        ("srs_clients_total", "counter"),
        ("srs_clients_errs_total", "counter"),
    ] {
        assert!(answer.contains(&format!("\n# TYPE {name} {kind}\n")), "{name}: {answer}");
        assert!(answer.contains(&format!("# HELP {name} ")), "{name}: {answer}");
        value(name);
    }
    let build = answer.lines().find(|line| line.starts_with("srs_build_info{")).unwrap();
    for label in [
        format!("pid=\"{}\"", server.pid()),
        format!("version=\"{}\"", env!("CARGO_PKG_VERSION")),
        "label=\"cn-beijing\"".to_owned(),
        "tag=\"cn-edge\"".to_owned(),
        "server=\"vid-".to_owned(),
    ] {
        assert!(build.contains(&label), "{label}: {build}");
    }
    assert_eq!((value("srs_streams"), value("srs_clients")), (1.0, 2.0));
    assert_eq!(value("srs_clients_total"), 2.0);
    assert!(value("srs_send_bytes_total") >= received as f64 && received > 10_000);
    assert!(value("srs_receive_bytes_total") >= received as f64);
    assert!(answer.contains("srs_clients_by_type{type=\"rtmp-play\"} 1\n"), "{answer}");
    // Nothing else is there, and the API has them too.
    assert_eq!(status(&get(port, "/api/v1/versions")), "404");
    assert!(get(server.api, "/metrics").contains("\nsrs_clients 2\n"));
}

/// The ports that a process listens on.
fn listening(pid: i32) -> Vec<u16> {
    let files = procfs::process::Process::new(pid).unwrap().fd().unwrap();
    let sockets: Vec<u64> = files
        .filter_map(|file| match file.unwrap().target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        })
        .collect();
    let all = procfs::net::tcp().unwrap().into_iter().chain(procfs::net::tcp6().unwrap());
    all.filter(|entry| entry.state == TcpState::Listen && sockets.contains(&entry.inode))
        .map(|entry| entry.local_address.port())
        .collect()
}

#[test]
fn nothing_that_is_not_enabled_is_bound() {
    let [rtmp, http, api, exporter] = free_ports();
    let home = Home::with(&format!(
        "listen {rtmp};\ndaemon off;\nsrs_log_tank console;\n\
         http_server {{ listen {http}; }}\nhttp_api {{ listen {api}; }}\n\
         exporter {{ listen {exporter}; }}\nvhost __defaultVhost__ {{ }}\n"
    ));
    let mut server = home.start(&["-c", "srs.conf"]);
    assert_eq!(server.port("rtmp"), rtmp);
    // RTMP is the first port that is opened; a connection that is served proves all are.
    RtmpClient::play(&format!("rtmp://127.0.0.1:{rtmp}/live/a"));
    assert_eq!(listening(server.pid()), [rtmp]);
    let listens = server.stderr().lines().filter(|line| line.contains("listening on")).count();
    assert_eq!(listens, 1, "{}", server.stderr());
}

#[test]
fn streams_and_clients_have_totals_and_pages() {
    let server = TestServer::start();
    let mut players = Vec::new();
    for number in 0..12 {
        players.push(RtmpClient::play(&server.rtmp_url(&format!("s{number}"))));
        server.wait_for_client(&format!("s{number}"), "rtmp-play");
    }
    let page = |list: &str, query: &str| -> Vec<String> {
        let answer = server.api(&format!("{list}{query}"));
        assert_eq!(answer["total"], 12, "{answer}");
        let items = answer[list].as_array().unwrap().iter();
        items.map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let names = |range: std::ops::Range<u32>| range.map(|n| format!("s{n}")).collect::<Vec<_>>();
    for list in ["streams", "clients"] {
        assert_eq!(page(list, ""), names(0..10));
        assert_eq!(page(list, "?start=10"), names(10..12));
        assert_eq!(page(list, "?start=3&count=4"), names(3..7));
        assert_eq!(page(list, "?count=1000000000"), names(0..12));
        assert_eq!(page(list, "?count=0"), names(0..1));
        assert_eq!(page(list, "?start=-1&count=-1"), names(0..1));
        assert_eq!(page(list, "?start=abc&count=2x"), names(0..2));
        assert_eq!(page(list, "?start=18446744073709551616"), names(0..0));
        assert_eq!(page(list, "?count=18446744073709551616"), names(0..12));
        assert_eq!(page(list, "?start=%31&count=+2"), names(1..3));
    }
}

#[test]
fn answers_may_be_calls_of_a_function() {
    let server = TestServer::start();
    let answer = get(server.api, "/api/v1/versions?callback=jQuery1.on");
    assert!(answer.contains("content-type: text/javascript\r\n"), "{answer}");
    let script = answer.split_once("\r\n\r\n").unwrap().1;
    let json = script.strip_prefix("jQuery1.on(").unwrap().strip_suffix(')').unwrap();
    assert_eq!(serde_json::from_str::<Value>(json).unwrap()["code"], 0);
    let error = get(server.api, "/api/v1/streams/none?callback=f");
    assert!(error.ends_with("\r\n\r\nf({\"code\":2048})"), "{error}");
    // No code that somebody put into a link.
    let answer = get(server.api, "/api/v1/versions?callback=alert(1);f");
    assert_eq!(body(&answer)["code"], 0);

    // A script element can only GET, and may say what it means.
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let id = server.wait_for_client("a", "rtmp-play");
    let kicked = get(server.api, &format!("/api/v1/clients/{id}?callback=f&method=DELETE"));
    assert!(kicked.contains("f({\"code\":0,"), "{kicked}");
    assert_eq!(player.next().unwrap_err(), "closed");
}

#[test]
fn only_lists_heed_the_method() {
    let server = TestServer::start();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        for path in ["/", "/api/", "/api/v1/versions", "/api/v1/summaries/", "/api/v1/features"] {
            let answer = request(server.api, &format!("{method} {path}"), "");
            assert_eq!(body(&answer)["code"], 0, "{method} {path}");
        }
        let echo = body(&request(server.api, &format!("{method} /api/v1/requests?a=b"), ""));
        assert_eq!(echo["data"]["METHOD"], method);
        assert_eq!(echo["data"]["path"], "/api/v1/requests");
        assert_eq!(echo["data"]["uri"], "http://localhost/api/v1/requests?a=b");
    }
    for path in ["/api/v1/vhosts", "/api/v1/streams/", "/api/v1/clients", "/api/v1/clients/x"] {
        for method in ["POST", "PUT", "PATCH"] {
            let answer = request(server.api, &format!("{method} {path}"), "");
            assert_eq!(status(&answer), "405", "{method} {path}: {answer}");
        }
    }
    for path in ["/api/v1/vhosts/x", "/api/v1/streams"] {
        assert_eq!(status(&request(server.api, &format!("DELETE {path}"), "")), "405");
    }
    for path in ["/api/v1/clients", "/api/v1/clients/", "/api/v1/clients/x"] {
        let answer = request(server.api, &format!("DELETE {path}"), "");
        assert_eq!(body(&answer), json!({ "code": 2049 }), "{path}");
    }
    for unknown in ["/nothing", "/api/v2", "/api/v1/none", "/api/v1/versions/1"] {
        let answer = get(server.api, unknown);
        assert_eq!(status(&answer), "404", "{unknown}");
        assert!(answer.contains("content-type: text/plain"), "{answer}");
    }
}

#[test]
fn clients_of_servers_can_be_tested() {
    let server = TestServer::start();
    assert_eq!(server.api("tests/errors"), json!({ "code": 100 }));
    let redirect = get(server.api, "/api/v1/tests/redirects");
    assert_eq!(status(&redirect), "301");
    assert!(redirect.contains("location: /api/v1/tests/errors\r\n"), "{redirect}");
    assert_eq!(server.api("tests/requests")["data"]["METHOD"], "GET");
    // What other builds of SRS have isn't here, and is told as there.
    for option in ["tcmalloc", "valgrind", "signal?signo=SIGTERM"] {
        assert_eq!(status(&get(server.api, &format!("/api/v1/{option}"))), "404");
    }
}

#[test]
fn a_cluster_learns_where_a_stream_is() {
    let [rtmp] = free_ports();
    let server = TestServer::configured(&format!("listen {rtmp};"));
    let query = "clusters?vhost=a.example&ip=1.2.3.4&app=live&stream=a&coworker=10.0.0.9:1985";
    let nobody = server.api(query);
    assert_eq!(
        nobody,
        json!({
            "code": 0,
            "data": {
                "query": { "ip": "1.2.3.4", "vhost": "a.example", "app": "live", "stream": "a" },
                "origin": null,
            },
        })
    );
    let _publisher = RtmpClient::publish(&server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    let origin = &server.api(query)["data"]["origin"];
    assert_eq!(origin["ip"], "10.0.0.9");
    assert_eq!((&origin["port"], &origin["vhost"]), (&json!(rtmp), &json!("__defaultVhost__")));
    assert_eq!(origin["api"], "10.0.0.9:1985");
    assert_eq!(origin["routers"], json!(["10.0.0.9:1985"]));
}

#[test]
fn a_reload_by_signal_is_told_too() {
    let server =
        TestServer::configured("http_api { enabled on; listen 0; raw_api { enabled on; } }");
    server.signal(Signal::SIGHUP);
    wait_for("the reload", LIMIT, || {
        (server.api("raw?rpc=reload-fetch")["data"]["state"] == 90).then_some(())
    });
}
