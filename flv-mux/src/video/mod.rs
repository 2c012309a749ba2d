//! The header at the start of a video tag's body.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::{
    FourCc, Modifiers, Multitrack, Track,
    enhanced::{self, Prefix},
    wire::{Reader, Truncated, be_24, wire_enum},
};

wire_enum! {
    /// What a video tag is to the frames around it: bits 6 to 4 of its first byte (FLV 10.1,
    /// annex E.4.3.1).
    FrameType {
        /// A frame that decoding can start at.
        Key = 1,
        /// A frame that needs others.
        Inter = 2,
        /// A frame that nothing else needs (H.263 only).
        DisposableInter = 3,
        /// A keyframe that a server made up.
        GeneratedKey = 4,
        /// No frame, but a command to the player (or, in older words, an info frame).
        Command = 5,
    }
}

wire_enum! {
    /// A video codec by its old four-bit number (FLV 10.1, annex E.4.3.1).
    VideoCodecId {
        /// Sorenson H.263.
        H263 = 2,
        /// Screen video.
        Screen = 3,
        /// VP6.
        Vp6 = 4,
        /// VP6 with an alpha channel.
        Vp6Alpha = 5,
        /// Screen video, version 2.
        Screen2 = 6,
        /// H.264.
        Avc = 7,
        /// H.265. Not in the specification, but in wide use before enhanced RTMP.
        Hevc = 12,
        /// AV1. Not in the specification, but used before enhanced RTMP.
        Av1 = 13,
    }
}

wire_enum! {
    /// What an H.264 (or old-style H.265, AV1) tag carries (FLV 10.1, annex E.4.3.2).
    AvcPacketType {
        /// The decoder configuration record.
        SequenceHeader = 0,
        /// One access unit: NAL units, each after its length.
        Nalu = 1,
        /// Nothing: the sequence ends.
        EndOfSequence = 2,
    }
}

wire_enum! {
    /// What an enhanced video tag carries (Enhanced RTMP v2, "VideoPacketType").
    ///
    /// Two values of the wire never show here, for they are resolved to the type inside: 6,
    /// multitrack, and 7, a modifier.
    VideoPacketType {
        /// The decoder configuration record.
        SequenceStart = 0,
        /// A frame, with a composition time where the codec has one.
        CodedFrames = 1,
        /// Nothing: the sequence ends.
        SequenceEnd = 2,
        /// A frame whose composition time is 0 and left out.
        CodedFramesX = 3,
        /// AMF values, such as `colorInfo`; the frame type means nothing.
        Metadata = 4,
        /// The configuration as an MPEG-2 TS descriptor (AV1).
        Mpeg2TsSequenceStart = 5,
    }
}

/// The header at the start of a video tag's body, in any of its forms.
///
/// [`decode`](Self::decode) looks at a few bytes and allocates nothing, so it is what a server
/// calls for every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoTagHeader {
    /// What the tag is to the frames around it.
    pub frame_type: FrameType,
    /// Codec, packet type and times.
    pub format: VideoFormat,
}

/// The three forms of a video tag header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VideoFormat {
    /// Codec number only (FLV 10.1, annex E.4.3.1); the payload is the codec's own.
    Plain(VideoCodecId),
    /// Codec number, packet type and composition time (annex E.4.3.2), for
    /// [`VideoCodecId::Avc`], [`VideoCodecId::Hevc`] and [`VideoCodecId::Av1`].
    Packet {
        /// One of the three codecs.
        codec: VideoCodecId,
        /// What the payload is.
        packet_type: AvcPacketType,
        /// Presentation time minus decoding time in milliseconds, 24 bits signed.
        composition_time: i32,
    },
    /// FourCC and packet type (Enhanced RTMP v2).
    Enhanced {
        /// What the payload is; of a multitrack packet, what each track's is.
        packet_type: VideoPacketType,
        /// Nanoseconds to add to the tag's timestamp, 0 to 999,999 in 24 bits.
        nanos: u32,
        /// What follows packet type and modifiers.
        content: EnhancedVideo,
    },
}

/// What an enhanced video header announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnhancedVideo {
    /// A command to the player: 0 starts a seek, 1 ends it. Of [`FrameType::Command`] only.
    Command(u8),
    /// One track.
    Single {
        /// The codec.
        codec: FourCc,
        /// Presentation time minus decoding time in milliseconds, 24 bits signed. It is on the
        /// wire for [`VideoPacketType::CodedFrames`] of H.264, H.265 and H.266 and 0 otherwise.
        composition_time: i32,
    },
    /// Several tracks, or one with an id; the payload starts at the first track's entry.
    Multitrack(Multitrack),
}

/// Why a video tag header was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VideoHeaderError {
    /// The body is empty.
    #[error("video tag has an empty body")]
    Empty,
    /// The body ends inside the header.
    #[error("video tag header: {0}")]
    Truncated(#[from] Truncated),
}

