//! The numbers that the API tells are true, and so are the names of what it counts.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use bytes::BytesMut;
use rtmp_proto::{
    ChunkStreamId, MediaKind, MessageStreamId, amf0::Value as Amf, chunk::ChunkWriter,
    message::Command,
};
use serde_json::{Value, json};

use super::{LIMIT, get};
use crate::support::{
    Clip, Ffmpeg, RtmpClient, TestServer, clip, key_frame, video_header, wait_for,
};

#[test]
fn ids_stay_while_a_stream_lives() {
    let server = TestServer::start();
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let stream = || server.api("streams")["streams"][0].clone();
    let id = stream()["id"].clone();
    let vhost = server.api("vhosts")["vhosts"][0]["id"].clone();
    assert_eq!(stream()["publish"], json!({ "active": false }));
    assert_eq!(server.api("vhosts")["vhosts"][0]["streams"], 0);
    let mut before = 0;
    for number in 0..2 {
        let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
        let client = server.wait_for_client("a", "fmle-publish");
        publisher.send(MediaKind::Video, 0, video_header());
        let frame = key_frame(number, 10_000);
        publisher.send(MediaKind::Video, 40, frame.clone());
        while player.next().unwrap().2 != frame {}
        let now = stream();
        assert_eq!(now["id"], id);
        assert_eq!(now["publish"], json!({ "active": true, "cid": client }));
        assert_eq!(now["video"]["codec"], "H264");
        assert_eq!(server.api("vhosts")["vhosts"][0]["streams"], 1);
        publisher.command("FCUnpublish", vec![Amf::Null, "a".into()]);
        drop(publisher);
        wait_for("the publisher gone", LIMIT, || {
            server.clients("a", "fmle-publish").is_empty().then_some(())
        });
        let gone = stream();
        assert_eq!(gone["publish"]["active"], false);
        assert!(gone["video"].is_null(), "{gone}");
        let received = gone["recv_bytes"].as_u64().unwrap();
        assert!(received > before + 10_000, "{gone}");
        before = received;
    }
    drop(player);
    wait_for("no stream", LIMIT, || {
        server.api("streams")["streams"].as_array().unwrap().is_empty().then_some(())
    });
    // What went over the vhost stays, whoever is gone.
    let totals = server.api(&format!("vhosts/{}", vhost.as_str().unwrap()));
    let totals = &totals["vhost"];
    assert!(totals["recv_bytes"].as_u64().unwrap() >= before, "{totals}");
    assert!(totals["send_bytes"].as_u64().unwrap() > 20_000, "{totals}");
    assert_eq!((&totals["clients"], &totals["streams"]), (&json!(0), &json!(0)));
    let system = server.api("summaries")["data"]["system"].clone();
    assert_eq!(system["srs_recv_bytes"], totals["recv_bytes"]);
    assert_eq!(system["srs_send_bytes"], totals["send_bytes"]);
}

