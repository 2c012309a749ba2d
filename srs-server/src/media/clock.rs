//! The stream's clock: corrects a publisher's timestamps once, for every viewer.

use std::time::{Duration, Instant};

use flv_mux::TagKind;

/// A step back that is only disorder within a track; more than this is a jump.
const REORDER_MS: i64 = 500;
/// How far ahead of the wall clock a step forward may go before it is a jump.
const AHEAD_MS: i64 = 10_000;
/// The step from the last frame to the first one after a jump or a new publisher.
const RESUME_STEP_MS: i64 = 40;

/// Maps one publisher's 32-bit timestamps onto the stream's clock.
///
/// The clock starts at 0 with the stream, goes on where it was when a publisher returns,
/// crosses the 32-bit wrap, and never runs backwards within audio or within video. Audio and
/// video share one offset, so that what lay between them stays. Where that makes no sense (one
/// track has jumped and the other has not yet, or their clocks never had anything in common)
/// each has its own, until the other's fits again.
#[derive(Debug)]
pub(super) struct Clock {
    /// Where the first frame goes.
    start: i64,
    /// Where nothing goes before.
    floor: i64,
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    /// The publisher's last timestamp, and the same unwrapped to 64 bits.
    raw: u32,
    unwrapped: i64,
    /// The greatest time given out, and when.
    latest: i64,
    at: Instant,
    audio: Option<Track>,
    video: Option<Track>,
}

#[derive(Debug, Clone, Copy)]
struct Track {
    /// What is added to an unwrapped timestamp, ms.
    offset: i64,
    /// The last time given out.
    time: i64,
}

impl Clock {
    /// A clock for a publisher; `resume` is how far an earlier one brought the stream.
    pub(super) fn new(resume: Option<Duration>) -> Self {
        let start = resume.map_or(0, |time| time.as_millis() as i64 + RESUME_STEP_MS);
        Self { start, floor: start, state: None }
    }

    /// A clock for timestamps that are the stream's already: the first frame goes to `time`, and the
    /// other track's first may be before it.
    pub(super) fn at(time: Duration) -> Self {
        Self { start: time.as_millis() as i64, floor: 0, state: None }
    }

    /// The time of what has no time of its own (metadata, sequence headers): now.
    pub(super) fn current(&self) -> Duration {
        millis(self.state.as_ref().map_or(self.start, |state| state.latest))
    }

