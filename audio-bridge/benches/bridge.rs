//! What one stream costs: each iteration is a second of sound, so that microseconds are millionths of
//! a core.

use audio_bridge::{AacSettings, AudioInput, AudioToOpus, Channels, OpusSettings, OpusToAac};
use divan::{Bencher, black_box};
use opus_pure::{Application, OpusEncoder};
use syom::{EncodeOptions, Encoder};

fn main() {
    divan::main();
}

/// Notes that fade, and a little noise; interleaved stereo.
fn sound(rate: usize) -> Vec<f32> {
    let mut noise = 1_u32;
    (0..rate * 2)
        .map(|index| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let time = (index / 2) as f32 / rate as f32;
            let fade = (-4.0 * (time % 0.5)).exp();
            let notes: f32 = [220.0, 331.0, 442.0, 1108.0, 2217.0]
                .iter()
                .map(|note: &f32| (note * std::f32::consts::TAU * time).sin())
                .sum();
            0.12 * fade * notes + 0.004 * ((noise >> 16) as f32 / 32_768.0 - 1.0)
        })
        .collect()
}

fn aac(rate: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let options = EncodeOptions::raw().with_bitrate_bps(128_000);
    let mut encoder = Encoder::new(rate as u32, 2, &options).unwrap();
    let sound = sound(rate);
    let planes: Vec<Vec<f32>> =
        (0..2).map(|channel| sound.iter().skip(channel).step_by(2).copied().collect()).collect();
    let mut units = Vec::new();
    let each = |frame: syom::EncodedFrame<'_>| {
        units.push(frame.payload.to_vec());
        Ok(())
    };
    encoder.feed(&[&planes[0], &planes[1]], each).unwrap();
    (encoder.asc().to_vec(), units)
}

#[divan::bench(args = [48_000, 44_100])]
fn aac_to_opus(bencher: Bencher<'_, '_>, rate: usize) {
    let (config, units) = aac(rate);
    let input = AudioInput::Aac(&config);
    let mut bridge = AudioToOpus::new(input, OpusSettings { bitrate: 96_000 }).unwrap();
    let mut samples = 0;
    bencher.bench_local(|| {
        let mut packets = 0;
        for unit in black_box(&units) {
            packets += bridge.push(samples * 48_000 / rate as u64, unit).unwrap().len();
            samples += 1024;
        }
        assert!(packets >= 45);
    });
}

#[divan::bench(args = [48_000, 44_100])]
fn opus_to_aac(bencher: Bencher<'_, '_>, rate: u32) {
    let mut encoder = OpusEncoder::new(48_000, 2, Application::Audio).unwrap();
    encoder.bitrate_bps = 96_000;
    let packets: Vec<Vec<u8>> = sound(48_000)
        .chunks(1920)
        .map(|block| {
            let mut packet = vec![0; 4000];
            let length = encoder.encode(block, 960, &mut packet).unwrap();
            packet.truncate(length);
            packet
        })
        .collect();
    let settings = AacSettings { bitrate: 128_000, sample_rate: rate };
    let mut bridge = OpusToAac::new(Channels::Stereo, settings).unwrap();
    let mut timestamp = 0;
    bencher.bench_local(|| {
        let mut frames = 0;
        for packet in black_box(&packets) {
            frames += bridge.push(timestamp, packet).unwrap().len();
            timestamp += 960;
        }
        assert!(frames >= 41);
    });
}
