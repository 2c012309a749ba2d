//! The latest packets of a track, for all its viewers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::Limits;
use crate::rtp::RtpPacket;

/// How far behind the first packet of a track another may come.
const BEFORE_FIRST: u64 = 64;

/// A packet as a track keeps it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Its number in the track's [`Timeline`](super::timeline::Timeline).
    pub(super) sequence: u64,
    /// Its timestamp there.
    pub(super) timestamp: u32,
    pub(super) audio_level: Option<u8>,
    pub(super) orientation: Option<u8>,
    /// Bytes of padding with which it goes out the first time, in a source whose packets are not sent again as they were.
    /// None in the history.
    pub(super) padding: u8,
    pub(super) packet: RtpPacket,
}

/// The latest packets of a track by their numbers, bounded by number, bytes and age. Every viewer's numbers differ from
/// the track's by a constant, so that one history serves them all.
#[derive(Debug)]
pub(super) struct History {
    /// The packets from number `oldest` on, with nothing for those that are missing.
    packets: VecDeque<Option<Kept>>,
    oldest: u64,
    bytes: usize,
    packets_limit: usize,
    bytes_limit: usize,
    age_limit: Duration,
}

impl History {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            packets: VecDeque::new(),
            oldest: 0,
            bytes: 0,
            packets_limit: limits.history_packets.max(1),
            bytes_limit: limits.history_bytes,
            age_limit: limits.history_age,
        }
    }

    /// Whether the packet may go to viewers: it does not when it was there before, or is from before all that is known.
    /// The first matters beyond economy: a number that were sealed a second time, with other contents, would give away
    /// the keys of AES-GCM (RFC 7714, 8.1).
    pub(super) fn insert(&mut self, kept: Kept) -> bool {
        if self.packets.is_empty() {
            self.oldest = kept.sequence.saturating_sub(BEFORE_FIRST);
        }
        let Some(ahead) = kept.sequence.checked_sub(self.oldest) else {
            return false;
        };
        let mut index = usize::try_from(ahead).unwrap_or(usize::MAX);
        let excess = index.saturating_add(1).saturating_sub(self.packets_limit);
        if excess >= self.packets.len() && excess > 0 {
            self.packets.clear();
            self.bytes = 0;
            self.oldest = kept.sequence;
            index = 0;
        } else {
            (0..excess).for_each(|_| self.forget_oldest());
            index = index.saturating_sub(excess);
        }
        while self.packets.len() <= index {
            self.packets.push_back(None);
        }
        let arrival = kept.packet.arrival;
        match self.packets.get_mut(index) {
            Some(place @ None) => {
                self.bytes = self.bytes.saturating_add(kept.packet.bytes().len());
                *place = Some(kept);
            }
            _ => return false,
        }
        while self.bytes > self.bytes_limit && self.packets.len() > 1 {
            self.forget_oldest();
        }
        self.forget_older(arrival);
        true
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Kept> {
        let index = usize::try_from(sequence.checked_sub(self.oldest)?).ok()?;
        self.packets.get(index)?.as_ref()
    }

    /// Frees what is too old, for a track that gets no more packets. A place where one is missing stays as long as
    /// there is something before it, since the packet may still come.
    pub(super) fn forget_older(&mut self, now: Instant) {
        let is_young =
            |kept: &Kept| now.saturating_duration_since(kept.packet.arrival) <= self.age_limit;
        let kept = self.packets.iter().position(|place| place.as_ref().is_some_and(is_young));
        // The newest stays, so that it is known where late packets belong.
        let first = kept.unwrap_or(self.packets.len().saturating_sub(1));
        let first_old = self.packets.iter().take(first).rposition(Option::is_some);
        if let Some(last) = first_old {
            (0..=last).for_each(|_| self.forget_oldest());
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(Some(kept)) = self.packets.pop_front() {
            self.bytes = self.bytes.saturating_sub(kept.packet.bytes().len());
        }
        self.oldest = self.oldest.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::Codec;
    use crate::rtp::Fields;

    fn base() -> Instant {
        #[allow(clippy::disallowed_methods)]
        Instant::now()
    }

    fn kept(sequence: u64, arrival: Instant) -> Kept {
        let mut bytes = BytesMut::new();
        Fields::default().append(&[], &mut bytes);
        bytes.extend_from_slice(&[7; 88]);
        let packet = RtpPacket::parse(bytes, sequence, arrival, Codec::Opus).unwrap();
        Kept { sequence, timestamp: 0, audio_level: None, orientation: None, padding: 0, packet }
    }

    fn history(packets: usize, bytes: usize) -> History {
        History::new(&Limits {
            history_packets: packets,
            history_bytes: bytes,
            history_age: Duration::from_secs(1),
            ..Limits::default()
        })
    }

    #[test]
    fn a_number_is_taken_once() {
        let (mut history, now) = (history(100, 1 << 20), base());
        for sequence in [1_000, 1_002, 999, 1_001] {
            assert!(history.insert(kept(sequence, now)), "{sequence}");
            assert!(!history.insert(kept(sequence, now)), "{sequence}");
        }
        assert!(!history.insert(kept(1_000 - BEFORE_FIRST - 1, now)));
        assert!(history.get(1_001).is_some() && history.get(1_003).is_none());
    }

    #[test]
    fn what_was_forgotten_is_not_taken_again() {
        let (mut history, now) = (history(4, 1 << 20), base());
        for sequence in 1_000..1_010 {
            assert!(history.insert(kept(sequence, now)));
        }
        assert!(history.get(1_005).is_none() && history.get(1_006).is_some());
        assert!((990..1_010).all(|sequence| !history.insert(kept(sequence, now))));
        // A leap leaves nothing of what was before.
        assert!(history.insert(kept(9_000, now)));
        assert!(!history.insert(kept(1_009, now)) && history.get(1_009).is_none());
        let later = now + Duration::from_secs(2);
        assert!(history.insert(kept(9_001, later)));
        assert!(!history.insert(kept(9_000, later)));
    }

    #[test]
    fn bytes_and_age_are_bounded() {
        let (mut history, now) = (history(1_000, 1_000), base());
        for sequence in 0..50 {
            assert!(history.insert(kept(100 + sequence, now)));
            assert!(history.bytes <= 1_000);
        }
        assert!(history.get(140).is_some() && history.get(139).is_none());
        history.forget_older(now + Duration::from_secs(2));
        assert!(history.get(148).is_none() && history.get(149).is_some());
        assert_eq!(history.bytes, 100);
    }

    #[test]
    fn a_missing_packet_has_its_place_until_older_ones_are_forgotten() {
        let (mut history, now) = (history(1_000, 1 << 20), base());
        history.insert(kept(100, now));
        history.insert(kept(102, now));
        history.insert(kept(103, now + Duration::from_millis(900)));
        history.forget_older(now + Duration::from_millis(950));
        assert!(history.insert(kept(101, now + Duration::from_millis(950))));
        history.forget_older(now + Duration::from_millis(1_100));
        assert!(history.get(100).is_none() && history.get(101).is_some());
    }
}
