//! The chunk reader against a sender that uses every header the specification allows, in any order.
//!
//! The sender is written from the specification (5.3.1) and shares no code with the crate: what it meant to send is
//! compared with what is read. The crate's own writer never starts a message with type 3, for one.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use rtmp_proto::chunk::ChunkReader;
use rtmp_proto::message::Message;
use rtmp_proto::{ChunkStreamId, Limits, MessageStreamId, MessageType};

/// One of each form of the basic header, at the ends of their ranges.
const CSIDS: [u32; 5] = [3, 63, 64, 319, 65_599];

/// What the sender does next on one of the chunk streams: a chunk of its message, or a new message.
#[derive(Debug, Clone)]
struct Step {
    stream: usize,
    /// The header that a new message starts with, as far as the stream allows it.
    format: u8,
    /// A timestamp or delta.
    time: u32,
    length: usize,
    type_id: u8,
    msid: u32,
    /// Announces this chunk size first, also in the midst of messages.
    chunk_size: Option<u32>,
}

fn step() -> impl Strategy<Value = Step> {
    let time = prop_oneof![
        4 => 0u32..100,
        2 => 0x00ff_fffdu32..0x0100_0002,
        1 => (u32::MAX - 2)..=u32::MAX,
        1 => any::<u32>(),
    ];
    let size = prop_oneof![6 => Just(None), 1 => (1u32..300).prop_map(Some)];
    (0..CSIDS.len(), 0u8..4, time, 0usize..400, 8u8..10, 0u32..3, size).prop_map(
        |(stream, format, time, length, type_id, msid, chunk_size)| Step {
            stream,
            format,
            time,
            length,
            type_id,
            msid,
            chunk_size,
        },
    )
}

/// What a chunk stream remembers (5.3.1.2), and its open message.
#[derive(Debug, Clone, Default)]
struct Stream {
    known: bool,
    msid: u32,
    type_id: u8,
    length: usize,
    timestamp: u32,
    delta: u32,
    /// The last header with a time had it in the extended field.
    extended: bool,
    /// Payload not yet sent, if a message is open.
    open: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Sender {
    streams: Vec<Stream>,
    chunk_size: usize,
    /// Whether type 3 chunks repeat the extended timestamp; some senders leave it out.
    repeats: bool,
    wire: Vec<u8>,
    sent: Vec<Message>,
}

impl Sender {
    fn new(repeats: bool) -> Self {
        let streams = vec![Stream::default(); CSIDS.len()];
        Self { streams, chunk_size: 128, repeats, wire: Vec::new(), sent: Vec::new() }
    }

