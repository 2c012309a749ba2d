use std::time::{Duration, Instant};

use crate::Ssrc;
use crate::rtcp::{NtpTime, ReportBlock};

/// What a receiver reports of one source: loss and jitter (RFC 3550, 6.4.1, A.3 and A.8).
#[derive(Debug, Clone)]
pub struct ReceiveStatistics {
    clock_rate: u32,
    /// The state from the first packet on.
    source: Option<Source>,
    /// The last sender report: the middle of its time, and when it came.
    sender_report: Option<(u32, Instant)>,
}

#[derive(Debug, Clone)]
struct Source {
    first: u64,
    newest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// Sixteenths of a tick.
    jitter: u32,
    last_timestamp: u32,
    last_arrival: Instant,
}

impl ReceiveStatistics {
    /// Nothing received, of a codec with so many ticks per second.
    #[must_use]
    pub const fn new(clock_rate: u32) -> Self {
        Self { clock_rate, source: None, sender_report: None }
    }

    /// Notes a packet by its extended sequence number.
    pub fn receive(&mut self, sequence: u64, timestamp: u32, arrival: Instant) {
        let Some(source) = &mut self.source else {
            self.source = Some(Source {
                first: sequence,
                newest: sequence,
                received: 1,
                expected_before: 0,
                received_before: 0,
                jitter: 0,
                last_timestamp: timestamp,
                last_arrival: arrival,
            });
            return;
        };
        source.received = source.received.saturating_add(1);
        source.first = source.first.min(sequence);
        source.newest = source.newest.max(sequence);
        // Packets of one picture have one timestamp; how they are spaced is no jitter of the network.
        if timestamp == source.last_timestamp {
            return;
        }
        let apart = if arrival >= source.last_arrival {
            ticks(arrival.saturating_duration_since(source.last_arrival), self.clock_rate)
        } else {
            ticks(source.last_arrival.saturating_duration_since(arrival), self.clock_rate)
                .saturating_neg()
        };
        let sent_apart = timestamp.wrapping_sub(source.last_timestamp).cast_signed();
        let difference = apart.saturating_sub(i64::from(sent_apart)).unsigned_abs();
        let difference = u32::try_from(difference).unwrap_or(u32::MAX);
        // RFC 3550, A.8, in whole numbers.
        let less = source.jitter.saturating_add(8) >> 4;
        source.jitter = source.jitter.saturating_sub(less).saturating_add(difference);
        (source.last_timestamp, source.last_arrival) = (timestamp, arrival);
    }

    /// Notes a sender report of the source, whose time the next reports repeat.
    pub const fn sender_report(&mut self, time: NtpTime, arrival: Instant) {
        self.sender_report = Some((time.middle(), arrival));
    }

    /// The report of what came since the last one. `None` before the first packet.
    pub fn report(&mut self, ssrc: Ssrc, now: Instant) -> Option<ReportBlock> {
        let source = self.source.as_mut()?;
        let expected = source.newest.saturating_sub(source.first).saturating_add(1);
        let lost = (expected as i64).saturating_sub(source.received as i64);
        let expected_since = expected.saturating_sub(source.expected_before);
        let received_since = source.received.saturating_sub(source.received_before);
        (source.expected_before, source.received_before) = (expected, source.received);
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction = (lost_since << 8).checked_div(expected_since).unwrap_or(0);
        // Rollovers are counted from the first packet's.
        let newest = source.newest.saturating_sub(source.first & !0xffff);
        let (last_sender_report, delay) = match self.sender_report {
            Some((middle, arrival)) => (middle, now.saturating_duration_since(arrival)),
            None => (0, Duration::ZERO),
        };
        Some(ReportBlock {
            ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: newest as u32,
            jitter: source.jitter >> 4,
            last_sender_report,
            delay: u32::try_from(ticks(delay, 1 << 16)).unwrap_or(u32::MAX),
        })
    }
}

fn ticks(duration: Duration, rate: u32) -> i64 {
    let ticks = duration.as_nanos().saturating_mul(u128::from(rate)) / 1_000_000_000;
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods)]
    fn start() -> Instant {
        Instant::now()
    }

    fn report(statistics: &mut ReceiveStatistics, now: Instant) -> ReportBlock {
        statistics.report(Ssrc(1), now).unwrap()
    }

    #[test]
    fn nothing_is_reported_of_nothing() {
        assert_eq!(ReceiveStatistics::new(90_000).report(Ssrc(1), start()), None);
    }

    #[test]
    fn loss_is_since_the_last_report_and_since_the_beginning() {
        let now = start();
        let mut statistics = ReceiveStatistics::new(90_000);
        for sequence in [65_534, 65_535, 65_536, 65_538] {
            statistics.receive(sequence, 0, now);
        }
        let first = report(&mut statistics, now);
        assert_eq!((first.fraction_lost, first.cumulative_lost), (51, 1));
        assert_eq!(first.highest_sequence, 0x1_0002);
        for sequence in [65_537, 65_539, 65_540] {
            statistics.receive(sequence, 0, now);
        }
        let second = report(&mut statistics, now);
        assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 0));
        // Duplicates make the count negative, and a report without packets has no loss.
        statistics.receive(65_540, 0, now);
        assert_eq!(report(&mut statistics, now).cumulative_lost, -1);
        assert_eq!(report(&mut statistics, now).fraction_lost, 0);
        statistics.receive(75_540, 0, now);
        let jumped = report(&mut statistics, now);
        assert_eq!((jumped.fraction_lost, jumped.cumulative_lost), (255, 9998));
    }

    #[test]
    fn jitter_follows_the_difference_of_spacings() {
        let now = start();
        let mut statistics = ReceiveStatistics::new(8_000);
        for turn in 0..100_u32 {
            // Sent every 20 ms, arriving 2 ms early and late in turn: 4 ms, 32 ticks, apart from what was sent.
            let jitter = if turn % 2 == 0 { 0 } else { 4 };
            let arrival = now + Duration::from_millis(u64::from(turn * 20 + jitter));
            statistics.receive(u64::from(turn), (turn * 160).wrapping_sub(80), arrival);
        }
        let jitter = report(&mut statistics, now).jitter;
        assert!((30..=32).contains(&jitter), "{jitter}");
    }

    #[test]
    fn the_sender_report_is_repeated_with_its_delay() {
        let now = start();
        let mut statistics = ReceiveStatistics::new(90_000);
        statistics.receive(1, 0, now);
        assert_eq!(report(&mut statistics, now).last_sender_report, 0);
        statistics.sender_report(NtpTime::from_bits(0x1122_3344_5566_7788), now);
        let report = report(&mut statistics, now + Duration::from_millis(1_500));
        assert_eq!((report.last_sender_report, report.delay), (0x3344_5566, 0x1_8000));
    }
}
