use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::{MAX_DEPTH, Object, Value, marker};

/// The AMF3 marker of a byte array.
const BYTE_ARRAY: u8 = 0x0c;

/// Why a value cannot be written as AMF0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A key or class name is longer than its 16-bit length can say.
    #[error("amf0 name of {len} bytes, at most 65535 can be written")]
    NameTooLong {
        /// The length in bytes.
        len: usize,
    },
    /// Text is longer than its 32-bit length can say.
    #[error("amf0 text of {len} bytes, at most 4294967295 can be written")]
    TextTooLong {
        /// The length in bytes.
        len: usize,
    },
    /// An array has more elements than its 32-bit count can say.
    #[error("amf0 array of {len} elements, at most 4294967295 can be written")]
    TooManyElements {
        /// The number of elements.
        len: usize,
    },
    /// A byte array is longer than its 28-bit length can say.
    #[error("amf3 byte array of {len} bytes, at most 268435455 can be written")]
    BytesTooLong {
        /// The length in bytes.
        len: usize,
    },
    /// Objects and arrays are nested deeper than [`MAX_DEPTH`].
    #[error("amf0 value nested deeper than {limit}")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

/// Appends one value to `out`.
///
/// # Errors
///
/// [`EncodeError`]; `out` is then as it was before.
pub fn encode(value: &Value, out: &mut BytesMut) -> Result<(), EncodeError> {
    encode_all(std::slice::from_ref(value), out)
}

/// Appends values to `out`, one after the other.
///
/// # Errors
///
/// [`EncodeError`]; `out` is then as it was before.
pub fn encode_all(values: &[Value], out: &mut BytesMut) -> Result<(), EncodeError> {
    let before = out.len();
    let result = values.iter().try_for_each(|value| put_value(value, 0, out));
    if result.is_err() {
        out.truncate(before);
    }
    result
}

