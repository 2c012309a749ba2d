//! A configuration that is read again while streams are live.

use std::time::Duration;

use nix::sys::signal::Signal::SIGHUP;
use rtmp_proto::{MessageType, Purpose};

use super::{send, take, url};
use crate::support::{RawClient, RtmpClient, TestServer, inter_frame, key_frame, wait_for};

/// Replaces text in the server's configuration and has it read again.
fn change(server: &TestServer, from: &str, to: &str) {
    let file = server.dir().join("srs.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&file, text.replace(from, to)).unwrap();
    server.signal(SIGHUP);
}

fn chunk_size(server: &TestServer) -> u32 {
    let mut client = RawClient::shake_hands(server.rtmp);
    client.call_connect("rtmp://127.0.0.1/live", "live");
    let told = client.next_of(MessageType::SET_CHUNK_SIZE);
    u32::from_be_bytes(told.payload[..].try_into().unwrap())
}

/// Who is there keeps what it came with; who comes later gets what is new.
#[test]
fn a_reload_concerns_who_comes_later() {
    let server = TestServer::configured(
        "chunk_size 4096;
         vhost __defaultVhost__ { play { gop_cache on; mw_latency 0; mw_msgs 0; } }
         vhost other.example { enabled on; play { mw_latency 0; mw_msgs 0; } }",
    );
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    let mut early = RtmpClient::play(&server.rtmp_url("a"));
    let mut other = RtmpClient::publish(&url(&server, "other.example", "o"));
    let mut other_player = RtmpClient::play(&url(&server, "other.example", "o"));
    send(&mut publisher, &[(0, &key_frame(1, 10_000))]);
    assert_eq!(take(&mut early, 1)[0].1, key_frame(1, 10_000));
    assert_eq!(chunk_size(&server), 4096);

    change(&server, "chunk_size 4096;", "chunk_size 512;");
    wait_for("the new chunk size", Duration::from_secs(10), || {
        (chunk_size(&server) == 512).then_some(())
    });
    change(&server, "gop_cache on;", "gop_cache off;");
    change(&server, "enabled on;", "enabled off;");
    let other_url = url(&server, "other.example", "p");
    wait_for("the end of the vhost", Duration::from_secs(10), || {
        RtmpClient::open(&other_url, Purpose::publish()).err()
    });

    let mut late = RtmpClient::play(&server.rtmp_url("a"));
    send(&mut publisher, &[(40, &inter_frame(2, 10_000)), (80, &key_frame(3, 10_000))]);
    assert_eq!(take(&mut early, 2), [(40, inter_frame(2, 10_000)), (80, key_frame(3, 10_000))]);
    assert_eq!(take(&mut late, 1), [(80, key_frame(3, 10_000))]);
    send(&mut other, &[(0, &key_frame(4, 100))]);
    assert_eq!(take(&mut other_player, 1)[0].1, key_frame(4, 100));
}

/// A vhost that is new is there for those who name it from now on; its id, once known, stays.
#[test]
fn a_reload_brings_a_vhost() {
    let server = TestServer::configured("chunk_size 4096;");
    let vhosts = || {
        let vhosts = server.api("vhosts");
        let vhosts = vhosts["vhosts"].as_array().unwrap().iter();
        vhosts.map(|vhost| (vhost["name"].clone(), vhost["id"].clone())).collect::<Vec<_>>()
    };
    let before = vhosts();
    assert_eq!(before.len(), 1);
    let _first = RtmpClient::publish(&url(&server, "new.example", "a"));
    change(&server, "chunk_size 4096;", "chunk_size 4096; vhost new.example { }");
    wait_for("the new vhost", Duration::from_secs(10), || (vhosts().len() == 2).then_some(()));
    assert_eq!(vhosts()[..1], before);
    // Another stream than that of the default vhost, which goes on.
    let _second = RtmpClient::publish(&url(&server, "new.example", "a"));
    assert_eq!(server.clients("a", "fmle-publish").len(), 2);
    let after = vhosts();
    change(&server, "chunk_size 4096;", "chunk_size 5000;");
    wait_for("the new chunk size", Duration::from_secs(10), || {
        (chunk_size(&server) == 5000).then_some(())
    });
    assert_eq!(vhosts(), after);
}

/// What cannot be read changes nothing.
#[test]
fn a_reload_with_errors_changes_nothing() {
    let server = TestServer::configured("chunk_size 4096;");
    change(&server, "chunk_size 4096;", "chunk_size 4; nonsense;");
    server.wait_for_log("nonsense");
    assert_eq!(chunk_size(&server), 4096);
    change(&server, "chunk_size 4; nonsense;", "chunk_size 8192;");
    wait_for("the new chunk size", Duration::from_secs(10), || {
        (chunk_size(&server) == 8192).then_some(())
    });
}
