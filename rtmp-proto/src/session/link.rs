use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::outbox::{Outbox, Output};
use super::{SendError, SessionError};
use crate::chunk::{ChunkReader, ChunkWriter, EncodeError, MediaEncoder};
use crate::message::{
    Acknowledgement, Aggregate, BandwidthLimit, Body, Command, ControlMessage, Data, Message,
    SetChunkSize, SetPeerBandwidth, UserControl, WindowAcknowledgementSize,
};
use crate::{ChunkStreamId, Limits, MediaKind, MediaMessage, MessageStreamId, MessageType};

/// Acknowledgements are not sent more often than this many bytes, however small a window the peer asks for.
const LEAST_ACK_BYTES: u64 = 1024;

/// What a session has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes received, with the handshake.
    pub received_bytes: u64,
    /// Bytes written, with the handshake and what `record_sent` was told.
    pub sent_bytes: u64,
    /// Bytes sent that the peer has not acknowledged; all of them if it never acknowledges.
    pub unacknowledged_bytes: u32,
    /// Media messages of the peer that belonged to no accepted publish or play, or were empty.
    pub dropped_messages: u64,
    /// Bytes held of messages that have only partly arrived.
    pub partial_bytes: usize,
}

/// What both sessions do below the commands: chunks, acknowledgements, pings, and the queue of what comes out.
#[derive(Debug)]
pub(super) struct Link<E> {
    reader: ChunkReader,
    writer: ChunkWriter,
    outbox: Outbox<E>,
    output_limit: usize,
    start: Instant,
    received: u64,
    /// `received` when the last acknowledgement went out.
    acknowledged: u64,
    /// The window of the peer, or the configured one.
    ack_window: u32,
    sent: u64,
    /// What the peer has acknowledged, wrapping as it says it.
    peer_acknowledged: u32,
    /// The window last announced to the peer.
    own_window: u32,
    /// Whether the last limit of the peer was a hard one.
    hard_limit: bool,
    ping: Option<(u32, Instant)>,
    pub(super) dropped: u64,
}

/// What a control message of the peer means to the session.
pub(super) enum Control {
    Acknowledged(u32),
    BufferLength { msid: MessageStreamId, millis: u32 },
    Pong(Duration),
    StreamEof(MessageStreamId),
}

impl<E> Link<E> {
    pub(super) fn new(limits: &Limits, ack_window: u32, now: Instant) -> Self {
        Self {
            reader: ChunkReader::new(limits),
            writer: ChunkWriter::new(),
            outbox: Outbox::new(),
            output_limit: limits.output_bytes,
            start: now,
            received: 0,
            acknowledged: 0,
            ack_window,
            sent: 0,
            peer_acknowledged: 0,
            own_window: 0,
            hard_limit: false,
            ping: None,
            dropped: 0,
        }
    }

    /// Writes by `put` and counts what it wrote.
    pub(super) fn transmit<T>(&mut self, put: impl FnOnce(&mut BytesMut) -> T) -> T {
        let wire = self.outbox.wire();
        let before = wire.len();
        let result = put(wire);
        let written = wire.len().saturating_sub(before);
        self.sent = self.sent.saturating_add(written as u64);
        result
    }

    pub(super) fn send(&mut self, message: &Message) -> Result<(), EncodeError> {
        let mut writer = std::mem::take(&mut self.writer);
        let result = self.transmit(|out| writer.write(message, out));
        self.writer = writer;
        result
    }

    pub(super) fn send_control(&mut self, control: &impl ControlMessage) {
        // A control message is a few bytes long and always fits.
        let _fits = self.send(&control.to_message());
    }

    /// Sets the window for our acknowledgements, as long as the peer announces none.
    pub(super) fn set_ack_window(&mut self, window: u32) {
        self.ack_window = window;
    }

    /// Announces a chunk size and keeps to it.
    pub(super) fn send_chunk_size(&mut self, size: u32) {
        self.send_control(&SetChunkSize::new(size));
    }

    /// Announces how often an acknowledgement is wanted.
    pub(super) fn send_window(&mut self, window: u32) {
        self.own_window = window;
        self.send_control(&WindowAcknowledgementSize(window));
    }

