//! Rates over the last 30 seconds, from samples of a counter.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How far back a rate looks.
const WINDOW: Duration = Duration::from_secs(30);

/// A counter's rate over the last 30 s; a new one begins with its first sample.
#[derive(Debug, Default)]
pub struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// A rate of a counter that is 0 at `now`.
    pub fn new(now: Instant) -> Self {
        Self { samples: VecDeque::from([(now, 0)]) }
    }

    /// Notes that the counter stands at `bytes`; called at regular intervals.
    pub fn sample(&mut self, now: Instant, bytes: u64) {
        self.samples.push_back((now, bytes));
        // One sample at or beyond the window's start stays: the rate spans from there.
        while self.samples.get(1).is_some_and(|&(at, _)| now - at >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Kilobits per second up to `now`, where the counter stands at `bytes`.
    pub fn kbps(&self, now: Instant, bytes: u64) -> u64 {
        let Some(&(at, then)) = self.samples.front() else { return 0 };
        let ms = u64::try_from((now - at).as_millis()).unwrap_or(u64::MAX);
        bytes.saturating_sub(then).saturating_mul(8).checked_div(ms).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_spans_thirty_seconds_and_forgets_what_was_before() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rate = Rate::new(start);
        assert_eq!(rate.kbps(start, 0), 0);
        assert_eq!(rate.kbps(at(1), 125_000), 1000);
        for second in (5..=60).step_by(5) {
            rate.sample(at(second), 125_000 * second);
        }
        assert_eq!(rate.kbps(at(60), 125_000 * 60), 1000);
        for second in (65..=95).step_by(5) {
            rate.sample(at(second), 125_000 * 60);
        }
        assert_eq!(rate.kbps(at(95), 125_000 * 60), 0);
        assert!(rate.samples.len() <= 8);
    }
}
