use bytes::{BufMut, Bytes, BytesMut};

use super::obu::{Obu, SEQUENCE_HEADER, leb128_len, put_leb128};
use crate::payload::cuts::even;
use crate::payload::{PacketizeError, Payload};

/// The element continues one of the packet before.
const CONTINUES: u8 = 0x80;
/// The last element goes on in the next packet.
const GOES_ON: u8 = 0x40;
/// A coded video sequence begins.
const BEGINS: u8 = 0x08;
/// How many elements the aggregation header can count; only then the last needs no length.
const MOST: usize = 3;

/// An OBU or a fragment: what is left of its header, then of what follows that.
#[derive(Debug, Clone)]
struct Element {
    head: [u8; 2],
    head_len: usize,
    body: Bytes,
}

impl Element {
    fn new(head: &[u8], body: Bytes) -> Self {
        let mut kept = [0; 2];
        kept.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
        Self { head: kept, head_len: head.len().min(2), body }
    }

    fn head(&self) -> &[u8] {
        self.head.get(..self.head_len).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.head_len.saturating_add(self.body.len())
    }

    /// Takes the first `len` bytes off, the header among them.
    fn split_to(&mut self, len: usize) -> Self {
        let of_body = len.saturating_sub(self.head_len).min(self.body.len());
        let first =
            Self { head: self.head, head_len: self.head_len, body: self.body.split_to(of_body) };
        self.head_len = 0;
        first
    }
}

/// Cuts and joins OBUs.
#[derive(Debug, Clone, Default)]
pub(in crate::payload) struct Obus {
    elements: Vec<Element>,
    /// What will share the next packet.
    waiting: Vec<Element>,
}

impl Obus {
    pub(in crate::payload) fn packetize(
        &mut self,
        units: impl Iterator<Item = Bytes>,
        room: usize,
        out: &mut Vec<Payload>,
    ) -> Result<(), PacketizeError> {
        self.elements.clear();
        let mut flags = 0;
        for mut unit in units {
            while !unit.is_empty() {
                let obu = Obu::read(&unit).ok_or(PacketizeError::Obu)?;
                let body = unit.slice(obu.start..obu.end);
                let _ = unit.split_to(obu.end);
                if obu.is_carried() {
                    self.elements.push(Element::new(obu.header(), body));
                }
                if obu.kind() == SEQUENCE_HEADER {
                    flags = BEGINS;
                }
            }
        }
        // Of the packet besides the aggregation header: what waits, each with its length.
        let room = room.saturating_sub(1);
        let mut used = 0_usize;
        let mut elements = std::mem::take(&mut self.elements);
        for mut element in elements.drain(..) {
            if self.waiting.len() == MOST {
                self.flush(&mut flags, out);
                used = 0;
            }
            if used.saturating_add(element.len()) > room {
                let size = even(used.saturating_add(element.len()), room);
                // A fragment of a header alone is allowed, and of no use.
                if size.saturating_sub(used) <= 2 || element.len() <= room {
                    self.flush(&mut flags, out);
                    used = 0;
                }
                let size = even(used.saturating_add(element.len()), room);
                let mut first = size.saturating_sub(used);
                while element.len() > first {
                    self.waiting.push(element.split_to(first));
                    flags |= GOES_ON;
                    self.flush(&mut flags, out);
                    flags = CONTINUES;
                    (first, used) = (size, 0);
                }
            }
            let len = element.len();
            used = used.saturating_add(len).saturating_add(leb128_len(len));
            self.waiting.push(element);
            if flags & CONTINUES != 0 {
                self.flush(&mut flags, out);
                used = 0;
            }
        }
        self.flush(&mut flags, out);
        // Its room is for the next temporal unit.
        self.elements = elements;
        Ok(())
    }

