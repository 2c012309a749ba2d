//! How much of the sound is left, beside what ffmpeg's codecs leave of it.

mod support;

use audio_bridge::{AacSettings, AudioInput, AudioToOpus, Channels, OpusSettings, OpusToAac};
use support::sound::{self, Sound};
use support::{ffmpeg, measure, play_aac, play_opus, stamp};

const SECONDS: usize = 3;
const SOUNDS: [(&str, Sound); 2] = [("music", sound::music), ("speech", sound::speech)];
/// Sample rate, channels and bits per second.
const FORMS: [(u32, usize, u32); 4] =
    [(44_100, 2, 96_000), (48_000, 2, 128_000), (48_000, 2, 64_000), (44_100, 1, 64_000)];

/// Signal to noise, in dB, of what the bridge makes and of what ffmpeg makes of the same input.
struct Outcome {
    ours: f64,
    theirs: f64,
}

fn aac_to_opus(sound: Sound, rate: u32, channels: usize, bitrate: u32) -> Outcome {
    let pcm = sound::seconds(sound, rate, channels, SECONDS);
    let (config, units) = ffmpeg::encode_aac(&pcm, rate, channels, 192_000);
    let settings = OpusSettings { bitrate: bitrate * 2 / channels as u32 };
    let mut bridge = AudioToOpus::new(AudioInput::Aac(&config), settings).unwrap();
    let mut packets = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        packets.extend(bridge.push(stamp((index as i64 - 1) * 1024, rate), unit).unwrap());
    }
    let bytes: usize = packets.iter().map(|packet| packet.data.len()).sum();
    let made = bytes * 8 * 50 / packets.len();
    assert!(made < bitrate as usize * 12 / 10, "{made} bit/s");
    let (start, ours) = play_opus(&packets, channels);
    let late = measure::delay(sound, 48_000, channels, start, &ours);
    assert!(late.abs() < 0.002, "{late} s late");
    let ours = measure::snr(sound, 48_000, channels, start - late, &ours);

    let decoded = ffmpeg::decode_aac(&slices(&units), &config, channels);
    let packets = ffmpeg::encode_opus(&decoded, rate, channels, bitrate);
    let theirs = ffmpeg::decode_opus(&slices(&packets), channels);
    let late = measure::delay(sound, 48_000, channels, 0.0, &theirs);
    Outcome { ours, theirs: measure::snr(sound, 48_000, channels, -late, &theirs) }
}

fn opus_to_aac(sound: Sound, rate: u32, channels: usize, bitrate: u32) -> Outcome {
    let pcm = sound::seconds(sound, 48_000, channels, SECONDS);
    let packets = ffmpeg::encode_opus(&pcm, 48_000, channels, 160_000);
    let settings = AacSettings { bitrate, sample_rate: rate };
    let layout = if channels == 1 { Channels::Mono } else { Channels::Stereo };
    let mut bridge = OpusToAac::new(layout, settings).unwrap();
    let mut frames = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let timestamp = support::BASE + index as u64 * 960 - 312;
        frames.extend(bridge.push(timestamp, packet).unwrap());
    }
    let bytes: usize = frames.iter().map(|frame| frame.data.len()).sum();
    let made = bytes * 8 * rate as usize / 1024 / frames.len();
    assert!(made < bitrate as usize * 12 / 10, "{made} bit/s");
    let (start, ours) = play_aac(&frames, bridge.config(), rate, channels);
    let late = measure::delay(sound, rate, channels, start, &ours);
    assert!(late.abs() < 0.002, "{late} s late");
    let ours = measure::snr(sound, rate, channels, start - late, &ours);

    let decoded = ffmpeg::decode_opus(&slices(&packets), channels);
    let (config, units) = ffmpeg::encode_aac_at(&decoded, 48_000, channels, bitrate, rate);
    let theirs = ffmpeg::decode_aac(&slices(&units), &config, channels);
    let late = measure::delay(sound, rate, channels, 0.0, &theirs);
    Outcome { ours, theirs: measure::snr(sound, rate, channels, -late, &theirs) }
}

fn slices(parts: &[Vec<u8>]) -> Vec<&[u8]> {
    parts.iter().map(Vec::as_slice).collect()
}

fn compare(bridge: fn(Sound, u32, usize, u32) -> Outcome, floor: f64, margin: f64) {
    for (name, sound) in SOUNDS {
        for (rate, channels, bitrate) in FORMS {
            let Outcome { ours, theirs } = bridge(sound, rate, channels, bitrate);
            let what = format!(
                "{name}, {rate} Hz, {channels} channels, {bitrate} bit/s: {ours:.1} dB, ffmpeg {theirs:.1} dB"
            );
            println!("{what}");
            assert!(ours > floor && ours > theirs - margin, "{what}");
        }
    }
}

#[test]
fn aac_to_opus_keeps_about_what_ffmpeg_keeps() {
    compare(aac_to_opus, 12.0, 6.0);
}

#[test]
fn opus_to_aac_keeps_about_what_ffmpeg_keeps() {
    compare(opus_to_aac, 12.0, 6.0);
}

#[test]
fn a_tone_stays_at_its_frequency_and_alone() {
    let pcm = sound::seconds(sound::tone, 44_100, 2, 2);
    let (config, units) = ffmpeg::encode_aac(&pcm, 44_100, 2, 128_000);
    let mut bridge =
        AudioToOpus::new(AudioInput::Aac(&config), OpusSettings { bitrate: 128_000 }).unwrap();
    let mut packets = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        packets.extend(bridge.push(stamp((index as i64 - 1) * 1024, 44_100), unit).unwrap());
    }
    let (_, heard) = play_opus(&packets, 2);
    alone(&heard, 48_000);

    let mut back = OpusToAac::new(Channels::Stereo, AacSettings::default()).unwrap();
    let mut frames = Vec::new();
    for packet in &packets {
        frames.extend(back.push(packet.timestamp, &packet.data).unwrap());
    }
    let (_, heard) = play_aac(&frames, back.config(), 48_000, 2);
    alone(&heard, 48_000);
}

/// 1 kHz at half of full scale, and all else at least 40 dB below it.
fn alone(heard: &[f32], rate: u32) {
    let left: Vec<f32> = heard.iter().skip(rate as usize).step_by(2).copied().collect();
    let (frequency, floor) = measure::spectrum(&left, rate);
    let level = measure::amplitude(&left[..rate as usize / 8], rate, 1000.0);
    println!("{frequency} Hz at {level:.3}, floor {floor:.1} dB below");
    assert!((frequency - 1000.0).abs() <= 2.0 && (level - 0.5).abs() < 0.03 && floor > 40.0);
}