const EX_HEADER: u8 = 0x80;
const MULTITRACK: u8 = 6;

impl VideoTagHeader {
    /// Decodes the header at the start of `body`; the second value is the payload's offset.
    ///
    /// Codecs without a name here are no error. A command of the old form, and an end of sequence
    /// without its composition time, are accepted in the short forms that some writers use.
    ///
    /// # Errors
    ///
    /// [`VideoHeaderError`] when `body` ends before the header does.
    pub fn decode(body: &[u8]) -> Result<(Self, usize), VideoHeaderError> {
        let mut reader = Reader::new(body);
        let first = reader.u8("video format").map_err(|_| VideoHeaderError::Empty)?;
        let header = if first & EX_HEADER != 0 {
            let frame_type = FrameType::from_wire(first >> 4 & 0x07);
            Self { frame_type, format: enhanced_format(frame_type, first & 0x0f, &mut reader)? }
        } else {
            let frame_type = FrameType::from_wire(first >> 4);
            let codec = VideoCodecId::from_wire(first & 0x0f);
            Self { frame_type, format: old_format(frame_type, codec, &mut reader)? }
        };
        Ok((header, body.len().saturating_sub(reader.rest().len())))
    }

    /// Appends the header to `out`, composition times in their low 24 bits.
    pub fn encode(&self, out: &mut BytesMut) {
        let nanos = match self.format {
            VideoFormat::Enhanced { nanos, .. } => nanos,
            _ => 0,
        };
        self.put(Prefix::Nanos(nanos), out);
    }

    /// Appends the header to `out` with these modifiers in place of its nanoseconds; the old forms
    /// have none.
    pub fn encode_with(&self, modifiers: Modifiers<'_>, out: &mut BytesMut) {
        self.put(Prefix::Modifiers(modifiers), out);
    }

    /// The header of one track of a multitrack packet, as a tag of its own would have it; the
    /// second value is the offset of the frame in [`Track::payload`].
    ///
    /// # Errors
    ///
    /// [`VideoHeaderError`] when the track ends before its composition time does.
    pub fn of_track(&self, track: &Track<'_>) -> Result<(Self, usize), VideoHeaderError> {
        let VideoFormat::Enhanced { packet_type, nanos, .. } = self.format else {
            return Ok((*self, 0));
        };
        let mut reader = Reader::new(track.payload);
        let content = single(packet_type, track.codec, &mut reader)?;
        let offset = track.payload.len().saturating_sub(reader.rest().len());
        Ok((
            Self { format: VideoFormat::Enhanced { packet_type, nanos, content }, ..*self },
            offset,
        ))
    }

    fn put(&self, prefix: Prefix<'_>, out: &mut BytesMut) {
        let frame_type = (self.frame_type.to_wire() & 0x07) << 4;
        match self.format {
            VideoFormat::Plain(codec) => out.put_u8(frame_type | (codec.to_wire() & 0x0f)),
            VideoFormat::Packet { codec, packet_type, composition_time } => {
                out.put_u8(frame_type | (codec.to_wire() & 0x0f));
                out.put_u8(packet_type.to_wire());
                out.put_slice(&be_24(composition_time.cast_unsigned()));
            }
            VideoFormat::Enhanced { packet_type, content, .. } => {
                let flags = EX_HEADER | frame_type;
                let wire_type = packet_type.to_wire();
                match content {
                    EnhancedVideo::Command(command) => {
                        enhanced::put_first(flags, wire_type, prefix, out);
                        out.put_u8(command);
                    }
                    EnhancedVideo::Single { codec, composition_time } => {
                        enhanced::put_first(flags, wire_type, prefix, out);
                        out.put_slice(&codec.0);
                        if has_composition_time(packet_type, codec) {
                            out.put_slice(&be_24(composition_time.cast_unsigned()));
                        }
                    }
                    EnhancedVideo::Multitrack(tracks) => {
                        enhanced::put_first(flags, MULTITRACK, prefix, out);
                        tracks.put(wire_type, out);
                    }
                }
            }
        }
    }

    /// Whether a decoder can start at this tag: it carries a frame, and that is a keyframe. False
    /// for sequence headers, although their frame type says keyframe too.
    pub fn is_keyframe(&self) -> bool {
        self.frame_type == FrameType::Key && self.is_frame()
    }

    /// Whether the payload is the decoder's configuration.
    pub fn is_sequence_header(&self) -> bool {
        match self.format {
            VideoFormat::Plain(_) => false,
            VideoFormat::Packet { packet_type, .. } => packet_type == AvcPacketType::SequenceHeader,
            VideoFormat::Enhanced { content: EnhancedVideo::Command(_), .. } => false,
            VideoFormat::Enhanced { packet_type, .. } => matches!(
                packet_type,
                VideoPacketType::SequenceStart | VideoPacketType::Mpeg2TsSequenceStart
            ),
        }
    }

