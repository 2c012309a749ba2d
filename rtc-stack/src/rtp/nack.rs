use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::Limits;

/// A packet that others have overtaken is waited for as long at least before it is asked for, and at most, however much
/// reordering has been seen.
const LEAST_PATIENCE: Duration = Duration::from_millis(10);
const MOST_PATIENCE: Duration = Duration::from_millis(60);

/// The packets of a track that a receiver waits for, and when to ask for them again.
///
/// The extended sequence numbers come from [`Opened::index`](crate::srtp::Opened::index) or a
/// [`SequenceExtender`](super::SequenceExtender).
#[derive(Debug)]
pub struct NackList {
    /// In order of the sequence number.
    missing: VecDeque<Missing>,
    newest: Option<u64>,
    given_up: u64,
    limit: usize,
    tries: u8,
    age: Duration,
    /// How long a packet may be late without being lost.
    patience: Duration,
}

#[derive(Debug)]
struct Missing {
    sequence: u64,
    since: Instant,
    asked: Option<Instant>,
    tries: u8,
}

/// What a packet was to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrived {
    /// The first, or the next in order.
    InOrder,
    /// Newer than the next: so many before it are missing now.
    AfterGap(u16),
    /// So much newer that the packets between aren't waited for, nor are the older ones: a decoder needs a keyframe.
    AfterJump,
    /// One that was missing.
    Recovered,
    /// One that came before, or was given up.
    Late,
}

impl NackList {
    /// An empty list.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            missing: VecDeque::new(),
            newest: None,
            given_up: 0,
            limit: limits.missing_packets,
            tries: limits.nack_tries,
            age: limits.nack_age,
            patience: LEAST_PATIENCE,
        }
    }

    /// Notes a packet that came by itself. One that was overtaken shows how much reordering is to be expected.
    pub fn receive(&mut self, sequence: u64, now: Instant) -> Arrived {
        let Some(newest) = self.newest else {
            self.newest = Some(sequence);
            return Arrived::InOrder;
        };
        if sequence <= newest {
            let place = self.missing.binary_search_by_key(&sequence, |missing| missing.sequence);
            let Some(missing) = place.ok().and_then(|at| self.missing.remove(at)) else {
                return Arrived::Late;
            };
            self.learn(&missing, now);
            return Arrived::Recovered;
        }
        self.newest = Some(sequence);
        let gap = sequence.saturating_sub(newest).saturating_sub(1);
        let Some(gap) = u16::try_from(gap).ok().filter(|gap| usize::from(*gap) <= self.limit)
        else {
            self.give_up(self.missing.len());
            return Arrived::AfterJump;
        };
        if gap == 0 {
            return Arrived::InOrder;
        }
        let room = self.limit.saturating_sub(usize::from(gap));
        self.give_up(self.missing.len().saturating_sub(room));
        let new = |sequence| Missing { sequence, since: now, asked: None, tries: 0 };
        self.missing.extend((newest.saturating_add(1)..sequence).map(new));
        Arrived::AfterGap(gap)
    }

    /// Notes a packet that came by a retransmission (RFC 4588). Whether it was waited for.
    pub fn recover(&mut self, sequence: u64) -> bool {
        let place = self.missing.binary_search_by_key(&sequence, |missing| missing.sequence);
        let is_awaited = place.ok().and_then(|at| self.missing.remove(at)).is_some();
        if is_awaited {
            // What was lost was not late.
            self.patience = self.patience.mul_f32(0.95).max(LEAST_PATIENCE);
        }
        is_awaited
    }

    /// Takes how late a packet came, unless that was the answer to being asked for.
    fn learn(&mut self, missing: &Missing, now: Instant) {
        if missing.asked.is_none_or(|asked| !elapsed(now, asked, LEAST_PATIENCE)) {
            let late = now.saturating_duration_since(missing.since);
            self.patience = self.patience.max(late.mul_f32(1.5).min(MOST_PATIENCE));
        }
    }

    /// Appends the sequence numbers to ask for now: those that are later than reordering makes packets (10 ms, and up to
    /// 60 ms as that is seen), and those of which a round trip brought no answer. Gives up what was asked for often enough, or waited for long enough.
    pub fn poll(&mut self, now: Instant, round_trip: Duration, due: &mut Vec<u16>) {
        let (tries, age) = (self.tries, self.age);
        let before = self.missing.len();
        self.missing.retain(|missing| {
            let is_answered_late =
                missing.asked.is_none_or(|asked| elapsed(now, asked, round_trip));
            !elapsed(now, missing.since, age) && (missing.tries < tries || !is_answered_late)
        });
        let given_up = before.saturating_sub(self.missing.len()) as u64;
        self.given_up = self.given_up.saturating_add(given_up);
        for missing in &mut self.missing {
            let is_due = match missing.asked {
                None => elapsed(now, missing.since, self.patience),
                Some(asked) => elapsed(now, asked, round_trip),
            };
            if is_due {
                missing.asked = Some(now);
                missing.tries = missing.tries.saturating_add(1);
                due.push(missing.sequence as u16);
            }
        }
    }

    /// When [`NackList::poll`] has something to do. `None` if nothing is missing.
    #[must_use]
    pub fn poll_timeout(&self, round_trip: Duration) -> Option<Instant> {
        let due = |missing: &Missing| match missing.asked {
            None => missing.since.checked_add(self.patience),
            Some(asked) => asked.checked_add(round_trip),
        };
        self.missing.iter().filter_map(due).min()
    }

    /// Packets that are waited for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.missing.len()
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// Packets given up so far. If it grows, a decoder of video needs a keyframe.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Waits for nothing from before the newest packet, such as when a keyframe makes it needless.
    pub fn clear(&mut self) {
        self.missing.clear();
    }

    fn give_up(&mut self, count: usize) {
        self.missing.drain(..count.min(self.missing.len()));
        self.given_up = self.given_up.saturating_add(count as u64);
    }
}

