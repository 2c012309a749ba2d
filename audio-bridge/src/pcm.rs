use std::f32::consts::FRAC_1_SQRT_2 as SIDE;

use crate::Error;

/// Decoded sound: interleaved, of one or two channels, each sample finite and within ±1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pcm {
    pub(crate) rate: u32,
    pub(crate) channels: usize,
    pub(crate) samples: Vec<f32>,
}

impl Pcm {
    /// Takes what a decoder made, of 1 to 8 channels in the order of WAVE files.
    pub(crate) fn new(rate: u32, channels: usize, samples: Vec<f32>) -> Result<Self, Error> {
        if !RATES.contains(&rate) {
            return Err(Error::SampleRate(rate));
        }
        let (channels, mut samples) = match mix_down(channels) {
            _ if channels == 1 || channels == 2 => (channels, samples),
            Some(parts) => (2, mixed(&samples, parts)),
            None => return Err(Error::Channels(channels)),
        };
        for sample in &mut samples {
            // Encoders take neither infinities nor NaN, and some refuse what is beyond full scale.
            *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        }
        Ok(Self { rate, channels, samples })
    }

    pub(crate) fn silence(rate: u32, channels: usize, frames: usize) -> Self {
        Self { rate, channels, samples: vec![0.0; frames.saturating_mul(channels)] }
    }

    /// Samples per channel.
    pub(crate) fn frames(&self) -> usize {
        self.samples.len().checked_div(self.channels).unwrap_or(0)
    }

    /// Leaves out `frames` from the start, or all there are.
    pub(crate) fn skip(&mut self, frames: usize) {
        let values = frames.saturating_mul(self.channels).min(self.samples.len());
        self.samples.drain(..values);
    }

    /// Puts one sample in, or leaves one out, over a fade of some 128: a retiming that a listener
    /// cannot tell, where a cut would click.
    pub(crate) fn slip(&mut self, longer: bool) {
        let frames: Vec<&[f32]> = self.samples.chunks_exact(self.channels.max(1)).collect();
        let fade = frames.len().saturating_sub(2).min(128);
        let mut out = Vec::with_capacity(self.samples.len().saturating_add(2));
        let mut last: &[f32] = frames.first().copied().unwrap_or(&[]);
        for (index, &frame) in frames.iter().enumerate() {
            let next = frames.get(index.saturating_add(1)).copied().unwrap_or(frame);
            let other = if longer { last } else { next };
            if index < fade {
                let weight = (index as f32 + 0.5) / fade as f32;
                out.extend(frame.iter().zip(other).map(|(a, b)| a * (1.0 - weight) + b * weight));
            } else {
                if longer && index == fade {
                    out.extend_from_slice(last);
                }
                if longer || index != fade {
                    out.extend_from_slice(frame);
                }
            }
            last = frame;
        }
        self.samples = out;
    }
}

/// The rates of ISO/IEC 14496-3, table 1.18. Those of MPEG audio and Opus are among them. Others
/// would make resamplers of any size.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// What of each channel goes to the left and to the right, by ITU-R BS.775, table 2; the
/// low-frequency channel to neither.
fn mix_down(channels: usize) -> Option<&'static [(f32, f32)]> {
    const LEFT: (f32, f32) = (1.0, 0.0);
    const RIGHT: (f32, f32) = (0.0, 1.0);
    const CENTRE: (f32, f32) = (SIDE, SIDE);
    const BACK: (f32, f32) = (0.5, 0.5);
    const LOW: (f32, f32) = (0.0, 0.0);
    const SIDE_LEFT: (f32, f32) = (SIDE, 0.0);
    const SIDE_RIGHT: (f32, f32) = (0.0, SIDE);
    Some(match channels {
        3 => &[LEFT, RIGHT, CENTRE],
        4 => &[LEFT, RIGHT, CENTRE, BACK],
        5 => &[LEFT, RIGHT, CENTRE, SIDE_LEFT, SIDE_RIGHT],
        6 => &[LEFT, RIGHT, CENTRE, LOW, SIDE_LEFT, SIDE_RIGHT],
        7 => &[LEFT, RIGHT, CENTRE, LOW, BACK, SIDE_LEFT, SIDE_RIGHT],
        8 => &[LEFT, RIGHT, CENTRE, LOW, SIDE_LEFT, SIDE_RIGHT, SIDE_LEFT, SIDE_RIGHT],
        _ => return None,
    })
}

