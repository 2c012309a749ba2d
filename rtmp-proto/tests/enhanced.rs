//! Enhanced RTMP v2 at the level of the connection: what each side announces, and the request to reconnect.

mod support;

use std::time::Instant;

use amf0::{Object, Value};
use rtmp_proto::{
    Capabilities, CapsEx, ClientConfig, ClientEvent, ClientSession, CodecInfo, Connect, FourCc,
    MediaKind, Output, Purpose, ReconnectError, RtmpUrl, ServerConfig, ServerEvent, ServerSession,
    StatusCode,
};
use support::*;

/// Both sides, after the client's publish was accepted.
struct Pair {
    client: ClientSession,
    server: ServerSession,
    now: Instant,
    connect: Option<Connect>,
    events: Vec<ClientEvent>,
}

impl Pair {
    fn new(client: Capabilities, server: Capabilities) -> Self {
        let now = base();
        let url = RtmpUrl::parse("rtmp://localhost/live/s").unwrap();
        let mut config = ClientConfig::new(url, Purpose::publish());
        config.capabilities = client;
        let mut server_config = ServerConfig::default();
        server_config.capabilities = server;
        let mut pair = Self {
            client: ClientSession::new(config, now),
            server: ServerSession::new(server_config, now),
            now,
            connect: None,
            events: Vec::new(),
        };
        for _ in 0..6 {
            pair.run();
        }
        pair
    }

    fn run(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Transmit(bytes) => self.server.receive(self.now, &bytes).unwrap(),
                Output::Event(event) => self.events.push(event),
            }
        }
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit(bytes) => self.client.receive(self.now, &bytes).unwrap(),
                Output::Event(event) => {
                    if let Some(id) = request(&event) {
                        self.server.accept(id).unwrap();
                    }
                    if let ServerEvent::ConnectRequested { connect, .. } = event {
                        self.connect = Some(*connect);
                    }
                }
            }
        }
    }
}

fn hevc() -> Capabilities {
    Capabilities::new()
        .with_caps_ex(CapsEx::RECONNECT.with(CapsEx::MULTITRACK))
        .with_video(FourCc(*b"hvc1"), CodecInfo::CAN_ENCODE)
}

#[test]
fn both_sides_learn_what_the_other_can() {
    let pair = Pair::new(hevc(), Capabilities::forward_any());
    let announced = &pair.connect.as_ref().unwrap().capabilities;
    assert_eq!(*announced, hevc());
    let ClientEvent::Connected { capabilities, properties, info } = &pair.events[0] else {
        panic!("{:?}", pair.events)
    };
    assert_eq!(*capabilities, Capabilities::forward_any());
    assert!(capabilities.can_forward_video(*b"hvc1") && !capabilities.can_decode_video(*b"hvc1"));
    assert!(properties.contains_key("capsEx") && info.contains_key("videoFourCcInfoMap"));
}

#[test]
fn who_announces_nothing_says_nothing() {
    let pair = Pair::new(Capabilities::new(), Capabilities::new());
    let connect = pair.connect.as_ref().unwrap();
    assert!(!connect.capabilities.announced());
    let ClientEvent::Connected { capabilities, properties, info } = &pair.events[0] else {
        panic!("{:?}", pair.events)
    };
    assert!(!capabilities.announced());
    for key in ["capsEx", "fourCcList", "videoFourCcInfoMap", "audioFourCcInfoMap"] {
        assert!([properties, info, &connect.properties].iter().all(|o| !o.contains_key(key)));
    }
}

#[test]
fn a_player_names_the_codecs_of_old_tags() {
    let mut server = Scripted::shaken(ServerConfig::default());
    let object = Object::from([("app", Value::from("live")), ("videoCodecs", 252.into())]);
    server.call(CONTROL, "connect", 1.0, object.into(), vec![]);
    let Some(ServerEvent::ConnectRequested { connect, .. }) = server.events.last() else {
        panic!()
    };
    assert_eq!(connect.capabilities.video_codecs(), Some(252));
    assert!(!connect.capabilities.announced());
}

#[test]
fn a_request_to_reconnect_leaves_the_stream_running() {
    let mut pair = Pair::new(hevc(), Capabilities::new());
    pair.events.clear();
    pair.server.request_reconnect(Some("rtmp://other/live"), "maintenance").unwrap();
    pair.server.request_reconnect(None, "").unwrap();
    pair.run();
    pair.run();
    let requested = |tc_url: Option<&str>, description: &str| ClientEvent::ReconnectRequested {
        tc_url: tc_url.map(str::to_owned),
        description: description.to_owned(),
    };
    let expected = [requested(Some("rtmp://other/live"), "maintenance"), requested(None, "")];
    assert_eq!(pair.events, expected);
    pair.client.send_media(ONE, &media(MediaKind::Video, 0, b"v")).unwrap();
}

#[test]
fn the_request_to_reconnect_byte_by_byte() {
    let mut server = Scripted::shaken(ServerConfig::default());
    let refused = server.session.request_reconnect(None, "");
    assert_eq!(refused, Err(ReconnectError::NotConnected));
    let mut object = connect_object().as_object().unwrap().clone();
    object.extend(hevc().to_properties());
    server.call(CONTROL, "connect", 1.0, object.into(), vec![]);
    server.accept();
    server.forget();
    server.session.request_reconnect(Some("r"), "d").unwrap();
    server.drain();
    assert_eq!((server.sent[0].msid, server.sent[0].type_id.0), (CONTROL, 20));
    assert_eq!(
        server.sent[0].payload[..],
        b"\x02\0\x08onStatus\0\0\0\0\0\0\0\0\0\x05\x03\0\x05level\x02\0\x06status\
          \0\x04code\x02\0\x26NetConnection.Connect.ReconnectRequest\
          \0\x0bdescription\x02\0\x01d\0\x05tcUrl\x02\0\x01r\0\0\x09"[..]
    );
    assert_eq!(StatusCode::RECONNECT_REQUEST.as_str().len(), 0x26);
}

#[test]
fn a_client_that_cannot_reconnect_is_not_asked() {
    let mut server = Scripted::publishing();
    let refused = server.session.request_reconnect(None, "");
    assert_eq!(refused, Err(ReconnectError::NotAnnounced));
    server.drain();
    assert!(server.sent.is_empty());
}
