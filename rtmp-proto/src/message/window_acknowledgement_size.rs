use bytes::{BufMut, BytesMut};

use super::{ControlMessage, MessageError, leading_u32};
use crate::MessageType;

/// Window Acknowledgement Size (specification 5.4.4): how often the sender wants an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowAcknowledgementSize(
    /// Bytes between two acknowledgements; 0 asks for none.
    pub u32,
);

impl WindowAcknowledgementSize {
    /// Decodes the payload; bytes after the first four are ignored.
    ///
    /// # Errors
    ///
    /// [`MessageError::Truncated`] for fewer than four bytes.
    pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        leading_u32("window acknowledgement size", payload).map(Self)
    }
}

impl ControlMessage for WindowAcknowledgementSize {
    const TYPE: MessageType = MessageType::WINDOW_ACKNOWLEDGEMENT_SIZE;

    fn encode(&self, out: &mut BytesMut) {
        out.put_u32(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_both_ways() {
        let message = WindowAcknowledgementSize(0x0026_25a0);
        assert_eq!(message.to_message().payload[..], [0, 0x26, 0x25, 0xa0]);
        assert_eq!(WindowAcknowledgementSize::decode(&[0, 0x26, 0x25, 0xa0, 9]), Ok(message));
        assert_eq!(
            WindowAcknowledgementSize::decode(&[0, 0]),
            Err(MessageError::Truncated { what: "window acknowledgement size", len: 2 })
        );
    }
}
