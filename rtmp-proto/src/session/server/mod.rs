//! The server's side of a connection.

mod answer;
mod call;
mod config;
mod connect;
mod event;
mod stream;

use std::collections::VecDeque;
use std::time::Instant;

pub use config::ServerConfig;
pub use connect::Connect;
pub use event::{EndReason, PublishKind, PublishStyle, ServerEvent, ServerOutput};

use super::link::{Control, Link};
use super::{SendError, SessionError, Stats};
use crate::chunk::MediaEncoder;
use crate::handshake::ServerHandshake;
use crate::message::{Body, Command, Message};
use crate::{CapsEx, MediaKind, MediaMessage, MessageStreamId, MessageType, RequestId};
use stream::Streams;

/// One RTMP connection, server side. Owns no socket and reads no clock.
///
/// Feed it bytes by [`receive`](Self::receive), then take [`poll_output`](Self::poll_output) until it is empty. What
/// the client asks for arrives as events with a [`RequestId`], to be answered by [`accept`](Self::accept) or
/// [`reject`](Self::reject), at once or later. Any order of calls is safe.
#[derive(Debug)]
pub struct ServerSession {
    config: ServerConfig,
    link: Link<ServerEvent>,
    handshake: Option<ServerHandshake>,
    connection: Connection,
    /// Commands that came while `connect` waits for its answer; they are dealt with in order after it.
    deferred: VecDeque<(MessageStreamId, Command)>,
    streams: Streams,
    /// The client is of the kind that called `FCPublish`.
    fc_publish: bool,
    /// A `createStream` has come.
    has_created_stream: bool,
    publish_style: PublishStyle,
    next_request: u64,
    start: Instant,
    /// What the client has announced.
    caps_ex: CapsEx,
    /// A publish or play has been accepted.
    set_up: bool,
    failed: Option<SessionError>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Connection {
    New,
    Requested { id: RequestId, transaction_id: f64, object_encoding: f64 },
    Accepted,
    Rejected,
}

impl ServerSession {
    /// Starts to wait for a handshake.
    pub fn new(config: ServerConfig, now: Instant) -> Self {
        Self {
            link: Link::new(&config.limits, config.in_ack_size, now),
            handshake: Some(ServerHandshake::new(config.seed)),
            connection: Connection::New,
            deferred: VecDeque::new(),
            streams: Streams::new(config.limits.message_streams),
            fc_publish: false,
            has_created_stream: false,
            publish_style: PublishStyle::Flash,
            next_request: 1,
            start: now,
            caps_ex: CapsEx::default(),
            set_up: false,
            failed: None,
            config,
        }
    }

    /// Takes bytes from the client, in any split.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; the session is over then and answers every further call with the same error. What it has put
    /// out before can still be polled.
    pub fn receive(&mut self, now: Instant, data: &[u8]) -> Result<(), SessionError> {
        self.check()?;
        self.link.record_received(data.len());
        let result = self.read(now, data);
        self.link.acknowledge();
        self.keep(result)
    }