    /// Whether the payload is a frame: not a configuration, a command, metadata or an end.
    pub fn is_frame(&self) -> bool {
        match self.format {
            VideoFormat::Plain(_) => self.frame_type != FrameType::Command,
            VideoFormat::Packet { packet_type, .. } => packet_type == AvcPacketType::Nalu,
            VideoFormat::Enhanced { content: EnhancedVideo::Command(_), .. } => false,
            VideoFormat::Enhanced { packet_type, .. } => {
                matches!(packet_type, VideoPacketType::CodedFrames | VideoPacketType::CodedFramesX)
            }
        }
    }

    /// Whether the payload is tracks rather than one codec's own.
    pub fn is_multitrack(&self) -> bool {
        let VideoFormat::Enhanced { content, .. } = self.format else { return false };
        matches!(content, EnhancedVideo::Multitrack(_))
    }

    /// Presentation time minus decoding time in milliseconds; 0 where the header has none.
    pub fn composition_time(&self) -> i32 {
        match self.format {
            VideoFormat::Packet { composition_time, .. }
            | VideoFormat::Enhanced {
                content: EnhancedVideo::Single { composition_time, .. },
                ..
            } => composition_time,
            VideoFormat::Plain(_) | VideoFormat::Enhanced { .. } => 0,
        }
    }

    /// The codec as a FourCC, also for H.264, H.265 and AV1 in the old form; `None` for the codecs
    /// that have no FourCC, commands, and tracks of many codecs.
    pub fn four_cc(&self) -> Option<FourCc> {
        match self.format {
            VideoFormat::Plain(codec) | VideoFormat::Packet { codec, .. } => match codec {
                VideoCodecId::Avc => Some(FourCc::AVC),
                VideoCodecId::Hevc => Some(FourCc::HEVC),
                VideoCodecId::Av1 => Some(FourCc::AV1),
                _ => None,
            },
            VideoFormat::Enhanced { content, .. } => match content {
                EnhancedVideo::Command(_) => None,
                EnhancedVideo::Single { codec, .. } => Some(codec),
                EnhancedVideo::Multitrack(tracks) => tracks.four_cc(),
            },
        }
    }
}

fn old_format(
    frame_type: FrameType,
    codec: VideoCodecId,
    reader: &mut Reader<'_>,
) -> Result<VideoFormat, Truncated> {
    let has_packets = matches!(codec, VideoCodecId::Avc | VideoCodecId::Hevc | VideoCodecId::Av1);
    if !has_packets || frame_type == FrameType::Command {
        return Ok(VideoFormat::Plain(codec));
    }
    let packet_type = AvcPacketType::from_wire(reader.u8("avc packet type")?);
    let composition_time = match reader.i24("composition time") {
        Err(_) if packet_type == AvcPacketType::EndOfSequence => 0,
        time => time?,
    };
    Ok(VideoFormat::Packet { codec, packet_type, composition_time })
}

fn enhanced_format(
    frame_type: FrameType,
    first_type: u8,
    reader: &mut Reader<'_>,
) -> Result<VideoFormat, Truncated> {
    let (wire_type, nanos) = enhanced::modifiers(reader, first_type)?;
    let packet_type = VideoPacketType::from_wire(wire_type);
    if frame_type == FrameType::Command && packet_type != VideoPacketType::Metadata {
        let content = EnhancedVideo::Command(reader.u8("video command")?);
        return Ok(VideoFormat::Enhanced { packet_type, nanos, content });
    }
    if wire_type == MULTITRACK {
        let (tracks, wire_type) = Multitrack::read(reader)?;
        let packet_type = VideoPacketType::from_wire(wire_type);
        let content = EnhancedVideo::Multitrack(tracks);
        return Ok(VideoFormat::Enhanced { packet_type, nanos, content });
    }
    let codec = enhanced::four_cc(reader)?;
    let content = single(packet_type, codec, reader)?;
    Ok(VideoFormat::Enhanced { packet_type, nanos, content })
}

/// What a packet of one codec says before its frame.
fn single(
    packet_type: VideoPacketType,
    codec: FourCc,
    reader: &mut Reader<'_>,
) -> Result<EnhancedVideo, Truncated> {
    let composition_time =
        if has_composition_time(packet_type, codec) { reader.i24("composition time")? } else { 0 };
    Ok(EnhancedVideo::Single { codec, composition_time })
}

fn has_composition_time(packet_type: VideoPacketType, codec: FourCc) -> bool {
    packet_type == VideoPacketType::CodedFrames
        && matches!(codec, FourCc::AVC | FourCc::HEVC | FourCc::VVC)
}

#[cfg(test)]
mod tests;
