use bytes::BytesMut;

use super::header::MessageHeader;
use super::slab::Slab;
use crate::message::Message;
use crate::{ChunkStreamId, MessageStreamId, MessageType};

/// The room a message gets at first, however long it says it will be: a peer may start one on every chunk stream.
const FIRST_ROOM: usize = 1024;

/// One chunk stream: the header that the next one builds on, and the message that is being put together.
#[derive(Debug)]
pub(super) struct Assembly {
    pub(super) csid: ChunkStreamId,
    pub(super) length: u32,
    pub(super) type_id: MessageType,
    msid: MessageStreamId,
    timestamp: u32,
    delta: u32,
    /// The extended timestamp of the last header that had one, as it was sent.
    extended: Option<u32>,
    in_message: bool,
    payload: BytesMut,
}

impl Assembly {
    pub(super) fn new(csid: ChunkStreamId) -> Self {
        Self {
            csid,
            length: 0,
            type_id: MessageType(0),
            msid: MessageStreamId(0),
            timestamp: 0,
            delta: 0,
            extended: None,
            in_message: false,
            payload: BytesMut::new(),
        }
    }

    pub(super) const fn in_message(&self) -> bool {
        self.in_message
    }

    /// The bytes of the unfinished message.
    pub(super) fn received(&self) -> usize {
        self.payload.len()
    }

    pub(super) fn missing(&self) -> usize {
        (self.length as usize).saturating_sub(self.payload.len())
    }

    /// What four bytes may follow a type 3 header as its extended timestamp: the field as it was sent last, or, from
    /// some senders, the message's timestamp. Nothing, if the last header had none.
    pub(super) fn expected_extended(&self) -> Option<[[u8; 4]; 2]> {
        let sent = self.extended?;
        Some([sent.to_be_bytes(), self.timestamp.to_be_bytes()])
    }

    /// Starts a message. `time` is the timestamp or delta with the extended field put in.
    ///
    /// A type 3 header repeats the delta; after a type 0 header the timestamp is the delta (specification 5.3.1.2.4).
    pub(super) fn start(&mut self, header: MessageHeader, extended: Option<u32>) {
        self.in_message = true;
        let time = header.time().map(|time| extended.unwrap_or(time));
        if let Some(time) = time {
            self.delta = time;
            self.extended = extended;
        }
        match header {
            MessageHeader::Full { length, type_id, msid, .. } => {
                (self.length, self.type_id, self.msid) = (length, type_id, msid);
                self.timestamp = self.delta;
                return;
            }
            MessageHeader::SameStream { length, type_id, .. } => {
                (self.length, self.type_id) = (length, type_id);
            }
            MessageHeader::SameLength { .. } | MessageHeader::Same => {}
        }
        self.timestamp = self.timestamp.wrapping_add(self.delta);
    }

    /// Appends bytes of the message; `at_hand` says how many more of it the caller holds already.
    ///
    /// Media that is there as a whole has its place in the slab; other messages come so seldom that to keep one would
    /// be a waste. Else room is made for what is there and, by doubling, for what may come, never for what is only
    /// announced.
    pub(super) fn append(&mut self, bytes: &[u8], at_hand: usize, slab: &mut Slab) {
        let length = self.length as usize;
        let needed = self.payload.len().saturating_add(bytes.len());
        let is_media = matches!(self.type_id, MessageType::AUDIO | MessageType::VIDEO);
        if is_media && self.payload.capacity() == 0 && at_hand >= length {
            self.payload = slab.take(length);
        }
        if needed > self.payload.capacity() {
            let room = self
                .payload
                .len()
                .saturating_add(at_hand)
                .max(self.payload.capacity().saturating_mul(2))
                .max(FIRST_ROOM)
                .min(length)
                .max(needed);
            let mut more = BytesMut::with_capacity(room);
            more.extend_from_slice(&self.payload);
            self.payload = more;
        }
        self.payload.extend_from_slice(bytes);
    }

    /// Hands out the message and makes room for the next.
    pub(super) fn finish(&mut self) -> Message {
        self.in_message = false;
        Message {
            csid: self.csid,
            msid: self.msid,
            type_id: self.type_id,
            timestamp: self.timestamp,
            payload: std::mem::take(&mut self.payload).freeze(),
        }
    }

    /// Drops the unfinished message; answers how many bytes it held.
    pub(super) fn abort(&mut self) -> usize {
        self.in_message = false;
        std::mem::take(&mut self.payload).len()
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.payload.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(length: u32) -> Assembly {
        let mut assembly = Assembly::new(ChunkStreamId::MEDIA);
        let (type_id, msid) = (MessageType::VIDEO, MessageStreamId(1));
        assembly.start(MessageHeader::Full { time: 0, length, type_id, msid }, None);
        assembly
    }

    #[test]
    fn an_announced_length_reserves_little() {
        let mut assembly = video(0x00ff_ffff);
        assembly.append(&[1], 1, &mut Slab::default());
        assert_eq!(assembly.room(), FIRST_ROOM);
        assembly.append(&[0; FIRST_ROOM], FIRST_ROOM, &mut Slab::default());
        assert_eq!(assembly.room(), 2 * FIRST_ROOM);
    }

    #[test]
    fn a_whole_message_gets_exactly_its_length() {
        let mut assembly = video(10_000);
        assembly.append(&[0; 128], 60_000, &mut Slab::default());
        assert_eq!(assembly.room(), 10_000);
        assembly.append(&[0; 9872], 9872, &mut Slab::default());
        assert_eq!((assembly.room(), assembly.missing()), (10_000, 0));
    }

    #[test]
    fn abort_keeps_the_header() {
        let mut assembly = video(100);
        assembly.append(&[0; 60], 60, &mut Slab::default());
        assert_eq!(assembly.abort(), 60);
        assert!(!assembly.in_message());
        assembly.start(MessageHeader::Same, None);
        assert_eq!(assembly.missing(), 100);
    }
}
