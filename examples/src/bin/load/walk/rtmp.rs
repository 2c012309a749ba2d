//! The chunk stream, media unassembled.

use bytes::Bytes;
use rtmp_proto::{
    ChunkStreamId, MediaKind, MessageStreamId, MessageType,
    chunk::DEFAULT_CHUNK_SIZE,
    message::{Message, MessageError, SetChunkSize},
};
use thiserror::Error;

use super::{Found, Head, take};

/// The longest header: three bytes, eleven, and an extended timestamp of four.
const MAX_HEADER: usize = 18;
/// What the 24-bit field says when the timestamp is in the extended one.
const EXTENDED: u32 = 0x00ff_ffff;
/// Chunk streams that a server may use.
const MAX_STREAMS: usize = 64;
/// The longest message that is put together: those without audio or video.
const MAX_WHOLE: usize = 256 * 1024;

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum WalkError {
    #[error("chunk stream {csid} starts with a header of type {format}")]
    NoPreviousHeader { csid: u32, format: u8 },
    #[error("a new header on chunk stream {csid} inside of a message")]
    HeaderInsideMessage { csid: u32 },
    #[error("more than {MAX_STREAMS} chunk streams")]
    TooManyStreams,
    #[error("message of type {type_id} and {len} bytes, the limit is {MAX_WHOLE}")]
    TooLong { type_id: u8, len: usize },
    #[error(transparent)]
    ChunkSize(#[from] MessageError),
}

/// What the walk comes by.
#[derive(Debug)]
pub(crate) enum Walked<'a> {
    Media(Found<'a>),
    /// Any other message, whole; those of the chunk stream itself are heeded, and not told of.
    Other(Message),
}

/// Where a chunk stream is.
#[derive(Debug, Default)]
struct Stream {
    csid: u32,
    timestamp: u32,
    delta: u32,
    len: usize,
    type_id: u8,
    msid: u32,
    is_extended: bool,
    received: usize,
    head: Head,
    /// The payload, where it is wanted whole.
    whole: Vec<u8>,
}

/// Walks over one direction of a connection, from behind the handshake.
#[derive(Debug)]
pub(crate) struct RtmpWalk {
    chunk_size: usize,
    streams: Vec<Stream>,
    /// The chunk whose payload is next: the index of its stream, and what is left of it.
    current: Option<(usize, usize)>,
    /// A header that has only partly come.
    carry: Vec<u8>,
}

impl Default for RtmpWalk {
    fn default() -> Self {
        let chunk_size = DEFAULT_CHUNK_SIZE as usize;
        Self { chunk_size, streams: Vec::new(), current: None, carry: Vec::new() }
    }
}

impl RtmpWalk {
    /// Takes bytes off the front of `input` up to the end of the next message; `None` when it
    /// needs more.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Walked<'_>>, WalkError> {
        loop {
            let Some((index, left)) = self.current else {
                match self.header(input)? {
                    Some(chunk) => self.current = Some(chunk),
                    None => return Ok(None),
                }
                continue;
            };
            let piece = take(input, left);
            let stream = &mut self.streams[index];
            stream.received += piece.len();
            match kind(stream.type_id) {
                Some(_) => stream.head.fill(piece),
                None => stream.whole.extend_from_slice(piece),
            }
            if piece.len() < left {
                self.current = Some((index, left - piece.len()));
                return Ok(None);
            }
            self.current = None;
            if stream.received < stream.len {
                continue;
            }
            stream.received = 0;
            if stream.type_id == MessageType::SET_CHUNK_SIZE.0 {
                self.chunk_size = SetChunkSize::decode(&stream.whole)?.get() as usize;
                continue;
            }
            if stream.type_id == MessageType::ABORT.0 {
                let aborted = big_endian(&mut &stream.whole[..], 4);
                for stream in self.streams.iter_mut().filter(|stream| Some(stream.csid) == aborted)
                {
                    stream.received = 0;
                }
                continue;
            }
            return Ok(Some(self.streams[index].found()));
        }
    }

    /// Takes a header; the chunk it begins.
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<(usize, usize)>, WalkError> {
        if self.carry.is_empty() {
            match self.parse(input)? {
                Some((header, len)) => {
                    take(input, len);
                    return self.begin(header).map(Some);
                }
                None => {
                    self.carry.extend_from_slice(take(input, MAX_HEADER));
                    return Ok(None);
                }
            }
        }
        while let [next] = take(input, 1) {
            self.carry.push(*next);
            if let Some((header, _)) = self.parse(&self.carry)? {
                self.carry.clear();
                return self.begin(header).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads a header, and tells its length; `None` where bytes are missing.
    fn parse(&self, bytes: &[u8]) -> Result<Option<(Header, usize)>, WalkError> {
        let mut rest = bytes;
        let Some(header) = self.parse_parts(&mut rest)? else { return Ok(None) };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    fn parse_parts(&self, rest: &mut &[u8]) -> Result<Option<Header>, WalkError> {
        let Some(first) = little_endian(rest, 1) else { return Ok(None) };
        let format = (first >> 6) as u8;
        let csid = match first & 0x3f {
            id @ (0 | 1) => match little_endian(rest, id as usize + 1) {
                Some(id) => id + 64,
                None => return Ok(None),
            },
            id => id,
        };
        let index = self.streams.iter().position(|stream| stream.csid == csid);
        let last = match index.map(|index| &self.streams[index]) {
            Some(last) => Some(last),
            None if format > 1 => return Err(WalkError::NoPreviousHeader { csid, format }),
            None => None,
        };
        let mut header = Header { csid, index, ..Header::of(last) };
        header.starts = last.is_none_or(|last| last.received == 0);
        if format != 3 && !header.starts {
            return Err(WalkError::HeaderInsideMessage { csid });
        }
        if format == 3 {
            // The extended timestamp is repeated, by the specification and by the servers in use.
            if header.is_extended && big_endian(rest, 4).is_none() {
                return Ok(None);
            }
            if header.starts {
                header.timestamp = header.timestamp.wrapping_add(header.delta);
            }
            return Ok(Some(header));
        }
        let Some(mut time) = big_endian(rest, 3) else { return Ok(None) };
        if format < 2 {
            let (Some(len), Some(type_id)) = (big_endian(rest, 3), big_endian(rest, 1)) else {
                return Ok(None);
            };
            (header.len, header.type_id) = (len as usize, type_id as u8);
        }
        if format == 0 {
            let Some(msid) = little_endian(rest, 4) else { return Ok(None) };
            header.msid = msid;
        }
        header.is_extended = time == EXTENDED;
        if header.is_extended {
            let Some(extended) = big_endian(rest, 4) else { return Ok(None) };
            time = extended;
        }
        (header.timestamp, header.delta) = match format {
            0 => (time, 0),
            _ => (header.timestamp.wrapping_add(time), time),
        };
        Ok(Some(header))
    }

    fn begin(&mut self, header: Header) -> Result<(usize, usize), WalkError> {
        let Header { csid, timestamp, delta, len, type_id, msid, is_extended, .. } = header;
        let index = match header.index {
            Some(index) => index,
            None if self.streams.len() >= MAX_STREAMS => return Err(WalkError::TooManyStreams),
            None => {
                self.streams.push(Stream { csid, ..Stream::default() });
                self.streams.len() - 1
            }
        };
        let stream = &mut self.streams[index];
        if header.starts {
            if kind(type_id).is_none() && len > MAX_WHOLE {
                return Err(WalkError::TooLong { type_id, len });
            }
            (stream.timestamp, stream.delta, stream.len) = (timestamp, delta, len);
            (stream.type_id, stream.msid, stream.is_extended) = (type_id, msid, is_extended);
            stream.head.clear();
            stream.whole.clear();
        }
        Ok((index, (stream.len - stream.received).min(self.chunk_size)))
    }
}

impl Stream {
    /// The message that is complete.
    fn found(&mut self) -> Walked<'_> {
        let (timestamp, len) = (self.timestamp, self.len);
        match kind(self.type_id) {
            Some(kind) => Walked::Media(Found { kind, timestamp, len, head: self.head.bytes() }),
            None => Walked::Other(Message {
                // All forms of an id stay within its range.
                csid: ChunkStreamId::new(self.csid).unwrap_or(ChunkStreamId::CONTROL),
                msid: MessageStreamId(self.msid),
                type_id: MessageType(self.type_id),
                timestamp,
                payload: Bytes::from(std::mem::take(&mut self.whole)),
            }),
        }
    }
}

/// A header, completed by what the chunk stream had before.
#[derive(Debug, Default)]
struct Header {
    csid: u32,
    index: Option<usize>,
    /// A message begins here.
    starts: bool,
    timestamp: u32,
    delta: u32,
    len: usize,
    type_id: u8,
    msid: u32,
    is_extended: bool,
}

impl Header {
    fn of(last: Option<&Stream>) -> Self {
        last.map_or_else(Self::default, |last| Self {
            timestamp: last.timestamp,
            delta: last.delta,
            len: last.len,
            type_id: last.type_id,
            msid: last.msid,
            is_extended: last.is_extended,
            ..Self::default()
        })
    }
}

/// Metadata counts as other: it is seldom, and some of it is no media.
fn kind(type_id: u8) -> Option<MediaKind> {
    match MessageType(type_id) {
        MessageType::AUDIO => Some(MediaKind::Audio),
        MessageType::VIDEO => Some(MediaKind::Video),
        _ => None,
    }
}

fn big_endian(input: &mut &[u8], count: usize) -> Option<u32> {
    let (number, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(number.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

fn little_endian(input: &mut &[u8], count: usize) -> Option<u32> {
    let (number, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(number.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use rtmp_proto::{
        MediaMessage,
        chunk::{ChunkWriter, MediaEncoder},
        message::{ControlMessage, WindowAcknowledgementSize},
    };

    /// What a walk finds in bytes that come in pieces of `step`.
    fn walk(bytes: &[u8], step: usize) -> Vec<(u8, u32, usize, Vec<u8>)> {
        let (mut walk, mut found) = (RtmpWalk::default(), Vec::new());
        for mut piece in bytes.chunks(step) {
            while let Some(walked) = walk.next(&mut piece).unwrap() {
                found.push(match walked {
                    Walked::Media(Found { kind, timestamp, len, head }) => {
                        (kind.message_type().0, timestamp, len, head.to_vec())
                    }
                    Walked::Other(Message { type_id, timestamp, payload, .. }) => {
                        (type_id.0, timestamp, payload.len(), payload.to_vec())
                    }
                });
            }
            assert!(piece.is_empty());
        }
        found
    }

    fn message(type_id: MessageType, timestamp: u32, payload: Vec<u8>) -> Message {
        Message {
            csid: ChunkStreamId::new(6 + u32::from(type_id.0) * 40).unwrap(),
            msid: MessageStreamId(1),
            type_id,
            timestamp,
            payload: payload.into(),
        }
    }

    #[test]
    fn messages_are_found_however_their_bytes_are_split() {
        let mut messages = vec![
            WindowAcknowledgementSize(2_500_000).to_message(),
            message(MessageType::COMMAND_AMF0, 0, vec![3; 200]),
            SetChunkSize::new(1000).to_message(),
        ];
        for step in 0..8 {
            // Past 24 bits in the middle.
            let time = 0x00ff_fff0 + step * 10;
            messages.push(message(MessageType::VIDEO, time, vec![step as u8; 3000]));
            messages.push(message(MessageType::AUDIO, time + 3, vec![0xaf; 30]));
        }
        let (mut writer, mut bytes) = (ChunkWriter::new(), BytesMut::new());
        for message in &messages {
            writer.write(message, &mut bytes).unwrap();
        }
        let expected: Vec<_> = messages
            .iter()
            .filter(|message| message.type_id != MessageType::SET_CHUNK_SIZE)
            .map(|message| {
                let kept = if kind(message.type_id.0).is_some() { 60 } else { usize::MAX };
                let head = &message.payload[..message.payload.len().min(kept)];
                (message.type_id.0, message.timestamp, message.payload.len(), head.to_vec())
            })
            .collect();
        for step in [1, 2, 7, 100, 4096, usize::MAX >> 1] {
            assert_eq!(walk(&bytes, step.min(bytes.len())), expected, "{step}");
        }
    }

    #[test]
    fn shared_bytes_are_found() {
        let encoder = MediaEncoder::new(MessageStreamId(1), 128);
        let mut bytes = BytesMut::new();
        for timestamp in [0, 40, 80] {
            let payload = Bytes::from(vec![0x27; 500]);
            let message = MediaMessage { kind: MediaKind::Video, timestamp, payload };
            encoder.encode(&message, &mut bytes).unwrap();
        }
        let found = walk(&bytes, 50);
        let times: Vec<_> = found.iter().map(|&(_, time, len, _)| (time, len)).collect();
        assert_eq!(times, [(0, 500), (40, 500), (80, 500)]);
    }

    #[test]
    fn what_is_no_chunk_stream_is_refused() {
        let error = |mut bytes: &[u8]| RtmpWalk::default().next(&mut bytes).unwrap_err();
        assert_eq!(error(&[0xc6]), WalkError::NoPreviousHeader { csid: 6, format: 3 });
        let inside = [&[6, 0, 0, 0, 0, 1, 0, 9, 1, 0, 0, 0], &[0; 128][..], &[0x86, 0, 0, 0]];
        assert_eq!(error(&inside.concat()), WalkError::HeaderInsideMessage { csid: 6 });
        let long = [3, 0, 0, 0, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0];
        assert_eq!(error(&long), WalkError::TooLong { type_id: 20, len: 0x00ff_ffff });
    }
}
