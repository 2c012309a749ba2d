//! WebRTC's signalling, as encoders, browsers and SRS's own players use it. No media flow here.

mod bridges;
mod candidates;
mod hooks;
mod json;
mod pages;
mod settings;
mod takeover;
mod whip;

use std::{fs, path::Path};

use crate::support::{Reply, TestServer, http};

const SDP: (&str, &str) = ("Content-Type", "application/sdp");
const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");

/// WebRTC on a port that the system chooses, told as 127.0.0.1.
const RTC: &str = "rtc_server { enabled on; listen 0; candidate 127.0.0.1; }\n";

/// A vhost with WebRTC and what `more` says.
fn vhost(more: &str) -> String {
    format!("vhost __defaultVhost__ {{ rtc {{ enabled on; }} {more} }}\n")
}

fn server() -> TestServer {
    TestServer::configured(&format!("{RTC}{}", vhost("")))
}

/// A description that a client sent.
fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rtc-stack/tests/sdp");
    let text = fs::read_to_string(folder.join(format!("{name}.sdp"))).unwrap();
    assert!(text.starts_with("v=0"), "{name}");
    text
}

/// Posts a browser's offer to publish.
#[track_caller]
fn publish(server: &TestServer, path: &str) -> Reply {
    http(server.api, &format!("POST {path}"), &[SDP], &fixture("chrome-publish"))
}

/// Posts a browser's offer to play.
#[track_caller]
fn play(server: &TestServer, path: &str) -> Reply {
    http(server.api, &format!("POST {path}"), &[SDP], &fixture("chrome-play"))
}

/// Where the session is that a request began.
#[track_caller]
fn began(reply: &Reply) -> String {
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.header("location").to_owned()
}

/// Asks for the end of a session; the status.
fn delete(server: &TestServer, location: &str) -> u16 {
    http(server.api, &format!("DELETE {location}"), &[], "").status
}

/// The values of a description's attribute, each once.
fn attributes(sdp: &str, name: &str) -> Vec<String> {
    let prefix = format!("a={name}");
    let values = sdp.lines().filter_map(|line| line.strip_prefix(&prefix));
    let mut values: Vec<String> =
        values.map(|value| value.trim_start_matches(':').trim().to_owned()).collect();
    values.dedup();
    values
}
