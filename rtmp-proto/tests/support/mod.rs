//! A scripted client against a server session, and the base of virtual time.

#![allow(dead_code)] // each test file uses its own part

use std::time::Instant;

use amf0::{Object, Value};
use bytes::{Bytes, BytesMut};
use rtmp_proto::chunk::{ChunkReader, ChunkWriter};
use rtmp_proto::handshake::PACKET_SIZE;
use rtmp_proto::message::{Body, Command, ControlMessage, Message, UserControl};
use rtmp_proto::{
    ChunkStreamId, Limits, MediaKind, MediaMessage, MessageStreamId, MessageType, Output,
    RequestId, ServerConfig, ServerEvent, ServerSession, SessionError,
};

/// The one reading of the clock; all else is virtual.
#[allow(clippy::disallowed_methods)]
pub(crate) fn base() -> Instant {
    Instant::now()
}

pub(crate) const CONTROL: MessageStreamId = MessageStreamId(0);
pub(crate) const ONE: MessageStreamId = MessageStreamId(1);

/// A server session whose client is a test.
pub(crate) struct Scripted {
    pub(crate) session: ServerSession,
    pub(crate) now: Instant,
    pub(crate) events: Vec<ServerEvent>,
    /// What the server sent, after its handshake.
    pub(crate) sent: Vec<Message>,
    writer: ChunkWriter,
    reader: ChunkReader,
    handshake_left: usize,
}

impl Scripted {
    /// A session that has not seen a byte yet.
    pub(crate) fn fresh(config: ServerConfig) -> Self {
        let now = base();
        Self {
            session: ServerSession::new(config, now),
            now,
            events: Vec::new(),
            sent: Vec::new(),
            writer: ChunkWriter::new(),
            reader: ChunkReader::new(&Limits::default()),
            handshake_left: 1 + 2 * PACKET_SIZE,
        }
    }

    /// A session after the handshake.
    pub(crate) fn shaken(config: ServerConfig) -> Self {
        let mut this = Self::fresh(config);
        let mut bytes = vec![3];
        bytes.extend([7; 2 * PACKET_SIZE]);
        this.receive(&bytes).unwrap();
        this
    }

    /// A session whose `connect` is accepted.
    pub(crate) fn connected() -> Self {
        let mut this = Self::shaken(ServerConfig::default());
        this.call(CONTROL, "connect", 1.0, connect_object(), vec![]);
        this.accept();
        this
    }

    /// A session with an accepted publish of "s" on message stream 1.
    pub(crate) fn publishing() -> Self {
        let mut this = Self::connected();
        this.call(CONTROL, "createStream", 2.0, Value::Null, vec![]);
        this.call(ONE, "publish", 3.0, Value::Null, vec!["s".into(), "live".into()]);
        this.accept();
        this.forget();
        this
    }

    /// A session with an accepted play of "s" on message stream 1.
    pub(crate) fn playing() -> Self {
        let mut this = Self::connected();
        this.call(CONTROL, "createStream", 2.0, Value::Null, vec![]);
        this.call(ONE, "play", 3.0, Value::Null, vec!["s".into()]);
        this.accept();
        this.forget();
        this
    }

    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.sent.clear();
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), SessionError> {
        let result = self.session.receive(self.now, bytes);
        self.drain();
        result
    }

    pub(crate) fn send(&mut self, message: &Message) -> Result<(), SessionError> {
        let mut bytes = BytesMut::new();
        self.writer.write(message, &mut bytes).unwrap();
        self.receive(&bytes)
    }

    pub(crate) fn call(
        &mut self,
        msid: MessageStreamId,
        name: &str,
        transaction_id: f64,
        object: Value,
        arguments: Vec<Value>,
    ) {
        let message = command(msid, name, transaction_id, object, arguments);
        self.send(&message).unwrap();
    }

    pub(crate) fn media(&mut self, msid: MessageStreamId, kind: MediaKind, payload: &'static [u8]) {
        let message = media_message(msid, kind, 40, payload);
        self.send(&message).unwrap();
    }

    /// Takes the session's output apart.
    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Transmit(bytes) => {
                    let skip = self.handshake_left.min(bytes.len());
                    self.handshake_left -= skip;
                    let mut bytes = &bytes[skip..];
                    while let Some(message) = self.reader.read(&mut bytes).unwrap() {
                        self.sent.push(message);
                    }
                }
            }
        }
    }

    /// Accepts the request of the last event.
    pub(crate) fn accept(&mut self) {
        self.session.accept(request(self.events.last().unwrap()).unwrap()).unwrap();
        self.drain();
    }

    /// The commands the server sent: where, name, transaction id and code.
    pub(crate) fn commands(&self) -> Vec<(u32, String, f64, String)> {
        self.sent
            .iter()
            .filter(|message| message.type_id == MessageType::COMMAND_AMF0)
            .map(|message| {
                let command = decode(message);
                let info = command.arguments.first().and_then(Value::as_object);
                let code = info.and_then(|info| info.get("code")).and_then(Value::as_str);
                let code = code.unwrap_or_default().to_owned();
                (message.msid.0, command.name, command.transaction_id, code)
            })
            .collect()
    }

    /// The user control messages the server sent.
    pub(crate) fn user_controls(&self) -> Vec<UserControl> {
        self.sent
            .iter()
            .filter(|message| message.type_id == MessageType::USER_CONTROL)
            .map(|message| UserControl::decode(&message.payload).unwrap())
            .collect()
    }
}

