//! Starts the clients, shows how they do, and ends them in time.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use rtmp_proto::{MediaMessage, RtmpUrl};
use tokio::{
    runtime,
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    arguments::{Clients, Rate},
    clock, flv_play,
    player::{Player, Rules},
    publish::Publisher,
    rtc::{self, Joins, Manner, Network},
    rtmp_play,
    stream::Stream,
    summary::{ClientReport, Counter, Mode, Progress, Shared, Summary},
    target::Target,
    url::HttpUrl,
};

/// How long after their time clients are waited for; each ends by itself long before.
const GRACE: Duration = Duration::from_secs(5);

/// What the clients do.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    RtmpPlay(RtmpUrl),
    FlvPlay(HttpUrl),
    Publish(RtmpUrl, Rate),
    RtcPlay(HttpUrl, Manner),
    RtcPublish(HttpUrl, Rate, Manner),
}

impl Work {
    fn mode(&self) -> Mode {
        match self {
            Self::RtmpPlay(_) => Mode::RtmpPlay,
            Self::FlvPlay(_) => Mode::FlvPlay,
            Self::Publish(..) => Mode::RtmpPublish,
            Self::RtcPlay(..) => Mode::RtcPlay,
            Self::RtcPublish(..) => Mode::RtcPublish,
        }
    }

    fn url(&self) -> String {
        match self {
            Self::RtmpPlay(url) | Self::Publish(url, _) => url.to_string(),
            Self::FlvPlay(url) | Self::RtcPlay(url, _) | Self::RtcPublish(url, ..) => {
                url.to_string()
            }
        }
    }

    /// The server that is meant.
    fn target(&self) -> Result<Target, Box<dyn Error + Send + Sync>> {
        let (host, port) = match self {
            Self::RtmpPlay(url) | Self::Publish(url, _) if url.secure => {
                return Err(format!("{url}: rtmps is not supported").into());
            }
            Self::RtmpPlay(url) | Self::Publish(url, _) => (&url.host, url.port),
            Self::FlvPlay(url) | Self::RtcPlay(url, _) | Self::RtcPublish(url, ..) => {
                (&url.host, url.port)
            }
        };
        Ok(runtime()?.block_on(Target::of(host, port))?)
    }
}

/// What all clients know.
#[derive(Debug)]
struct Plan {
    work: Work,
    headers: [MediaMessage; 3],
    clients: Clients,
    target: Target,
    rules: Rules,
    start: Instant,
    deadline: Instant,
}

/// Runs all clients to the end.
pub(crate) fn run(work: Work, clients: Clients) -> Result<Summary, Box<dyn Error + Send + Sync>> {
    let rate = match work {
        Work::Publish(_, rate) | Work::RtcPublish(_, rate, _) => rate,
        _ => Rate::default(),
    };
    let (headers, target) = (Stream::new(rate).headers()?, work.target()?);
    let start = Instant::now();
    let deadline = start + clients.duration();
    let rules = Rules {
        begun: start.into_std(),
        behind: Duration::from_millis(clients.behind_ms),
        settled: clock::nanos() + clients.settle_ms * 1_000_000,
        rest: match work {
            // They never rest, for datagrams don't wait, but only probes open what they get.
            Work::RtcPlay(..) => Duration::from_millis(1),
            _ => Duration::from_millis(clients.rest_ms),
        },
    };
    let plan = Arc::new(Plan { work, headers, clients, target, rules, start, deadline });
    let joins = match plan.work {
        Work::RtcPlay(ref url, ..) | Work::RtcPublish(ref url, ..) => Some((Joins::start()?, url)),
        _ => None,
    };
    let (reports, collected) = mpsc::channel();
    let threads = plan.clients.threads();
    let shared: Vec<_> = (0..threads).map(|_| Arc::new(Shared::default())).collect();
    for (number, shared) in (0..).zip(&shared) {
        let network = joins.as_ref().map(|(joins, url)| Arc::new(Network::new(joins, target, url)));
        let (runtime, plan, shared, reports) =
            (runtime()?, plan.clone(), shared.clone(), reports.clone());
        thread::Builder::new().name(format!("clients-{number}")).spawn(move || {
            let indices = (number..plan.clients.clients).step_by(threads as usize);
            runtime.block_on(run_some(indices, plan, shared, network, &reports));
        })?;
    }
    drop(reports);
    let reports = collect(&collected, &plan, &shared);
    let Plan { work, clients, rules, .. } = &*plan;
    Ok(Summary::new(work.mode(), work.url(), clients, rules, reports, &shared))
}

fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// Runs the clients of a thread.
async fn run_some(
    indices: impl Iterator<Item = u32>,
    plan: Arc<Plan>,
    shared: Arc<Shared>,
    network: Option<Arc<Network>>,
    reports: &Sender<ClientReport>,
) {
    let mut tasks = JoinSet::new();
    for index in indices {
        let (plan, shared, network) = (plan.clone(), shared.clone(), network.clone());
        tasks.spawn(async move {
            sleep_until(plan.start + plan.clients.start_of(index)).await;
            run_one(index, &plan, shared, network.as_deref()).await
        });
    }
    while let Some(joined) = tasks.join_next().await {
        // Before the last report: who collects them all goes on at once.
        if let Some(network) = network.as_deref().filter(|_| tasks.is_empty()) {
            shared.dropped.add(network.dropped());
        }
        match joined {
            // Who collects may be gone, its patience being over.
            Ok(report) => drop(reports.send(report)),
            Err(error) => eprintln!("{error}"),
        }
    }
}

async fn run_one(
    index: u32,
    plan: &Plan,
    shared: Arc<Shared>,
    network: Option<&Network>,
) -> ClientReport {
    let Plan { work, headers, clients, target, deadline, .. } = plan;
    let mut report = ClientReport::new(index);
    let player = |report| Player::new(report, Arc::clone(&shared), plan.rules);
    let shared = &*shared;
    let ended = match work {
        Work::RtmpPlay(url) => {
            let (mut player, url) = (player(report), clients.url_of(url, false, index));
            let ended = timeout_at(*deadline, rtmp_play::play(&mut player, *target, url)).await;
            report = player.report;
            ended.map(Err)
        }
        Work::FlvPlay(url) => {
            let (mut player, url) = (player(report), clients.url_of(url, false, index));
            let ended = timeout_at(*deadline, flv_play::play(&mut player, *target, url)).await;
            report = player.report;
            ended.map(Err)
        }
        Work::Publish(url, rate) => {
            let (stream, headers) = (Stream::new(*rate), headers.clone());
            let mut publisher =
                Publisher { report: &mut report, shared, rules: plan.rules, stream, headers };
            // The publisher itself keeps to the deadline, and then says goodbye.
            let run = publisher.run(*target, clients.url_of(url, true, index), *deadline);
            timeout_at(*deadline + GRACE / 2, run).await
        }
        Work::RtcPlay(url, manner) => {
            let Some(network) = network else { return report };
            let (player, url) = (player(report), clients.url_of(url, false, index));
            let ended;
            (report, ended) = rtc::play(player, url, network, *manner, *deadline).await;
            ended
        }
        Work::RtcPublish(url, rate, manner) => {
            let (stream, headers) = (Stream::opus(*rate), headers.clone());
            let mut publisher =
                Publisher { report: &mut report, shared, rules: plan.rules, stream, headers };
            let Some(network) = network else { return report };
            let url = clients.url_of(url, true, index);
            let run = rtc::publish(&mut publisher, url, network, *manner, *deadline);
            timeout_at(*deadline + GRACE / 2, run).await
        }
    };
    report.ended_early = match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) if !report.started => Some("not started in time".to_owned()),
        // A player goes on until its time is over; a publisher is done by then.
        Err(_) if Instant::now() < *deadline + GRACE / 2 => None,
        Err(_) => Some("the server took no more".to_owned()),
    };
    if report.ended_early.is_some() {
        shared.progress.ended_early.add(1);
    }
    report
}

/// Waits for the clients, with a line about them each second.
fn collect(
    collected: &Receiver<ClientReport>,
    plan: &Plan,
    shared: &[Arc<Shared>],
) -> Vec<ClientReport> {
    let mut reports: Vec<_> = (0..plan.clients.clients)
        .map(|index| ClientReport {
            ended_early: Some("did not stop".to_owned()),
            ..ClientReport::new(index)
        })
        .collect();
    let sum = |of: fn(&Progress) -> &Counter| -> u64 {
        shared.iter().map(|shared| of(&shared.progress).value()).sum()
    };
    let (mut messages, mut bytes) = (0, 0);
    let mut tick = plan.start + Duration::from_secs(1);
    loop {
        match collected.recv_timeout(tick.saturating_duration_since(Instant::now())) {
            Ok(report) => {
                let index = report.index as usize;
                reports[index] = report;
            }
            Err(RecvTimeoutError::Disconnected) => return reports,
            Err(RecvTimeoutError::Timeout) if tick > plan.deadline + GRACE => return reports,
            Err(RecvTimeoutError::Timeout) => {
                tick += Duration::from_secs(1);
                let all = (sum(|progress| &progress.messages), sum(|progress| &progress.bytes));
                eprintln!(
                    "{:>4} s: {} connected, {} started, {} ended early, {} messages/s, {:.1} Mbit/s",
                    plan.start.elapsed().as_secs(),
                    sum(|progress| &progress.connected),
                    sum(|progress| &progress.started),
                    sum(|progress| &progress.ended_early),
                    all.0 - messages,
                    (all.1 - bytes) as f64 * 8e-6,
                );
                (messages, bytes) = all;
            }
        }
    }
}
