//! Packets of 188 bytes (ISO 13818-1, 2.4.3).

use bytes::{BufMut, BytesMut};

/// Bytes of a packet.
pub(super) const PACKET_LEN: usize = 188;
/// Bytes of a packet behind its header.
pub(super) const PAYLOAD_LEN: usize = 184;

/// The number of a stream within the transport stream: 13 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pid(pub(super) u16);

impl Pid {
    /// The program association table's.
    pub(super) const PAT: Self = Self(0);
    /// The program map table's.
    pub(super) const PMT: Self = Self(0x1000);
    /// The video's.
    pub(super) const VIDEO: Self = Self(0x100);
    /// The audio's.
    pub(super) const AUDIO: Self = Self(0x101);

    /// A packet's header.
    pub(super) fn header(
        self,
        is_start: bool,
        has_adaptation: bool,
        has_payload: bool,
        counter: u8,
    ) -> [u8; 4] {
        let [high, low] = self.0.to_be_bytes();
        let control = u8::from(has_adaptation) << 5 | u8::from(has_payload) << 4;
        [0x47, u8::from(is_start) << 6 | high & 0x1f, low, control | counter & 0x0f]
    }
}

/// What the first packet of a unit says beside its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Adaptation {
    /// Decoding can start here.
    pub(super) is_random_access: bool,
    /// The clock, in units of 90 kHz; 33 bits of it count.
    pub(super) pcr: Option<u64>,
}

impl Adaptation {
    /// Bytes that it needs, its length included; 0 where it says nothing.
    fn len(self) -> usize {
        match self {
            Self { is_random_access: false, pcr: None } => 0,
            Self { pcr: None, .. } => 2,
            Self { pcr: Some(_), .. } => 8,
        }
    }

    /// Appends the field in exactly `len` bytes, stuffed where it needs fewer.
    fn put(self, len: usize, out: &mut BytesMut) {
        let end = out.len() + len;
        out.put_u8(len.saturating_sub(1) as u8);
        if len > 1 {
            let clock = if self.pcr.is_some() { 0x10 } else { 0 };
            out.put_u8(u8::from(self.is_random_access) << 6 | clock);
        }
        if let Some(pcr) = self.pcr {
            // 33 bits of base, 6 reserved, 9 of extension (27 MHz), which is 0.
            out.put_u32((pcr >> 1) as u32);
            out.put_u16(((pcr & 1) as u16) << 15 | 0x7e00);
        }
        out.put_bytes(0xff, end.saturating_sub(out.len()));
    }
}

/// Counts the packets of one stream that have payload.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counter(u8);

impl Counter {
    /// The number of the next packet with payload.
    pub(super) fn next(&mut self) -> u8 {
        let number = self.0;
        self.0 = number.wrapping_add(1) & 0x0f;
        number
    }

    /// The number of a packet without payload: that of the one before.
    fn last(self) -> u8 {
        self.0.wrapping_sub(1) & 0x0f
    }
}

/// Appends the packets of one unit, which is `head` and `body`.
pub(super) fn put_unit(
    pid: Pid,
    counter: &mut Counter,
    adaptation: Adaptation,
    head: &[u8],
    body: &[u8],
    out: &mut BytesMut,
) {
    let (mut head, mut body, mut adaptation, mut is_start) = (head, body, adaptation, true);
    while is_start || !head.is_empty() || !body.is_empty() {
        let left = head.len() + body.len();
        let room = PAYLOAD_LEN - adaptation.len();
        let taken = left.min(room);
        // What the payload leaves free is stuffing, in the adaptation field.
        let stuffed = PAYLOAD_LEN - taken;
        out.put_slice(&pid.header(is_start, stuffed > 0, true, counter.next()));
        if stuffed > 0 {
            adaptation.put(stuffed, out);
        }
        let (first, rest) = head.split_at(taken.min(head.len()));
        out.put_slice(first);
        head = rest;
        let (first, rest) = body.split_at(taken - first.len());
        out.put_slice(first);
        body = rest;
        (is_start, adaptation) = (false, Adaptation::default());
    }
}

/// Appends a packet that carries nothing but the clock.
pub(super) fn put_clock(pid: Pid, counter: Counter, pcr: u64, out: &mut BytesMut) {
    out.put_slice(&pid.header(false, true, false, counter.last()));
    Adaptation { is_random_access: false, pcr: Some(pcr) }.put(PAYLOAD_LEN, out);
}

/// Most bytes that [`put_unit`] appends for `len` bytes.
pub(super) const fn unit_len(len: usize) -> usize {
    (len / PAYLOAD_LEN + 2) * PACKET_LEN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(adaptation: Adaptation, len: usize) -> BytesMut {
        let mut out = BytesMut::new();
        let body = vec![7; len];
        put_unit(Pid::VIDEO, &mut Counter(15), adaptation, &[1, 2], &body, &mut out);
        assert_eq!(out.len() % PACKET_LEN, 0);
        assert!(out.len() <= unit_len(len + 2));
        out
    }

    #[test]
    fn a_unit_that_fills_its_packet_has_no_adaptation_field() {
        let packet = unit(Adaptation::default(), 182);
        assert_eq!(packet[..7], [0x47, 0x41, 0x00, 0x1f, 1, 2, 7]);
        assert_eq!(packet.len(), PACKET_LEN);
    }

    #[test]
    fn a_unit_one_byte_short_is_stuffed_by_a_length_alone() {
        let packet = unit(Adaptation::default(), 181);
        assert_eq!(packet[..8], [0x47, 0x41, 0x00, 0x3f, 0, 1, 2, 7]);
    }

    #[test]
    fn a_long_unit_goes_on_in_packets_that_are_no_start() {
        let packets = unit(Adaptation::default(), 183);
        assert_eq!(packets[..7], [0x47, 0x41, 0x00, 0x1f, 1, 2, 7]);
        // The last byte, behind a field of 183 bytes.
        assert_eq!(packets[188..195], [0x47, 0x01, 0x00, 0x30, 182, 0, 0xff]);
        assert_eq!(packets[374..], [0xff, 7]);
    }

    #[test]
    fn the_clock_is_in_front_of_a_keyframe() {
        let adaptation = Adaptation { is_random_access: true, pcr: Some(0x1_8000_0001) };
        let packets = unit(adaptation, 400);
        assert_eq!(packets[..6], [0x47, 0x41, 0x00, 0x3f, 7, 0x50]);
        assert_eq!(packets[6..14], [0xc0, 0, 0, 0, 0xfe, 0, 1, 2]);
    }

    #[test]
    fn a_clock_alone_does_not_count() {
        let mut out = BytesMut::new();
        put_clock(Pid::AUDIO, Counter(0), 2, &mut out);
        assert_eq!(out[..12], [0x47, 0x01, 0x01, 0x2f, 183, 0x10, 0, 0, 0, 1, 0x7e, 0]);
        assert!(out.len() == PACKET_LEN && out[12..].iter().all(|&byte| byte == 0xff));
    }
}
