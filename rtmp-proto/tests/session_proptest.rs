//! Properties of whole sessions, and of the messages they send.

mod support;

use amf0::{Object, Value};
use proptest::{collection::vec, prelude::*};
use rtmp_proto::handshake::{ClientHandshake, HandshakeForm, ServerHandshake};
use rtmp_proto::message::{Command, UserControl};
use rtmp_proto::{
    ChunkStreamId, ClientConfig, ClientSession, MediaKind, MessageStreamId, MessageType, Output,
    Purpose, RtmpUrl, ServerConfig, ServerSession,
};
use support::*;

fn client(purpose: Purpose) -> ClientSession {
    let url = RtmpUrl::parse("rtmp://localhost/live/s").unwrap();
    ClientSession::new(ClientConfig::new(url, purpose), base())
}

/// Changes bytes at these places of a direction, counted from its start.
struct Noise {
    at: usize,
    changes: Vec<(usize, u8)>,
}

impl Noise {
    fn spoil(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for (place, mask) in &self.changes {
            if let Some(byte) = place.checked_sub(self.at).and_then(|at| bytes.get_mut(at)) {
                *byte ^= mask;
            }
        }
        self.at += bytes.len();
        bytes
    }
}

fn changes() -> impl Strategy<Value = Vec<(usize, u8)>> {
    // The handshake, what follows it, and the very first byte.
    let place = prop_oneof![Just(0usize), 1usize..3073, 3073usize..6000];
    vec((place, any::<u8>()), 0..4)
}

/// A transaction id, a name, and values a command can have.
fn command() -> impl Strategy<Value = Command> {
    let leaf = prop_oneof![
        prop::num::f64::NORMAL.prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,20}".prop_map(Value::String),
        Just(Value::Null),
        Just(Value::Undefined),
    ];
    let value = prop_oneof![
        leaf.clone(),
        vec((".{0,6}", leaf.clone()), 0..4).prop_map(|p| Value::Object(Object::from_iter(p))),
        vec(leaf, 0..4).prop_map(Value::StrictArray),
    ];
    (".{0,20}", 0u32..9, value.clone(), vec(value, 0..4)).prop_map(
        |(name, id, object, arguments)| Command {
            object,
            arguments,
            ..Command::new(name, id.into())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn two_sessions_over_a_bad_line(
        publish in any::<bool>(),
        up in changes(),
        down in changes(),
        media in vec(0usize..400, 0..4),
    ) {
        let now = base();
        let mut client = client(if publish { Purpose::publish() } else { Purpose::play() });
        let mut server = ServerSession::new(ServerConfig::default(), now);
        let mut up = Noise { at: 0, changes: up };
        let mut down = Noise { at: 0, changes: down };
        for round in 0..12 {
            while let Some(output) = client.poll_output() {
                if let Output::Transmit(bytes) = output {
                    let _ = server.receive(now, &up.spoil(&bytes));
                }
            }
            while let Some(output) = server.poll_output() {
                match output {
                    Output::Transmit(bytes) => {
                        let _ = client.receive(now, &down.spoil(&bytes));
                    }
                    Output::Event(event) => {
                        if let Some(id) = request(&event) {
                            let _ = server.accept(id);
                        }
                    }
                }
            }
            if round > 6 {
                for len in &media {
                    let payload = vec![0x17; *len].into();
                    let message = rtmp_proto::MediaMessage {
                        kind: MediaKind::Video,
                        timestamp: round * 40,
                        payload,
                    };
                    let _ = client.send_media(ONE, &message);
                    let _ = server.send_media(ONE, &message);
                }
            }
        }
        while client.poll_output().is_some() {}
        while server.poll_output().is_some() {}
        prop_assert_eq!((client.pending_transmit(), server.pending_transmit()), (0, 0));
    }

    #[test]
    fn a_handshake_in_any_split_is_the_same(
        complex in any::<bool>(),
        seed in any::<u64>(),
        pieces in vec(1usize..2000, 1..6),
        trailing in vec(any::<u8>(), 0..20),
    ) {
        let form = if complex { HandshakeForm::Complex } else { HandshakeForm::Simple };
        let (mut up, mut down) = (bytes::BytesMut::new(), bytes::BytesMut::new());
        let mut client = ClientHandshake::new(form, seed, &mut up);
        let mut whole = ServerHandshake::new(!seed);
        prop_assert_eq!(whole.receive(&mut &up[..], &mut down), Ok(false));
        prop_assert_eq!(client.receive(&mut &down[..], &mut up), Ok(true));
        up.extend_from_slice(&trailing);

        let mut split = ServerHandshake::new(!seed);
        let mut answer = bytes::BytesMut::new();
        let (mut rest, mut pieces) = (&up[..], pieces.iter().cycle());
        let mut left = Vec::new();
        let mut done = false;
        while !rest.is_empty() {
            let (mut piece, after) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
            if !done {
                done = split.receive(&mut piece, &mut answer).unwrap();
            }
            left.extend_from_slice(piece);
            rest = after;
        }
        prop_assert!(done);
        prop_assert_eq!(&left, &trailing);
        prop_assert_eq!(&answer, &down);
        prop_assert_eq!((split.form(), client.form()), (form, form));
    }

    #[test]
    fn a_command_reads_as_it_was_written(command in command()) {
        let message = command.to_message(ChunkStreamId::COMMAND, MessageStreamId(1)).unwrap();
        let limits = amf0::Limits::default();
        for prefix in [&[][..], &[0]] {
            let payload = [prefix, &message.payload].concat();
            let read = Command::decode(MessageType::COMMAND_AMF3, &payload, &limits);
            prop_assert_eq!(read.as_ref(), Ok(&command));
        }
        let read = Command::decode(MessageType::COMMAND_AMF0, &message.payload, &limits);
        prop_assert_eq!(read, Ok(command));
    }

    #[test]
    fn commands_and_data_of_any_bytes(
        type_id in prop_oneof![Just(15u8), Just(17), Just(18), Just(20)],
        name in any::<bool>(),
        bytes in vec(prop_oneof![any::<u8>(), 0u8..0x12], 0..200),
    ) {
        let mut server = Scripted::publishing();
        let start: &[u8] = if name { b"\x02\0\x01x\0\x40\0\0\0\0\0\0\0" } else { &[] };
        let mut message = media_message(ONE, MediaKind::Data, 0, b"");
        message.type_id = MessageType(type_id);
        message.payload = [start, &bytes].concat().into();
        // An error of its own, or an event; what it is does not matter here.
        let _ = server.send(&message);
    }

    #[test]
    fn user_control_of_any_bytes(bytes in vec(any::<u8>(), 0..20)) {
        let mut server = Scripted::playing();
        let mut message = media_message(CONTROL, MediaKind::Data, 0, b"");
        message.type_id = MessageType::USER_CONTROL;
        message.payload = bytes.into();
        let decodes = UserControl::decode(&message.payload).is_ok();
        prop_assert_eq!(server.send(&message).is_ok(), decodes);
    }
}
