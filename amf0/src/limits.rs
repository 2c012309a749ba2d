/// The deepest nesting that is ever decoded or encoded, whatever [`Limits::depth`] says.
///
/// Values are read and written by recursion; this bounds the stack.
pub const MAX_DEPTH: usize = 256;

/// What one call of the decoder may take in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Objects and arrays inside one another (default 32). 0 allows plain values only; more than [`MAX_DEPTH`] counts
    /// as [`MAX_DEPTH`]. Bounds the stack.
    pub depth: usize,
    /// Bytes of input (default 256 KiB). Bounds the text held: at most three times as much, when every byte is invalid
    /// UTF-8 and is replaced. Copies that AMF3 makes by references count again.
    pub bytes: usize,
    /// Values, properties and elements included (default 16,384, enough for the key frame index of a three-hour file).
    /// Bounds the memory of the values themselves: about 80 bytes each.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 32, bytes: 256 * 1024, values: 16_384 }
    }
}
