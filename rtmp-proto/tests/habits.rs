//! The call sequences of encoders and players, and what else some of them do.

mod support;

use amf0::{Object, Value};
use bytes::Bytes;
use rtmp_proto::message::{ControlMessage, Message, SetChunkSize, UserControl};
use rtmp_proto::{
    EndReason, MediaKind, MessageStreamId, MessageType, PublishKind, PublishStyle, ServerConfig,
    ServerEvent,
};
use support::*;

const TWO: MessageStreamId = MessageStreamId(2);
const START: (u32, &str, f64, &str) = (1, "onStatus", 0.0, "NetStream.Publish.Start");

impl Scripted {
    /// Calls without a command object.
    fn plain(&mut self, msid: MessageStreamId, name: &str, id: f64, arguments: &[Value]) {
        self.call(msid, name, id, Value::Null, arguments.to_vec());
    }

    /// Checks the commands sent since the last time.
    #[track_caller]
    fn answered(&mut self, expected: &[(u32, &str, f64, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(msid, name, id, code)| command_row(*msid, name, *id, code))
            .collect();
        assert_eq!(self.commands(), expected);
        self.sent.clear();
    }

    /// The kind and length of each media message since the last time.
    fn media_seen(&mut self) -> Vec<(u32, MediaKind, usize)> {
        let seen = self.events.iter().filter_map(|event| match event {
            ServerEvent::Media { msid, message } => {
                Some((msid.0, message.kind, message.payload.len()))
            }
            _ => None,
        });
        let seen = seen.collect();
        self.events.clear();
        seen
    }

    fn connect_as(flash_version: &str, encoding: f64) -> Self {
        let mut this = Self::shaken(ServerConfig::default());
        let mut object = connect_object().as_object().unwrap().clone();
        object.push("flashVer", flash_version);
        object.push("objectEncoding", encoding);
        this.call(CONTROL, "connect", 1.0, object.into(), vec![]);
        this.accept();
        this.forget();
        this
    }
}

#[test]
fn obs_publishes_and_stops() {
    let mut server = Scripted::connect_as("FMLE/3.0 (compatible; FMSc/1.0)", 0.0);
    server.send(&SetChunkSize::new(4096).to_message()).unwrap();
    server.plain(CONTROL, "releaseStream", 2.0, &["key".into()]);
    server.plain(CONTROL, "FCPublish", 3.0, &["key".into()]);
    server.plain(CONTROL, "createStream", 4.0, &[]);
    server.plain(ONE, "publish", 5.0, &["key".into(), "live".into()]);
    server.accept();
    server.answered(&[
        (0, "_result", 2.0, ""),
        (0, "_result", 3.0, ""),
        (0, "_result", 4.0, ""),
        (1, "onFCPublish", 0.0, "NetStream.Publish.Start"),
        START,
    ]);
    server.media(
        ONE,
        MediaKind::Data,
        b"\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x08\0\0\0\x14\0\0\x09",
    );
    server.media(ONE, MediaKind::Video, b"\x17\0\0\0\0\x01");
    assert_eq!(server.media_seen(), [(1, MediaKind::Data, 21), (1, MediaKind::Video, 6)]);
    server.plain(CONTROL, "FCUnpublish", 6.0, &["key".into()]);
    server.plain(CONTROL, "deleteStream", 7.0, &[1.0.into()]);
    server.answered(&[
        (1, "onFCUnpublish", 0.0, "NetStream.Unpublish.Success"),
        (0, "_result", 6.0, ""),
        (1, "onStatus", 0.0, "NetStream.Unpublish.Success"),
    ]);
    assert_eq!(server.session.publish_style(), PublishStyle::Fmle);
    // Told once, and the stream is there no more.
    let reason = EndReason::Unpublished;
    assert_eq!(server.events, [ServerEvent::PublishEnded { msid: ONE, reason }]);
}

#[test]
fn haivision_creates_the_stream_before_it_names_it() {
    let mut server = Scripted::connect_as("Haivision/1.0", 0.0);
    server.plain(CONTROL, "createStream", 2.0, &[]);
    server.plain(CONTROL, "FCPublish", 3.0, &["s".into()]);
    server.plain(ONE, "publish", 4.0, &["s".into(), "live".into()]);
    server.accept();
    server.answered(&[
        (0, "_result", 2.0, ""),
        (0, "_result", 3.0, ""),
        (1, "onFCPublish", 0.0, "NetStream.Publish.Start"),
        START,
    ]);
    assert_eq!(server.session.publish_style(), PublishStyle::Haivision);
}

#[test]
fn larix_checks_the_bandwidth_and_publishes_in_one_go() {
    let mut server = Scripted::connect_as("FMLE/3.0 (compatible; Larix)", 0.0);
    server.plain(CONTROL, "_checkbw", 2.0, &[]);
    server.plain(CONTROL, "releaseStream", 3.0, &["s".into()]);
    server.plain(CONTROL, "FCPublish", 4.0, &["s".into()]);
    server.plain(CONTROL, "createStream", 5.0, &[]);
    server.plain(ONE, "publish", 6.0, &["s".into(), "live".into()]);
    server.accept();
    let names: Vec<_> = server.commands().into_iter().map(|row| (row.1, row.2)).collect();
    let answers = [2.0, 3.0, 4.0, 5.0].map(|id| ("_result".to_owned(), id));
    assert_eq!(names[..4], answers);
}

#[test]
fn flash_player_publishes_without_fmle_calls() {
    let mut server = Scripted::connect_as("WIN 11,2,202,235", 0.0);
    server.plain(CONTROL, "createStream", 2.0, &[]);
    server.plain(ONE, "publish", 0.0, &["s".into()]);
    server.accept();
    // Nobody asked for onFCPublish.
    server.answered(&[(0, "_result", 2.0, ""), START]);
    assert_eq!(server.session.publish_style(), PublishStyle::Flash);
}

/// A command of the AMF3 type.
fn amf3(msid: MessageStreamId, payload: &'static [u8]) -> Message {
    let type_id = MessageType::COMMAND_AMF3;
    let payload = Bytes::from_static(payload);
    Message { type_id, payload, ..media_message(msid, MediaKind::Data, 0, b"") }
}

#[test]
fn a_client_with_object_encoding_3() {
    let mut server = Scripted::shaken(ServerConfig::default());
    // connect says in AMF0 that what follows is AMF3; nothing else is different.
    let mut object = connect_object().as_object().unwrap().clone();
    object.push("objectEncoding", 3.0);
    server.call(CONTROL, "connect", 1.0, object.into(), vec![]);
    server.accept();
    let result = server.sent.iter().find(|m| m.type_id == MessageType::COMMAND_AMF0).unwrap();
    let info = decode(result).arguments[0].as_object().unwrap().clone();
    assert_eq!(info.get("objectEncoding"), Some(&3.0.into()));
    server.forget();
    server.send(&amf3(CONTROL, b"\0\x02\0\x0ccreateStream\0\x40\0\0\0\0\0\0\0\x05")).unwrap();
    // Without the leading byte, and the name in AMF3.
    server
        .send(&amf3(ONE, b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x11\x06\x03s\x11\x06\x0drecord"))
        .unwrap();
    assert!(matches!(&server.events[..],
        [ServerEvent::PublishRequested { stream_name, kind: PublishKind::Record, .. }]
            if stream_name == "s"));
    server.accept();
    server.answered(&[(0, "_result", 2.0, ""), START]);
    server.forget();
    let metadata =
        b"\0\x02\0\x0d@setDataFrame\x02\0\x0aonMetaData\x11\x0a\x0b\x01\x03w\x04\x05\x01";
    let type_id = MessageType::DATA_AMF3;
    server.send(&Message { type_id, ..amf3(ONE, metadata) }).unwrap();
    let [ServerEvent::Media { message, .. }] = &server.events[..] else { panic!() };
    let plain = b"\x02\0\x0aonMetaData\x03\0\x01w\0\x40\x14\0\0\0\0\0\0\0\0\x09";
    assert_eq!(message.payload[..], plain[..]);
}

#[test]
fn a_drone_publishes_without_a_stream() {
    for msid in [CONTROL, ONE, MessageStreamId(7)] {
        let mut server = Scripted::connect_as("", 0.0);
        server.plain(msid, "publish", 0.0, &["s".into(), "live".into()]);
        server.accept();
        server.answered(&[(msid.0, "onStatus", 0.0, "NetStream.Publish.Start")]);
        // The media comes on whatever stream.
        server.media(msid, MediaKind::Video, b"v");
        server.media(MessageStreamId(5), MediaKind::Audio, b"a");
        assert_eq!(
            server.media_seen(),
            [(msid.0, MediaKind::Video, 1), (msid.0, MediaKind::Audio, 1)]
        );
    }
}

#[test]
fn create_stream_without_a_transaction_is_answered() {
    let mut server = Scripted::connect_as("", 0.0);
    server.plain(CONTROL, "createStream", 0.0, &[]);
    assert_eq!(decode(&server.sent[0]).arguments, [1.0.into()]);
    // On a message stream where it does not belong.
    server.plain(ONE, "createStream", 0.0, &[]);
    assert_eq!(decode(&server.sent[1]).arguments, [2.0.into()]);
    server.answered(&[(0, "_result", 0.0, ""), (0, "_result", 0.0, "")]);
}

#[test]
fn two_streams_on_one_connection() {
    let mut server = Scripted::connect_as("", 0.0);
    for id in [2.0, 3.0] {
        server.plain(CONTROL, "createStream", id, &[]);
    }
    server.plain(ONE, "publish", 4.0, &["a".into()]);
    server.accept();
    server.plain(TWO, "play", 5.0, &["b".into()]);
    server.accept();
    server.forget();
    server.media(ONE, MediaKind::Audio, b"a");
    server.session.send_media(TWO, &media(MediaKind::Audio, 0, b"b")).unwrap();
    server.plain(CONTROL, "deleteStream", 0.0, &[1.0.into()]);
    server.plain(CONTROL, "deleteStream", 0.0, &[9.0.into()]);
    assert_eq!(
        server.events[1..],
        [ServerEvent::PublishEnded { msid: ONE, reason: EndReason::Deleted }]
    );
    assert!(server.session.send_media(TWO, &media(MediaKind::Audio, 0, b"b")).is_ok());
}

#[test]
fn every_type_of_publish() {
    let types = [
        (Some("live"), PublishKind::Live),
        (Some("record"), PublishKind::Record),
        (Some("append"), PublishKind::Append),
        (Some("appendWithGap"), PublishKind::Other("appendWithGap".to_owned())),
        (None, PublishKind::Live),
    ];
    for (name, expected) in types {
        let mut server = Scripted::connect_as("", 0.0);
        let mut arguments = vec![Value::from("s")];
        arguments.extend(name.map(Value::from));
        server.plain(ONE, "publish", 0.0, &arguments);
        assert!(matches!(server.events.last(),
            Some(ServerEvent::PublishRequested { kind, .. }) if *kind == expected));
    }
}

#[test]
fn false_for_a_name_is_the_end() {
    let ended = |mut server: Scripted, call: &str, code: &str| {
        server.plain(ONE, call, 0.0, &[false.into()]);
        server.answered(&[(1, "onStatus", 0.0, code)]);
        server.events
    };
    let (msid, reason) = (ONE, EndReason::Closed);
    let events = ended(Scripted::publishing(), "publish", "NetStream.Unpublish.Success");
    assert_eq!(events, [ServerEvent::PublishEnded { msid, reason }]);
    let events = ended(Scripted::playing(), "play", "NetStream.Play.Stop");
    assert_eq!(events, [ServerEvent::PlayEnded { msid, reason }]);
}

/// The options of `play2`.
fn options(name: &str, transition: &str) -> [Value; 1] {
    let options = [("streamName", name), ("oldStreamName", "s"), ("transition", transition)];
    let mut options = Object::from(options);
    options.push("start", -1.0);
    [options.into()]
}

#[test]
fn play2_goes_over_to_another_stream() {
    let mut server = Scripted::playing();
    server.plain(ONE, "play2", 0.0, &options("t", "switch"));
    assert_eq!(server.events[0], ServerEvent::PlayEnded { msid: ONE, reason: EndReason::Replaced });
    assert!(matches!(&server.events[1],
        ServerEvent::PlayRequested { msid: ONE, stream_name, start: -1.0, duration: -1.0, reset: false, .. }
            if stream_name == "t"));
    server.accept();
    let complete = server.sent.last().unwrap();
    assert_eq!(complete.type_id, MessageType::DATA_AMF0);
    let values = amf0::decode_all(&complete.payload, &amf0::Limits::default()).unwrap();
    assert_eq!(values[0].as_str(), Some("onPlayStatus"));
    let code = values[1].as_object().and_then(|info| info.get("code")).and_then(Value::as_str);
    assert_eq!(code, Some("NetStream.Play.TransitionComplete"));
    server.answered(&[
        (1, "onStatus", 0.0, "NetStream.Play.Transition"),
        (1, "onStatus", 0.0, "NetStream.Play.Start"),
    ]);
}

#[test]
fn play2_starts_stops_and_knows_no_playlists() {
    let mut server = Scripted::playing();
    server.plain(ONE, "play2", 0.0, &options("t", "append"));
    server.answered(&[(1, "onStatus", 0.0, "NetStream.Play.Failed")]);
    server.plain(ONE, "play2", 0.0, &options("t", "stop"));
    server.answered(&[(1, "onStatus", 0.0, "NetStream.Play.Stop")]);
    assert_eq!(server.events, [ServerEvent::PlayEnded { msid: ONE, reason: EndReason::Closed }]);
    server.plain(ONE, "play2", 0.0, &options("t", "reset"));
    assert!(matches!(server.events[1], ServerEvent::PlayRequested { reset: true, .. }));
}

#[test]
fn a_player_that_calls_on_the_wrong_message_stream() {
    let mut server = Scripted::playing();
    server.plain(CONTROL, "pause", 0.0, &[true.into(), 10.0.into()]);
    server.plain(CONTROL, "seek", 0.0, &[500.0.into()]);
    server.plain(CONTROL, "receiveAudio", 0.0, &[false.into()]);
    server.plain(CONTROL, "receiveVideo", 0.0, &[false.into()]);
    server.plain(MessageStreamId(8), "closeStream", 0.0, &[]);
    let msid = ONE;
    assert_eq!(
        server.events,
        [
            ServerEvent::Paused { msid, paused: true, millis: 10.0 },
            ServerEvent::Seek { msid, millis: 500.0 },
            ServerEvent::ReceiveAudio { msid, enabled: false },
            ServerEvent::ReceiveVideo { msid, enabled: false },
            ServerEvent::PlayEnded { msid, reason: EndReason::Closed },
        ]
    );
    // With two plays nobody can tell which is meant.
    let mut server = Scripted::playing();
    server.plain(TWO, "play", 0.0, &["t".into()]);
    server.accept();
    server.forget();
    server.plain(CONTROL, "pause", 0.0, &[true.into()]);
    assert!(server.events.is_empty() && server.sent.is_empty());
}

#[test]
fn a_seek_where_nothing_is_played_fails() {
    let mut server = Scripted::publishing();
    server.plain(ONE, "seek", 0.0, &[500.0.into()]);
    server.plain(ONE, "pause", 0.0, &[true.into()]);
    server.plain(ONE, "receiveAudio", 0.0, &[true.into()]);
    server.answered(&[(1, "onStatus", 0.0, "NetStream.Seek.Failed")]);
    assert!(server.events.is_empty());
}

#[test]
fn a_live_stream_has_no_length() {
    let mut server = Scripted::connect_as("", 0.0);
    for (id, name) in [(2.0, "getStreamLength"), (3.0, "getMovLen")] {
        server.plain(CONTROL, name, id, &["s".into()]);
        assert_eq!(decode(server.sent.last().unwrap()).arguments, [0.0.into()]);
    }
    server.answered(&[(0, "_result", 2.0, ""), (0, "_result", 3.0, "")]);
}

#[test]
fn a_player_that_changes_its_buffer_and_pings() {
    let mut server = Scripted::playing();
    for millis in [36_000_000, 0] {
        server.send(&UserControl::SetBufferLength { msid: ONE, millis }.to_message()).unwrap();
    }
    server.send(&UserControl::PingRequest(u32::MAX).to_message()).unwrap();
    let buffers = [36_000_000, 0].map(|millis| ServerEvent::BufferLength { msid: ONE, millis });
    assert_eq!(server.events, buffers);
    assert_eq!(server.user_controls(), [UserControl::PingResponse(u32::MAX)]);
}

#[test]
fn fc_unpublish_of_what_nobody_publishes() {
    let mut server = Scripted::connect_as("", 0.0);
    server.plain(CONTROL, "FCUnpublish", 5.0, &["s".into()]);
    server.answered(&[
        (0, "onFCUnpublish", 0.0, "NetStream.Unpublish.Success"),
        (0, "_result", 5.0, ""),
    ]);
    assert!(server.events.is_empty());
}
