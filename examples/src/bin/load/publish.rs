//! A publisher: sends each frame when it is due, in a write of its own.

use std::time::Duration;

use rtmp_proto::{ClientEvent, MediaMessage, MessageStreamId, RtmpUrl};
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    client::{ClientError, PublishClient},
    clock,
    player::Rules,
    stream::Stream,
    summary::{ClientReport, Shared},
    target::Target,
};

/// How long the goodbye may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) struct Publisher<'a> {
    pub(crate) report: &'a mut ClientReport,
    pub(crate) shared: &'a Shared,
    pub(crate) rules: Rules,
    pub(crate) stream: Stream,
    pub(crate) headers: [MediaMessage; 3],
}

impl Publisher<'_> {
    /// Publishes until `deadline`, or until the server ends it.
    pub(crate) async fn run(
        &mut self,
        target: Target,
        url: RtmpUrl,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let index = self.report.index;
        let mut client = PublishClient::connect(target, index, url).await?;
        let asked = Instant::now();
        self.shared.progress.connected.add(1);
        let msid = loop {
            if let ClientEvent::PublishStarted { msid } = client.next_event().await? {
                break msid;
            }
        };
        self.report.started(self.rules.begun);
        self.shared.started(asked.elapsed());
        for message in self.headers.clone() {
            self.send(&mut client, msid, message).await?;
        }
        let start = Instant::now();
        loop {
            let due = start + self.stream.due();
            if due >= deadline {
                break;
            }
            sleep_until(due).await;
            let message = self.stream.next_frame();
            self.send(&mut client, msid, message).await?;
            // How late the frame was, be it for this program or for the server to take it.
            self.shared.latency().add(due.elapsed());
        }
        // The stream is whole: whether the server still listens is its own affair.
        let _ = timeout(STOP_TIMEOUT, client.stop()).await;
        Ok(())
    }

    async fn send(
        &mut self,
        client: &mut PublishClient,
        msid: MessageStreamId,
        message: MediaMessage,
    ) -> Result<(), ClientError> {
        let len = message.payload.len() as u64;
        client.session.send_media(msid, &message)?;
        client.flush().await?;
        self.report.messages += 1;
        self.report.bytes += len;
        if clock::nanos() >= self.rules.settled {
            self.report.settled_bytes += len;
        }
        self.shared.progress.messages.add(1);
        self.shared.progress.bytes.add(len);
        Ok(())
    }
}
