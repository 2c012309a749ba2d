use super::assembly::Assembly;
use super::header::{self, BasicHeader, EXTENDED, MAX_HEADER, MessageHeader};
use super::slab::Slab;
use super::{ChunkError, DEFAULT_CHUNK_SIZE};
use crate::message::{Abort, Message, SetChunkSize};
use crate::{ChunkStreamId, Limits, MessageType};

/// Puts the chunks of one direction of a connection together again.
///
/// It takes the bytes in any split, and applies Set Chunk Size and Abort messages itself before it hands them out.
/// Where the specification is read differently by senders in use, it accepts both: a chunk stream may start with a
/// type 1 header (its message stream is then 0), and a type 3 chunk may leave out the extended timestamp.
#[derive(Debug)]
pub struct ChunkReader {
    media_bytes: u32,
    data_bytes: u32,
    command_bytes: u32,
    chunk_streams: u32,
    partial_bytes: usize,
    chunk_size: u32,
    streams: Vec<Assembly>,
    slab: Slab,
    /// Bytes held in all unfinished messages.
    held: usize,
    /// The chunk whose payload is being read: the index of its stream and the bytes still to come.
    current: Option<(u32, u32)>,
    /// A header that is not yet complete. It may hold a few bytes of payload behind it, where a header had to be looked
    /// past to see that it has no extended timestamp.
    carry: Vec<u8>,
}

/// A header as read, and its length.
struct Header {
    basic: BasicHeader,
    message: MessageHeader,
    extended: Option<u32>,
    len: usize,
}

impl ChunkReader {
    /// Starts with the default chunk size, [`DEFAULT_CHUNK_SIZE`].
    pub fn new(limits: &Limits) -> Self {
        Self {
            media_bytes: limits.media_bytes,
            data_bytes: limits.data_bytes,
            command_bytes: limits.command_bytes,
            // There are no more ids than that.
            chunk_streams: u32::try_from(limits.chunk_streams).unwrap_or(u32::MAX),
            partial_bytes: limits.partial_bytes,
            chunk_size: DEFAULT_CHUNK_SIZE,
            streams: Vec::new(),
            slab: Slab::default(),
            held: 0,
            current: None,
            carry: Vec::with_capacity(MAX_HEADER),
        }
    }

    /// The chunk size of the peer, in bytes.
    pub const fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// The bytes held in messages that have only partly arrived.
    pub const fn held_bytes(&self) -> usize {
        self.held
    }

