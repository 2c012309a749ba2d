use super::SrtpError;

/// Packets behind the newest of which is known whether they came (RFC 3711, 3.3.2).
pub(super) const WINDOW: u64 = 128;

/// What was received from the sources of one peer, for RTP or for RTCP.
#[derive(Debug)]
pub(super) struct Sources {
    list: Vec<Source>,
    limit: usize,
    /// Counts packets, so that of too many sources the one that is silent longest is forgotten.
    received: u64,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    window: Window,
    last_received: u64,
}

/// The newest index, and which of the 128 up to it were received: bit 0 is the newest.
#[derive(Debug, Clone, Copy)]
struct Window {
    newest: u64,
    seen: u128,
}

impl Sources {
    pub(super) fn new(limit: usize) -> Self {
        Self { list: Vec::new(), limit: limit.max(1), received: 0 }
    }

    /// The index that an RTP packet most likely has (RFC 3711, 3.3.1).
    pub(super) fn estimate(&self, ssrc: u32, sequence: u16) -> Result<u64, SrtpError> {
        let Some(window) = self.find(ssrc) else { return Ok(u64::from(sequence)) };
        let rollovers = window.newest >> 16;
        let ahead = i64::from(sequence).wrapping_sub((window.newest & 0xffff) as i64);
        let rollovers = match ahead {
            // More than half the numbers apart, it belongs to the other side of a rollover.
            32_769.. => rollovers.checked_sub(1).ok_or(SrtpError::BeforeFirst { sequence })?,
            ..=-32_769 => rollovers.saturating_add(1),
            _ => rollovers,
        };
        Ok(rollovers << 16 | u64::from(sequence))
    }

    /// Refuses what was received before, or might have been.
    pub(super) fn check(&self, ssrc: u32, index: u64) -> Result<(), SrtpError> {
        let Some(window) = self.find(ssrc) else { return Ok(()) };
        let Some(age) = window.newest.checked_sub(index) else { return Ok(()) };
        if age >= WINDOW {
            return Err(SrtpError::TooOld { index, newest: window.newest });
        }
        if window.seen >> age & 1 != 0 {
            return Err(SrtpError::Replayed { index });
        }
        Ok(())
    }

    /// Remembers a packet that was authenticated.
    pub(super) fn accept(&mut self, ssrc: u32, index: u64) {
        self.received = self.received.saturating_add(1);
        let last_received = self.received;
        if let Some(source) = self.list.iter_mut().find(|source| source.ssrc == ssrc) {
            source.window.accept(index);
            source.last_received = last_received;
            return;
        }
        let source = Source { ssrc, window: Window { newest: index, seen: 1 }, last_received };
        if self.list.len() < self.limit {
            self.list.push(source);
        } else if let Some(oldest) = self.list.iter_mut().min_by_key(|source| source.last_received)
        {
            *oldest = source;
        }
    }

    fn find(&self, ssrc: u32) -> Option<Window> {
        self.list.iter().find(|source| source.ssrc == ssrc).map(|source| source.window)
    }
}

impl Window {
    fn accept(&mut self, index: u64) {
        if let Some(age) = self.newest.checked_sub(index) {
            if age < WINDOW {
                self.seen |= 1 << age;
            }
            return;
        }
        let ahead = index.saturating_sub(self.newest);
        self.seen = if ahead < WINDOW { self.seen << ahead } else { 0 } | 1;
        self.newest = index;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_estimate_follows_the_newest_packet_across_rollovers() {
        let mut sources = Sources::new(4);
        assert_eq!(sources.estimate(1, 65_000), Ok(65_000));
        sources.accept(1, 65_000);
        assert_eq!(sources.estimate(1, 100), Ok(0x1_0064));
        assert_eq!(sources.estimate(1, 65_100), Ok(65_100));
        sources.accept(1, 0x1_0064);
        assert_eq!(sources.estimate(1, 65_535), Ok(65_535));
        assert_eq!(sources.estimate(1, 101), Ok(0x1_0065));
        assert_eq!(sources.estimate(2, 7), Ok(7));
    }

    #[test]
    fn half_the_numbers_apart_is_the_same_side() {
        let mut sources = Sources::new(4);
        sources.accept(1, 0x1_0000);
        assert_eq!(sources.estimate(1, 0x8000), Ok(0x1_8000));
        assert_eq!(sources.estimate(1, 0x8001), Ok(0x0_8001));
        sources.accept(1, 0x1_8000);
        assert_eq!(sources.estimate(1, 0), Ok(0x1_0000));
        sources.accept(1, 0x1_8001);
        assert_eq!(sources.estimate(1, 0), Ok(0x2_0000));
    }

    #[test]
    fn nothing_comes_before_the_first_number() {
        let mut sources = Sources::new(4);
        sources.accept(1, 0);
        assert_eq!(sources.estimate(1, 65_535), Err(SrtpError::BeforeFirst { sequence: 65_535 }));
    }

    #[test]
    fn the_window_has_128_packets() {
        let mut sources = Sources::new(4);
        sources.accept(1, 1000);
        assert_eq!(sources.check(1, 1000), Err(SrtpError::Replayed { index: 1000 }));
        assert_eq!(sources.check(1, 873), Ok(()));
        let too_old = SrtpError::TooOld { index: 872, newest: 1000 };
        assert_eq!(sources.check(1, 872), Err(too_old));
        sources.accept(1, 873);
        assert_eq!(sources.check(1, 873), Err(SrtpError::Replayed { index: 873 }));
        sources.accept(1, 1127);
        assert_eq!(sources.check(1, 1000), Err(SrtpError::Replayed { index: 1000 }));
        assert_eq!(sources.check(1, 1001), Ok(()));
        sources.accept(1, 5000);
        assert_eq!(sources.check(1, 4999), Ok(()));
        assert_eq!(sources.check(2, 1), Ok(()));
    }

    #[test]
    fn the_source_that_was_silent_longest_is_forgotten() {
        let mut sources = Sources::new(2);
        sources.accept(1, 10);
        sources.accept(2, 10);
        sources.accept(1, 11);
        sources.accept(3, 10);
        assert_eq!(sources.list.len(), 2);
        assert!(sources.check(1, 11).is_err());
        assert!(sources.check(2, 10).is_ok());
        assert!(sources.check(3, 10).is_err());
    }

    proptest! {
        #[test]
        fn each_index_is_accepted_once(indices in proptest::collection::vec(0_u64..600, 1..300)) {
            let mut sources = Sources::new(1);
            let mut seen = std::collections::BTreeSet::new();
            for index in indices {
                let newest = seen.last().copied().unwrap_or(0);
                let expected = !seen.contains(&index) && index + WINDOW > newest;
                prop_assert_eq!(sources.check(9, index).is_ok(), expected);
                if expected {
                    sources.accept(9, index);
                    seen.insert(index);
                }
            }
        }
    }
}
