//! RTMP sessions, both sides, under virtual time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rtmp_proto::{
    ClientConfig, ClientSession, Connect, Limits, MediaKind, MediaMessage, MessageStreamId, Output,
    Purpose, RequestId, RtmpUrl, ServerConfig, ServerEvent, ServerSession, SessionError, Stats,
    StatusCode, chunk::ChunkReader, message::Body,
};

use crate::split::Split;

/// C0 and C1, or S0 and S1, and what answers the other side.
const HANDSHAKE: usize = 1 + 1536 + 1536;

fn client_config(purpose: Purpose) -> ClientConfig {
    let url: RtmpUrl = "rtmp://127.0.0.1/live/livestream?token=1".parse().expect("a valid address");
    ClientConfig::new(url, purpose)
}

/// What the owner of a server session does, as the first byte of the input says.
#[derive(Clone, Copy)]
struct Owner {
    /// Where the input starts: before the handshake, after it, or once something is published or
    /// played.
    stage: u8,
    /// Whether requests are accepted, rejected, both in turn, or never answered.
    answers: u8,
    /// Time that passes after each segment.
    pause: Duration,
    /// Whether it ends what is published or played, and sends pings and media.
    is_busy: bool,
}

impl Owner {
    fn new(byte: u8) -> Self {
        let pause = if byte & 0x20 == 0 { 40 } else { 4000 };
        Self {
            stage: byte & 3,
            answers: byte >> 2 & 3,
            pause: Duration::from_millis(pause),
            is_busy: byte & 0x40 != 0,
        }
    }
}

/// A server session with its owner.
struct Server {
    session: ServerSession,
    owner: Owner,
    now: Instant,
    /// All events and answers so far, as text: numbers in them may be NaN.
    events: Vec<String>,
    transmitted: Vec<u8>,
    connect: Option<Connect>,
    requests: Vec<RequestId>,
    /// Message streams that were asked for.
    streams: Vec<MessageStreamId>,
}

impl Server {
    fn new(owner: Owner, now: Instant) -> Self {
        let session = ServerSession::new(ServerConfig::default(), now);
        Self {
            session,
            owner,
            now,
            events: Vec::new(),
            transmitted: Vec::new(),
            connect: None,
            requests: Vec::new(),
            streams: Vec::new(),
        }
    }

