//! What the path is taken to carry (draft-ietf-rmcat-gcc, 5.5 and 6).

use std::time::{Duration, Instant};

use super::delay::Usage;

/// How much of what arrives is left when a queue grows, in percent.
const LEFT: u64 = 85;
/// Growth in a second far from where the path was full, in percent.
const GROWTH: u64 = 8;
/// Bits of one packet: near there, the rate grows by one in each round trip.
const PACKET: u64 = 1_200 * 8;
/// How long a path that was found to carry less counts as congested.
const CONGESTED: Duration = Duration::from_secs(2);
/// No less is ever told: it carries a voice.
const LEAST: u64 = 30_000;

/// Additive increase, multiplicative decrease.
#[derive(Debug, Default)]
pub(super) struct Control {
    bits: Option<u64>,
    updated: Option<Instant>,
    /// When it was last lowered, and what arrived then.
    lowered: Option<(Instant, u64)>,
}

impl Control {
    pub(super) const fn bits(&self) -> Option<u64> {
        self.bits
    }

    pub(super) fn was_congested(&self, now: Instant) -> bool {
        self.lowered.is_some_and(|(at, _)| now.saturating_duration_since(at) < CONGESTED)
    }

    /// Takes how the path is used, and how many bits arrive in a second. Whether the rate has been lowered.
    pub(super) fn update(
        &mut self,
        now: Instant,
        rtt: Duration,
        usage: Usage,
        arriving: Option<u64>,
    ) -> bool {
        let Some(arriving) = arriving else { return false };
        let since = self.updated.replace(now).map(|at| now.saturating_duration_since(at));
        let response = rtt.saturating_add(Duration::from_millis(100));
        let room = share(arriving, 150).saturating_add(10_000);
        let bits = *self.bits.get_or_insert(room);
        match usage {
            Usage::Over => {
                let is_answered = |at| now.saturating_duration_since(at) >= response;
                // What was lowered has its effect first.
                if self.lowered.is_none_or(|(at, _)| is_answered(at)) {
                    self.lower(now, bits.min(share(arriving, LEFT)), arriving);
                    return true;
                }
            }
            Usage::Normal if bits < room => {
                let since = since.unwrap_or_default().min(Duration::from_secs(1));
                let is_near = self
                    .lowered
                    .is_some_and(|(_, full)| (share(full, 80)..share(full, 120)).contains(&bits));
                let more = if is_near {
                    per(PACKET, since, response)
                } else {
                    per(share(bits, GROWTH), since, Duration::from_secs(1)).max(1)
                };
                self.bits = Some(bits.saturating_add(more).min(room));
            }
            // A queue that becomes shorter is to be empty first.
            Usage::Normal | Usage::Under => {}
        }
        false
    }

    /// Takes the share of packets that were lost. Whether the rate has been lowered; never below what arrives by much.
    pub(super) fn note_losses(
        &mut self,
        now: Instant,
        percent: u64,
        arriving: Option<u64>,
    ) -> bool {
        let Some(bits) = self.bits.filter(|_| percent > 10) else { return false };
        let arriving = arriving.unwrap_or(0);
        let lowered = share(bits, 100u64.saturating_sub(percent / 2)).max(share(arriving, LEFT));
        if lowered < bits {
            self.lower(now, lowered, arriving);
        }
        lowered < bits
    }

    /// Takes what a probe has come to.
    pub(super) fn note_probe(&mut self, now: Instant, carried: u64, is_carried: bool) {
        self.bits = Some(if is_carried {
            self.bits.map_or(carried, |bits| bits.max(carried))
        } else {
            // Some of it was the path's whole rate; the queue that is there now has to go.
            share(carried, 95).max(LEAST)
        });
        self.updated = Some(now);
    }

    fn lower(&mut self, now: Instant, bits: u64, full: u64) {
        self.bits = Some(bits.max(LEAST));
        self.lowered = Some((now, full));
    }
}

fn share(bits: u64, percent: u64) -> u64 {
    bits.saturating_mul(percent) / 100
}

/// What is added over `since` when `amount` is in each `period`.
fn per(amount: u64, since: Duration, period: Duration) -> u64 {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    amount.saturating_mul(micros(since)).checked_div(micros(period)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn base() -> Instant {
        #[allow(clippy::disallowed_methods)]
        Instant::now()
    }

    #[test]
    fn it_falls_at_once_and_rises_slowly() {
        let (mut control, now) = (Control::default(), base());
        assert!(!control.update(now, RTT, Usage::Over, None));
        assert_eq!(control.bits(), None);
        assert!(!control.update(now, RTT, Usage::Normal, Some(1_000_000)));
        assert_eq!(control.bits(), Some(1_510_000));
        assert!(control.update(now, RTT, Usage::Over, Some(1_000_000)));
        assert_eq!(control.bits(), Some(850_000));
        assert!(control.was_congested(now + Duration::from_secs(1)));
        assert!(!control.was_congested(now + Duration::from_secs(2)));
        // The same queue is not answered twice.
        let soon = now + Duration::from_millis(100);
        assert!(!control.update(soon, RTT, Usage::Over, Some(900_000)));
        let later = now + Duration::from_millis(1_100);
        assert!(!control.update(later, RTT, Usage::Normal, Some(850_000)));
        // Near where it was full: a packet in 150 ms.
        assert_eq!(control.bits(), Some(850_000 + 64_000));
        // No more than half as much again as arrives.
        for second in 0..100 {
            let at = later + Duration::from_secs(second);
            control.update(at, RTT, Usage::Normal, Some(800_000));
        }
        assert_eq!(control.bits(), Some(1_210_000));
    }

    #[test]
    fn losses_and_probes_set_it() {
        let (mut control, now) = (Control::default(), base());
        assert!(!control.note_losses(now, 50, None));
        control.update(now, RTT, Usage::Normal, Some(1_000_000));
        assert!(!control.note_losses(now, 10, None));
        assert!(control.note_losses(now, 20, Some(1_000_000)));
        assert_eq!(control.bits(), Some(1_359_000));
        assert!(control.note_losses(now, 90, Some(1_000_000)));
        assert_eq!(control.bits(), Some(850_000));
        assert!(!control.note_losses(now, 90, Some(1_000_000)));
        control.note_probe(now, 2_000_000, true);
        assert_eq!(control.bits(), Some(2_000_000));
        control.note_probe(now, 600_000, false);
        assert_eq!(control.bits(), Some(570_000));
        control.note_probe(now, 0, false);
        assert_eq!(control.bits(), Some(LEAST));
    }
}
