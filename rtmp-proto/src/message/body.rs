use bytes::Bytes;

use super::{
    Abort, Acknowledgement, Aggregate, Command, Data, Message, MessageError, SetChunkSize,
    SetPeerBandwidth, UserControl, WindowAcknowledgementSize,
};
use crate::MessageType;

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Body {
    /// Type 1.
    SetChunkSize(SetChunkSize),
    /// Type 2.
    Abort(Abort),
    /// Type 3.
    Acknowledgement(Acknowledgement),
    /// Type 4.
    UserControl(UserControl),
    /// Type 5.
    WindowAcknowledgementSize(WindowAcknowledgementSize),
    /// Type 6.
    SetPeerBandwidth(SetPeerBandwidth),
    /// Type 8: the body of an FLV audio tag.
    Audio(Bytes),
    /// Type 9: the body of an FLV video tag.
    Video(Bytes),
    /// Types 15 and 18.
    Data(Data),
    /// Types 17 and 20.
    Command(Command),
    /// Type 22.
    Aggregate(Aggregate),
    /// Shared objects (16 and 19) and all types that are not known.
    Other(Bytes),
}

impl Body {
    /// Decodes the payload by its type; media payloads are moved, not copied.
    ///
    /// # Errors
    ///
    /// [`MessageError`] if the payload is not what the type says. The parts of an aggregate are not looked at here; the
    /// values of a data message only if some may be in AMF3, which they do not stay.
    pub fn decode(message: Message, limits: &amf0::Limits) -> Result<Self, MessageError> {
        let Message { type_id, timestamp, payload, .. } = message;
        Ok(match type_id {
            MessageType::SET_CHUNK_SIZE => Self::SetChunkSize(SetChunkSize::decode(&payload)?),
            MessageType::ABORT => Self::Abort(Abort::decode(&payload)?),
            MessageType::ACKNOWLEDGEMENT => {
                Self::Acknowledgement(Acknowledgement::decode(&payload)?)
            }
            MessageType::USER_CONTROL => Self::UserControl(UserControl::decode(&payload)?),
            MessageType::WINDOW_ACKNOWLEDGEMENT_SIZE => {
                Self::WindowAcknowledgementSize(WindowAcknowledgementSize::decode(&payload)?)
            }
            MessageType::SET_PEER_BANDWIDTH => {
                Self::SetPeerBandwidth(SetPeerBandwidth::decode(&payload)?)
            }
            MessageType::AUDIO => Self::Audio(payload),
            MessageType::VIDEO => Self::Video(payload),
            MessageType::DATA_AMF0 | MessageType::DATA_AMF3 => {
                Self::Data(Data::from_payload(type_id, payload).into_amf0(limits))
            }
            MessageType::COMMAND_AMF0 | MessageType::COMMAND_AMF3 => {
                Self::Command(Command::decode(type_id, &payload, limits)?)
            }
            MessageType::AGGREGATE => Self::Aggregate(Aggregate::new(timestamp, payload)),
            _ => Self::Other(payload),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ControlMessage;
    use super::*;
    use crate::{ChunkStreamId, MessageStreamId};

    #[test]
    fn the_type_decides() {
        let limits = amf0::Limits::default();
        let control = Acknowledgement(5).to_message();
        assert_eq!(Body::decode(control, &limits), Ok(Body::Acknowledgement(Acknowledgement(5))));
        for type_id in [0, 7, 10, 16, 19, 21, 23, 255].map(MessageType) {
            let message = Message {
                csid: ChunkStreamId::MEDIA,
                msid: MessageStreamId(1),
                type_id,
                timestamp: 0,
                payload: Bytes::from_static(b"x"),
            };
            let payload = message.payload.clone();
            assert_eq!(Body::decode(message, &limits), Ok(Body::Other(payload)));
        }
    }
}
