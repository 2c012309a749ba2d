//! One server under one load, from start to end.

mod rtc;

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;
use thiserror::Error;

use super::{
    case::{Group, Kind, Plan},
    child::{Cores, Process},
    data::Measurement,
    sample::{self, Sample},
    server::{Ports, Server},
};
use crate::{arguments::Rate, histogram::Percentiles};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(10);
/// Clients that come and go before the others, and how long they stay: more than a GOP. What a
/// server takes once for any number of clients (pages of its code, a stream's GOP in each form,
/// what threads and allocator keep) is there when they have gone, and is no memory per client.
const PIONEERS: u32 = 2;
const PIONEERING: Duration = Duration::from_secs(3);
/// How long a publisher takes to begin: an answer, or as many handshakes as there are streams.
const PUBLISHING: Duration = Duration::from_millis(300);
const RTC_PUBLISHING: Duration = Duration::from_secs(1);
/// How much longer than asked a load may take, its own grace being 5 s.
const PATIENCE: Duration = Duration::from_secs(15);
/// Clients that look on while others are the load.
const PROBES: u32 = 20;
const JOINERS: u32 = 100;
/// How long after a load the delay is looked at again.
const CALM: Duration = Duration::from_secs(5);
const PROBE: Duration = Duration::from_secs(3);
/// A load that uses more of its cores than this measures itself.
const MAX_LOAD_CPU: f64 = 97.0;
/// How much of a stream may be missing at the end of a run: a window, and what varies.
const SLACK: Duration = Duration::from_millis(500);
/// A thread that uses less is not worth telling of, percent.
const IDLE_THREAD: f64 = 0.5;

#[derive(Debug, Error)]
pub(super) enum MeasureError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{server} did not start: {log}")]
    NotStarted { server: &'static str, log: String },
    #[error("a load said what is no summary: {0}")]
    Summary(#[from] serde_json::Error),
    #[error("a load said nothing: {0}")]
    Silent(String),
}

/// Measures servers with the programs in a folder.
pub(super) struct Bench {
    /// This program.
    pub(super) load: PathBuf,
    pub(super) plan: Plan,
    /// Of players between their reads, milliseconds.
    rest_ms: u64,
    pub(super) cores: Cores,
    /// For logs and configurations; it goes away with this.
    folder: PathBuf,
    logs: AtomicU32,
}

/// A server that runs, and who loads it.
struct Running<'a> {
    bench: &'a Bench,
    process: Process,
    cores: Cores,
    kind: Kind,
    /// Where its streams are, by this kind's protocol.
    url: String,
}

impl Bench {
    pub(super) fn new(load: PathBuf, plan: Plan, rest_ms: u64) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("load-report-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self { load, plan, rest_ms, cores: Cores::all()?, folder, logs: AtomicU32::new(0) })
    }

    pub(super) fn measure(
        &self,
        group: &Group,
        clients: u32,
        server: Server,
        program: &Path,
    ) -> Result<Measurement, MeasureError> {
        let kind = group.kind;
        let (server_cores, load_cores) = self.cores.split(kind.cores());
        let ports = Ports::free()?;
        let mut command = server.command(program, kind, ports, &self.folder)?;
        let (log, path) = self.log()?;
        let mut process = Process::start(&mut command, &server_cores, log, false)?;
        if !listens(&mut process, server.port(ports))? {
            let log = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(5).collect();
            let log = lines.into_iter().rev().collect::<Vec<_>>().join("; ");
            return Err(MeasureError::NotStarted { server: server.name(), log });
        }
        let url = server.url(kind, ports);
        let running = Running { bench: self, process, cores: load_cores, kind, url };
        let mut measurement = if kind.is_publish() {
            running.publishers(clients)?
        } else {
            let command = server.publisher(kind, ports);
            let _publisher =
                command.map(|command| self.publisher(&command, &running)).transpose()?;
            match kind {
                Kind::RtcRounds => running.rounds(clients)?,
                _ => running.players(clients)?,
            }
        };
        measurement.group = group.name.to_owned();
        measurement.server = server.name().to_owned();
        Ok(measurement)
    }

    fn log(&self) -> io::Result<(File, PathBuf)> {
        let number = self.logs.fetch_add(1, Relaxed);
        let path = self.folder.join(format!("{number}.log"));
        Ok((File::create(&path)?, path))
    }

    /// The stream that is played, for longer than any measurement.
    fn publisher(
        &self,
        command: &[String],
        running: &Running<'_>,
    ) -> Result<Process, MeasureError> {
        let mut command: Vec<_> = command.iter().map(String::as_str).collect();
        command.extend(["--seconds", "3600"]);
        let publisher = running.load(&command)?;
        // Some servers refuse players while there is no stream.
        sleep(if running.kind.is_rtc() { RTC_PUBLISHING } else { PUBLISHING });
        Ok(publisher)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until somebody listens; false if nobody does.
fn listens(process: &mut Process, port: u16) -> io::Result<bool> {
    let deadline = Instant::now() + START;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if process.has_ended()?.is_some() || Instant::now() > deadline {
            return Ok(false);
        }
        sleep(Duration::from_millis(20));
    }
    Ok(true)
}

impl Running<'_> {
    fn load(&self, arguments: &[&str]) -> io::Result<Process> {
        let (log, _) = self.bench.log()?;
        let mut command = Command::new(&self.bench.load);
        Process::start(command.args(arguments), &self.cores, log, true)
    }

