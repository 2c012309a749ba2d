//! When packets were sent.

use crate::rtp::AbsSendTime;

/// Packets that are remembered: 2 s of 5 Mbit/s.
pub(super) const REMEMBERED: usize = 1024;

/// A packet that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SentPacket {
    /// In ticks of [`AbsSendTime`], which wrap after 64 s.
    pub(super) at: u32,
    sequence: u16,
    /// With its header; 0 once it is known to have arrived.
    pub(super) bytes: u16,
}

/// The latest packets, each in the place that its number gives.
#[derive(Debug)]
pub(super) struct Sent {
    packets: Box<[SentPacket]>,
}

impl Sent {
    pub(super) fn new() -> Self {
        Self { packets: vec![SentPacket::default(); REMEMBERED].into_boxed_slice() }
    }

    pub(super) fn note(&mut self, sequence: u16, at: AbsSendTime, bytes: usize) {
        if let Some(place) = self.packets.get_mut(usize::from(sequence) % REMEMBERED) {
            let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
            *place = SentPacket { at: at.bits(), sequence, bytes };
        }
    }

    /// A packet that has arrived, once.
    pub(super) fn take(&mut self, sequence: u16) -> Option<SentPacket> {
        let place = self.packets.get_mut(usize::from(sequence) % REMEMBERED)?;
        if place.sequence != sequence || place.bytes == 0 {
            return None;
        }
        let packet = *place;
        place.bytes = 0;
        Some(packet)
    }

    /// Whether a packet was sent and has not arrived.
    pub(super) fn knows(&self, sequence: u16) -> bool {
        let place = self.packets.get(usize::from(sequence) % REMEMBERED);
        place.is_some_and(|packet| packet.sequence == sequence && packet.bytes > 0)
    }
}

/// The time from one tick of [`AbsSendTime`] to another less than 32 s away, in milliseconds.
pub(super) fn millis_between(from: u32, to: u32) -> f64 {
    let apart = (to.wrapping_sub(from) << 8).cast_signed() >> 8;
    f64::from(apart) * 1_000.0 / f64::from(1 << 18)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_packet_arrives_once_and_its_place_is_used_again() {
        let mut sent = Sent::new();
        let at = AbsSendTime::new(Duration::from_secs(1));
        for sequence in [65_535, 0, 1] {
            sent.note(sequence, at, 100);
        }
        assert!(sent.knows(65_535) && !sent.knows(2) && !sent.knows(1024));
        let packet = sent.take(65_535).unwrap();
        assert_eq!((packet.at, packet.bytes), (1 << 18, 100));
        assert_eq!(sent.take(65_535), None);
        assert!(!sent.knows(65_535));
        sent.note(1024, at, 70_000);
        assert_eq!((sent.take(0), sent.take(1024).unwrap().bytes), (None, u16::MAX));
    }

    #[test]
    fn time_goes_on_over_the_wrap() {
        let ticks = |millis| AbsSendTime::new(Duration::from_millis(millis)).bits();
        for (from, to, apart) in [(0, 20, 20.0), (63_990, 64_010, 20.0), (64_010, 63_990, -20.0)] {
            assert!((millis_between(ticks(from), ticks(to)) - apart).abs() < 0.01, "{from} {to}");
        }
    }
}
