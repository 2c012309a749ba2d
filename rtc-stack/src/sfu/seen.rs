//! Which packets of a source have come.

/// Numbers that are told apart behind the newest.
const WINDOW: u64 = 1024;
const WORDS: usize = (WINDOW / 64) as usize;

/// The latest packets of a source, so that one that came is not taken again when its retransmission comes too. The
/// window of SRTP knows the packets of each source for itself, and not that two sources repeat each other.
#[derive(Debug, Default)]
pub(super) struct Seen {
    newest: Option<u64>,
    /// One bit for each number, in the place that its lower bits give.
    bits: [u64; WORDS],
}

impl Seen {
    /// Notes a packet. False if it came before, or if it is so old that nobody knows.
    pub(super) fn note(&mut self, sequence: u64) -> bool {
        let newest = *self.newest.get_or_insert(sequence);
        if sequence.saturating_add(WINDOW) <= newest {
            return false;
        }
        if sequence.saturating_sub(newest) >= WINDOW {
            self.bits = [0; WORDS];
        } else {
            (newest.saturating_add(1)..=sequence).for_each(|number| {
                self.place(number, |word, bit| *word &= !bit);
            });
        }
        self.newest = Some(newest.max(sequence));
        let mut is_new = false;
        self.place(sequence, |word, bit| {
            is_new = *word & bit == 0;
            *word |= bit;
        });
        is_new
    }

    /// The largest number so far.
    pub(super) const fn newest(&self) -> Option<u64> {
        self.newest
    }

    fn place(&mut self, sequence: u64, change: impl FnOnce(&mut u64, u64)) {
        let place = sequence % WINDOW;
        if let Some(word) = self.bits.get_mut((place / 64) as usize) {
            change(word, 1 << (place % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_packet_is_taken_once() {
        let mut seen = Seen::default();
        assert!(seen.note(5_000));
        assert!(!seen.note(5_000));
        assert!(seen.note(4_990));
        assert!(seen.note(5_003));
        assert!(seen.note(5_002) && !seen.note(5_002));
        assert!(seen.note(5_003 - WINDOW + 1));
        assert!(!seen.note(5_003 - WINDOW));
        assert!(seen.note(5_003 + WINDOW) && seen.note(5_004) && !seen.note(5_003));
        assert!(seen.note(1 << 40) && !seen.note(1 << 40));
        assert_eq!(seen.newest(), Some(1 << 40));
    }

    #[test]
    fn a_window_forgets_what_was_there_before() {
        let mut seen = Seen::default();
        for sequence in 0..10 * WINDOW {
            assert!(seen.note(sequence), "{sequence}");
        }
    }
}
