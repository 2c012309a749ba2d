use bytes::BytesMut;

use super::EncodeError;
use super::header::{BasicHeader, MessageHeader, extended_of};
use super::writer::{payload_length, put_chunks};
use crate::{ChunkStreamId, MediaKind, MediaMessage, MessageStreamId};

/// Turns media into wire bytes that are the same for every receiver, so that they are made once and shared.
///
/// Each message starts with a type 0 header and goes on in type 3 chunks, and so depends on nothing sent before. A
/// receiver can take the bytes of any message after any other, as long as its session has announced `chunk_size` and
/// sends nothing else on `chunk_stream_id`. Sessions of this crate leave [`ChunkStreamId::MEDIA`] free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaEncoder {
    /// The chunk stream of all messages.
    pub chunk_stream_id: ChunkStreamId,
    /// The message stream of all messages; players nearly always have 1.
    pub message_stream_id: MessageStreamId,
    /// The chunk size announced to the receivers, in bytes; 0 counts as 1.
    pub chunk_size: u32,
}

impl MediaEncoder {
    /// Makes an encoder on [`ChunkStreamId::MEDIA`].
    pub const fn new(message_stream_id: MessageStreamId, chunk_size: u32) -> Self {
        Self { chunk_stream_id: ChunkStreamId::MEDIA, message_stream_id, chunk_size }
    }

    /// Appends a message to `out`.
    ///
    /// # Errors
    ///
    /// [`EncodeError::PayloadTooLong`]; nothing is written then.
    pub fn encode(&self, message: &MediaMessage, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.encode_parts(message.kind, message.timestamp, &message.payload, out)
    }

    /// Appends a message that is given in parts; the timestamp is in milliseconds.
    ///
    /// # Errors
    ///
    /// [`EncodeError::PayloadTooLong`]; nothing is written then.
    pub fn encode_parts(
        &self,
        kind: MediaKind,
        timestamp: u32,
        payload: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let length = payload_length(payload)?;
        let header = MessageHeader::Full {
            time: timestamp,
            length,
            type_id: kind.message_type(),
            msid: self.message_stream_id,
        };
        out.reserve(self.encoded_len(timestamp, payload.len()));
        put_chunks(header, self.chunk_stream_id, self.chunk_size, payload, out);
        Ok(())
    }

    /// How many bytes a message of this timestamp and payload length becomes.
    pub fn encoded_len(&self, timestamp: u32, payload_len: usize) -> usize {
        let basic = BasicHeader { format: 3, csid: self.chunk_stream_id }.encoded_len();
        let extended = if extended_of(timestamp).is_some() { 4 } else { 0 };
        let chunks = payload_len.div_ceil(self.chunk_size.max(1) as usize).max(1);
        let headers = chunks.saturating_mul(basic.saturating_add(extended));
        payload_len.saturating_add(headers).saturating_add(11)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn encode(encoder: &MediaEncoder, timestamp: u32, payload: &'static [u8]) -> Vec<u8> {
        let payload = Bytes::from_static(payload);
        let message = MediaMessage { kind: MediaKind::Video, timestamp, payload };
        let mut out = BytesMut::new();
        encoder.encode(&message, &mut out).unwrap();
        assert_eq!(out.len(), encoder.encoded_len(timestamp, message.payload.len()));
        out.to_vec()
    }

    #[test]
    fn literal_bytes() {
        let encoder = MediaEncoder::new(MessageStreamId(1), 2);
        assert_eq!(
            encode(&encoder, 40, b"abcde"),
            b"\x06\0\0\x28\0\0\x05\x09\x01\0\0\0ab\xc6cd\xc6e"
        );
        assert_eq!(
            encode(&encoder, 0x00ff_ffff, b"abc"),
            b"\x06\xff\xff\xff\0\0\x03\x09\x01\0\0\0\0\xff\xff\xffab\xc6\0\xff\xff\xffc"
        );
        assert_eq!(encode(&encoder, 0, b"").len(), 12);
    }

    #[test]
    fn lengths_of_other_forms() {
        for id in [64, 400] {
            let chunk_stream_id = ChunkStreamId::new(id).unwrap();
            let encoder =
                MediaEncoder { chunk_stream_id, ..MediaEncoder::new(MessageStreamId(1), 0) };
            encode(&encoder, u32::MAX, b"abc");
        }
    }
}