    /// Takes bytes off the front of `input` up to the end of the next message; `None` when it needs more.
    ///
    /// # Errors
    ///
    /// [`ChunkError`]; the place in the stream is lost then, and the reader is of no more use.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            if let Some((index, left)) = self.current {
                match self.payload(index as usize, left as usize, input)? {
                    Progress::Message(message) => return Ok(Some(message)),
                    Progress::ChunkEnd => {}
                    Progress::NeedMore => return Ok(None),
                }
            } else {
                let Some(header) = self.next_header(input) else { return Ok(None) };
                self.current = Some(self.start_chunk(&header)?);
            }
        }
    }

    /// Takes a header off the carried bytes or off the input.
    fn next_header(&mut self, input: &mut &[u8]) -> Option<Header> {
        if self.carry.is_empty() {
            let Some(header) = self.parse(input) else {
                self.carry.extend_from_slice(input);
                *input = &[];
                return None;
            };
            *input = input.get(header.len..).unwrap_or_default();
            return Some(header);
        }
        loop {
            if let Some(header) = self.parse(&self.carry) {
                self.carry.drain(..header.len);
                return Some(header);
            }
            // A header of 18 bytes is complete, so that no more than 18 are ever carried.
            let (&next, rest) = input.split_first()?;
            self.carry.push(next);
            *input = rest;
        }
    }

    /// Reads a header; `None` when it is not complete.
    fn parse(&self, input: &[u8]) -> Option<Header> {
        let (rest, basic) = BasicHeader::parse(input).ok()?;
        let (mut rest, message) = MessageHeader::parse(basic.format, rest).ok()?;
        let mut extended = None;
        match message.time() {
            Some(EXTENDED) => {
                let (after, value) = header::extended(rest).ok()?;
                (rest, extended) = (after, Some(value));
            }
            Some(_) => {}
            None => {
                let stream = self.streams.iter().find(|stream| stream.csid == basic.csid);
                if let Some(expected) = stream.and_then(Assembly::expected_extended) {
                    rest = skip_repeated(rest, expected)?;
                }
            }
        }
        Some(Header { basic, message, extended, len: input.len().saturating_sub(rest.len()) })
    }

    fn start_chunk(&mut self, header: &Header) -> Result<(u32, u32), ChunkError> {
        let BasicHeader { format, csid } = header.basic;
        let index = match self.streams.iter().position(|stream| stream.csid == csid) {
            Some(index) => index,
            // librtmp starts its chunk stream 2 with a ping of type 1.
            None if format > 1 => return Err(ChunkError::NoPreviousHeader { csid, format }),
            None if self.streams.len() >= self.chunk_streams as usize => {
                let limit = self.chunk_streams as usize;
                return Err(ChunkError::TooManyChunkStreams { csid, limit });
            }
            None => {
                self.streams.push(Assembly::new(csid));
                self.streams.len().saturating_sub(1)
            }
        };
        // The index is in range, having just been found.
        let Some(stream) = self.streams.get_mut(index) else {
            return Err(ChunkError::NoPreviousHeader { csid, format });
        };
        if !stream.in_message() {
            stream.start(header.message, header.extended);
            let limit = match stream.type_id {
                MessageType::AUDIO | MessageType::VIDEO | MessageType::AGGREGATE => {
                    self.media_bytes
                }
                MessageType::DATA_AMF0
                | MessageType::DATA_AMF3
                | MessageType::SHARED_OBJECT_AMF0
                | MessageType::SHARED_OBJECT_AMF3 => self.data_bytes,
                _ => self.command_bytes,
            };
            if stream.length > limit {
                let (type_id, length) = (stream.type_id, stream.length);
                return Err(ChunkError::MessageTooLong { type_id, length, limit });
            }
        } else if format != 3 {
            let (received, length) = (stream.received(), stream.length);
            return Err(ChunkError::HeaderInsideMessage { csid, format, received, length });
        }
        // The length of a message is of 24 bits, and there are fewer streams than ids.
        Ok((index as u32, stream.missing().min(self.chunk_size as usize) as u32))
    }

    /// Moves payload of the current chunk from the carried bytes, or from the input, into its message.
    fn payload(
        &mut self,
        index: usize,
        left: usize,
        input: &mut &[u8],
    ) -> Result<Progress, ChunkError> {
        let Some(stream) = self.streams.get_mut(index) else { return Ok(Progress::NeedMore) };
        let source = if self.carry.is_empty() { *input } else { self.carry.as_slice() };
        let at_hand = source.len();
        let bytes = source.get(..left).unwrap_or(source);
        let taken = bytes.len();
        if taken == 0 && left > 0 {
            return Ok(Progress::NeedMore);
        }
        self.held = self.held.saturating_add(taken);
        if self.held > self.partial_bytes {
            return Err(ChunkError::TooManyPartialBytes { limit: self.partial_bytes });
        }
        stream.append(bytes, at_hand, &mut self.slab);
        if self.carry.is_empty() {
            *input = input.get(taken..).unwrap_or_default();
        } else {
            self.carry.drain(..taken);
        }
        if taken < left {
            self.current = Some((index as u32, left.saturating_sub(taken) as u32));
            return Ok(Progress::ChunkEnd);
        }
        self.current = None;
        if stream.missing() > 0 {
            return Ok(Progress::ChunkEnd);
        }
        self.held = self.held.saturating_sub(stream.received());
        let message = stream.finish();
        self.apply(&message)?;
        Ok(Progress::Message(message))
    }

    /// Does what the messages of the chunk layer itself say.
    fn apply(&mut self, message: &Message) -> Result<(), ChunkError> {
        match message.type_id {
            MessageType::SET_CHUNK_SIZE => {
                self.chunk_size = SetChunkSize::decode(&message.payload)?.get();
            }
            MessageType::ABORT => {
                let Abort(id) = Abort::decode(&message.payload)?;
                let csid = ChunkStreamId::new(id);
                if let Some(stream) = self.streams.iter_mut().find(|s| Some(s.csid) == csid) {
                    self.held = self.held.saturating_sub(stream.abort());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

enum Progress {
    Message(Message),
    /// The chunk, or what was carried of it, is used up.
    ChunkEnd,
    NeedMore,
}

/// Skips the extended timestamp that a type 3 chunk repeats, if it is there; `None` while the bytes cannot tell.
fn skip_repeated(input: &[u8], expected: [[u8; 4]; 2]) -> Option<&[u8]> {
    match input.split_at_checked(4) {
        Some((head, rest)) => Some(if expected.iter().any(|e| e == head) { rest } else { input }),
        None if expected.iter().any(|e| e.starts_with(input)) => None,
        None => Some(input),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MessageStreamId;

    fn read_all(bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
        read_with(&Limits::default(), bytes)
    }

    /// Reads in one piece and byte by byte: both must agree.
    fn read_with(limits: &Limits, bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
        let pieces = |size: usize| {
            let mut reader = ChunkReader::new(limits);
            let mut messages = Vec::new();
            for mut piece in bytes.chunks(size) {
                while let Some(message) = reader.read(&mut piece)? {
                    messages.push(message);
                }
                assert!(piece.is_empty());
            }
            Ok(messages)
        };
        let whole = pieces(bytes.len().max(1));
        assert_eq!(pieces(1), whole);
        whole
    }

    /// A type 0 header on a chunk stream below 64, with message stream 1.
    fn full(csid: u8, time: u32, length: u32, type_id: u8) -> Vec<u8> {
        let (t, l) = (time.to_be_bytes(), length.to_be_bytes());
        [&[csid], &t[1..], &l[1..], &[type_id, 1, 0, 0, 0]].concat()
    }

    fn times(messages: &[Message]) -> Vec<u32> {
        messages.iter().map(|message| message.timestamp).collect()
    }

    #[test]
    fn the_example_of_the_specification() {
        // 5.3.2.2: a video message of 307 bytes in chunks of 128.
        let mut wire = full(4, 1000, 307, 9);
        wire.extend([0; 128]);
        wire.push(0xc4);
        wire.extend([1; 128]);
        wire.push(0xc4);
        wire.extend([2; 51]);
        let messages = read_all(&wire).unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].payload, [vec![0; 128], vec![1; 128], vec![2; 51]].concat());
        assert_eq!((messages[0].timestamp, messages[0].msid), (1000, MessageStreamId(1)));
    }

    #[test]
    fn all_header_types() {
        // 5.3.2.1: audio of 32 bytes at 1000, 1020, 1040, 1060.
        let body = [7; 32];
        let wire = [
            &full(3, 1000, 32, 8)[..],
            &body,
            &[0x83, 0, 0, 20],
            &body,
            &[0xc3],
            &body,
            &[0x43, 0, 0, 20, 0, 0, 1, 9],
            &[7],
        ]
        .concat();
        let messages = read_all(&wire).unwrap();
        assert_eq!(times(&messages), [1000, 1020, 1040, 1060]);
        assert_eq!((messages[3].type_id, messages[3].payload.len()), (MessageType::VIDEO, 1));
        assert!(messages.iter().all(|message| message.msid == MessageStreamId(1)));
    }

    #[test]
    fn type_3_after_type_0_adds_the_timestamp() {
        let wire = [&full(3, 40, 1, 8)[..], &[1, 0xc3, 2, 0xc3, 3]].concat();
        assert_eq!(times(&read_all(&wire).unwrap()), [40, 80, 120]);
    }

    #[test]
    fn timestamps_wrap() {
        let wire = [&full(3, 0xff_ffff, 1, 8)[..], &[0xff, 0xff, 0xff, 0xfe, 1, 0x83, 0, 0, 5, 2]];
        assert_eq!(times(&read_all(&wire.concat()).unwrap()), [0xffff_fffe, 3]);
    }

    #[test]
    fn extended_timestamp_on_type_3_with_and_without() {
        let time = [0x01, 0x23, 0x45, 0x67];
        let start = [&full(6, 0xff_ffff, 200, 9)[..], &time, &[1; 128], &[0xc6]].concat();
        for repeated in [&time[..], &[]] {
            let wire = [&start[..], repeated, &[2; 72]].concat();
            let messages = read_all(&wire).unwrap();
            assert_eq!(messages[0].payload[128..], [2; 72]);
            assert_eq!(messages[0].timestamp, 0x0123_4567);
        }
    }

    #[test]
    fn a_left_out_timestamp_is_seen_in_a_short_payload() {
        // The payload after the type 3 header is a byte that could start the timestamp; the next chunk follows at once.
        let time = [0x01, 0x23, 0x45, 0x67];
        let wire = [
            &full(6, 0xff_ffff, 129, 9)[..],
            &time,
            &[1; 128],
            &[0xc6, 0x01],
            &full(4, 5, 1, 8),
            &[9],
        ]
        .concat();
        let messages = read_all(&wire).unwrap();
        assert_eq!(messages[0].payload[128], 0x01);
        assert_eq!((messages[1].timestamp, messages[1].payload[0]), (5, 9));
    }

    #[test]
    fn an_extended_delta_is_repeated_or_the_timestamp_is() {
        // Type 0 at 5, then type 1 with an extended delta: the continuation may carry the delta or the timestamp.
        let delta = 0x0100_0000_u32;
        let start = [&full(6, 5, 1, 9)[..], &[0, 0x46, 0xff, 0xff, 0xff, 0, 0, 130, 9]].concat();
        for repeated in [delta, delta + 5] {
            let wire = [
                &start[..],
                &delta.to_be_bytes(),
                &[1; 128],
                &[0xc6],
                &repeated.to_be_bytes(),
                &[2; 2],
            ];
            let messages = read_all(&wire.concat()).unwrap();
            assert_eq!(times(&messages), [5, delta + 5]);
            assert_eq!(messages[1].payload.len(), 130);
        }
    }

    #[test]
    fn interleaved_chunk_streams() {
        let wire = [&full(4, 0, 130, 9)[..], &[1; 128], &full(5, 0, 2, 8), &[8, 8], &[0xc4, 1, 1]]
            .concat();
        let messages = read_all(&wire).unwrap();
        let seen: Vec<_> = messages.iter().map(|m| (m.type_id.0, m.payload.len())).collect();
        assert_eq!(seen, [(8, 2), (9, 130)]);
    }

    #[test]
    fn a_chunk_size_changes_between_messages() {
        let mut wire = full(2, 0, 4, 1);
        wire.extend([0, 0, 0, 200]);
        wire.extend(full(4, 0, 200, 9));
        wire.extend([3; 200]);
        assert_eq!(read_all(&wire).unwrap()[1].payload.len(), 200);
    }

    #[test]
    fn abort_drops_the_unfinished_message() {
        let mut wire = full(4, 0, 200, 9);
        wire.extend([1; 128]);
        wire.extend(full(2, 0, 4, 2));
        wire.extend([0, 0, 0, 4]);
        wire.extend(full(4, 7, 1, 9));
        wire.push(2);
        let messages = read_all(&wire).unwrap();
        let seen: Vec<_> = messages.iter().map(|m| (m.type_id.0, m.payload.len())).collect();
        assert_eq!(seen, [(2, 4), (9, 1)]);
    }

    #[test]
    fn a_fresh_chunk_stream_may_start_with_type_1() {
        // The ping answer of librtmp.
        let wire = [0x42, 0, 0, 0, 0, 0, 6, 4, 0, 7, 0, 0, 0x0d, 0x0f];
        let messages = read_all(&wire).unwrap();
        assert_eq!(messages[0].msid, MessageStreamId::CONTROL);
        assert_eq!(messages[0].type_id, MessageType::USER_CONTROL);
        let csid = ChunkStreamId::CONTROL;
        for format in [2, 3] {
            let error = read_all(&[format << 6 | 2, 0, 0, 0]);
            assert_eq!(error, Err(ChunkError::NoPreviousHeader { csid, format }));
        }
    }

    #[test]
    fn a_header_inside_a_message_is_refused() {
        for format in 0..3 {
            let mut wire = full(4, 0, 200, 9);
            wire.extend([1; 128]);
            wire.extend([&[format << 6 | 4], &[0; 11][..]].concat());
            let csid = ChunkStreamId::new(4).unwrap();
            assert_eq!(
                read_all(&wire),
                Err(ChunkError::HeaderInsideMessage { csid, format, received: 128, length: 200 })
            );
        }
    }

    #[test]
    fn lengths_have_limits_by_type() {
        for (type_id, limit) in [(20, 0x1_0000), (17, 0x1_0000), (4, 0x1_0000), (18, 0x4_0000)] {
            assert_eq!(read_all(&full(3, 0, limit, type_id)), Ok(vec![]));
            let (type_id, length) = (MessageType(type_id), limit + 1);
            let error = ChunkError::MessageTooLong { type_id, length, limit };
            assert_eq!(read_all(&full(3, 0, length, type_id.0)), Err(error));
        }
        assert_eq!(read_all(&full(4, 0, 0xff_ffff, 9)), Ok(vec![]));
    }

    #[test]
    fn bad_chunk_sizes() {
        for size in [0u32, 0x8000_0000] {
            let wire = [&full(2, 0, 4, 1)[..], &size.to_be_bytes()].concat();
            assert!(matches!(read_all(&wire), Err(ChunkError::Message(_))));
        }
    }

    #[test]
    fn a_message_without_payload() {
        let messages = read_all(&full(4, 3, 0, 8)).unwrap();
        assert_eq!((messages.len(), messages[0].payload.len()), (1, 0));
    }

    #[test]
    fn chunk_streams_and_partial_bytes_are_bounded() {
        let limits = Limits { chunk_streams: 2, partial_bytes: 250, ..Limits::default() };
        let partial = |csid| [&full(csid, 0, 200, 9)[..], &[0; 128]].concat();
        let two = [partial(4), partial(5)].concat();
        assert_eq!(read_with(&limits, &two), Err(ChunkError::TooManyPartialBytes { limit: 250 }));
        let three = [full(4, 0, 0, 9), full(5, 0, 0, 9), full(6, 0, 0, 9)].concat();
        assert_eq!(
            read_with(&limits, &three),
            Err(ChunkError::TooManyChunkStreams { csid: ChunkStreamId::MEDIA, limit: 2 })
        );
    }
}
