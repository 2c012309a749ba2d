use bytes::{BufMut, BytesMut};

use super::{ControlMessage, MessageError, leading_u32};
use crate::MessageType;

/// Abort Message (specification 5.4.2): drops the partly received message of a chunk stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abort(
    /// The chunk stream id, as sent; it may be one that cannot exist.
    pub u32,
);

impl Abort {
    /// Decodes the payload; bytes after the first four are ignored.
    ///
    /// # Errors
    ///
    /// [`MessageError::Truncated`] for fewer than four bytes.
    pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        leading_u32("abort message", payload).map(Self)
    }
}

impl ControlMessage for Abort {
    const TYPE: MessageType = MessageType::ABORT;

    fn encode(&self, out: &mut BytesMut) {
        out.put_u32(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_both_ways() {
        let message = Abort(0x0026_25a0);
        assert_eq!(message.to_message().payload[..], [0, 0x26, 0x25, 0xa0]);
        assert_eq!(Abort::decode(&[0, 0x26, 0x25, 0xa0, 9]), Ok(message));
        assert_eq!(
            Abort::decode(&[0, 0]),
            Err(MessageError::Truncated { what: "abort message", len: 2 })
        );
    }
}
