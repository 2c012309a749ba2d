/// How far the input's clock may be from ours, in ticks, before one sample at a time follows it: 1 ms.
const SLIP: f64 = 48.0;
/// Beyond this, in ticks, sound is put in or left out at once: 10 ms, what sound may be off a picture.
const FIX: f64 = 480.0;
/// Beyond this a single timestamp is believed, however much the input's timestamps wander: 100 ms.
const JUMP: f64 = 4_800.0;
/// Beyond this nothing is filled or left out: the timeline begins anew. 1 s.
const RESTART: f64 = 48_000.0;

/// What keeps the sound in step with its timestamps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step {
    Keep,
    /// One sample more.
    Longer,
    /// One sample less.
    Shorter,
    /// Silence, of so many ticks.
    Fill(f64),
    /// So many ticks of sound left out.
    Drop(f64),
    Restart,
}

/// Tells a jump from timestamps that are rounded to milliseconds or stamped unevenly, by an average
/// of what they differ from the count of samples.
#[derive(Debug)]
pub(crate) struct Clock {
    /// How many frames the average goes over.
    patience: f64,
    average: f64,
    /// The last frame was lost, so what is missing is known to be.
    lost: bool,
}

impl Clock {
    pub(crate) fn new(patience: f64) -> Self {
        Self { patience, average: 0.0, lost: false }
    }

    pub(crate) fn reset(&mut self) {
        self.average = 0.0;
        self.lost = false;
    }

    /// The next frame's timestamp is to be believed.
    pub(crate) fn lost(&mut self) {
        self.lost = true;
    }

    /// A frame came `late` ticks behind where the samples before it ended, or before it if negative.
    /// `sample` is what one sample lasts, in ticks.
    pub(crate) fn observe(&mut self, late: f64, sample: f64) -> Step {
        self.average += (late - self.average) / self.patience;
        let off = if self.lost || late.abs() > JUMP { late } else { self.average };
        let fix = if self.lost { SLIP } else { FIX };
        self.lost = false;
        if off.abs() > RESTART {
            self.reset();
            return Step::Restart;
        }
        if off.abs() > fix {
            self.average = 0.0;
            return if off > 0.0 {
                Step::Fill(late.max(0.0))
            } else {
                Step::Drop((-late).max(0.0))
            };
        }
        if off > SLIP {
            self.average -= sample;
            Step::Longer
        } else if off < -SLIP {
            self.average += sample;
            Step::Shorter
        } else {
            Step::Keep
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_in_milliseconds_move_nothing() {
        let mut clock = Clock::new(16.0);
        // A minute of AAC frames at 44,100 Hz, stamped in whole milliseconds.
        for frame in 0..2584_u64 {
            let samples = frame as f64 * 1024.0 / 44_100.0 * 48_000.0;
            let stamp = (samples / 48.0).floor() * 48.0;
            assert_eq!(clock.observe(stamp - samples, 1.0), Step::Keep, "{frame}");
        }
    }

    #[test]
    fn uneven_timestamps_move_nothing() {
        let mut clock = Clock::new(16.0);
        for frame in 0..1000_u32 {
            let jitter = f64::from(frame.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
            // ±8 ms.
            let step = clock.observe(jitter * 16.0 * 48.0, 1.0);
            assert!(matches!(step, Step::Keep | Step::Longer | Step::Shorter), "{step:?}");
        }
    }

    #[test]
    fn a_missing_frame_is_seen_within_a_quarter_of_a_second() {
        let mut clock = Clock::new(16.0);
        let frames = (1..).find(|_| clock.observe(1024.0, 1.0) == Step::Fill(1024.0)).unwrap();
        assert!((1..=12).contains(&frames), "{frames}");
        clock.lost();
        assert_eq!(clock.observe(1024.0, 1.0), Step::Fill(1024.0));
        assert_eq!(clock.observe(-4_900.0, 1.0), Step::Drop(4_900.0));
        assert_eq!(clock.observe(48_001.0, 1.0), Step::Restart);
        assert_eq!(clock.observe(0.0, 1.0), Step::Keep);
    }

    #[test]
    fn a_clock_that_runs_fast_is_followed() {
        let mut clock = Clock::new(16.0);
        let mut late = 0.0;
        let mut worst: f64 = 0.0;
        // 200 parts per million, for an hour.
        for _ in 0..168_750 {
            late += 1024.0 * 0.000_2;
            match clock.observe(late, 1.0) {
                Step::Longer => late -= 1.0,
                Step::Keep => {}
                other => panic!("{other:?}"),
            }
            worst = worst.max(late);
        }
        assert!(worst < 60.0, "{worst}");
    }
}
