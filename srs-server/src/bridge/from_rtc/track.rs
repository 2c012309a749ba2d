//! A track on its way in: its packets in order, and what they come to.

use rtc_stack::{
    Codec, Limits, MediaKind,
    payload::{AccessUnit, Depacketizer, ReorderBuffer},
    rtp::RtpPacket,
    sfu::Track,
};

use crate::bridge::Running;

/// A track of the publisher's packets.
pub(super) struct Incoming {
    track: Track,
    reorder: ReorderBuffer,
    /// `None` for a codec without a payload format.
    depacketizer: Option<Depacketizer>,
    /// What came since it was asked for.
    bytes: usize,
    /// What was told of the depacketizer's losses: packets, and frames.
    told: (u64, u64),
}

impl Incoming {
    pub(super) fn new(track: &Track, limits: &Limits) -> Self {
        Self {
            track: track.clone(),
            reorder: ReorderBuffer::new(limits),
            depacketizer: Depacketizer::new(track.parameters.codec, limits),
            bytes: 0,
            told: (0, 0),
        }
    }

    /// Whether it is this track still.
    pub(super) fn is(&self, track: &Track) -> bool {
        self.track == *track
    }

    pub(super) fn kind(&self) -> Option<MediaKind> {
        self.track.kind()
    }

    pub(super) fn codec(&self) -> Codec {
        self.track.parameters.codec
    }

    pub(super) fn clock_rate(&self) -> u32 {
        self.track.parameters.clock_rate
    }

    /// Begins anew, at the next keyframe.
    pub(super) fn restart(&mut self, limits: &Limits) {
        *self = Self { bytes: self.bytes, ..Self::new(&self.track, limits) };
    }

    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Bytes since this was called last.
    pub(super) fn take_bytes(&mut self) -> usize {
        std::mem::take(&mut self.bytes)
    }

    /// Whether nothing can be shown before the next keyframe.
    pub(super) fn awaits_keyframe(&self) -> bool {
        self.depacketizer.as_ref().is_some_and(Depacketizer::awaits_keyframe)
    }

    /// Takes a packet, and appends what is whole now.
    pub(super) fn receive(
        &mut self,
        packet: &RtpPacket,
        units: &mut Vec<AccessUnit>,
        running: &Running,
    ) {
        let Some(depacketizer) = &mut self.depacketizer else { return };
        let now = packet.arrival;
        self.reorder.receive(packet.clone());
        while let Some(packet) = self.reorder.poll(now) {
            depacketizer.receive(&packet, units);
        }
        let statistics = depacketizer.statistics();
        let told = (statistics.lost, statistics.dropped_frames);
        running.note_loss(told.0 - self.told.0, told.1 - self.told.1);
        self.told = told;
    }
}