    /// Lets time pass. A call before the time of [`poll_timeout`](Self::poll_timeout) does nothing.
    ///
    /// # Errors
    ///
    /// [`SessionError::HandshakeTimeout`], [`SessionError::SetupTimeout`], or the error the session ended with.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        self.check()?;
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return Ok(());
        }
        self.keep(Err(if self.handshake.is_some() {
            SessionError::HandshakeTimeout { limit: self.config.limits.handshake_timeout }
        } else {
            SessionError::SetupTimeout { limit: self.config.limits.setup_timeout }
        }))
    }

    /// The next output, in the order it came about. Poll until `None` after every other call.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<ServerOutput> {
        self.link.poll()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` once something is published or played.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let limits = &self.config.limits;
        match (&self.failed, &self.handshake) {
            (Some(_), _) => None,
            (None, Some(_)) => self.start.checked_add(limits.handshake_timeout),
            (None, None) if self.set_up => None,
            (None, None) => self.start.checked_add(limits.setup_timeout),
        }
    }

    /// Sends media to a player whose play was accepted.
    ///
    /// The bytes are those of [`media_encoder`](Self::media_encoder); to send the same message to many players, encode
    /// it once and tell each session by [`record_sent`](Self::record_sent).
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing is sent then, and the session goes on.
    pub fn send_media(
        &mut self,
        msid: MessageStreamId,
        message: &MediaMessage,
    ) -> Result<(), SendError> {
        if self.failed.is_some() || !self.streams.is_playing(msid) {
            return Err(SendError::NotActive { msid });
        }
        self.link.send_media(msid, message)
    }

    /// Sets what the answer to `connect` will announce; without effect after it.
    ///
    /// `window_ack_size` is as in [`ServerConfig`], with 0 for no announcement; `in_ack_size` is the window for our
    /// acknowledgements until the client announces another, in bytes, 0 to leave it to the client.
    pub fn set_windows(&mut self, window_ack_size: u32, in_ack_size: u32) {
        if self.connection != Connection::Accepted {
            self.config.window_ack_size = window_ack_size;
            if in_ack_size > 0 {
                self.link.set_ack_window(in_ack_size);
            }
        }
    }

    /// Sets the chunk size: the one that the answer to `connect` will announce, or after it a new one, told at once
    /// if it is another. Media encoded for this session from now on must have it.
    pub fn set_chunk_size(&mut self, chunk_size: u32) {
        let is_new = self.config.chunk_size != chunk_size;
        self.config.chunk_size = chunk_size;
        if is_new && self.connection == Connection::Accepted && self.failed.is_none() {
            self.link.send_chunk_size(chunk_size);
        }
    }

    /// The encoder whose bytes a player on this message stream understands, once its play is accepted.
    pub fn media_encoder(&self, msid: MessageStreamId) -> MediaEncoder {
        self.link.media_encoder(msid)
    }

    /// Counts bytes that the owner has sent to the client itself, between two whole messages of the session.
    pub fn record_sent(&mut self, bytes: usize) {
        self.link.record_sent(bytes);
    }

    /// Asks the client for a sign of life; the answer is [`ServerEvent::Pong`].
    pub fn ping(&mut self, now: Instant) {
        if self.handshake.is_none() && self.failed.is_none() {
            self.link.ping(now);
        }
    }

    /// How the client goes about a publish, by what it has called so far.
    pub fn publish_style(&self) -> PublishStyle {
        self.publish_style
    }

    /// The bytes that wait to be polled.
    pub fn pending_transmit(&self) -> usize {
        self.link.pending()
    }

    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        self.link.stats()
    }

    fn read(&mut self, now: Instant, mut data: &[u8]) -> Result<(), SessionError> {
        if let Some(handshake) = &mut self.handshake {
            let input = &mut data;
            if !self.link.transmit(|out| handshake.receive(input, out))? {
                return Ok(());
            }
            self.handshake = None;
        }
        while let Some(message) = self.link.read(&mut data)? {
            self.handle(now, message)?;
        }
        Ok(())
    }

    fn handle(&mut self, now: Instant, message: Message) -> Result<(), SessionError> {
        let Message { msid, type_id, timestamp, .. } = message;
        let media = |kind, payload| MediaMessage { kind, timestamp, payload };
        if matches!(type_id, MessageType::AGGREGATE | MessageType::AUDIO | MessageType::VIDEO)
            && self.streams.publishing(msid).is_none()
        {
            self.link.dropped = self.link.dropped.saturating_add(1);
            return Ok(());
        }
        match Body::decode(message, &self.config.limits.amf0)? {
            Body::Audio(payload) => self.media(msid, media(MediaKind::Audio, payload)),
            Body::Video(payload) => self.media(msid, media(MediaKind::Video, payload)),
            Body::Data(data) => self.media(msid, media(MediaKind::Data, data.into_payload())),
            Body::Aggregate(mut aggregate) => {
                let limits = self.config.limits.amf0.clone();
                while let Some(message) = self.link.next_part(&mut aggregate, &limits)? {
                    self.media(msid, message);
                }
            }
            Body::Command(command) => return self.command(msid, command),
            other => self.control(now, other),
        }
        Ok(())
    }

    fn control(&mut self, now: Instant, body: Body) {
        let event = match self.link.handle_control(now, body) {
            Some(Control::Acknowledged(bytes)) => ServerEvent::Acknowledged { bytes },
            Some(Control::BufferLength { msid, millis }) => {
                ServerEvent::BufferLength { msid, millis }
            }
            Some(Control::Pong(round_trip)) => ServerEvent::Pong { round_trip },
            Some(Control::StreamEof(_)) | None => return,
        };
        self.link.push_event(event);
    }

    fn media(&mut self, msid: MessageStreamId, message: MediaMessage) {
        match self.streams.publishing(msid) {
            Some(msid) if !message.payload.is_empty() => {
                self.link.push_event(ServerEvent::Media { msid, message });
            }
            _ => self.link.dropped = self.link.dropped.saturating_add(1),
        }
    }

    fn check(&self) -> Result<(), SessionError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn keep(&mut self, result: Result<(), SessionError>) -> Result<(), SessionError> {
        self.failed = result.as_ref().err().cloned();
        result
    }
}
