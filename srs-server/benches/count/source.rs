//! A publisher's bytes, made beforehand.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flv_mux::{AvcDecoderConfigurationRecord, NalLengthSize};
use rtmp_proto::{
    ChunkStreamId, MediaKind, MediaMessage, MessageStreamId, amf0,
    amf0::{Object, Value},
    chunk::MediaEncoder,
    message::Command,
};

const ONE: MessageStreamId = MessageStreamId(1);
const CHUNK_SIZE: u32 = 128;
const KEY_FRAME: usize = 12_000;
const FRAME: usize = 2_400;
const AUDIO: usize = 180;
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x24, 0x80,
];

/// A message in chunks, and when it is due.
pub(crate) struct Sent {
    pub(crate) due: Duration,
    pub(crate) bytes: Bytes,
    pub(crate) payload: usize,
}

/// What a client says to publish or to play, without having heard any answer.
pub(crate) fn request(name: &str) -> Bytes {
    let properties = [("app", "live"), ("tcUrl", "rtmp://localhost/live")];
    let mut wire = BytesMut::from(&[&[3][..], &[7; 2 * 1536]].concat()[..]);
    let mut writer = rtmp_proto::chunk::ChunkWriter::new();
    for (number, (name, msid, object, argument)) in [
        ("connect", MessageStreamId(0), Value::from(Object::from(properties)), None),
        ("createStream", MessageStreamId(0), Value::Null, None),
        (name, ONE, Value::Null, Some(Value::from("a"))),
    ]
    .into_iter()
    .enumerate()
    {
        let arguments: Vec<amf0::Value> = argument.into_iter().collect();
        let call = Command { object, arguments, ..Command::new(name, number as f64 + 1.0) };
        let message = call.to_message(ChunkStreamId::COMMAND, msid).expect("a short command");
        writer.write(&message, &mut wire).expect("a short message");
    }
    wire.freeze()
}

/// Headers, then so many seconds: 25 frames of video and 43 of audio in each, a keyframe every 2 s.
pub(crate) fn stream(seconds: u32) -> Vec<Sent> {
    let mut record = BytesMut::from(&[0x17, 0, 0, 0, 0][..]);
    AvcDecoderConfigurationRecord {
        profile: SPS[1],
        compatibility: SPS[2],
        level: SPS[3],
        nal_length_size: NalLengthSize::Four,
        sps: vec![Bytes::from_static(SPS)],
        pps: vec![Bytes::from_static(&[0x68, 0xcb, 0x83, 0xcb, 0x20])],
        format: None,
    }
    .encode(&mut record)
    .expect("a short record");
    let start = Duration::ZERO;
    let mut messages = vec![
        (start, MediaKind::Video, record.freeze()),
        (start, MediaKind::Audio, Bytes::from_static(&[0xaf, 0, 0x12, 0x10])),
    ];
    for number in 0..25 * seconds {
        let is_key = number.is_multiple_of(50);
        let (first, len) = if is_key { (0x17, KEY_FRAME) } else { (0x27, FRAME) };
        let head = [&[first, 1, 0, 0, 0][..], &(len as u32 - 9).to_be_bytes(), &[0x41]].concat();
        let due = Duration::from_millis(40) * number;
        messages.push((due, MediaKind::Video, padded(&head, len)));
    }
    for number in 0..43 * seconds {
        let due = Duration::from_micros(1_000_000 / 43) * number;
        messages.push((due, MediaKind::Audio, padded(&[0xaf, 1], AUDIO)));
    }
    messages.sort_by_key(|(due, ..)| *due);
    let encoder = MediaEncoder::new(ONE, CHUNK_SIZE);
    let sent = |(due, kind, payload): (Duration, MediaKind, Bytes)| {
        let len = payload.len();
        let message = MediaMessage { kind, timestamp: due.as_millis() as u32, payload };
        let mut bytes = BytesMut::new();
        encoder.encode(&message, &mut bytes).expect("a message of this length");
        Sent { due, bytes: bytes.freeze(), payload: len }
    };
    messages.into_iter().map(sent).collect()
}

fn padded(head: &[u8], len: usize) -> Bytes {
    let mut bytes = BytesMut::from(head);
    bytes.resize(len, 0x55);
    bytes.freeze()
}
