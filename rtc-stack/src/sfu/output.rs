//! What a viewer gets of one track, and how it is numbered there.

use std::time::Instant;

use super::history::Kept;
use super::timeline::ticks;
use crate::{Mid, PayloadType, Ssrc};

/// How many packets at a source's beginning carry its mid, for viewers that don't know the SSRC from the description.
/// It depends on the number alone, so that a packet sent again is the same, bit by bit.
const WITH_MID: u64 = 256;

/// The ids that a viewer's description gave to header extensions, 1 to 14 each (RFC 8285, 4.2); 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ExtensionIds {
    pub(super) mid: u8,
    pub(super) audio_level: u8,
    pub(super) orientation: u8,
    pub(super) transport_cc: u8,
    pub(super) abs_send_time: u8,
}

/// A source of retransmissions (RFC 4588).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rtx {
    pub(super) ssrc: Ssrc,
    pub(super) payload_type: PayloadType,
}

/// A source that a viewer knows: one media section of its description.
///
/// Numbers here are SRTP indices, 48 bits that begin below 2^15 (RFC 3711, 3.3.1). None is ever given to two different
/// packets, whatever track and stream the source carries in turn.
#[derive(Debug)]
pub(super) struct Output {
    /// The track that it carries; `None` while there is none that the viewer can play.
    pub(super) track: Option<u8>,
    /// The track that it changes to at its next keyframe.
    pub(super) pending: Option<u8>,
    /// The section of the viewer's description.
    pub(super) section: u8,
    pub(super) payload_type: PayloadType,
    pub(super) ssrc: Ssrc,
    pub(super) rtx: Option<Rtx>,
    /// The number of the next retransmission, whose source counts by itself. It goes on over changes of `rtx`.
    rtx_next: u64,
    pub(super) ids: ExtensionIds,
    pub(super) mid: Mid,
    pub(super) clock_rate: u32,
    pub(super) gate: Gate,
    /// The number that the source begins with.
    start: u64,
    /// The lowest number that the present offsets hold for.
    since: u64,
    /// The number after the highest that was given.
    pub(super) next: u64,
    /// What is added to a number of the track, modulo 2^64.
    sequence_offset: u64,
    timestamp_offset: u32,
    /// Of the packet with the highest number.
    last_timestamp: u32,
    last_sent: Option<Instant>,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// What a source waits for before it carries its track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// A keyframe, or the time when there seems to come none.
    Keyframe {
        /// The time.
        until: Instant,
    },
    /// The packets since the last keyframe, which are sent bit by bit: `cursor` is the track's number of the next.
    CatchUp {
        /// The number.
        cursor: u64,
        /// In how many parts the rest goes.
        parts: u32,
    },
    /// The next packet.
    Next,
    /// Nothing: packets pass.
    Open,
}

impl Output {
    /// A source that begins with a number below 2^15 and any timestamp.
    pub(super) fn new(section: u8, ssrc: Ssrc, mid: Mid, rng: &mut fastrand::Rng) -> Self {
        let start = rng.u64(0..1 << 15);
        Self {
            track: None,
            pending: None,
            section,
            payload_type: PayloadType::default(),
            ssrc,
            rtx: None,
            rtx_next: rng.u64(0..1 << 15),
            ids: ExtensionIds::default(),
            mid,
            clock_rate: 90_000,
            gate: Gate::Next,
            start,
            since: start,
            next: start,
            sequence_offset: 0,
            timestamp_offset: 0,
            last_timestamp: rng.u32(..),
            last_sent: None,
            packets: 0,
            bytes: 0,
        }
    }

    /// Carries a track from now on, or nothing. What was sent before cannot be sent again: numbers that were sealed with
    /// one header must not be sealed with another.
    pub(super) fn bind(&mut self, track: Option<u8>, gate: Gate) {
        self.track = track;
        self.pending = None;
        self.gate = gate;
        self.since = self.next;
    }

    /// The next number of the source of retransmissions.
    pub(super) fn next_retransmission(&mut self) -> u64 {
        let number = self.rtx_next;
        self.rtx_next = number.saturating_add(1);
        number
    }

    /// Whether a packet of its track passes now, which opens the gate where it was that for which it waited.
    pub(super) fn passes(&mut self, now: Instant, kept: &Kept) -> bool {
        match self.gate {
            Gate::Open => true,
            Gate::CatchUp { cursor, .. } => kept.sequence < cursor,
            Gate::Keyframe { until } if !kept.packet.is_keyframe_start && now < until => false,
            Gate::Keyframe { .. } | Gate::Next => {
                self.begin(now, kept.sequence, kept.timestamp);
                self.gate = Gate::Open;
                true
            }
        }
    }