fn elapsed(now: Instant, since: Instant, duration: Duration) -> bool {
    now.saturating_duration_since(since) >= duration
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    #[allow(clippy::disallowed_methods)]
    fn start() -> Instant {
        Instant::now()
    }

    fn list() -> NackList {
        let age = Duration::from_millis(400);
        NackList::new(&Limits {
            missing_packets: 8,
            nack_tries: 3,
            nack_age: age,
            ..Limits::default()
        })
    }

    fn due(list: &mut NackList, now: Instant) -> Vec<u16> {
        let mut due = Vec::new();
        list.poll(now, RTT, &mut due);
        due
    }

    #[test]
    fn a_gap_is_asked_for_until_it_is_filled() {
        let now = start();
        let mut list = list();
        assert_eq!(list.receive(65_534, now), Arrived::InOrder);
        assert_eq!(list.receive(65_535, now), Arrived::InOrder);
        assert_eq!(list.poll_timeout(RTT), None);
        assert_eq!(list.receive(65_539, now), Arrived::AfterGap(3));
        assert!(due(&mut list, now).is_empty());
        assert_eq!(list.poll_timeout(RTT), Some(now + LEAST_PATIENCE));
        let now = now + LEAST_PATIENCE;
        assert_eq!(due(&mut list, now), [0, 1, 2]);
        assert_eq!(list.poll_timeout(RTT), Some(now + RTT));
        assert!(due(&mut list, now + RTT / 2).is_empty());
        assert_eq!(list.receive(65_537, now), Arrived::Recovered);
        assert_eq!(list.receive(65_537, now), Arrived::Late);
        assert_eq!(due(&mut list, now + RTT), [0, 2]);
        list.clear();
        assert!(list.is_empty());
        assert_eq!(list.given_up(), 0);
    }

    #[test]
    fn it_gives_up_after_its_tries() {
        let now = start();
        let mut list = list();
        list.receive(1, now);
        list.receive(3, now);
        let now = now + LEAST_PATIENCE;
        for turn in 0..3 {
            assert_eq!(due(&mut list, now + RTT * turn), [2]);
        }
        assert_eq!((due(&mut list, now + RTT * 5 / 2), list.len()), (vec![], 1));
        assert_eq!((due(&mut list, now + RTT * 3), list.len()), (vec![], 0));
        assert_eq!(list.given_up(), 1);
        assert_eq!(list.receive(2, now), Arrived::Late);
    }

    #[test]
    fn it_gives_up_after_its_time() {
        let now = start();
        let mut list = list();
        list.receive(1, now);
        list.receive(3, now);
        assert!(due(&mut list, now + Duration::from_millis(400)).is_empty());
        assert_eq!(list.given_up(), 1);
    }

    #[test]
    fn what_is_overtaken_is_no_loss() {
        let (now, milli) = (start(), Duration::from_millis(1));
        let mut list = list();
        list.receive(0, now);
        // One that comes 9 ms late is not asked for.
        list.receive(2, now);
        assert!(due(&mut list, now + 9 * milli).is_empty());
        assert_eq!(list.receive(1, now + 9 * milli), Arrived::Recovered);
        // What is seen of reordering is expected of it: 13.5 ms, then 19.5 ms, and never more than 60 ms.
        list.receive(4, now);
        assert!(due(&mut list, now + 13 * milli).is_empty());
        list.receive(3, now + 13 * milli);
        list.receive(6, now);
        assert!(due(&mut list, now + 19 * milli).is_empty());
        list.receive(5, now + 900 * milli);
        list.receive(8, now);
        assert!(due(&mut list, now + 59 * milli).is_empty());
        assert_eq!(due(&mut list, now + 60 * milli), [7]);
        // Losses make it less patient again; the answer to a request is not late.
        for number in 0..40 {
            let sequence = 10 + 2 * number;
            list.receive(sequence, now);
            assert!(list.recover(sequence - 1));
        }
        list.receive(100, now);
        assert!(!list.recover(50) && list.patience == LEAST_PATIENCE);
    }

    #[test]
    fn a_jump_begins_anew() {
        let now = start();
        let mut list = list();
        list.receive(1, now);
        assert_eq!(list.receive(10, now), Arrived::AfterGap(8));
        assert_eq!(list.receive(20, now), Arrived::AfterJump);
        assert_eq!((list.len(), list.given_up()), (0, 8));
        assert_eq!(list.receive(u64::MAX, now), Arrived::AfterJump);
    }

    proptest! {
        #[test]
        fn the_list_is_what_is_missing(steps in proptest::collection::vec(-9_i64..9, 1..100)) {
            let now = start();
            let mut list = list();
            let mut newest = 1000_i64;
            list.receive(1000, now);
            let mut seen = std::collections::BTreeSet::from([1000]);
            for step in steps {
                let sequence = newest + step;
                list.receive(sequence as u64, now);
                newest = newest.max(sequence);
                seen.insert(sequence);
                prop_assert!(list.len() <= 8);
                for missing in &list.missing {
                    prop_assert!(!seen.contains(&(missing.sequence as i64)));
                }
                let missing = (1001..newest).filter(|s| !seen.contains(s)).count() as u64;
                prop_assert!(list.len() as u64 + list.given_up() >= missing);
            }
        }
    }
}