    /// Takes the output. Nothing is answered yet, so that this can be done at any place.
    fn poll(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Transmit(bytes) => self.transmitted.extend_from_slice(&bytes),
                Output::Event(event) => {
                    self.events.push(format!("{event:?}"));
                    match event {
                        ServerEvent::ConnectRequested { id, connect } => {
                            let _ = connect.tc_url.parse::<RtmpUrl>();
                            self.connect = Some(*connect);
                            self.requests.push(id);
                        }
                        ServerEvent::PublishRequested { id, msid, stream_name, .. }
                        | ServerEvent::PlayRequested { id, msid, stream_name, .. } => {
                            self.requests.push(id);
                            self.streams.push(msid);
                            let connect = self.connect.as_ref().expect("connected first");
                            if let Ok(address) = connect.resolve(&stream_name) {
                                assert!(!address.app.is_empty() && !address.stream.is_empty());
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        assert_eq!(self.session.pending_transmit(), 0);
    }

    /// Answers, sends and lets time pass, as its owner does between two segments.
    fn act(&mut self) {
        for id in std::mem::take(&mut self.requests) {
            let accepts = match self.owner.answers {
                0 => true,
                1 => false,
                2 => self.events.len().is_multiple_of(2),
                _ => continue,
            };
            let answered = if accepts {
                self.session.accept(id)
            } else {
                self.session.reject(id, StatusCode::PUBLISH_BAD_NAME, "not now")
            };
            self.events.push(format!("{answered:?}"));
            assert!(self.session.accept(id).is_err(), "a request is answered once");
        }
        if self.owner.is_busy {
            self.session.ping(self.now);
            let payload = Bytes::from_static(&[0xaf, 1, 0x21]);
            let media = MediaMessage { kind: MediaKind::Audio, timestamp: 40, payload };
            for (at, &msid) in self.streams.iter().enumerate() {
                let sent = self.session.send_media(msid, &media);
                self.events.push(format!("{sent:?}"));
                if at % 3 == 2 {
                    let ended = self.session.end_play(msid);
                    let code = StatusCode::UNPUBLISH_SUCCESS;
                    let unpublished = self.session.end_publish(msid, code, "over");
                    self.events.push(format!("{ended:?} {unpublished:?}"));
                }
            }
        }
        self.now += self.owner.pause;
    }

    /// Brings the session to where the input starts.
    fn prepare(&mut self) -> Result<(), SessionError> {
        match self.owner.stage {
            0 => Ok(()),
            1 => {
                let mut handshake = vec![0; HANDSHAKE];
                handshake[0] = 3;
                self.session.receive(self.now, &handshake)
            }
            stage => {
                let purpose = if stage == 2 { Purpose::publish() } else { Purpose::play() };
                let client = ClientSession::new(client_config(purpose), self.now);
                pair(client, self);
                Ok(())
            }
        }
    }

    /// The bytes that went out are a handshake and a chunk stream of messages that can be read.
    fn check_transmitted(&self) {
        let Some(mut wire) = self.transmitted.get(HANDSHAKE..) else { return };
        let limits = Limits::default();
        let mut reader = ChunkReader::new(&limits);
        while let Some(message) = reader.read(&mut wire).expect("the server sends chunks") {
            Body::decode(message, &limits.amf0).expect("the server sends messages");
        }
        assert!(wire.is_empty());
        assert_eq!(reader.held_bytes(), 0, "the server sends whole messages");
    }
}

/// Lets a client and a server talk, everything accepted, until both are silent; gives the client.
fn pair(mut client: ClientSession, server: &mut Server) -> ClientSession {
    const MESSAGE: &str = "client and server understand each other";
    let now = server.now;
    let owner = server.owner;
    server.owner = Owner { answers: 0, pause: Duration::ZERO, is_busy: false, ..owner };
    let mut heard = 0;
    loop {
        let mut is_silent = true;
        while let Some(output) = client.poll_output() {
            if let Output::Transmit(bytes) = output {
                is_silent = false;
                server.session.receive(now, &bytes).expect(MESSAGE);
            }
        }
        server.poll();
        server.act();
        server.poll();
        let news = &server.transmitted[heard..];
        if is_silent && news.is_empty() {
            break;
        }
        client.receive(now, news).expect(MESSAGE);
        heard = server.transmitted.len();
    }
    server.owner = owner;
    client
}

/// What can be seen of a session that was fed `segments`, each in the pieces of `split`.
fn serve(
    owner: Owner,
    now: Instant,
    segments: &[&[u8]],
    split: Option<&Split<'_>>,
) -> (Vec<String>, Result<(), SessionError>, Stats) {
    let mut server = Server::new(owner, now);
    let mut result = server.prepare();
    for segment in segments {
        if result.is_err() {
            break;
        }
        result = match split {
            None => server.session.receive(server.now, segment),
            Some(split) => split
                .pieces(segment)
                .try_for_each(|piece| server.session.receive(server.now, piece)),
        };
        server.poll();
        server.act();
        if result.is_ok() {
            result = server.session.handle_timeout(server.now);
        }
    }
    server.poll();
    if let Err(error) = &result {
        assert_eq!(server.session.receive(server.now, &[3]).as_ref(), Err(error));
        assert_eq!(server.session.handle_timeout(server.now).as_ref(), Err(error));
        assert_eq!(server.session.poll_timeout(), None);
        server.poll();
    }
    server.check_transmitted();
    let mut stats = server.session.stats();
    // How often bytes are acknowledged depends on how they come.
    (stats.sent_bytes, stats.unacknowledged_bytes, stats.received_bytes) = (0, 0, 0);
    (server.events, result, stats)
}

/// The first byte says what the owner does and where the session is (see `Owner`); then a `Split`
/// in pieces, and one in segments of 16 times its sizes: between two of those requests are answered
/// and time passes. Any split in pieces gives the same events and the same error, which stays, and
/// what the session sends can be read.
pub fn server_session(data: &[u8]) {
    let (&first, rest) = data.split_first().unwrap_or((&0, &[]));
    let (pieces, rest) = Split::take(rest);
    let (segments, rest) = Split::take(rest);
    let segments: Vec<_> = segments.pieces_of(16, rest).collect();
    let (owner, now) = (Owner::new(first), Instant::now());
    let whole = serve(owner, now, &segments, None);
    assert_eq!(serve(owner, now, &segments, Some(&pieces)), whole);
}

/// A `Split`, its fourth bit saying that the client plays rather than publishes and its fifth that
/// it has come so far; then bytes of a server. Any split gives the same events and error.
pub fn client_session(data: &[u8]) {
    let first = data.first().copied().unwrap_or(0);
    let purpose = if first & 8 == 0 { Purpose::publish() } else { Purpose::play() };
    let is_started = first & 16 != 0;
    let (split, rest) = Split::take(data);
    let now = Instant::now();
    let run = |is_split: bool| {
        let mut client = ClientSession::new(client_config(purpose.clone()), now);
        if is_started {
            client = pair(client, &mut Server::new(Owner::new(0), now));
        }
        let mut events = Vec::new();
        let result = if is_split {
            split.pieces(rest).try_for_each(|piece| client.receive(now, piece))
        } else {
            client.receive(now, rest)
        };
        while let Some(output) = client.poll_output() {
            if let Output::Event(event) = output {
                events.push(format!("{event:?}"));
            }
        }
        if let Err(error) = &result {
            assert_eq!(client.receive(now, &[3]).as_ref(), Err(error));
            assert_eq!(client.poll_timeout(), None);
        }
        client.stop();
        while client.poll_output().is_some() {}
        assert_eq!(client.pending_transmit(), 0);
        (events, result, client.stats().dropped_messages)
    };
    assert_eq!(run(true), run(false));
}