    /// The stream's time of a frame with the publisher's timestamp `raw`, read at `now`.
    pub(super) fn time(&mut self, kind: TagKind, raw: u32, now: Instant) -> Duration {
        let (start, lowest) = (self.start, self.floor);
        let state = self.state.get_or_insert(State {
            raw,
            unwrapped: 0,
            latest: start,
            at: now,
            audio: None,
            video: None,
        });
        // The nearest way round the circle: forwards over the wrap, or a little back.
        state.unwrapped += i64::from(raw.wrapping_sub(state.raw).cast_signed());
        state.raw = raw;

        let (own, other) = match kind {
            TagKind::Video => (&mut state.video, state.audio),
            _ => (&mut state.audio, state.video),
        };
        let elapsed = now.saturating_duration_since(state.at).as_millis() as i64;
        let floor = own.map_or(state.latest - REORDER_MS, |own| own.time) - REORDER_MS;
        let ceiling = state.latest + elapsed + AHEAD_MS;
        let expected = own.map_or(state.latest, |own| own.time);
        // The track's own offset; after a jump the other's, if it has jumped as far before.
        let offset = [own.map(|own| own.offset), other.map(|other| other.offset)]
            .into_iter()
            .flatten()
            .filter(|offset| (floor..=ceiling).contains(&(state.unwrapped + offset)))
            .min_by_key(|offset| (state.unwrapped + offset).abs_diff(expected))
            .unwrap_or(match (&own, other) {
                (None, None) => start - state.unwrapped,
                _ => state.latest + RESUME_STEP_MS - state.unwrapped,
            });
        let time = (state.unwrapped + offset).max(own.map_or(lowest, |own| own.time));
        *own = Some(Track { offset, time });
        if time >= state.latest {
            state.latest = time;
            state.at = now;
        }
        millis(time)
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use TagKind::{Audio, Video};

    fn times(clock: &mut Clock, frames: &[(TagKind, u32)]) -> Vec<u128> {
        let now = Instant::now();
        frames.iter().map(|&(kind, raw)| clock.time(kind, raw, now).as_millis()).collect()
    }

    #[test]
    fn starts_at_zero_and_keeps_the_offset_between_audio_and_video() {
        let mut clock = Clock::new(None);
        let frames = [(Video, 5000), (Audio, 5013), (Video, 5040), (Audio, 5036)];
        assert_eq!(times(&mut clock, &frames), [0, 13, 40, 36]);
    }

    #[test]
    fn what_is_on_the_streams_clock_already_stays_where_it_is() {
        let mut clock = Clock::at(Duration::from_millis(5_000));
        let frames =
            [(Video, 5_000), (Audio, 4_930), (Audio, 4_951), (Video, 5_040), (Audio, 4_972)];
        assert_eq!(times(&mut clock, &frames), [5_000, 4_930, 4_951, 5_040, 4_972]);
    }

    #[test]
    fn crosses_the_32_bit_wrap() {
        let mut clock = Clock::new(None);
        let frames = [(Video, u32::MAX - 19), (Audio, 20), (Video, 20), (Audio, 43)];
        assert_eq!(times(&mut clock, &frames), [0, 40, 40, 63]);
    }

    #[test]
    fn a_jump_back_goes_on_from_the_latest_time_for_both_tracks() {
        let mut clock = Clock::new(None);
        let frames = [(Video, 60_000), (Audio, 60_010), (Video, 0), (Audio, 10), (Video, 40)];
        assert_eq!(times(&mut clock, &frames), [0, 10, 50, 60, 90]);
    }

    #[test]
    fn a_jump_forward_beyond_the_wall_clock_is_closed() {
        let mut clock = Clock::new(None);
        let frames = [(Video, 0), (Video, 3_600_000), (Video, 3_600_040)];
        assert_eq!(times(&mut clock, &frames), [0, 40, 80]);
    }

    #[test]
    fn a_track_that_jumps_later_than_the_other_finds_it_again() {
        let mut clock = Clock::new(None);
        let frames = [
            (Video, 60_000),
            (Audio, 60_010),
            (Video, 0),
            // Still from before the jump.
            (Audio, 60_033),
            (Video, 40),
            (Audio, 13),
            (Audio, 36),
            (Video, 80),
        ];
        assert_eq!(times(&mut clock, &frames), [0, 10, 50, 33, 90, 63, 86, 130]);
    }

    #[test]
    fn a_jump_that_only_one_track_can_tell_from_a_step_moves_both() {
        let mut clock = Clock::new(None);
        // Video is 10,020 ms ahead of the latest time, and so has jumped; audio only 9,960.
        let frames = [(Video, 0), (Audio, 10), (Video, 10_030), (Audio, 10_010), (Video, 10_070)];
        assert_eq!(times(&mut clock, &frames), [0, 10, 50, 30, 90]);
    }

    #[test]
    fn a_track_that_comes_late_and_counts_from_its_own_zero_does_not_move_the_other() {
        for late in [2_000, 20_000, 3_600_000] {
            let mut clock = Clock::new(None);
            let now = Instant::now();
            clock.time(Audio, 0, now);
            let then = now + Duration::from_millis(late.into());
            let frames = [(Audio, late), (Video, 0), (Audio, late + 23), (Video, 40)];
            let times = frames.map(|(kind, raw)| clock.time(kind, raw, then).as_millis());
            let late = u128::from(late);
            assert_eq!(times, [late, late + 40, late + 23, late + 80]);
        }
    }

    #[test]
    fn tracks_with_nothing_in_common_both_go_at_their_own_pace() {
        let mut clock = Clock::new(None);
        let frames: Vec<_> = (0..100)
            .flat_map(|n| [(Video, 3_000_000_000 + n * 40), (Audio, 1_000 + n * 40)])
            .collect();
        let times = times(&mut clock, &frames);
        assert_eq!(times[..4], [0, 40, 40, 80]);
        assert_eq!(times[198..], [99 * 40, 99 * 40 + 40]);
    }

    #[test]
    fn a_silence_that_really_happened_stays() {
        let mut clock = Clock::new(None);
        let now = Instant::now();
        clock.time(Video, 0, now);
        let later = clock.time(Video, 60_000, now + Duration::from_secs(60));
        assert_eq!(later, Duration::from_secs(60));
    }

    #[test]
    fn disorder_within_a_track_is_flattened() {
        let mut clock = Clock::new(None);
        assert_eq!(times(&mut clock, &[(Audio, 0), (Audio, 46), (Audio, 23)]), [0, 46, 46]);
    }

    #[test]
    fn a_returning_publisher_continues() {
        let mut clock = Clock::new(Some(Duration::from_millis(9_000)));
        assert_eq!(clock.current(), Duration::from_millis(9_040));
        assert_eq!(times(&mut clock, &[(Video, 77), (Audio, 80)]), [9_040, 9_043]);
    }
}
