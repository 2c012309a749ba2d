//! A hand that goes once round a share's slots per window.
//!
//! Slot `i` of `n` is due at `i / n` of the window, so that readers are spread evenly whatever
//! their number, without a timer or a phase kept per reader; a change of the number or of the
//! window only changes the hand's speed. The hand rests when a lap brought nothing new.

use std::time::{Duration, Instant};

use super::share::{Share, State};

/// The hand moves in steps of this time at least.
const STEP: Duration = Duration::from_millis(10);
/// And in no more steps than these in a lap: each wakes the thread, which costs as much as several
/// readers. With ten thousand readers a step is some 15 ms of writing.
const STEPS: u32 = 8;

pub(super) struct Sweep {
    /// When this lap began.
    lap: Instant,
    /// The next slot.
    hand: usize,
    /// The lane's head when this lap began.
    head: u64,
}

impl Sweep {
    /// Starts or moves the hand; wakes those it passes. Returns when to move it again.
    pub(super) fn run(
        state: &mut State,
        share: &Share,
        window: Duration,
        now: Instant,
    ) -> Option<Instant> {
        let slots = state.slots.len();
        let mut sweep = state.sweep.take().unwrap_or_else(|| {
            state.behind = false;
            Self { lap: now, hand: 0, head: share.signal.head() }
        });
        loop {
            let passed = now.saturating_duration_since(sweep.lap);
            let upto =
                if passed >= window { slots } else { slots.min(scale(passed, slots, window) + 1) };
            if upto > sweep.hand {
                state.wake(sweep.hand, upto, share);
                sweep.hand = upto;
            }
            let end = sweep.lap + window;
            if now < end {
                let due = if sweep.hand >= slots {
                    end
                } else {
                    sweep.lap + window.mul_f64(sweep.hand as f64 / slots as f64)
                };
                state.sweep = Some(sweep);
                return Some(due.max(end.min(now + STEP.max(window / STEPS))));
            }
            if share.signal.head() == sweep.head && !state.behind && share.try_rest(sweep.head) {
                return None;
            }
            state.behind = false;
            // After a long pause one lap is enough: everybody is due.
            let lap = if now.saturating_duration_since(end) >= window { now } else { end };
            sweep = Self { lap, hand: 0, head: share.signal.head() };
        }
    }
}

/// `slots * passed / window`.
fn scale(passed: Duration, slots: usize, window: Duration) -> usize {
    (passed.as_nanos() * slots as u128 / window.as_nanos().max(1)) as usize
}
