//! The clock on the wall, and what a publisher's reports say of it.

use std::time::{Duration, Instant};

use crate::rtcp::NtpTime;

/// What time it is at a moment: the moments come from outside, and no clock is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    /// A moment.
    pub at: Instant,
    /// How long after the beginning of 1970 (UTC) it is.
    pub since_1970: Duration,
}

impl WallClock {
    /// The time since 1970 at `now`.
    pub fn since_1970(&self, now: Instant) -> Duration {
        match now.checked_duration_since(self.at) {
            Some(later) => self.since_1970.saturating_add(later),
            None => self.since_1970.saturating_sub(self.at.saturating_duration_since(now)),
        }
    }
}

/// What a publisher's sender report says of one of its tracks (RFC 3550, 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderClock {
    /// The source that it is about.
    pub ssrc: crate::Ssrc,
    /// The publisher's clock.
    pub time: NtpTime,
    /// The timestamp that the source's packets have at that time.
    pub timestamp: u32,
    /// When the report came.
    pub arrival: Instant,
}

/// How far the publisher's clock is from ours. One for all tracks of a stream, so that audio and video, which the
/// publisher's reports relate to each other, stay together in ours.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ClockOffset(Option<i128>);

impl ClockOffset {
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// When, by our clock, the publisher's clock said what the report says.
    pub(super) fn wall_time(&mut self, wall: &WallClock, report: &SenderClock) -> Duration {
        let ours = nanos(wall.since_1970(report.arrival));
        let theirs = nanos(report.time.to_unix());
        let mut offset = *self.0.get_or_insert(ours.saturating_sub(theirs));
        // A clock that was set, or a report that lies: begin anew instead of sending viewers into another hour.
        let apart = theirs.saturating_add(offset).saturating_sub(ours).unsigned_abs();
        if apart > Duration::from_secs(10).as_nanos() {
            offset = ours.saturating_sub(theirs);
            self.0 = Some(offset);
        }
        let nanos = theirs.saturating_add(offset).max(0).unsigned_abs();
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

fn nanos(time: Duration) -> i128 {
    i128::try_from(time.as_nanos()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ssrc;

    fn base() -> Instant {
        #[allow(clippy::disallowed_methods)]
        Instant::now()
    }

    #[test]
    fn tracks_of_a_stream_stay_together() {
        let at = base();
        let wall = WallClock { at, since_1970: Duration::from_secs(1_000) };
        let mut offset = ClockOffset::default();
        // The audio's report says 100.0 s and takes 30 ms; the video's says 100.5 s and takes 80 ms.
        let report = |ntp, arrival| {
            let time = NtpTime::from_bits(ntp);
            SenderClock { ssrc: Ssrc(1), time, timestamp: 0, arrival }
        };
        let audio = report(100 << 32, at + Duration::from_millis(30));
        let video = report((100 << 32) | (1 << 31), at + Duration::from_millis(580));
        let first = offset.wall_time(&wall, &audio);
        assert_eq!(first, Duration::from_millis(1_000_030));
        let second = offset.wall_time(&wall, &video);
        assert_eq!(second.saturating_sub(first), Duration::from_millis(500));
        // A clock that leaps begins anew.
        let leap = report(9_000 << 32, at + Duration::from_secs(2));
        assert_eq!(offset.wall_time(&wall, &leap), Duration::from_secs(1_002));
    }

    #[test]
    fn the_wall_clock_goes_both_ways() {
        let at = base();
        let wall = WallClock { at, since_1970: Duration::from_secs(5) };
        assert_eq!(wall.since_1970(at + Duration::from_secs(1)), Duration::from_secs(6));
        let before = at.checked_sub(Duration::from_millis(1)).unwrap();
        assert_eq!(wall.since_1970(before), Duration::from_millis(4_999));
    }
}
