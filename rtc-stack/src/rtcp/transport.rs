use crate::Ssrc;
use crate::bytes_at::{u8_at, u16_at, u24_at};

/// Bytes before the chunks: first number, count, reference time, count of feedback packets.
const PREFIX_LEN: usize = 8;

/// When packets of all sources of a transport arrived (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportFeedback<'a> {
    /// The receiver.
    pub sender: Ssrc,
    /// A source of the transport.
    pub media: Ssrc,
    /// The number of the first packet that it speaks of.
    pub base: u16,
    /// Of how many packets it speaks.
    pub count: u16,
    /// Counts the feedback packets; wraps.
    pub feedback: u8,
    /// The time that arrivals are counted from, in units of 64 ms, with a sign, from a beginning that the receiver chose.
    pub reference: i32,
    chunks: &'a [[u8; 2]],
    deltas: &'a [u8],
}

/// What became of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketStatus {
    /// Its number on the transport.
    pub sequence: u16,
    /// When it arrived, in units of 250 us, from the receiver's beginning; `None` if it didn't.
    pub arrival: Option<i64>,
}

impl<'a> TransportFeedback<'a> {
    /// `None` if the chunks or the times are cut, or a chunk has a symbol that doesn't exist.
    pub(super) fn decode(sender: Ssrc, media: Ssrc, body: &'a [u8]) -> Option<Self> {
        let (base, count) = (u16_at(body, 0)?, u16_at(body, 2)?);
        let reference = (u24_at(body, 4)? << 8).cast_signed() >> 8;
        let feedback = u8_at(body, 7)?;
        let rest = body.get(PREFIX_LEN..)?;
        let all_chunks = rest.as_chunks().0;
        let (mut left, mut used, mut deltas) = (count, 0_usize, 0_usize);
        while left > 0 {
            let chunk = Chunk::new(*all_chunks.get(used)?);
            used = used.saturating_add(1);
            let taken = chunk.len().min(left);
            deltas = deltas.saturating_add(chunk.delta_bytes(taken)?);
            left = left.saturating_sub(taken);
        }
        let deltas_at = used.saturating_mul(2);
        let deltas = rest.get(deltas_at..deltas_at.saturating_add(deltas))?;
        let chunks = all_chunks.get(..used)?;
        Some(Self { sender, media, base, count, feedback, reference, chunks, deltas })
    }

    /// Walks what became of each packet, in order.
    pub fn statuses(&self) -> impl Iterator<Item = PacketStatus> + use<'a> {
        let mut deltas = self.deltas;
        let mut time = i64::from(self.reference) << 8;
        let symbols = self.chunks.iter().flat_map(|&chunk| Chunk::new(chunk).symbols());
        let sequences = (0..self.count).map({
            let base = self.base;
            move |offset| base.wrapping_add(offset)
        });
        sequences.zip(symbols).map(move |(sequence, symbol)| {
            let delta = match symbol {
                Symbol::SMALL => deltas.split_first().map(|(&delta, rest)| {
                    deltas = rest;
                    i64::from(delta)
                }),
                Symbol::LARGE => deltas.split_first_chunk().map(|(&delta, rest)| {
                    deltas = rest;
                    i64::from(i16::from_be_bytes(delta))
                }),
                _ => None,
            };
            let arrival = delta.map(|delta| {
                time = time.saturating_add(delta);
                time
            });
            PacketStatus { sequence, arrival }
        })
    }
}

/// How the arrival of a packet is written.
pub(crate) struct Symbol;

impl Symbol {
    /// It didn't come.
    pub(crate) const MISSING: u8 = 0;
    /// One byte.
    pub(crate) const SMALL: u8 = 1;
    /// Two bytes with a sign.
    pub(crate) const LARGE: u8 = 2;
}

/// 16 bits that say what became of some packets.
#[derive(Debug, Clone, Copy)]
enum Chunk {
    Run { symbol: u8, len: u16 },
    OneBit(u16),
    TwoBits(u16),
}

