use crate::Object;

/// One AMF0 value (AMF0 section 2).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A double, marker 0x00.
    Number(f64),
    /// A boolean, marker 0x01.
    Boolean(bool),
    /// Text, markers 0x02 (up to 65,535 bytes) and 0x0C (longer); the length chooses on encoding.
    String(String),
    /// An anonymous object, marker 0x03.
    Object(Object),
    /// Null, marker 0x05.
    Null,
    /// Undefined, marker 0x06.
    Undefined,
    /// The index of an object sent earlier in the same message, marker 0x07; it is not resolved.
    Reference(u16),
    /// An associative array, marker 0x08. The count on the wire is a hint: it is ignored when decoding and is the number
    /// of properties when encoding.
    EcmaArray(Object),
    /// An array of values, marker 0x0A.
    StrictArray(Vec<Value>),
    /// A point in time, marker 0x0B.
    Date {
        /// Milliseconds since 1970-01-01T00:00:00 UTC.
        millis: f64,
        /// Time zone in minutes as sent; the specification wants 0 and tells readers to ignore it.
        timezone: i16,
    },
    /// A value that the sender could not serialize, marker 0x0D.
    Unsupported,
    /// An XML document as text, marker 0x0F.
    XmlDocument(String),
    /// An object of a named class, marker 0x10.
    TypedObject {
        /// The name of the class, at most 65,535 bytes.
        class: String,
        /// The properties.
        properties: Object,
    },
    /// Bytes, which only AMF3 has (marker 0x11, then 0x0C); at most 268,435,455 can be encoded.
    ByteArray(Vec<u8>),
}

impl Value {
    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The text, if it is a string or an XML document.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::XmlDocument(text) => Some(text),
            _ => None,
        }
    }

    /// The properties, if it is an object, an ECMA array or a typed object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) | Self::EcmaArray(object) => Some(object),
            Self::TypedObject { properties, .. } => Some(properties),
            _ => None,
        }
    }

    /// The elements, if it is a strict array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::StrictArray(values) => Some(values),
            _ => None,
        }
    }

    /// Whether it is null or undefined.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Undefined)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Self::StrictArray(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accessors_answer_their_own_kind_only() {
        let object = Object::from([("a", 1.0)]);
        assert_eq!(Value::from(2.5).as_number(), Some(2.5));
        assert_eq!(Value::from("2.5").as_number(), None);
        assert_eq!(Value::from(true).as_bool(), Some(true));
        assert_eq!(Value::XmlDocument("x".into()).as_str(), Some("x"));
        assert_eq!(Value::EcmaArray(object.clone()).as_object(), Some(&object));
        let typed = Value::TypedObject { class: "c".into(), properties: object.clone() };
        assert_eq!(typed.as_object(), Some(&object));
        assert_eq!(Value::from(vec![Value::Null]).as_array(), Some(&[Value::Null][..]));
        assert!(Value::Undefined.is_null() && !Value::from(0).is_null());
    }
}