    /// Sends a command on the chunk stream of its message stream.
    ///
    /// What cannot be encoded is left out: only values that the owner put into the configuration can be so.
    pub(super) fn send_command(&mut self, msid: MessageStreamId, command: &Command) {
        let csid = if msid == MessageStreamId::CONTROL {
            ChunkStreamId::COMMAND
        } else {
            ChunkStreamId::STREAM
        };
        if let Ok(message) = command.to_message(csid, msid) {
            let _fits = self.send(&message);
        }
    }

    pub(super) fn send_media(
        &mut self,
        msid: MessageStreamId,
        message: &MediaMessage,
    ) -> Result<(), SendError> {
        let encoder = self.media_encoder(msid);
        let len = encoder.encoded_len(message.timestamp, message.payload.len());
        if self.outbox.pending().saturating_add(len) > self.output_limit {
            return Err(SendError::OutputFull { limit: self.output_limit });
        }
        self.transmit(|out| encoder.encode(message, out)).map_err(SendError::Encode)
    }

    pub(super) fn media_encoder(&self, msid: MessageStreamId) -> MediaEncoder {
        MediaEncoder::new(msid, self.writer.chunk_size())
    }

    pub(super) fn push_event(&mut self, event: E) {
        self.outbox.push_event(event);
    }

    pub(super) fn poll(&mut self) -> Option<Output<E>> {
        self.outbox.pop()
    }

    pub(super) fn pending(&self) -> usize {
        self.outbox.pending()
    }

