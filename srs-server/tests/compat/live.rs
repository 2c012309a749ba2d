//! Live streams over RTMP: what each directive of players, publishers and connections does to what
//! is on the wire.

#[path = "live/connections.rs"]
mod connections;
#[path = "live/joining.rs"]
mod joining;
#[path = "live/life.rs"]
mod life;
#[path = "live/publishers.rs"]
mod publishers;
#[path = "live/reads.rs"]
mod reads;
#[path = "live/reload.rs"]
mod reload;
#[path = "live/repairs.rs"]
mod repairs;
#[path = "live/timestamps.rs"]
mod timestamps;
#[path = "live/writes.rs"]
mod writes;

use std::time::Duration;

use bytes::Bytes;
use rtmp_proto::MediaKind;

use crate::support::{RtmpClient, TestServer, wait_for};

/// A server with these vhosts beside the default one, each with its directives.
fn server(vhosts: &[(&str, &str)]) -> TestServer {
    let mut text = String::from("vhost __defaultVhost__ { http_remux { enabled on; } }\n");
    for (name, directives) in vhosts {
        text.push_str(&format!("vhost {name} {{ http_remux {{ enabled on; }} {directives} }}\n"));
    }
    TestServer::configured(&text)
}

/// The URL of a stream of a vhost.
fn url(server: &TestServer, vhost: &str, stream: &str) -> String {
    format!("rtmp://{vhost}:{}/live/{stream}", server.rtmp)
}

/// Waits until the server has taken this many video frames of `stream`.
#[track_caller]
fn wait_for_frames(server: &TestServer, stream: &str, frames: u64) {
    wait_for(&format!("{frames} frames of {stream}"), Duration::from_secs(10), || {
        let streams = server.api("streams?count=100");
        let stream = streams["streams"].as_array()?.iter().find(|s| s["name"] == stream)?.clone();
        (stream["frames"].as_u64()? >= frames).then_some(())
    });
}

/// Sends video messages, each with its timestamp.
fn send(publisher: &mut RtmpClient, messages: &[(u32, &Bytes)]) {
    for &(timestamp, body) in messages {
        publisher.send(MediaKind::Video, timestamp, body.clone());
    }
}

/// The next `count` messages' timestamps and bodies.
#[track_caller]
fn take(player: &mut RtmpClient, count: usize) -> Vec<(u32, Bytes)> {
    (0..count)
        .map(|at| {
            let message = player.next().unwrap_or_else(|error| panic!("message {at}: {error}"));
            (message.1, message.2)
        })
        .collect()
}
