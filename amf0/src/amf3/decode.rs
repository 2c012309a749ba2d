use std::sync::Arc;

use super::DecodeError;
use crate::decode::text;
use crate::{Limits, MAX_DEPTH, Object, Value};

/// The type markers, section 3.1.
mod marker {
    pub(super) const UNDEFINED: u8 = 0x00;
    pub(super) const NULL: u8 = 0x01;
    pub(super) const FALSE: u8 = 0x02;
    pub(super) const TRUE: u8 = 0x03;
    pub(super) const INTEGER: u8 = 0x04;
    pub(super) const DOUBLE: u8 = 0x05;
    pub(super) const STRING: u8 = 0x06;
    pub(super) const XML_DOCUMENT: u8 = 0x07;
    pub(super) const DATE: u8 = 0x08;
    pub(super) const ARRAY: u8 = 0x09;
    pub(super) const OBJECT: u8 = 0x0a;
    pub(super) const XML: u8 = 0x0b;
    pub(super) const BYTE_ARRAY: u8 = 0x0c;
    pub(super) const VECTOR_INT: u8 = 0x0d;
    pub(super) const VECTOR_UINT: u8 = 0x0e;
    pub(super) const VECTOR_DOUBLE: u8 = 0x0f;
    pub(super) const VECTOR_OBJECT: u8 = 0x10;
    pub(super) const DICTIONARY: u8 = 0x11;
}

/// Reads the values of one input one after the other. References reach back over all of them.
///
/// The limits hold for the whole input, not for each value. The tables of what can be referred to are at most 32 times
/// as long as the input.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    limits: &'a Limits,
    input: &'a [u8],
    at: usize,
    values: usize,
    /// Bytes of text made so far.
    text: usize,
    strings: Vec<&'a [u8]>,
    traits: Vec<Arc<Traits<'a>>>,
    objects: Vec<Entry>,
    /// What is read now was read before: it is in the tables already.
    repeats: bool,
}

/// The names that the objects of a class have in common (section 3.12).
#[derive(Debug)]
struct Traits<'a> {
    class: &'a [u8],
    names: Vec<&'a [u8]>,
    /// Whether an object has further properties, with their names.
    dynamic: bool,
}

/// An object that can be referred to. It is read again then, which costs no memory until it happens.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where its marker stands.
    at: usize,
    complete: bool,
}

