//! The client session against servers that differ from ours.

mod support;

use amf0::{Object, Value};
use bytes::BytesMut;
use rtmp_proto::chunk::{ChunkReader, ChunkWriter};
use rtmp_proto::handshake::PACKET_SIZE;
use rtmp_proto::message::Message;
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientSession, Limits, MediaKind, MessageStreamId, MessageType,
    Output, Purpose, RtmpUrl, StatusCode,
};
use support::{CONTROL, base, command, decode, media, media_message};

/// A client session whose server is a test.
struct Scripted {
    session: ClientSession,
    events: Vec<ClientEvent>,
    sent: Vec<Message>,
    writer: ChunkWriter,
    reader: ChunkReader,
    handshake_left: usize,
}

impl Scripted {
    /// A session after the handshake.
    fn new(purpose: Purpose) -> Self {
        let url = RtmpUrl::parse("rtmp://[::1]:19350/live?vhost=v/s").unwrap();
        let mut this = Self {
            session: ClientSession::new(ClientConfig::new(url, purpose), base()),
            events: Vec::new(),
            sent: Vec::new(),
            writer: ChunkWriter::new(),
            reader: ChunkReader::new(&Limits::default()),
            handshake_left: 1 + 2 * PACKET_SIZE,
        };
        this.receive(&[&[3][..], &[7; 2 * PACKET_SIZE]].concat());
        this
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.session.receive(base(), bytes).unwrap();
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Transmit(bytes) => {
                    let skip = self.handshake_left.min(bytes.len());
                    self.handshake_left -= skip;
                    let mut bytes = &bytes[skip..];
                    while let Some(message) = self.reader.read(&mut bytes).unwrap() {
                        self.sent.push(message);
                    }
                }
            }
        }
    }

    fn send(&mut self, message: &Message) {
        let mut bytes = BytesMut::new();
        self.writer.write(message, &mut bytes).unwrap();
        self.receive(&bytes);
    }

    fn answer(&mut self, name: &str, transaction_id: f64, arguments: Vec<Value>) {
        self.send(&command(CONTROL, name, transaction_id, Value::Null, arguments));
    }

    fn status(&mut self, level: &str, code: &str) {
        let info = Object::from([("level", level), ("code", code)]);
        self.answer("onStatus", 0.0, vec![info.into()]);
    }

    /// The commands the client sent since the last time, with their first argument.
    fn calls(&mut self) -> Vec<(u32, String, f64, Option<Value>)> {
        let calls = self.sent.iter().filter(|m| m.type_id == MessageType::COMMAND_AMF0).map(|m| {
            let command = decode(m);
            (m.msid.0, command.name, command.transaction_id, command.arguments.first().cloned())
        });
        let calls = calls.collect();
        self.sent.clear();
        calls
    }
}

fn call(msid: u32, name: &str, id: f64, argument: Value) -> (u32, String, f64, Option<Value>) {
    (msid, name.to_owned(), id, Some(argument))
}

#[test]
fn connect_goes_first_and_alone() {
    let client = Scripted::new(Purpose::publish());
    assert_eq!(client.sent.len(), 1);
    let connect = decode(&client.sent[0]);
    assert_eq!((connect.name.as_str(), connect.transaction_id), ("connect", 1.0));
    let object = connect.object.as_object().unwrap();
    let text = |key| object.get(key).and_then(Value::as_str);
    assert_eq!(text("app"), Some("live?vhost=v"));
    assert_eq!(text("tcUrl"), Some("rtmp://[::1]:19350/live?vhost=v"));
    assert_eq!(text("type"), Some("nonprivate"));
}

