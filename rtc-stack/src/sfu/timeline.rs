//! One numbering for a track, whoever publishes it.

use std::time::{Duration, Instant};

use crate::Ssrc;

/// What a track's numbering begins with: room below it for packets that a network has put behind the first.
const START: u64 = 1 << 10;
/// How far behind the very first packet of a track another may be.
const BEFORE_FIRST: u64 = 64;
/// A step forward in a source's sequence numbers that is taken for a new beginning. Viewers guess the upper bits of
/// their packets' numbers (RFC 3711, 3.3.1), so that a step of 2^15 would lose them.
const LARGEST_STEP: u64 = 1 << 13;

/// Where the packets of a track stand in its own numbering, which goes on when the source of the track changes: after a
/// restart of the publisher, a takeover, or a new SSRC in mid-stream.
///
/// A viewer's numbers differ from these by a constant, so that what is worked out here is worked out once for all
/// viewers.
#[derive(Debug)]
pub(super) struct Timeline {
    clock_rate: u32,
    /// The number after the highest that was given.
    next: u64,
    /// The timestamp and arrival of the packet with the highest number.
    last: Option<(u32, Instant)>,
    source: Option<Source>,
}

/// Who the packets come from now, and how its numbers become the track's.
#[derive(Debug)]
struct Source {
    ssrc: Ssrc,
    /// The lowest sequence number of it that has a place: those below would take what the source before it was given.
    first: u64,
    highest: u64,
    sequence_offset: u64,
    timestamp_offset: u32,
}

/// The place of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    /// It is the first of its source.
    pub(super) is_first: bool,
}

impl Timeline {
    /// A track with nothing in it. `clock_rate` is in Hz.
    pub(super) const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, next: START, last: None, source: None }
    }

    /// Takes the next packet for the first of a new source, whatever its SSRC.
    pub(super) fn restart(&mut self) {
        self.source = None;
    }

    /// Changes the unit of the timestamps, in Hz, for a source with another codec.
    pub(super) fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            self.source = None;
        }
    }

    pub(super) const fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// The number after the highest that was given.
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// The timestamp that a packet sent at `now` would have, by the arrival of the latest one.
    pub(super) fn timestamp_at(&self, now: Instant) -> Option<u32> {
        let (timestamp, arrival) = self.last?;
        Some(timestamp.wrapping_add(ticks(now.saturating_duration_since(arrival), self.clock_rate)))
    }

    /// The track's timestamp for one of the source, if it is the present one.
    pub(super) fn timestamp_of(&self, ssrc: Ssrc, timestamp: u32) -> Option<u32> {
        let source = self.source.as_ref().filter(|source| source.ssrc == ssrc)?;
        Some(timestamp.wrapping_add(source.timestamp_offset))
    }

    /// Gives a packet its place: the same for a packet that comes again, and none for one that is from before its
    /// source began.
    pub(super) fn place(
        &mut self,
        ssrc: Ssrc,
        sequence: u64,
        timestamp: u32,
        arrival: Instant,
    ) -> Option<Placed> {
        let goes_on = |source: &&mut Source| {
            source.ssrc == ssrc && sequence < source.highest.saturating_add(LARGEST_STEP)
        };
        let Some(source) = self.source.as_mut().filter(goes_on) else {
            return Some(self.join(ssrc, sequence, timestamp, arrival));
        };
        if sequence < source.first {
            return None;
        }
        let placed = Placed {
            sequence: sequence.wrapping_add(source.sequence_offset),
            timestamp: timestamp.wrapping_add(source.timestamp_offset),
            is_first: false,
        };
        source.highest = source.highest.max(sequence);
        if placed.sequence >= self.next {
            self.next = placed.sequence.saturating_add(1);
            self.last = Some((placed.timestamp, arrival));
        }
        Some(placed)
    }

    /// The sequence goes on without a gap, for there is nothing that a viewer could ask for; the timestamp does with
    /// the time that has passed.
    fn join(&mut self, ssrc: Ssrc, sequence: u64, timestamp: u32, arrival: Instant) -> Placed {
        let behind = if self.last.is_none() { BEFORE_FIRST } else { 0 };
        let continued = match self.last {
            Some((last, at)) => {
                let passed = ticks(arrival.saturating_duration_since(at), self.clock_rate);
                last.wrapping_add(passed.max(1))
            }
            None => timestamp,
        };
        let placed = Placed { sequence: self.next, timestamp: continued, is_first: true };
        self.source = Some(Source {
            ssrc,
            first: sequence.saturating_sub(behind),
            highest: sequence,
            sequence_offset: placed.sequence.wrapping_sub(sequence),
            timestamp_offset: continued.wrapping_sub(timestamp),
        });
        self.next = placed.sequence.saturating_add(1);
        self.last = Some((continued, arrival));
        placed
    }
}

