//! AV1: what a server reads of it, and no more.

mod obu;
mod record;
mod sequence;

pub use obu::{Obu, ObuError, ObuType, Obus, obus};
pub use record::{Av1CodecConfigurationRecord, Av1RecordError};
pub use sequence::{Av1SequenceError, Av1SequenceHeader};
