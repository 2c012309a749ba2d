use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::Limits;
use crate::rtp::RtpPacket;

/// Puts the packets of one track in order, and waits for those that are missing as long as a retransmission may take.
///
/// It holds packets only behind one that is missing: [`Limits::reorder_packets`] of them, for [`Limits::reorder_wait`] since
/// the first of them came. Then the missing one counts as lost.
#[derive(Debug)]
pub struct ReorderBuffer {
    held: BTreeMap<u64, RtpPacket>,
    /// The sequence number that comes next.
    next: Option<u64>,
    /// When the first of those came that are held.
    since: Option<Instant>,
    wait: Duration,
    limit: usize,
    statistics: ReorderStatistics,
}

/// What became of the packets of a [`ReorderBuffer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReorderStatistics {
    /// Packets that were there already.
    pub duplicates: u64,
    /// Packets that came after they had been given up, or again after they had come out.
    pub late: u64,
    /// Packets that were given up.
    pub lost: u64,
}

impl ReorderBuffer {
    /// A buffer that begins with the first packet that comes.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            held: BTreeMap::new(),
            next: None,
            since: None,
            wait: limits.reorder_wait,
            limit: limits.reorder_packets,
            statistics: ReorderStatistics::default(),
        }
    }

    /// Takes a packet. Time counts from [`RtpPacket::arrival`]. [`Self::poll`] until it gives nothing: only that keeps the
    /// buffer within its limit.
    pub fn receive(&mut self, packet: RtpPacket) {
        let statistics = &mut self.statistics;
        let sequence = packet.sequence;
        if self.next.is_some_and(|next| sequence < next) {
            statistics.late = statistics.late.saturating_add(1);
        } else if self.held.contains_key(&sequence) {
            statistics.duplicates = statistics.duplicates.saturating_add(1);
        } else {
            self.next.get_or_insert(sequence);
            self.since.get_or_insert(packet.arrival);
            self.held.insert(sequence, packet);
        }
    }

    /// The next packet, if all before it came out or are given up by `now`.
    #[must_use]
    pub fn poll(&mut self, now: Instant) -> Option<RtpPacket> {
        let sequence = *self.held.keys().next()?;
        let missing = sequence.saturating_sub(self.next.unwrap_or(sequence));
        let is_due = self.poll_timeout().is_some_and(|timeout| timeout <= now);
        if missing > 0 && !is_due && self.held.len() <= self.limit {
            return None;
        }
        self.statistics.lost = self.statistics.lost.saturating_add(missing);
        self.next = Some(sequence.saturating_add(1));
        let packet = self.held.remove(&sequence);
        // While there is no gap all come out anyway.
        if self.held.keys().next().copied() != self.next {
            self.since = self.held.values().map(|packet| packet.arrival).min();
        }
        packet
    }

    /// When [`Self::poll`] gives up what is missing; `None` while nothing is held.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.since.and_then(|since| since.checked_add(self.wait))
    }

    /// Packets that are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What became of the packets so far.
    #[must_use]
    pub const fn statistics(&self) -> &ReorderStatistics {
        &self.statistics
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

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn packet(sequence: u64, arrival: Instant) -> RtpPacket {
        let mut bytes = BytesMut::new();
        Fields { sequence: sequence as u16, ..Fields::default() }.append(&[], &mut bytes);
        RtpPacket::parse(bytes, sequence, arrival, Codec::Opus).unwrap()
    }

    /// What comes out at this moment.
    fn out(buffer: &mut ReorderBuffer, now: Instant) -> Vec<u64> {
        std::iter::from_fn(|| buffer.poll(now)).map(|packet| packet.sequence).collect()
    }

    #[test]
    fn packets_in_order_pass_at_once() {
        let (mut buffer, now) = (ReorderBuffer::new(&Limits::default()), base());
        for sequence in 10..20 {
            buffer.receive(packet(sequence, now));
            assert_eq!(out(&mut buffer, now), [sequence]);
            assert_eq!(buffer.poll_timeout(), None);
        }
    }

    #[test]
    fn a_late_packet_is_waited_for() {
        let (mut buffer, now) = (ReorderBuffer::new(&Limits::default()), base());
        for sequence in [1, 4, 3, 3, 1] {
            buffer.receive(packet(sequence, now));
        }
        assert_eq!(out(&mut buffer, now), [1]);
        assert_eq!(buffer.poll_timeout(), Some(now + ms(500)));
        buffer.receive(packet(2, now + ms(499)));
        assert_eq!(out(&mut buffer, now + ms(499)), [2, 3, 4]);
        buffer.receive(packet(4, now + ms(499)));
        let expected = ReorderStatistics { duplicates: 2, late: 1, lost: 0 };
        assert_eq!((*buffer.statistics(), buffer.len()), (expected, 0));
        assert_eq!(buffer.poll_timeout(), None);
    }

    #[test]
    fn a_missing_packet_is_given_up_in_time() {
        let (mut buffer, now) = (ReorderBuffer::new(&Limits::default()), base());
        buffer.receive(packet(1, now));
        buffer.receive(packet(4, now + ms(10)));
        buffer.receive(packet(8, now + ms(60)));
        // It comes late, and is waited for no longer than those behind it.
        buffer.receive(packet(3, now + ms(400)));
        assert_eq!(out(&mut buffer, now + ms(509)), [1]);
        assert_eq!(out(&mut buffer, now + ms(510)), [3, 4]);
        assert_eq!(buffer.poll_timeout(), Some(now + ms(560)));
        assert_eq!(out(&mut buffer, now + ms(560)), [8]);
        buffer.receive(packet(2, now + ms(561)));
        assert!(out(&mut buffer, now + ms(561)).is_empty());
        let expected = ReorderStatistics { duplicates: 0, late: 1, lost: 4 };
        assert_eq!(*buffer.statistics(), expected);
    }

    #[test]
    fn too_many_packets_are_not_held() {
        let limits = Limits { reorder_packets: 3, ..Limits::default() };
        let (mut buffer, now) = (ReorderBuffer::new(&limits), base());
        buffer.receive(packet(1, now));
        assert_eq!(out(&mut buffer, now), [1]);
        for sequence in [3, 5, 7] {
            buffer.receive(packet(sequence, now));
            assert!(out(&mut buffer, now).is_empty());
        }
        buffer.receive(packet(9, now));
        assert_eq!(out(&mut buffer, now), [3]);
        assert_eq!((buffer.len(), buffer.is_empty(), buffer.statistics().lost), (3, false, 1));
    }
}
