//! Numbers and times.

use std::{ops::RangeInclusive, time::Duration};

use super::{Codec, one};

/// Milliseconds for a default.
pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Seconds for a default.
pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A number within a range.
pub(crate) struct Number<N>(pub(crate) RangeInclusive<N>);

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Codec<$type> for Number<$type> {
            fn expects(&self) -> String {
                format!("a number from {} to {}", self.0.start(), self.0.end())
            }
            fn read(&self, args: &[&str]) -> Option<$type> {
                one(args)?.parse().ok().filter(|number| self.0.contains(number))
            }
            fn write(&self, value: &$type) -> Vec<String> {
                vec![value.to_string()]
            }
        }
    )*};
}
number!(u8, u32, usize, i64, f64);

/// A time in milliseconds, which may have a fraction, within a range.
pub(crate) struct Millis(pub(crate) RangeInclusive<u64>);

const NANOS_PER_MS: f64 = 1e6;

fn ms_range(range: &RangeInclusive<u64>) -> RangeInclusive<Duration> {
    ms(*range.start())..=ms(*range.end())
}

impl Codec<Duration> for Millis {
    fn expects(&self) -> String {
        format!("milliseconds from {} to {}", self.0.start(), self.0.end())
    }
    fn read(&self, args: &[&str]) -> Option<Duration> {
        let ms: f64 = one(args)?.parse().ok()?;
        // By whole nanoseconds, so that what is written is read to the same.
        let read = Duration::from_nanos((ms * NANOS_PER_MS).round() as u64);
        let range = ms_range(&self.0);
        (ms >= 0.0 && range.contains(&read)).then_some(read)
    }
    fn write(&self, value: &Duration) -> Vec<String> {
        vec![(value.as_nanos() as f64 / NANOS_PER_MS).to_string()]
    }
}

/// A time in seconds, which may have a fraction, within a range.
pub(crate) struct Seconds(pub(crate) RangeInclusive<f64>);

impl Codec<Duration> for Seconds {
    fn expects(&self) -> String {
        format!("seconds from {} to {}", self.0.start(), self.0.end())
    }
    fn read(&self, args: &[&str]) -> Option<Duration> {
        let seconds: f64 = one(args)?.parse().ok().filter(|seconds| self.0.contains(seconds))?;
        Duration::try_from_secs_f64(seconds).ok()
    }
    fn write(&self, value: &Duration) -> Vec<String> {
        vec![value.as_secs_f64().to_string()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range() {
        let codec = Number(128..=65_536_u32);
        assert_eq!(codec.read(&["128"]), Some(128));
        for wrong in ["127", "65537", "-1", "1e3", "128k", "", "0x80"] {
            assert_eq!(codec.read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(codec.read(&["128", "128"]), None);
        assert_eq!(codec.expects(), "a number from 128 to 65536");
    }

    #[test]
    fn a_fraction_may_not_be_no_number() {
        let codec = Number(0.5..=30.0);
        assert_eq!(codec.read(&["6.5"]), Some(6.5));
        for wrong in ["NaN", "inf", "-inf", "0.49"] {
            assert_eq!(codec.read(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        let codec = Seconds(0.0..=86_400.0);
        for text in ["9.9", "0", "0.000000001", "86399.999999999"] {
            let read = codec.read(&[text]).unwrap();
            assert_eq!(codec.read(&[&codec.write(&read)[0]]), Some(read), "{text}");
        }
        assert_eq!(codec.read(&["9.9"]), Some(ms(9_900)));
        let codec = Millis(0..=10);
        for wrong in ["11", "10.1", "-1", "NaN", "inf", "1e300", ""] {
            assert_eq!(codec.read(&[wrong]), None, "{wrong}");
        }
        for text in ["10", "2.5", "0.000001", "9.999999"] {
            assert_eq!(codec.write(&codec.read(&[text]).unwrap()), [text]);
        }
        assert_eq!(Millis(0..=10).write(&ms(10)), ["10"]);
    }
}
