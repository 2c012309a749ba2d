//! How much sound of a stream is transcoded: no publisher may have a core to itself.

use std::time::Instant;

/// Frames in a second. The shortest that codecs have are of 2.5 ms.
const RATE: u32 = 400;
/// Frames that may come at once, such as those of a publisher whose network had hung.
const BURST: u32 = 2_000;
/// What another configuration costs beside frames: codecs are built anew by it, or what is behind them
/// where a frame has another rate or other channels than the one before it.
pub(super) const CONFIGURATION: u32 = 20;

/// What a stream may still have transcoded.
#[derive(Debug)]
pub(super) struct Pace {
    /// Frames; it grows with time.
    credit: f64,
    at: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { credit: BURST.into(), at: None }
    }
}

impl Pace {
    /// Whether so much work may be done for what came at `now`; it is accounted for then.
    pub(super) fn admits(&mut self, now: Instant, work: u32) -> bool {
        let passed = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
        self.credit = (self.credit + passed * f64::from(RATE)).min(BURST.into());
        let is_admitted = self.credit >= f64::from(work);
        if is_admitted {
            self.credit -= f64::from(work);
        }
        is_admitted
    }

    /// Accounts for work that was done, though nobody knew that before.
    pub(super) fn charge(&mut self, work: u32) {
        self.credit -= f64::from(work);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_real_sound_needs_is_admitted_for_ever_and_more_only_in_bursts() {
        let start = Instant::now();
        let mut pace = Pace::default();
        // Opus of 2.5 ms.
        assert!((0..100_000).all(|n| pace.admits(start + n * Duration::from_micros(2_500), 1)));
        let end = start + Duration::from_secs(250);
        let at_once = (0..1_000_000).filter(|_| pace.admits(end, 1)).count();
        assert!((1_990..=2_001).contains(&at_once), "{at_once}");
        // 10,000 configurations in a second, of which 20 are taken.
        let step = Duration::from_micros(100);
        let taken = (0..10_000).filter(|&n| pace.admits(end + n * step, CONFIGURATION)).count();
        assert!((18..=21).contains(&taken), "{taken}");
        // What is owed is paid before anything is admitted.
        let later = end + Duration::from_secs(2);
        assert!(pace.admits(later, 400));
        pace.charge(420);
        assert!(!pace.admits(later + Duration::from_secs(1), 1));
        assert!(pace.admits(later + Duration::from_millis(1_100), 1));
        // Time that runs backwards gives nothing.
        assert!(!pace.admits(start, 40));
        assert!(pace.admits(end + Duration::from_secs(5), 400));
    }
}
