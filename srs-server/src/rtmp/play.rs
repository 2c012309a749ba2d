//! A stream that a connection plays.

use std::{
    any::type_name,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rtmp_proto::MessageStreamId;
use stream_hub::{
    Batch, Item, LaneStats, Reader, Start, StreamKey, SubscribeError, SubscribeOptions, Variant,
};
use tracing::info;

use super::{Asked, ConnectionError, connection::Connection, read_options};
use crate::{
    hooks::Told,
    live::{ClientKind, Feed, Vhost},
    media::{Dialect, Rtmp, RtmpMessage},
    net::{Outlet, Transport},
    server::Shared,
};

/// Dialects that one stream may have at once beside the common one; a stream has a few in practice.
const MAX_DIALECTS: usize = 32;

pub(super) struct Playing {
    feed: Feed<Rtmp>,
    /// How much of the stream was asked for, and where that began.
    duration: Option<Duration>,
    began: Option<Duration>,
    pub(super) paused: bool,
    pub(super) msid: MessageStreamId,
    dialect: Dialect,
    /// The vhost as it was configured when the play began.
    vhost: Arc<Vhost>,
    /// Tells the hook servers when the play is over.
    _told: Told,
}

impl Playing {
    pub(super) fn begin<S: Transport>(
        connection: &mut Connection<S>,
        Asked { stream, vhost, .. }: Asked,
        msid: MessageStreamId,
        duration: f64,
        told: Told,
    ) -> Result<Self, ConnectionError> {
        if connection.playing.is_some() {
            return Err(ConnectionError::OneStream);
        }
        let shared = connection.shared.clone();
        // The stream's vhost may be another than the one that was connected to.
        let chunk_size = shared.vhosts.chunk_size(&vhost);
        connection.set_chunk_size(chunk_size);
        let dialect = Dialect { codecs: connection.codecs(), ..Dialect::new(msid, chunk_size) };
        let reader = subscribe(connection, &stream.key, &vhost, dialect, None)?;
        let client = connection.join(ClientKind::RtmpPlay, stream, &vhost);
        info!(stream = %client.stream.key, ip = %client.identity.ip, "play");
        let residence = connection.peer.shard.residence.clone();
        Ok(Self {
            msid,
            dialect,
            paused: false,
            feed: Feed::new(reader, client, Outlet::Rtmp, residence),
            // Seconds; negative is the whole stream, and so is what is no time.
            duration: Duration::try_from_secs_f64(duration).ok().filter(|time| !time.is_zero()),
            began: None,
            vhost,
            _told: told,
        })
    }

    /// Goes on with or without audio, or video. Video that comes back starts at its next keyframe.
    pub(super) fn receive<S: Transport>(
        &mut self,
        connection: &Connection<S>,
        audio: Option<bool>,
        video: Option<bool>,
    ) -> Result<(), ConnectionError> {
        let dialect = Dialect {
            audio: audio.unwrap_or(self.dialect.audio),
            video: video.unwrap_or(self.dialect.video),
            ..self.dialect
        };
        if dialect == self.dialect {
            return Ok(());
        }
        let has_video_again = dialect.video && !self.dialect.video;
        let start = if has_video_again { Start::NextJoinPoint } else { Start::Live };
        let key = &self.feed.client().stream.key;
        let reader = subscribe(connection, key, &self.vhost, dialect, Some(start))?;
        self.feed.replace(reader);
        self.dialect = dialect;
        Ok(())
    }

    /// The messages to send next.
    pub(super) fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
    ) -> Poll<Result<Batch<RtmpMessage>, ConnectionError>> {
        let batch = self.feed.poll_batch(cx, shared.tuning.send_buffer);
        batch.map_err(ConnectionError::PlayEnded)
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
    pub(super) fn advance(&mut self, batch: Batch<RtmpMessage>, messages: usize) {
        self.feed.advance(batch, messages);
    }
}

fn subscribe<S: Transport>(
    connection: &Connection<S>,
    key: &StreamKey,
    vhost: &Vhost,
    dialect: Dialect,
    start: Option<Start>,
) -> Result<Reader<RtmpMessage>, ConnectionError> {
    let shared = &connection.shared;
    let variant = Variant::from(dialect);
    // Each dialect is a ring of its own: clients that make up dialects must not take the rings
    // that everybody else reads.
    let common = Variant::from(Dialect::new(MessageStreamId(1), dialect.chunk_size));
    if variant != common
        && let Some(stream) = shared.hub.stream(key)
    {
        let is_other = |lane: &&LaneStats| {
            lane.item_type == type_name::<RtmpMessage>()
                && ![common, variant].contains(&lane.variant)
        };
        if stream.lanes.iter().filter(is_other).count() >= MAX_DIALECTS {
            let error = SubscribeError::TooManyLanes { limit: MAX_DIALECTS };
            return Err(ConnectionError::PlayRefused(key.clone(), error));
        }
    }
    let options = read_options(vhost);
    let start = start.unwrap_or(options.start);
    let options = SubscribeOptions { variant, start, ..options };
    shared
        .hub
        .subscribe(key, options, Some(&connection.peer.shard.group))
        .map_err(|error| ConnectionError::PlayRefused(key.clone(), error))
}
