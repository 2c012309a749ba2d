//! What real clients sent, byte for byte; `fixtures/README.md` says which.

mod support;

use rtmp_proto::handshake::{HandshakeForm, PACKET_SIZE, ServerHandshake};
use rtmp_proto::message::UserControl;
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, EndReason, MediaKind, Output, PublishKind, Purpose,
    RtmpUrl, ServerConfig, ServerEvent,
};
use support::*;

/// The server's side of a capture, fed in pieces of this size; requests are accepted after each piece.
fn replay(capture: &[u8], piece: usize) -> Scripted {
    let mut server = Scripted::fresh(ServerConfig::default());
    for piece in capture.chunks(piece) {
        let known = server.events.len();
        server.receive(piece).unwrap();
        for id in server.events[known..].iter().filter_map(request).collect::<Vec<_>>() {
            server.session.accept(id).unwrap();
        }
        server.drain();
    }
    server
}

/// Replays a capture in several splits, which all give the same. The pieces are small, so that media comes after the
/// answer that the client has waited for.
fn server(capture: &[u8]) -> Scripted {
    let bytes = replay(capture, 1);
    for piece in [2, 13] {
        let other = replay(capture, piece);
        assert_eq!(other.events, bytes.events);
        assert_eq!(other.commands(), bytes.commands());
    }
    bytes
}

/// The form of the handshake, which the server takes from C1.
fn form(capture: &[u8]) -> HandshakeForm {
    let mut handshake = ServerHandshake::new(1);
    let mut out = bytes::BytesMut::new();
    let mut input = capture;
    assert_eq!(handshake.receive(&mut input, &mut out), Ok(true));
    assert_eq!(input.len(), capture.len() - 1 - 2 * PACKET_SIZE);
    handshake.form()
}

/// Where, name and transaction id of each command the server sent, and its code.
fn rows(server: &Scripted) -> Vec<String> {
    let rows = server.commands();
    rows.iter().map(|(msid, name, id, code)| format!("{msid} {name} {id} {code}")).collect()
}

fn flash_version(server: &Scripted) -> &str {
    match &server.events[0] {
        ServerEvent::ConnectRequested { connect, .. } => {
            assert_eq!(connect.app, "live");
            &connect.flash_version
        }
        other => panic!("{other:?}"),
    }
}

/// A publish of "a" with metadata and H.264.
fn assert_publishes(server: &Scripted) {
    let requested = server.events.iter().find_map(|event| match event {
        ServerEvent::PublishRequested { msid, stream_name, kind, .. } => {
            Some((*msid, stream_name.as_str(), kind))
        }
        _ => None,
    });
    assert_eq!(requested, Some((ONE, "a", &PublishKind::Live)));
    let media: Vec<_> = server
        .events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::Media { msid: ONE, message } => Some(message),
            _ => None,
        })
        .collect();
    assert_eq!(media[0].kind, MediaKind::Data);
    assert!(media[0].payload.starts_with(b"\x02\x00\x0aonMetaData"));
    assert_eq!(media[1].kind, MediaKind::Video);
    assert!(media[1].payload.starts_with(b"\x17\x00\x00\x00\x00\x01"));
}

/// The numbers of a play of "b": start and duration.
fn played(server: &Scripted) -> (f64, f64) {
    let requested = server.events.iter().find_map(|event| match event {
        ServerEvent::PlayRequested { msid: ONE, stream_name, start, duration, .. } => {
            assert_eq!(stream_name, "b");
            Some((*start, *duration))
        }
        _ => None,
    });
    requested.unwrap()
}

const PUBLISH_START: &str = "1 onStatus 0 NetStream.Publish.Start";

#[test]
fn ffmpeg_publishes() {
    let capture = include_bytes!("fixtures/ffmpeg-publish.bin");
    assert_eq!(form(capture), HandshakeForm::Complex);
    let server = server(capture);
    assert_eq!(flash_version(&server), "FMLE/3.0 (compatible; Lavf59.27.100)");
    assert_publishes(&server);
    assert_eq!(
        rows(&server),
        [
            "0 _result 1 NetConnection.Connect.Success",
            "0 onBWDone 0 ",
            "0 _result 2 ",
            "0 _result 3 ",
            "0 _result 4 ",
            "1 onFCPublish 0 NetStream.Publish.Start",
            PUBLISH_START,
        ]
    );
}

