//! A server with a publisher and viewers, all on one thread and in memory.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use srs_server::{
    config::Settings,
    http,
    net::Shard,
    rtmp,
    server::{self, Server},
};
use tokio::{
    io::{AsyncWriteExt, duplex},
    runtime,
    time::{Instant, sleep, sleep_until},
};
use tracing::Span;

use crate::{
    peer::{Given, Peer},
    source,
};

/// What viewers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Rtmp,
    Flv,
}

/// How viewers play.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) form: Form,
    /// 0 is for every message.
    pub(crate) window_ms: u64,
}

/// All that was written to viewers, their beginning too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) writes: u64,
    pub(crate) bytes: u64,
    /// Bytes of the payloads that were published.
    pub(crate) sent: u64,
}

/// More than the server says to a publisher, who doesn't listen.
const PIPE: usize = 1 << 20;

/// Runs so much of the stream for so many viewers, who come in its first second.
pub(crate) fn run(case: Case, viewers: usize, seconds: u32) -> Totals {
    let runtime = runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(play(case, viewers, seconds))
}

async fn play(case: Case, viewers: usize, seconds: u32) -> Totals {
    let any = "127.0.0.1:0".parse().expect("an address");
    let mut settings = Settings::listening_on(any, any, any);
    // It reads the machine's numbers on a thread of its own.
    settings.config.http_api.enabled = false;
    settings.tuning.shards = 1;
    for vhost in &mut settings.config.vhosts {
        vhost.play.mw_latency = Some(Duration::from_millis(case.window_ms));
    }
    let server = Server::start(settings).expect("a server");
    let shard = Shard::here();
    let waking = shard.clone();
    tokio::spawn(async move { waking.run().await });

    let (mut publisher, ours) = duplex(PIPE);
    tokio::spawn(rtmp::serve(ours, peer(&shard), Span::none(), server.shared().clone()));
    let given = Arc::new(Given::default());
    let join = |server: &Server| match case.form {
        Form::Rtmp => {
            let viewer = Peer::new(source::request("play"), &given);
            tokio::spawn(rtmp::serve(viewer, peer(&shard), Span::none(), server.shared().clone()));
        }
        Form::Flv => {
            let request =
                Bytes::from_static(b"GET /live/a.flv HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let router = http::router(server.shared().clone(), http::Site::Media);
            let viewer = Peer::new(request, &given);
            let (shared, span) = (server.shared().clone(), Span::none());
            tokio::spawn(http::serve(viewer, peer(&shard), span, shared, router));
        }
    };

    publisher.write_all(&source::request("publish")).await.expect("an open pipe");
    // The stream and what is behind it: a second in which the viewers come.
    let (start, mut sent, mut joined) = (Instant::now(), 0, 0);
    for message in source::stream(seconds + 2) {
        sleep_until(start + message.due).await;
        let due = (message.due.as_secs_f64() * viewers as f64) as usize;
        while joined < viewers.min(due) {
            join(&server);
            joined += 1;
        }
        publisher.write_all(&message.bytes).await.expect("an open pipe");
        sent += message.payload as u64;
    }
    // The last windows.
    sleep(Duration::from_secs(1)).await;
    let (writes, bytes) = (given.writes.load(Relaxed), given.bytes.load(Relaxed));
    drop(publisher);
    server.shutdown().await;
    Totals { writes, bytes, sent }
}

fn peer(shard: &Shard) -> server::Peer {
    let address = "127.0.0.1:1".parse().expect("an address");
    server::Peer { id: "counted".to_owned(), address, shard: shard.clone() }
}
