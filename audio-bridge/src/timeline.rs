use crate::clock::{Clock, Step};
use crate::pcm::Pcm;
use crate::resample::Resampler;
use crate::{Codec, Counts, Error, TICKS_PER_SECOND};

/// Turns decoded frames with timestamps into blocks for an encoder, at its rate and in step with the
/// input's timestamps: what a block decodes to at its timestamp is what the input had there.
pub(crate) struct Timeline {
    rate: u32,
    codec: Codec,
    /// Samples by which the encoder's sound comes out later than it went in.
    encoder_delay: usize,
    clock: Clock,
    run: Option<Run>,
}

/// An unbroken stretch of sound.
struct Run {
    rate: u32,
    channels: usize,
    start: u64,
    /// Ticks of sound that went in.
    fed: f64,
    resampler: Resampler,
    /// Samples per channel still to be left out at the start, for what resampler and encoder delay.
    skip: usize,
    ready: Vec<f32>,
    /// Samples per channel that went out.
    taken: u64,
}

/// A block for the encoder.
pub(crate) struct Block {
    pub(crate) timestamp: u64,
    pub(crate) samples: Vec<f32>,
}

impl Timeline {
    /// For an encoder of `codec` at `rate` Hz that delays by so many samples; `patience` is over how
    /// many frames timestamps are averaged before they are believed.
    pub(crate) fn new(codec: Codec, rate: u32, encoder_delay: usize, patience: f64) -> Self {
        Self { rate, codec, encoder_delay, clock: Clock::new(patience), run: None }
    }

    /// The next frame follows nothing.
    pub(crate) fn gap(&mut self) {
        self.run = None;
        self.clock.reset();
    }

    /// A frame was lost: the next one's timestamp says how long it was.
    pub(crate) fn lost(&mut self) {
        self.clock.lost();
    }

    /// The channels of the sound in hand.
    pub(crate) fn channels(&self) -> Option<usize> {
        self.run.as_ref().map(|run| run.channels)
    }

    /// Ticks between the end of what came and `timestamp`; negative if they overlap.
    pub(crate) fn missing(&self, timestamp: u64) -> Option<f64> {
        self.run.as_ref().map(|run| run.late(timestamp))
    }

    /// Takes the frame of this timestamp.
    pub(crate) fn push(
        &mut self,
        timestamp: u64,
        mut pcm: Pcm,
        counts: &mut Counts,
    ) -> Result<(), Error> {
        let step = match &self.run {
            Some(run) if (run.rate, run.channels) == (pcm.rate, pcm.channels) => self
                .clock
                .observe(run.late(timestamp), TICKS_PER_SECOND as f64 / f64::from(pcm.rate)),
            _ => Step::Restart,
        };
        let frames =
            |ticks: f64| (ticks * f64::from(pcm.rate) / TICKS_PER_SECOND as f64).round() as usize;
        let mut silence = 0;
        match step {
            Step::Keep => {}
            Step::Longer | Step::Shorter => {
                pcm.slip(step == Step::Longer);
                counts.slips = counts.slips.saturating_add(1);
            }
            Step::Fill(ticks) => {
                silence = frames(ticks);
                counts.filled = counts.filled.saturating_add(ticks as u64);
            }
            Step::Drop(early) => {
                let drop = frames(early);
                if drop > pcm.frames() {
                    // The rest of it goes from the next frame.
                    self.clock.lost();
                }
                let all = ticks(&pcm);
                pcm.skip(drop);
                counts.dropped = counts.dropped.saturating_add(early.min(all) as u64);
            }
            Step::Restart => {
                if self.run.is_some() {
                    counts.restarts = counts.restarts.saturating_add(1);
                }
                self.clock.reset();
                self.run = Some(self.begin(timestamp, &pcm)?);
            }
        }
        let Some(run) = &mut self.run else { return Ok(()) };
        let fed = if silence == 0 {
            run.feed(&pcm)
        } else {
            let silence = Pcm::silence(pcm.rate, pcm.channels, silence);
            run.feed(&silence).and_then(|()| run.feed(&pcm))
        };
        if fed.is_err() {
            self.run = None;
        }
        fed.map_err(|reason| Error::Encoder { codec: self.codec, reason })
    }

    /// The next block of so many samples per channel, when there are enough.
    pub(crate) fn take(&mut self, frames: usize) -> Option<Block> {
        let run = self.run.as_mut()?;
        let values = frames.saturating_mul(run.channels);
        if run.ready.len() < values {
            return None;
        }
        let ticks = u128::from(run.taken).saturating_mul(u128::from(TICKS_PER_SECOND));
        let ticks = ticks.checked_div(u128::from(self.rate)).unwrap_or(0) as u64;
        run.taken = run.taken.saturating_add(frames as u64);
        // Steep edges overshoot in the resampler, and encoders refuse what is beyond full scale.
        let samples = run.ready.drain(..values).map(|sample| sample.clamp(-1.0, 1.0)).collect();
        Some(Block { timestamp: run.start.saturating_add(ticks), samples })
    }

