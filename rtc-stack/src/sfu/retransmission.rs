//! How much a viewer may be sent again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::Limits;

/// Retransmissions of one viewer that are remembered, so that each is made once in a round-trip time.
const REMEMBERED: usize = 256;

/// What a viewer may still have, and what it had lately. A viewer that asks for everything for ever costs no more than
/// its share.
#[derive(Debug)]
pub(super) struct Retransmission {
    /// Bytes until the next refill.
    credit: u64,
    /// Packet numbers until the next refill.
    nacks: u32,
    /// Bytes that had been sent at the last refill.
    sent_before: u64,
    latest: VecDeque<(u8, u64, Instant)>,
    pub(super) bytes: u64,
    pub(super) refused: u64,
}

impl Retransmission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            credit: u64::from(limits.retransmission_burst),
            nacks: limits.nacked_per_second,
            sent_before: 0,
            latest: VecDeque::new(),
            bytes: 0,
            refused: 0,
        }
    }

    /// Once a second: a share of what was `sent` in it is added, and the burst is what can be saved.
    pub(super) fn refill(&mut self, limits: &Limits, sent: u64) {
        let lately = sent.saturating_sub(self.sent_before);
        self.sent_before = sent;
        let share = lately.saturating_mul(u64::from(limits.retransmission_percent)) / 100;
        let burst = u64::from(limits.retransmission_burst);
        self.credit = self.credit.saturating_add(share).min(burst.max(share));
        self.nacks = limits.nacked_per_second;
        if self.latest.is_empty() {
            self.latest.shrink_to_fit();
        }
    }

    /// Whether a number that was asked for is looked at.
    pub(super) fn is_heard(&mut self) -> bool {
        let is_heard = self.nacks > 0;
        self.nacks = self.nacks.saturating_sub(1);
        if !is_heard {
            self.refused = self.refused.saturating_add(1);
        }
        is_heard
    }

    /// Whether a packet may be sent again, which is then noted: there must be credit, and a round-trip time since it
    /// was sent again the last time.
    pub(super) fn admit(&mut self, now: Instant, output: u8, number: u64, rtt: Duration) -> bool {
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= rtt;
        while self.latest.front().is_some_and(|(_, _, at)| is_over(at)) {
            self.latest.pop_front();
        }
        let was_sent = self.latest.iter().any(|(o, n, _)| (*o, *n) == (output, number));
        if self.credit == 0 || was_sent {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        if self.latest.len() >= REMEMBERED {
            self.latest.pop_front();
        }
        self.latest.push_back((output, number, now));
        true
    }

    /// Whether so many bytes may be sent again at once.
    pub(super) const fn affords(&self, bytes: usize) -> bool {
        self.credit >= bytes as u64
    }

    /// Notes the bytes of what was sent.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub(bytes as u64);
        self.bytes = self.bytes.saturating_add(bytes as u64);
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
    fn one_packet_goes_once_in_a_round_trip_time() {
        let (limits, now, rtt) = (Limits::default(), base(), Duration::from_millis(50));
        let mut viewer = Retransmission::new(&limits);
        assert!(viewer.admit(now, 0, 7, rtt));
        assert!(!viewer.admit(now + rtt / 2, 0, 7, rtt));
        assert!(viewer.admit(now + rtt / 2, 1, 7, rtt));
        assert!(viewer.admit(now + rtt, 0, 7, rtt));
        assert_eq!(viewer.refused, 1);
    }

    #[test]
    fn credit_is_a_burst_and_a_share() {
        let limits = Limits {
            retransmission_burst: 1_000,
            retransmission_percent: 30,
            nacked_per_second: 2,
            ..Limits::default()
        };
        let now = base();
        let mut viewer = Retransmission::new(&limits);
        viewer.spend(1_200);
        assert!(!viewer.admit(now, 0, 1, Duration::ZERO));
        viewer.refill(&limits, 1_000);
        assert!(viewer.admit(now, 0, 1, Duration::ZERO));
        viewer.spend(300);
        assert!(!viewer.admit(now, 0, 2, Duration::ZERO));
        // A rate of which the share is more than the burst may use it.
        viewer.refill(&limits, 1_001_000);
        viewer.spend(299_000);
        assert!(viewer.admit(now, 0, 3, Duration::ZERO));
        assert_eq!([viewer.is_heard(), viewer.is_heard(), viewer.is_heard()], [true, true, false]);
    }
}
