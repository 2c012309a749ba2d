//! When things were: timestamps of several clocks on the stream's one.

use std::time::Duration;

use rtc_stack::sfu::SenderClock;

/// What a publisher says of its clock counts as long as it is this near to what arrives when.
const BELIEVED: i64 = 10_000_000;
/// A track is moved to where the reports put it by this part of its time: at once it would step back,
/// or leave a hole.
const MOVED: i64 = 16;

/// Brings the tracks of one publisher onto the stream's clock: by when their packets arrive at
/// first, and by the publisher's reports as soon as there are any, so that lips match.
#[derive(Debug, Default)]
pub(super) struct Times {
    tracks: Vec<Track>,
    /// The publisher's clock when the stream's was at 0, since 1970, in microseconds. One for all
    /// tracks.
    base: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Track {
    /// A timestamp, and when its packet came by the stream's clock, in microseconds.
    arrival: Option<(u32, i64)>,
    /// How much later than by arrival it is put, in microseconds, and when that was told last.
    moved: i64,
    told: Option<i64>,
    /// A timestamp, and which time that was by the publisher's clock, in microseconds since 1970.
    report: Option<(u32, i64)>,
}

impl Times {
    /// Notes that a packet with this timestamp came, by the stream's clock. The first one counts:
    /// how much later than it others come is the network's doing.
    pub(super) fn arrived(
        &mut self,
        place: usize,
        clock_rate: u32,
        timestamp: u32,
        time: Duration,
    ) {
        let known = self.track(place).arrival.get_or_insert((timestamp, micros(time)));
        // Before the circle is half way round.
        if (1 << 28..1 << 31).contains(&timestamp.wrapping_sub(known.0)) {
            *known = (timestamp, after(*known, clock_rate, timestamp.into()));
        }
    }

    /// Takes what the publisher says of a track's clock.
    pub(super) fn report(&mut self, place: usize, clock: &SenderClock) {
        self.track(place).report = Some((clock.timestamp, micros(clock.time.to_unix())));
    }

    /// The time of a track's timestamp, whose lower 32 bits are those of its packets.
    pub(super) fn of(&mut self, place: usize, clock_rate: u32, timestamp: u64) -> Duration {
        let track = *self.track(place);
        let arrived = track.arrival.map_or(0, |known| after(known, clock_rate, timestamp));
        let sent = track.report.map(|known| after(known, clock_rate, timestamp));
        let wanted = sent.map_or(0, |sent| {
            let wanted = sent - *self.base.get_or_insert(sent - arrived) - arrived;
            // A clock that was set, or a report that lies.
            if wanted.abs() > BELIEVED {
                self.base = Some(sent - arrived);
                return 0;
            }
            wanted
        });
        let most = track.told.map_or(BELIEVED, |told| (arrived - told).clamp(0, BELIEVED) / MOVED);
        let track = self.track(place);
        track.moved += (wanted - track.moved).clamp(-most, most);
        track.told = Some(track.told.map_or(arrived, |told| told.max(arrived)));
        let time = arrived + track.moved;
        Duration::from_micros(time.max(0).unsigned_abs())
    }

    fn track(&mut self, place: usize) -> &mut Track {
        if self.tracks.len() <= place {
            self.tracks.resize(place + 1, Track::default());
        }
        &mut self.tracks[place]
    }
}

/// The time of a timestamp, where that of another is known.
fn after((known, time): (u32, i64), clock_rate: u32, timestamp: u64) -> i64 {
    // The nearest way round the circle.
    let ticks = i64::from((timestamp as u32).wrapping_sub(known).cast_signed());
    time + ticks * 1_000_000 / i64::from(clock_rate.max(1))
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rtc_stack::{Ssrc, rtcp::NtpTime};

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn report(timestamp: u32, since_1970: u64) -> SenderClock {
        let time = NtpTime::from_unix(ms(since_1970));
        SenderClock { ssrc: Ssrc(1), time, timestamp, arrival: Instant::now() }
    }

    fn near(time: Duration, expected: u64) {
        assert!(time.abs_diff(ms(expected)) < Duration::from_micros(50), "{time:?}, {expected} ms");
    }

    #[test]
    fn tracks_are_by_arrival_until_the_publisher_tells_of_its_clock() {
        let mut times = Times::default();
        // What was taken at the same time comes 70 ms apart.
        times.arrived(0, 90_000, 5_000, ms(1_000));
        times.arrived(1, 48_000, 77_000, ms(1_070));
        near(times.of(0, 90_000, 5_000 + 9_000), 1_100);
        near(times.of(1, 48_000, 77_000 + 4_800), 1_170);
        times.report(0, &report(5_000, 500_000));
        near(times.of(0, 90_000, 5_000 + 18_000), 1_200);
        times.report(1, &report(77_000, 500_000));
        // It moves by 6 ms in 100, as far as it has to.
        let mut last = Duration::ZERO;
        for step in 2..30_u32 {
            let time = times.of(1, 48_000, u64::from(77_000 + step * 4_800));
            assert!(time > last + ms(90) || step == 2, "{step}: {time:?} after {last:?}");
            last = time;
        }
        near(last, 1_000 + 2_900);
        // A report that lies is as good as none.
        times.report(1, &report(77_000, 9_500_000));
        for step in 30..60_u32 {
            last = times.of(1, 48_000, u64::from(77_000 + step * 4_800));
        }
        near(last, 1_070 + 5_900);
    }

    /// Twelve hours and more, with and without reports, over the wraps of both tracks' timestamps.
    #[test]
    fn nothing_drifts_over_the_wraps() {
        let mut times = Times::default();
        for second in 0..60_000_u64 {
            let at = ms(1_000 * second);
            let (video, audio) = (second * 90_000 + 4_000_000_000, second * 48_000 + 9);
            times.arrived(0, 90_000, video as u32, at);
            times.arrived(1, 48_000, audio as u32, at + ms(40));
            if second > 50_000 {
                times.report(0, &report(video as u32, 500_000 + 1_000 * second));
                times.report(1, &report(audio as u32, 500_000 + 1_000 * second));
            }
            near(times.of(0, 90_000, video), 1_000 * second);
            near(times.of(1, 48_000, audio), 1_000 * second + if second > 50_000 { 0 } else { 40 });
        }
    }
}