    /// Changes to the track that it waits to change to, when this is a packet that it can begin with.
    pub(super) fn turns_to(&mut self, now: Instant, track: u8, kept: &Kept) -> bool {
        if self.pending != Some(track) || !kept.packet.is_keyframe_start {
            return false;
        }
        self.pending = None;
        self.track = Some(track);
        self.begin(now, kept.sequence, kept.timestamp);
        self.gate = Gate::Open;
        true
    }

    /// Lets the track's packet with this number and timestamp follow what was sent before, later by the time between.
    pub(super) fn begin(&mut self, now: Instant, sequence: u64, timestamp: u32) {
        let passed = self
            .last_sent
            .map_or(0, |last| ticks(now.saturating_duration_since(last), self.clock_rate).max(1));
        self.since = self.next;
        self.sequence_offset = self.next.wrapping_sub(sequence);
        self.timestamp_offset = self.last_timestamp.wrapping_add(passed).wrapping_sub(timestamp);
    }

    /// The number of a track's packet here; `None` if it is from before the source began to carry the track.
    pub(super) const fn number(&self, sequence: u64) -> Option<u64> {
        let number = sequence.wrapping_add(self.sequence_offset);
        // What lies before wraps round to the top or stays below.
        if number >= self.since && number < 1 << 48 { Some(number) } else { None }
    }

    /// The track's number of a packet that has the lower 16 bits here, if it was sent and can be sent again.
    pub(super) fn sequence_of(&self, lower: u16) -> Option<(u64, u64)> {
        let newest = self.next.checked_sub(1)?;
        let behind = u64::from((newest as u16).wrapping_sub(lower));
        let number = newest.checked_sub(behind).filter(|number| *number >= self.since)?;
        Some((number, number.wrapping_sub(self.sequence_offset)))
    }

    pub(super) const fn timestamp(&self, timestamp: u32) -> u32 {
        timestamp.wrapping_add(self.timestamp_offset)
    }

    /// Whether the packet with this number carries the mid.
    pub(super) const fn has_mid(&self, number: u64) -> bool {
        number.wrapping_sub(self.start) < WITH_MID
    }

    /// Counts a packet that is sent for the first time.
    pub(super) fn record(&mut self, now: Instant, number: u64, timestamp: u32, bytes: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(bytes as u64);
        if number >= self.next {
            self.next = number.saturating_add(1);
            self.last_timestamp = self.timestamp(timestamp);
            self.last_sent = Some(now);
        }
    }

    /// Whether anything was sent, so that there is something to report.
    pub(super) const fn has_sent(&self) -> bool {
        self.last_sent.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Instant {
        #[allow(clippy::disallowed_methods)]
        Instant::now()
    }

    fn output() -> Output {
        Output::new(0, Ssrc(1), Mid::new(b"0").unwrap(), &mut fastrand::Rng::with_seed(1))
    }

    #[test]
    fn numbers_go_on_over_tracks_and_are_never_given_twice() {
        let (mut output, now) = (output(), base());
        let start = output.next;
        assert!(start < 1 << 15);
        output.bind(Some(0), Gate::Next);
        output.begin(now, 500, 9_000);
        for sequence in 500..510 {
            let number = output.number(sequence).unwrap();
            assert_eq!(number, start + sequence - 500);
            output.record(now, number, 9_000, 100);
        }
        assert_eq!(output.number(499), None);
        assert_eq!(output.sequence_of((start + 3) as u16), Some((start + 3, 503)));
        let last = output.timestamp(9_000);
        // Another track: what was sent of the first can't be had any more.
        output.bind(Some(1), Gate::Next);
        assert_eq!(output.sequence_of((start + 3) as u16), None);
        output.begin(now + std::time::Duration::from_millis(100), 70_000, 5);
        assert_eq!(output.number(70_000), Some(start + 10));
        assert_eq!(output.number(69_999), None);
        assert_eq!(output.timestamp(5), last.wrapping_add(9_000));
        assert_eq!(output.sequence_of((start + 10) as u16), None);
    }

    #[test]
    fn the_mid_is_in_the_first_packets_of_a_source() {
        let mut output = output();
        let start = output.next;
        assert!(output.has_mid(start) && output.has_mid(start + WITH_MID - 1));
        assert!(!output.has_mid(start + WITH_MID));
        output.bind(Some(0), Gate::Next);
        assert!(output.has_mid(start));
    }
}
