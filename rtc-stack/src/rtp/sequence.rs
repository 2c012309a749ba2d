/// Continues 16-bit sequence numbers beyond their wrap.
///
/// The first number is kept as it is, plus 2^16, so that those from shortly before it have a place too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceExtender {
    newest: Option<u64>,
}

impl SequenceExtender {
    /// Extends a number to the value nearest to the newest one.
    pub fn extend(&mut self, sequence: u16) -> u64 {
        let extended = match self.newest {
            None => u64::from(sequence).saturating_add(1 << 16),
            Some(newest) => {
                let ahead = sequence.wrapping_sub(newest as u16).cast_signed();
                newest.saturating_add_signed(i64::from(ahead))
            }
        };
        self.newest = self.newest.max(Some(extended));
        extended
    }

    /// The largest value so far.
    #[must_use]
    pub const fn newest(&self) -> Option<u64> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_wrap_in_both_directions() {
        let mut extender = SequenceExtender::default();
        let extended = [0, 65_535, 1, 65_534, 40_000, 30_000].map(|s| extender.extend(s));
        assert_eq!(extended, [65_536, 65_535, 65_537, 65_534, 40_000, 95_536]);
        assert_eq!(extender.newest(), Some(95_536));
        assert_eq!(extender.extend(40_000), 105_536);
    }

    proptest! {
        #[test]
        fn any_walk_of_less_than_half_the_numbers_is_followed(
            first: u16, steps in proptest::collection::vec(-5_000_i64..20_000, 1..50),
        ) {
            let mut extender = SequenceExtender::default();
            let mut newest = i64::from(first) + 65_536;
            prop_assert_eq!(extender.extend(first), newest as u64);
            for step in steps {
                let value = newest + step;
                prop_assert_eq!(extender.extend(value as u16), value as u64);
                newest = newest.max(value);
            }
        }
    }
}
