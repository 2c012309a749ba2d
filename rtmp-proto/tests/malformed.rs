//! Bytes of a bad peer: a typed error and bounded memory, never a panic.

mod support;

use bytes::BytesMut;
use proptest::{collection::vec, prelude::*};
use rtmp_proto::chunk::{ChunkError, ChunkReader, ChunkWriter};
use rtmp_proto::handshake::HandshakeError;
use rtmp_proto::message::{Message, MessageError};
use rtmp_proto::{
    ChunkStreamId, ClientConfig, ClientSession, Limits, MediaKind, MessageType, Output, Purpose,
    RtmpUrl, ServerConfig, ServerEvent, ServerOutput, ServerSession, SessionError,
};
use support::*;

/// Feeds segments in pieces of the given lengths and accepts requests at the end of each segment.
fn feed(segments: &[Vec<u8>], pieces: &[usize]) -> (Vec<ServerEvent>, Result<(), SessionError>) {
    let now = base();
    let mut server = ServerSession::new(ServerConfig::default(), now);
    let mut events = Vec::new();
    let mut pieces = pieces.iter().cycle();
    for segment in segments {
        let mut rest = &segment[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
            rest = after;
            let result = server.receive(now, piece);
            let from = events.len();
            while let Some(output) = server.poll_output() {
                if let Output::Event(event) = output {
                    events.push(event);
                }
            }
            if let Err(error) = result {
                assert_eq!(server.receive(now, &[0]), Err(error.clone()));
                for id in events[from..].iter().filter_map(request) {
                    assert!(server.accept(id).is_err());
                }
                return (events, Err(error));
            }
        }
        for id in events.iter().filter_map(request).collect::<Vec<_>>() {
            let _ = server.accept(id);
        }
    }
    (events, Ok(()))
}

fn client() -> ClientSession {
    let url = RtmpUrl::parse("rtmp://localhost/live/s").unwrap();
    ClientSession::new(ClientConfig::new(url, Purpose::play()), base())
}

#[test]
fn other_protocols() {
    let first = |bytes: &[u8]| feed(&[bytes.to_vec()], &[usize::MAX]).1;
    for (bytes, first_byte) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], b'G'),
        (b"POST /x", b'P'),
        (b"\x16\x03\x01", 0x16),
        (b"\xff", 0xff),
    ] {
        let error = SessionError::Handshake(HandshakeError::NotRtmp { first: first_byte });
        assert_eq!(first(bytes), Err(error));
    }
    let error = SessionError::Handshake(HandshakeError::Encrypted { version: 6 });
    assert_eq!(first(&[6]), Err(error.clone()));
    assert_eq!(client().receive(base(), &[6]), Err(error));
}

#[test]
fn sixty_five_thousand_chunk_streams() {
    let mut reader = ChunkReader::new(&Limits::default());
    let mut refused = None;
    for id in 2..=65_599 {
        // All but the last byte of a message on each.
        let message = Message {
            csid: ChunkStreamId::new(id).unwrap(),
            payload: vec![1; 129].into(),
            ..media_message(ONE, MediaKind::Video, 0, b"")
        };
        let mut wire = BytesMut::new();
        ChunkWriter::new().write(&message, &mut wire).unwrap();
        let last_chunk = if id < 64 { 2 } else { 3 };
        if let Err(error) = reader.read(&mut &wire[..wire.len() - last_chunk]) {
            refused = Some((id, error));
            break;
        }
    }
    let csid = ChunkStreamId::new(66).unwrap();
    assert_eq!(refused, Some((66, ChunkError::TooManyChunkStreams { csid, limit: 64 })));
    assert_eq!(reader.held_bytes(), 64 * 128);
}

#[test]
fn sixteen_mebibytes_announced_hold_what_arrived() {
    let mut server = Scripted::publishing();
    let header = [6, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0];
    server.receive(&[&header[..], &[1; 50]].concat()).unwrap();
    assert_eq!(server.session.stats().partial_bytes, 50);
    // A command may not be that long.
    let header = [7, 0, 0, 0, 0xff, 0xff, 0xff, 20, 1, 0, 0, 0];
    let error = ChunkError::MessageTooLong {
        type_id: MessageType::COMMAND_AMF0,
        length: 0xff_ffff,
        limit: 64 * 1024,
    };
    // The chunk of video is still open: it takes the next 78 bytes.
    let bytes = [&[1; 78][..], &header].concat();
    assert_eq!(server.receive(&bytes), Err(SessionError::Chunk(error)));
}

#[test]
fn bad_chunk_sizes() {
    for size in [0, 0x8000_0000, u32::MAX] {
        let mut server = Scripted::publishing();
        let bytes = [&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0][..], &u32::to_be_bytes(size)].concat();
        let error = ChunkError::Message(MessageError::InvalidChunkSize { size });
        assert_eq!(server.receive(&bytes), Err(SessionError::Chunk(error)));
    }
}

