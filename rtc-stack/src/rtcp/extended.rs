use std::time::Duration;

use super::NtpTime;
use super::report::round_trip_of;
use crate::Ssrc;
use crate::bytes_at::{array, u8_at, u16_at, u32_at};

/// The types of the blocks that are understood.
const REFERENCE_TIME: u8 = 4;
const LAST_REFERENCES: u8 = 5;

/// What those who send nothing measure the round trip by (RFC 3611).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedReports<'a> {
    /// Who reports.
    pub sender: Ssrc,
    pub(super) blocks: &'a [u8],
}

/// The last reference time that somebody had of a receiver (RFC 3611, 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastReference {
    /// The receiver.
    pub ssrc: Ssrc,
    /// The middle of the time that it said; 0 if there was none.
    pub last: u32,
    /// The time since that came, in 1/65536 s.
    pub delay: u32,
}

impl LastReference {
    /// The round trip, when this arrives at `now`. `None` if there was no reference, or the times can't be.
    #[must_use]
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        round_trip_of(now, self.last, self.delay)
    }
}

impl<'a> ExtendedReports<'a> {
    /// The sender's clock, when it sent this (RFC 3611, 4.4).
    #[must_use]
    pub fn reference_time(&self) -> Option<NtpTime> {
        let mut blocks = self.blocks();
        let (_, content) = blocks.find(|(kind, _)| *kind == REFERENCE_TIME)?;
        array(content, 0).map(|bits| NtpTime::from_bits(u64::from_be_bytes(bits)))
    }

    /// Walks the reference times that it had of others.
    pub fn last_references(&self) -> impl Iterator<Item = LastReference> + use<'a> {
        let blocks = self.blocks().filter(|(kind, _)| *kind == LAST_REFERENCES);
        blocks.flat_map(|(_, content)| content.as_chunks::<12>().0).filter_map(|entry| {
            let (ssrc, last, delay) = (u32_at(entry, 0)?, u32_at(entry, 4)?, u32_at(entry, 8)?);
            Some(LastReference { ssrc: Ssrc(ssrc), last, delay })
        })
    }

    /// Walks types and contents of the blocks. Ends where one is cut.
    fn blocks(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.blocks;
        std::iter::from_fn(move || {
            let (kind, words) = (u8_at(rest, 0)?, u16_at(rest, 2)?);
            let end = usize::from(words).saturating_mul(4).saturating_add(4);
            let content = rest.get(4..end)?;
            rest = rest.get(end..)?;
            Some((kind, content))
        })
    }
}

/// A block with a reference time.
pub(super) fn reference_time(time: NtpTime) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = time.bits().to_be_bytes();
    [REFERENCE_TIME, 0, 0, 2, a, b, c, d, e, f, g, h]
}

/// A block with the last reference of one receiver.
pub(super) fn last_reference(last: &LastReference) -> [[u8; 4]; 4] {
    let words = [last.ssrc.0, last.last, last.delay].map(u32::to_be_bytes);
    [[LAST_REFERENCES, 0, 0, 3], words[0], words[1], words[2]]
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::{Packet, Packets, Writer};
    use super::*;

    fn reports(bytes: &[u8]) -> ExtendedReports<'_> {
        match Packets::new(bytes).next() {
            Some(Ok(Packet::ExtendedReports(reports))) => reports,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_round_trip_is_measured_by_two_reports() {
        let asked = NtpTime::from_unix(Duration::from_secs(1_000));
        let mut out = BytesMut::new();
        Writer::new(&mut out).reference_time(Ssrc(7), asked);
        assert_eq!(out[..12], [0x80, 207, 0, 4, 0, 0, 0, 7, 4, 0, 0, 2]);
        let read = reports(&out);
        assert_eq!((read.sender, read.reference_time()), (Ssrc(7), Some(asked)));
        assert_eq!(read.last_references().count(), 0);
        // It is held for half a second, of 600 ms.
        let last = LastReference { ssrc: Ssrc(7), last: asked.middle(), delay: 1 << 15 };
        out.clear();
        Writer::new(&mut out).last_reference(Ssrc(8), &last);
        assert_eq!(out.len(), 24);
        let read = reports(&out);
        assert_eq!(read.reference_time(), None);
        assert_eq!(read.last_references().collect::<Vec<_>>(), [last]);
        let now = NtpTime::from_unix(Duration::from_millis(1_000_600));
        let round_trip = last.round_trip(now).unwrap();
        assert!(round_trip.abs_diff(Duration::from_millis(100)) < Duration::from_millis(1));
        assert_eq!(LastReference { last: 0, ..last }.round_trip(now), None);
    }

    #[test]
    fn unknown_and_cut_blocks_are_left_aside() {
        let mut bytes = vec![0x80, 207, 0, 7, 0, 0, 0, 7];
        bytes.extend([1, 0, 0, 1, 9, 9, 9, 9]);
        bytes.extend([4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        bytes.extend([5, 0, 0, 9]);
        let read = reports(&bytes);
        assert_eq!(read.reference_time(), Some(NtpTime::from_bits(0x1_0000_0002)));
        assert_eq!(read.last_references().count(), 0);
    }
}
