use std::collections::VecDeque;
use std::time::Instant;

use bytes::{BufMut, BytesMut};

use super::SequenceExtender;
use crate::rtcp::{Symbol, Writer};
use crate::{Limits, Ssrc};

/// Most packets that one feedback packet speaks of after a gap, so that it fits into a datagram: two bytes for each at
/// most, and two for each seven.
const MOST_STATUSES: usize = 400;
/// Reported packets that are remembered, for the report of one that comes late begins with it.
const REMEMBERED: usize = 256;
/// Most packets of a run.
const MOST_RUN: usize = 0x1fff;

/// Remembers when packets of a transport arrived, and writes feedback about it
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
#[derive(Debug)]
pub struct TwccRecorder {
    extender: SequenceExtender,
    /// The time of arrival of the packets from `first` on, in units of 250 us since `beginning`.
    arrivals: VecDeque<Option<i64>>,
    first: u64,
    /// The first packet that the next feedback speaks of.
    next: u64,
    beginning: Option<Instant>,
    feedback: u8,
    limit: usize,
    /// Kept so that writing allocates nothing.
    symbols: Vec<u8>,
    deltas: Vec<i16>,
}

impl TwccRecorder {
    /// Nothing arrived.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            extender: SequenceExtender::default(),
            arrivals: VecDeque::new(),
            first: 0,
            next: 0,
            beginning: None,
            feedback: 0,
            limit: limits.twcc_packets.max(1),
            symbols: Vec::new(),
            deltas: Vec::new(),
        }
    }

    /// Notes a packet by its number on the transport. After a gap that is longer than the limit the packets in it
    /// aren't reported.
    pub fn receive(&mut self, sequence: u16, arrival: Instant) {
        let sequence = self.extender.extend(sequence);
        let time = self.units(arrival);
        if self.arrivals.is_empty() {
            (self.first, self.next) = (sequence, sequence);
        }
        let Some(at) = sequence.checked_sub(self.first) else {
            return self.prepend(sequence, time);
        };
        let len = self.arrivals.len() as u64;
        if at >= len.saturating_add(self.limit as u64) {
            self.arrivals.clear();
            (self.first, self.next) = (sequence, sequence);
        } else if at >= len {
            self.arrivals.extend((len..at).map(|_| None));
        }
        let at = usize::try_from(sequence.saturating_sub(self.first)).unwrap_or(usize::MAX);
        match self.arrivals.get_mut(at) {
            // The first of two counts.
            Some(Some(_)) => return,
            Some(place) => *place = Some(time),
            None => self.arrivals.push_back(Some(time)),
        }
        self.next = self.next.min(sequence);
        self.forget(self.arrivals.len().saturating_sub(self.limit));
    }

    /// A packet from before the first, where the transport began with another.
    fn prepend(&mut self, sequence: u64, time: i64) {
        let missing = self.first.saturating_sub(sequence);
        let room = REMEMBERED.min(self.limit.saturating_sub(self.arrivals.len()));
        if missing > room as u64 {
            return;
        }
        (1..missing).for_each(|_| self.arrivals.push_front(None));
        self.arrivals.push_front(Some(time));
        (self.first, self.next) = (sequence, sequence);
    }

    /// Whether there is something to report.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.next < self.end()
    }

    /// Appends one feedback packet about what wasn't reported yet, and says whether there was something. `media` is any
    /// source of the transport. Call it until [`TwccRecorder::is_due`] says no, with a datagram for each: they have at
    /// most 950 bytes.
    pub fn write(&mut self, sender: Ssrc, media: Ssrc, out: &mut BytesMut) -> bool {
        let skip = reported_len(self.next, self.first);
        // A gap that it begins with is two bytes, however long.
        let gap = self.arrivals.iter().skip(skip).take_while(|arrival| arrival.is_none()).count();
        let too_many = gap.saturating_sub(MOST_RUN);
        self.next = self.next.saturating_add(too_many as u64);
        let skip = skip.saturating_add(too_many);
        let most = gap.min(MOST_RUN).saturating_add(MOST_STATUSES);
        self.symbols.clear();
        self.deltas.clear();
        let mut reference = None;
        let mut last = 0;
        for arrival in self.arrivals.iter().skip(skip).take(most) {
            let Some(time) = *arrival else {
                self.symbols.push(Symbol::MISSING);
                continue;
            };
            // Units of 64 ms are 256 of 250 us.
            reference.get_or_insert_with(|| {
                last = time & !0xff;
                time >> 8
            });
            // More than eight seconds apart doesn't fit: the next packet begins with it.
            let Ok(delta) = i16::try_from(time.saturating_sub(last)) else { break };
            self.symbols.push(if u8::try_from(delta).is_ok() {
                Symbol::SMALL
            } else {
                Symbol::LARGE
            });
            self.deltas.push(delta);
            last = time;
        }
        // What is missing at the end may yet come.
        let Some(newest) = self.symbols.iter().rposition(|symbol| *symbol != Symbol::MISSING)
        else {
            self.next = self.next.saturating_add(self.symbols.len() as u64);
            return false;
        };
        let count = newest.saturating_add(1);
        self.symbols.truncate(count);
        let base = self.next as u16;
        let feedback = self.feedback;
        let reference = reference.unwrap_or(0) as u32 & 0x00ff_ffff;
        let (symbols, deltas) = (&self.symbols[..], &self.deltas[..]);
        Writer::new(out).transport_feedback(sender, media, |out| {
            out.put_u16(base);
            out.put_u16(u16::try_from(count).unwrap_or(u16::MAX));
            out.put_u32(reference << 8 | u32::from(feedback));
            put_chunks(out, symbols);
            for &delta in deltas {
                match u8::try_from(delta) {
                    Ok(small) => out.put_u8(small),
                    Err(_) => out.put_i16(delta),
                }
            }
        });
        self.feedback = feedback.wrapping_add(1);
        self.next = self.next.saturating_add(count as u64);
        self.forget(reported_len(self.next, self.first).saturating_sub(REMEMBERED));
        true
    }

    fn end(&self) -> u64 {
        self.first.saturating_add(self.arrivals.len() as u64)
    }

    fn forget(&mut self, count: usize) {
        let count = count.min(self.arrivals.len());
        self.arrivals.drain(..count);
        self.first = self.first.saturating_add(count as u64);
        self.next = self.next.max(self.first);
    }

    fn units(&mut self, arrival: Instant) -> i64 {
        let beginning = *self.beginning.get_or_insert(arrival);
        let units = |micros: u128| i64::try_from(micros / 250).unwrap_or(i64::MAX);
        match arrival.checked_duration_since(beginning) {
            Some(after) => units(after.as_micros()),
            None => {
                units(beginning.saturating_duration_since(arrival).as_micros()).saturating_neg()
            }
        }
    }
}

