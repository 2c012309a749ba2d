/// Why an access unit can't be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketizeError {
    /// A unit that its format must not cut, and that is longer than a payload may be.
    #[error("a unit of {length} bytes in payloads of at most {limit}")]
    TooLong {
        /// Bytes of the unit.
        length: usize,
        /// Bytes of a payload.
        limit: usize,
    },
    /// An OBU whose header or size goes beyond the bytes that there are.
    #[error("an OBU ends before its size says")]
    Obu,
}