impl Chunk {
    fn new(bytes: [u8; 2]) -> Self {
        let bits = u16::from_be_bytes(bytes);
        match bits >> 14 {
            0 | 1 => Self::Run { symbol: (bits >> 13 & 0x03) as u8, len: bits & 0x1fff },
            2 => Self::OneBit(bits & 0x3fff),
            _ => Self::TwoBits(bits & 0x3fff),
        }
    }

    const fn len(self) -> u16 {
        match self {
            Self::Run { len, .. } => len,
            Self::OneBit(_) => 14,
            Self::TwoBits(_) => 7,
        }
    }

    /// Bytes of the times of the first so many packets. `None` if one has a symbol that doesn't exist.
    fn delta_bytes(self, taken: u16) -> Option<usize> {
        let taken = usize::from(taken);
        match self {
            Self::Run { symbol, .. } if symbol > Symbol::LARGE => None,
            Self::Run { symbol, .. } => Some(usize::from(symbol).saturating_mul(taken)),
            _ => self.symbols().take(taken).try_fold(0_usize, |sum, symbol| {
                if symbol > Symbol::LARGE { None } else { sum.checked_add(usize::from(symbol)) }
            }),
        }
    }

    fn symbols(self) -> impl Iterator<Item = u8> {
        (0..self.len()).map(move |at| match self {
            Self::Run { symbol, .. } => symbol,
            Self::OneBit(bits) => (bits >> 13_u16.saturating_sub(at) & 0x01) as u8,
            Self::TwoBits(bits) => {
                (bits >> 12_u16.saturating_sub(at.saturating_mul(2)) & 0x03) as u8
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(body: &[u8]) -> Option<TransportFeedback<'_>> {
        TransportFeedback::decode(Ssrc(1), Ssrc(2), body)
    }

    #[test]
    fn the_chunks_of_the_draft_are_read() {
        // A run of 221 that didn't come (3.1.3); one-bit and two-bit vectors (3.1.4).
        let body = [
            &[0xff, 0xff, 0, 235, 0xff, 0xff, 0xff, 9][..],
            &[0x00, 0xdd, 0x9f, 0x1c],
            &[4, 1, 1, 1, 1, 1, 1, 1],
        ]
        .concat();
        let feedback = decode(&body).unwrap();
        assert_eq!((feedback.base, feedback.reference, feedback.feedback), (0xffff, -1, 9));
        let statuses: Vec<_> = feedback.statuses().collect();
        assert_eq!(statuses.len(), 235);
        assert!(statuses[..222].iter().all(|status| status.arrival.is_none()));
        assert_eq!(statuses[1].sequence, 0);
        assert_eq!(statuses[222], PacketStatus { sequence: 221, arrival: Some(-252) });
        assert_eq!(statuses.iter().filter(|status| status.arrival.is_some()).count(), 8);

        let body = [0, 5, 0, 3, 0, 0, 1, 0, 0xe4, 0x00, 0xff, 0xfe, 7, 0];
        let arrivals: Vec<_> = decode(&body).unwrap().statuses().map(|s| s.arrival).collect();
        assert_eq!(arrivals, [Some(254), Some(261), None]);
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused() {
        let body = [0, 5, 0, 3, 0, 0, 1, 0, 0xe4, 0x00, 0xff, 0xfe, 7];
        assert!(decode(&body).is_some());
        for length in 0..body.len() {
            assert_eq!(decode(&body[..length]), None);
        }
        assert_eq!(decode(&[0, 5, 0, 3, 0, 0, 1, 0, 0x60, 0x03, 1, 2, 3, 4, 5, 6]), None);
        assert_eq!(decode(&[0, 5, 0, 1, 0, 0, 1, 0, 0xf0, 0x00, 1, 2]), None);
        // Runs of no packets never end, but the bytes do.
        assert_eq!(decode(&[0, 5, 0, 3, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(decode(&[0; 8]).unwrap().statuses().count(), 0);
    }
}