fn reported_len(next: u64, first: u64) -> usize {
    usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX)
}

/// Writes symbols in as few chunks as a look at the next ones shows.
fn put_chunks(out: &mut BytesMut, mut symbols: &[u8]) {
    while let Some(&first) = symbols.first() {
        let run = symbols.iter().take(MOST_RUN).take_while(|symbol| **symbol == first).count();
        let one_bit =
            symbols.iter().take(14).take_while(|symbol| **symbol != Symbol::LARGE).count();
        let taken = if run >= 14 || run == symbols.len() || (run >= 7 && one_bit < 14) {
            out.put_u16(u16::from(first) << 13 | run as u16);
            run
        } else if one_bit == 14 || one_bit == symbols.len() {
            out.put_u16(0x8000 | vector(symbols, 14, 1));
            one_bit
        } else {
            out.put_u16(0xc000 | vector(symbols, 7, 2));
            symbols.len().min(7)
        };
        symbols = symbols.get(taken..).unwrap_or_default();
    }
}

/// So many symbols of so many bits, the first one highest. What there are too few of is 0.
fn vector(symbols: &[u8], count: usize, bits: u32) -> u16 {
    let symbols = symbols.iter().copied().chain(std::iter::repeat(0)).take(count);
    symbols.fold(0, |vector, symbol| vector << bits | u16::from(symbol))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::rtcp::{Packet, PacketStatus, Packets};

    #[allow(clippy::disallowed_methods)]
    fn start() -> Instant {
        Instant::now()
    }

    fn at(start: Instant, units: u64) -> Instant {
        start + Duration::from_micros(units * 250)
    }

    fn recorder() -> TwccRecorder {
        TwccRecorder::new(&Limits::default())
    }

    /// All feedback packets, each as its statuses.
    fn reports(recorder: &mut TwccRecorder) -> Vec<Vec<PacketStatus>> {
        let mut all = Vec::new();
        while recorder.is_due() {
            let mut out = BytesMut::new();
            assert!(recorder.write(Ssrc(1), Ssrc(2), &mut out));
            assert!(out.len() <= 950, "{} bytes", out.len());
            let mut packets = Packets::new(&out);
            let Some(Ok(Packet::TransportFeedback(feedback))) = packets.next() else {
                panic!("no feedback")
            };
            assert_eq!(usize::from(feedback.feedback), all.len());
            assert_eq!(packets.next(), None);
            all.push(feedback.statuses().collect());
        }
        all
    }

    fn came(sequence: u16, arrival: i64) -> PacketStatus {
        PacketStatus { sequence, arrival: Some(arrival) }
    }

    fn lost(sequence: u16) -> PacketStatus {
        PacketStatus { sequence, arrival: None }
    }

    #[test]
    fn arrivals_and_losses_are_reported_over_the_wrap() {
        let start = start();
        let mut recorder = recorder();
        for (sequence, units) in [(65_534, 0), (65_535, 300), (1, 290), (1, 400)] {
            recorder.receive(sequence, at(start, units));
        }
        let expected = [came(65_534, 0), came(65_535, 300), lost(0), came(1, 290)];
        assert_eq!(reports(&mut recorder), [expected]);
        assert!(!recorder.is_due());
        assert!(!recorder.write(Ssrc(1), Ssrc(2), &mut BytesMut::new()));
    }

    #[test]
    fn a_late_packet_is_reported_after_all() {
        let start = start();
        let mut recorder = recorder();
        recorder.receive(10, at(start, 0));
        recorder.receive(12, at(start, 4));
        assert_eq!(reports(&mut recorder), [[came(10, 0), lost(11), came(12, 4)]]);
        recorder.feedback = 0;
        recorder.receive(11, at(start, 6));
        assert_eq!(reports(&mut recorder), [[came(11, 6), came(12, 4)]]);
        recorder.feedback = 0;
        recorder.receive(8, at(start, 7));
        let again = [came(8, 7), lost(9), came(10, 0), came(11, 6), came(12, 4)];
        assert_eq!(reports(&mut recorder), [again]);
    }

    #[test]
    fn what_is_too_far_apart_is_split() {
        let start = start();
        let mut recorder = recorder();
        recorder.receive(1, at(start, 0));
        recorder.receive(2, at(start, 40_000));
        recorder.receive(3, at(start, 40_001));
        let split = [vec![came(1, 0)], vec![came(2, 40_000), came(3, 40_001)]];
        assert_eq!(reports(&mut recorder), split);
    }

    #[test]
    fn long_gaps_are_reported_and_jumps_left_out() {
        let start = start();
        let mut recorder = recorder();
        recorder.receive(1, at(start, 0));
        recorder.receive(1002, at(start, 1));
        let all = reports(&mut recorder);
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1001]);
        assert_eq!((all[0][0], all[1][1000]), (came(1, 0), came(1002, 1)));
        assert!((2..1002).all(|number| all[1][usize::from(number) - 2] == lost(number)));
        recorder.feedback = 0;
        recorder.receive(1002 + 20_000, at(start, 2));
        assert_eq!(reports(&mut recorder), [[came(21_002, 2)]]);
        assert_eq!(recorder.arrivals.len(), 1);
    }

    #[test]
    fn time_may_run_backwards_from_the_first_packet() {
        let start = start() + Duration::from_secs(1);
        let mut recorder = recorder();
        recorder.receive(5, start);
        recorder.receive(6, start - Duration::from_millis(1));
        assert_eq!(reports(&mut recorder), [[came(5, 0), came(6, -4)]]);
    }

    proptest! {
        #[test]
        fn what_is_reported_is_what_came(
            first: u16, rounds in proptest::collection::vec(
                proptest::collection::vec((1_u16..40, 0_u64..2_000), 1..200), 1..5),
        ) {
            let start = start();
            let mut recorder = recorder();
            let (mut sequence, mut units) = (first, 0);
            recorder.receive(first, start);
            let mut expected = BTreeMap::from([(first, 0)]);
            let mut reported = BTreeMap::new();
            for round in rounds {
                for (step, later) in round {
                    // Mostly in order, sometimes with gaps.
                    sequence = sequence.wrapping_add(if step > 20 { step - 19 } else { 1 });
                    units += if later > 1_900 { later } else { later % 60 };
                    recorder.receive(sequence, at(start, units));
                    expected.insert(sequence, units as i64);
                }
                prop_assert!(recorder.arrivals.len() <= recorder.limit);
                recorder.feedback = 0;
                for status in reports(&mut recorder).into_iter().flatten() {
                    if let Some(arrival) = status.arrival {
                        reported.insert(status.sequence, arrival);
                    }
                }
            }
            prop_assert_eq!(reported, expected);
        }
    }
}
