//! Streams go on: over losses, damage, gaps and other formats.

mod support;

use audio_bridge::{
    AacSettings, AudioInput, AudioToOpus, Channels, Codec, Error, MAX_FRAME_BYTES, OpusSettings,
    OpusToAac,
};
use support::{BASE, ffmpeg, measure, play_aac, play_opus, sound, stamp};

fn aac(rate: u32, channels: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let pcm = sound::seconds(sound::tone, rate, channels, 2);
    ffmpeg::encode_aac(&pcm, rate, channels, 128_000)
}

#[test]
fn lost_opus_packets_are_concealed() {
    let pcm = sound::seconds(sound::tone, 48_000, 2, 2);
    let packets = ffmpeg::encode_opus(&pcm, 48_000, 2, 128_000);
    let mut bridge = OpusToAac::new(Channels::Stereo, AacSettings::default()).unwrap();
    let mut frames = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        if !matches!(index, 20 | 40..=42) {
            frames.extend(bridge.push(BASE + index as u64 * 960, packet).unwrap());
        }
    }
    let counts = bridge.counts();
    assert_eq!(
        (counts.concealed, counts.filled, counts.restarts, counts.errors),
        (4 * 960, 0, 0, 0)
    );
    assert_eq!(frames.len(), (packets.len() * 960 - 1024) / 1024);
    // The tone goes on through what was lost: a gap of 20 ms would halve it here.
    let (_, heard) = play_aac(&frames, bridge.config(), 48_000, 2);
    let lost: Vec<f32> =
        heard[2 * (20 * 960 - 480)..].iter().step_by(2).take(1920).copied().collect();
    let level = measure::amplitude(&lost, 48_000, 1000.0);
    assert!((0.3..0.6).contains(&level), "{level}");
}

#[test]
fn long_losses_are_silent_and_longer_ones_not_filled() {
    let pcm = sound::seconds(sound::tone, 48_000, 1, 1);
    let packets = ffmpeg::encode_opus(&pcm, 48_000, 1, 64_000);
    let mut bridge = OpusToAac::new(Channels::Mono, AacSettings::default()).unwrap();
    bridge.push(BASE, &packets[0]).unwrap();
    bridge.push(BASE + 25 * 960, &packets[25]).unwrap();
    assert_eq!((bridge.counts().filled, bridge.counts().restarts), (24 * 960, 0));
    assert!(bridge.push(BASE + 100_000, &packets[26]).unwrap().is_empty());
    assert_eq!(bridge.counts().restarts, 1);
    bridge.gap();
    bridge.push(BASE + 200_000, &packets[27]).unwrap();
    bridge.push(BASE + 200_960, &packets[28]).unwrap();
    let frames = bridge.push(BASE + 201_920, &packets[29]).unwrap();
    assert_eq!(frames[0].timestamp, BASE + 200_000);
    assert_eq!(bridge.counts().concealed, 0);
}

#[test]
fn damaged_frames_cost_themselves() {
    let (config, units) = aac(48_000, 2);
    let mut bridge = AudioToOpus::new(AudioInput::Aac(&config), OpusSettings::default()).unwrap();
    let mut packets = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let timestamp = stamp(index as i64 * 1024, 48_000);
        match index {
            30 => assert_eq!(bridge.push(timestamp, &[]), Err(Error::Empty)),
            40 => {
                let long = vec![0x21; MAX_FRAME_BYTES + 1];
                let limit = MAX_FRAME_BYTES;
                assert_eq!(
                    bridge.push(timestamp, &long),
                    Err(Error::TooLong { length: limit + 1, limit })
                );
            }
            50 => assert!(matches!(
                bridge.push(timestamp, &unit[..unit.len() / 2]),
                Err(Error::Damaged { codec: Codec::Aac, .. })
            )),
            _ => packets.extend(bridge.push(timestamp, unit).unwrap()),
        }
    }
    let counts = bridge.counts();
    assert_eq!((counts.errors, counts.panics, counts.restarts), (3, 0, 0));
    assert!(counts.filled.abs_diff(3 * 1024) < 3 * 48, "{}", counts.filled);
    assert_eq!(packets[0].timestamp, BASE);
    play_opus(&packets, 2);
}

#[test]
fn another_format_begins_anew_with_its_frame() {
    let (first, units) = aac(48_000, 2);
    let (second, others) = aac(44_100, 1);
    let mut bridge = AudioToOpus::new(AudioInput::Aac(&first), OpusSettings::default()).unwrap();
    for (index, unit) in units.iter().take(10).enumerate() {
        bridge.push(BASE + index as u64 * 1024, unit).unwrap();
    }
    assert!(bridge.configure(AudioInput::Aac(&[])).is_err());
    bridge.push(BASE + 10 * 1024, &units[10]).unwrap();
    // The same again is nothing new.
    bridge.configure(AudioInput::Aac(&first)).unwrap();
    bridge.push(BASE + 11 * 1024, &units[11]).unwrap();
    assert_eq!(bridge.counts().restarts, 0);
    bridge.configure(AudioInput::Aac(&second)).unwrap();
    let change = BASE + 12 * 1024;
    let mut packets = Vec::new();
    for (index, unit) in others.iter().take(20).enumerate() {
        packets.extend(bridge.push(change + index as u64 * 1024 * 480 / 441, unit).unwrap());
    }
    assert_eq!((packets[0].timestamp, bridge.counts().restarts), (change, 1));
    // One channel of Opus says so in its first byte (RFC 6716, section 3.1).
    assert!(packets.iter().all(|packet| packet.data[0] & 4 == 0));
    bridge.gap();
    let mut after = Vec::new();
    for index in 0..3 {
        after
            .extend(bridge.push(change + 500_000 + index * 1114, &others[index as usize]).unwrap());
    }
    assert_eq!(after[0].timestamp, change + 500_000);
}

#[test]
fn what_cannot_be_set_up_is_refused() {
    for config in [&[][..], &[0x12], &[0xff; 16], &[0; 16]] {
        let made = AudioToOpus::new(AudioInput::Aac(config), OpusSettings::default());
        assert!(matches!(made.err(), Some(Error::Setup { codec: Codec::Aac, .. })), "{config:x?}");
    }
    let settings = AacSettings { sample_rate: 32_000, ..AacSettings::default() };
    assert_eq!(OpusToAac::new(Channels::Mono, settings).err(), Some(Error::SampleRate(32_000)));
    // Brought into range.
    for bitrate in [0, u32::MAX] {
        let settings = AacSettings { bitrate, ..AacSettings::default() };
        assert_eq!(OpusToAac::new(Channels::Stereo, settings).unwrap().config()[..], [0x11, 0x90]);
    }
}