/// The mix of two channels, softer by as much as it takes for the loudest of all not to clip.
fn mixed(samples: &[f32], parts: &[(f32, f32)]) -> Vec<f32> {
    let [left, right] =
        parts.iter().fold([0.0, 0.0], |[left, right], (l, r)| [left + l, right + r]);
    let share = left.max(right).max(1.0).recip();
    samples
        .chunks_exact(parts.len().max(1))
        .flat_map(|frame| {
            frame.iter().zip(parts).fold([0.0, 0.0], |[left, right], (sample, (l, r))| {
                [left + sample * l * share, right + sample * r * share]
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sound_becomes_silence_and_what_is_too_loud_full_scale() {
        let pcm = Pcm::new(48_000, 1, vec![0.5, f32::NAN, f32::INFINITY, -7.0, 1.5]).unwrap();
        assert_eq!(pcm.samples, [0.5, 0.0, 0.0, -1.0, 1.0]);
    }

    #[test]
    fn five_channels_and_the_low_one_are_mixed_to_two() {
        // Left, right, centre, low, side left, side right, one after the other.
        let mut samples = vec![0.0; 36];
        for channel in 0..6 {
            samples[channel * 7] = 0.5;
        }
        let pcm = Pcm::new(48_000, 6, samples).unwrap();
        let front = 0.5 / (1.0 + 2.0 * SIDE);
        let side = front * SIDE;
        let expected = [front, 0.0, 0.0, front, side, side, 0.0, 0.0, side, 0.0, 0.0, side];
        let off = pcm.samples.iter().zip(expected).map(|(got, expected)| (got - expected).abs());
        assert!(off.clone().all(|off| off < 1e-6) && off.count() == 12, "{:?}", pcm.samples);
        // All of them at once are full scale, and no more.
        let loud = Pcm::new(48_000, 6, vec![1.0; 6]).unwrap();
        assert!(loud.samples.iter().all(|sample| (sample - 1.0).abs() < 1e-6), "{loud:?}");
        assert_eq!((pcm.channels, pcm.frames()), (2, 6));
    }

    #[test]
    fn unknown_layouts_and_rates_are_refused() {
        assert_eq!(Pcm::new(48_000, 0, vec![]), Err(Error::Channels(0)));
        assert_eq!(Pcm::new(48_000, 9, vec![0.0; 9]), Err(Error::Channels(9)));
        assert_eq!(Pcm::new(44_101, 2, vec![0.0; 2]), Err(Error::SampleRate(44_101)));
        for channels in 1..=8 {
            assert_eq!(Pcm::new(7_350, channels, vec![0.25; channels * 3]).unwrap().frames(), 3);
        }
    }

    #[test]
    fn a_slip_changes_the_length_by_one_and_keeps_the_ends() {
        let ramp: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        for (longer, frames) in [(true, 501), (false, 499)] {
            let mut pcm = Pcm { rate: 48_000, channels: 2, samples: ramp.clone() };
            pcm.slip(longer);
            assert_eq!(pcm.frames(), frames);
            assert_eq!(pcm.samples[pcm.samples.len() - 2..], [0.998, 0.999]);
            // No step is larger than one and a half of the ramp's own.
            for pair in pcm.samples.chunks(2).collect::<Vec<_>>().windows(2) {
                let step = pair[1][0] - pair[0][0];
                assert!((-0.000_1..0.003_1).contains(&step), "{step}");
            }
        }
        let mut tiny = Pcm::silence(48_000, 2, 1);
        tiny.slip(false);
        tiny.slip(true);
        assert!(tiny.frames() <= 2);
    }
}