    fn begin(&self, timestamp: u64, pcm: &Pcm) -> Result<Run, Error> {
        let resampler = Resampler::new(pcm.rate, self.rate, pcm.channels)
            .map_err(|reason| Error::Setup { codec: self.codec, reason })?;
        Ok(Run {
            rate: pcm.rate,
            channels: pcm.channels,
            start: timestamp,
            fed: 0.0,
            skip: resampler.delay().saturating_add(self.encoder_delay),
            resampler,
            ready: Vec::new(),
            taken: 0,
        })
    }
}

impl Run {
    fn late(&self, timestamp: u64) -> f64 {
        // Differences first: a timestamp may have more bits than a float.
        (i128::from(timestamp).saturating_sub(i128::from(self.start))) as f64 - self.fed
    }

    fn feed(&mut self, pcm: &Pcm) -> Result<(), String> {
        self.fed += ticks(pcm);
        self.resampler.push(&pcm.samples, &mut self.ready)?;
        let skip = self.skip.min(self.ready.len().checked_div(self.channels).unwrap_or(0));
        self.ready.drain(..skip.saturating_mul(self.channels));
        self.skip = self.skip.saturating_sub(skip);
        Ok(())
    }
}

/// How long it lasts.
fn ticks(pcm: &Pcm) -> f64 {
    pcm.frames() as f64 * TICKS_PER_SECOND as f64 / f64::from(pcm.rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(rate: u32) -> Pcm {
        Pcm::silence(rate, 2, 1024)
    }

    #[test]
    fn timestamps_do_not_drift_in_twelve_hours() {
        for (rate, out) in [(44_100, 48_000), (48_000, 48_000), (48_000, 44_100)] {
            let mut timeline = Timeline::new(Codec::Opus, out, 312, 16.0);
            let mut counts = Counts::default();
            let mut last = 0;
            let hours_12 = 12 * 3600 * u64::from(rate) / 1024;
            // Only the first and the last minute are fed in full; the middle is counted.
            let minute = 60 * u64::from(rate) / 1024;
            let stamp = |index: u64| index * 1024 * 1000 / u64::from(rate) * 48;
            for index in 0..minute {
                timeline.push(stamp(index), frame(rate), &mut counts).unwrap();
                while let Some(block) = timeline.take(960) {
                    last = block.timestamp;
                }
            }
            let run = timeline.run.as_mut().unwrap();
            let skipped = hours_12 - 2 * minute;
            run.fed += skipped as f64 * 1024.0 * 48_000.0 / f64::from(rate);
            run.taken += skipped * 1024 * u64::from(out) / u64::from(rate);
            for index in minute + skipped..hours_12 {
                timeline.push(stamp(index), frame(rate), &mut counts).unwrap();
                while let Some(block) = timeline.take(960) {
                    last = block.timestamp;
                }
            }
            let off = stamp(hours_12) as i64 - last as i64;
            assert!((0..3_000).contains(&off), "{rate} to {out}: {off} ticks");
            assert_eq!(
                (counts.slips, counts.filled, counts.dropped, counts.restarts),
                (0, 0, 0, 0)
            );
        }
    }

    #[test]
    fn what_is_missing_is_filled_and_what_is_too_much_left_out() {
        let mut timeline = Timeline::new(Codec::Opus, 48_000, 0, 16.0);
        let mut counts = Counts::default();
        timeline.push(0, frame(48_000), &mut counts).unwrap();
        timeline.push(1024, frame(48_000), &mut counts).unwrap();
        assert_eq!(timeline.missing(2048), Some(0.0));
        timeline.push(2048 + 9_600, frame(48_000), &mut counts).unwrap();
        assert_eq!(counts.filled, 9_600);
        assert_eq!(timeline.missing(3072 + 9_600), Some(0.0));
        // Sent again from 200 ms before.
        for index in 0..20 {
            timeline.push(3072 + index * 1024, frame(48_000), &mut counts).unwrap();
        }
        assert_eq!(timeline.missing(3072 + 20 * 1024), Some(0.0));
        assert!(counts.dropped > 0);
        let total = std::iter::from_fn(|| timeline.take(960)).count();
        assert_eq!(total, (3072 + 20 * 1024) / 960);
        assert_eq!(counts.restarts, 0);
    }

    #[test]
    fn a_long_gap_and_another_format_begin_anew() {
        let mut timeline = Timeline::new(Codec::Opus, 48_000, 312, 16.0);
        let mut counts = Counts::default();
        timeline.push(0, frame(48_000), &mut counts).unwrap();
        timeline.push(960_000, frame(48_000), &mut counts).unwrap();
        timeline.push(961_024, frame(48_000), &mut counts).unwrap();
        assert_eq!(timeline.take(960).unwrap().timestamp, 960_000);
        timeline.push(962_048, frame(24_000), &mut counts).unwrap();
        timeline.push(964_096, Pcm::silence(24_000, 1, 1024), &mut counts).unwrap();
        assert_eq!(timeline.channels(), Some(1));
        assert_eq!(timeline.take(960).unwrap().timestamp, 964_096);
        assert_eq!((counts.restarts, counts.filled), (3, 0));
        timeline.gap();
        assert_eq!(timeline.missing(0), None);
    }
}
