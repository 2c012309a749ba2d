//! Real WebRTC clients against the server: a browser, another stack in another language, and an
//! encoder. They run one after another, since each takes as much of the machine as it gets.

#[path = "../support/mod.rs"]
mod support;

mod bridges;
mod browser;
mod codecs;
mod dialects;
mod other_stacks;
mod pages;
mod paths;
mod relay;
mod sessions;

use browser::Browser;
use support::TestServer;

/// A server with no configuration but its ports.
fn server() -> TestServer {
    TestServer::start()
}

/// Begins a script: the addresses of a stream.
fn stream(server: &TestServer, name: &str) -> String {
    let port = server.http;
    format!(
        "const whip = 'http://127.0.0.1:{port}/whip/live/{name}';\n\
         const whep = 'http://127.0.0.1:{port}/whep/live/{name}';\n"
    )
}
