use bytes::{BufMut, BytesMut};

use super::{ControlMessage, MessageError, leading_u32};
use crate::MessageType;

/// The largest chunk size of use: no message is longer.
pub const MAX_CHUNK_SIZE: u32 = 0x00ff_ffff;

/// Set Chunk Size (specification 5.4.1): how the sender will cut its messages from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetChunkSize(u32);

impl SetChunkSize {
    /// Brings a size into the range from 1 to [`MAX_CHUNK_SIZE`].
    pub const fn new(size: u32) -> Self {
        match size {
            0 => Self(1),
            MAX_CHUNK_SIZE.. => Self(MAX_CHUNK_SIZE),
            _ => Self(size),
        }
    }

    /// The size in bytes, 1 to [`MAX_CHUNK_SIZE`].
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Decodes the payload; a size beyond [`MAX_CHUNK_SIZE`] means the same as that (specification 5.4.1).
    ///
    /// # Errors
    ///
    /// [`MessageError::Truncated`] for fewer than four bytes, [`MessageError::InvalidChunkSize`] for 0 and for a size
    /// with the top bit set.
    pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        match leading_u32("set chunk size", payload)? {
            size @ (0 | 0x8000_0000..) => Err(MessageError::InvalidChunkSize { size }),
            size => Ok(Self::new(size)),
        }
    }
}

impl ControlMessage for SetChunkSize {
    const TYPE: MessageType = MessageType::SET_CHUNK_SIZE;

    fn encode(&self, out: &mut BytesMut) {
        out.put_u32(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_bytes() {
        assert_eq!(SetChunkSize::new(60_000).to_message().payload[..], [0, 0, 0xea, 0x60]);
        assert_eq!(SetChunkSize::decode(&[0, 0, 0xea, 0x60]), Ok(SetChunkSize(60_000)));
    }

    #[test]
    fn the_range() {
        let decode = |size: u32| SetChunkSize::decode(&size.to_be_bytes()).map(SetChunkSize::get);
        assert_eq!(decode(1), Ok(1));
        assert_eq!(decode(16_777_215), Ok(16_777_215));
        assert_eq!(decode(0x7fff_ffff), Ok(16_777_215));
        for size in [0, 0x8000_0000, u32::MAX] {
            assert_eq!(decode(size), Err(MessageError::InvalidChunkSize { size }));
        }
        assert!(matches!(SetChunkSize::decode(&[1]), Err(MessageError::Truncated { .. })));
    }
}
