use std::time::Instant;

use bytes::Bytes;

use super::frame::{Damage, Frame};
use super::nal::NalCodec;
use super::{av1, vp8, vp9};
use crate::rtp::{RtpPacket, TimestampExtender};
use crate::{Codec, Limits, MediaKind};

/// Most parameter sets that are remembered.
const PARAMETER_SETS: usize = 32;

/// A frame of video, or a packet of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessUnit {
    /// When it is shown, in units of the codec's clock, with the wraps counted. The track's first is what its packet says
    /// plus 2^32.
    pub timestamp: u64,
    /// When its first packet came in.
    pub arrival: Instant,
    /// Whether a decoder can begin with it. All sound is.
    pub is_keyframe: bool,
    /// The NAL units; the OBUs, each with its size, without temporal delimiters; else the frame or packet as the only one.
    pub units: Vec<Bytes>,
}

/// What became of a track's packets and frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DepacketizerStatistics {
    /// Access units that came forth.
    pub frames: u64,
    /// Those of them that are keyframes.
    pub keyframes: u64,
    /// Frames that had begun and were dropped, for whatever reason.
    pub dropped_frames: u64,
    /// Packets whose numbers were passed over.
    pub lost: u64,
    /// Packets that came after their place, or again.
    pub late: u64,
    /// Packets that were passed over since no frame can be shown before the next keyframe.
    pub awaiting_keyframe: u64,
    /// Packets that are not what their format says, or are of a kind of it that nobody agrees on: interleaved ones of
    /// H.264, PACI of HEVC.
    pub malformed: u64,
    /// Fragments without the one before them, and units whose last fragment never came.
    pub incomplete: u64,
    /// Frames beyond [`Limits::frame_bytes`] or [`Limits::frame_units`].
    pub too_large: u64,
}

/// Puts the access units of one track together from its packets, which come in order: see
/// [`ReorderBuffer`](super::ReorderBuffer).
///
/// A frame that is damaged is dropped, and what follows it up to the next keyframe, for it would need that frame.
#[derive(Debug)]
pub struct Depacketizer {
    format: Format,
    codec: Codec,
    frame: Frame,
    /// What the packets of the frame have in common, once there is one.
    begun: Option<Begun>,
    /// The sequence number that comes next.
    next: Option<u64>,
    timestamps: TimestampExtender,
    awaits_keyframe: bool,
    /// The timestamp of the frame that was dropped last: what is left of it begins no other.
    dropped: Option<u32>,
    parameter_sets: Vec<Bytes>,
    statistics: DepacketizerStatistics,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Nal(NalCodec),
    Av1,
    Vp8,
    Vp9,
    Whole,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    timestamp: u32,
    arrival: Instant,
}

impl Depacketizer {
    /// A depacketizer for a codec; `None` for what has no format of its own: redundancy, retransmission, the unknown.
    ///
    /// Of the limits, [`Limits::frame_bytes`] and [`Limits::frame_units`] count.
    #[must_use]
    pub fn new(codec: Codec, limits: &Limits) -> Option<Self> {
        let format = match codec {
            Codec::H264 => Format::Nal(NalCodec::H264),
            Codec::H265 => Format::Nal(NalCodec::H265),
            Codec::Av1 => Format::Av1,
            Codec::Vp8 => Format::Vp8,
            Codec::Vp9 => Format::Vp9,
            Codec::Opus | Codec::Pcmu | Codec::Pcma => Format::Whole,
            Codec::Red | Codec::UlpFec | Codec::Rtx | Codec::Other => return None,
        };
        Some(Self {
            format,
            codec,
            frame: Frame::new(limits),
            begun: None,
            next: None,
            timestamps: TimestampExtender::default(),
            awaits_keyframe: matches!(codec.kind(), Some(MediaKind::Video)),
            dropped: None,
            parameter_sets: Vec::new(),
            statistics: DepacketizerStatistics::default(),
        })
    }

