use bytes::{BufMut, BytesMut};

use super::{ControlMessage, MessageError, leading_u32};
use crate::MessageType;

/// Acknowledgement (specification 5.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement(
    /// The bytes received so far, wrapping at 32 bits.
    pub u32,
);

impl Acknowledgement {
    /// Decodes the payload; bytes after the first four are ignored.
    ///
    /// # Errors
    ///
    /// [`MessageError::Truncated`] for fewer than four bytes.
    pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        leading_u32("acknowledgement", payload).map(Self)
    }
}

impl ControlMessage for Acknowledgement {
    const TYPE: MessageType = MessageType::ACKNOWLEDGEMENT;

    fn encode(&self, out: &mut BytesMut) {
        out.put_u32(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_both_ways() {
        let message = Acknowledgement(0x0026_25a0);
        assert_eq!(message.to_message().payload[..], [0, 0x26, 0x25, 0xa0]);
        assert_eq!(Acknowledgement::decode(&[0, 0x26, 0x25, 0xa0, 9]), Ok(message));
        assert_eq!(
            Acknowledgement::decode(&[0, 0]),
            Err(MessageError::Truncated { what: "acknowledgement", len: 2 })
        );
    }
}
