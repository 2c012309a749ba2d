//! Starts the clients, shows how they do, and ends them in time.

use std::{error::Error, sync::Arc, time::Duration};

use rtmp_proto::MediaMessage;
use tokio::{
    select,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at},
};

use crate::{
    arguments::{Clients, Command, Rate},
    play::Player,
    publish::Publisher,
    report::{ClientReport, Progress, Shared, Summary},
    stream::Stream,
    target::Target,
};

/// How long after their time clients are waited for; each ends by itself long before.
const GRACE: Duration = Duration::from_secs(5);

/// What the clients do.
#[derive(Clone)]
enum Work {
    Play,
    Publish(Rate, [MediaMessage; 3]),
}

/// Runs all clients to the end.
pub(crate) async fn run(command: Command) -> Result<Summary, Box<dyn Error + Send + Sync>> {
    let (clients, work) = match command {
        Command::RtmpPlay(clients) => (clients, Work::Play),
        Command::RtmpPublish { clients, rate } => {
            let headers = Stream::new(rate).headers()?;
            (clients, Work::Publish(rate, headers))
        }
    };
    let target = Target::of(&clients.url).await?;
    let clients = Arc::new(clients);
    let shared = Arc::new(Shared::default());
    let start = Instant::now();
    let deadline = start + clients.duration();
    let mut tasks = JoinSet::new();
    for index in 0..clients.clients {
        let (clients, work, shared) = (clients.clone(), work.clone(), shared.clone());
        tasks.spawn(async move {
            sleep_until(start + clients.start_of(index)).await;
            run_one(index, target, &clients, work, &shared, deadline).await
        });
    }
    let reports = collect(tasks, &clients, &shared.progress, start).await;
    Ok(Summary::new(matches!(work, Work::Play), &clients, reports, &shared))
}

async fn run_one(
    index: u32,
    target: Target,
    clients: &Clients,
    work: Work,
    shared: &Shared,
    deadline: Instant,
) -> ClientReport {
    let mut report = ClientReport::new(index);
    let ended = match work {
        Work::Play => {
            let mut player = Player::new(&mut report, shared);
            let run = player.run(target, clients.url.clone());
            timeout_at(deadline, run).await.map(Err)
        }
        Work::Publish(rate, headers) => {
            let stream = Stream::new(rate);
            let mut publisher = Publisher { report: &mut report, shared, stream, headers };
            // The publisher itself keeps to the deadline, and then says goodbye.
            let run = publisher.run(target, clients.publish_url(index), deadline);
            timeout_at(deadline + GRACE / 2, run).await
        }
    };
    report.ended_early = match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) if !report.started => Some("not started in time".to_owned()),
        // A player goes on until its time is over; a publisher is done by then.
        Err(_) if Instant::now() < deadline + GRACE / 2 => None,
        Err(_) => Some("the server took no more".to_owned()),
    };
    if report.ended_early.is_some() {
        shared.progress.ended_early.add(1);
    }
    report
}

/// Waits for the clients, with a line about them each second.
async fn collect(
    mut tasks: JoinSet<ClientReport>,
    clients: &Clients,
    progress: &Progress,
    start: Instant,
) -> Vec<ClientReport> {
    let mut reports: Vec<_> = (0..clients.clients)
        .map(|index| ClientReport {
            ended_early: Some("did not stop".to_owned()),
            ..ClientReport::new(index)
        })
        .collect();
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    let (mut messages, mut bytes) = (0, 0);
    let stop = sleep_until(start + clients.duration() + GRACE);
    tokio::pin!(stop);
    loop {
        select! {
            joined = tasks.join_next() => match joined {
                Some(Ok(report)) => {
                    let index = report.index as usize;
                    reports[index] = report;
                }
                Some(Err(error)) => eprintln!("{error}"),
                None => return reports,
            },
            () = &mut stop => return reports,
            _ = ticks.tick() => {
                let (all, all_bytes) = (progress.messages.value(), progress.bytes.value());
                eprintln!(
                    "{:>4} s: {} connected, {} started, {} ended early, {} messages/s, {:.1} Mbit/s",
                    start.elapsed().as_secs(),
                    progress.connected.value(),
                    progress.started.value(),
                    progress.ended_early.value(),
                    all - messages,
                    (all_bytes - bytes) as f64 * 8e-6,
                );
                (messages, bytes) = (all, all_bytes);
            }
        }
    }
}
