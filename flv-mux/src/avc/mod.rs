//! H.264: what a server reads of it, and no more.

mod nal;
mod record;
pub(crate) mod sps;
pub(crate) mod vui;

pub use nal::{NalError, NalLengthSize, NalUnitType, NalUnits, nal_units};
pub use record::{
    AvcDecoderConfigurationRecord, AvcFormat, AvcParameterSetError, AvcRecordError,
    TooManyParameterSets,
};
pub use sps::{Sps, SpsError};
pub use vui::{FrameRate, Vui};
