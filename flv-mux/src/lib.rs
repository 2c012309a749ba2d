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
mod ac3;
mod annexb;
mod audio;
mod av1;
mod avc;
mod bits;
mod demux;
mod enhanced;
mod file;
mod flac;
mod fourcc;
mod header;
mod hevc;
mod limits;
mod metadata;
pub mod mux;
mod opus;
mod rewrite;
mod tag;
mod video;
mod vpx;
mod vvc;
mod wire;

pub use aac::{
    AudioObjectType, AudioSpecificConfig, AudioSpecificConfigError, ChannelElement,
    GaSpecificConfig, MatrixMixdown, ProgramConfig, Sbr, TooManyElements,
};
pub use ac3::{Ac3Error, Ac3Frame};
pub use annexb::{
    AnnexBUnits, NalTooLong, annex_b_units, from_annex_b, is_annex_b, repair_access_unit,
    repair_video, to_annex_b,
};
pub use audio::{
    AacPacketType, AudioHeaderError, AudioPacketType, AudioTagHeader, EnhancedAudio, SoundFormat,
    SoundRate,
};
pub use av1::{
    Av1CodecConfigurationRecord, Av1RecordError, Av1SequenceError, Av1SequenceHeader, Obu,
    ObuError, ObuType, Obus, obus,
};
pub use avc::{
    AvcDecoderConfigurationRecord, AvcFormat, AvcParameterSetError, AvcRecordError, FrameRate,
    NalError, NalLengthSize, NalUnitType, NalUnits, Sps, SpsError, TooManyParameterSets, Vui,
    nal_units,
};
pub use demux::{DemuxError, Demuxer};
pub use enhanced::{
    AudioChannel, ColorConfig, ColorInfo, ContentLight, MasteringDisplay, Modifier, ModifierKind,
    ModifierLength, Modifiers, MultichannelConfig, Multitrack, TooManyChannels, Track, TrackError,
    TrackId, Tracks, VideoMetadata, encode_modifiers,
};
pub use file::{FileSummary, HeadError, Keyframe, SeekTable};
pub use flac::{FlacError, FlacStreamInfo};
pub use fourcc::FourCc;
pub use header::{FileHeader, HeaderError};
pub use hevc::{
    HevcDecoderConfigurationRecord, HevcFrameRate, HevcNalArray, HevcNalUnitType, HevcProfile,
    HevcRecordError, HevcSps, HevcSpsError, HevcVui,
};
pub use limits::Limits;
pub use metadata::{CodecName, Metadata, MetadataError, MetadataForm};
pub use opus::{OpusHead, OpusHeadError, OpusMapping};
pub use rewrite::{
    Rewrite, RewriteError, audio_to_enhanced, audio_to_old, video_to_enhanced, video_to_old,
};
pub use tag::{BodyTooLong, MAX_BODY, Tag, TagHeader, TagKind};
pub use video::{
    AvcPacketType, EnhancedVideo, FrameType, VideoCodecId, VideoFormat, VideoHeaderError,
    VideoPacketType, VideoTagHeader,
};
pub use vpx::{VpCodecConfigurationRecord, VpRecordError};
pub use vvc::{VvcConfig, VvcConfigError, VvcProfile};
pub use wire::Truncated;
