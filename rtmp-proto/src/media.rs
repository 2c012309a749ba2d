use bytes::Bytes;

use crate::MessageType;

/// What a [`MediaMessage`] carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// An audio tag body.
    Audio,
    /// A video tag body.
    Video,
    /// AMF0 values as they stand in an FLV script tag: the name, then its values.
    Data,
}

impl MediaKind {
    /// The message type it travels as.
    pub const fn message_type(self) -> MessageType {
        match self {
            Self::Audio => MessageType::AUDIO,
            Self::Video => MessageType::VIDEO,
            Self::Data => MessageType::DATA_AMF0,
        }
    }
}

/// One audio, video or data message, without its framing.
///
/// The payload is what an FLV tag of the same kind holds. A short one that was received shares an allocation of 16 KiB
/// with others of its connection: who keeps one for long, and few of its neighbours, copies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaMessage {
    /// Audio, video or data.
    pub kind: MediaKind,
    /// Milliseconds, wrapping at 32 bits; a decoding time for video.
    pub timestamp: u32,
    /// The tag body.
    pub payload: Bytes,
}