fn put_value(value: &Value, depth: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    match value {
        Value::Number(number) => {
            out.put_u8(marker::NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(boolean) => {
            out.put_u8(marker::BOOLEAN);
            out.put_u8((*boolean).into());
        }
        Value::String(text) => match u16::try_from(text.len()) {
            Ok(len) => {
                out.put_u8(marker::STRING);
                out.put_u16(len);
                out.put_slice(text.as_bytes());
            }
            Err(_) => {
                out.put_u8(marker::LONG_STRING);
                put_long_text(text, out)?;
            }
        },
        Value::Object(object) => {
            out.put_u8(marker::OBJECT);
            put_properties(object, depth, out)?;
        }
        Value::Null => out.put_u8(marker::NULL),
        Value::Undefined => out.put_u8(marker::UNDEFINED),
        Value::Reference(index) => {
            out.put_u8(marker::REFERENCE);
            out.put_u16(*index);
        }
        Value::EcmaArray(object) => {
            out.put_u8(marker::ECMA_ARRAY);
            put_count(object.len(), out)?;
            put_properties(object, depth, out)?;
        }
        Value::StrictArray(values) => {
            let inner = deeper(depth)?;
            out.put_u8(marker::STRICT_ARRAY);
            put_count(values.len(), out)?;
            for value in values {
                put_value(value, inner, out)?;
            }
        }
        Value::Date { millis, timezone } => {
            out.put_u8(marker::DATE);
            out.put_f64(*millis);
            out.put_i16(*timezone);
        }
        Value::Unsupported => out.put_u8(marker::UNSUPPORTED),
        Value::XmlDocument(text) => {
            out.put_u8(marker::XML_DOCUMENT);
            put_long_text(text, out)?;
        }
        Value::TypedObject { class, properties } => {
            out.put_u8(marker::TYPED_OBJECT);
            put_name(class, out)?;
            put_properties(properties, depth, out)?;
        }
        Value::ByteArray(bytes) => put_byte_array(bytes, out)?,
    }
    Ok(())
}

/// AMF3 section 3.14: a 29-bit number whose lowest bit says that the bytes follow.
fn put_byte_array(bytes: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
    let len = bytes.len();
    let head = u32::try_from(len).ok().filter(|len| *len < 1 << 28);
    let head = head.ok_or(EncodeError::BytesTooLong { len })? << 1 | 1;
    out.put_slice(&[marker::AVM_PLUS, BYTE_ARRAY]);
    // Always in four bytes: seven bits in each of three, then eight.
    out.put_slice(&[22, 15, 8].map(|shift| (head >> shift) as u8 | 0x80));
    out.put_u8(head as u8);
    out.put_slice(bytes);
    Ok(())
}

fn put_properties(object: &Object, depth: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    let inner = deeper(depth)?;
    for (key, value) in object.iter() {
        put_name(key, out)?;
        put_value(value, inner, out)?;
    }
    out.put_slice(&[0, 0, marker::OBJECT_END]);
    Ok(())
}

fn put_name(name: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    let len =
        u16::try_from(name.len()).map_err(|_| EncodeError::NameTooLong { len: name.len() })?;
    out.put_u16(len);
    out.put_slice(name.as_bytes());
    Ok(())
}

fn put_long_text(text: &str, out: &mut BytesMut) -> Result<(), EncodeError> {
    let len =
        u32::try_from(text.len()).map_err(|_| EncodeError::TextTooLong { len: text.len() })?;
    out.put_u32(len);
    out.put_slice(text.as_bytes());
    Ok(())
}

fn put_count(len: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    out.put_u32(u32::try_from(len).map_err(|_| EncodeError::TooManyElements { len })?);
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, EncodeError> {
    if depth >= MAX_DEPTH {
        return Err(EncodeError::TooDeep { limit: MAX_DEPTH });
    }
    Ok(depth.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(value: Value) -> Result<Vec<u8>, EncodeError> {
        let mut out = BytesMut::new();
        encode(&value, &mut out).map(|()| out.to_vec())
    }

    #[test]
    fn literal_bytes() {
        assert_eq!(wire(1.0.into()).unwrap(), [0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(wire(true.into()).unwrap(), [1, 1]);
        assert_eq!(wire("live".into()).unwrap(), b"\x02\x00\x04live");
        assert_eq!(wire(Value::Null).unwrap(), [5]);
        assert_eq!(wire(Value::Undefined).unwrap(), [6]);
        assert_eq!(wire(Value::Reference(3)).unwrap(), [7, 0, 3]);
        assert_eq!(wire(Value::Unsupported).unwrap(), [0x0d]);
        assert_eq!(wire(Value::XmlDocument("x".into())).unwrap(), b"\x0f\x00\x00\x00\x01x");
        let object = Object::from([("a", Value::Null)]);
        assert_eq!(wire(object.clone().into()).unwrap(), b"\x03\x00\x01a\x05\x00\x00\x09");
        assert_eq!(
            wire(Value::EcmaArray(object.clone())).unwrap(),
            b"\x08\x00\x00\x00\x01\x00\x01a\x05\x00\x00\x09"
        );
        let typed = Value::TypedObject { class: "C".into(), properties: object };
        assert_eq!(wire(typed).unwrap(), b"\x10\x00\x01C\x00\x01a\x05\x00\x00\x09");
        assert_eq!(wire(vec![Value::Null].into()).unwrap(), [0x0a, 0, 0, 0, 1, 5]);
        let date = Value::Date { millis: 0.0, timezone: -60 };
        assert_eq!(wire(date).unwrap(), [0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xc4]);
        let bytes = wire(Value::ByteArray(vec![7; 2])).unwrap();
        assert_eq!(bytes, [0x11, 0x0c, 0x80, 0x80, 0x80, 5, 7, 7]);
    }

    #[test]
    fn the_length_chooses_the_kind_of_string() {
        assert_eq!(wire("x".repeat(65_535).into()).unwrap()[..3], [2, 0xff, 0xff]);
        assert_eq!(wire("x".repeat(65_536).into()).unwrap()[..5], [0x0c, 0, 1, 0, 0]);
    }

    #[test]
    fn what_cannot_be_written_leaves_the_buffer_alone() {
        let mut out = BytesMut::from(&b"before"[..]);
        let object = Object::from([("x".repeat(65_536), 1)]);
        assert_eq!(encode(&object.into(), &mut out), Err(EncodeError::NameTooLong { len: 65_536 }));
        assert_eq!(out, b"before"[..]);
        let deep = (0..=MAX_DEPTH).fold(Value::Null, |inner, _| Value::from(vec![inner]));
        assert_eq!(encode(&deep, &mut out), Err(EncodeError::TooDeep { limit: MAX_DEPTH }));
    }
}
