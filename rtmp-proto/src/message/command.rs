use amf0::{Decoder, EncodeError, Value, encode_all};
use bytes::{Bytes, BytesMut};

use super::{Message, MessageError};
use crate::{ChunkStreamId, MessageStreamId, MessageType};

/// A command message (specification 7.2): a call, the answer to one, or a status.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What is called; `_result` and `_error` are answers.
    pub name: String,
    /// Pairs an answer with its call; 0 asks for no answer.
    pub transaction_id: f64,
    /// The command object; null where there is none.
    pub object: Value,
    /// What follows the command object.
    pub arguments: Vec<Value>,
}

impl Command {
    /// Makes a command without arguments and with a null command object.
    pub fn new(name: impl Into<String>, transaction_id: f64) -> Self {
        Self { name: name.into(), transaction_id, object: Value::Null, arguments: Vec::new() }
    }

    /// The argument at `index`, counted after the command object.
    pub fn argument(&self, index: usize) -> Option<&Value> {
        self.arguments.get(index)
    }

    /// Decodes the payload of an AMF0 (20) or AMF3 (17) command.
    ///
    /// The AMF3 form starts with a zero byte, which some senders forget, and goes on in AMF0, which switches to AMF3 for
    /// single values (AMF3 section 4.1). A transaction id or command object that is missing is 0 or null.
    ///
    /// # Errors
    ///
    /// [`MessageError::UnnamedCommand`] if the first value is not text, [`MessageError::Amf0`] for bad values.
    pub fn decode(
        type_id: MessageType,
        payload: &[u8],
        limits: &amf0::Limits,
    ) -> Result<Self, MessageError> {
        let mut decoder = Decoder::new(without_amf3_prefix(type_id, payload), limits)?;
        let mut next = || decoder.decode_next();
        let Some(Value::String(name)) = next()? else { return Err(MessageError::UnnamedCommand) };
        let transaction_id = next()?.and_then(|value| value.as_number()).unwrap_or(0.0);
        let object = next()?.unwrap_or(Value::Null);
        let mut arguments = Vec::new();
        while let Some(argument) = next()? {
            arguments.push(argument);
        }
        Ok(Self { name, transaction_id, object, arguments })
    }

    /// Makes the whole message, in AMF0.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if a value cannot be written.
    pub fn to_message(
        &self,
        csid: ChunkStreamId,
        msid: MessageStreamId,
    ) -> Result<Message, EncodeError> {
        let mut payload = BytesMut::with_capacity(256);
        encode_all(&[self.name.as_str().into(), self.transaction_id.into()], &mut payload)?;
        encode_all(std::slice::from_ref(&self.object), &mut payload)?;
        encode_all(&self.arguments, &mut payload)?;
        let payload: Bytes = payload.freeze();
        Ok(Message { csid, msid, type_id: MessageType::COMMAND_AMF0, timestamp: 0, payload })
    }
}

fn without_amf3_prefix(type_id: MessageType, payload: &[u8]) -> &[u8] {
    match payload {
        [0, rest @ ..] if type_id == MessageType::COMMAND_AMF3 => rest,
        _ => payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(type_id: MessageType, payload: &[u8]) -> Result<Command, MessageError> {
        Command::decode(type_id, payload, &amf0::Limits::default())
    }

    const CREATE_STREAM: &[u8] =
        b"\x02\x00\x0ccreateStream\x00\x40\x10\x00\x00\x00\x00\x00\x00\x05";

    #[test]
    fn create_stream_both_ways() {
        let command = Command::new("createStream", 4.0);
        assert_eq!(decode(MessageType::COMMAND_AMF0, CREATE_STREAM), Ok(command.clone()));
        let message = command.to_message(ChunkStreamId::COMMAND, MessageStreamId(0)).unwrap();
        assert_eq!(message.payload, CREATE_STREAM);
        let amf3 = [&[0], CREATE_STREAM].concat();
        assert_eq!(decode(MessageType::COMMAND_AMF3, &amf3), Ok(command.clone()));
        // Some senders forget the zero byte.
        assert_eq!(decode(MessageType::COMMAND_AMF3, CREATE_STREAM), Ok(command));
    }

    #[test]
    fn what_is_missing_has_a_default() {
        let command = decode(MessageType::COMMAND_AMF0, b"\x02\x00\x01x").unwrap();
        assert_eq!(command, Command::new("x", 0.0));
    }

    #[test]
    fn values_in_amf3() {
        // What an ActionScript 3 client sends: the command object and an argument in AMF3.
        let wire = b"\0\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x11\x0a\x0b\x01\
                     \x07app\x06\x09live\x1dobjectEncoding\x04\x03\x01\x11\x06\x02\x05";
        let command = decode(MessageType::COMMAND_AMF3, wire).unwrap();
        let object =
            amf0::Object::from([("app", Value::from("live")), ("objectEncoding", 3.into())]);
        assert_eq!(command.object, object.into());
        assert_eq!(command.arguments, ["live".into(), Value::Null]);
        // In a message of the AMF0 type it is no different.
        assert_eq!(decode(MessageType::COMMAND_AMF0, &wire[1..]), Ok(command));
        let cut = decode(MessageType::COMMAND_AMF3, &wire[..40]);
        assert!(matches!(cut, Err(MessageError::Amf0(amf0::DecodeError::Amf3(_)))));
    }

    #[test]
    fn bad_commands() {
        let unnamed = Err(MessageError::UnnamedCommand);
        assert_eq!(decode(MessageType::COMMAND_AMF0, &[]), unnamed);
        assert_eq!(decode(MessageType::COMMAND_AMF0, &[5]), unnamed);
        assert!(matches!(
            decode(MessageType::COMMAND_AMF0, b"\x02\x00\x01x\x00\x00"),
            Err(MessageError::Amf0(amf0::DecodeError::Truncated { .. }))
        ));
    }
}