    /// Players or publishers, which count from `settle` on, until `run` after the last has started.
    fn clients(
        &self,
        clients: u32,
        ramp: Duration,
        settle: Duration,
        run: Duration,
    ) -> io::Result<Process> {
        let mode = match self.kind {
            Kind::RtmpPublish => "rtmp-publish",
            Kind::FlvPlay(_) => "flv-play",
            Kind::RtcPublish => "rtc-publish",
            kind if kind.is_rtc() => "rtc-play",
            _ => "rtmp-play",
        };
        let number = |number: u128| number.to_string();
        let (clients, ramp_ms) = (clients.to_string(), number(ramp.as_millis()));
        let seconds = number(run.as_millis().div_ceil(1000));
        let mut arguments = vec![mode, "--url", &self.url, "--clients", &clients];
        arguments.extend(["--seconds", &seconds, "--ramp-ms", &ramp_ms]);
        let streams = if let Kind::RtcPlay { streams, .. } = self.kind { streams } else { 1 };
        let streams = streams.to_string();
        // As many as there are publishers, unless these are the publishers.
        if !self.kind.is_publish() {
            arguments.extend(["--streams", &streams]);
        }
        let settle_ms = number(settle.as_millis());
        arguments.extend(["--settle-ms", &settle_ms]);
        let rest_ms = self.bench.rest_ms.to_string();
        // Those who come or look on while others play all tell what they see.
        if !settle.is_zero() {
            arguments.extend(["--rest-ms", &rest_ms]);
        }
        self.load(&arguments)
    }

    fn publishers(&self, clients: u32) -> Result<Measurement, MeasureError> {
        let (mut measurement, told) = self.steady(clients, |_| Ok(()))?;
        // How late frames were sent, for the server or for this program.
        measurement.latency_ms = percentiles(&told, "late_ms");
        Ok(measurement)
    }