/// A time in units of a clock of `rate` Hz, modulo 2^32.
pub(super) fn ticks(time: Duration, rate: u32) -> u32 {
    let ticks = time.as_micros().saturating_mul(u128::from(rate)) / 1_000_000;
    // The lower 32 bits are what a timestamp has.
    (ticks & u128::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Instant {
        // A test has no clock to be handed, and what it is does not matter.
        #[allow(clippy::disallowed_methods)]
        Instant::now()
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn one_source_keeps_its_distances() {
        let (mut line, now) = (Timeline::new(90_000), base());
        let first = line.place(Ssrc(1), 500, 7_000, now).unwrap();
        assert!(first.is_first);
        assert_eq!(first.timestamp, 7_000);
        let late = line.place(Ssrc(1), 498, 6_000, now).unwrap();
        assert_eq!((late.sequence, late.timestamp), (first.sequence - 2, 6_000));
        let gap = line.place(Ssrc(1), 510, 9_000, now).unwrap();
        assert_eq!(gap.sequence, first.sequence + 10);
        assert_eq!(line.next(), gap.sequence + 1);
        assert_eq!(line.place(Ssrc(1), 510, 9_000, now), Some(gap));
        assert_eq!(line.place(Ssrc(1), 400, 0, now), None);
    }

    #[test]
    fn another_source_goes_on() {
        let (mut line, now) = (Timeline::new(90_000), base());
        line.place(Ssrc(1), 500, u32::MAX, now);
        let joined = line.place(Ssrc(2), 60_000, 123, now + ms(2_000)).unwrap();
        assert_eq!((joined.sequence, joined.is_first), (START + 1, true));
        assert_eq!(joined.timestamp, u32::MAX.wrapping_add(180_000));
        // What came before the new source's first packet has no place; nor has the old source, which is new again.
        assert_eq!(line.place(Ssrc(2), 59_999, 0, now + ms(2_000)), None);
        let next = line.place(Ssrc(2), 60_001, 223, now + ms(2_001)).unwrap();
        assert_eq!(
            (next.sequence, next.timestamp),
            (START + 2, joined.timestamp.wrapping_add(100))
        );
        assert_eq!(line.timestamp_of(Ssrc(1), 0), None);
        assert_eq!(line.timestamp_of(Ssrc(2), 123), Some(joined.timestamp));
    }

    #[test]
    fn the_same_ssrc_may_begin_again() {
        let (mut line, now) = (Timeline::new(48_000), base());
        line.place(Ssrc(1), 70_000, 0, now);
        line.restart();
        let again = line.place(Ssrc(1), 12, 99, now + ms(20)).unwrap();
        assert_eq!((again.sequence, again.timestamp), (START + 1, 960));
        let leap = line.place(Ssrc(1), 12 + LARGEST_STEP, 99, now + ms(40)).unwrap();
        assert_eq!((leap.sequence, leap.is_first), (START + 2, true));
    }

    #[test]
    fn time_goes_on_between_packets() {
        let (mut line, now) = (Timeline::new(48_000), base());
        assert_eq!(line.timestamp_at(now), None);
        line.place(Ssrc(1), 0, 100, now);
        assert_eq!(line.timestamp_at(now + ms(1)), Some(148));
        line.set_clock_rate(8_000);
        assert_eq!(line.place(Ssrc(1), 1, 0, now + ms(1)).unwrap().timestamp, 108);
    }
}
