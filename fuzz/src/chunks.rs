//! The RTMP chunk stream.

use bytes::{Bytes, BytesMut};
use rtmp_proto::{
    ChunkStreamId, Limits, MessageStreamId, MessageType,
    chunk::{ChunkError, ChunkReader, ChunkWriter},
    message::{ControlMessage, Message, SetChunkSize},
};

use crate::split::Split;

fn limits() -> Limits {
    Limits {
        media_bytes: 64 * 1024,
        command_bytes: 8 * 1024,
        chunk_streams: 8,
        partial_bytes: 96 * 1024,
        ..Limits::default()
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Option<ChunkError>) {
    let limits = limits();
    let mut reader = ChunkReader::new(&limits);
    let mut messages = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
            assert!(reader.held_bytes() <= limits.partial_bytes);
        }
        assert!(piece.is_empty(), "bytes are left although more are asked for");
    }
    (messages, None)
}

/// The first bytes say how to split what follows (see `Split`), and the next bit of them which of
/// two things it is. Bytes of a peer: any split gives the same messages and the same error. Or a
/// list of messages: written, or cut into interleaved chunks of changing sizes, they are read back.
pub fn chunk_stream(data: &[u8]) {
    let is_messages = data.first().is_some_and(|first| first & 0x80 != 0);
    let is_interleaved = data.first().is_some_and(|first| first & 0x40 != 0);
    let (split, rest) = Split::take(data);
    match (is_messages, is_interleaved) {
        (false, _) => {
            let whole = read(std::iter::once(rest));
            assert_eq!(read(split.pieces(rest)), whole);
            assert_eq!(read(rest.chunks(1)), whole);
        }
        (true, false) => {
            let messages = messages(rest);
            let mut wire = BytesMut::new();
            let mut writer = ChunkWriter::new();
            for message in &messages {
                writer.write(message, &mut wire).expect("short messages can be written");
            }
            assert_eq!(read(split.pieces(&wire)), (messages, None));
        }
        (true, true) => {
            let (wire, messages) = interleave(messages(rest), rest);
            assert_eq!(read(split.pieces(&wire)), (messages, None));
        }
    }
}

/// A list of messages: eight bytes each (type, chunk stream, four of time, two of length), the
/// payload made up. Now and then the chunk size changes.
fn messages(data: &[u8]) -> Vec<Message> {
    const TYPES: [MessageType; 5] = [
        MessageType::AUDIO,
        MessageType::VIDEO,
        MessageType::DATA_AMF0,
        MessageType::COMMAND_AMF0,
        MessageType::WINDOW_ACKNOWLEDGEMENT_SIZE,
    ];
    // One for each form of the basic header, and its edges.
    const STREAMS: [u32; 6] = [3, 63, 64, 319, 320, 65_599];
    let describe = |&[kind, csid, t0, t1, t2, t3, l0, l1]: &[u8; 8]| {
        if kind >= 0xf0 {
            return SetChunkSize::new(u32::from_be_bytes([0, 0, l0, l1])).to_message();
        }
        let len = usize::from(u16::from_be_bytes([l0, l1])) % 2048;
        Message {
            csid: ChunkStreamId::new(STREAMS[usize::from(csid) % STREAMS.len()]).expect("in range"),
            msid: MessageStreamId((csid >> 6).into()),
            type_id: TYPES[usize::from(kind) % TYPES.len()],
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            payload: payload(len, t3),
        }
    };
    data.as_chunks().0.iter().take(64).map(describe).collect()
}

/// Bytes that look like headers, and like repeated extended timestamps.
fn payload(len: usize, seed: u8) -> Bytes {
    (0..len).map(|at| if at % 3 == 0 { seed } else { [0xff, 0, 0xc3][at % 3] }).collect()
}

/// Cuts messages into chunks and mixes those of different chunk streams, as `order` says. Also the
/// messages in the order in which they end.
fn interleave(messages: Vec<Message>, order: &[u8]) -> (Vec<u8>, Vec<Message>) {
    let mut wire = Vec::new();
    let mut done = Vec::new();
    let mut chunk_size = 128;
    let mut open: Vec<(Message, usize)> = Vec::new();
    let mut waiting = messages.into_iter().peekable();
    let mut order = order.iter().cycle();
    loop {
        // Start another message where its chunk stream is free, at the latest when none is open.
        let choice = usize::from(*order.next().unwrap_or(&0));
        let is_free = |next: &Message| open.iter().all(|(message, _)| message.csid != next.csid);
        let starts = waiting.peek().is_some_and(is_free) && (open.is_empty() || choice & 1 == 0);
        let at = if starts {
            open.extend(waiting.next().map(|message| (message, 0)));
            open.len() - 1
        } else if open.is_empty() {
            return (wire, done);
        } else {
            choice / 2 % open.len()
        };
        let (message, sent) = &mut open[at];
        put_chunk_header(&mut wire, message, *sent == 0);
        let end = message.payload.len().min(*sent + chunk_size);
        wire.extend_from_slice(&message.payload[*sent..end]);
        *sent = end;
        if end == message.payload.len() {
            let (message, _) = open.remove(at);
            if message.type_id == MessageType::SET_CHUNK_SIZE {
                let size = SetChunkSize::decode(&message.payload).expect("made above");
                chunk_size = size.get() as usize;
            }
            done.push(message);
        }
    }
}

/// A header of type 0 or 3 (specification 5.3.1), written out once more, for the reader's sake.
fn put_chunk_header(wire: &mut Vec<u8>, message: &Message, is_first: bool) {
    let format: u8 = if is_first { 0 } else { 0xc0 };
    let extended = message.timestamp >= 0xff_ffff;
    match message.csid.get() {
        csid @ 2..=63 => wire.push(format | csid as u8),
        csid @ 64..=319 => wire.extend([format, (csid - 64) as u8]),
        csid => {
            wire.push(format | 1);
            wire.extend(((csid - 64) as u16).to_le_bytes());
        }
    }
    if is_first {
        let time = if extended { 0xff_ffff } else { message.timestamp };
        wire.extend(&time.to_be_bytes()[1..]);
        wire.extend(&(message.payload.len() as u32).to_be_bytes()[1..]);
        wire.push(message.type_id.0);
        wire.extend(message.msid.0.to_le_bytes());
    }
    if extended {
        wire.extend(message.timestamp.to_be_bytes());
    }
}
