//! How much arrives.

/// Arrivals are counted over so many parts of [`PART`].
const PARTS: usize = 10;
/// 50 ms, in units of 250 us.
const PART: i64 = 200;
/// Parts in a second.
const PARTS_PER_SECOND: u64 = 20;

/// Bytes that arrived in the latest half second, by the receiver's clock.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    /// Each in the place that its number gives.
    parts: [u32; PARTS],
    /// The numbers of the first part that is known, and of the present one.
    known: Option<(i64, i64)>,
}

impl Throughput {
    /// Notes bytes that arrived, at a time in units of 250 us.
    pub(super) fn note(&mut self, arrival: i64, bytes: u16) {
        let part = arrival.div_euclid(PART);
        let (first, newest) = self.known.unwrap_or((part, part));
        let ahead = part.saturating_sub(newest);
        if ahead.unsigned_abs() >= PARTS as u64 {
            // A pause, or another clock.
            self.parts = [0; PARTS];
            self.known = Some((part, part));
        } else {
            (1..=ahead).for_each(|step| self.place(newest.saturating_add(step), |part| *part = 0));
            self.known = Some((first.min(part), newest.max(part)));
        }
        self.place(part, |part| *part = part.saturating_add(u32::from(bytes)));
    }

    /// Bits per second, of the parts that are complete; `None` before there are enough of them.
    pub(super) fn bits(&self) -> Option<u64> {
        let (first, newest) = self.known?;
        let whole = PARTS.saturating_sub(1) as u64;
        if newest.saturating_sub(first).unsigned_abs() < whole {
            return None;
        }
        let all: u64 = self.parts.iter().map(|part| u64::from(*part)).sum();
        let present = self.parts.get(place(newest)).copied().unwrap_or(0);
        let bytes = all.saturating_sub(u64::from(present));
        bytes.saturating_mul(8 * PARTS_PER_SECOND).checked_div(whole)
    }

    fn place(&mut self, part: i64, change: impl FnOnce(&mut u32)) {
        if let Some(part) = self.parts.get_mut(place(part)) {
            change(part);
        }
    }
}

fn place(part: i64) -> usize {
    usize::try_from(part.rem_euclid(PARTS as i64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_told() {
        let mut throughput = Throughput::default();
        // 125 bytes each ms are 1 Mbit/s; it begins before the receiver's zero.
        for milli in -300..400 {
            throughput.note(milli * 4, 125);
            assert_eq!(throughput.bits().is_some(), milli >= 150, "{milli}");
        }
        assert_eq!(throughput.bits(), Some(1_000_000));
        // It stops, and goes on with half of it.
        for milli in (2_000..2_700).step_by(2) {
            throughput.note(milli * 4, 125);
        }
        assert_eq!(throughput.bits(), Some(500_000));
        throughput.note(i64::MAX, u16::MAX);
        throughput.note(i64::MIN, u16::MAX);
        assert_eq!(throughput.bits(), None);
    }
}