    /// Takes a packet, and appends the access units that are whole with it to `out`: none, one, or two where the marker
    /// bit of the first is missing.
    ///
    /// A number that is passed over is a loss; a packet from before the last one is not looked at.
    pub fn receive(&mut self, packet: &RtpPacket, out: &mut Vec<AccessUnit>) {
        let next = self.next.unwrap_or(packet.sequence);
        let Some(lost) = packet.sequence.checked_sub(next) else {
            self.statistics.late = self.statistics.late.saturating_add(1);
            return;
        };
        if lost > 0 {
            self.statistics.lost = self.statistics.lost.saturating_add(lost);
            self.gap();
        }
        self.next = Some(packet.sequence.saturating_add(1));
        // Nothing but padding, which keeps the path's capacity known.
        if packet.payload().is_empty() {
            return;
        }
        if self.begun.is_some_and(|begun| begun.timestamp != packet.timestamp()) {
            self.finish(out);
        }
        if self.begun.is_none() {
            let is_rest = self.dropped == Some(packet.timestamp());
            if self.awaits_keyframe && (is_rest || !packet.is_keyframe_start) {
                let awaiting = &mut self.statistics.awaiting_keyframe;
                *awaiting = awaiting.saturating_add(1);
                return;
            }
            self.begun = Some(Begun { timestamp: packet.timestamp(), arrival: packet.arrival });
        }
        let payload = packet.shared_payload();
        let taken = match self.format {
            Format::Nal(codec) => codec.take(payload, &mut self.frame),
            Format::Av1 => av1::take(payload, &mut self.frame),
            Format::Vp8 => vp8::take(payload, &mut self.frame),
            Format::Vp9 => vp9::take(payload, &mut self.frame),
            Format::Whole => self.frame.push(payload),
        };
        match taken {
            Err(damage) => self.drop_frame(damage),
            Ok(()) if packet.marker() || matches!(self.format, Format::Whole) => self.finish(out),
            Ok(()) => {}
        }
    }

    /// Tells that something is missing which the packets' numbers don't show, as when another publisher goes on.
    pub fn gap(&mut self) {
        if self.begun.is_some() {
            self.drop_frame(Damage::Incomplete);
        }
        self.await_keyframe();
    }

    /// Whether the next access unit will be a keyframe: nothing came yet, or something was lost. Who can should ask the
    /// sender for one.
    #[must_use]
    pub const fn awaits_keyframe(&self) -> bool {
        self.awaits_keyframe
    }

    /// The parameter sets (SPS and PPS; for HEVC VPS too) of the last access unit that had any.
    #[must_use]
    pub fn parameter_sets(&self) -> &[Bytes] {
        &self.parameter_sets
    }

    /// What became of the packets so far.
    #[must_use]
    pub const fn statistics(&self) -> &DepacketizerStatistics {
        &self.statistics
    }

    fn finish(&mut self, out: &mut Vec<AccessUnit>) {
        let Some(begun) = self.begun else { return };
        if self.frame.is_open() {
            // The others can only be cut off by the end of the frame, or by a loss.
            if !matches!(self.format, Format::Vp8 | Format::Vp9) {
                self.drop_frame(Damage::Incomplete);
                return;
            }
            self.frame.end();
        }
        self.begun = None;
        let units = self.frame.take();
        if units.is_empty() {
            return;
        }
        let is_keyframe = self.is_keyframe(&units);
        if self.awaits_keyframe && !is_keyframe {
            let dropped = &mut self.statistics.dropped_frames;
            *dropped = dropped.saturating_add(1);
            return;
        }
        self.awaits_keyframe = false;
        self.dropped = None;
        if let Format::Nal(codec) = self.format {
            self.remember(codec, &units);
        }
        self.statistics.frames = self.statistics.frames.saturating_add(1);
        let keyframes = &mut self.statistics.keyframes;
        *keyframes = keyframes.saturating_add(u64::from(is_keyframe));
        let timestamp = self.timestamps.extend(begun.timestamp);
        out.push(AccessUnit { timestamp, arrival: begun.arrival, is_keyframe, units });
    }

    fn is_keyframe(&self, units: &[Bytes]) -> bool {
        match self.format {
            Format::Nal(codec) => codec.is_keyframe(units),
            Format::Av1 => av1::is_keyframe(units),
            Format::Vp8 => units.first().is_some_and(|frame| vp8::is_keyframe(frame)),
            Format::Vp9 => units.first().is_some_and(|frame| vp9::is_keyframe(frame)),
            Format::Whole => true,
        }
    }

    fn remember(&mut self, codec: NalCodec, units: &[Bytes]) {
        let mut sets = units.iter().filter(|unit| codec.is_parameter_set(unit)).peekable();
        if sets.peek().is_some() {
            self.parameter_sets.clear();
            self.parameter_sets.extend(sets.take(PARAMETER_SETS).cloned());
        }
    }

    fn drop_frame(&mut self, damage: Damage) {
        let statistics = &mut self.statistics;
        let counter = match damage {
            Damage::Malformed => &mut statistics.malformed,
            Damage::Incomplete => &mut statistics.incomplete,
            Damage::TooLarge => &mut statistics.too_large,
        };
        *counter = counter.saturating_add(1);
        statistics.dropped_frames = statistics.dropped_frames.saturating_add(1);
        self.frame.clear();
        self.dropped = self.begun.take().map(|begun| begun.timestamp);
        self.await_keyframe();
    }

    fn await_keyframe(&mut self) {
        self.awaits_keyframe = self.codec.kind() == Some(MediaKind::Video);
    }
}

#[cfg(test)]
mod tests;
