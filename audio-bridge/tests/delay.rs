//! A burst comes out at the time at which it went in, whatever it goes through.

mod support;

use audio_bridge::{
    AacFrame, AacSettings, AudioInput, AudioToOpus, Channels, OpusPacket, OpusSettings, OpusToAac,
};
use support::{BASE, ffmpeg, measure, play_aac, play_opus, sound, stamp};
use syom::{EncodeOptions, Encoder};

/// Frames of so many samples each, of which the first holds those `priming` before the start.
fn to_opus(
    input: AudioInput<'_>,
    frames: &[Vec<u8>],
    rate: u32,
    length: i64,
    priming: i64,
) -> Vec<OpusPacket> {
    let mut bridge = AudioToOpus::new(input, OpusSettings { bitrate: 128_000 }).unwrap();
    let mut packets = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        packets.extend(bridge.push(stamp(index as i64 * length - priming, rate), frame).unwrap());
    }
    assert_eq!(bridge.counts().errors, 0);
    packets
}

fn to_aac(packets: &[Vec<u8>], rate: u32) -> (Vec<AacFrame>, Vec<u8>) {
    let settings = AacSettings { bitrate: 128_000, sample_rate: rate };
    let mut bridge = OpusToAac::new(Channels::Mono, settings).unwrap();
    let mut frames = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        frames.extend(bridge.push(BASE + index as u64 * 960 - 312, packet).unwrap());
    }
    (frames, bridge.config().to_vec())
}

/// Milliseconds by which the burst is late.
fn late(rate: u32, (start, heard): (f64, Vec<f32>)) -> f64 {
    measure::delay(sound::burst, rate, 1, start, &heard) * 1000.0
}

#[test]
fn aac_to_opus_keeps_the_time() {
    for rate in [48_000, 44_100, 32_000] {
        let pcm = sound::seconds(sound::burst, rate, 1, 2);
        let (config, units) = ffmpeg::encode_aac(&pcm, rate, 1, 96_000);
        let late = late(
            48_000,
            play_opus(&to_opus(AudioInput::Aac(&config), &units, rate, 1024, 1024), 1),
        );
        println!("AAC of {rate} Hz: {late:.3} ms late");
        // Timestamps of whole milliseconds may be one early.
        assert!((-1.05..0.05).contains(&late), "{late} ms at {rate} Hz");
    }
}

#[test]
fn mp3_to_opus_keeps_the_time() {
    for (rate, length) in [(44_100, 1152), (48_000, 1152), (24_000, 576)] {
        let pcm = sound::seconds(sound::burst, rate, 1, 2);
        let frames = ffmpeg::encode_mp3(&pcm, rate, 1, 64_000);
        let late =
            late(48_000, play_opus(&to_opus(AudioInput::Mp3, &frames, rate, length, 1105), 1));
        println!("MP3 of {rate} Hz: {late:.3} ms late");
        assert!((-1.05..0.05).contains(&late), "{late} ms at {rate} Hz");
    }
}

#[test]
fn opus_to_aac_keeps_the_time() {
    let pcm = sound::seconds(sound::burst, 48_000, 1, 2);
    let packets = ffmpeg::encode_opus(&pcm, 48_000, 1, 96_000);
    for rate in [48_000, 44_100] {
        let (frames, config) = to_aac(&packets, rate);
        let late = late(rate, play_aac(&frames, &config, rate, 1));
        println!("Opus to AAC of {rate} Hz: {late:.3} ms late");
        assert!(late.abs() < 0.05, "{late} ms at {rate} Hz");
    }
}

/// Spectral band replication, signalled in the configuration and only in the frames.
#[test]
fn he_aac_comes_out_whole() {
    for (stereo_by_parameters, channels) in [(false, 1), (false, 2), (true, 2)] {
        let options = EncodeOptions::raw().with_bitrate_bps(64_000);
        let options = if stereo_by_parameters {
            options.with_bitrate_bps(40_000).with_he_v2(true)
        } else {
            options.with_he(true)
        };
        let mut encoder = Encoder::new(48_000, channels, &options).unwrap();
        let plane = sound::seconds(sound::tone, 48_000, 1, 2);
        let planes = vec![&plane[..]; channels];
        let mut units = Vec::new();
        let each = |frame: syom::EncodedFrame<'_>| {
            units.push(frame.payload.to_vec());
            Ok(())
        };
        encoder.feed(&planes, each).unwrap();
        let core = if stereo_by_parameters { 1 } else { channels as u8 };
        // AAC-LC (object type 2) at 24 kHz (index 6): nothing says that there is more.
        let implicit = [0x13, core << 3];
        for config in [encoder.asc(), &implicit] {
            let packets = to_opus(AudioInput::Aac(config), &units, 48_000, 2048, 3018);
            let (_, heard) = play_opus(&packets, channels);
            assert!(heard.len() > 48_000 * channels);
            for channel in 0..channels {
                let one: Vec<f32> = heard
                    .iter()
                    .skip(24_000 * channels + channel)
                    .step_by(channels)
                    .copied()
                    .collect();
                let (frequency, floor) = measure::spectrum(&one, 48_000);
                println!("HE {config:x?} {channels}: {frequency} Hz, {floor:.1} dB");
                assert!(
                    (frequency - 1000.0).abs() <= 2.0 && floor > 20.0,
                    "{frequency} Hz, {floor} dB"
                );
                assert!((measure::amplitude(&one[..6000], 48_000, 1000.0) - 0.5).abs() < 0.1);
            }
        }
    }
}

/// Each channel has a tone of its own.
#[test]
fn five_channels_are_mixed_down() {
    const TONES: [f64; 6] = [400.0, 600.0, 800.0, 60.0, 1000.0, 1400.0];
    let surround =
        |time: f64, channel: usize| 0.2 * (std::f64::consts::TAU * TONES[channel] * time).sin();
    let pcm = sound::seconds(surround, 48_000, 6, 2);
    let (config, units) = ffmpeg::encode_aac(&pcm, 48_000, 6, 384_000);
    let (_, heard) = play_opus(&to_opus(AudioInput::Aac(&config), &units, 48_000, 1024, 1024), 2);
    // A front channel, two of 3 dB less, and all three within full scale.
    let (front, side) = (0.2 / 2.4142, 0.1414 / 2.4142);
    let expected = [[front, 0.0, side, 0.0, side, 0.0], [0.0, front, side, 0.0, 0.0, side]];
    for (channel, levels) in expected.into_iter().enumerate() {
        let one: Vec<f32> =
            heard.iter().skip(48_000 + channel).step_by(2).take(24_000).copied().collect();
        for (tone, level) in TONES.into_iter().zip(levels) {
            let found = measure::amplitude(&one, 48_000, tone);
            assert!(
                (found - level).abs() < 0.01,
                "{tone} Hz in channel {channel}: {found}, not {level}"
            );
        }
    }
}
