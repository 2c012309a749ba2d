//! How long messages stay in the server: from the read of a publisher's socket to the write to a
//! player's. Each shard counts for itself; they are added up when somebody asks.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use stream_hub::{Batch, Item};

use crate::media::Wire;

/// Upper bounds of the classes, in microseconds; a last class takes what is beyond.
pub const BOUNDS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 200_000, 350_000, 500_000,
    1_000_000,
];

/// From which protocol to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// RTMP in, RTMP out.
    RtmpToRtmp,
    /// RTMP in, HTTP out.
    RtmpToHttp,
    /// WebRTC in, WebRTC out.
    RtcToRtc,
}

impl Way {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::RtmpToRtmp, Self::RtmpToHttp, Self::RtcToRtc];

    /// The protocols, by their names.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::RtmpToRtmp => ("rtmp", "rtmp"),
            Self::RtmpToHttp => ("rtmp", "http"),
            Self::RtcToRtc => ("rtc", "rtc"),
        }
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
        let counts = &self.0[way as usize];
        let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        let class = BOUNDS.partition_point(|bound| *bound < micros);
        // The shard's thread alone writes here: that costs no more than plain numbers.
        counts.classes[class].fetch_add(1, Relaxed);
        counts.micros.fetch_add(micros, Relaxed);
    }

    /// Counts a write of messages: the oldest says how long they stayed.
    pub fn record_oldest<F: Send + Sync + 'static>(&self, way: Way, batch: &Batch<Wire<F>>) {
        // Configuration may be as old as the stream.
        if let Some(oldest) = batch.iter().find(|message| message.config_slot().is_none()) {
            let now = tokio::time::Instant::now().into_std();
            self.record(way, now.saturating_duration_since(oldest.read_at));
        }
    }

    /// Adds what was counted of `way` to `sum`.
    pub fn add_to(&self, way: Way, sum: &mut Sum) {
        let counts = &self.0[way as usize];
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
        for micros in [0, 100, 101, 1_000_000, 1_000_001] {
            residence.record(Way::RtmpToRtmp, Duration::from_micros(micros));
        }
        residence.record(Way::RtmpToHttp, Duration::from_millis(3));
        let (mut rtmp, mut http) = (Sum::default(), Sum::default());
        residence.add_to(Way::RtmpToRtmp, &mut rtmp);
        residence.add_to(Way::RtmpToHttp, &mut http);
        let mut expected = [0; BOUNDS.len() + 1];
        (expected[0], expected[1], expected[13], expected[14]) = (2, 1, 1, 1);
        assert_eq!((rtmp.classes, rtmp.micros), (expected, 2_000_202));
        assert_eq!((http.classes[5], http.micros), (1, 3_000));
    }
}
