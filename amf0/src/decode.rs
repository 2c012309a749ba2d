use thiserror::Error;

use crate::{Limits, MAX_DEPTH, Object, Value, amf3, marker};

/// Why bytes are not AMF0, or more than the limits allow.
///
/// Positions are counted in bytes from the start of the input.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("amf0 input ends at byte {at}, inside a value: {needed} more bytes are needed")]
    Truncated {
        /// Where the part that is cut off starts.
        at: usize,
        /// How many bytes are missing.
        needed: usize,
    },
    /// A marker that is reserved or unknown.
    #[error("unsupported amf0 marker {marker:#04x} at byte {at}")]
    UnsupportedMarker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        at: usize,
    },
    /// An end marker where a value should be.
    #[error("amf0 object end marker at byte {at} in place of a value")]
    UnexpectedObjectEnd {
        /// Where it stands.
        at: usize,
    },
    /// More bytes than [`Limits::bytes`].
    #[error("amf0 input of {len} bytes, the limit is {limit}")]
    TooLong {
        /// The length of the input.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// Deeper than [`Limits::depth`].
    #[error("amf0 value nested deeper than {limit} at byte {at}")]
    TooDeep {
        /// Where the object or array that is too deep stands.
        at: usize,
        /// The limit.
        limit: usize,
    },
    /// A value that the marker 0x11 has switched to AMF3 for.
    #[error(transparent)]
    Amf3(#[from] amf3::DecodeError),
    /// More values than [`Limits::values`].
    #[error("more than {limit} amf0 values at byte {at}")]
    TooManyValues {
        /// Where the value that is one too many stands.
        at: usize,
        /// The limit.
        limit: usize,
    },
}

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

/// Reads the values of one input one after the other.
///
/// The limits hold for the whole input, not for each value. So do the tables of values in AMF3: one can refer to what
/// was sent in another.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    limits: &'a Limits,
    input: &'a [u8],
    rest: &'a [u8],
    values: usize,
    /// There from the first value in AMF3 on.
    amf3: Option<Box<amf3::Decoder<'a>>>,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte of `input`.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooLong`] if the input is longer than [`Limits::bytes`].
    pub fn new(input: &'a [u8], limits: &'a Limits) -> Result<Self, DecodeError> {
        if input.len() > limits.bytes {
            return Err(DecodeError::TooLong { len: input.len(), limit: limits.bytes });
        }
        Ok(Self { limits, input, rest: input, values: 0, amf3: None })
    }

    /// The bytes read so far.
    pub fn position(&self) -> usize {
        self.input.len().saturating_sub(self.rest.len())
    }

    /// The bytes not yet read.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// Decodes the next value; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; the position after an error is of no meaning.
    pub fn decode_next(&mut self) -> Result<Option<Value>, DecodeError> {
        if self.rest.is_empty() { Ok(None) } else { self.value(0).map(Some) }
    }

    /// Whether a value was in AMF3.
    pub fn has_amf3(&self) -> bool {
        self.amf3.is_some()
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let at = self.position();
        if let [marker::AVM_PLUS, ..] = self.rest {
            return self.amf3_value(at, depth);
        }
        if self.values >= self.limits.values {
            return Err(DecodeError::TooManyValues { at, limit: self.limits.values });
        }
        self.values = self.values.saturating_add(1);
        let [marker] = self.array()?;
        Ok(match marker {
            marker::NUMBER => Value::Number(f64::from_be_bytes(self.array()?)),
            marker::BOOLEAN => Value::Boolean(self.array::<1>()? != [0]),
            marker::STRING => Value::String(self.short_text()?),
            marker::OBJECT => Value::Object(self.properties(at, depth)?),
            marker::NULL => Value::Null,
            marker::UNDEFINED => Value::Undefined,
            marker::REFERENCE => Value::Reference(u16::from_be_bytes(self.array()?)),
            marker::ECMA_ARRAY => {
                // The count is wrong as often as not: live encoders send 0.
                let _count: [u8; 4] = self.array()?;
                Value::EcmaArray(self.properties(at, depth)?)
            }
            marker::OBJECT_END => return Err(DecodeError::UnexpectedObjectEnd { at }),
            marker::STRICT_ARRAY => self.strict_array(at, depth)?,
            marker::DATE => Value::Date {
                millis: f64::from_be_bytes(self.array()?),
                timezone: i16::from_be_bytes(self.array()?),
            },
            marker::LONG_STRING => Value::String(self.long_text()?),
            marker::UNSUPPORTED => Value::Unsupported,
            marker::XML_DOCUMENT => Value::XmlDocument(self.long_text()?),
            marker::TYPED_OBJECT => Value::TypedObject {
                class: self.short_text()?,
                properties: self.properties(at, depth)?,
            },
            _ => return Err(DecodeError::UnsupportedMarker { marker, at }),
        })
    }

    /// Section 3.1: one value in AMF3 behind the marker.
    fn amf3_value(&mut self, at: usize, depth: usize) -> Result<Value, DecodeError> {
        let mut amf3 = match self.amf3.take() {
            Some(amf3) => amf3,
            None => Box::new(amf3::Decoder::new(self.input, self.limits)?),
        };
        let (value, end, values) = amf3.value_at(at.saturating_add(1), depth, self.values)?;
        self.rest = self.input.get(end..).unwrap_or_default();
        self.values = values;
        self.amf3 = Some(amf3);
        Ok(value)
    }

    fn strict_array(&mut self, at: usize, depth: usize) -> Result<Value, DecodeError> {
        let inner = self.deeper(at, depth)?;
        let count = u32::from_be_bytes(self.array()?);
        // An element is a byte at least: a count that cannot be true reserves no memory.
        let mut values = Vec::with_capacity((count as usize).min(self.rest.len()).min(64));
        for _ in 0..count {
            values.push(self.value(inner)?);
        }
        Ok(Value::StrictArray(values))
    }

    fn properties(&mut self, at: usize, depth: usize) -> Result<Object, DecodeError> {
        let inner = self.deeper(at, depth)?;
        let mut object = Object::new();
        loop {
            if let [0, 0, marker::OBJECT_END, rest @ ..] = self.rest {
                self.rest = rest;
                return Ok(object);
            }
            // Some encoders leave out the end marker of what a message ends with.
            if depth == 0 && self.rest.is_empty() {
                return Ok(object);
            }
            let key = self.short_text()?;
            let value = self.value(inner)?;
            object.push(key, value);
        }
    }

    fn deeper(&self, at: usize, depth: usize) -> Result<usize, DecodeError> {
        let limit = self.limits.depth.min(MAX_DEPTH);
        if depth >= limit {
            return Err(DecodeError::TooDeep { at, limit });
        }
        Ok(depth.saturating_add(1))
    }

    fn short_text(&mut self) -> Result<String, DecodeError> {
        let len = u16::from_be_bytes(self.array()?);
        Ok(text(self.take(len.into())?))
    }

    fn long_text(&mut self) -> Result<String, DecodeError> {
        let len = u32::from_be_bytes(self.array()?);
        Ok(text(self.take(len as usize)?))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or_else(|| self.truncated(len))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(|| self.truncated(N))?;
        self.rest = rest;
        Ok(*head)
    }

    fn truncated(&self, wanted: usize) -> DecodeError {
        let needed = wanted.saturating_sub(self.rest.len());
        DecodeError::Truncated { at: self.position(), needed }
    }
}

