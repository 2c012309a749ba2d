//! Real WebRTC clients against the server: a browser, another stack in another language, and an
//! encoder. They run one after another, since each takes as much of the machine as it gets.

#[path = "../support/mod.rs"]
mod support;

mod bridges;
mod browser;
mod codecs;
mod dialects;
mod flv_player;
mod other_stacks;
mod pages;
mod paths;
mod relay;
mod sessions;
mod sizes;

use browser::Browser;
use support::{TestServer, http};

/// A server with no configuration but its ports.
fn server() -> TestServer {
    TestServer::start()
}

/// How many writes a way between protocols had, and how long their messages were in the server, in ms.
fn residence(server: &TestServer, from: &str, to: &str) -> (f64, f64) {
    let text = http(server.api, "GET /metrics", &[], "").body;
    let value = |what: &str| -> f64 {
        let name = format!("srs_residence_seconds_{what}{{from=\"{from}\",to=\"{to}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap()
    };
    let count = value("count");
    (count, 1_000.0 * value("sum") / count)
}

/// Begins a script: the addresses of a stream.
fn stream(server: &TestServer, name: &str) -> String {
    let port = server.http;
    format!(
        "const whip = 'http://127.0.0.1:{port}/whip/live/{name}';\n\
         const whep = 'http://127.0.0.1:{port}/whep/live/{name}';\n\
         const flv = 'http://127.0.0.1:{port}/live/{name}.flv';\n"
    )
}
