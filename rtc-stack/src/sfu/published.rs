//! One track of a publisher, as it arrives.

use std::time::{Duration, Instant};

use super::Track;
use super::seen::Seen;
use crate::rtcp::ReportBlock;
use crate::rtp::{Arrived, ExtensionMap, Fields, NackList, ReceiveStatistics};
use crate::sdp::NegotiatedCodec;
use crate::{Codec, Limits, MediaKind, PayloadType, Rid, Ssrc};

/// A track, or a simulcast layer of one.
#[derive(Debug)]
pub(super) struct PublishedTrack {
    /// The section of the publisher's description.
    pub(super) section: usize,
    pub(super) kind: MediaKind,
    pub(super) layer: Option<Rid>,
    /// What it has in its packets now, once there are any.
    pub(super) ssrc: Option<Ssrc>,
    pub(super) payload_type: Option<PayloadType>,
    /// The codec and clock rate of that: what each packet needs lies here, and not where it was agreed.
    coding: Option<(Codec, u32)>,
    /// The extensions of its section.
    pub(super) ids: ExtensionMap,
    pub(super) nacks: NackList,
    pub(super) statistics: Option<ReceiveStatistics>,
    /// The last report of it.
    pub(super) reported: Option<ReportBlock>,
    seen: Seen,
    limits: Limits,
    /// When a keyframe was last asked for because packets were given up.
    pub(super) keyframe_asked: Option<Instant>,
    /// A keyframe is to be asked for.
    pub(super) is_keyframe_wanted: bool,
    pub(super) keyframe_requests: u64,
    pub(super) nacked: u64,
    pub(super) retransmitted: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) firs: u8,
}

impl PublishedTrack {
    pub(super) fn new(
        section: usize,
        kind: MediaKind,
        layer: Option<Rid>,
        ids: ExtensionMap,
        limits: &Limits,
    ) -> Self {
        Self {
            section,
            kind,
            layer,
            ssrc: None,
            payload_type: None,
            coding: None,
            ids,
            nacks: NackList::new(limits),
            statistics: None,
            reported: None,
            seen: Seen::default(),
            limits: limits.clone(),
            keyframe_asked: None,
            is_keyframe_wanted: false,
            keyframe_requests: 0,
            nacked: 0,
            retransmitted: 0,
            packets: 0,
            bytes: 0,
            firs: 0,
        }
    }

    /// Forgets what is known of the source, for another one.
    pub(super) fn restart(&mut self) {
        self.ssrc = None;
        self.nacks = NackList::new(&self.limits);
        self.statistics = None;
        self.seen = Seen::default();
    }

    /// Notes of whom and of what codec a packet is. A description if that is new.
    pub(super) fn begin(&mut self, ssrc: Ssrc, codec: &NegotiatedCodec) -> Option<Track> {
        if self.ssrc != Some(ssrc) {
            self.restart();
            self.ssrc = Some(ssrc);
        }
        if self.payload_type == Some(codec.payload_type) {
            return None;
        }
        self.payload_type = Some(codec.payload_type);
        self.coding = Some((codec.parameters.codec, codec.parameters.clock_rate));
        Some(Track { parameters: codec.parameters.clone(), layer: self.layer })
    }

    /// The codec and clock rate of a packet, if it is as the one before it.
    pub(super) fn known_coding(&self, fields: &Fields) -> Option<(Codec, u32)> {
        let is_known =
            self.ssrc == Some(fields.ssrc) && self.payload_type == Some(fields.payload_type);
        self.coding.filter(|_| is_known)
    }

    /// Whether there is something to ask for, now or in a moment.
    pub(super) fn has_wishes(&self) -> bool {
        !self.nacks.is_empty() || self.is_keyframe_wanted
    }

    /// Counts a packet of the source. False if it came before, by a retransmission.
    pub(super) fn note(
        &mut self,
        now: Instant,
        sequence: u64,
        timestamp: u32,
        clock_rate: u32,
        bytes: usize,
    ) -> bool {
        let statistics = self.statistics.get_or_insert_with(|| ReceiveStatistics::new(clock_rate));
        statistics.receive(sequence, timestamp, now);
        let arrived = self.nacks.receive(sequence, now);
        self.is_keyframe_wanted |= arrived == Arrived::AfterJump && self.kind == MediaKind::Video;
        let is_new = self.seen.note(sequence);
        if is_new {
            self.packets = self.packets.saturating_add(1);
            self.bytes = self.bytes.saturating_add(bytes as u64);
        }
        is_new
    }

    /// Counts a packet that came by a retransmission. False if it was there.
    pub(super) fn note_retransmission(&mut self, sequence: u64, bytes: usize) -> bool {
        let is_new = self.seen.note(sequence);
        if is_new {
            self.nacks.recover(sequence);
            self.retransmitted = self.retransmitted.saturating_add(1);
            self.packets = self.packets.saturating_add(1);
            self.bytes = self.bytes.saturating_add(bytes as u64);
        }
        is_new
    }

    /// The whole of a sequence number near the newest one.
    pub(super) fn extend(&self, sequence: u16) -> Option<u64> {
        let newest = self.seen.newest()?;
        let ahead = sequence.wrapping_sub(newest as u16).cast_signed();
        newest.checked_add_signed(i64::from(ahead))
    }

    /// Whether a keyframe is to be asked for now, for it is wanted and was not asked for a moment ago.
    pub(super) fn takes_keyframe_request(&mut self, now: Instant, interval: Duration) -> bool {
        let is_due =
            self.keyframe_asked.is_none_or(|at| now.saturating_duration_since(at) >= interval);
        let takes = self.is_keyframe_wanted && self.ssrc.is_some() && is_due;
        if takes {
            self.is_keyframe_wanted = false;
            self.keyframe_asked = Some(now);
            self.keyframe_requests = self.keyframe_requests.saturating_add(1);
        }
        takes
    }
}
