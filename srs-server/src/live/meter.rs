//! What several clients receive and send together: those of a stream, of a vhost, of the server.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use super::Rate;

/// What several clients receive and send together, those that have gone included.
///
/// Nothing here is touched per packet: [`Clients`](super::Clients) brings in what each client's
/// socket has counted meanwhile.
#[derive(Debug, Default)]
pub struct Meter {
    received: AtomicU64,
    sent: AtomicU64,
    clients: AtomicUsize,
    publishers: AtomicUsize,
    rates: Mutex<(Rate, Rate)>,
}

impl Meter {
    /// A meter whose rates begin at `now`.
    pub fn new(now: Instant) -> Self {
        Self { rates: Mutex::new((Rate::new(now), Rate::new(now))), ..Self::default() }
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Bytes sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// The clients that are here now.
    pub fn clients(&self) -> usize {
        self.clients.load(Relaxed)
    }

    /// The streams that are published now.
    pub fn publishers(&self) -> usize {
        self.publishers.load(Relaxed)
    }

    /// Kilobits per second received and sent over the last 30 s.
    pub fn kbps(&self, now: Instant) -> (u64, u64) {
        let rates = self.rates();
        (rates.0.kbps(now, self.received()), rates.1.kbps(now, self.sent()))
    }

    /// Takes a sample for the rates.
    pub fn sample(&self, now: Instant) {
        let mut rates = self.rates();
        rates.0.sample(now, self.received());
        rates.1.sample(now, self.sent());
    }

    pub(super) fn add(&self, received: u64, sent: u64) {
        self.received.fetch_add(received, Relaxed);
        self.sent.fetch_add(sent, Relaxed);
    }

    pub(super) fn joined(&self) {
        self.clients.fetch_add(1, Relaxed);
    }

    pub(super) fn left(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }

    pub(super) fn published(&self) {
        self.publishers.fetch_add(1, Relaxed);
    }

    pub(super) fn unpublished(&self) {
        self.publishers.fetch_sub(1, Relaxed);
    }

    fn rates(&self) -> MutexGuard<'_, (Rate, Rate)> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