#[test]
fn publish_with_a_server_that_knows_no_fmle_calls() {
    let mut client = Scripted::new(Purpose::publish());
    client.calls();
    client.answer("onBWDone", 0.0, vec![]);
    client.answer("_result", 1.0, vec![]);
    assert_eq!(
        client.calls(),
        [
            call(0, "releaseStream", 2.0, "s".into()),
            call(0, "FCPublish", 3.0, "s".into()),
            (0, "createStream".to_owned(), 4.0, None),
        ]
    );
    client.answer("_error", 2.0, vec![]);
    client.answer("_error", 3.0, vec![]);
    // Bandwidth checks want an answer.
    client.answer("_onbwcheck", 9.0, vec![]);
    assert_eq!(client.calls(), [call(0, "_result", 9.0, Value::Null)]);
    client.answer("_result", 4.0, vec![5.0.into()]);
    assert_eq!(client.calls(), [call(5, "publish", 5.0, "s".into())]);
    client.status("status", "NetStream.Publish.Start");
    let msid = MessageStreamId(5);
    assert_eq!(client.events[1..], [ClientEvent::PublishStarted { msid }]);

    let metadata = media(MediaKind::Data, 0, b"\x02\x00\x0aonMetaData\x05");
    client.session.send_media(msid, &metadata).unwrap();
    client.receive(&[]);
    assert!(client.sent[0].payload.starts_with(b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMeta"));
    client.sent.clear();
    client.session.stop();
    client.receive(&[]);
    assert_eq!(
        client.calls(),
        [call(0, "FCUnpublish", 6.0, "s".into()), call(0, "deleteStream", 0.0, 5.0.into())]
    );
}

#[test]
fn play_with_a_server_that_sends_media_at_once() {
    let mut client = Scripted::new(Purpose::play());
    client.answer("_result", 1.0, vec![]);
    client.answer("_result", 4.0, vec![1.0.into()]);
    let video = media_message(MessageStreamId(1), MediaKind::Video, 40, b"v");
    client.send(&video);
    let msid = MessageStreamId(1);
    assert_eq!(
        client.events[1..],
        [
            ClientEvent::PlayStarted { msid },
            ClientEvent::Media { msid, message: media(MediaKind::Video, 40, b"v") },
        ]
    );
    // A status may come as data; access rights are no media.
    let access = b"\x02\x00\x11|RtmpSampleAccess\x01\x01\x01\x01";
    client.send(&media_message(msid, MediaKind::Data, 0, access));
    let complete = b"\x02\x00\x0conPlayStatus\x03\x00\x04code\x02\x00\x17NetStream.Play.Complete\
                     \x00\x00\x09";
    client.send(&media_message(msid, MediaKind::Data, 0, complete));
    let code = StatusCode::new("NetStream.Play.Complete");
    let ended = ClientEvent::Ended { code, description: String::new() };
    assert_eq!(client.events[3..], [ended]);
    client.send(&video);
    assert_eq!(client.session.stats().dropped_messages, 1);
}

#[test]
fn refusals_at_every_step() {
    let refused = |client: &Scripted| {
        matches!(client.events.last(), Some(ClientEvent::Rejected { code, .. })
            if code.as_str() == "no")
    };
    let no = || vec![Value::from(Object::from([("level", "error"), ("code", "no")]))];
    for steps in 0..3 {
        let mut client = Scripted::new(Purpose::play());
        for transaction_id in [1.0, 4.0].into_iter().take(steps) {
            client.answer("_result", transaction_id, vec![1.0.into()]);
        }
        client.answer("_error", [1.0, 4.0, 5.0][steps], no());
        assert!(refused(&client), "{steps}");
        assert_eq!(client.session.poll_timeout(), None);
        // Nothing follows.
        client.sent.clear();
        client.answer("_result", 4.0, vec![1.0.into()]);
        assert!(client.sent.is_empty());
    }
}

#[test]
fn other_statuses_are_passed_on_and_the_end_is_told_once() {
    let mut client = Scripted::new(Purpose::play());
    client.answer("_result", 1.0, vec![]);
    client.answer("_result", 4.0, vec![1.0.into()]);
    client.status("status", "NetStream.Play.Reset");
    client.status("status", "NetStream.Play.Start");
    client.status("status", "NetStream.Play.UnpublishNotify");
    client.status("status", "NetStream.Play.Stop");
    client.answer("close", 0.0, vec![]);
    let kinds: Vec<_> = client.events[1..]
        .iter()
        .map(|event| match event {
            ClientEvent::Status { code, .. } => code.as_str(),
            ClientEvent::PlayStarted { .. } => "started",
            ClientEvent::Ended { .. } => "ended",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["NetStream.Play.Reset", "started", "ended"]);
}
