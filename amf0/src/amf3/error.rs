use thiserror::Error;

/// Why bytes are not AMF3, say what AMF0 values cannot, or are more than the limits allow.
///
/// Positions are counted in bytes from the start of the input.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends inside a value.
    #[error("amf3 input ends at byte {at}, inside a value: {needed} more bytes are needed")]
    Truncated {
        /// Where the part that is cut off starts.
        at: usize,
        /// How many bytes are missing.
        needed: usize,
    },
    /// A marker that does not exist.
    #[error("unknown amf3 marker {marker:#04x} at byte {at}")]
    UnknownMarker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        at: usize,
    },
    /// A reference to a string, object or class that was not sent before.
    #[error("amf3 reference to {what} {index} at byte {at}, there are {count}")]
    UnknownReference {
        /// What is referred to.
        what: &'static str,
        /// Its number.
        index: usize,
        /// How many there are.
        count: usize,
        /// Where the reference stands.
        at: usize,
    },
    /// An object that contains itself: a [`Value`](crate::Value) cannot.
    #[error("amf3 object {index} contains itself at byte {at}")]
    Circular {
        /// The number of the object.
        index: usize,
        /// Where the reference to it stands.
        at: usize,
    },
    /// An object that its class has written in a form of its own (externalizable): nobody else can tell where it ends.
    #[error("amf3 object of class {class} at byte {at} is externalizable")]
    Externalizable {
        /// The class, cut to 64 bytes.
        class: String,
        /// Where the object stands.
        at: usize,
    },
    /// A dictionary whose key is no text, number or boolean.
    #[error("amf3 dictionary at byte {at} with a key that is not text")]
    UnsupportedKey {
        /// Where the dictionary stands.
        at: usize,
    },
    /// More bytes than [`Limits::bytes`](crate::Limits::bytes).
    #[error("amf3 input of {len} bytes, the limit is {limit}")]
    TooLong {
        /// The length of the input.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// References make more text out of the input than [`Limits::bytes`](crate::Limits::bytes).
    #[error("more than {limit} bytes of amf3 text at byte {at}")]
    TooMuchText {
        /// Where the text that is too much stands.
        at: usize,
        /// The limit.
        limit: usize,
    },
    /// Deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("amf3 value nested deeper than {limit} at byte {at}")]
    TooDeep {
        /// Where the object or array that is too deep stands.
        at: usize,
        /// The limit.
        limit: usize,
    },
    /// More values than [`Limits::values`](crate::Limits::values), copies by reference included.
    #[error("more than {limit} amf3 values at byte {at}")]
    TooManyValues {
        /// Where the value that is one too many stands.
        at: usize,
        /// The limit.
        limit: usize,
    },
}
