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
/// video share one offset, so that what lay between them stays.
#[derive(Debug)]
pub(super) struct Clock {
    /// Where the first frame goes.
    start: i64,
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    /// The publisher's last timestamp, and the same unwrapped to 64 bits.
    raw: u32,
    unwrapped: i64,
    /// What is added to an unwrapped timestamp, ms.
    offset: i64,
    /// The greatest time given out, and when.
    latest: i64,
    at: Instant,
    /// The last time given out per track.
    audio: Option<i64>,
    video: Option<i64>,
}

impl Clock {
    /// A clock for a publisher; `resume` is how far an earlier one brought the stream.
    pub(super) fn new(resume: Option<Duration>) -> Self {
        let start = resume.map_or(0, |time| time.as_millis() as i64 + RESUME_STEP_MS);
        Self { start, state: None }
    }

    /// The time of what has no time of its own (metadata, sequence headers): now.
    pub(super) fn current(&self) -> Duration {
        millis(self.state.as_ref().map_or(self.start, |state| state.latest))
    }

    /// The stream's time of a frame with the publisher's timestamp `raw`, read at `now`.
    pub(super) fn time(&mut self, kind: TagKind, raw: u32, now: Instant) -> Duration {
        let start = self.start;
        let state = self.state.get_or_insert(State {
            raw,
            unwrapped: 0,
            offset: start,
            latest: start,
            at: now,
            audio: None,
            video: None,
        });
        // The nearest way round the circle: forwards over the wrap, or a little back.
        state.unwrapped += i64::from(raw.wrapping_sub(state.raw).cast_signed());
        state.raw = raw;

        let track = if kind == TagKind::Video { state.video } else { state.audio };
        let elapsed = now.saturating_duration_since(state.at).as_millis() as i64;
        let mut time = state.unwrapped + state.offset;
        let floor = track.unwrap_or(state.latest - REORDER_MS);
        if time < floor - REORDER_MS || time > state.latest + elapsed + AHEAD_MS {
            let resumed = state.latest + RESUME_STEP_MS;
            state.offset += resumed - time;
            time = resumed;
        }
        time = time.max(track.unwrap_or(start));
        if kind == TagKind::Video {
            state.video = Some(time);
        } else {
            state.audio = Some(time);
        }
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
