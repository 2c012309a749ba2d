//! The server session against the calls that encoders and players make.

mod support;

use std::time::Duration;

use amf0::{Object, Value};
use rtmp_proto::message::{
    Acknowledgement, ControlMessage, SetPeerBandwidth, UserControl, WindowAcknowledgementSize,
};
use rtmp_proto::{
    EndReason, Limits, MediaKind, MessageStreamId, MessageType, PublishKind, SendError,
    ServerConfig, ServerEvent, SessionError, StatusCode, UnknownStream,
};
use support::*;

#[test]
fn accepting_connect_announces_the_connection() {
    let mut config = ServerConfig::default();
    config.connect_data.insert("server", "test");
    let mut server = Scripted::shaken(config);
    let mut object = connect_object().as_object().unwrap().clone();
    object.push("objectEncoding", 3.0);
    server.call(CONTROL, "connect", 1.0, object.clone().into(), vec![]);
    let Some(ServerEvent::ConnectRequested { connect, .. }) = server.events.last() else {
        panic!("{:?}", server.events)
    };
    assert_eq!((connect.app.as_str(), &connect.properties), ("live", &object));
    assert!(server.sent.is_empty());

    server.accept();
    let kinds: Vec<_> = server.sent.iter().map(|m| (m.type_id.0, m.csid.get())).collect();
    assert_eq!(kinds, [(5, 2), (6, 2), (1, 2), (20, 3), (20, 3)]);
    assert_eq!(server.sent[0].payload[..], 2_500_000u32.to_be_bytes());
    assert_eq!(server.sent[1].payload[4], 2);
    assert_eq!(server.sent[2].payload[..], 60_000u32.to_be_bytes());
    let result = decode(&server.sent[3]);
    assert_eq!((result.name.as_str(), result.transaction_id), ("_result", 1.0));
    let properties = result.object.as_object().unwrap();
    assert_eq!(properties.get("fmsVer").and_then(Value::as_str), Some("FMS/3,5,3,888"));
    let info = result.arguments[0].as_object().unwrap();
    assert_eq!(info.get("level"), Some(&"status".into()));
    assert_eq!(info.get("code"), Some(&"NetConnection.Connect.Success".into()));
    assert_eq!(info.get("objectEncoding"), Some(&3.0.into()));
    let data = info.get("data").and_then(Value::as_object).unwrap();
    assert_eq!(data.get("server"), Some(&"test".into()));
    assert_eq!(decode(&server.sent[4]).name, "onBWDone");
}

#[test]
fn what_a_connection_announces_may_be_decided_when_it_is_asked_for() {
    let mut server = Scripted::shaken(ServerConfig::default());
    server.call(CONTROL, "connect", 1.0, connect_object(), vec![]);
    server.session.set_chunk_size(4096);
    server.session.set_windows(100_000, 0);
    server.accept();
    assert_eq!(server.sent[0].payload[..], 100_000u32.to_be_bytes());
    assert_eq!(server.sent[1].payload[..4], 2_500_000u32.to_be_bytes());
    assert_eq!(server.sent[2].payload[..], 4096u32.to_be_bytes());
    server.forget();

    // Later, a new chunk size is told at once, and only if it is new.
    server.session.set_chunk_size(4096);
    server.session.set_chunk_size(128);
    server.session.set_windows(5, 5);
    server.drain();
    let sent: Vec<_> = server.sent.iter().map(|m| (m.type_id.0, &m.payload[..])).collect();
    assert_eq!(sent, [(1, &128u32.to_be_bytes()[..])]);
    assert_eq!(server.session.media_encoder(ONE).encoded_len(0, 256), 12 + 256 + 1);
}

#[test]
fn a_window_of_zero_is_not_announced() {
    let mut server = Scripted::shaken(ServerConfig::default());
    server.call(CONTROL, "connect", 1.0, connect_object(), vec![]);
    server.session.set_windows(0, 0);
    server.accept();
    let types: Vec<_> = server.sent.iter().map(|message| message.type_id.0).collect();
    assert_eq!(types[..3], [6, 1, 20]);
}

