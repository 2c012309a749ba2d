//! How far a coded sound is from its source.

use std::f64::consts::TAU;

use super::sound::{Sound, samples};

/// Seconds by which `coded`, whose first sample belongs at `start`, is later than the source; found
/// by correlation of a quarter of a second around its loudest place, within ±40 ms.
pub(crate) fn delay(sound: Sound, rate: u32, channels: usize, start: f64, coded: &[f32]) -> f64 {
    let reach = rate as usize * 40 / 1000;
    let length = rate as usize / 4;
    let first: Vec<f32> = coded.iter().step_by(channels).copied().collect();
    let loudest =
        (0..first.len()).max_by(|&a, &b| first[a].abs().total_cmp(&first[b].abs())).unwrap();
    let from = loudest.saturating_sub(length / 2).clamp(reach, first.len() - length - reach);
    let source = samples(sound, rate, 1, start + from as f64 / f64::from(rate), length);
    let at = |lag: usize| -> f64 {
        let part = &first[from + lag - reach..][..length];
        let alike: f32 = part.iter().zip(&source).map(|(a, b)| a * b).sum();
        // By its own energy: else what is louder would be nearer.
        let energy: f32 = part.iter().map(|a| a * a).sum();
        f64::from(alike) / f64::from(energy + 1e-3).sqrt()
    };
    let correlation: Vec<f64> = (0..=2 * reach).map(at).collect();
    let peak = (1..2 * reach).max_by(|&a, &b| correlation[a].total_cmp(&correlation[b])).unwrap();
    // The vertex of the parabola through the three highest values.
    let (left, top, right) = (correlation[peak - 1], correlation[peak], correlation[peak + 1]);
    let vertex = (left - right) / (2.0 * (left - 2.0 * top + right));
    (peak as f64 + vertex - reach as f64) / f64::from(rate)
}

/// Signal to noise in dB, of all channels, against the source at the same time, without the first
/// and last 100 ms.
pub(crate) fn snr(sound: Sound, rate: u32, channels: usize, start: f64, coded: &[f32]) -> f64 {
    let edge = rate as usize / 10;
    let frames = coded.len() / channels - 2 * edge;
    let source = samples(sound, rate, channels, start + 0.1, frames);
    ratio(&source, &coded[edge * channels..])
}

/// Signal to noise in dB of samples against those they should be.
pub(crate) fn ratio(source: &[f32], coded: &[f32]) -> f64 {
    let (mut signal, mut noise) = (0.0_f64, 0.0_f64);
    for (expected, found) in source.iter().zip(coded) {
        assert!(found.is_finite());
        signal += f64::from(*expected).powi(2);
        noise += f64::from(found - expected).powi(2);
    }
    10.0 * (signal / noise).log10()
}

/// The strength of a frequency in samples of one channel: its amplitude.
pub(crate) fn amplitude(samples: &[f32], rate: u32, frequency: f64) -> f64 {
    let (mut real, mut imaginary, mut weight) = (0.0, 0.0, 0.0);
    let length = samples.len() as f64;
    for (index, sample) in samples.iter().enumerate() {
        let window = 0.5 - 0.5 * (TAU * index as f64 / length).cos();
        let angle = TAU * frequency * index as f64 / f64::from(rate);
        real += window * f64::from(*sample) * angle.cos();
        imaginary += window * f64::from(*sample) * angle.sin();
        weight += window;
    }
    2.0 * f64::hypot(real, imaginary) / weight
}

/// The strongest frequency between 20 Hz and 20 kHz, to 1 Hz, and how far in dB the strongest one
/// at least 100 Hz from it is below.
pub(crate) fn spectrum(samples: &[f32], rate: u32) -> (f64, f64) {
    let part = &samples[..samples.len().min(rate as usize / 8)];
    let scan: Vec<(f64, f64)> = (1..1000)
        .map(|step| f64::from(step) * 20.0)
        .map(|frequency| (frequency, amplitude(part, rate, frequency)))
        .collect();
    let strongest = |of: &[(f64, f64)]| *of.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    let (coarse, _) = strongest(&scan);
    let near: Vec<(f64, f64)> = (-20..=20)
        .map(|step| coarse + f64::from(step))
        .map(|frequency| (frequency, amplitude(part, rate, frequency)))
        .collect();
    let (frequency, level) = strongest(&near);
    let others: Vec<(f64, f64)> =
        scan.into_iter().filter(|(other, _)| (other - frequency).abs() >= 100.0).collect();
    (frequency, 20.0 * (level / strongest(&others).1).log10())
}
