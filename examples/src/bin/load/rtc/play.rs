//! Plays by WHEP, until the time is over or the server ends it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::time::{error::Elapsed, sleep_until, timeout_at};

use super::{
    Manner, Network, lock,
    port::Seat,
    receiver::Receiver,
    session::{Joined, Purpose},
};
use crate::{client::ClientError, player::Player, summary::ClientReport, url::HttpUrl};

/// Plays, and tells what came and how it ended.
pub(crate) async fn play(
    mut player: Player,
    url: HttpUrl,
    network: &Network,
    manner: Manner,
    deadline: tokio::time::Instant,
) -> (ClientReport, Result<Result<(), ClientError>, Elapsed>) {
    let asked = Instant::now();
    let joining = network.join(player.report.index, url, Purpose::Play);
    let Joined { seat, server, waiting, session } = match timeout_at(deadline, joining).await {
        Ok(Ok(joined)) => joined,
        Ok(Err(error)) => return (player.report, Ok(Err(error))),
        Err(elapsed) => return (player.report, Err(elapsed)),
    };
    player.connected();
    player.started(asked.elapsed());
    let receiver = Arc::new(Mutex::new(Receiver::new(player, session, manner)));
    seat.hand_over(waiting, &receiver);
    let result = run(&seat, server, &receiver, deadline).await;
    drop(seat);
    let report = std::mem::take(&mut lock(&receiver).player.report);
    (report, Ok(result))
}

async fn run(
    seat: &Seat,
    server: SocketAddr,
    receiver: &Mutex<Receiver>,
    deadline: tokio::time::Instant,
) -> Result<(), ClientError> {
    let woken = Arc::clone(&lock(receiver).session.woken);
    loop {
        let due = lock(receiver).due();
        tokio::select! {
            () = sleep_until(deadline.min(due.into())) => {}
            () = woken.notified() => {}
        }
        let now = Instant::now();
        if deadline <= now.into() {
            seat.send(server, |out| lock(receiver).session.close(out));
            return Ok(());
        }
        seat.send(server, |out| lock(receiver).turn(now, out))?;
    }
}