#[test]
fn ffmpeg_plays() {
    let capture = include_bytes!("fixtures/ffmpeg-play.bin");
    assert_eq!(form(capture), HandshakeForm::Complex);
    let server = server(capture);
    assert_eq!(flash_version(&server), "LNX 9,0,124,2");
    // Live or else recorded, in milliseconds.
    assert_eq!(played(&server), (-2000.0, -1.0));
    let last = &server.events[server.events.len() - 2..];
    assert_eq!(last[0], ServerEvent::BufferLength { msid: ONE, millis: 3000 });
    assert_eq!(last[1], ServerEvent::PlayEnded { msid: ONE, reason: EndReason::Deleted });
    // The second is the length of the stream.
    assert_eq!(rows(&server)[2..4], ["0 _result 2 ", "0 _result 3 "]);
    assert_eq!(server.user_controls(), [UserControl::StreamBegin(ONE)]);
}

#[test]
fn gstreamer_publishes() {
    let capture = include_bytes!("fixtures/rtmp2sink-publish.bin");
    assert_eq!(form(capture), HandshakeForm::Simple);
    let server = server(capture);
    assert_eq!(flash_version(&server), "LNX 10,0,32,18");
    assert_publishes(&server);
    // releaseStream, FCPublish and publish have transaction id 0 and want no answer.
    assert_eq!(
        rows(&server)[2..],
        ["0 _result 2 ", "1 onFCPublish 0 NetStream.Publish.Start", PUBLISH_START]
    );
}

#[test]
fn gstreamer_plays() {
    let capture = include_bytes!("fixtures/rtmp2src-play.bin");
    assert_eq!(form(capture), HandshakeForm::Simple);
    let server = server(capture);
    assert_eq!(played(&server), (-2.0, -1.0));
    let buffers: Vec<_> = server
        .events
        .iter()
        .filter_map(|event| match event {
            ServerEvent::BufferLength { msid, millis } => Some((msid.0, *millis)),
            _ => None,
        })
        .collect();
    assert_eq!(buffers, [(0, 300), (1, 30_000)]);
}

#[test]
fn librtmp_publishes() {
    let capture = include_bytes!("fixtures/librtmp-publish.bin");
    assert_eq!(form(capture), HandshakeForm::Simple);
    let server = server(capture);
    assert_eq!(flash_version(&server), "");
    assert_publishes(&server);
    assert_eq!(rows(&server)[2..5], ["0 _result 2 ", "0 _result 3 ", "0 _result 4 "]);
}

#[test]
fn librtmp_plays() {
    let simple = &include_bytes!("fixtures/librtmp-play.bin")[..];
    let complex = &include_bytes!("fixtures/librtmp-play-swf.bin")[..];
    for (capture, expected) in [(simple, HandshakeForm::Simple), (complex, HandshakeForm::Complex)]
    {
        assert_eq!(form(capture), expected);
        let server = server(capture);
        assert_eq!(flash_version(&server), "LNX 10,0,32,18");
        // Live only, and for a second.
        assert_eq!(played(&server), (-1000.0, 1000.0));
        assert_eq!(
            rows(&server)[2..5],
            ["0 _result 2 ", "0 _result 3 ", "0 onFCSubscribe 0 NetStream.Play.Start",]
        );
    }
}

/// The client's side of a server's capture, in pieces of this size.
fn client(purpose: &Purpose, capture: &[u8], piece: usize) -> Vec<ClientEvent> {
    let url = RtmpUrl::parse("rtmp://127.0.0.1/live/a").unwrap();
    let mut client = ClientSession::new(ClientConfig::new(url, purpose.clone()), base());
    let mut events = Vec::new();
    for piece in capture.chunks(piece) {
        client.receive(base(), piece).unwrap();
        while let Some(output) = client.poll_output() {
            if let Output::Event(event) = output {
                events.push(event);
            }
        }
    }
    events
}

#[test]
fn nginx_takes_a_publish() {
    let capture = include_bytes!("fixtures/nginx-rtmp-publish.bin");
    // S2 answers another C1, which is no error; releaseStream and FCPublish are not answered.
    let events = client(&Purpose::publish(), capture, usize::MAX);
    assert!(matches!(
        &events[..],
        [ClientEvent::Connected { .. }, ClientEvent::PublishStarted { msid: ONE }]
    ));
    for piece in [1, 7, 1000] {
        assert_eq!(client(&Purpose::publish(), capture, piece), events);
    }
}

#[test]
fn nginx_sends_a_stream() {
    let capture = include_bytes!("fixtures/nginx-rtmp-play.bin");
    let events = client(&Purpose::play(), capture, usize::MAX);
    assert!(matches!(
        events[..2],
        [ClientEvent::Connected { .. }, ClientEvent::PlayStarted { msid: ONE }]
    ));
    let media: Vec<_> = events[2..]
        .iter()
        .map(|event| match event {
            ClientEvent::Media { message, .. } => (message.kind, &message.payload[..2]),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(media, [(MediaKind::Data, &b"\x02\0"[..]), (MediaKind::Video, b"\x17\0")]);
    for piece in [1, 7, 1000] {
        assert_eq!(client(&Purpose::play(), capture, piece), events);
    }
}
