use bytes::{BufMut, Bytes, BytesMut};

use super::NalCodec;
use crate::bytes_at::u8_at;
use crate::payload::cuts::cuts;
use crate::payload::{PacketizeError, Payload};

/// Cuts and joins NAL units.
#[derive(Debug, Clone)]
pub(in crate::payload) struct NalPacketizer {
    codec: NalCodec,
    /// Packetization-mode 0: each unit as it is.
    is_single: bool,
    /// Units that may share a packet.
    waiting: Vec<Bytes>,
}

impl NalPacketizer {
    pub(in crate::payload) const fn h264() -> Self {
        Self { codec: NalCodec::H264, is_single: false, waiting: Vec::new() }
    }

    pub(in crate::payload) const fn h264_single() -> Self {
        Self { codec: NalCodec::H264, is_single: true, waiting: Vec::new() }
    }

    pub(in crate::payload) const fn h265() -> Self {
        Self { codec: NalCodec::H265, is_single: false, waiting: Vec::new() }
    }

    pub(in crate::payload) fn packetize(
        &mut self,
        units: impl Iterator<Item = Bytes>,
        room: usize,
        out: &mut Vec<Payload>,
    ) -> Result<(), PacketizeError> {
        let codec = self.codec;
        // What the packet of the waiting units would take.
        let mut used = codec.header_len();
        for unit in units.filter(|unit| codec.is_unit(unit)) {
            if self.is_single {
                if unit.len() > room {
                    return Err(PacketizeError::TooLong { length: unit.len(), limit: room });
                }
                out.push(Payload::new(&[], unit));
                continue;
            }
            let with_length = unit.len().saturating_add(2);
            if used.saturating_add(with_length) > room {
                self.flush(used, out);
                used = codec.header_len();
            }
            if unit.len() > room {
                fragment(codec, &unit, room, out);
            } else {
                used = used.saturating_add(with_length);
                self.waiting.push(unit);
            }
        }
        self.flush(used, out);
        Ok(())
    }

    /// Sends what waits: a unit alone as it is, several together.
    fn flush(&mut self, used: usize, out: &mut Vec<Payload>) {
        if self.waiting.len() > 1 {
            let mut joined = BytesMut::with_capacity(used);
            joined.put_slice(
                self.aggregation_header().get(..self.codec.header_len()).unwrap_or_default(),
            );
            for unit in self.waiting.drain(..) {
                // No longer than a payload, whose length a datagram limits.
                joined.put_u16(unit.len() as u16);
                joined.put_slice(&unit);
            }
            out.push(Payload::new(&[], joined.freeze()));
        }
        out.extend(self.waiting.drain(..).map(|unit| Payload::new(&[], unit)));
    }

    /// Damaged if one unit is; as important as the most important one (RFC 6184, 5.7.1), of the lowest of the layers
    /// (RFC 7798, 4.4.2).
    fn aggregation_header(&self) -> [u8; 2] {
        let headers = self.waiting.iter().map(|unit| (u8_at(unit, 0), u8_at(unit, 1)));
        let headers = headers.map(|(first, second)| (first.unwrap_or(0), second.unwrap_or(0)));
        let kind = self.codec.aggregation();
        match self.codec {
            NalCodec::H264 => {
                let (damaged, importance) =
                    headers.fold((0, 0), |(damaged, importance), (first, _)| {
                        (damaged | first & 0x80, importance.max(first & 0x60))
                    });
                [damaged | importance | kind, 0]
            }
            NalCodec::H265 => {
                let (damaged, layer, temporal) = headers.fold(
                    (0, u16::MAX, u8::MAX),
                    |(damaged, layer, temporal), (first, second)| {
                        let its_layer = u16::from_be_bytes([first, second]) & 0x01f8;
                        (damaged | first & 0x80, layer.min(its_layer), temporal.min(second & 0x07))
                    },
                );
                let [high, low] = layer.to_be_bytes();
                [damaged | kind << 1 | high, low | temporal]
            }
        }
    }
}