#[test]
fn our_acknowledgements_follow_the_window_that_is_set() {
    let mut server = Scripted::shaken(ServerConfig::default());
    server.session.set_windows(2_500_000, 1_000);
    server.call(CONTROL, "connect", 1.0, connect_object(), vec![]);
    server.accept();
    server.forget();
    for transaction in 2..40 {
        server.call(CONTROL, "getStreamLength", f64::from(transaction), Value::Null, vec![]);
    }
    assert!(server.sent.iter().any(|message| message.type_id.0 == 3));
}

#[test]
fn an_fmle_publish_from_start_to_end_and_again() {
    let mut server = Scripted::connected();
    server.forget();
    let name = || vec![Value::from("s?token=t")];
    server.call(CONTROL, "releaseStream", 2.0, Value::Null, name());
    server.call(CONTROL, "FCPublish", 3.0, Value::Null, name());
    server.call(CONTROL, "createStream", 4.0, Value::Null, vec![]);
    assert_eq!(decode(server.sent.last().unwrap()).arguments, [1.0.into()]);
    for transaction in [5.0, 6.0] {
        server.forget();
        server.call(ONE, "publish", transaction, Value::Null, name());
        assert_eq!(server.commands(), []);
        let Some(ServerEvent::PublishRequested { msid, stream_name, kind, .. }) =
            server.events.last()
        else {
            panic!("{:?}", server.events)
        };
        assert_eq!((*msid, stream_name.as_str(), kind), (ONE, "s?token=t", &PublishKind::Live));
        server.accept();
        assert_eq!(
            server.commands(),
            [
                command_row(1, "onFCPublish", 0.0, "NetStream.Publish.Start"),
                command_row(1, "onStatus", 0.0, "NetStream.Publish.Start"),
            ]
        );
        server.forget();
        server.call(CONTROL, "FCUnpublish", 9.0, Value::Null, name());
        assert_eq!(
            server.commands(),
            [
                command_row(1, "onFCUnpublish", 0.0, "NetStream.Unpublish.Success"),
                command_row(0, "_result", 9.0, ""),
                command_row(1, "onStatus", 0.0, "NetStream.Unpublish.Success"),
            ]
        );
        let reason = EndReason::Unpublished;
        assert_eq!(server.events, [ServerEvent::PublishEnded { msid: ONE, reason }]);
    }
}

