use bytes::{Buf, Bytes};
use nom::Parser;
use nom::number::complete::{be_u8, be_u24};

use super::{Data, MessageError};
use crate::{MediaKind, MediaMessage, MessageType};

/// The bytes before each part: type, length, timestamp, its upper byte, stream id.
const PART_HEADER: usize = 11;
/// The bytes after each part: its length with the header.
const BACK_POINTER: usize = 4;

/// An aggregate message (specification 7.1.6): several messages in one, laid out like FLV tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    rest: Bytes,
    timestamp: u32,
    /// What turns a part's timestamp into the connection's, known after the first part.
    offset: Option<u32>,
}

impl Aggregate {
    /// Starts to split the payload of an aggregate message with this timestamp.
    pub const fn new(timestamp: u32, payload: Bytes) -> Self {
        Self { rest: payload, timestamp, offset: None }
    }

    /// The next audio, video or data message; `None` at the end. Parts of other types are skipped.
    ///
    /// The first part has the aggregate's timestamp, the others keep their distance to it. Payloads are copies: whoever
    /// keeps a small part does not keep the whole aggregate with it. Back pointers are skipped unread, and the last may
    /// be missing.
    ///
    /// # Errors
    ///
    /// [`MessageError::Truncated`] if a part does not fit into what is left.
    pub fn next_message(&mut self) -> Result<Option<MediaMessage>, MessageError> {
        while !self.rest.is_empty() {
            let truncated =
                MessageError::Truncated { what: "aggregate part", len: self.rest.len() };
            let mut header = (be_u8::<_, ()>, be_u24, be_u24, be_u8, be_u24);
            let Ok((_, (type_id, length, low, high, _))) = header.parse(self.rest.as_ref()) else {
                return Err(truncated);
            };
            self.rest.advance(PART_HEADER);
            if length as usize > self.rest.len() {
                return Err(truncated);
            }
            let payload = self.rest.split_to(length as usize);
            self.rest.advance(BACK_POINTER.min(self.rest.len()));

            let part_timestamp = u32::from(high) << 24 | low;
            let offset = *self.offset.get_or_insert(self.timestamp.wrapping_sub(part_timestamp));
            let timestamp = part_timestamp.wrapping_add(offset);
            let type_id = MessageType(type_id);
            let (kind, payload) = match type_id {
                MessageType::AUDIO => (MediaKind::Audio, payload),
                MessageType::VIDEO => (MediaKind::Video, payload),
                MessageType::DATA_AMF0 | MessageType::DATA_AMF3 => {
                    (MediaKind::Data, Data::from_payload(type_id, payload).into_payload())
                }
                _ => continue,
            };
            let payload = Bytes::copy_from_slice(&payload);
            return Ok(Some(MediaMessage { kind, timestamp, payload }));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(type_id: u8, timestamp: u32, body: &[u8]) -> Vec<u8> {
        let [high, low @ ..] = timestamp.to_be_bytes();
        let len = (body.len() as u32).to_be_bytes();
        let total = (body.len() as u32 + 11).to_be_bytes();
        [&[type_id], &len[1..], &low, &[high], &[0, 0, 0], body, &total].concat()
    }

    fn split(timestamp: u32, payload: Vec<u8>) -> Result<Vec<MediaMessage>, MessageError> {
        let mut aggregate = Aggregate::new(timestamp, payload.into());
        std::iter::from_fn(|| aggregate.next_message().transpose()).collect()
    }

    #[test]
    fn parts_are_rebased() {
        let parts =
            [part(9, 5000, b"v"), part(7, 1, b"?"), part(8, 5023, b"aa"), part(18, 4990, b"d")];
        let messages = split(100, parts.concat()).unwrap();
        let seen: Vec<_> =
            messages.iter().map(|m| (m.kind, m.timestamp, m.payload.as_ref())).collect();
        assert_eq!(
            seen,
            [
                (MediaKind::Video, 100, &b"v"[..]),
                (MediaKind::Audio, 123, b"aa"),
                (MediaKind::Data, 90, b"d")
            ]
        );
    }

    #[test]
    fn a_part_does_not_keep_the_aggregate() {
        let wire = Bytes::from([part(8, 0, b"a"), part(7, 0, &[0; 9000])].concat());
        let mut aggregate = Aggregate::new(0, wire.clone());
        let _small = aggregate.next_message().unwrap().unwrap();
        drop(aggregate);
        assert!(wire.is_unique());
    }

    #[test]
    fn timestamps_have_32_bits_and_wrap() {
        let parts = [part(8, 0xffff_fff0, b"a"), part(8, 0x10, b"b")].concat();
        let messages = split(0xffff_fff8, parts).unwrap();
        assert_eq!((messages[0].timestamp, messages[1].timestamp), (0xffff_fff8, 0x18));
    }

    #[test]
    fn the_last_back_pointer_may_be_missing() {
        let mut wire = part(8, 0, b"abc");
        for _ in 0..4 {
            wire.pop();
            assert_eq!(split(0, wire.clone()).unwrap().len(), 1);
        }
        wire.pop();
        assert!(matches!(split(0, wire), Err(MessageError::Truncated { .. })));
        assert!(matches!(split(0, vec![8, 0, 0]), Err(MessageError::Truncated { len: 3, .. })));
        assert_eq!(split(0, vec![]), Ok(vec![]));
    }
}
