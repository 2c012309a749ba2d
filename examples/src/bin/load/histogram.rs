//! Durations in buckets, so that millions take the memory of a few.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Buckets of one power of two: values are off by 1/32 at most.
const PER_OCTAVE: u32 = 32;
/// Greater values count as this: 2^36 microseconds, 19 hours.
const MAX: u64 = (1 << 36) - 1;

/// Counts durations in microseconds.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

/// A histogram for people, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; bucket_of(MAX) + 1], count: 0, max: 0 }
    }

    pub(crate) fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(MAX).min(MAX);
        self.buckets[bucket_of(micros)] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += count;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// `None` if nothing was counted.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        (self.count > 0).then(|| Percentiles {
            count: self.count,
            p50: millis(self.quantile(50)),
            p99: millis(self.quantile(99)),
            max: millis(self.max),
        })
    }

    /// The value that `percent` of all do not exceed.
    fn quantile(&self, percent: u64) -> u64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut below = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            below += count;
            if below >= rank {
                return last_of(bucket).min(self.max);
            }
        }
        self.max
    }
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

/// Small values have a bucket each; then every power of two has [`PER_OCTAVE`].
fn bucket_of(value: u64) -> usize {
    let octave = value.max(1).ilog2().saturating_sub(PER_OCTAVE.ilog2());
    (octave * PER_OCTAVE) as usize + (value >> octave) as usize
}

/// The greatest value of a bucket.
fn last_of(bucket: usize) -> u64 {
    let per_octave = PER_OCTAVE as usize;
    let octave = (bucket / per_octave).saturating_sub(1);
    let first = (bucket - octave * per_octave) as u64;
    ((first + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        let mut last = 0;
        for value in 0..100_000 {
            let bucket = bucket_of(value);
            assert!(bucket == last || bucket == last + 1, "{value}");
            last = bucket;
            let end = last_of(bucket);
            assert!((value..=value + value / 32).contains(&end), "{value}: {end}");
            assert_eq!(bucket_of(end), bucket);
        }
        assert_eq!(last_of(bucket_of(MAX)), MAX);
    }

    #[test]
    fn percentiles_of_a_hundred_values() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.percentiles(), None);
        for ms in 1..=100 {
            histogram.add(Duration::from_millis(ms));
        }
        let Percentiles { count, p50, p99, max } = histogram.percentiles().unwrap();
        assert_eq!((count, max), (100, 100.0));
        assert!((50.0..51.6).contains(&p50), "{p50}");
        assert!((99.0..=100.0).contains(&p99), "{p99}");
    }

    #[test]
    fn very_long_ones_are_cut() {
        let mut histogram = Histogram::new();
        histogram.add(Duration::MAX);
        assert_eq!(histogram.percentiles().unwrap().max, MAX as f64 / 1000.0);
    }

    #[test]
    fn merged_ones_count_as_one() {
        let (mut all, mut even, mut odd) = (Histogram::new(), Histogram::new(), Histogram::new());
        for ms in 1..=100 {
            all.add(Duration::from_millis(ms));
            if ms % 2 == 0 { &mut even } else { &mut odd }.add(Duration::from_millis(ms));
        }
        odd.merge(&even);
        assert_eq!(odd.percentiles(), all.percentiles());
    }
}
