#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

mod aac;
mod audio;
mod avc;
mod bits;
mod demux;
mod enhanced;
mod fourcc;
mod header;
mod limits;
mod metadata;
pub mod mux;
mod rewrite;
mod tag;
mod video;
mod wire;

pub use aac::{
    AudioObjectType, AudioSpecificConfig, AudioSpecificConfigError, ChannelElement,
    GaSpecificConfig, MatrixMixdown, ProgramConfig, Sbr, TooManyElements,
};
pub use audio::{
    AacPacketType, AudioHeaderError, AudioPacketType, AudioTagHeader, EnhancedAudio, SoundFormat,
    SoundRate,
};
pub use avc::{
    AvcDecoderConfigurationRecord, AvcFormat, AvcRecordError, FrameRate, NalError, NalLengthSize,
    NalUnitType, NalUnits, Sps, SpsError, TooManyParameterSets, Vui, nal_units,
};
pub use demux::{DemuxError, Demuxer};
pub use enhanced::{
    AudioChannel, ColorConfig, ColorInfo, ContentLight, MasteringDisplay, Modifier, ModifierKind,
    ModifierLength, Modifiers, MultichannelConfig, Multitrack, TooManyChannels, Track, TrackError,
    TrackId, Tracks, VideoMetadata, encode_modifiers,
};
pub use fourcc::FourCc;
pub use header::{FileHeader, HeaderError};
pub use limits::Limits;
pub use metadata::{CodecName, Metadata, MetadataError, MetadataForm};
pub use rewrite::{
    Rewrite, RewriteError, audio_to_enhanced, audio_to_old, video_to_enhanced, video_to_old,
};
pub use tag::{BodyTooLong, MAX_BODY, Tag, TagHeader, TagKind};
pub use video::{
    AvcPacketType, EnhancedVideo, FrameType, VideoCodecId, VideoFormat, VideoHeaderError,
    VideoPacketType, VideoTagHeader,
};
pub use wire::Truncated;
