//! AAC: what a server reads of it, and no more.

mod config;
mod program;

pub use config::{
    AudioObjectType, AudioSpecificConfig, AudioSpecificConfigError, GaSpecificConfig, Sbr,
};
pub use program::{ChannelElement, MatrixMixdown, ProgramConfig, TooManyElements};