/// Cuts a unit that is longer than `room`.
fn fragment(codec: NalCodec, unit: &Bytes, room: usize, out: &mut Vec<Payload>) {
    let header_len = codec.header_len();
    let body = unit.slice(header_len..);
    let first = u8_at(unit, 0).unwrap_or(0);
    let kind = codec.kind(first);
    for piece in cuts(body.len(), room.saturating_sub(header_len).saturating_sub(1)) {
        let starts = if piece.start == 0 { 0x80 } else { 0 };
        let ends = if piece.end == body.len() { 0x40 } else { 0 };
        let what = starts | ends | kind;
        let payload = body.slice(piece);
        let fragmentation = codec.fragmentation();
        out.push(match codec {
            NalCodec::H264 => Payload::new(&[first & 0xe0 | fragmentation, what], payload),
            NalCodec::H265 => {
                let second = u8_at(unit, 1).unwrap_or(0);
                Payload::new(&[first & 0x81 | fragmentation << 1, second, what], payload)
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::payload::Packetizer;

    fn packetized(codec: Codec, room: usize, units: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let units = units.iter().map(|unit| Bytes::copy_from_slice(unit));
        Packetizer::new(codec, room).unwrap().packetize(units, &mut out).unwrap();
        let marks: Vec<_> = out.iter().map(Payload::marker).collect();
        assert!(marks.iter().rev().skip(1).all(|mark| !mark) && marks.last() == Some(&true));
        out.iter().map(|payload| payload.to_bytes().to_vec()).collect()
    }

    #[test]
    fn a_unit_that_fits_goes_as_it_is() {
        let slice = [0x41, 0x9a, 1, 2];
        assert_eq!(packetized(Codec::H264, 64, &[&slice]), [slice]);
        let longest = [0x41; 64];
        assert_eq!(packetized(Codec::H264, 64, &[&longest]), [longest]);
    }

    #[test]
    fn h264_parameter_sets_share_a_packet() {
        let mut idr = vec![0x65];
        idr.extend(1..=100);
        let sent =
            packetized(Codec::H264, 64, &[&[0x67, 0x42, 0xc0], &[0x68, 0xce], &[0x06, 5], &idr]);
        assert_eq!(
            sent[0],
            [0x78, 0, 3, 0x67, 0x42, 0xc0, 0, 2, 0x68, 0xce, 0, 2, 0x06, 5],
            "the importance of the most important"
        );
        let first: Vec<u8> = [0x7c, 0x85].into_iter().chain(1..=50).collect();
        let last: Vec<u8> = [0x7c, 0x45].into_iter().chain(51..=100).collect();
        assert_eq!(sent[1..], [first, last]);
    }

    #[test]
    fn h265_parameter_sets_share_a_packet() {
        // The second is of layer 33 and temporal level 1, the first of layer 0 and level 2.
        let mut idr = vec![0x26, 0x01];
        idr.extend(1..=100);
        let sent = packetized(Codec::H265, 64, &[&[0x40, 0x03, 0x0c], &[0x43, 0x0a, 0x01], &idr]);
        assert_eq!(sent[0], [0x60, 0x02, 0, 3, 0x40, 0x03, 0x0c, 0, 3, 0x43, 0x0a, 0x01]);
        let first: Vec<u8> = [0x62, 0x01, 0x93].into_iter().chain(1..=50).collect();
        let last: Vec<u8> = [0x62, 0x01, 0x53].into_iter().chain(51..=100).collect();
        assert_eq!(sent[1..], [first, last]);
    }

    #[test]
    fn what_exceeds_a_packet_begins_another() {
        let unit = [0x01; 30];
        // 1 + 32 bytes, and 65 for two.
        assert_eq!(packetized(Codec::H264, 64, &[&unit, &unit]), [unit, unit]);
        let sent = packetized(Codec::H264, 65, &[&unit, &unit, &unit]);
        assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [65, 30]);
    }

    #[test]
    fn fragments_are_even() {
        let sent = packetized(Codec::H264, 1_200, &[&[0x65; 10_001]]);
        let lengths: Vec<_> = sent.iter().map(Vec::len).collect();
        assert_eq!(lengths, [1_114, 1_114, 1_114, 1_114, 1_114, 1_114, 1_114, 1_114, 1_106]);
        assert!(sent[1..8].iter().all(|payload| payload[..2] == [0x7c, 0x05]));
    }

    #[test]
    fn what_the_format_would_mistake_is_left_out() {
        let units: [&[u8]; 5] = [&[0x1c, 1], &[0x18], &[0], &[0x7f], &[0x41, 1]];
        assert_eq!(packetized(Codec::H264, 64, &units), [[0x41, 1]]);
        let units: [&[u8]; 4] = [&[0x60, 1, 1], &[0x62, 1, 1], &[0x26], &[0x26, 1, 1]];
        assert_eq!(packetized(Codec::H265, 64, &units), [[0x26, 1, 1]]);
    }

    #[test]
    fn mode_0_neither_joins_nor_cuts() {
        let mut packetizer = Packetizer::single_nal_units(64);
        let mut out = Vec::new();
        let units = [&[0x67, 1][..], &[0x68, 2], &[0x65, 3]].map(Bytes::copy_from_slice);
        packetizer.packetize(units.clone(), &mut out).unwrap();
        assert_eq!(out.iter().map(Payload::to_bytes).collect::<Vec<_>>(), units);
        let error = packetizer.packetize([Bytes::from(vec![0x65; 65])], &mut out);
        assert_eq!(error, Err(PacketizeError::TooLong { length: 65, limit: 64 }));
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn whole_units_are_not_copied() {
        let unit = Bytes::from(vec![0x65; 3_000]);
        let mut out = Vec::new();
        let mut packetizer = Packetizer::new(Codec::H264, 1_200).unwrap();
        packetizer.packetize([unit.clone()], &mut out).unwrap();
        assert_eq!(out[0].body().as_ptr(), unit[1..].as_ptr());
    }
}