#[test]
fn media_only_of_an_accepted_publish() {
    let mut server = Scripted::publishing();
    server.media(ONE, MediaKind::Video, b"\x17v");
    // Never created: it belongs to the only publish.
    server.media(CONTROL, MediaKind::Audio, b"\xafa");
    server.media(ONE, MediaKind::Audio, b"");
    let messages: Vec<_> = server
        .events
        .iter()
        .map(|event| match event {
            ServerEvent::Media { msid, message } => (msid.0, message.kind, message.payload.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(messages, [(1, MediaKind::Video, 2), (1, MediaKind::Audio, 2)]);
    assert_eq!(server.session.stats().dropped_messages, 1);

    server.call(ONE, "closeStream", 0.0, Value::Null, vec![]);
    server.forget();
    server.media(ONE, MediaKind::Video, b"late");
    assert_eq!(server.events, []);
    assert_eq!(server.session.stats().dropped_messages, 2);
}

#[test]
fn metadata_is_a_script_tag_body() {
    let mut server = Scripted::publishing();
    let body = b"\x02\x00\x0aonMetaData\x05";
    let wire = b"\x00\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x05";
    server.media(ONE, MediaKind::Data, body);
    server.media(ONE, MediaKind::Data, &wire[1..]);
    let mut amf3 = media_message(ONE, MediaKind::Data, 40, wire);
    amf3.type_id = MessageType::DATA_AMF3;
    server.send(&amf3).unwrap();
    assert_eq!(server.events.len(), 3);
    for event in &server.events {
        let ServerEvent::Media { message, .. } = event else { panic!("{event:?}") };
        assert_eq!(message.payload[..], body[..]);
    }
}

#[test]
fn an_aggregate_is_split() {
    let mut server = Scripted::publishing();
    let part = b"\x08\x00\x00\x01\x00\x00\x0a\x00\x00\x00\x00a\x00\x00\x00\x0c\
                 \x09\x00\x00\x01\x00\x00\x14\x00\x00\x00\x00v\x00\x00\x00\x0c";
    let mut aggregate = media_message(ONE, MediaKind::Video, 500, part);
    aggregate.type_id = MessageType::AGGREGATE;
    server.send(&aggregate).unwrap();
    let msid = ONE;
    assert_eq!(
        server.events,
        [
            ServerEvent::Media { msid, message: media(MediaKind::Audio, 500, b"a") },
            ServerEvent::Media { msid, message: media(MediaKind::Video, 510, b"v") },
        ]
    );
    aggregate.payload = aggregate.payload.slice(..14);
    aggregate.payload = [&aggregate.payload[..], &part[..9]].concat().into();
    assert!(matches!(server.send(&aggregate), Err(SessionError::Message(_))));
}

#[test]
fn metadata_in_an_aggregate_may_be_amf3() {
    let mut server = Scripted::publishing();
    let part = b"\x0f\0\0\x11\0\0\0\0\0\0\0\x02\0\x0aonMetaData\x11\x06\x03x\0\0\0\x1c";
    let mut aggregate = media_message(ONE, MediaKind::Video, 500, part);
    aggregate.type_id = MessageType::AGGREGATE;
    server.send(&aggregate).unwrap();
    let message = media(MediaKind::Data, 500, b"\x02\0\x0aonMetaData\x02\0\x01x");
    assert_eq!(server.events, [ServerEvent::Media { msid: ONE, message }]);
}

#[test]
fn accepting_play_announces_the_stream() {
    let mut server = Scripted::connected();
    server.call(CONTROL, "createStream", 2.0, Value::Null, vec![]);
    server.forget();
    let arguments = vec!["s".into(), Value::from(-2000.0), (-1.0).into(), true.into()];
    server.call(ONE, "play", 3.0, Value::Null, arguments);
    assert!(matches!(
        &server.events[..],
        [ServerEvent::PlayRequested { msid: ONE, stream_name, start: -2000.0, duration: -1.0, reset: true, .. }]
            if stream_name == "s"
    ));
    server.accept();
    assert_eq!(server.user_controls(), [UserControl::StreamBegin(ONE)]);
    assert_eq!(
        server.commands(),
        [
            command_row(1, "onStatus", 0.0, "NetStream.Play.Reset"),
            command_row(1, "onStatus", 0.0, "NetStream.Play.Start"),
        ]
    );
    let data: Vec<_> = server.sent.iter().filter(|m| m.type_id.0 == 18).collect();
    assert_eq!(data[0].payload[..], *b"\x02\x00\x11|RtmpSampleAccess\x01\x01\x01\x01");
    assert!(data[1].payload.starts_with(b"\x02\x00\x08onStatus\x03\x00\x04code"));

    let message = media(MediaKind::Video, 40, b"v");
    server.forget();
    server.session.send_media(ONE, &message).unwrap();
    server.drain();
    assert_eq!(server.sent[0].payload, message.payload);
    assert_eq!(
        server.session.send_media(MessageStreamId(2), &message),
        Err(SendError::NotActive { msid: MessageStreamId(2) })
    );
}

#[test]
fn the_shared_bytes_are_those_of_the_session() {
    let mut server = Scripted::playing();
    let message = media(MediaKind::Video, 0x0100_0000, &[7; 70_000]);
    server.session.send_media(ONE, &message).unwrap();
    let Some(rtmp_proto::Output::Transmit(sent)) = server.session.poll_output() else { panic!() };
    let mut shared = bytes::BytesMut::new();
    let encoder = server.session.media_encoder(ONE);
    encoder.encode(&message, &mut shared).unwrap();
    assert_eq!(sent, shared);
    let before = server.session.stats().sent_bytes;
    server.session.record_sent(shared.len());
    assert_eq!(server.session.stats().sent_bytes, before + shared.len() as u64);
}

#[test]
fn rejections_name_their_status() {
    let mut server = Scripted::connected();
    server.forget();
    server.call(ONE, "publish", 3.0, Value::Null, vec!["s".into()]);
    let id = request(&server.events[0]).unwrap();
    server.session.reject(id, StatusCode::PUBLISH_BAD_NAME, "busy").unwrap();
    assert!(server.session.reject(id, StatusCode::PUBLISH_BAD_NAME, "busy").is_err());
    assert!(server.session.accept(id).is_err());
    server.drain();
    server.call(MessageStreamId(2), "play", 4.0, Value::Null, vec!["s".into()]);
    let id = request(&server.events[1]).unwrap();
    let ex = Object::from([("redirect", "rtmp://other/live")]);
    let extra = Object::from([("ex", ex)]);
    server.session.reject_with(id, StatusCode::CONNECT_REJECTED, "moved", extra).unwrap();
    server.drain();
    assert_eq!(
        server.commands(),
        [
            command_row(1, "onStatus", 0.0, "NetStream.Publish.BadName"),
            command_row(2, "onStatus", 0.0, "NetConnection.Connect.Rejected"),
        ]
    );

    let mut server = Scripted::shaken(ServerConfig::default());
    server.call(CONTROL, "connect", 1.0, connect_object(), vec![]);
    let id = request(&server.events[0]).unwrap();
    server.session.reject(id, StatusCode::CONNECT_REJECTED, "no").unwrap();
    server.drain();
    assert_eq!(
        server.commands(),
        [command_row(0, "_error", 1.0, "NetConnection.Connect.Rejected")]
    );
    server.forget();
    server.call(CONTROL, "createStream", 2.0, Value::Null, vec![]);
    assert!(server.sent.is_empty() && server.events.is_empty());
}

#[test]
fn commands_wait_for_the_answer_to_connect() {
    let mut server = Scripted::shaken(ServerConfig::default());
    // Before connect there is nothing to call.
    server.call(CONTROL, "createStream", 9.0, Value::Null, vec![]);
    server.call(CONTROL, "connect", 1.0, connect_object(), vec![]);
    server.call(CONTROL, "createStream", 2.0, Value::Null, vec![]);
    server.call(ONE, "publish", 3.0, Value::Null, vec!["s".into()]);
    assert_eq!((server.events.len(), server.sent.len()), (1, 0));
    server.accept();
    assert!(matches!(server.events[1], ServerEvent::PublishRequested { .. }));
    let names: Vec<_> = server.commands().into_iter().map(|row| (row.1, row.2)).collect();
    let expected = [("_result", 1.0), ("onBWDone", 0.0), ("_result", 2.0)];
    assert_eq!(names, expected.map(|(name, id)| (name.to_owned(), id)));
}

#[test]
fn too_many_commands_before_the_answer_to_connect() {
    let mut server = Scripted::shaken(ServerConfig::default());
    server.call(CONTROL, "connect", 1.0, connect_object(), vec![]);
    let call = command(CONTROL, "x", 2.0, Value::Null, vec![]);
    for _ in 0..16 {
        server.send(&call).unwrap();
    }
    assert_eq!(server.send(&call), Err(SessionError::TooManyCommands { limit: 16 }));
}

#[test]
fn streams_are_bounded() {
    let mut server = Scripted::connected();
    server.forget();
    for id in 1..=16 {
        server.call(CONTROL, "createStream", 2.0, Value::Null, vec![]);
        assert_eq!(decode(server.sent.last().unwrap()).arguments, [id.into()]);
    }
    server.forget();
    server.call(CONTROL, "createStream", 2.0, Value::Null, vec![]);
    server.call(MessageStreamId(99), "publish", 3.0, Value::Null, vec!["s".into()]);
    server.call(MessageStreamId(99), "play", 3.0, Value::Null, vec!["s".into()]);
    assert_eq!(
        server.commands(),
        [
            command_row(0, "_error", 2.0, "NetConnection.Call.Failed"),
            command_row(99, "onStatus", 0.0, "NetStream.Publish.BadName"),
            command_row(99, "onStatus", 0.0, "NetStream.Play.Failed"),
        ]
    );
    assert!(server.events.is_empty());
}

#[test]
fn other_calls_are_answered_if_they_wait() {
    let mut server = Scripted::connected();
    server.forget();
    server.call(CONTROL, "_checkbw", 5.0, Value::Null, vec![]);
    server.call(CONTROL, "getStreamLength", 6.0, Value::Null, vec!["s".into()]);
    server.call(CONTROL, "whatever", 7.0, Value::Null, vec![]);
    server.call(CONTROL, "whatever", 0.0, Value::Null, vec![]);
    server.call(CONTROL, "_result", 7.0, Value::Null, vec![]);
    server.call(CONTROL, "connect", 8.0, connect_object(), vec![]);
    server.call(CONTROL, "FCSubscribe", 9.0, Value::Null, vec!["s".into()]);
    assert_eq!(
        server.commands(),
        [
            command_row(0, "_result", 5.0, ""),
            command_row(0, "_result", 6.0, ""),
            command_row(0, "_result", 7.0, ""),
            command_row(0, "_error", 8.0, "NetConnection.Connect.Rejected"),
            command_row(0, "_result", 9.0, ""),
            command_row(0, "onFCSubscribe", 0.0, "NetStream.Play.Start"),
        ]
    );
    assert!(server.events.is_empty());
}

#[test]
fn what_a_player_does() {
    let mut server = Scripted::playing();
    server.call(ONE, "pause", 0.0, Value::Null, vec![true.into(), 1500.0.into()]);
    server.call(ONE, "pause", 0.0, Value::Null, vec![false.into(), 1500.0.into()]);
    server.call(ONE, "seek", 0.0, Value::Null, vec![9000.0.into()]);
    server.call(ONE, "receiveAudio", 0.0, Value::Null, vec![false.into()]);
    server.call(ONE, "receiveVideo", 0.0, Value::Null, vec![true.into()]);
    let buffer = UserControl::SetBufferLength { msid: ONE, millis: 3000 };
    server.send(&buffer.to_message()).unwrap();
    server.call(CONTROL, "deleteStream", 0.0, Value::Null, vec![1.0.into()]);
    let msid = ONE;
    assert_eq!(
        server.events,
        [
            ServerEvent::Paused { msid, paused: true, millis: 1500.0 },
            ServerEvent::Paused { msid, paused: false, millis: 1500.0 },
            ServerEvent::Seek { msid, millis: 9000.0 },
            ServerEvent::ReceiveAudio { msid, enabled: false },
            ServerEvent::ReceiveVideo { msid, enabled: true },
            ServerEvent::BufferLength { msid, millis: 3000 },
            ServerEvent::PlayEnded { msid, reason: EndReason::Deleted },
        ]
    );
    assert_eq!(
        server.commands(),
        ["Pause", "Unpause", "Seek"].map(|what| command_row(
            1,
            "onStatus",
            0.0,
            &format!("NetStream.{what}.Notify")
        ))
    );
    let switches = [UserControl::StreamEof(ONE), UserControl::StreamBegin(ONE)];
    assert_eq!(server.user_controls(), switches);
}

#[test]
fn another_play_replaces_the_one_before() {
    let mut server = Scripted::playing();
    server.call(
        ONE,
        "play",
        4.0,
        Value::Null,
        vec!["t".into(), 0.0.into(), 0.0.into(), 0.0.into()],
    );
    let first = request(&server.events[1]).unwrap();
    server.call(ONE, "play", 5.0, Value::Null, vec!["u".into()]);
    assert_eq!(server.events[0], ServerEvent::PlayEnded { msid: ONE, reason: EndReason::Replaced });
    assert!(matches!(server.events[1], ServerEvent::PlayRequested { reset: false, .. }));
    assert_eq!(server.events[2], ServerEvent::RequestCancelled { id: first, msid: ONE });
    assert!(server.session.accept(first).is_err());
    server.accept();
}

#[test]
fn a_request_can_be_taken_back() {
    let mut server = Scripted::connected();
    for (name, msid, arguments) in
        [("closeStream", ONE, vec![]), ("deleteStream", CONTROL, vec![1.0.into()])]
    {
        server.call(ONE, "publish", 3.0, Value::Null, vec!["s".into()]);
        let id = request(server.events.last().unwrap()).unwrap();
        server.call(msid, name, 0.0, Value::Null, arguments);
        let cancelled = ServerEvent::RequestCancelled { id, msid: ONE };
        assert_eq!(server.events.last(), Some(&cancelled));
        assert!(server.session.accept(id).is_err());
    }
}

#[test]
fn a_stream_has_one_use_at_a_time() {
    let mut server = Scripted::publishing();
    server.call(ONE, "publish", 4.0, Value::Null, vec!["t".into()]);
    server.call(ONE, "play", 5.0, Value::Null, vec!["t".into()]);
    assert_eq!(
        server.commands(),
        [
            command_row(1, "onStatus", 0.0, "NetStream.Publish.BadName"),
            command_row(1, "onStatus", 0.0, "NetStream.Play.Failed"),
        ]
    );
    assert!(server.events.is_empty());
}

#[test]
fn the_server_ends_a_play_or_publish() {
    let mut server = Scripted::playing();
    server.session.end_play(ONE).unwrap();
    assert_eq!(server.session.end_play(ONE), Err(UnknownStream(ONE)));
    server.drain();
    assert_eq!(server.user_controls(), [UserControl::StreamEof(ONE)]);
    let codes: Vec<_> = server.commands().into_iter().map(|row| row.3).collect();
    assert_eq!(codes, ["NetStream.Play.UnpublishNotify", "NetStream.Play.Stop"]);
    let message = media(MediaKind::Audio, 0, b"a");
    assert!(server.session.send_media(ONE, &message).is_err());

    let mut server = Scripted::publishing();
    let code = StatusCode::new("NetStream.Publish.Idle");
    server.session.end_publish(ONE, code.clone(), "kicked").unwrap();
    assert!(server.session.end_publish(ONE, code, "kicked").is_err());
    server.drain();
    assert_eq!(server.commands(), [command_row(1, "onStatus", 0.0, "NetStream.Publish.Idle")]);
    server.media(ONE, MediaKind::Audio, b"a");
    assert!(server.events.is_empty());
}

#[test]
fn acknowledgements_both_ways() {
    let mut server = Scripted::publishing();
    server.send(&WindowAcknowledgementSize(4000).to_message()).unwrap();
    server.forget();
    server.media(ONE, MediaKind::Video, &[1; 3000]);
    let acknowledgement = server.sent.iter().find(|m| m.type_id.0 == 3).unwrap();
    let received = server.session.stats().received_bytes as u32;
    assert_eq!(Acknowledgement::decode(&acknowledgement.payload), Ok(Acknowledgement(received)));

    server.session.record_sent(1000);
    let sent = server.session.stats().sent_bytes as u32;
    server.send(&Acknowledgement(sent - 400).to_message()).unwrap();
    assert_eq!(server.events.last(), Some(&ServerEvent::Acknowledged { bytes: sent - 400 }));
    assert_eq!(server.session.stats().unacknowledged_bytes, 400);
}

#[test]
fn a_hard_bandwidth_limit_is_answered_by_a_window() {
    let mut server = Scripted::connected();
    server.forget();
    let limit = rtmp_proto::message::BandwidthLimit::Hard;
    let bandwidth = SetPeerBandwidth { window: 5000, limit };
    server.send(&bandwidth.to_message()).unwrap();
    assert_eq!(server.sent, [WindowAcknowledgementSize(5000).to_message()]);
}

#[test]
fn pings_both_ways() {
    let mut server = Scripted::connected();
    server.forget();
    server.send(&UserControl::PingRequest(7).to_message()).unwrap();
    assert_eq!(server.user_controls(), [UserControl::PingResponse(7)]);
    server.session.ping(server.now + Duration::from_millis(1000));
    server.drain();
    assert_eq!(server.user_controls()[1], UserControl::PingRequest(1000));
    server.now += Duration::from_millis(1030);
    server.send(&UserControl::PingResponse(1000).to_message()).unwrap();
    let round_trip = Duration::from_millis(30);
    assert_eq!(server.events.last(), Some(&ServerEvent::Pong { round_trip }));
}

#[test]
fn timeouts() {
    let mut server = Scripted::fresh(ServerConfig::default());
    let deadline = server.session.poll_timeout().unwrap();
    assert_eq!(deadline, server.now + Duration::from_secs(10));
    assert_eq!(server.session.handle_timeout(server.now), Ok(()));
    // A byte a second does not help.
    server.receive(&[3]).unwrap();
    let error = Err(SessionError::HandshakeTimeout { limit: Duration::from_secs(10) });
    assert_eq!(server.session.handle_timeout(deadline), error);
    assert_eq!(server.session.handle_timeout(server.now), error);
    assert_eq!(server.receive(&[0]), error);
    assert_eq!(server.session.poll_timeout(), None);

    let mut server = Scripted::connected();
    let deadline = server.session.poll_timeout().unwrap();
    assert_eq!(deadline, server.now + Duration::from_secs(30));
    let error = Err(SessionError::SetupTimeout { limit: Duration::from_secs(30) });
    assert_eq!(server.session.handle_timeout(deadline), error);

    for mut server in [Scripted::publishing(), Scripted::playing()] {
        assert_eq!(server.session.poll_timeout(), None);
        assert_eq!(server.session.handle_timeout(deadline + Duration::from_secs(99)), Ok(()));
    }
}

#[test]
fn output_that_nobody_takes_is_bounded() {
    let mut config = ServerConfig::default();
    config.limits = Limits { output_bytes: 4000, ..Limits::default() };
    let mut server = Scripted::shaken(config);
    server.call(CONTROL, "connect", 1.0, connect_object(), vec![]);
    server.accept();
    let mut writer = rtmp_proto::chunk::ChunkWriter::new();
    let mut bytes = bytes::BytesMut::new();
    for _ in 0..1000 {
        writer.write(&UserControl::PingRequest(7).to_message(), &mut bytes).unwrap();
    }
    // The scripted client has used chunk stream 2 for nothing yet, so that these are its first.
    let error = server.session.receive(server.now, &bytes);
    assert_eq!(error, Err(SessionError::OutputFull { limit: 4000 }));
    assert!(server.session.pending_transmit() < 4100);

    let mut server = Scripted::playing();
    let message = media(MediaKind::Video, 0, &[0; 4 << 20]);
    let refused = (0..10).find_map(|_| server.session.send_media(ONE, &message).err());
    assert_eq!(refused, Some(SendError::OutputFull { limit: 20 << 20 }));
}
