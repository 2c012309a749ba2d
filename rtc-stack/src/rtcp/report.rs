use std::time::Duration;

use super::NtpTime;
use crate::Ssrc;
use crate::bytes_at::{u8_at, u24_at, u32_at};

/// What the sender of a source says of it (RFC 3550, 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// The wall clock time of the report.
    pub time: NtpTime,
    /// The RTP timestamp at that time.
    pub timestamp: u32,
    /// Packets sent so far; wraps.
    pub packets: u32,
    /// Bytes of payload sent so far; wraps.
    pub octets: u32,
}

/// What a receiver says of one source (RFC 3550, 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: Ssrc,
    /// Packets lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the beginning, in 24 bits. Negative if duplicates outnumber them.
    pub cumulative_lost: i32,
    /// The highest sequence number, and in the upper half how often it began anew.
    pub highest_sequence: u32,
    /// The jitter of arrivals, in ticks of the timestamp.
    pub jitter: u32,
    /// The middle of the last sender report's time; 0 if there was none.
    pub last_sender_report: u32,
    /// The time since that came, in 1/65536 s.
    pub delay: u32,
}

/// The round trip by what the other side had last of ours, the middle of a time that is not 0, and for how long it had it.
pub(super) fn round_trip_of(now: NtpTime, last: u32, delay: u32) -> Option<Duration> {
    let units = now.middle().wrapping_sub(last).checked_sub(delay).filter(|_| last != 0)?;
    // More than nine hours are a negative number.
    let units = u64::from(units).checked_mul(1_000_000).filter(|_| units < 1 << 31)?;
    Some(Duration::from_micros(units >> 16))
}

impl ReportBlock {
    pub(super) const LEN: usize = 24;

    /// The round trip of the sender report that the block repeats, which arrives at `now`. `None` if it repeats none,
    /// or names times that can't be.
    #[must_use]
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        round_trip_of(now, self.last_sender_report, self.delay)
    }

    pub(super) fn decode(bytes: &[u8; Self::LEN]) -> Option<Self> {
        Some(Self {
            ssrc: Ssrc(u32_at(bytes, 0)?),
            fraction_lost: u8_at(bytes, 4)?,
            // 24 bits with a sign.
            cumulative_lost: (u24_at(bytes, 5)? << 8).cast_signed() >> 8,
            highest_sequence: u32_at(bytes, 8)?,
            jitter: u32_at(bytes, 12)?,
            last_sender_report: u32_at(bytes, 16)?,
            delay: u32_at(bytes, 20)?,
        })
    }

    /// Losses beyond 24 bits are written as the most that there can be.
    pub(super) fn encode(&self) -> [[u8; 4]; 6] {
        let [_, a, b, c] = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes();
        [
            self.ssrc.0.to_be_bytes(),
            [self.fraction_lost, a, b, c],
            self.highest_sequence.to_be_bytes(),
            self.jitter.to_be_bytes(),
            self.last_sender_report.to_be_bytes(),
            self.delay.to_be_bytes(),
        ]
    }
}

/// The blocks of a sender or receiver report, read as they are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlocks<'a>(pub(super) &'a [[u8; ReportBlock::LEN]]);

impl ReportBlocks<'_> {
    /// Walks the blocks.
    pub fn iter(&self) -> impl Iterator<Item = ReportBlock> + '_ {
        self.0.iter().filter_map(ReportBlock::decode)
    }

    /// How many there are: 0 to 31.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_trip_of_rfc_3550() {
        // Figure 2: A = 0xb710:8000, DLSR = 0x0005:4000, LSR = 0xb705:2000; 6.125 s.
        let block = ReportBlock {
            last_sender_report: 0xb705_2000,
            delay: 0x0005_4000,
            ..ReportBlock::default()
        };
        let at = |middle: u64| block.round_trip(NtpTime::from_bits(middle << 16));
        assert_eq!(at(0xb710_8000), Some(Duration::from_millis(6_125)));
        assert_eq!(at(0xb70a_6000), Some(Duration::ZERO));
        assert_eq!(at(0xb70a_5fff), None);
        assert_eq!(at(0xb700_0000), None);
        assert_eq!(ReportBlock::default().round_trip(NtpTime::from_bits(1 << 40)), None);
    }

    #[test]
    fn losses_have_24_bits_with_a_sign() {
        for (lost, written) in [(-1, -1), (-9_000_000, -0x80_0000), (9_000_000, 0x7f_ffff), (5, 5)]
        {
            let block = ReportBlock { cumulative_lost: lost, ..ReportBlock::default() };
            let bytes: [u8; 24] = block.encode().concat().try_into().unwrap();
            assert_eq!(ReportBlock::decode(&bytes).unwrap().cumulative_lost, written);
        }
    }
}
