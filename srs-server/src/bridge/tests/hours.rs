//! Hours of a stream in no time: over every wrap, nothing drifts.

use super::*;
use crate::media::{Ingest, IngestOptions, MediaInfo};
use rtmp_proto::{MediaKind as Kind, MediaMessage};

/// Samples of a packet of 120 ms: its first byte says 60 ms, two of them.
const OPUS: &[u8] = b"\x91Opus\x19";

/// A stream that an encoder sends by RTMP: its times there, on the stream's clock, and behind both
/// bridges.
struct Stream {
    bridges: Bridges,
    ingest: Ingest,
    media: MediaInfo,
    /// The stream's clock at the encoder's first frame, whose timestamp that was.
    start: Duration,
    first: u64,
    /// When the last frame of each kind was that came out.
    last: [Duration; 2],
    count: [u64; 2],
}

impl Stream {
    /// A stream whose clock has come to `start` already, and whose encoder begins with this timestamp.
    fn new(start: Duration, first: u64) -> Self {
        let options = IngestOptions::new(&srs_config::Vhost::default());
        Self {
            bridges: Bridges::new(),
            ingest: Ingest::new(options, Some(start)),
            media: MediaInfo::default(),
            // A publisher that returns goes on 40 ms later.
            start: start + ms(40),
            first,
            last: [Duration::ZERO; 2],
            count: [0; 2],
        }
    }

    /// Sends a frame that the encoder took at `time` since its first, in microseconds. RTMP has whole
    /// milliseconds.
    fn send(&mut self, kind: Kind, time: u64, body: Vec<u8>) {
        let timestamp = (self.first + (time + 500) / 1_000) as u32;
        let message = MediaMessage { kind, timestamp, payload: body.into() };
        let now = self.bridges.start + self.start + Duration::from_micros(time);
        let mut frames = Vec::new();
        let pushed: Result<(), std::convert::Infallible> =
            self.ingest.push(message, now, &self.media, |frame| {
                frames.push(frame);
                Ok(())
            });
        pushed.unwrap();
        for frame in frames {
            for item in self.bridges.send_frame(&frame) {
                for frame in self.bridges.receive(&item) {
                    self.take(kind, time, &frame);
                }
            }
        }
    }

    fn take(&mut self, kind: Kind, time: u64, frame: &Frame) {
        if frame.config_slot.is_some() {
            return;
        }
        let of = usize::from(kind == Kind::Audio);
        assert!(
            frame.time >= self.last[of],
            "{kind:?}: {:?} after {:?}",
            frame.time,
            self.last[of]
        );
        self.last[of] = frame.time;
        let expected = self.start + Duration::from_micros(time);
        let apart = frame.time.as_micros() as i64 - expected.as_micros() as i64;
        // What was taken at one time is shown and heard at one time.
        assert!(apart.abs() <= 1_000, "{kind:?}: {apart} µs at {expected:?}");
        self.count[of] += 1;
    }
}

/// From shortly before the timestamps of 90 kHz wrap (at 13.25 h) until those of 48 kHz have (24.86 h),
/// by an encoder whose own wrap in between (32 bits of milliseconds).
#[test]
fn twelve_hours_stay_in_step_over_every_wrap() {
    let first = (1_u64 << 32) - 6 * 3_600_000;
    let mut stream = Stream::new(Duration::from_secs(47_720), first);
    stream.send(Kind::Video, 0, avc_header(SPS, PPS, 4));
    let end = 12 * 3_600_000_000_u64;
    let mut pictures = 0;
    for number in 0..end / 120_000 {
        let time = number * 120_000;
        // A picture a second.
        if time >= pictures * 1_000_000 {
            let slice = slice(pictures as u32, pictures.is_multiple_of(4));
            stream.send(Kind::Video, pictures * 1_000_000, avc(&[&slice], 4));
            pictures += 1;
        }
        stream.send(Kind::Audio, time, [OPUS, &number.to_be_bytes()].concat());
    }
    assert_eq!(stream.count, [12 * 3_600, 12 * 3_600_000 / 120]);
    assert_eq!(stream.bridges.counters.dropped().map(|(_, count)| count), [0; 6]);
}

#[test]
fn frame_rates_that_are_no_whole_milliseconds_do_not_drift() {
    for (numerator, denominator) in [(24_000, 1_001), (30_000, 1_001), (60_000, 1_001)] {
        let mut stream = Stream::new(Duration::from_secs(47_700), 0);
        stream.send(Kind::Video, 0, avc_header(SPS, PPS, 4));
        let mut sounds = 0_u64;
        for number in 0..3 * 60 * numerator / denominator {
            let time = number * denominator * 1_000_000 / numerator;
            while sounds * 120_000 <= time {
                let body = [OPUS, &sounds.to_be_bytes()].concat();
                stream.send(Kind::Audio, sounds * 120_000, body);
                sounds += 1;
            }
            let slice = slice(number as u32, number.is_multiple_of(100));
            stream.send(Kind::Video, time, avc(&[&slice], 4));
        }
        assert_eq!(stream.count, [3 * 60 * numerator / denominator, sounds]);
    }
}