/// What follows the marker of a string or object (section 2.2).
enum Head {
    /// A reference to this place in the table.
    Reference(usize),
    /// The thing itself: its length, or what else it says.
    Inline(usize),
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
        Ok(Self {
            limits,
            input,
            at: 0,
            values: 0,
            text: 0,
            strings: Vec::new(),
            traits: Vec::new(),
            objects: Vec::new(),
            repeats: false,
        })
    }

    /// The bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The bytes not yet read.
    pub fn remaining(&self) -> &'a [u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// Decodes the next value; `None` at the end of the input.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; the position after an error is of no meaning.
    pub fn decode_next(&mut self) -> Result<Option<Value>, DecodeError> {
        if self.remaining().is_empty() { Ok(None) } else { self.value(0).map(Some) }
    }

    /// Decodes the value at a place of the input, for an AMF0 decoder that has counted so many values and is so deep.
    /// Answers where the value ends and the count.
    pub(crate) fn value_at(
        &mut self,
        at: usize,
        depth: usize,
        values: usize,
    ) -> Result<(Value, usize, usize), DecodeError> {
        (self.at, self.values) = (at, values);
        let value = self.value(depth)?;
        Ok((value, self.at, self.values))
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        let at = self.at;
        self.count(at)?;
        let [marker] = self.array()?;
        Ok(match marker {
            marker::UNDEFINED => Value::Undefined,
            marker::NULL => Value::Null,
            marker::FALSE => Value::Boolean(false),
            marker::TRUE => Value::Boolean(true),
            // 29 bits, the highest of which is the sign.
            marker::INTEGER => Value::Number(((self.u29()? << 3) as i32 >> 3).into()),
            marker::DOUBLE => Value::Number(f64::from_be_bytes(self.array()?)),
            marker::STRING => {
                let bytes = self.string()?;
                Value::String(self.text(bytes)?)
            }
            marker::XML_DOCUMENT
            | marker::DATE
            | marker::ARRAY
            | marker::OBJECT
            | marker::XML
            | marker::BYTE_ARRAY
            | marker::VECTOR_INT
            | marker::VECTOR_UINT
            | marker::VECTOR_DOUBLE
            | marker::VECTOR_OBJECT
            | marker::DICTIONARY => match self.head()? {
                Head::Reference(index) => self.repeat(at, index, depth)?,
                Head::Inline(head) => self.inline(marker, at, head, depth)?,
            },
            _ => return Err(DecodeError::UnknownMarker { marker, at }),
        })
    }

    /// What can be referred to later.
    fn inline(
        &mut self,
        marker: u8,
        at: usize,
        head: usize,
        depth: usize,
    ) -> Result<Value, DecodeError> {
        let index = self.objects.len();
        if !self.repeats {
            self.objects.push(Entry { at, complete: false });
        }
        let value = match marker {
            marker::DATE => Value::Date { millis: f64::from_be_bytes(self.array()?), timezone: 0 },
            marker::XML | marker::XML_DOCUMENT => {
                let bytes = self.take(head)?;
                Value::XmlDocument(self.text(bytes)?)
            }
            marker::BYTE_ARRAY => {
                let bytes = self.take(head)?;
                self.spend(bytes.len())?;
                Value::ByteArray(bytes.to_vec())
            }
            marker::ARRAY => self.mixed_array(at, head, depth)?,
            marker::OBJECT => self.object(at, head, depth)?,
            marker::DICTIONARY => self.dictionary(at, head, depth)?,
            vector => self.vector(vector, at, head, depth)?,
        };
        if let Some(entry) = self.objects.get_mut(index)
            && !self.repeats
        {
            entry.complete = true;
        }
        Ok(value)
    }

    /// Reads an object again that was read before.
    fn repeat(&mut self, at: usize, index: usize, depth: usize) -> Result<Value, DecodeError> {
        let count = self.objects.len();
        let Some(entry) = self.objects.get(index).copied() else {
            return Err(DecodeError::UnknownReference { what: "object", index, count, at });
        };
        if !entry.complete {
            return Err(DecodeError::Circular { index, at });
        }
        let inner = self.deeper(at, depth)?;
        let back = std::mem::replace(&mut self.at, entry.at);
        let repeated = std::mem::replace(&mut self.repeats, true);
        let value = self.value(inner)?;
        (self.at, self.repeats) = (back, repeated);
        Ok(value)
    }

    /// Section 3.11: named elements up to an empty name, then the others.
    fn mixed_array(&mut self, at: usize, count: usize, depth: usize) -> Result<Value, DecodeError> {
        let inner = self.deeper(at, depth)?;
        let mut named = Object::new();
        self.named(inner, &mut named)?;
        let mut values = self.room(count);
        for _ in 0..count {
            values.push(self.value(inner)?);
        }
        if named.is_empty() {
            return Ok(Value::StrictArray(values));
        }
        for (index, value) in values.into_iter().enumerate() {
            named.push(index.to_string(), value);
        }
        Ok(Value::EcmaArray(named))
    }

    /// Section 3.12.
    fn object(&mut self, at: usize, head: usize, depth: usize) -> Result<Value, DecodeError> {
        let inner = self.deeper(at, depth)?;
        let traits = self.traits(at, head)?;
        let mut properties = Object::new();
        for name in &traits.names {
            let name = self.text(name)?;
            properties.push(name, self.value(inner)?);
        }
        if traits.dynamic {
            self.named(inner, &mut properties)?;
        }
        if traits.class.is_empty() {
            return Ok(Value::Object(properties));
        }
        Ok(Value::TypedObject { class: self.text(traits.class)?, properties })
    }

    /// What the objects of a class have in common: sent with the first, then referred to.
    fn traits(&mut self, at: usize, head: usize) -> Result<Arc<Traits<'a>>, DecodeError> {
        if head & 1 == 0 {
            let (index, count) = (head >> 1, self.traits.len());
            let what = "class";
            let unknown = DecodeError::UnknownReference { what, index, count, at };
            return self.traits.get(index).cloned().ok_or(unknown);
        }
        let class = self.string()?;
        if head & 2 != 0 {
            let class = text(class.get(..64).unwrap_or(class));
            return Err(DecodeError::Externalizable { class, at });
        }
        let dynamic = head & 4 != 0;
        let count = head >> 3;
        let mut names = Vec::with_capacity(count.min(64).min(self.remaining().len()));
        for _ in 0..count {
            names.push(self.string()?);
        }
        let traits = Arc::new(Traits { class, names, dynamic });
        if !self.repeats {
            self.traits.push(traits.clone());
        }
        Ok(traits)
    }

    /// Properties with their names, up to an empty name.
    fn named(&mut self, inner: usize, properties: &mut Object) -> Result<(), DecodeError> {
        loop {
            let name = self.string()?;
            if name.is_empty() {
                return Ok(());
            }
            let name = self.text(name)?;
            properties.push(name, self.value(inner)?);
        }
    }

    /// Section 3.15. Whether its length is fixed does not matter here.
    fn vector(
        &mut self,
        marker: u8,
        at: usize,
        count: usize,
        depth: usize,
    ) -> Result<Value, DecodeError> {
        let inner = self.deeper(at, depth)?;
        let _fixed: [u8; 1] = self.array()?;
        if marker == marker::VECTOR_OBJECT {
            let _class = self.string()?;
        }
        let mut values = self.room(count);
        for _ in 0..count {
            let element = self.at;
            values.push(if marker == marker::VECTOR_OBJECT {
                self.value(inner)?
            } else {
                self.count(element)?;
                Value::Number(match marker {
                    marker::VECTOR_INT => i32::from_be_bytes(self.array()?).into(),
                    marker::VECTOR_UINT => u32::from_be_bytes(self.array()?).into(),
                    _ => f64::from_be_bytes(self.array()?),
                })
            });
        }
        Ok(Value::StrictArray(values))
    }

    /// Section 3.16. Whether its keys are weak does not matter here.
    fn dictionary(&mut self, at: usize, count: usize, depth: usize) -> Result<Value, DecodeError> {
        let inner = self.deeper(at, depth)?;
        let _weak: [u8; 1] = self.array()?;
        let mut properties = Object::new();
        for _ in 0..count {
            let key = match self.value(inner)? {
                Value::String(key) => key,
                Value::Number(key) => key.to_string(),
                Value::Boolean(key) => key.to_string(),
                _ => return Err(DecodeError::UnsupportedKey { at }),
            };
            properties.push(key, self.value(inner)?);
        }
        Ok(Value::EcmaArray(properties))
    }

    /// Room for the elements of an array: one is a byte at least, so that a count that cannot be true reserves nothing.
    fn room(&self, count: usize) -> Vec<Value> {
        Vec::with_capacity(count.min(self.remaining().len()).min(64))
    }

    /// Section 1.3.2: all but the empty string can be referred to.
    fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let at = self.at;
        match self.head()? {
            Head::Inline(len) => {
                let bytes = self.take(len)?;
                if !bytes.is_empty() && !self.repeats {
                    self.strings.push(bytes);
                }
                Ok(bytes)
            }
            Head::Reference(index) => {
                let count = self.strings.len();
                let unknown = DecodeError::UnknownReference { what: "string", index, count, at };
                self.strings.get(index).copied().ok_or(unknown)
            }
        }
    }

    fn text(&mut self, bytes: &[u8]) -> Result<String, DecodeError> {
        self.spend(bytes.len())?;
        Ok(text(bytes))
    }

    /// Counts text that is about to be made.
    fn spend(&mut self, bytes: usize) -> Result<(), DecodeError> {
        self.text = self.text.saturating_add(bytes);
        if self.text > self.limits.bytes {
            return Err(DecodeError::TooMuchText { at: self.at, limit: self.limits.bytes });
        }
        Ok(())
    }

    /// Counts a value that is about to be made.
    fn count(&mut self, at: usize) -> Result<(), DecodeError> {
        if self.values >= self.limits.values {
            return Err(DecodeError::TooManyValues { at, limit: self.limits.values });
        }
        self.values = self.values.saturating_add(1);
        Ok(())
    }

    fn deeper(&self, at: usize, depth: usize) -> Result<usize, DecodeError> {
        let limit = self.limits.depth.min(MAX_DEPTH);
        if depth >= limit {
            return Err(DecodeError::TooDeep { at, limit });
        }
        Ok(depth.saturating_add(1))
    }

    fn head(&mut self) -> Result<Head, DecodeError> {
        let head = self.u29()?;
        let rest = (head >> 1) as usize;
        Ok(if head & 1 == 0 { Head::Reference(rest) } else { Head::Inline(rest) })
    }

    /// Section 1.3.1: seven bits in each of up to three bytes, then eight in a fourth.
    fn u29(&mut self) -> Result<u32, DecodeError> {
        let mut number = 0;
        for _ in 0..3 {
            let [byte] = self.array()?;
            number = number << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        let [byte] = self.array()?;
        Ok(number << 8 | u32::from(byte))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let bytes = self.remaining().get(..len).ok_or_else(|| self.truncated(len))?;
        self.at = self.at.saturating_add(len);
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.remaining().first_chunk().ok_or_else(|| self.truncated(N))?;
        self.at = self.at.saturating_add(N);
        Ok(*bytes)
    }

    fn truncated(&self, wanted: usize) -> DecodeError {
        let needed = wanted.saturating_sub(self.remaining().len());
        DecodeError::Truncated { at: self.at, needed }
    }
}
