use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What a network does to datagrams.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// The share that is lost.
    pub loss: f64,
    /// How long a datagram takes.
    pub delay: Duration,
    /// How much longer it may take, evenly distributed: more than the time between two datagrams reorders them.
    pub jitter: Duration,
    /// The share that comes twice.
    pub duplication: f64,
    /// Bits per second that go through; what is more waits, and is lost when the queue is longer than `queue`.
    pub rate: Option<u64>,
    /// The longest that a datagram waits.
    pub queue: Duration,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            loss: 0.0,
            delay: Duration::from_millis(1),
            jitter: Duration::ZERO,
            duplication: 0.0,
            rate: None,
            queue: Duration::from_millis(500),
        }
    }
}

impl Conditions {
    pub fn loss(share: f64, delay: Duration) -> Self {
        Self { loss: share, delay, ..Self::default() }
    }

    pub fn rate(bits: u64, delay: Duration) -> Self {
        Self { rate: Some(bits), delay, ..Self::default() }
    }
}

/// One direction between two hosts.
pub struct Link {
    pub conditions: Conditions,
    rng: fastrand::Rng,
    under_way: BTreeMap<(Instant, u64), Vec<u8>>,
    count: u64,
    /// When the queue is empty.
    free: Option<Instant>,
    pub lost: u64,
}

impl Link {
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self { conditions, rng, under_way: BTreeMap::new(), count: 0, free: None, lost: 0 }
    }

    pub fn send(&mut self, now: Instant, datagram: &[u8]) {
        if self.rng.f64() < self.conditions.loss {
            self.lost += 1;
            return;
        }
        let mut leaves = now;
        if let Some(rate) = self.conditions.rate {
            let begins = self.free.unwrap_or(now).max(now);
            if begins - now > self.conditions.queue {
                self.lost += 1;
                return;
            }
            // With the headers of IP and UDP.
            let bits = (datagram.len() + 28) as f64 * 8.0;
            leaves = begins + Duration::from_secs_f64(bits / rate as f64);
            self.free = Some(leaves);
        }
        let copies = if self.rng.f64() < self.conditions.duplication { 2 } else { 1 };
        for _ in 0..copies {
            let arrival =
                leaves + self.conditions.delay + self.conditions.jitter.mul_f64(self.rng.f64());
            self.count += 1;
            self.under_way.insert((arrival, self.count), datagram.to_vec());
        }
    }

    pub fn next(&self) -> Option<Instant> {
        self.under_way.keys().next().map(|(arrival, _)| *arrival)
    }

    pub fn receive(&mut self, now: Instant) -> Option<Vec<u8>> {
        let entry = self.under_way.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}
