use std::time::Duration;

/// Seconds from 1900 to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// A time of the network time protocol: seconds since 1900 in 32 bits, and 32 bits of fraction (RFC 3550, 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct NtpTime(u64);

impl NtpTime {
    /// The time of a wall clock, given as the time since 1970. Seconds wrap in 2036.
    pub fn from_unix(wall: Duration) -> Self {
        let seconds = wall.as_secs().wrapping_add(UNIX_EPOCH);
        let fraction = (u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000;
        Self(seconds << 32 | fraction)
    }

    /// The time since 1970, to the nanosecond. Before 1968 it counts as after the wrap of 2036 (RFC 4330, 3).
    pub fn to_unix(self) -> Duration {
        let seconds = self.0 >> 32;
        let seconds = if seconds < 1 << 31 { seconds | 1 << 32 } else { seconds };
        // Half a nanosecond more, so that what was rounded down to write it comes back.
        let nanos =
            (self.0 & 0xffff_ffff).saturating_mul(1_000_000_000).saturating_add(1 << 31) >> 32;
        let seconds = Duration::from_secs(seconds.saturating_sub(UNIX_EPOCH));
        seconds.saturating_add(Duration::from_nanos(nanos))
    }

    /// The time as it is written.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The time as it is written.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The middle 32 bits, by which a receiver names a sender report. In units of 1/65536 s.
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// Which wall clock time an RTP timestamp is, from one pair of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampClock {
    /// Time since 1970.
    pub wall: Duration,
    /// The timestamp at that time.
    pub timestamp: u32,
    /// Ticks per second.
    pub clock_rate: u32,
}

impl TimestampClock {
    /// The timestamp at a time since 1970.
    #[must_use]
    pub fn timestamp_at(&self, wall: Duration) -> u32 {
        match wall.checked_sub(self.wall) {
            Some(later) => self.timestamp.wrapping_add(self.ticks(later)),
            None => self.timestamp.wrapping_sub(self.ticks(self.wall.saturating_sub(wall))),
        }
    }

    /// The time since 1970 of a timestamp that is less than half of all timestamps away.
    #[must_use]
    pub fn wall_at(&self, timestamp: u32) -> Duration {
        let ahead = timestamp.wrapping_sub(self.timestamp).cast_signed();
        let nanos = u64::from(ahead.unsigned_abs()).saturating_mul(1_000_000_000);
        let apart =
            Duration::from_nanos(nanos.checked_div(u64::from(self.clock_rate)).unwrap_or(0));
        if ahead < 0 { self.wall.saturating_sub(apart) } else { self.wall.saturating_add(apart) }
    }

    fn ticks(&self, duration: Duration) -> u32 {
        (duration.as_nanos().saturating_mul(u128::from(self.clock_rate)) / 1_000_000_000) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_are_written_so() {
        assert_eq!(NtpTime::from_unix(Duration::ZERO).bits(), 2_208_988_800 << 32);
        // RFC 868 and RFC 5905: 2036-02-07 06:28:16 is the wrap.
        let wrap = Duration::from_secs(2_085_978_496);
        assert_eq!(NtpTime::from_unix(wrap).bits(), 0);
        assert_eq!(NtpTime::from_bits(0).to_unix(), wrap);
        let half = Duration::from_millis(1_500);
        assert_eq!(NtpTime::from_unix(half).middle(), 0x7e81_8000);
    }

    #[test]
    fn timestamps_and_times_meet() {
        let wall = Duration::from_secs(1_000_000);
        let clock = TimestampClock { wall, timestamp: 10, clock_rate: 90_000 };
        let (later, before) = (wall + Duration::from_secs(1), wall - Duration::from_secs(1));
        assert_eq!(clock.timestamp_at(later), 90_010);
        assert_eq!(clock.timestamp_at(before), 10_u32.wrapping_sub(90_000));
        assert_eq!(clock.wall_at(90_010), later);
        assert_eq!(clock.wall_at(10_u32.wrapping_sub(90_000)), before);
        assert_eq!(TimestampClock { clock_rate: 0, ..clock }.wall_at(99), wall);
    }

    proptest! {
        #[test]
        fn a_time_comes_back(seconds in 0_u64..4_000_000_000, nanos in 0_u32..1_000_000_000) {
            let wall = Duration::new(seconds, nanos);
            prop_assert_eq!(NtpTime::from_unix(wall).to_unix(), wall);
        }
    }
}
