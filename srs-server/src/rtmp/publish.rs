//! A stream that a connection publishes.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use rtmp_proto::{MediaMessage, MessageStreamId, PublishStyle};
use stream_hub::{BusyPolicy, PublishError, Publisher, PublisherId, StreamKey, TrackInfo, Writer};
use tokio::time::Instant;
use tracing::info;

use super::{Asked, ConnectionError, connection::Connection, upkeep::Upkeep};
use crate::{
    hooks::Told,
    live::{Claim, ClientGuard, ClientKind},
    media::{Frame, Ingest, IngestOptions},
    net::{PacedReads, ReadWindow, Transport},
};

pub(super) struct Publishing {
    pub(super) msid: MessageStreamId,
    /// Until the stream is ended for good.
    publisher: Option<Publisher>,
    writer: Writer<Frame>,
    ingest: Ingest,
    upkeep: Upkeep,
    client: ClientGuard,
    /// When the last media message came, or the publish began.
    last: Instant,
    /// The longest silence allowed from `last` on.
    silence: Duration,
    idle_timeout: Duration,
    /// How often the socket is read.
    pub(super) reads: PacedReads,
    /// Tells the hook servers when the publish is over.
    _told: Told,
}

impl Publishing {
    /// Whether the stream may be published, as far as it is known before hook servers are asked;
    /// where nobody may take a stream over, no other comes first while they are.
    pub(super) fn claim<S: Transport>(
        connection: &Connection<S>,
        asked: &Asked,
    ) -> Result<Option<Claim>, ConnectionError> {
        if connection.publishing.is_some() {
            return Err(ConnectionError::OneStream);
        }
        let (stream, who) = (&asked.stream, who(connection, asked));
        let busy =
            |by| ConnectionError::PublishRefused(stream.key.clone(), PublishError::Busy { by });
        let is_alone = busy_policy(asked) == BusyPolicy::Refuse;
        let claim = is_alone.then(|| stream.claim(who.clone())).transpose().map_err(busy)?;
        match connection.shared.hub.stream(&stream.key).and_then(|stats| stats.publisher) {
            Some(by) if is_alone || by != who => Err(busy(by)),
            _ => Ok(claim),
        }
    }

    pub(super) fn begin<S: Transport>(
        connection: &Connection<S>,
        asked: Asked,
        msid: MessageStreamId,
        told: Told,
    ) -> Result<Self, ConnectionError> {
        let shared = &connection.shared;
        let now = Instant::now();
        let (who, busy) = (who(connection, &asked), busy_policy(&asked));
        let Asked { stream, vhost, .. } = asked;
        let settings = &vhost.settings.publish;
        let key = stream.key.clone();
        let refused = |error| ConnectionError::PublishRefused(key.clone(), error);
        let mut publisher =
            shared.hub.publish(key.clone(), who, busy, now.into_std()).map_err(refused)?;
        let writer = publisher.track::<Frame>(TrackInfo::default()).map_err(refused)?;
        let client = connection.join(kind(connection.publish_style()), stream.clone(), &vhost);
        stream.published_by(&client.identity, settings.kickoff_for_idle);
        info!(stream = %key, ip = %client.identity.ip, "publish");
        Ok(Self {
            msid,
            ingest: Ingest::new(IngestOptions::new(&vhost.settings), publisher.resume_time()),
            publisher: Some(publisher),
            writer,
            upkeep: Upkeep::new(connection.received()),
            client,
            last: now,
            silence: settings.firstpkt_timeout,
            idle_timeout: settings.normal_timeout,
            reads: PacedReads::new(
                connection.peer.shard.reads.clone(),
                read_window(&vhost.settings),
            ),
            _told: told,
        })
    }

    pub(super) fn key(&self) -> &StreamKey {
        &self.client.stream.key
    }

    /// Takes one message into the stream, of a connection that has sent `received` bytes.
    pub(super) fn push(
        &mut self,
        message: MediaMessage,
        received: u64,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.last = now;
        self.silence = self.idle_timeout;
        let now = now.into_std();
        let (writer, stream) = (&mut self.writer, &self.client.stream);
        let upkeep = &mut self.upkeep;
        let keep = |frame| writer.push(upkeep.keep(frame, received), now);
        self.ingest
            .push(message, now, &stream.media, keep)
            .map_err(|_| ConnectionError::TakenOver(stream.key.clone()))
    }

    /// When the silence of the publisher is too long.
    pub(super) fn deadline(&self) -> Instant {
        self.last + self.silence
    }

    pub(super) fn check_idle(&self, now: Instant) -> Result<(), ConnectionError> {
        if now < self.deadline() {
            return Ok(());
        }
        Err(ConnectionError::PublisherIdle(self.silence))
    }

    /// Ready when another publisher has taken the stream over.
    pub(super) fn poll_fenced(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.publisher.as_ref().map_or(Poll::Pending, |publisher| publisher.poll_fenced(cx))
    }

    /// Ends the stream for good: its viewers are not kept.
    pub(super) fn end(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.end();
        }
    }
}

/// Who publishes: who comes from the same place with the same parameters is the same encoder again.
fn who<S: Transport>(connection: &Connection<S>, asked: &Asked) -> PublisherId {
    let ip = connection.peer.address.ip().to_canonical();
    PublisherId::new(format!("{ip}{}", asked.param))
}

fn busy_policy(asked: &Asked) -> BusyPolicy {
    match asked.vhost.settings.publish.takeover.as_str() {
        "same" => BusyPolicy::TakeOverSame,
        _ => BusyPolicy::Refuse,
    }
}

/// How often a publisher's socket is read. Who is read too seldom would seem silent.
fn read_window(settings: &srs_config::Vhost) -> ReadWindow {
    let publish = &settings.publish;
    match publish.mr {
        // Every message at once, SRS has it, is for publishers too.
        _ if settings.min_latency => ReadWindow::Fixed(Duration::ZERO),
        None => ReadWindow::Auto,
        Some(false) => ReadWindow::Fixed(Duration::ZERO),
        Some(true) => ReadWindow::Fixed(publish.mr_latency.min(publish.normal_timeout / 2)),
    }
}

/// What the API calls a client that publishes in this way.
fn kind(style: PublishStyle) -> ClientKind {
    match style {
        PublishStyle::Flash => ClientKind::FlashPublish,
        PublishStyle::Haivision => ClientKind::HaivisionPublish,
        _ => ClientKind::FmlePublish,
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let (now, writer) = (Instant::now().into_std(), &mut self.writer);
        // Where another publisher took over, nobody wants what is left.
        let _ = self.ingest.finish(now, &self.client.stream.media, |frame| writer.push(frame, now));
        self.client.stream.unpublished_by(&self.client.identity.id);
    }
}
