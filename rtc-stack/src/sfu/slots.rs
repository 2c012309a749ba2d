//! When peers are visited.

use std::time::{Duration, Instant};

/// Every peer is visited once in this time.
pub(super) const PERIOD: Duration = Duration::from_secs(1);
/// Visits are spread over so many slots of 25 ms, so that no moment has the work of all peers.
pub(super) const SLOTS: usize = 40;
const SLOT: Duration = Duration::from_millis(25);

/// Visits of all peers in turn. There is no timer of a peer that could be set, lost or leaked: a peer belongs to the
/// slot that its place gives, and a slot comes once in [`PERIOD`].
#[derive(Debug)]
pub(super) struct Slots {
    /// When the slot at `current` is due, while there are peers.
    due: Option<Instant>,
    current: usize,
    peers: usize,
}

impl Slots {
    pub(super) const fn new() -> Self {
        Self { due: None, current: 0, peers: 0 }
    }

    pub(super) fn add(&mut self, now: Instant) {
        self.peers = self.peers.saturating_add(1);
        self.due.get_or_insert(now.checked_add(SLOT).unwrap_or(now));
    }

    pub(super) fn remove(&mut self) {
        self.peers = self.peers.saturating_sub(1);
        if self.peers == 0 {
            self.due = None;
        }
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The next slot that is due, if there is one. A shard that was away for long visits every peer once, not once for
    /// each period that it missed.
    pub(super) fn next(&mut self, now: Instant) -> Option<usize> {
        let due = self.due.filter(|due| *due <= now)?;
        let slot = self.current;
        self.current = slot.saturating_add(1).checked_rem(SLOTS).unwrap_or(0);
        let oldest = now.checked_sub(PERIOD).unwrap_or(due);
        self.due = due.max(oldest).checked_add(SLOT);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Instant {
        #[allow(clippy::disallowed_methods)]
        Instant::now()
    }

    #[test]
    fn a_period_visits_every_slot_once() {
        let (mut slots, now) = (Slots::new(), base());
        assert_eq!(slots.due(), None);
        slots.add(now);
        assert_eq!(slots.next(now), None);
        let mut seen = Vec::new();
        for step in 1..=SLOTS as u32 {
            while let Some(slot) = slots.next(now + SLOT * step) {
                seen.push(slot);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..SLOTS).collect::<Vec<_>>());
        slots.remove();
        assert_eq!(slots.due(), None);
    }

    #[test]
    fn a_long_absence_costs_one_period() {
        let (mut slots, now) = (Slots::new(), base());
        slots.add(now);
        let later = now + Duration::from_secs(3_600);
        let visits = std::iter::from_fn(|| slots.next(later)).count();
        assert!((SLOTS..=SLOTS + 1).contains(&visits), "{visits}");
        assert!(slots.due().unwrap() > later);
    }
}
