//! Whether the path carries more than it is asked to.

use std::time::{Duration, Instant};

use super::sent::{SentPacket, millis_between};

/// After this nothing more is heard of a probe.
const OVER: Duration = Duration::from_secs(2);
/// The share of the rate that it was sent at by which it must arrive, in percent.
const CARRIED: u64 = 85;
/// Packets by which a rate can be told.
const FEWEST: u32 = 5;

/// Packets that are sent faster than media alone would be.
#[derive(Debug)]
pub(super) struct Probe {
    began: Instant,
    /// The numbers of its first packet, and of the first after it.
    first: u16,
    end: Option<u16>,
    /// What it is to be sent at, in bits per second.
    target: u64,
    packets: u32,
    /// Bytes without those of the first packet, whose end is where time begins.
    bytes: u64,
    sent: Option<(u32, u32)>,
    arrived: Option<(i64, i64)>,
    /// A packet that was sent last has come, or one from after it.
    is_complete: bool,
}

impl Probe {
    pub(super) const fn new(now: Instant, first: u16, target: u64) -> Self {
        Self {
            began: now,
            first,
            end: None,
            target,
            packets: 0,
            bytes: 0,
            sent: None,
            arrived: None,
            is_complete: false,
        }
    }

    pub(super) const fn finish(&mut self, end: u16) {
        self.end = Some(end);
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= OVER
    }

    /// Takes a packet that has arrived, whether it is one of the probe's or not.
    pub(super) fn note(&mut self, sequence: u16, packet: &SentPacket, arrival: i64) {
        let place = sequence.wrapping_sub(self.first);
        // What was sent before.
        if place >= 1 << 15 {
            return;
        }
        let count = self.end.map(|end| end.wrapping_sub(self.first));
        self.is_complete |= count.is_some_and(|count| place.saturating_add(1) >= count);
        if count.is_some_and(|count| place >= count) {
            return;
        }
        if self.packets > 0 {
            self.bytes = self.bytes.saturating_add(u64::from(packet.bytes));
        }
        self.packets = self.packets.saturating_add(1);
        let (first, last) = self.arrived.unwrap_or((arrival, arrival));
        self.arrived = Some((first.min(arrival), last.max(arrival)));
        self.sent = Some((self.sent.map_or(packet.at, |(first, _)| first), packet.at));
    }

    /// Bits per second that arrived, and whether the path carried all of it; `None` while it is under way.
    pub(super) fn result(&self, now: Instant) -> Option<(u64, bool)> {
        if !self.is_complete && !self.is_over(now) {
            return None;
        }
        let (Some(sent), Some(arrived)) = (self.sent, self.arrived) else {
            return Some((0, false));
        };
        if self.packets < FEWEST {
            return Some((0, false));
        }
        let sent = self.rate(millis_between(sent.0, sent.1));
        let arrived = self.rate(arrived.1.saturating_sub(arrived.0) as f64 / 4.0);
        let is_carried = arrived >= sent.min(self.target).saturating_mul(CARRIED) / 100;
        // What comes at once had waited somewhere: no more is known than what was sent.
        Some((arrived.min(sent), is_carried))
    }

    fn rate(&self, millis: f64) -> u64 {
        (self.bytes as f64 * 8_000.0 / millis.max(1.0)) as u64
    }
}
