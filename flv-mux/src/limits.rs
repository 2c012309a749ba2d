//! What a peer may make this crate hold.

/// Bounds on what is accepted; every field documents the memory it bounds.
///
/// The encoders have only the limits of the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest tag body, in bytes: at most this much is held for a tag that is still arriving,
    /// and it is allocated only as bytes arrive.
    ///
    /// Default 8 MiB. The wire's own limit is 16 MiB - 1 (a 24-bit length).
    pub max_tag_body: u32,
    /// Largest `DataOffset` of a file header, in bytes. The bytes between the header's nine and
    /// this offset are skipped, not held.
    ///
    /// Default 4096. The specification knows only 9.
    pub max_data_offset: u32,
    /// Longest sequence parameter set that is parsed, in bytes: as much again is allocated while
    /// the emulation prevention bytes are taken out.
    ///
    /// Default 4096. Real ones take 10 to 200.
    pub max_sps: usize,
    /// Largest width and height of a coded picture, in luma samples. Bounds what a decoder set
    /// up from the result would allocate; nothing here.
    ///
    /// Default 16,888: the widest picture of H.264 level 6.2.
    pub max_dimension: u32,
    /// Bounds on the AMF0 values of a script tag.
    pub amf: amf0::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_tag_body: 8 << 20,
            max_data_offset: 4096,
            max_sps: 4096,
            max_dimension: 16_888,
            amf: amf0::Limits::default(),
        }
    }
}
