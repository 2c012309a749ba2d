use bytes::{BufMut, Bytes, BytesMut};
use nom::number::complete::{be_u16, be_u32};

use super::{ControlMessage, MessageError};
use crate::{MessageStreamId, MessageType};

/// A user control message (specification 7.1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserControl {
    /// 0: a stream can be used now.
    StreamBegin(MessageStreamId),
    /// 1: playback of a stream is over.
    StreamEof(MessageStreamId),
    /// 2: there is no more data for the moment.
    StreamDry(MessageStreamId),
    /// 3: how much the player buffers.
    SetBufferLength {
        /// The stream that is played.
        msid: MessageStreamId,
        /// Milliseconds.
        millis: u32,
    },
    /// 4: a stream is a recording.
    StreamIsRecorded(MessageStreamId),
    /// 6: asks for a [`UserControl::PingResponse`] with the same number, the sender's time in milliseconds.
    PingRequest(u32),
    /// 7: answers a [`UserControl::PingRequest`].
    PingResponse(u32),
    /// 0x1F: the player's buffer ran empty (not in the specification).
    BufferEmpty(MessageStreamId),
    /// 0x20: the player's buffer is filled (not in the specification).
    BufferReady(MessageStreamId),
    /// Any other event.
    Other {
        /// The event type.
        event: u16,
        /// The event data.
        data: Bytes,
    },
}

impl UserControl {
    /// Decodes the payload; surplus bytes are ignored.
    ///
    /// # Errors
    ///
    /// [`MessageError::Truncated`] if the event type or the event's data is cut short.
    pub fn decode(payload: &Bytes) -> Result<Self, MessageError> {
        let truncated =
            |_| MessageError::Truncated { what: "user control message", len: payload.len() };
        let (rest, event) = be_u16::<_, ()>(payload.as_ref()).map_err(truncated)?;
        let number = |input| be_u32::<_, ()>(input).map_err(truncated);
        let msid = || number(rest).map(|(_, id)| MessageStreamId(id));
        Ok(match event {
            0 => Self::StreamBegin(msid()?),
            1 => Self::StreamEof(msid()?),
            2 => Self::StreamDry(msid()?),
            3 => {
                let (rest, id) = number(rest)?;
                Self::SetBufferLength { msid: MessageStreamId(id), millis: number(rest)?.1 }
            }
            4 => Self::StreamIsRecorded(msid()?),
            6 => Self::PingRequest(number(rest)?.1),
            7 => Self::PingResponse(number(rest)?.1),
            0x1f => Self::BufferEmpty(msid()?),
            0x20 => Self::BufferReady(msid()?),
            _ => Self::Other { event, data: payload.slice_ref(rest) },
        })
    }
}

impl ControlMessage for UserControl {
    const TYPE: MessageType = MessageType::USER_CONTROL;

    fn encode(&self, out: &mut BytesMut) {
        let mut put = |event: u16, number: u32| {
            out.put_u16(event);
            out.put_u32(number);
        };
        match self {
            Self::StreamBegin(msid) => put(0, msid.0),
            Self::StreamEof(msid) => put(1, msid.0),
            Self::StreamDry(msid) => put(2, msid.0),
            Self::SetBufferLength { msid, millis } => {
                put(3, msid.0);
                out.put_u32(*millis);
            }
            Self::StreamIsRecorded(msid) => put(4, msid.0),
            Self::PingRequest(time) => put(6, *time),
            Self::PingResponse(time) => put(7, *time),
            Self::BufferEmpty(msid) => put(0x1f, msid.0),
            Self::BufferReady(msid) => put(0x20, msid.0),
            Self::Other { event, data } => {
                out.put_u16(*event);
                out.put_slice(data);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_both_ways() {
        let msid = MessageStreamId(1);
        let events: [(UserControl, &[u8]); 10] = [
            (UserControl::StreamBegin(msid), &[0, 0, 0, 0, 0, 1]),
            (UserControl::StreamEof(msid), &[0, 1, 0, 0, 0, 1]),
            (UserControl::StreamDry(msid), &[0, 2, 0, 0, 0, 1]),
            (
                UserControl::SetBufferLength { msid, millis: 3000 },
                &[0, 3, 0, 0, 0, 1, 0, 0, 0x0b, 0xb8],
            ),
            (UserControl::StreamIsRecorded(msid), &[0, 4, 0, 0, 0, 1]),
            (UserControl::PingRequest(0x0d0f), &[0, 6, 0, 0, 0x0d, 0x0f]),
            (UserControl::PingResponse(0x0d0f), &[0, 7, 0, 0, 0x0d, 0x0f]),
            (UserControl::BufferEmpty(msid), &[0, 0x1f, 0, 0, 0, 1]),
            (UserControl::BufferReady(msid), &[0, 0x20, 0, 0, 0, 1]),
            (UserControl::Other { event: 0x1a, data: Bytes::from_static(&[7]) }, &[0, 0x1a, 7]),
        ];
        for (event, wire) in events {
            assert_eq!(event.to_message().payload[..], *wire);
            assert_eq!(UserControl::decode(&Bytes::from_static(wire)), Ok(event));
        }
    }

    #[test]
    fn cut_short() {
        for wire in [&[][..], &[0], &[0, 0, 0], &[0, 3, 0, 0, 0, 1], &[0, 6, 1, 2, 3]] {
            let error = UserControl::decode(&Bytes::copy_from_slice(wire));
            assert!(matches!(error, Err(MessageError::Truncated { .. })), "{wire:?}");
        }
    }
}