/// Real encoders send Latin-1 and worse in titles: such text is kept readable, never refused.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(input: &[u8]) -> Result<Value, DecodeError> {
        let (value, used) = decode(input, &Limits::default())?;
        assert_eq!(used, input.len());
        Ok(value)
    }

    #[test]
    fn every_plain_marker() {
        assert_eq!(one(&[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]), Ok(Value::Number(1.0)));
        assert_eq!(one(&[1, 0]), Ok(Value::Boolean(false)));
        assert_eq!(one(&[1, 7]), Ok(Value::Boolean(true)));
        assert_eq!(one(b"\x02\x00\x04live"), Ok(Value::from("live")));
        assert_eq!(one(&[5]), Ok(Value::Null));
        assert_eq!(one(&[6]), Ok(Value::Undefined));
        assert_eq!(one(&[7, 1, 2]), Ok(Value::Reference(0x0102)));
        assert_eq!(
            one(&[0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xc4]),
            Ok(Value::Date { millis: 0.0, timezone: -60 })
        );
        assert_eq!(one(b"\x0c\x00\x00\x00\x02hi"), Ok(Value::from("hi")));
        assert_eq!(one(&[0x0d]), Ok(Value::Unsupported));
        assert_eq!(one(b"\x0f\x00\x00\x00\x04<a/>"), Ok(Value::XmlDocument("<a/>".into())));
    }

    #[test]
    fn objects_and_arrays() {
        let properties = Object::from([("a", 5)]);
        let number = b"\x00\x40\x14\x00\x00\x00\x00\x00\x00";
        let body = [b"\x00\x01a".as_slice(), number, &[0, 0, 9]].concat();
        assert_eq!(one(&[&[3], &body[..]].concat()), Ok(Value::Object(properties.clone())));
        assert_eq!(
            one(&[b"\x10\x00\x01C", &body[..]].concat()),
            Ok(Value::TypedObject { class: "C".into(), properties: properties.clone() })
        );
        // Any count will do.
        for count in [[0, 0, 0, 0], [0, 0, 0, 1], [0xff; 4]] {
            let input = [&[8], &count[..], &body[..]].concat();
            assert_eq!(one(&input), Ok(Value::EcmaArray(properties.clone())));
        }
        assert_eq!(
            one(&[0x0a, 0, 0, 0, 2, 5, 1, 1]),
            Ok(Value::StrictArray(vec![Value::Null, Value::Boolean(true)]))
        );
    }

    #[test]
    fn the_outermost_end_marker_may_be_missing() {
        assert_eq!(
            one(b"\x08\x00\x00\x00\x01\x00\x01a\x05"),
            Ok(Value::EcmaArray([("a", Value::Null)].into()))
        );
        assert_eq!(one(b"\x03\x00\x01a\x05"), Ok(Value::Object([("a", Value::Null)].into())));
        // An inner one may not, nor half of one.
        assert!(matches!(one(b"\x03\x00\x01a\x03"), Err(DecodeError::Truncated { .. })));
        assert!(matches!(one(b"\x03\x00\x01a\x05\x00\x00"), Err(DecodeError::Truncated { .. })));
    }

    #[test]
    fn an_empty_key_is_a_key() {
        assert_eq!(
            one(b"\x03\x00\x00\x05\x00\x00\x09"),
            Ok(Value::Object([("", Value::Null)].into()))
        );
    }

    #[test]
    fn latin_1_text_is_replaced_not_refused() {
        assert_eq!(one(b"\x02\x00\x04caf\xe9"), Ok(Value::from("caf\u{fffd}")));
    }

    #[test]
    fn reserved_and_unknown_markers() {
        for marker in [0x04, 0x0e, 0x12, 0xff] {
            assert_eq!(one(&[marker]), Err(DecodeError::UnsupportedMarker { marker, at: 0 }));
        }
        assert_eq!(one(&[9]), Err(DecodeError::UnexpectedObjectEnd { at: 0 }));
        assert_eq!(one(b"\x03\x00\x01a\x09"), Err(DecodeError::UnexpectedObjectEnd { at: 4 }));
    }

    #[test]
    fn ten_thousand_deep_is_an_error() {
        let arrays = [0x0a, 0, 0, 0, 1].repeat(10_000);
        assert_eq!(one(&arrays), Err(DecodeError::TooDeep { at: 160, limit: 32 }));
        let objects = b"\x03\x00\x01a".repeat(10_000);
        let limits = Limits { depth: usize::MAX, ..Limits::default() };
        assert!(matches!(
            decode(&objects, &limits),
            Err(DecodeError::TooDeep { limit: MAX_DEPTH, .. })
        ));
    }

    #[test]
    fn counts_and_lengths_that_lie() {
        assert_eq!(
            one(&[0x0a, 0xff, 0xff, 0xff, 0xff, 5]),
            Err(DecodeError::Truncated { at: 6, needed: 1 })
        );
        assert_eq!(
            one(&[0x0c, 0xff, 0xff, 0xff, 0xff, b'x']),
            Err(DecodeError::Truncated { at: 5, needed: 0xffff_fffe })
        );
        let nulls = [vec![0x0a, 0, 1, 0, 0], vec![5; 0x1_0000]].concat();
        assert_eq!(one(&nulls), Err(DecodeError::TooManyValues { at: 5 + 16_383, limit: 16_384 }));
        let long = vec![5; 256 * 1024 + 1];
        assert_eq!(one(&long), Err(DecodeError::TooLong { len: 262_145, limit: 262_144 }));
    }

    #[test]
    fn stepwise() {
        let limits = Limits::default();
        let mut decoder = Decoder::new(b"\x02\x00\x01a\x05", &limits).unwrap();
        assert_eq!(decoder.decode_next(), Ok(Some(Value::from("a"))));
        assert_eq!((decoder.position(), decoder.remaining()), (4, &[5][..]));
        assert_eq!(decoder.decode_next(), Ok(Some(Value::Null)));
        assert_eq!(decoder.decode_next(), Ok(None));
        assert_eq!(decode_all(&[], &limits), Ok(vec![]));
        assert_eq!(decode(&[], &limits), Err(DecodeError::Truncated { at: 0, needed: 1 }));
    }
}
