//! What is counted, while it runs and at the end.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{
    arguments::Clients,
    histogram::{Histogram, Percentiles},
    player::Rules,
};

/// A number that all clients add to.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What the progress line shows.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) connected: Counter,
    pub(crate) started: Counter,
    pub(crate) ended_early: Counter,
    pub(crate) messages: Counter,
    pub(crate) bytes: Counter,
}

/// What all clients of a thread write to.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) progress: Progress,
    join: Mutex<Histogram>,
    setup: Mutex<Histogram>,
    latency: Mutex<Histogram>,
    /// Datagrams that this program didn't read in time.
    pub(crate) dropped: Counter,
}

impl Default for Shared {
    fn default() -> Self {
        let histogram = || Mutex::new(Histogram::new());
        let (join, setup, latency) = (histogram(), histogram(), histogram());
        let (progress, dropped) = (Progress::default(), Counter::default());
        Self { progress, join, setup, latency, dropped }
    }
}

impl Shared {
    /// From `play` to the first keyframe.
    pub(crate) fn join(&self) -> MutexGuard<'_, Histogram> {
        self.join.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From the connection to where the server lets the client play or publish.
    pub(crate) fn setup(&self) -> MutexGuard<'_, Histogram> {
        self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server lets a client play or publish, so long after it was asked.
    pub(crate) fn started(&self, ago: Duration) {
        self.progress.started.add(1);
        self.setup().add(ago);
    }

    /// Of players: from the publisher to here. Of publishers: from due to sent.
    pub(crate) fn latency(&self) -> MutexGuard<'_, Histogram> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one client has seen.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct ClientReport {
    pub(crate) index: u32,
    /// The server has let it play or publish.
    pub(crate) started: bool,
    /// Messages with audio, video or data.
    pub(crate) messages: u64,
    /// Bytes of their payloads.
    pub(crate) bytes: u64,
    /// Those after the time to settle.
    pub(crate) settled_bytes: u64,
    /// How often a player found bytes to read: at least so many writes of the server.
    pub(crate) reads: u64,
    /// Timestamps lower than the one before in the same track.
    pub(crate) out_of_order: u64,
    /// Messages with the mark of this program's publisher.
    pub(crate) stamped: u64,
    /// Places where such messages are missing, and how many are.
    pub(crate) gaps: u64,
    pub(crate) lost: u64,
    /// Messages that came twice or late.
    pub(crate) repeated: u64,
    /// RTP packets that were missing and came after all.
    pub(crate) recovered: u64,
    /// RTP packets that the server has asked for, and got again.
    pub(crate) resent: u64,
    /// A frame was older when it came than is allowed.
    pub(crate) behind: bool,
    /// From `play` to the first keyframe.
    pub(crate) join_ms: Option<f64>,
    /// Why it ended before its time.
    pub(crate) ended_early: Option<String>,
    /// How long after the first client was started the server let it play or publish.
    #[serde(skip)]
    pub(crate) started_at: Duration,
}

impl ClientReport {
    pub(crate) fn new(index: u32) -> Self {
        Self { index, ..Self::default() }
    }

    /// The server lets it play or publish.
    pub(crate) fn started(&mut self, begun: Instant) {
        self.started = true;
        self.started_at = begun.elapsed();
    }
}

/// The least, the greatest and the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Spread {
    total: u64,
    min: u64,
    max: u64,
}

/// What the clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    RtmpPlay,
    FlvPlay,
    RtmpPublish,
    RtcPlay,
    RtcPublish,
}