    fn basic(&mut self, format: u8, csid: u32) {
        match csid {
            ..64 => self.wire.push(format << 6 | csid as u8),
            64..320 => self.wire.extend([format << 6, (csid - 64) as u8]),
            _ => {
                let above = csid - 64;
                self.wire.extend([format << 6 | 1, (above % 256) as u8, (above / 256) as u8]);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        if let Some(size) = step.chunk_size {
            self.set_chunk_size(size);
        }
        if self.streams[step.stream].open.is_some() {
            self.go_on(step.stream);
        } else {
            self.start(step);
        }
    }

    /// Set Chunk Size is cut into chunks of the old size like any other message.
    fn set_chunk_size(&mut self, size: u32) {
        let payload = size.to_be_bytes();
        for (index, piece) in payload.chunks(self.chunk_size).enumerate() {
            if index == 0 {
                self.wire.extend([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]);
            } else {
                self.wire.push(0xc2);
            }
            self.wire.extend(piece);
        }
        self.chunk_size = size as usize;
        self.sent.push(Message {
            csid: ChunkStreamId::CONTROL,
            msid: MessageStreamId(0),
            type_id: MessageType::SET_CHUNK_SIZE,
            timestamp: 0,
            payload: Bytes::copy_from_slice(&payload),
        });
    }

    fn start(&mut self, step: &Step) {
        let csid = CSIDS[step.stream];
        let stream = &mut self.streams[step.stream];
        let format = if stream.known { step.format } else { 0 };
        if format < 3 {
            (stream.delta, stream.extended) = (step.time, step.time >= 0x00ff_ffff);
        }
        if format < 2 {
            (stream.length, stream.type_id) = (step.length, step.type_id);
        }
        if format == 0 {
            (stream.msid, stream.timestamp, stream.known) = (step.msid, step.time, true);
        } else {
            stream.timestamp = stream.timestamp.wrapping_add(stream.delta);
        }
        let field = stream.delta.min(0x00ff_ffff).to_be_bytes();
        let (length, type_id, msid) = (stream.length, stream.type_id, stream.msid);
        self.basic(format, csid);
        if format < 3 {
            self.wire.extend(&field[1..]);
        }
        if format < 2 {
            self.wire.extend(&(length as u32).to_be_bytes()[1..]);
            self.wire.push(type_id);
        }
        if format == 0 {
            self.wire.extend(msid.to_le_bytes());
        }
        self.extended(step.stream, format);
        let stream = &mut self.streams[step.stream];
        // Payload that looks like the timestamp cannot be told from one, where it is left out.
        let avoid = [stream.delta >> 24, stream.timestamp >> 24];
        let byte = (0x55..).find(|byte| !avoid.contains(byte)).unwrap() as u8;
        stream.open = Some(vec![byte; length]);
        self.payload(step.stream);
    }

    fn go_on(&mut self, stream: usize) {
        self.basic(3, CSIDS[stream]);
        self.extended(stream, 3);
        self.payload(stream);
    }

    fn extended(&mut self, stream: usize, format: u8) {
        let stream = &self.streams[stream];
        if stream.extended && (format < 3 || self.repeats) {
            self.wire.extend(stream.delta.to_be_bytes());
        }
    }

    /// The payload of one chunk; the message is whole after its last.
    fn payload(&mut self, index: usize) {
        let stream = &mut self.streams[index];
        let mut rest = stream.open.take().unwrap();
        let piece: Vec<u8> = rest.drain(..rest.len().min(self.chunk_size)).collect();
        self.wire.extend(&piece);
        if rest.is_empty() {
            let byte = piece.first().copied().unwrap_or_default();
            self.sent.push(Message {
                csid: ChunkStreamId::new(CSIDS[index]).unwrap(),
                msid: MessageStreamId(stream.msid),
                type_id: MessageType(stream.type_id),
                timestamp: stream.timestamp,
                payload: vec![byte; stream.length].into(),
            });
        } else {
            stream.open = Some(rest);
        }
    }

    /// Sends what is left of all messages.
    fn finish(&mut self) {
        for stream in 0..self.streams.len() {
            while self.streams[stream].open.is_some() {
                self.go_on(stream);
            }
        }
    }
}

/// Reads in pieces of the given lengths, which repeat.
fn read(wire: &[u8], pieces: &[usize]) -> Vec<Message> {
    let mut reader = ChunkReader::new(&Limits::default());
    let mut messages = Vec::new();
    let (mut rest, mut pieces) = (wire, pieces.iter().cycle());
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
        while let Some(message) = reader.read(&mut piece).unwrap() {
            messages.push(message);
        }
        assert!(piece.is_empty());
        rest = after;
    }
    assert_eq!(reader.held_bytes(), 0);
    messages
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_the_specification_allows_is_read_as_it_was_meant(
        steps in vec(step(), 1..60),
        repeats in any::<bool>(),
        pieces in vec(1usize..60, 1..4),
    ) {
        let mut sender = Sender::new(repeats);
        for step in &steps {
            sender.step(step);
        }
        sender.finish();
        prop_assert_eq!(&read(&sender.wire, &[usize::MAX]), &sender.sent);
        prop_assert_eq!(&read(&sender.wire, &pieces), &sender.sent);
        prop_assert_eq!(&read(&sender.wire, &[1]), &sender.sent);
    }
}

#[test]
fn deltas_wrap_at_32_bits_whatever_header_has_them() {
    for format in 1..4 {
        let mut sender = Sender::new(true);
        let start = |format, time| Step {
            stream: 0,
            format,
            time,
            length: 1,
            type_id: 8,
            msid: 1,
            chunk_size: None,
        };
        sender.step(&start(0, 0xffff_fff0));
        sender.step(&start(1, 10));
        sender.step(&start(format, 10));
        sender.step(&start(format, 0x0100_0000));
        let times: Vec<_> = read(&sender.wire, &[1]).iter().map(|m| m.timestamp).collect();
        let last = if format == 3 { 14 } else { 0x0100_0004 };
        assert_eq!(times, [0xffff_fff0, 0xffff_fffa, 4, last]);
    }
}
