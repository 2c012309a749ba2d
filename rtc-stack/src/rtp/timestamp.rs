/// Continues 32-bit timestamps beyond their wrap.
///
/// The first is kept as it is, plus 2^32, so that those from shortly before it have a place too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimestampExtender {
    last: Option<u64>,
}

impl TimestampExtender {
    /// Extends a timestamp to the value nearest to the one before, which may be less: frames are not sent in the order
    /// that they are shown in.
    pub fn extend(&mut self, timestamp: u32) -> u64 {
        let extended = match self.last {
            None => u64::from(timestamp).saturating_add(1 << 32),
            Some(last) => {
                let ahead = timestamp.wrapping_sub(last as u32).cast_signed();
                last.saturating_add_signed(i64::from(ahead))
            }
        };
        self.last = Some(extended);
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_wrap_in_both_directions() {
        const WRAP: u64 = 1 << 32;
        let mut extender = TimestampExtender::default();
        let extended = [10, u32::MAX, 5, 0x7000_0000, 0xe000_0000, 3].map(|t| extender.extend(t));
        assert_eq!(
            extended,
            [WRAP + 10, WRAP - 1, WRAP + 5, WRAP + 0x7000_0000, WRAP + 0xe000_0000, 2 * WRAP + 3]
        );
    }
}
