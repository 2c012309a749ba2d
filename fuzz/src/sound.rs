//! Sound between AAC, MP3 and Opus.

use audio_bridge::{AacSettings, AudioInput, AudioToOpus, Channels, OpusSettings, OpusToAac};

/// Frames of one input: hostile ones may each be worth a second of filling, which takes its time.
const MOST_FRAMES: usize = 8;
/// What one frame may make: a second of filling, and 120 ms of its own.
const MOST_MADE: usize = 70;
/// A jump that nothing fills, in ticks.
const JUMP: u64 = 40 * audio_bridge::TICKS_PER_SECOND;

/// What happens to a bridge.
enum Step<'a> {
    Gap,
    Frame(u64, &'a [u8]),
}

/// Of each step a byte, a length (16 bits), and a frame. The byte is the time since the last frame
/// in units of 8 ticks, or 253 for a gap, 254 for a jump ahead, 255 for one back.
fn steps(data: &[u8]) -> impl Iterator<Item = Step<'_>> {
    let mut rest = data;
    let mut timestamp = JUMP;
    std::iter::from_fn(move || {
        let [step, high, low, after @ ..] = rest else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (frame, after) = after.split_at(length.min(after.len()));
        rest = after;
        match step {
            253 => return Some(Step::Gap),
            254 => timestamp += JUMP,
            255 => timestamp = timestamp.saturating_sub(JUMP),
            units => timestamp += u64::from(*units) * 8,
        }
        Some(Step::Frame(timestamp, frame))
    })
    .take(MOST_FRAMES)
}

/// 1 for MP3, or else 0 and an AudioSpecificConfig after its length; then steps. Packets are of
/// 20 ms, not empty and not too many, and what was refused is counted.
pub fn audio_to_opus(data: &[u8]) {
    let (input, rest) = match data {
        [0, length, rest @ ..] => {
            let (config, rest) = rest.split_at(usize::from(*length).min(rest.len()));
            (AudioInput::Aac(config), rest)
        }
        [1, rest @ ..] => (AudioInput::Mp3, rest),
        _ => return,
    };
    let Ok(mut bridge) = AudioToOpus::new(input, OpusSettings { bitrate: 24_000 }) else { return };
    let (mut frames, mut errors, mut made) = (0, 0, 0);
    for step in steps(rest) {
        let Step::Frame(timestamp, frame) = step else {
            bridge.gap();
            continue;
        };
        frames += 1;
        match bridge.push(timestamp, frame) {
            Ok(packets) => {
                assert!(packets.len() <= MOST_MADE);
                assert!(packets.iter().all(|p| !p.data.is_empty() && p.duration == 960));
                made += packets.len() as u64;
            }
            Err(_) => errors += 1,
        }
    }
    let counts = bridge.counts();
    assert_eq!((counts.frames, counts.errors), (frames, errors));
    assert!(counts.packets >= made);
}

/// A byte of settings (1: stereo, 2: 44.1 kHz), then steps. Access units are not empty and not too
/// many, and what was refused is counted.
pub fn opus_to_aac(data: &[u8]) {
    let Some((settings, rest)) = data.split_first() else { return };
    let channels = if settings & 1 == 0 { Channels::Mono } else { Channels::Stereo };
    let sample_rate = if settings & 2 == 0 { 48_000 } else { 44_100 };
    let mut bridge = OpusToAac::new(channels, AacSettings { bitrate: 32_000, sample_rate })
        .expect("one of the two rates");
    assert!(!bridge.config().is_empty());
    let (mut frames, mut errors, mut made) = (0, 0, 0);
    for step in steps(rest) {
        let Step::Frame(timestamp, packet) = step else {
            bridge.gap();
            continue;
        };
        frames += 1;
        match bridge.push(timestamp, packet) {
            Ok(units) => {
                assert!(units.len() <= MOST_MADE);
                assert!(units.iter().all(|unit| !unit.data.is_empty()));
                made += units.len() as u64;
            }
            Err(_) => errors += 1,
        }
    }
    let counts = bridge.counts();
    assert_eq!((counts.frames, counts.errors), (frames, errors));
    assert!(counts.packets >= made);
}
