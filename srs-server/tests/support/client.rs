//! An RTMP client over a blocking socket, for what ffmpeg can't be made to do.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use rtmp_proto::{
    ChunkStreamId, ClientConfig, ClientEvent, ClientOutput, ClientSession, MediaKind, MediaMessage,
    MessageStreamId, Purpose, RtmpUrl, amf0::Value, chunk::ChunkWriter, message::Command,
};

pub(crate) type Media = (MediaKind, u32, Bytes);

/// A connection that publishes or plays.
pub(crate) struct RtmpClient {
    pub(crate) socket: TcpStream,
    session: ClientSession,
    msid: MessageStreamId,
    received: Vec<Media>,
}

impl RtmpClient {
    /// Connects and publishes; panics when it is refused.
    pub(crate) fn publish(url: &str) -> Self {
        Self::open(url, Purpose::publish()).unwrap()
    }

    /// Connects and plays.
    pub(crate) fn play(url: &str) -> Self {
        Self::open(url, Purpose::play()).unwrap()
    }

    /// As far as publish or play accepted; else why not.
    pub(crate) fn open(url: &str, purpose: Purpose) -> Result<Self, String> {
        Self::open_with(ClientConfig::new(RtmpUrl::parse(url).unwrap(), purpose))
    }

    /// Connects and plays as one that says which codecs of enhanced RTMP it takes.
    pub(crate) fn play_announcing(url: &str, codecs: &[&str]) -> Self {
        Self::try_play_announcing(url, codecs).unwrap()
    }

    /// As [`RtmpClient::play_announcing`], for players that are refused.
    pub(crate) fn try_play_announcing(url: &str, codecs: &[&str]) -> Result<Self, String> {
        let mut config = ClientConfig::new(RtmpUrl::parse(url).unwrap(), Purpose::play());
        let list = codecs.iter().map(|&codec| codec.into()).collect();
        config.connect_properties.push("fourCcList", Value::StrictArray(list));
        Self::open_with(config)
    }

    /// As [`RtmpClient::open`], with all that a client may say of itself.
    pub(crate) fn open_with(config: ClientConfig) -> Result<Self, String> {
        let url = &config.url;
        let socket = TcpStream::connect(("127.0.0.1", url.port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        let session = ClientSession::new(config, Instant::now());
        let mut client = Self { socket, session, msid: MessageStreamId(0), received: Vec::new() };
        loop {
            if client.handle_outputs()? {
                return Ok(client);
            }
            client.read()?;
        }
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, kind: MediaKind, timestamp: u32, payload: Bytes) {
        self.try_send(kind, timestamp, payload).unwrap();
    }

    /// Sends one message; an error once the server has closed the connection.
    pub(crate) fn try_send(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        payload: Bytes,
    ) -> Result<(), String> {
        let message = MediaMessage { kind, timestamp, payload };
        self.session.send_media(self.msid, &message).map_err(|error| error.to_string())?;
        self.handle_outputs().map(|_| ())
    }

    /// Sends a command on the stream, one that expects no answer.
    pub(crate) fn command(&mut self, name: &str, arguments: Vec<Value>) {
        let command = Command { arguments, ..Command::new(name, 0.0) };
        // On a chunk stream that the session leaves alone, whatever it has sent before.
        let csid = ChunkStreamId::new(9).unwrap();
        let message = command.to_message(csid, self.msid).unwrap();
        let mut bytes = BytesMut::new();
        ChunkWriter::new().write(&message, &mut bytes).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    /// The next media message; an error once the connection is closed or 5 s are over.
    pub(crate) fn next(&mut self) -> Result<Media, String> {
        while self.received.is_empty() {
            self.read()?;
            self.handle_outputs()?;
        }
        Ok(self.received.remove(0))
    }

    /// All media messages of the next `time`.
    pub(crate) fn collect(&mut self, time: Duration) -> Vec<Media> {
        let end = Instant::now() + time;
        self.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        while Instant::now() < end {
            if self.read().is_ok() {
                self.handle_outputs().unwrap();
            }
        }
        self.socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        std::mem::take(&mut self.received)
    }

    fn read(&mut self) -> Result<(), String> {
        let mut buf = [0; 64 * 1024];
        match self.socket.read(&mut buf) {
            Ok(0) => Err("closed".to_owned()),
            Ok(n) => {
                self.session.receive(Instant::now(), &buf[..n]).map_err(|error| error.to_string())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err("nothing to read".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Whether publish or play was accepted.
    fn handle_outputs(&mut self) -> Result<bool, String> {
        let mut started = false;
        while let Some(output) = self.session.poll_output() {
            match output {
                ClientOutput::Transmit(bytes) => {
                    self.socket.write_all(&bytes).map_err(|error| error.to_string())?;
                }
                ClientOutput::Event(event) => match event {
                    ClientEvent::PublishStarted { msid } | ClientEvent::PlayStarted { msid } => {
                        self.msid = msid;
                        started = true;
                    }
                    ClientEvent::Media { message, .. } => {
                        self.received.push((message.kind, message.timestamp, message.payload));
                    }
                    ClientEvent::Rejected { code, description, .. } => {
                        return Err(format!("{code}: {description}"));
                    }
                    _ => {}
                },
            }
        }
        Ok(started)
    }
}

/// A body of H.264's configuration, Baseline 3.0, without parameter sets.
pub(crate) fn video_header() -> Bytes {
    Bytes::from_static(&[0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1e, 0xff, 0xe0, 0])
}

/// A keyframe of `len` bytes that carries `number`.
pub(crate) fn key_frame(number: u32, len: usize) -> Bytes {
    frame(0x17, 0x65, number, len)
}

/// An inter frame of `len` bytes that carries `number`.
pub(crate) fn inter_frame(number: u32, len: usize) -> Bytes {
    frame(0x27, 0x41, number, len)
}

fn frame(first: u8, nal: u8, number: u32, len: usize) -> Bytes {
    let nal_len = u32::try_from(len - 9).unwrap().to_be_bytes();
    let mut body = vec![first, 1, 0, 0, 0];
    body.extend(nal_len);
    body.push(nal);
    body.extend(number.to_be_bytes());
    body.resize(len, 0x55);
    body.into()
}
