//! Files: what a player wants at their head to seek in them.

mod keyframes;
mod summary;

pub use keyframes::{Keyframe, SeekTable};
pub use summary::{FileSummary, HeadError};
