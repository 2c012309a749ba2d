//! What the hub carries for this server: frames, and the wire forms made of them once per stream.

mod clock;
mod codec;
mod dialect;
mod frame;
mod info;
mod ingest;
mod repair;
mod slot;
mod wire;

pub use codec::{AudioInfo, VideoInfo};
pub use dialect::{Codecs, Dialect};
pub use frame::Frame;
pub use info::MediaInfo;
pub use ingest::Ingest;
pub use wire::{CHUNK_SIZE, FlvTag, RtmpMessage, Wire, register};