/// What is printed at the end.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    mode: Mode,
    url: String,
    clients: u32,
    streams: u32,
    threads: u32,
    seconds: u64,
    /// Clients that the server has let play or publish.
    started: u32,
    /// How many of them in a second, from the beginning until the last.
    started_per_second: f64,
    /// Clients that did not last to the end, and why.
    ended_early: u32,
    reasons: BTreeMap<String, u32>,
    /// Of all clients.
    messages: Spread,
    bytes: Spread,
    settled_bytes: Spread,
    /// Players that tell their reads and latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    probes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reads: Option<u64>,
    out_of_order: u64,
    stamped: u64,
    gaps: u64,
    lost: u64,
    repeated: u64,
    recovered: u64,
    resent: u64,
    /// Datagrams that the system dropped since this program read too late: no fault of the server's.
    dropped_here: u64,
    /// Clients with a frame that came too late.
    behind: u32,
    /// From the connection to where the server lets a client play or publish; with WebRTC, to the keys.
    setup_ms: Option<Percentiles>,
    /// From `play` to the first keyframe.
    join_ms: Option<Percentiles>,
    /// From the publisher's write to the player's read, without what was replayed at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<Percentiles>,
    /// How much later than due a publisher's frames were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    late_ms: Option<Percentiles>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    per_client: Vec<ClientReport>,
}

impl Summary {
    pub(crate) fn new(
        mode: Mode,
        url: String,
        clients: &Clients,
        rules: &Rules,
        reports: Vec<ClientReport>,
        shared: &[Arc<Shared>],
    ) -> Self {
        let mut reasons = BTreeMap::new();
        for reason in reports.iter().filter_map(|report| report.ended_early.as_ref()) {
            *reasons.entry(reason.clone()).or_default() += 1;
        }
        let sum = |field: fn(&ClientReport) -> u64| reports.iter().map(field).sum();
        let spread = |field: fn(&ClientReport) -> u64| Spread {
            total: sum(field),
            min: reports.iter().map(field).min().unwrap_or(0),
            max: reports.iter().map(field).max().unwrap_or(0),
        };
        let merged = |of: fn(&Shared) -> MutexGuard<'_, Histogram>| {
            let mut all = Histogram::new();
            shared.iter().for_each(|shared| all.merge(&of(shared)));
            all.percentiles()
        };
        let is_play = !matches!(mode, Mode::RtmpPublish | Mode::RtcPublish);
        let latency = merged(Shared::latency);
        let started = sum(|report| report.started.into()) as u32;
        let last = reports.iter().map(|report| report.started_at).max().unwrap_or_default();
        Self {
            mode,
            url,
            clients: clients.clients,
            streams: clients.streams(!is_play),
            threads: clients.threads(),
            seconds: clients.seconds,
            started,
            started_per_second: f64::from(started) / last.as_secs_f64().max(1e-3),
            ended_early: sum(|report| report.ended_early.is_some().into()) as u32,
            reasons,
            messages: spread(|report| report.messages),
            bytes: spread(|report| report.bytes),
            settled_bytes: spread(|report| report.settled_bytes),
            probes: is_play.then(|| rules.probes(clients.clients)),
            reads: is_play.then(|| sum(|report| report.reads)),
            out_of_order: sum(|report| report.out_of_order),
            stamped: sum(|report| report.stamped),
            gaps: sum(|report| report.gaps),
            lost: sum(|report| report.lost),
            repeated: sum(|report| report.repeated),
            recovered: sum(|report| report.recovered),
            resent: sum(|report| report.resent),
            dropped_here: shared.iter().map(|shared| shared.dropped.value()).sum(),
            behind: sum(|report| report.behind.into()) as u32,
            setup_ms: merged(Shared::setup),
            join_ms: merged(Shared::join),
            latency_ms: latency.filter(|_| is_play),
            late_ms: latency.filter(|_| !is_play),
            per_client: if clients.per_client { reports } else { Vec::new() },
        }
    }

    /// Whether every client was let in, lasted to the end, and missed nothing.
    pub(crate) fn is_clean(&self) -> bool {
        let faults = self.lost + self.repeated + self.out_of_order;
        let faults = faults + u64::from(self.ended_early) + u64::from(self.behind);
        self.started == self.clients && faults == 0
    }
}