    pub(super) fn record_sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes as u64);
    }

    pub(super) fn record_received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    /// The next whole message of the peer.
    pub(super) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, SessionError> {
        self.check_output()?;
        Ok(self.reader.read(input)?)
    }

    /// Fails once more output waits than the limit allows.
    fn check_output(&self) -> Result<(), SessionError> {
        if self.outbox.held() > self.output_limit {
            return Err(SessionError::OutputFull { limit: self.output_limit });
        }
        Ok(())
    }

    /// The next part of an aggregate: one message of the peer can hold a million, each of which becomes an event.
    pub(super) fn next_part(
        &self,
        aggregate: &mut Aggregate,
        limits: &amf0::Limits,
    ) -> Result<Option<MediaMessage>, SessionError> {
        self.check_output()?;
        let mut part = aggregate.next_message()?;
        if let Some(MediaMessage { kind: MediaKind::Data, payload, .. }) = &mut part {
            let data = Data::from_payload(MessageType::DATA_AMF0, std::mem::take(payload));
            *payload = data.into_amf0(limits).into_payload();
        }
        Ok(part)
    }

    /// Acknowledges what was received, once it is half a window: a peer that stops at a full one never has to wait.
    pub(super) fn acknowledge(&mut self) {
        let step = u64::from(self.ack_window / 2).max(LEAST_ACK_BYTES);
        if self.ack_window > 0 && self.received.saturating_sub(self.acknowledged) >= step {
            self.acknowledged = self.received;
            // The number on the wire wraps (specification 5.4.3).
            self.send_control(&Acknowledgement(self.received as u32));
        }
    }

    pub(super) fn ping(&mut self, now: Instant) {
        // Milliseconds since the start; the peer only sends them back.
        let time = now.saturating_duration_since(self.start).as_millis() as u32;
        self.ping = Some((time, now));
        self.send_control(&UserControl::PingRequest(time));
    }

    /// Deals with the messages of the protocol itself; some of them mean something to the session.
    pub(super) fn handle_control(&mut self, now: Instant, body: Body) -> Option<Control> {
        match body {
            Body::Acknowledgement(Acknowledgement(bytes)) => {
                self.peer_acknowledged = bytes;
                return Some(Control::Acknowledged(bytes));
            }
            Body::WindowAcknowledgementSize(WindowAcknowledgementSize(window)) => {
                self.ack_window = window;
            }
            Body::SetPeerBandwidth(bandwidth) => self.limit_bandwidth(bandwidth),
            Body::UserControl(UserControl::PingRequest(time)) => {
                self.send_control(&UserControl::PingResponse(time));
            }
            Body::UserControl(UserControl::PingResponse(time)) => {
                let (_, at) = self.ping.take_if(|(sent, _)| *sent == time)?;
                return Some(Control::Pong(now.saturating_duration_since(at)));
            }
            Body::UserControl(UserControl::SetBufferLength { msid, millis }) => {
                return Some(Control::BufferLength { msid, millis });
            }
            Body::UserControl(UserControl::StreamEof(msid)) => {
                return Some(Control::StreamEof(msid));
            }
            // The reader has applied Set Chunk Size and Abort; nothing else is control.
            _ => {}
        }
        None
    }

    /// Answers Set Peer Bandwidth with the window it leads to, if that is a new one (specification 5.4.5).
    fn limit_bandwidth(&mut self, SetPeerBandwidth { window, limit }: SetPeerBandwidth) {
        let window = match limit {
            BandwidthLimit::Hard => window,
            BandwidthLimit::Soft if self.own_window == 0 => window,
            BandwidthLimit::Soft => window.min(self.own_window),
            BandwidthLimit::Dynamic if self.hard_limit => window,
            BandwidthLimit::Dynamic | BandwidthLimit::Other(_) => return,
        };
        self.hard_limit = limit != BandwidthLimit::Soft;
        if window != self.own_window {
            self.send_window(window);
        }
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            received_bytes: self.received,
            sent_bytes: self.sent,
            unacknowledged_bytes: (self.sent as u32).wrapping_sub(self.peer_acknowledged),
            dropped_messages: self.dropped,
            partial_bytes: self.reader.held_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)] // the one base time; nothing is measured
    fn link(window: u32) -> Link<()> {
        Link::new(&Limits::default(), window, Instant::now())
    }

    fn wire(link: &mut Link<()>) -> Vec<u8> {
        match link.poll() {
            Some(Output::Transmit(bytes)) => bytes.to_vec(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn acknowledges_at_half_a_window_and_wraps() {
        let mut link = link(4096);
        link.record_received(2047);
        link.acknowledge();
        assert_eq!(link.pending(), 0);
        link.record_received(1);
        link.acknowledge();
        assert_eq!(wire(&mut link), [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 8, 0]);
        link.record_received(u32::MAX as usize);
        link.acknowledge();
        assert_eq!(wire(&mut link)[4..], [0, 0, 7, 0xff]);
    }

    #[test]
    fn no_window_no_acknowledgement() {
        let mut link = link(0);
        link.record_received(1 << 30);
        link.acknowledge();
        assert_eq!(link.pending(), 0);
    }

    #[test]
    fn peer_bandwidth_is_answered_when_it_changes_the_window() {
        let mut link = link(0);
        let now = link.start;
        let mut answers = |window, limit| {
            let body = Body::SetPeerBandwidth(SetPeerBandwidth { window, limit });
            assert!(link.handle_control(now, body).is_none());
            !wire(&mut link).is_empty()
        };
        assert!(!answers(5000, BandwidthLimit::Dynamic));
        assert!(answers(5000, BandwidthLimit::Hard));
        assert!(!answers(5000, BandwidthLimit::Hard));
        assert!(answers(6000, BandwidthLimit::Dynamic));
        assert!(!answers(7000, BandwidthLimit::Soft));
        assert!(answers(4000, BandwidthLimit::Soft));
        assert!(!answers(9000, BandwidthLimit::Dynamic));
        assert!(!answers(9000, BandwidthLimit::Other(9)));
    }

    #[test]
    fn pings_both_ways() {
        let mut link = link(0);
        let now = link.start + Duration::from_millis(500);
        let body = Body::UserControl(UserControl::PingRequest(7));
        assert!(link.handle_control(now, body).is_none());
        assert_eq!(wire(&mut link)[12..], [0, 7, 0, 0, 0, 7]);
        link.ping(now);
        assert_eq!(wire(&mut link)[4..], [0, 6, 0, 0, 1, 0xf4]);
        let pong = |link: &mut Link<()>, time| {
            let body = Body::UserControl(UserControl::PingResponse(time));
            link.handle_control(now + Duration::from_millis(20), body)
        };
        assert!(pong(&mut link, 3).is_none());
        assert!(matches!(pong(&mut link, 500), Some(Control::Pong(d)) if d.as_millis() == 20));
        assert!(pong(&mut link, 500).is_none());
    }

    #[test]
    fn what_the_peer_acknowledged_is_subtracted() {
        let mut link = link(0);
        link.record_sent(1000);
        let now = link.start;
        assert_eq!(link.stats().unacknowledged_bytes, 1000);
        let body = Body::Acknowledgement(Acknowledgement(600));
        assert!(matches!(link.handle_control(now, body), Some(Control::Acknowledged(600))));
        assert_eq!((link.stats().sent_bytes, link.stats().unacknowledged_bytes), (1000, 400));
    }
}
