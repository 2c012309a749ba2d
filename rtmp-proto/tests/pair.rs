//! Client and server in memory under virtual time.

mod support;

use std::time::{Duration, Instant};

use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, MediaKind, MediaMessage, MessageStreamId, Output,
    Purpose, RtmpUrl, SendError, ServerConfig, ServerEvent, ServerSession, SessionError,
    StatusCode,
};
use support::{ONE, base, media, publish_segments, request};

/// Both sides, with bytes carried in pieces of `piece`; requests are answered at once.
struct Pair {
    client: ClientSession,
    server: ServerSession,
    now: Instant,
    piece: usize,
    answer: fn(&mut ServerSession, &ServerEvent),
    client_events: Vec<ClientEvent>,
    server_events: Vec<ServerEvent>,
}

fn accept(server: &mut ServerSession, event: &ServerEvent) {
    if let Some(id) = request(event) {
        server.accept(id).unwrap();
    }
}

fn url(text: &str) -> RtmpUrl {
    RtmpUrl::parse(text).unwrap()
}

impl Pair {
    fn new(purpose: Purpose, piece: usize) -> Self {
        Self::with(ClientConfig::new(url("rtmp://localhost/live/s?token=t"), purpose), piece)
    }

    fn with(config: ClientConfig, piece: usize) -> Self {
        let now = base();
        let mut server = ServerConfig::default();
        server.seed = 7;
        Self {
            client: ClientSession::new(config, now),
            server: ServerSession::new(server, now),
            now,
            piece,
            answer: accept,
            client_events: Vec::new(),
            server_events: Vec::new(),
        }
    }

    /// Carries bytes until both sides are quiet. A millisecond passes with each round.
    fn run(&mut self) {
        loop {
            self.now += Duration::from_millis(1);
            let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
            while let Some(output) = self.client.poll_output() {
                match output {
                    Output::Transmit(bytes) => to_server.extend(bytes),
                    Output::Event(event) => self.client_events.push(event),
                }
            }
            for piece in to_server.chunks(self.piece) {
                self.server.receive(self.now, piece).unwrap();
            }
            while let Some(output) = self.server.poll_output() {
                match output {
                    Output::Transmit(bytes) => to_client.extend(bytes),
                    Output::Event(event) => {
                        (self.answer)(&mut self.server, &event);
                        self.server_events.push(event);
                    }
                }
            }
            for piece in to_client.chunks(self.piece) {
                self.client.receive(self.now, piece).unwrap();
            }
            if to_server.is_empty() && to_client.is_empty() {
                return;
            }
        }
    }

    fn server_media(&self) -> Vec<MediaMessage> {
        let media = self.server_events.iter().filter_map(|event| match event {
            ServerEvent::Media { message, .. } => Some(message.clone()),
            _ => None,
        });
        media.collect()
    }

    fn client_media(&self) -> Vec<MediaMessage> {
        let media = self.client_events.iter().filter_map(|event| match event {
            ClientEvent::Media { message, .. } => Some(message.clone()),
            _ => None,
        });
        media.collect()
    }
}

