//! What the enhanced audio and video tag headers have in common, and what they carry beside frames.

mod color;
mod modifier;
mod multichannel;
mod track;

pub use color::{ColorConfig, ColorInfo, ContentLight, MasteringDisplay, VideoMetadata};
pub use modifier::{Modifier, ModifierKind, ModifierLength, Modifiers, encode_modifiers};
pub(crate) use modifier::{Prefix, modifiers, put_first};
pub use multichannel::{AudioChannel, MultichannelConfig, TooManyChannels};
pub use track::{Multitrack, Track, TrackError, TrackId, Tracks};

use crate::{
    FourCc,
    wire::{Reader, Truncated},
};

pub(crate) fn four_cc(reader: &mut Reader<'_>) -> Result<FourCc, Truncated> {
    reader.u32("fourcc").map(FourCc::from_u32)
}
