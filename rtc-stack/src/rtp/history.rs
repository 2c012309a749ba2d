use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::RtpPacket;
use crate::Limits;

/// The last packets of a track, for viewers that miss one. Bounded in packets, bytes and age.
#[derive(Debug)]
pub struct History {
    /// One place for each sequence number from `first` on, empty for those that never came.
    packets: VecDeque<Option<RtpPacket>>,
    first: u64,
    bytes: usize,
    limit: usize,
    byte_limit: usize,
    age_limit: Duration,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            packets: VecDeque::new(),
            first: 0,
            bytes: 0,
            limit: limits.history_packets,
            byte_limit: limits.history_bytes,
            age_limit: limits.history_age,
        }
    }

    /// Keeps a packet, and forgets what is too old or too much by it. One that comes late takes its place if that is
    /// still there. Of two with the same number the first is kept.
    pub fn insert(&mut self, packet: RtpPacket) {
        let now = packet.arrival;
        if self.packets.is_empty() {
            self.first = packet.sequence;
        }
        let Some(at) = packet.sequence.checked_sub(self.first) else { return };
        let next = self.packets.len() as u64;
        let jump = at.saturating_sub(next);
        if jump >= self.limit as u64 {
            // None of the others would be kept.
            self.clear();
            self.first = packet.sequence;
        } else {
            self.packets.extend((0..jump).map(|_| None));
        }
        let size = packet.bytes().len();
        let at = usize::try_from(packet.sequence.saturating_sub(self.first)).unwrap_or(usize::MAX);
        match self.packets.get_mut(at) {
            Some(Some(_)) => return,
            Some(place) => *place = Some(packet),
            None => self.packets.push_back(Some(packet)),
        }
        self.bytes = self.bytes.saturating_add(size);
        self.forget(now);
    }

    /// The packet with this extended sequence number.
    #[must_use]
    pub fn packet(&self, sequence: u64) -> Option<&RtpPacket> {
        let at = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        self.packets.get(at)?.as_ref()
    }

    /// Forgets what is older than the limit; call it now and then for a track that fell silent.
    pub fn forget(&mut self, now: Instant) {
        while let Some(front) = self.packets.front() {
            let too_much = self.packets.len() > self.limit || self.bytes > self.byte_limit;
            let too_old = match front {
                Some(packet) => now.saturating_duration_since(packet.arrival) > self.age_limit,
                None => true,
            };
            if !too_much && !too_old {
                return;
            }
            if let Some(Some(packet)) = self.packets.pop_front() {
                self.bytes = self.bytes.saturating_sub(packet.bytes().len());
            }
            self.first = self.first.saturating_add(1);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.bytes = 0;
    }

    /// Bytes of the packets kept.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::super::Fields;
    use super::*;
    use crate::Codec;

    #[allow(clippy::disallowed_methods)]
    fn start() -> Instant {
        Instant::now()
    }

    /// A packet of 100 bytes.
    fn packet(sequence: u64, arrival: Instant) -> RtpPacket {
        let mut bytes = BytesMut::new();
        Fields { sequence: sequence as u16, ..Fields::default() }.append(&[], &mut bytes);
        bytes.put_bytes(0, 88);
        RtpPacket::parse(bytes, sequence, arrival, Codec::Opus).unwrap()
    }

    fn limits() -> Limits {
        Limits { history_packets: 10, history_bytes: 500, ..Limits::default() }
    }

    fn kept(history: &History, range: std::ops::Range<u64>) -> Vec<u64> {
        range.filter(|&s| history.packet(s).is_some_and(|p| p.sequence == s)).collect()
    }

    #[test]
    fn late_packets_take_their_place() {
        let now = start();
        let mut history = History::new(&limits());
        for sequence in [65_534, 65_537, 65_536, 65_536, 65_533] {
            history.insert(packet(sequence, now));
        }
        assert_eq!(kept(&history, 65_530..65_540), [65_534, 65_536, 65_537]);
        assert_eq!(history.bytes(), 300);
    }

    #[test]
    fn each_bound_holds() {
        let now = start();
        let mut history = History::new(&limits());
        (0..20).for_each(|sequence| history.insert(packet(sequence, now)));
        assert_eq!(kept(&history, 0..30), [15, 16, 17, 18, 19]);
        history.insert(packet(27, now));
        assert_eq!(kept(&history, 0..30), [18, 19, 27]);
        history.insert(packet(1_000_000_000, now));
        assert!(kept(&history, 0..30).is_empty());
        assert_eq!(history.bytes(), 100);
        history.forget(now + Duration::from_secs(3));
        assert_eq!(history.bytes(), 100);
        history.forget(now + Duration::from_secs(4));
        assert_eq!((history.bytes(), history.packets.len()), (0, 0));
        history.insert(packet(5, now));
        assert_eq!(kept(&history, 0..30), [5]);
    }

    #[test]
    fn a_limit_of_nothing_keeps_nothing() {
        let mut history = History::new(&Limits { history_packets: 0, ..limits() });
        history.insert(packet(5, start()));
        assert_eq!((history.bytes(), history.packets.len()), (0, 0));
    }

    proptest! {
        #[test]
        fn bytes_are_those_of_the_packets(steps in proptest::collection::vec(-8_i64..14, 1..200)) {
            let now = start();
            let mut history = History::new(&limits());
            let mut sequence = 1_000_000_i64;
            for (at, step) in steps.into_iter().enumerate() {
                sequence += step;
                history.insert(packet(sequence as u64, now + Duration::from_millis(at as u64 * 400)));
                let kept = history.packets.iter().flatten().count();
                prop_assert_eq!(history.bytes(), kept * 100);
                prop_assert!(history.packets.len() <= 10 && history.bytes() <= 500);
            }
        }
    }
}
