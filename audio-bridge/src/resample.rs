use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// From one sample rate to another, or through.
pub(crate) struct Resampler {
    fft: Option<Fft<f32>>,
    channels: usize,
    waiting: Vec<f32>,
    made: Vec<f32>,
}

impl Resampler {
    /// Of rates in [`Pcm`](crate::pcm::Pcm).
    pub(crate) fn new(from: u32, to: u32, channels: usize) -> Result<Self, String> {
        let fft = if from == to {
            None
        } else {
            // Some 6.7 ms at a time: 294 samples at 44,100 Hz are 320 at 48,000 Hz.
            let chunk = (from / 150) as usize;
            let fft = Fft::new(from as usize, to as usize, chunk, channels, FixedSync::Both)
                .map_err(|error| error.to_string())?;
            Some(fft)
        };
        Ok(Self { fft, channels, waiting: Vec::new(), made: Vec::new() })
    }

    /// Frames, at the rate that comes out, by which sound comes out later than it went in.
    pub(crate) fn delay(&self) -> usize {
        self.fft.as_ref().map_or(0, |fft| fft.output_delay())
    }

    /// Takes interleaved samples and appends what they are at the other rate.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), String> {
        let Some(fft) = &mut self.fft else {
            out.extend_from_slice(samples);
            return Ok(());
        };
        self.waiting.extend_from_slice(samples);
        let channels = self.channels;
        let mut used = 0_usize;
        loop {
            let need = fft.input_frames_next();
            let end = used.saturating_add(need.saturating_mul(channels));
            let Some(chunk) = self.waiting.get(used..end) else { break };
            let made = fft.output_frames_next();
            self.made.resize(made.saturating_mul(channels), 0.0);
            let input =
                InterleavedSlice::new(chunk, channels, need).map_err(|error| error.to_string())?;
            let mut output = InterleavedSlice::new_mut(&mut self.made, channels, made)
                .map_err(|error| error.to_string())?;
            fft.process_into_buffer(&input, &mut output, None)
                .map_err(|error| error.to_string())?;
            out.extend_from_slice(&self.made);
            used = end;
        }
        self.waiting.drain(..used.min(self.waiting.len()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impulse_comes_out_where_the_delay_says() {
        for (from, to) in [
            (44_100, 48_000),
            (48_000, 44_100),
            (22_050, 48_000),
            (8_000, 48_000),
            (96_000, 48_000),
        ] {
            let mut resampler = Resampler::new(from, to, 1).unwrap();
            let mut input = vec![0.0; from as usize / 2];
            let at = from as usize / 10;
            input[at] = 1.0;
            let mut out = Vec::new();
            for part in input.chunks(1024) {
                resampler.push(part, &mut out).unwrap();
            }
            let peak =
                (0..out.len()).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs())).unwrap();
            let expected = to as usize / 10 + resampler.delay();
            // Within a sample of the coarser rate.
            let coarse = to.div_ceil(from) as usize;
            assert!(peak.abs_diff(expected) <= coarse, "{from} to {to}: {peak}, not {expected}");
            assert!(resampler.delay() <= to as usize / 200);
        }
    }

    #[test]
    fn a_tone_stays_what_it_is() {
        let mut resampler = Resampler::new(44_100, 48_000, 2).unwrap();
        let tone = |index: usize, rate: f64| {
            (index as f64 * 1000.0 / rate * std::f64::consts::TAU).sin() as f32
        };
        let input: Vec<f32> = (0..88_200).map(|i| tone(i / 2, 44_100.0)).collect();
        let mut out = Vec::new();
        for part in input.chunks(2048) {
            resampler.push(part, &mut out).unwrap();
        }
        let delay = resampler.delay();
        let (mut signal, mut noise) = (0.0_f64, 0.0_f64);
        for (index, frame) in out.chunks(2).enumerate().skip(2000).take(40_000) {
            assert_eq!(frame[0], frame[1]);
            let expected = tone(index - delay, 48_000.0);
            signal += f64::from(expected).powi(2);
            noise += f64::from(frame[0] - expected).powi(2);
        }
        let ratio = 10.0 * (signal / noise).log10();
        assert!(ratio > 80.0, "{ratio} dB");
    }
}