fn messages() -> Vec<MediaMessage> {
    vec![
        media(MediaKind::Data, 0, b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09"),
        media(MediaKind::Video, 0, &[0x17; 5000]),
        media(MediaKind::Audio, 3, &[0xaf; 200]),
        media(MediaKind::Video, 40, b"\x27"),
        // A step back, an extended timestamp, the last there is, and the wrap.
        media(MediaKind::Audio, 26, &[0xaf; 200]),
        media(MediaKind::Video, 0x0100_0000, &[0x27; 70_000]),
        media(MediaKind::Video, u32::MAX, &[0x27; 70_000]),
        media(MediaKind::Audio, 5, &[0xaf; 200]),
    ]
}

const PIECES: [usize; 5] = [1, 2, 7, 1000, usize::MAX];

#[test]
fn publish() {
    for piece in PIECES {
        let mut pair = Pair::new(Purpose::publish(), piece);
        pair.run();
        assert!(matches!(pair.client_events[0], ClientEvent::Connected { .. }));
        assert!(pair.client_events.contains(&ClientEvent::PublishStarted { msid: ONE }));
        let Some(ServerEvent::ConnectRequested { connect, .. }) = pair.server_events.first() else {
            panic!("{:?}", pair.server_events)
        };
        let address = connect.resolve("s?token=t").unwrap();
        assert_eq!(
            [&address.app, &address.stream, &address.param, &address.vhost],
            ["live", "s", "?token=t", "localhost"]
        );
        assert!(pair.server_events.iter().any(|event| matches!(event,
            ServerEvent::PublishRequested { stream_name, msid: ONE, .. } if stream_name == "s?token=t")));

        for message in messages() {
            pair.client.send_media(ONE, &message).unwrap();
        }
        pair.run();
        assert_eq!(pair.server_media(), messages());
        assert_eq!(pair.client.poll_timeout(), None);
        assert_eq!(pair.server.stats().received_bytes, pair.client.stats().sent_bytes);

        pair.client.stop();
        pair.run();
        assert!(pair.server_events.iter().any(|e| matches!(e, ServerEvent::PublishEnded { .. })));
        assert_eq!(
            pair.client.send_media(ONE, &messages()[1]),
            Err(SendError::NotActive { msid: ONE })
        );
    }
}

#[test]
fn play() {
    for piece in PIECES {
        let mut pair = Pair::new(Purpose::play(), piece);
        pair.run();
        assert!(pair.client_events.contains(&ClientEvent::PlayStarted { msid: ONE }));
        let buffer = ServerEvent::BufferLength { msid: ONE, millis: 3000 };
        assert!(pair.server_events.contains(&buffer));
        // The data messages that announce the stream are no media.
        assert_eq!(pair.client_media(), []);

        for message in messages() {
            pair.server.send_media(ONE, &message).unwrap();
        }
        pair.run();
        assert_eq!(pair.client_media(), messages());

        pair.client.stop();
        pair.run();
        assert!(pair.server_events.iter().any(|e| matches!(e, ServerEvent::PlayEnded { .. })));
    }
}

#[test]
fn the_events_of_a_session_do_not_depend_on_the_split() {
    let segments = publish_segments();
    let run = |cut: usize| {
        let now = base();
        let mut server = ServerSession::new(ServerConfig::default(), now);
        let mut events = Vec::new();
        let mut at = 0;
        for segment in &segments {
            let here = cut.saturating_sub(at).min(segment.len());
            at += segment.len();
            for piece in [&segment[..here], &segment[here..]] {
                server.receive(now, piece).unwrap();
                while let Some(output) = server.poll_output() {
                    if let Output::Event(event) = output {
                        events.push(event);
                    }
                }
            }
            if let Some(id) = events.last().and_then(request) {
                // Of no effect when it was answered in an earlier segment.
                let _ = server.accept(id);
            }
        }
        events
    };
    let whole = run(0);
    assert_eq!(whole.len(), 7);
    for cut in 1..segments.concat().len() {
        assert_eq!(run(cut), whole, "cut at {cut}");
    }
}

#[test]
fn a_rejected_publish_and_play() {
    for purpose in [Purpose::publish(), Purpose::play()] {
        let mut pair = Pair::new(purpose, 1000);
        pair.answer = |server, event| match event {
            ServerEvent::ConnectRequested { id, .. } => server.accept(*id).unwrap(),
            ServerEvent::PublishRequested { id, .. } => {
                server.reject(*id, StatusCode::PUBLISH_BAD_NAME, "busy").unwrap();
            }
            ServerEvent::PlayRequested { id, .. } => {
                server.reject(*id, StatusCode::PLAY_STREAM_NOT_FOUND, "busy").unwrap();
            }
            _ => {}
        };
        pair.run();
        let Some(ClientEvent::Rejected { code, description, redirect: None }) =
            pair.client_events.last()
        else {
            panic!("{:?}", pair.client_events)
        };
        assert!([StatusCode::PUBLISH_BAD_NAME, StatusCode::PLAY_STREAM_NOT_FOUND].contains(code));
        assert_eq!(description, "busy");
        assert_eq!(pair.client.poll_timeout(), None);
    }
}

#[test]
fn a_redirected_connect() {
    let mut pair = Pair::new(Purpose::play(), 1000);
    pair.answer = |server, event| {
        let ex = amf0::Object::from([("redirect", "rtmp://other/live")]);
        let extra = amf0::Object::from([("ex", ex)]);
        if let Some(id) = request(event) {
            server.reject_with(id, StatusCode::CONNECT_REJECTED, "moved", extra).unwrap();
        }
    };
    pair.run();
    let expected = ClientEvent::Rejected {
        code: StatusCode::CONNECT_REJECTED,
        description: "moved".to_owned(),
        redirect: Some("rtmp://other/live".to_owned()),
    };
    assert_eq!(pair.client_events, [expected]);
}

#[test]
fn the_server_ends_what_is_played_or_published() {
    let mut pair = Pair::new(Purpose::play(), 1000);
    pair.run();
    pair.server.end_play(ONE).unwrap();
    pair.run();
    let tail = &pair.client_events[pair.client_events.len() - 2..];
    assert_eq!(tail[0], ClientEvent::StreamEof { msid: ONE });
    assert!(matches!(&tail[1],
        ClientEvent::Ended { code, .. } if *code == StatusCode::PLAY_UNPUBLISH_NOTIFY));

    let mut pair = Pair::new(Purpose::publish(), 1000);
    pair.run();
    pair.server.end_publish(ONE, StatusCode::PUBLISH_BAD_NAME, "kicked").unwrap();
    pair.run();
    assert!(matches!(pair.client_events.last(),
        Some(ClientEvent::Ended { description, .. }) if description == "kicked"));
}

#[test]
fn acknowledgements_and_pings_flow_both_ways() {
    let mut pair = Pair::new(Purpose::publish(), 4096);
    pair.run();
    let message = media(MediaKind::Video, 0, &[0; 100_000]);
    for _ in 0..30 {
        pair.client.send_media(ONE, &message).unwrap();
        pair.run();
    }
    assert!(pair.client_events.iter().any(|e| matches!(e, ClientEvent::Acknowledged { .. })));
    assert!(pair.client.stats().unacknowledged_bytes < 2_500_000);
    pair.client.ping(pair.now);
    pair.server.ping(pair.now);
    pair.run();
    assert!(pair.client_events.iter().any(|e| matches!(e, ClientEvent::Pong { .. })));
    assert!(pair.server_events.iter().any(|e| matches!(e, ServerEvent::Pong { .. })));
}

#[test]
fn a_client_waits_no_longer_than_its_limits() {
    let mut pair = Pair::new(Purpose::publish(), 1000);
    let deadline = pair.client.poll_timeout().unwrap();
    assert_eq!(deadline, pair.now + Duration::from_secs(10));
    assert_eq!(pair.client.handle_timeout(pair.now), Ok(()));
    let limit = Duration::from_secs(10);
    assert_eq!(pair.client.handle_timeout(deadline), Err(SessionError::HandshakeTimeout { limit }));

    let mut pair = Pair::new(Purpose::publish(), 1000);
    pair.answer = |_, _| {};
    let start = pair.now;
    pair.run();
    let deadline = pair.client.poll_timeout().unwrap();
    assert_eq!(deadline, start + Duration::from_secs(30));
    let limit = Duration::from_secs(30);
    assert_eq!(pair.client.handle_timeout(deadline), Err(SessionError::SetupTimeout { limit }));
}

#[test]
fn any_order_of_calls_is_safe() {
    let mut pair = Pair::new(Purpose::publish(), 1000);
    let message = media(MediaKind::Video, 0, b"v");
    let msid = MessageStreamId(9);
    assert!(pair.client.send_media(msid, &message).is_err());
    assert!(pair.server.send_media(msid, &message).is_err());
    pair.client.ping(pair.now);
    pair.server.ping(pair.now);
    assert!(pair.server.end_play(msid).is_err());
    pair.client.stop();
    pair.client.stop();
    pair.run();
    assert_eq!(pair.client_events, []);
    assert_eq!(pair.server_events, []);
}
