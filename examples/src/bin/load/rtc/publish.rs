//! Publishes by WHIP: sends each frame when it is due.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

use super::{
    Manner, Network, lock,
    port::Outbox,
    sender::Sender,
    session::{Joined, Purpose},
};
use crate::{client::ClientError, clock, publish::Publisher, url::HttpUrl};

/// How long a publisher that has sent its last frame stays, for what the server misses of the last ones.
const LINGER: Duration = Duration::from_millis(500);

/// Publishes until `deadline`, or until the server ends it.
pub(crate) async fn publish(
    publisher: &mut Publisher<'_>,
    url: HttpUrl,
    network: &Network,
    manner: Manner,
    deadline: tokio::time::Instant,
) -> Result<(), ClientError> {
    let asked = Instant::now();
    let index = publisher.report.index;
    let Joined { seat, server, waiting, session } =
        network.join(index, url, Purpose::Publish).await?;
    publisher.shared.progress.connected.add(1);
    publisher.report.started(publisher.rules.begun);
    publisher.shared.started(asked.elapsed());
    let sender = Arc::new(Mutex::new(Sender::new(session, manner)));
    seat.hand_over(waiting, &sender);
    let woken = Arc::clone(&lock(&sender).session.woken);
    let start = tokio::time::Instant::now();
    let end = deadline + LINGER;
    loop {
        let frame = Some(start + publisher.stream.due()).filter(|due| *due < deadline);
        let due = frame.unwrap_or(end).min(lock(&sender).session.due().into());
        if tokio::time::Instant::now() >= end {
            seat.send(server, |out| lock(&sender).session.close(out));
            return Ok(());
        }
        tokio::select! {
            () = sleep_until(due) => {}
            () = woken.notified() => {}
        }
        let frames = (start, deadline);
        seat.send(server, |out| turn(publisher, &mut lock(&sender), frames, out))?;
    }
}

/// Does all that is due.
fn turn(
    publisher: &mut Publisher<'_>,
    sender: &mut Sender,
    (start, deadline): (tokio::time::Instant, tokio::time::Instant),
    out: &mut Outbox<'_>,
) -> Result<(), ClientError> {
    publisher.report.resent += sender.turn(Instant::now(), out)?;
    if std::mem::take(&mut sender.is_keyframe_wanted) {
        publisher.stream.want_keyframe();
    }
    loop {
        let due = start + publisher.stream.due();
        // How late the frame is: then this program is too slow.
        let late = due.elapsed();
        if due >= deadline || due > tokio::time::Instant::now() {
            return Ok(());
        }
        let frame = publisher.stream.next_frame();
        let is_settled = clock::nanos() >= publisher.rules.settled;
        for bytes in sender.send(&frame, out)? {
            publisher.report.messages += 1;
            publisher.report.bytes += bytes;
            publisher.report.settled_bytes += if is_settled { bytes } else { 0 };
            publisher.shared.progress.messages.add(1);
            publisher.shared.progress.bytes.add(bytes);
        }
        publisher.shared.latency().add(late);
    }
}