    fn players(&self, clients: u32) -> Result<Measurement, MeasureError> {
        let second = Duration::from_secs(1);
        let mut extra = Measurement::default();
        let (mut measurement, told) = self.steady(clients, |extra_faults| {
            match self.kind {
                Kind::Join => {
                    // Longer than a GOP: some servers let a player wait for the next keyframe,
                    // and so it gets less than the whole bitrate.
                    let told = summary(
                        self.clients(JOINERS, second, Duration::ZERO, 3 * second)?,
                        PATIENCE,
                    )?;
                    extra_faults.extend(faults(&told, Duration::ZERO, false));
                    extra.join_ms = percentiles(&told, "join_ms");
                }
                Kind::RtcPlay { streams, .. } => extra.calls = self.calls(clients, streams),
                Kind::RtcJoin => self.joiners(&mut extra, extra_faults)?,
                Kind::Shrink => {
                    extra.latency_ms = self.probe(extra_faults)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        (measurement.calls, measurement.joins) = (extra.calls, extra.joins);
        measurement.join_ms = extra.join_ms.or_else(|| percentiles(&told, "join_ms"));
        measurement.latency_ms = extra.latency_ms.or_else(|| percentiles(&told, "latency_ms"));
        if self.kind == Kind::Shrink {
            sleep(CALM);
            measurement.after_ms = self.probe(&mut measurement.faults)?;
        }
        Ok(measurement)
    }

    /// The delay that a few players see.
    fn probe(&self, faults_seen: &mut Vec<String>) -> Result<Option<Percentiles>, MeasureError> {
        let told = summary(self.clients(PROBES, Duration::ZERO, Duration::ZERO, PROBE)?, PATIENCE)?;
        faults_seen.extend(faults(&told, PROBE, false));
        Ok(percentiles(&told, "latency_ms"))
    }

    /// Samples the server while all clients are there; `meanwhile` runs after that. The summary of
    /// the clients comes too.
    fn steady(
        &self,
        clients: u32,
        meanwhile: impl FnOnce(&mut Vec<String>) -> Result<(), MeasureError>,
    ) -> Result<(Measurement, Value), MeasureError> {
        let Plan { warmup, steady, .. } = self.bench.plan;
        let (server, ramp) = (self.process.id(), Plan::ramp(self.kind, clients));
        let tail = match self.kind {
            // What is done meanwhile takes 4 s at most, and the start of its process.
            Kind::Join | Kind::Shrink => Duration::from_secs(6),
            Kind::RtcPlay { .. } => Duration::from_secs(1) + 2 * rtc::COUNTING,
            Kind::RtcJoin => rtc::JOINING,
            _ => Duration::from_secs(1),
        };
        let run = warmup + steady + tail;
        // What they see doesn't count.
        drop(summary(
            self.clients(PIONEERS, Duration::ZERO, Duration::ZERO, PIONEERING)?,
            PATIENCE,
        )?);
        let alone = Sample::of(server)?;
        let load = self.clients(clients, ramp, ramp + warmup, run)?;
        sleep(ramp + warmup);
        let (before, load_before) = (Sample::of(server)?, Sample::of(load.id())?);
        let socket_peak = sample::socket_peak(steady)?;
        let (after, load_after) = (Sample::of(server)?, Sample::of(load.id())?);
        let mut faults_seen = Vec::new();
        meanwhile(&mut faults_seen)?;
        let told = summary(load, tail + PATIENCE)?;
        faults_seen.extend(faults(&told, steady + tail, self.kind.is_publish()));

        let usage = after.since(&before);
        let load_cpu = load_after.since(&load_before).cpu / self.cores.count() as f64;
        if load_cpu > MAX_LOAD_CPU {
            faults_seen.push(format!("the load was at its limit: {load_cpu:.0} % of its cores"));
        }
        let each = |total: f64| total / f64::from(clients);
        let more = |of: fn(&Sample) -> u64| each(of(&after) as f64 - of(&alone) as f64);
        let reads = told["reads"].as_f64().unwrap_or(0.0);
        let probes = told["probes"].as_f64().unwrap_or(1.0);
        let threads = usage.threads.into_iter().filter(|(_, cpu)| *cpu > IDLE_THREAD).collect();
        let measurement = Measurement {
            clients,
            cpu: usage.cpu,
            threads,
            load_cpu,
            rss_kib: more(|sample| sample.rss_kib),
            pss_kib: more(|sample| sample.pss_kib),
            // The machine's other sockets may have had more before.
            socket_kib: each(socket_peak.saturating_sub(alone.socket_kib) as f64),
            writes: each(usage.writes),
            reads: reads / probes / (steady + tail).as_secs_f64(),
            switches: usage.switches,
            share: share(&told, steady + tail),
            faults: faults_seen,
            ..Measurement::default()
        };
        Ok((measurement, told))
    }
}

/// What a load says at its end.
fn summary(load: Process, limit: Duration) -> Result<Value, MeasureError> {
    let said = load.output(limit + PATIENCE)?;
    if said.trim().is_empty() {
        return Err(MeasureError::Silent("it was refused, or has failed".to_owned()));
    }
    Ok(serde_json::from_str(&said)?)
}

fn percentiles(told: &Value, name: &str) -> Option<Percentiles> {
    serde_json::from_value(told[name].clone()).ok()
}

/// What the client got or sent that did least, of the bitrate, in so long a time.
fn share(told: &Value, settled: Duration) -> f64 {
    let whole = f64::from(Rate::default().kbps) * 125.0 * settled.as_secs_f64();
    told["settled_bytes"]["min"].as_f64().unwrap_or(0.0) / whole.max(1.0)
}

/// Why clients don't count that are to have run for so long since they settled.
fn faults(told: &Value, settled: Duration, is_publish: bool) -> Vec<String> {
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let mut faults = Vec::new();
    if told["started"] != told["clients"] {
        faults.push(format!("{} of {} clients started", told["started"], told["clients"]));
    }
    for (name, what) in [
        ("ended_early", "clients ended early"),
        ("gaps", "gaps"),
        ("repeated", "messages repeated"),
        ("out_of_order", "messages out of order"),
        ("behind", "clients fell behind"),
        ("dropped_here", "datagrams that the load read too late"),
    ] {
        if number(&told[name]) > 0.0 {
            faults.push(format!("{} {what}", told[name]));
        }
    }
    let share = share(told, settled);
    // What is on its way at both ends, and a keyframe more or less.
    let least = 0.9 * (1.0 - SLACK.as_secs_f64() / settled.as_secs_f64().max(1e-3));
    if share < least {
        let what = if is_publish { "sent" } else { "got" };
        faults.push(format!("a client {what} {:.0} % of its stream", share * 100.0));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RUN: Duration = Duration::from_secs(10);

    fn told() -> Value {
        json!({
            "clients": 2, "started": 2, "ended_early": 0, "gaps": 0, "repeated": 0,
            "out_of_order": 0, "behind": 0, "settled_bytes": { "min": 740_000 },
            "join_ms": { "count": 2, "p50": 1.5, "p99": 2.0, "max": 2.0 }, "latency_ms": null,
        })
    }

    #[test]
    fn who_got_all_has_no_fault() {
        assert_eq!(faults(&told(), RUN, false), [""; 0]);
    }

    #[test]
    fn whatever_is_missing_is_a_fault() {
        for (name, value, fault) in [
            ("started", json!(1), "1 of 2 clients started"),
            ("gaps", json!(3), "3 gaps"),
            ("behind", json!(1), "1 clients fell behind"),
            ("ended_early", json!(2), "2 clients ended early"),
            ("settled_bytes", json!({ "min": 375_000 }), "a client got 50 % of its stream"),
        ] {
            let mut told = told();
            told[name] = value;
            assert_eq!(faults(&told, RUN, false), [fault]);
        }
    }

    #[test]
    fn percentiles_are_taken_over() {
        assert_eq!(percentiles(&told(), "join_ms").map(|join| join.p50), Some(1.5));
        assert_eq!(percentiles(&told(), "latency_ms"), None);
    }
}