#[test]
fn numbers_are_those_of_the_process_and_its_streams() {
    let server = TestServer::start();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    let _flv = Ffmpeg::record(&server.flv_url("a"));
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    server.wait_for_client("a", "flv-play");
    let bytes: usize =
        player.collect(Duration::from_secs(4)).iter().map(|(_, _, payload)| payload.len()).sum();
    // The numbers may be 200 ms old.
    std::thread::sleep(Duration::from_millis(300));
    let stream = server.api("streams")["streams"][0].clone();
    let vhost = server.api("vhosts")["vhosts"][0].clone();
    let summaries = server.api("summaries")["data"].clone();
    let number = |value: &Value| value.as_f64().unwrap();

    // Two players, and 464 kbit/s of the clip with a start that comes at once.
    for of in [&stream, &vhost] {
        assert_eq!(of["clients"], 3, "{of}");
        let (sent, received) = (number(&of["send_bytes"]), number(&of["recv_bytes"]));
        assert!(sent >= bytes as f64 && sent <= 4.0 * bytes as f64, "{bytes}: {of}");
        assert!(received >= bytes as f64 * 0.9 && received <= bytes as f64 * 2.0, "{bytes}: {of}");
        let kbps = number(&of["kbps"]["recv_30s"]);
        assert!((50.0..4000.0).contains(&kbps), "{of}");
        assert!(number(&of["kbps"]["send_30s"]) > kbps, "{of}");
    }
    let (of, system) = (&summaries["self"], &summaries["system"]);
    assert_eq!(summaries["ok"], true);
    assert_eq!(of["pid"], server.pid());
    assert_eq!(of["ppid"], std::process::id());
    assert!(of["argv"].as_str().unwrap().contains("srs-server"), "{of}");
    assert_eq!(of["cwd"], std::env::current_dir().unwrap().to_str().unwrap());
    let rss = server.rss() as f64 / 1024.0;
    let memory = number(&of["mem_kbyte"]);
    assert!(memory > rss / 4.0 && memory < rss * 4.0, "{memory} {rss}");
    assert!(number(&of["srs_uptime"]) >= 4.0);
    assert_eq!(system["conn_srs"], 3);
    assert!(number(&system["conn_sys_et"]) >= 3.0, "{system}");
    assert!(number(&system["srs_send_bytes"]) >= bytes as f64);
    let cpus = std::thread::available_parallelism().unwrap().get() as f64;
    assert!(number(&system["cpus"]) >= cpus, "{system}");
    assert!(number(&system["mem_ram_kbyte"]) > rss);
    for share in ["cpu_percent", "mem_ram_percent", "mem_swap_percent", "disk_busy_percent"] {
        assert!((0.0..=1.0).contains(&number(&system[share])), "{share}: {system}");
    }
    assert!(number(&server.api("self_proc_stats")["data"]["num_threads"]) >= 3.0);
    let usage = server.api("rusages")["data"].clone();
    assert!(number(&usage["ru_maxrss"]) >= rss / 4.0, "{usage}");
    let memory = server.api("meminfos")["data"].clone();
    assert_eq!(memory["MemTotal"], system["mem_ram_kbyte"]);
    assert_eq!(
        number(&memory["RealInUse"]) + number(&memory["NotInUse"]),
        number(&memory["MemTotal"])
    );
    // Between two samples the server has worked.
    let before = server.api("system_proc_stats")["data"].clone();
    wait_for("another sample", LIMIT, || {
        let now = server.api("system_proc_stats")["data"].clone();
        (now["sample_time"] != before["sample_time"]).then(|| {
            assert!(number(&now["idle"]) >= number(&before["idle"]));
            assert!(number(&now["user"]) >= number(&before["user"]));
        })
    });
}

#[test]
fn a_client_that_ends_by_an_error_is_counted() {
    let server = TestServer::start_with(&[("SRS_VHOST_PUBLISH_FIRSTPKT_TIMEOUT", "200")]);
    let value = |name: &str| -> u64 {
        let text = get(server.api, "/metrics");
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    drop(RtmpClient::play(&server.rtmp_url("a")));
    wait_for("the player gone", LIMIT, || (value("srs_clients") == 0).then_some(()));
    assert_eq!(value("srs_clients_errs_total"), 0);
    let mut silent = RtmpClient::publish(&server.rtmp_url("a"));
    assert!(silent.next().is_err());
    wait_for("the error", LIMIT, || (value("srs_clients_errs_total") == 1).then_some(()));
    assert_eq!(value("srs_clients_total"), 2);
}

/// Publishes by these commands, whatever is answered, over a connection that stays open.
fn publish_by(server: &TestServer, stream: &str, commands: &[&str]) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", server.rtmp)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    // The simple handshake: C0 and C1, then S1 as C2.
    let mut hello = [0; 1 + 1536];
    hello[0] = 3;
    socket.write_all(&hello).unwrap();
    let mut answer = [0; 1 + 2 * 1536];
    socket.read_exact(&mut answer).unwrap();
    socket.write_all(&answer[1..1 + 1536]).unwrap();
    let mut writer = ChunkWriter::new();
    for (number, &name) in (1_u32..).zip(commands) {
        let mut command = Command::new(name, number.into());
        let tc_url = format!("rtmp://127.0.0.1:{}/live", server.rtmp);
        match name {
            "connect" => {
                let facts = [("app", Amf::from("live")), ("tcUrl", tc_url.as_str().into())];
                command.object = Amf::Object(facts.into_iter().collect());
            }
            "createStream" => {}
            _ => command.arguments = vec![stream.into()],
        }
        let msid = MessageStreamId(if name == "publish" { 1 } else { 0 });
        let message = command.to_message(ChunkStreamId::new(3).unwrap(), msid).unwrap();
        let mut bytes = BytesMut::new();
        writer.write(&message, &mut bytes).unwrap();
        socket.write_all(&bytes).unwrap();
    }
    socket
}

#[test]
fn publishers_are_told_apart() {
    let server = TestServer::start();
    for (kind, commands) in [
        ("flash-publish", &["connect", "createStream", "publish"][..]),
        ("fmle-publish", &["connect", "releaseStream", "FCPublish", "createStream", "publish"]),
        ("haivision-publish", &["connect", "createStream", "FCPublish", "publish"]),
    ] {
        let _socket = publish_by(&server, kind, commands);
        server.wait_for_client(kind, kind);
        assert_eq!(server.clients(kind, kind)[0]["publish"], true);
    }
}
