//! A stream that a connection publishes.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use rtmp_proto::{MediaMessage, MessageStreamId, PublishStyle};
use stream_hub::{BusyPolicy, Publisher, PublisherId, StreamKey, TrackInfo, Writer};
use tokio::time::Instant;
use tracing::info;

use super::{Asked, ConnectionError, connection::Connection};
use crate::{
    hooks::Told,
    live::{ClientGuard, ClientKind},
    media::{Frame, Ingest, IngestOptions},
    net::Transport,
};

pub(super) struct Publishing {
    pub(super) msid: MessageStreamId,
    /// Until the stream is ended for good.
    publisher: Option<Publisher>,
    writer: Writer<Frame>,
    ingest: Ingest,
    client: ClientGuard,
    /// When the last media message came, or the publish began.
    last: Instant,
    /// The longest silence allowed from `last` on.
    silence: Duration,
    idle_timeout: Duration,
    /// Tells the hook servers when the publish is over.
    _told: Told,
}

impl Publishing {
    pub(super) fn begin<S: Transport>(
        connection: &Connection<S>,
        Asked { stream, vhost, param }: Asked,
        msid: MessageStreamId,
        told: Told,
    ) -> Result<Self, ConnectionError> {
        if connection.publishing.is_some() {
            return Err(ConnectionError::OneStream);
        }
        let shared = &connection.shared;
        let settings = &vhost.settings.publish;
        let now = Instant::now();
        // Who comes from the same place with the same parameters is the same encoder again.
        let ip = connection.peer.address.ip().to_canonical();
        let who = PublisherId::new(format!("{ip}{param}"));
        let busy =
            if settings.takeover == "same" { BusyPolicy::TakeOverSame } else { BusyPolicy::Refuse };
        let key = stream.key.clone();
        let refused = |error| ConnectionError::PublishRefused(key.clone(), error);
        let mut publisher =
            shared.hub.publish(key.clone(), who, busy, now.into_std()).map_err(refused)?;
        let writer = publisher.track::<Frame>(TrackInfo::default()).map_err(refused)?;
        let client = connection.join(kind(connection.publish_style()), stream.clone());
        stream.published_by(&client.identity.id, &client.identity.tc_url);
        info!(stream = %key, %ip, "publish");
        Ok(Self {
            msid,
            ingest: Ingest::new(IngestOptions::new(&vhost.settings), publisher.resume_time()),
            publisher: Some(publisher),
            writer,
            client,
            last: now,
            silence: settings.firstpkt_timeout,
            idle_timeout: settings.normal_timeout,
            _told: told,
        })
    }

    pub(super) fn key(&self) -> &StreamKey {
        &self.client.stream.key
    }

    /// Takes one message into the stream.
    pub(super) fn push(
        &mut self,
        message: MediaMessage,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        self.last = now;
        self.silence = self.idle_timeout;
        let now = now.into_std();
        let (writer, stream) = (&mut self.writer, &self.client.stream);
        self.ingest
            .push(message, now, &stream.media, |frame| writer.push(frame, now))
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