    /// Sends what waits, and forgets the flags.
    fn flush(&mut self, flags: &mut u8, out: &mut Vec<Payload>) {
        let Some((last, others)) = self.waiting.split_last() else { return };
        let aggregation = std::mem::take(flags) | (self.waiting.len() as u8) << 4;
        if others.is_empty() {
            let mut head = [aggregation, 0, 0];
            head.iter_mut().skip(1).zip(last.head()).for_each(|(to, from)| *to = *from);
            let head = head.get(..last.head_len.saturating_add(1)).unwrap_or_default();
            out.push(Payload::new(head, last.body.clone()));
        } else {
            let lens = self.waiting.iter().map(|element| element.len().saturating_add(4));
            let mut joined = BytesMut::with_capacity(lens.sum::<usize>().saturating_add(1));
            joined.put_u8(aggregation);
            for element in others {
                put_leb128(element.len(), &mut joined);
                joined.put_slice(element.head());
                joined.put_slice(&element.body);
            }
            joined.put_slice(last.head());
            joined.put_slice(&last.body);
            out.push(Payload::new(&[], joined.freeze()));
        }
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::payload::Packetizer;

    fn packetized(room: usize, unit: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let mut packetizer = Packetizer::new(Codec::Av1, room).unwrap();
        packetizer.packetize([Bytes::copy_from_slice(unit)], &mut out).unwrap();
        out.iter().map(|payload| payload.to_bytes().to_vec()).collect()
    }

    /// An OBU of this type, with its size.
    fn obu(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut obu = BytesMut::from(&[kind << 3 | 2][..]);
        put_leb128(body.len(), &mut obu);
        obu.put_slice(body);
        obu.to_vec()
    }

    #[test]
    fn a_keyframe_begins_a_sequence_and_loses_its_delimiter() {
        let unit = [obu(2, &[]), obu(1, &[7, 8, 9]), obu(6, &[1; 5]), obu(15, &[0])].concat();
        assert_eq!(
            packetized(64, &unit),
            [[0x28, 4, 0x08, 7, 8, 9, 0x30, 1, 1, 1, 1, 1]],
            "two elements, the last without a length"
        );
    }

    #[test]
    fn a_frame_alone_is_one_element_and_not_copied() {
        let unit = Bytes::from(obu(6, &[5; 40]));
        let mut out = Vec::new();
        let mut packetizer = Packetizer::new(Codec::Av1, 64).unwrap();
        packetizer.packetize([unit.clone()], &mut out).unwrap();
        assert_eq!((out.len(), out[0].head()), (1, &[0x10, 0x30][..]));
        assert_eq!(out[0].body().as_ptr(), unit[2..].as_ptr());
    }

    #[test]
    fn a_frame_that_is_too_long_is_cut_evenly_behind_what_waits() {
        let unit = [obu(1, &[7; 9]), obu(6, &[1; 140])].concat();
        let sent = packetized(64, &unit);
        // 11 bytes of the sequence header and its length, and 141 of the frame.
        assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [52, 52, 51]);
        assert_eq!(sent[0][..13], [0x68, 10, 0x08, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0x30]);
        assert_eq!((sent[1][0], sent[2][0]), (0xd0, 0x90));
    }

    #[test]
    fn a_fourth_element_begins_another_packet() {
        let unit = [obu(3, &[1]), obu(4, &[2]), obu(4, &[3]), obu(4, &[4])].concat();
        assert_eq!(
            packetized(64, &unit),
            [&[0x30, 2, 0x18, 1, 2, 0x20, 2, 0x20, 3][..], &[0x10, 0x20, 4]]
        );
    }

    #[test]
    fn an_obu_that_fits_alone_is_not_cut() {
        let unit = [obu(3, &[1; 30]), obu(4, &[2; 40])].concat();
        let sent = packetized(64, &unit);
        assert_eq!(
            sent.iter().map(|payload| (payload[0], payload.len())).collect::<Vec<_>>(),
            [(0x10, 32), (0x10, 42)]
        );
    }

    #[test]
    fn an_obu_that_lies_is_an_error() {
        let mut packetizer = Packetizer::new(Codec::Av1, 64).unwrap();
        let mut out = Vec::new();
        for lie in [&[0x32, 2, 1][..], &[0x32], &[0x34], &[0x32, 0xff, 0xff, 0xff, 0xff, 1]] {
            let units = [Bytes::from_static(&[0x32, 1, 1]), Bytes::copy_from_slice(lie)];
            assert_eq!(packetizer.packetize(units, &mut out), Err(PacketizeError::Obu));
            assert!(out.is_empty());
        }
    }
}
