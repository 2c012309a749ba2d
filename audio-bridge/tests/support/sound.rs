//! Synthetic sounds as functions of time, so that they can be had at any rate and offset.

use std::f64::consts::TAU;

/// A value within ±1 at a time in seconds, for a channel.
pub(crate) type Sound = fn(time: f64, channel: usize) -> f64;

/// 1 kHz at half of full scale.
pub(crate) fn tone(time: f64, _: usize) -> f64 {
    0.5 * (TAU * 1000.0 * time).sin()
}

/// Chords of harmonic notes that are struck and fade, and a bass; the second channel leans to others.
pub(crate) fn music(time: f64, channel: usize) -> f64 {
    const CHORDS: [[f64; 4]; 4] = [
        [130.81, 261.63, 329.63, 392.00],
        [110.00, 220.00, 261.63, 329.63],
        [87.31, 174.61, 220.00, 261.63],
        [98.00, 196.00, 246.94, 293.66],
    ];
    let beat = time.max(0.0) / 0.5;
    let chord = CHORDS[beat as usize % CHORDS.len()];
    let since = (beat - beat.floor()) * 0.5;
    // A rise of 10 ms and a decay to silence before the next.
    let envelope = (since / 0.01).min(1.0) * (-4.0 * since).exp() * ((0.5 - since) / 0.02).min(1.0);
    let mut value = 0.0;
    for (index, note) in chord.into_iter().enumerate() {
        let pan = if (index + channel).is_multiple_of(2) { 1.0 } else { 0.6 };
        for harmonic in 1..=12 {
            let order = f64::from(harmonic);
            value += pan * (TAU * note * order * time).sin() / order.powf(1.3);
        }
    }
    0.14 * envelope * value
}

/// Syllables: harmonics of a voice whose pitch glides, under three formants that wander.
pub(crate) fn speech(time: f64, channel: usize) -> f64 {
    let syllable = (TAU * 2.1 * time).sin().max(0.0).powf(0.7);
    // The phase is the pitch's integral: 120 Hz that swings by 20 Hz at 0.7 Hz.
    let phase = TAU * (120.0 * time - 20.0 / (TAU * 0.7) * (TAU * 0.7 * time).cos());
    let pitch = 120.0 + 20.0 * (TAU * 0.7 * time).sin();
    let wander = (TAU * 1.3 * time).sin();
    let formants =
        [(500.0 + 200.0 * wander, 80.0), (1500.0 - 400.0 * wander, 120.0), (2500.0, 200.0)];
    let mut value = 0.0;
    for harmonic in 1..=32 {
        let frequency = pitch * f64::from(harmonic);
        let level: f64 = formants
            .iter()
            .map(|(centre, width)| 1.0 / (1.0 + ((frequency - centre) / width).powi(2)))
            .sum();
        value += level * (phase * f64::from(harmonic)).sin();
    }
    let side = if channel == 0 { 0.12 } else { 0.1 };
    side * syllable * value
}

/// Silence with one burst of 2 kHz within 4 ms, at 1 s: an impulse that codecs keep.
pub(crate) fn burst(time: f64, _: usize) -> f64 {
    let at = time - 1.0;
    0.8 * (-(at / 0.001).powi(2)).exp() * (TAU * 2000.0 * at).cos()
}

/// Interleaved samples from a time on.
pub(crate) fn samples(
    sound: Sound,
    rate: u32,
    channels: usize,
    start: f64,
    count: usize,
) -> Vec<f32> {
    (0..count * channels)
        .map(|index| {
            let time = start + (index / channels) as f64 / f64::from(rate);
            sound(time, index % channels) as f32
        })
        .collect()
}

/// So many seconds from zero on.
pub(crate) fn seconds(sound: Sound, rate: u32, channels: usize, seconds: usize) -> Vec<f32> {
    samples(sound, rate, channels, 0.0, rate as usize * seconds)
}
