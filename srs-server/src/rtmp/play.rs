//! A stream that a connection plays.

use std::{
    task::{Context, Poll, ready},
    time::Duration,
};

use rtmp_proto::MessageStreamId;
use stream_hub::{Batch, Item, Reader, StreamKey, SubscribeOptions, Variant};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{ConnectionError, connection::Connection, read_options};
use crate::{
    live::{ClientGuard, ClientKind},
    media::RtmpMessage,
    net::Transport,
    server::Shared,
};

/// Most bytes of one write.
const BATCH: usize = 256 * 1024;

pub(super) struct Playing {
    pub(super) msid: MessageStreamId,
    pub(super) paused: bool,
    reader: Reader<RtmpMessage>,
    /// How much of the stream was asked for, and where that began.
    duration: Option<Duration>,
    began: Option<Duration>,
    client: ClientGuard,
    /// Whether the socket's send buffer was fitted to the stream.
    is_fitted: bool,
}

impl Playing {
    pub(super) fn begin<S: Transport>(
        connection: &Connection<S>,
        key: StreamKey,
        msid: MessageStreamId,
        duration: f64,
    ) -> Result<Self, ConnectionError> {
        if connection.playing.is_some() {
            return Err(ConnectionError::OneStream);
        }
        let shared = &connection.shared;
        let options =
            SubscribeOptions { variant: Variant(msid.0.into()), ..read_options(&shared.config) };
        let reader = shared
            .hub
            .subscribe(&key, options, Some(&connection.peer.shard.group))
            .map_err(|error| ConnectionError::PlayRefused(key.clone(), error))?;
        let now = Instant::now().into_std();
        let stream = shared.streams.open(&key, now, || shared.new_id());
        let client = connection.join(ClientKind::RtmpPlay, stream);
        info!(stream = %key, ip = %client.identity.ip, "play");
        Ok(Self {
            msid,
            paused: false,
            reader,
            // Seconds; negative is the whole stream, and so is what is no time.
            duration: Duration::try_from_secs_f64(duration).ok().filter(|time| !time.is_zero()),
            began: None,
            client,
            is_fitted: false,
        })
    }

    /// The messages to send next.
    pub(super) fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
    ) -> Poll<Result<Batch<RtmpMessage>, ConnectionError>> {
        let batch =
            ready!(self.reader.poll_batch(cx, BATCH)).map_err(ConnectionError::PlayEnded)?;
        if !self.is_fitted {
            self.is_fitted = self.client.fit_send_buffer(shared.config.play.send_buffer);
        }
        if let Some(lost) = batch.gap() {
            shared.count_lost(lost.items);
            warn!("the player is too slow: {} messages lost", lost.items);
        }
        Poll::Ready(Ok(batch))
    }

    /// How many messages of the batch lie within the duration that the player asked for.
    pub(super) fn within(&mut self, batch: &Batch<RtmpMessage>) -> usize {
        let Some(duration) = self.duration else { return batch.len() };
        let is_beyond = |message: &RtmpMessage| {
            message.config_slot().is_none()
                && message.time().saturating_sub(*self.began.get_or_insert(message.time()))
                    >= duration
        };
        batch.iter().position(is_beyond).unwrap_or(batch.len())
    }

    /// Notes that `messages` of the last batch are sent, or will be.
    pub(super) fn advance(&mut self, messages: usize) {
        self.reader.advance(messages);
    }
}