#[test]
fn values_nested_ten_thousand_deep() {
    let mut server = Scripted::connected();
    let mut message = command(CONTROL, "x", 1.0, amf0::Value::Null, vec![]);
    let deep = [0x0a, 0, 0, 0, 1].repeat(10_000);
    message.payload = [&message.payload[..], &deep].concat().into();
    let error = server.send(&message);
    assert!(matches!(
        error,
        Err(SessionError::Message(MessageError::Amf0(amf0::DecodeError::TooDeep {
            limit: 32,
            ..
        })))
    ));
}

#[test]
fn an_aggregate_of_a_million_parts() {
    let mut server = Scripted::publishing();
    let part = [8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xaf, 0, 0, 0, 12];
    let bomb = Message {
        type_id: MessageType::AGGREGATE,
        payload: part.repeat(1_000_000).into(),
        ..media_message(ONE, MediaKind::Audio, 0, b"")
    };
    let limit = Limits::default().output_bytes;
    assert_eq!(server.send(&bomb), Err(SessionError::OutputFull { limit }));
    assert!(server.events.len() * size_of::<ServerOutput>() <= limit + 1024);
}

#[test]
fn values_without_end_in_a_command() {
    let mut server = Scripted::shaken(ServerConfig::default());
    let nulls = amf0::Value::StrictArray(vec![amf0::Value::Null; 2000]);
    let error = server.send(&command(CONTROL, "connect", 1.0, nulls, vec![]));
    assert!(matches!(
        error,
        Err(SessionError::Message(MessageError::Amf0(amf0::DecodeError::TooManyValues {
            limit: 1024,
            ..
        })))
    ));
}

#[test]
fn references_do_not_make_a_command_longer() {
    let mut server = Scripted::connected();
    let mut message = command(CONTROL, "x", 1.0, amf0::Value::Null, vec![]);
    // A text of 8 KiB in AMF3, and ten references to it.
    let text = [&[0x11, 6, 0x81, 0x80, 0x01][..], &[b'x'; 8192], &[0x11, 6, 0].repeat(10)].concat();
    message.payload = [&message.payload[..], &text].concat().into();
    let limit = 64 * 1024;
    assert!(matches!(
        server.send(&message),
        Err(SessionError::Message(MessageError::Amf0(amf0::DecodeError::Amf3(
            amf0::amf3::DecodeError::TooMuchText { limit: l, .. }
        )))) if l == limit
    ));
}

#[test]
fn short_control_messages() {
    for type_id in [1, 2, 3, 4, 5, 6] {
        let mut server = Scripted::connected();
        let result = server.receive(&[2, 0, 0, 0, 0, 0, 1, type_id, 0, 0, 0, 0, 9]);
        assert!(
            matches!(
                result,
                Err(SessionError::Message(MessageError::Truncated { len: 1, .. })
                    | SessionError::Chunk(ChunkError::Message(MessageError::Truncated {
                        len: 1,
                        ..
                    })))
            ),
            "{type_id} {result:?}"
        );
    }
}

#[test]
fn shared_objects_and_unknown_types_are_read_over() {
    let mut server = Scripted::publishing();
    for type_id in [0, 7, 10, 16, 19, 21, 255] {
        let mut message = media_message(ONE, MediaKind::Video, 0, b"\xff\xff\xff");
        message.type_id = MessageType(type_id);
        server.send(&message).unwrap();
    }
    assert!(server.events.is_empty() && server.sent.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_bytes(
        shaken in any::<bool>(),
        bytes in vec(any::<u8>(), 0..2000),
        pieces in vec(1usize..200, 1..4),
    ) {
        let mut segments = publish_segments();
        segments.truncate(if shaken { 4 } else { 0 });
        segments.push(bytes);
        prop_assert_eq!(feed(&segments, &pieces), feed(&segments, &[usize::MAX]));
    }

    #[test]
    fn mutated_sessions(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        pieces in vec(1usize..200, 1..4),
    ) {
        let mut segments = publish_segments();
        for (at, byte) in changes {
            // The handshake's contents do not matter; what comes after does.
            let total: usize = segments[1..].iter().map(Vec::len).sum::<usize>() - 1536;
            let mut at = at.index(total) + 1536;
            for segment in &mut segments[1..] {
                if let Some(place) = segment.get_mut(at) {
                    *place = byte;
                    break;
                }
                at -= segment.len();
            }
        }
        prop_assert_eq!(feed(&segments, &pieces), feed(&segments, &[usize::MAX]));
    }

    #[test]
    fn truncated_sessions(keep in any::<prop::sample::Index>(), drop in 1usize..40) {
        let mut segments = publish_segments();
        let last = segments.len() - 1;
        let at = keep.index(segments[last].len() - drop);
        segments[last].drain(at..at + drop);
        prop_assert_eq!(feed(&segments, &[64]), feed(&segments, &[usize::MAX]));
    }

    #[test]
    fn a_client_with_a_bad_server(
        bytes in vec(any::<u8>(), 0..2000),
        pieces in vec(1usize..200, 1..4),
    ) {
        let now = base();
        let mut client = client();
        client.receive(now, &[&[3][..], &[0; 3072]].concat()).unwrap();
        let (mut rest, mut pieces) = (&bytes[..], pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
            rest = after;
            if client.receive(now, piece).is_err() {
                break;
            }
            while client.poll_output().is_some() {}
        }
    }
}
