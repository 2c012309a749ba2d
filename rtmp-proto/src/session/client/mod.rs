//! The client's side of a connection.

mod command;
mod config;
mod event;

use std::time::Instant;

pub use config::{ClientConfig, Purpose};
pub use event::{ClientEvent, ClientOutput};

use super::link::{Control, Link};
use super::{SendError, SessionError, Stats};
use crate::handshake::ClientHandshake;
use crate::message::{Body, Command, Data, Message};
use crate::{MediaKind, MediaMessage, MessageStreamId};

/// One RTMP connection, client side, that publishes or plays one stream. Owns no socket and reads no clock.
///
/// It starts by itself: take [`poll_output`](Self::poll_output) until it is empty, send the bytes, feed what comes
/// back by [`receive`](Self::receive), and so on until [`ClientEvent::PublishStarted`] or [`ClientEvent::PlayStarted`].
/// Any order of calls is safe.
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    link: Link<ClientEvent>,
    handshake: Option<ClientHandshake>,
    state: State,
    start: Instant,
    failed: Option<SessionError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the answer to `connect`.
    Connecting,
    /// Before the answer to `createStream`.
    CreatingStream,
    /// Before the answer to `publish` or `play`.
    Starting(MessageStreamId),
    Active(MessageStreamId),
    Closed,
}

impl ClientSession {
    /// Starts the handshake.
    pub fn new(config: ClientConfig, now: Instant) -> Self {
        let mut link = Link::new(&config.limits, config.in_ack_size, now);
        let handshake =
            link.transmit(|out| ClientHandshake::new(config.handshake, config.seed, out));
        Self {
            config,
            link,
            handshake: Some(handshake),
            state: State::Connecting,
            start: now,
            failed: None,
        }
    }

    /// Takes bytes from the server, in any split.
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

    /// The next output, in the order it came about. Poll until `None` after every other call, and at the start.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        self.link.poll()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` once the stream has started or is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let limits = &self.config.limits;
        match (&self.failed, self.state, &self.handshake) {
            (Some(_), ..) | (_, State::Active(_) | State::Closed, _) => None,
            (None, _, Some(_)) => self.start.checked_add(limits.handshake_timeout),
            (None, _, None) => self.start.checked_add(limits.setup_timeout),
        }
    }

    /// Sends media of a publish that has started. Metadata is marked with `@setDataFrame` for the server to keep.
    ///
    /// # Errors
    ///
    /// [`SendError`]; nothing is sent then, and the session goes on.
    pub fn send_media(
        &mut self,
        msid: MessageStreamId,
        message: &MediaMessage,
    ) -> Result<(), SendError> {
        let publishes = matches!(self.config.purpose, Purpose::Publish { .. });
        if self.failed.is_some() || !publishes || self.state != State::Active(msid) {
            return Err(SendError::NotActive { msid });
        }
        if message.kind == MediaKind::Data {
            let payload = Data::to_publish(&message.payload);
            return self.link.send_media(msid, &MediaMessage { payload, ..*message });
        }
        self.link.send_media(msid, message)
    }

    /// Ends the publish or play and tells the server so. Close the connection after the output is sent.
    pub fn stop(&mut self) {
        if self.failed.is_none() {
            self.send_stop();
        }
        self.state = State::Closed;
    }

    /// Asks the server for a sign of life; the answer is [`ClientEvent::Pong`].
    pub fn ping(&mut self, now: Instant) {
        if self.handshake.is_none() && self.failed.is_none() {
            self.link.ping(now);
        }
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
            if self.state == State::Connecting {
                self.send_connect();
            }
        }
        while let Some(message) = self.link.read(&mut data)? {
            self.handle(now, message)?;
        }
        Ok(())
    }

    fn handle(&mut self, now: Instant, message: Message) -> Result<(), SessionError> {
        let timestamp = message.timestamp;
        let media = |kind, payload| MediaMessage { kind, timestamp, payload };
        match Body::decode(message, &self.config.limits.amf0)? {
            Body::Audio(payload) => self.media(media(MediaKind::Audio, payload)),
            Body::Video(payload) => self.media(media(MediaKind::Video, payload)),
            Body::Data(data) => match data.name() {
                b"|RtmpSampleAccess" => {}
                b"onStatus" | b"onPlayStatus" => self.status_data(&data.into_payload()),
                _ => self.media(media(MediaKind::Data, data.into_payload())),
            },
            Body::Aggregate(mut aggregate) => {
                let limits = self.config.limits.amf0.clone();
                while let Some(message) = self.link.next_part(&mut aggregate, &limits)? {
                    self.media(message);
                }
            }
            Body::Command(command) => self.command(command),
            other => self.control(now, other),
        }
        Ok(())
    }

    fn control(&mut self, now: Instant, body: Body) {
        let event = match self.link.handle_control(now, body) {
            Some(Control::Acknowledged(bytes)) => ClientEvent::Acknowledged { bytes },
            Some(Control::Pong(round_trip)) => ClientEvent::Pong { round_trip },
            Some(Control::StreamEof(msid)) => ClientEvent::StreamEof { msid },
            Some(Control::BufferLength { .. }) | None => return,
        };
        self.link.push_event(event);
    }

    /// There is one stream only, so that the message stream of media is not looked at.
    fn media(&mut self, message: MediaMessage) {
        let plays = matches!(self.config.purpose, Purpose::Play { .. });
        match self.state {
            State::Starting(_) | State::Active(_) if plays && !message.payload.is_empty() => {}
            _ => {
                self.link.dropped = self.link.dropped.saturating_add(1);
                return;
            }
        }
        // Some servers send media without having said that it will come.
        if let State::Starting(msid) = self.state {
            self.started(msid);
        }
        if let State::Active(msid) = self.state {
            self.link.push_event(ClientEvent::Media { msid, message });
        }
    }

    fn started(&mut self, msid: MessageStreamId) {
        self.state = State::Active(msid);
        self.link.push_event(match self.config.purpose {
            Purpose::Publish { .. } => ClientEvent::PublishStarted { msid },
            Purpose::Play { .. } => ClientEvent::PlayStarted { msid },
        });
    }

    fn send(&mut self, msid: MessageStreamId, command: &Command) {
        self.link.send_command(msid, command);
    }

    fn check(&self) -> Result<(), SessionError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn keep(&mut self, result: Result<(), SessionError>) -> Result<(), SessionError> {
        self.failed = result.as_ref().err().cloned();
        result
    }
}
