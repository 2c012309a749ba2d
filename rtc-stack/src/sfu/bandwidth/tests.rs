use bytes::BytesMut;

use super::*;
use crate::rtcp::{Packet, Packets};
use crate::rtp::TwccRecorder;
use crate::{Limits, Ssrc};

const RTT: Duration = Duration::from_millis(60);
const BYTES: usize = 1_000;

fn base() -> Instant {
    #[allow(clippy::disallowed_methods)]
    Instant::now()
}

/// A path of a fixed rate with a queue of 400 ms, and a viewer behind it that reports every 50 ms.
struct Path {
    start: Instant,
    now: Instant,
    bits: u64,
    free: Instant,
    sequence: u16,
    recorder: TwccRecorder,
    bandwidth: Bandwidth,
    arriving: std::collections::VecDeque<(Instant, u16)>,
}

impl Path {
    fn new(bits: u64) -> Self {
        let now = base();
        Self {
            start: now,
            now,
            bits,
            free: now,
            // It wraps within a test.
            sequence: 65_400,
            recorder: TwccRecorder::new(&Limits::default()),
            bandwidth: Bandwidth::new(),
            arriving: std::collections::VecDeque::new(),
        }
    }

    fn send(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        self.bandwidth.note(self.sequence, AbsSendTime::new(self.now - self.start), BYTES);
        let begins = self.free.max(self.now);
        if begins - self.now < Duration::from_millis(400) {
            self.free = begins + Duration::from_secs_f64(BYTES as f64 * 8.0 / self.bits as f64);
            self.arriving.push_back((self.free + Duration::from_millis(20), self.sequence));
        }
    }

    /// Sends at a rate for so long, and answers what the reports showed.
    fn run(&mut self, bits: u64, time: Duration) -> Vec<Heard> {
        let step = Duration::from_secs_f64(BYTES as f64 * 8.0 / bits as f64);
        let (end, mut report) = (self.now + time, self.now + Duration::from_millis(50));
        let mut all = Vec::new();
        while self.now < end {
            self.send();
            self.now += step;
            while self.arriving.front().is_some_and(|(at, _)| *at <= self.now) {
                let (at, sequence) = self.arriving.pop_front().unwrap();
                self.recorder.receive(sequence, at);
            }
            while report <= self.now {
                report += Duration::from_millis(50);
                let mut out = BytesMut::new();
                while self.recorder.is_due() && self.recorder.write(Ssrc(1), Ssrc(2), &mut out) {}
                for packet in Packets::new(&out) {
                    let Ok(Packet::TransportFeedback(feedback)) = packet else { panic!() };
                    all.push(self.bandwidth.receive(self.now, RTT, &feedback));
                }
            }
        }
        all
    }
}

#[test]
fn a_path_that_carries_all_is_not_congested() {
    let mut path = Path::new(10_000_000);
    let heard = path.run(1_000_000, Duration::from_secs(10));
    assert!(heard.iter().all(|heard| !heard.is_congested && heard.lost == 0));
    let bits = path.bandwidth.bits().unwrap();
    assert!((1_400_000..1_600_000).contains(&bits), "{bits}");
}

#[test]
fn a_path_that_is_full_is_found_within_a_second() {
    let mut path = Path::new(800_000);
    path.run(500_000, Duration::from_secs(3));
    let heard = path.run(1_500_000, Duration::from_secs(1));
    assert!(heard.iter().any(|heard| heard.is_congested));
    let bits = path.bandwidth.bits().unwrap();
    assert!((400_000..=800_000).contains(&bits), "{bits}");
    assert!(path.bandwidth.was_congested(path.now));
    // What fits again is carried without more of it.
    path.run(400_000, Duration::from_secs(2));
    let heard = path.run(400_000, Duration::from_secs(10));
    assert!(heard.iter().all(|heard| !heard.is_congested));
}

#[test]
fn a_probe_tells_what_the_path_carries() {
    for (carries, is_carried, told) in
        [(5_000_000, true, 1_000_000..1_300_000), (400_000, false, 300_000..420_000)]
    {
        let mut path = Path::new(carries);
        path.run(100_000, Duration::from_secs(3));
        let next = path.sequence.wrapping_add(1);
        path.bandwidth.begin_probe(path.now, next, 1_200_000);
        path.run(1_200_000, Duration::from_millis(80));
        let next = path.sequence.wrapping_add(1);
        path.bandwidth.finish_probe(next);
        let heard = path.run(100_000, Duration::from_secs(2));
        let probed: Vec<_> = heard.iter().filter_map(|heard| heard.probed).collect();
        assert_eq!(probed, [is_carried]);
        let bits = path.bandwidth.bits().unwrap();
        assert!(told.contains(&bits), "{bits}");
        assert!(!path.bandwidth.is_probing());
    }
}

#[test]
fn a_probe_of_which_nothing_is_heard_ends() {
    let mut path = Path::new(1_000_000);
    path.bandwidth.begin_probe(path.now, 7, 1_000_000);
    assert!(!path.bandwidth.abandon_probe(path.now + Duration::from_secs(1)));
    assert!(path.bandwidth.abandon_probe(path.now + Duration::from_secs(2)));
    assert!(!path.bandwidth.is_probing());
}
