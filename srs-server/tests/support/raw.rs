//! An RTMP client that calls only what it is told to, and gives out every message it is sent.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use rtmp_proto::{
    ChunkStreamId, Limits, MessageStreamId, MessageType,
    amf0::{Object, Value},
    chunk::{ChunkReader, ChunkWriter},
    message::{Command, Message},
};

/// A connection on which a test says every message itself.
pub(crate) struct RawClient {
    pub(crate) socket: TcpStream,
    writer: ChunkWriter,
    reader: ChunkReader,
    /// Read and not yet made into messages.
    pending: Vec<u8>,
    transaction: f64,
}

impl RawClient {
    /// Connects as far as the handshake, in its simple form.
    pub(crate) fn shake_hands(port: u16) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.write_all(&[vec![3], vec![0; 1536]].concat()).unwrap();
        let mut answer = vec![0; 1 + 2 * 1536];
        socket.read_exact(&mut answer).unwrap();
        socket.write_all(&answer[1..=1536]).unwrap();
        Self {
            socket,
            writer: ChunkWriter::new(),
            reader: ChunkReader::new(&Limits::default()),
            pending: Vec::new(),
            transaction: 0.0,
        }
    }

    /// Connects to an app, and takes the answer.
    pub(crate) fn connect(port: u16, tc_url: &str, app: &str) -> Self {
        let mut client = Self::shake_hands(port);
        client.call_connect(tc_url, app);
        assert_eq!(client.answer().name, "_result");
        client
    }

    /// Calls `connect`, without waiting for the answer.
    pub(crate) fn call_connect(&mut self, tc_url: &str, app: &str) {
        self.transaction += 1.0;
        let object = Object::from([("app", Value::from(app)), ("tcUrl", tc_url.into())]);
        let command =
            Command { object: object.into(), ..Command::new("connect", self.transaction) };
        self.send_command(MessageStreamId::CONTROL, &command);
    }

    /// Calls `createStream`; the stream's id.
    pub(crate) fn create_stream(&mut self) -> MessageStreamId {
        self.call(MessageStreamId::CONTROL, "createStream", vec![]);
        MessageStreamId(self.answer().arguments[0].as_number().unwrap() as u32)
    }

    /// Calls something, without waiting for the answer.
    pub(crate) fn call(&mut self, msid: MessageStreamId, name: &str, arguments: Vec<Value>) {
        self.transaction += 1.0;
        self.send_command(msid, &Command { arguments, ..Command::new(name, self.transaction) });
    }

    /// Publishes on a stream that was created, and waits until it may.
    pub(crate) fn publish(&mut self, msid: MessageStreamId, name: &str) {
        self.call(msid, "publish", vec![name.into(), "live".into()]);
        self.wait_for_status("NetStream.Publish.Start");
    }

    /// Plays on a stream that was created, and waits until it may.
    pub(crate) fn play(&mut self, msid: MessageStreamId, name: &str) {
        self.call(msid, "play", vec![name.into()]);
        self.wait_for_status("NetStream.Play.Start");
    }

    fn send_command(&mut self, msid: MessageStreamId, command: &Command) {
        self.send(&command.to_message(ChunkStreamId::COMMAND, msid).unwrap());
    }

    /// Sends a message of a published stream.
    pub(crate) fn send_media(
        &mut self,
        msid: MessageStreamId,
        type_id: MessageType,
        timestamp: u32,
        payload: Bytes,
    ) {
        self.send(&Message { csid: ChunkStreamId::MEDIA, msid, type_id, timestamp, payload });
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &Message) {
        let mut bytes = BytesMut::new();
        self.writer.write(message, &mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    /// The next message; an error once the connection is closed or 5 s are over.
    pub(crate) fn next(&mut self) -> Result<Message, String> {
        loop {
            let mut input = &self.pending[..];
            let message = self.reader.read(&mut input).map_err(|error| error.to_string())?;
            self.pending.drain(..self.pending.len() - input.len());
            if let Some(message) = message {
                return Ok(message);
            }
            let mut buf = [0; 64 * 1024];
            match self.socket.read(&mut buf) {
                Ok(0) => return Err("closed".to_owned()),
                Ok(n) => self.pending.extend(&buf[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err("nothing to read".to_owned());
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// The next message of a type; what comes before it is dropped.
    #[track_caller]
    pub(crate) fn next_of(&mut self, type_id: MessageType) -> Message {
        loop {
            let message = self.next().unwrap_or_else(|error| panic!("no {type_id:?}: {error}"));
            if message.type_id == type_id {
                return message;
            }
        }
    }

    /// The next command; what comes before it is dropped.
    #[track_caller]
    pub(crate) fn next_command(&mut self) -> Command {
        let message = self.next_of(MessageType::COMMAND_AMF0);
        Command::decode(message.type_id, &message.payload, &Limits::default().amf0).unwrap()
    }

    /// The answer to the last call; what comes before it is dropped.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Command {
        loop {
            let command = self.next_command();
            if command.transaction_id == self.transaction {
                return command;
            }
        }
    }

    /// Waits for an `onStatus` with this code.
    #[track_caller]
    pub(crate) fn wait_for_status(&mut self, code: &str) {
        loop {
            let command = self.next_command();
            let info = command.argument(0).and_then(Value::as_object);
            let told = info.and_then(|info| info.get("code")).and_then(Value::as_str);
            assert_ne!(command.name, "_error", "{command:?}");
            if command.name == "onStatus" && told == Some(code) {
                return;
            }
        }
    }
}
