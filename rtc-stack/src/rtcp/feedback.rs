use crate::Ssrc;
use crate::bytes_at::{u8_at, u32_at};

/// Packets that a receiver misses (RFC 4585, 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nack<'a> {
    /// Who misses them.
    pub sender: Ssrc,
    /// Whose packets they are.
    pub media: Ssrc,
    pub(super) pairs: &'a [[u8; 4]],
}

impl Nack<'_> {
    /// Walks the sequence numbers: 17 at most for each four bytes of the packet.
    pub fn sequences(&self) -> impl Iterator<Item = u16> + '_ {
        self.pairs.iter().flat_map(|&[a, b, c, d]| {
            let (first, following) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let follows = move |&bit: &u16| following >> bit & 1 != 0;
            let others = (0..16).filter(follows).map(|bit: u16| bit.wrapping_add(1));
            std::iter::once(0).chain(others).map(move |offset| first.wrapping_add(offset))
        })
    }
}

/// Sources of which a keyframe is wanted (RFC 5104, 4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullIntraRequests<'a> {
    /// Who wants it.
    pub sender: Ssrc,
    pub(super) entries: &'a [[u8; 8]],
}

impl FullIntraRequests<'_> {
    /// Walks the sources, each with the number of the request: a repeated one has the same.
    pub fn iter(&self) -> impl Iterator<Item = (Ssrc, u8)> + '_ {
        self.entries.iter().filter_map(|entry| Some((Ssrc(u32_at(entry, 0)?), u8_at(entry, 4)?)))
    }
}

/// The bitrate that a receiver can take of some sources together (draft-alvestrand-rmcat-remb-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remb<'a> {
    /// The receiver.
    pub sender: Ssrc,
    /// Six bits of exponent and 18 of mantissa.
    pub(super) bits: u32,
    pub(super) sources: &'a [[u8; 4]],
}

impl Remb<'_> {
    /// Bits per second.
    #[must_use]
    pub fn bitrate(&self) -> u64 {
        let (exponent, mantissa) = (self.bits >> 18, self.bits & 0x3_ffff);
        let bitrate = u128::from(mantissa) << (exponent & 0x3f);
        u64::try_from(bitrate).unwrap_or(u64::MAX)
    }

    /// Walks the sources.
    pub fn sources(&self) -> impl Iterator<Item = Ssrc> + '_ {
        self.sources.iter().map(|&ssrc| Ssrc(u32::from_be_bytes(ssrc)))
    }
}

/// The six bits of exponent and 18 of mantissa of a bitrate, rounded down.
pub(super) const fn remb_bits(bitrate: u64) -> u32 {
    let exponent = 46_u32.saturating_sub(bitrate.leading_zeros());
    exponent << 18 | (bitrate >> exponent) as u32
}

/// Takes ascending sequence numbers off the front that one first number and its mask can name.
pub(super) fn nack_pair(sequences: &mut &[u16]) -> Option<[u8; 4]> {
    let (&first, mut rest) = sequences.split_first()?;
    let mut following = 0_u16;
    while let Some((next, after)) = rest.split_first() {
        let Some(bit) = next.wrapping_sub(first).checked_sub(1).filter(|bit| *bit < 16) else {
            break;
        };
        following |= 1 << bit;
        rest = after;
    }
    *sequences = rest;
    Some((u32::from(first) << 16 | u32::from(following)).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_names_seventeen_numbers() {
        let nack = |pairs| Nack { sender: Ssrc(1), media: Ssrc(2), pairs };
        let sequences: Vec<_> =
            nack(&[[0xff, 0xfe, 0x20, 0x05], [0, 99, 0, 0]]).sequences().collect();
        assert_eq!(sequences, [65_534, 65_535, 1, 12, 99]);
        assert_eq!(nack_pair(&mut &sequences[..]), Some([0xff, 0xfe, 0x20, 0x05]));
    }

    #[test]
    fn bitrates_have_18_bits() {
        let remb = |bits| Remb { sender: Ssrc(1), bits, sources: &[] };
        for (bitrate, read) in [
            (0, 0),
            (1, 1),
            (0x3_ffff, 0x3_ffff),
            (0x4_0001, 0x4_0000),
            (8_927_168, 8_927_168),
            (u64::MAX, 0x3_ffff << 46),
        ] {
            assert_eq!(remb(remb_bits(bitrate)).bitrate(), read);
        }
        assert_eq!(remb(0xff_ffff).bitrate(), u64::MAX);
    }
}