pub(crate) fn command_row(
    msid: u32,
    name: &str,
    id: f64,
    code: &str,
) -> (u32, String, f64, String) {
    (msid, name.to_owned(), id, code.to_owned())
}

pub(crate) fn request(event: &ServerEvent) -> Option<RequestId> {
    match event {
        ServerEvent::ConnectRequested { id, .. }
        | ServerEvent::PublishRequested { id, .. }
        | ServerEvent::PlayRequested { id, .. } => Some(*id),
        _ => None,
    }
}

pub(crate) fn decode(message: &Message) -> Command {
    match Body::decode(message.clone(), &amf0::Limits::default()) {
        Ok(Body::Command(command)) => command,
        other => panic!("not a command: {other:?}"),
    }
}

pub(crate) fn connect_object() -> Value {
    Object::from([("app", "live"), ("tcUrl", "rtmp://localhost/live")]).into()
}

pub(crate) fn command(
    msid: MessageStreamId,
    name: &str,
    transaction_id: f64,
    object: Value,
    arguments: Vec<Value>,
) -> Message {
    let command = Command { object, arguments, ..Command::new(name, transaction_id) };
    command.to_message(ChunkStreamId::COMMAND, msid).unwrap()
}

pub(crate) fn media_message(
    msid: MessageStreamId,
    kind: MediaKind,
    timestamp: u32,
    payload: &'static [u8],
) -> Message {
    Message {
        csid: ChunkStreamId::MEDIA,
        msid,
        type_id: kind.message_type(),
        timestamp,
        payload: Bytes::from_static(payload),
    }
}

pub(crate) fn media(kind: MediaKind, timestamp: u32, payload: &'static [u8]) -> MediaMessage {
    MediaMessage { kind, timestamp, payload: Bytes::from_static(payload) }
}

/// The bytes of a whole publish, cut where a real client waits for the server.
pub(crate) fn publish_segments() -> Vec<Vec<u8>> {
    let mut writer = ChunkWriter::new();
    let mut wire = |messages: &[Message]| {
        let mut bytes = BytesMut::new();
        for message in messages {
            writer.write(message, &mut bytes).unwrap();
        }
        bytes.to_vec()
    };
    let null = || Value::Null;
    let name = || vec![Value::from("s")];
    vec![
        [&[3][..], &[7; PACKET_SIZE]].concat(),
        [vec![9; PACKET_SIZE], wire(&[command(CONTROL, "connect", 1.0, connect_object(), vec![])])]
            .concat(),
        wire(&[
            rtmp_proto::message::WindowAcknowledgementSize(5000).to_message(),
            rtmp_proto::message::SetChunkSize::new(300).to_message(),
            command(CONTROL, "releaseStream", 2.0, null(), name()),
            command(CONTROL, "FCPublish", 3.0, null(), name()),
            command(CONTROL, "createStream", 4.0, null(), vec![]),
        ]),
        wire(&[command(ONE, "publish", 5.0, null(), vec!["s".into(), "live".into()])]),
        wire(&[
            media_message(ONE, MediaKind::Data, 0, b"\x02\x00\x0d@setDataFrame\x02\x00\x01x\x05"),
            media_message(ONE, MediaKind::Video, 0, &[0x17; 900]),
            media_message(ONE, MediaKind::Audio, 23, &[0xaf; 200]),
            UserControl::PingRequest(5).to_message(),
            media_message(ONE, MediaKind::Video, 0x0100_0000, &[0x27; 700]),
            command(CONTROL, "FCUnpublish", 6.0, null(), name()),
            command(CONTROL, "deleteStream", 7.0, null(), vec![1.0.into()]),
        ]),
    ]
}
