//! AMF3, decoded into AMF0's [`Value`].
//!
//! AMF3 is what ActionScript 3 clients use once they have announced object encoding 3. AMF0 switches to it for one value
//! by the marker 0x11, which [`crate::Decoder`] follows by itself; here is the same for input that is AMF3 throughout.
//!
//! | AMF3 | becomes |
//! |---|---|
//! | integer, double | [`Value::Number`] |
//! | XML, XML document | [`Value::XmlDocument`] |
//! | array without named elements, vector | [`Value::StrictArray`] |
//! | array with named elements | [`Value::EcmaArray`]; the others come last, named by their index |
//! | dictionary | [`Value::EcmaArray`], if its keys are text, numbers or booleans |
//! | object without a class, with one | [`Value::Object`], [`Value::TypedObject`] |
//! | byte array | [`Value::ByteArray`] |
//! | reference | a copy of what it names |
//!
//! Copies count against the limits as if they had been sent, so that a few bytes cannot become a gigabyte.

mod decode;
mod error;

pub use decode::Decoder;
pub use error::DecodeError;

use crate::{Limits, Value};

/// Decodes the first value of `input` and answers it with the bytes it took.
///
/// # Errors
///
/// [`DecodeError`]; an empty input is [`DecodeError::Truncated`].
pub fn decode(input: &[u8], limits: &Limits) -> Result<(Value, usize), DecodeError> {
    let mut decoder = Decoder::new(input, limits)?;
    let value = decoder.value(0)?;
    Ok((value, decoder.position()))
}

/// Decodes `input` to its end.
///
/// # Errors
///
/// [`DecodeError`] if any value is bad. An empty input is an empty list.
pub fn decode_all(input: &[u8], limits: &Limits) -> Result<Vec<Value>, DecodeError> {
    let mut decoder = Decoder::new(input, limits)?;
    let mut values = Vec::new();
    while let Some(value) = decoder.decode_next()? {
        values.push(value);
    }
    Ok(values)
}
