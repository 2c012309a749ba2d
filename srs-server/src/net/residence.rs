//! How long messages stay in the server: from the read of a publisher's socket to the write to a
//! player's. Each shard counts for itself; they are added up when somebody asks.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use stream_hub::{Batch, Item};

use crate::media::{Origin, Wire};

/// Upper bounds of the classes, in microseconds; a last class takes what is beyond.
pub const BOUNDS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 200_000, 350_000, 500_000,
    1_000_000,
];

/// By which protocol a player takes a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlet {
    /// RTMP.
    Rtmp,
    /// HTTP.
    Http,
    /// WebRTC.
    Rtc,
}

/// From which protocol to which: by a bridge, where one is WebRTC and the other isn't.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The publisher's.
    pub from: Origin,
    /// The player's.
    pub to: Outlet,
}

impl Way {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self { from: Origin::Rtmp, to: Outlet::Rtmp },
        Self { from: Origin::Rtmp, to: Outlet::Http },
        Self { from: Origin::Rtmp, to: Outlet::Rtc },
        Self { from: Origin::Rtc, to: Outlet::Rtmp },
        Self { from: Origin::Rtc, to: Outlet::Http },
        Self { from: Origin::Rtc, to: Outlet::Rtc },
    ];

    /// The protocols, by their names.
    pub fn names(self) -> (&'static str, &'static str) {
        let from = match self.from {
            Origin::Rtmp => "rtmp",
            Origin::Rtc => "rtc",
        };
        let to = match self.to {
            Outlet::Rtmp => "rtmp",
            Outlet::Http => "http",
            Outlet::Rtc => "rtc",
        };
        (from, to)
    }

    /// Its place in [`Self::ALL`].
    fn place(self) -> usize {
        3 * self.from as usize + self.to as usize
    }
}

/// What one shard has counted.
#[derive(Debug, Default)]
pub struct Residence([Counts; Way::ALL.len()]);

#[derive(Debug, Default)]
struct Counts {
    classes: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// What several shards have counted of one way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    /// Writes by the age of their oldest message, in the classes of [`BOUNDS`] and one beyond.
    pub classes: [u64; BOUNDS.len() + 1],
    /// All ages together, microseconds.
    pub micros: u64,
}

impl Residence {
    /// Counts a write whose oldest message had this age.
    pub fn record(&self, way: Way, age: Duration) {
        let counts = &self.0[way.place()];
        let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS.partition_point(|bound| *bound < micros);
        // The shard's thread alone writes here: that costs no more than plain numbers.
        counts.classes[class].fetch_add(1, Relaxed);
        counts.micros.fetch_add(micros, Relaxed);
    }

    /// Counts a write of messages: the oldest says how they came, and how long they stayed.
    pub fn record_oldest<F: Send + Sync + 'static>(&self, to: Outlet, batch: &Batch<Wire<F>>) {
        // Configuration may be as old as the stream.
        if let Some(oldest) = batch.iter().find(|message| message.config_slot().is_none()) {
            let now = tokio::time::Instant::now().into_std();
            let way = Way { from: oldest.origin, to };
            self.record(way, now.saturating_duration_since(oldest.read_at));
        }
    }

    /// Adds what was counted of `way` to `sum`.
    pub fn add_to(&self, way: Way, sum: &mut Sum) {
        let counts = &self.0[way.place()];
        for (class, count) in sum.classes.iter_mut().zip(&counts.classes) {
            *class += count.load(Relaxed);
        }
        sum.micros = sum.micros.saturating_add(counts.micros.load(Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_go_to_their_classes() {
        let residence = Residence::default();
        let [to_rtmp, to_http, ..] = Way::ALL;
        for micros in [0, 100, 101, 1_000_000, 1_000_001] {
            residence.record(to_rtmp, Duration::from_micros(micros));
        }
        residence.record(to_http, Duration::from_millis(3));
        let (mut rtmp, mut http) = (Sum::default(), Sum::default());
        residence.add_to(to_rtmp, &mut rtmp);
        residence.add_to(to_http, &mut http);
        let mut expected = [0; BOUNDS.len() + 1];
        (expected[0], expected[1], expected[13], expected[14]) = (2, 1, 1, 1);
        assert_eq!((rtmp.classes, rtmp.micros), (expected, 2_000_202));
        assert_eq!((http.classes[5], http.micros), (1, 3_000));
    }

    #[test]
    fn each_way_has_a_place_of_its_own() {
        let places: Vec<usize> = Way::ALL.into_iter().map(Way::place).collect();
        assert_eq!(places, [0, 1, 2, 3, 4, 5]);
    }
}
