use bytes::{BufMut, BytesMut};
use thiserror::Error;

use super::DEFAULT_CHUNK_SIZE;
use super::header::{MAX_HEADER, MessageHeader, extended_of};
use crate::message::{MAX_CHUNK_SIZE, Message, SetChunkSize};
use crate::{ChunkStreamId, MessageStreamId, MessageType};

/// The chunk streams whose last header is remembered; a session uses a handful.
const REMEMBERED: usize = 16;

/// Why a message cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The payload is longer than the 24-bit length can say.
    #[error("message of {len} bytes, at most 16777215 can be written")]
    PayloadTooLong {
        /// The length in bytes.
        len: usize,
    },
}

/// Cuts the messages of one direction of a connection into chunks.
///
/// Headers shrink where they repeat the one before on the same chunk stream. A message never starts with a type 3
/// header, for receivers differ in what timestamp that means.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_size: u32,
    streams: Vec<Last>,
}

/// The last header of a chunk stream.
#[derive(Debug)]
struct Last {
    csid: ChunkStreamId,
    msid: MessageStreamId,
    type_id: MessageType,
    length: u32,
    timestamp: u32,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self { chunk_size: DEFAULT_CHUNK_SIZE, streams: Vec::new() }
    }
}

impl ChunkWriter {
    /// Starts with the default chunk size, [`DEFAULT_CHUNK_SIZE`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The chunk size, in bytes.
    pub const fn chunk_size(&self) -> u32 {
        self.chunk_size
    }

    /// Appends a message to `out`. A Set Chunk Size message holds from the next message on.
    ///
    /// # Errors
    ///
    /// [`EncodeError::PayloadTooLong`]; nothing is written then.
    pub fn write(&mut self, message: &Message, out: &mut BytesMut) -> Result<(), EncodeError> {
        let length = payload_length(&message.payload)?;
        let header = self.header(message, length);
        // Not a guarantee: the headers between the chunks come on top.
        out.reserve(message.payload.len().saturating_add(MAX_HEADER));
        put_chunks(header, message.csid, self.chunk_size, &message.payload, out);
        if message.type_id == MessageType::SET_CHUNK_SIZE
            && let Ok(size) = SetChunkSize::decode(&message.payload)
        {
            self.chunk_size = size.get();
        }
        Ok(())
    }

    /// Chooses the shortest header and remembers it.
    fn header(&mut self, message: &Message, length: u32) -> MessageHeader {
        let Message { csid, msid, type_id, timestamp, .. } = *message;
        let full = MessageHeader::Full { time: timestamp, length, type_id, msid };
        let now = Last { csid, msid, type_id, length, timestamp };
        let Some(last) = self.streams.iter_mut().find(|last| last.csid == csid) else {
            if self.streams.len() < REMEMBERED {
                self.streams.push(now);
            }
            return full;
        };
        let last = std::mem::replace(last, now);
        // A step back, or one too long for 24 bits, is said in full.
        let delta = timestamp.checked_sub(last.timestamp).filter(|d| extended_of(*d).is_none());
        match delta {
            Some(time) if last.msid == msid => {
                if (last.length, last.type_id) == (length, type_id) {
                    MessageHeader::SameLength { time }
                } else {
                    MessageHeader::SameStream { time, length, type_id }
                }
            }
            _ => full,
        }
    }
}

pub(super) fn payload_length(payload: &[u8]) -> Result<u32, EncodeError> {
    u32::try_from(payload.len())
        .ok()
        .filter(|length| *length <= MAX_CHUNK_SIZE)
        .ok_or(EncodeError::PayloadTooLong { len: payload.len() })
}

/// Writes a payload behind its header, with type 3 headers between the chunks.
pub(super) fn put_chunks(
    header: MessageHeader,
    csid: ChunkStreamId,
    chunk_size: u32,
    payload: &[u8],
    out: &mut BytesMut,
) {
    let repeat = header.time().and_then(extended_of);
    let mut pieces = payload.chunks(chunk_size.max(1) as usize);
    header.put(csid, None, out);
    out.put_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        MessageHeader::Same.put(csid, repeat, out);
        out.put_slice(piece);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::ControlMessage;

    fn message(timestamp: u32, payload: &'static [u8]) -> Message {
        Message {
            csid: ChunkStreamId::COMMAND,
            msid: MessageStreamId(0),
            type_id: MessageType::COMMAND_AMF0,
            timestamp,
            payload: Bytes::from_static(payload),
        }
    }

    fn write(writer: &mut ChunkWriter, message: &Message) -> Vec<u8> {
        let mut out = BytesMut::new();
        writer.write(message, &mut out).unwrap();
        out.to_vec()
    }

    #[test]
    fn headers_shrink_and_grow_again() {
        let mut writer = ChunkWriter::new();
        assert_eq!(write(&mut writer, &message(5, b"a")), b"\x03\0\0\x05\0\0\x01\x14\0\0\0\0a");
        assert_eq!(write(&mut writer, &message(7, b"b")), b"\x83\0\0\x02b");
        assert_eq!(write(&mut writer, &message(7, b"c")), b"\x83\0\0\0c");
        assert_eq!(write(&mut writer, &message(7, b"dd")), b"\x43\0\0\0\0\0\x02\x14dd");
        assert_eq!(write(&mut writer, &message(6, b"ee"))[..4], *b"\x03\0\0\x06");
        let other = Message { msid: MessageStreamId(1), ..message(6, b"ee") };
        assert_eq!(write(&mut writer, &other)[0], 3);
        assert_eq!(write(&mut writer, &Message { timestamp: 0x0100_0005, ..other })[0], 3);
    }

    #[test]
    fn set_chunk_size_holds_from_the_next_message_on() {
        let mut writer = ChunkWriter::new();
        let long = message(0, &[0; 129]);
        assert_eq!(write(&mut writer, &long).len(), 12 + 129 + 1);
        write(&mut writer, &SetChunkSize::new(129).to_message());
        assert_eq!(writer.chunk_size(), 129);
        assert_eq!(write(&mut writer, &long).len(), 4 + 129);
    }

    #[test]
    fn an_extended_timestamp_is_repeated() {
        let wire = write(&mut ChunkWriter::new(), &message(0x0100_0000, &[7; 129]));
        assert_eq!(wire[1..4], [0xff; 3]);
        assert_eq!(wire[12..16], [1, 0, 0, 0]);
        assert_eq!(wire[16 + 128..], [0xc3, 1, 0, 0, 0, 7]);
    }

    #[test]
    fn too_long() {
        let long = Message { payload: vec![0; 0x0100_0000].into(), ..message(0, b"") };
        let mut out = BytesMut::new();
        assert_eq!(
            ChunkWriter::new().write(&long, &mut out),
            Err(EncodeError::PayloadTooLong { len: 0x0100_0000 })
        );
        assert!(out.is_empty());
    }
}
