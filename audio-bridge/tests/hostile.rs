//! Frames that lie: a hundred thousand give sound or an error, and the stream goes on behind them.

mod support;

use audio_bridge::{AacSettings, AudioInput, AudioToOpus, Channels, OpusSettings, OpusToAac};
use support::{BASE, ffmpeg, sound};

/// The numbers of a seed (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// A good frame with up to eight bytes changed, and at times another end.
    fn damaged(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut frame = frame.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(frame.len());
            frame[at] = self.next() as u8;
        }
        match self.below(4) {
            0 => frame.truncate(self.below(frame.len()) + 1),
            1 => frame.extend(self.bytes(64)),
            _ => {}
        }
        frame
    }

    /// Mostly the next one; at times any.
    fn timestamp(&mut self, last: &mut u64) -> u64 {
        *last = match self.below(200) {
            0 => self.next() >> self.below(64),
            1 => last.saturating_add(self.below(100_000) as u64),
            2 => last.saturating_sub(self.below(100_000) as u64),
            _ => last.saturating_add(1024),
        };
        *last
    }
}

/// Nothing a peer sends makes more than this of one frame: 1 s of filling and the frame itself.
const MOST_PACKETS: usize = 70;

fn torment_to_opus(input: AudioInput<'_>, good: &[Vec<u8>], frames: usize, share_random: usize) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut bridge = AudioToOpus::new(input, OpusSettings { bitrate: 24_000 }).unwrap();
    let mut last = BASE;
    let mut errors = 0;
    for index in 0..frames {
        // What comes behind damage is not held responsible for it.
        let sound = index % 16 == 0;
        let frame = if sound {
            good[index / 16 % good.len()].clone()
        } else if numbers.below(100) < share_random {
            numbers.bytes(1024)
        } else {
            numbers.damaged(&good[index % good.len()])
        };
        match bridge.push(numbers.timestamp(&mut last), &frame) {
            Ok(packets) => {
                assert!(
                    packets.len() <= MOST_PACKETS && packets.iter().all(|p| !p.data.is_empty())
                );
            }
            Err(error) => {
                assert!(!sound, "{error}");
                errors += 1;
            }
        }
    }
    let counts = bridge.counts();
    println!("{counts:?}");
    assert_eq!((counts.frames, counts.errors), (frames as u64, errors));
    // It goes on.
    bridge.gap();
    let mut packets = 0;
    for (index, frame) in good.iter().enumerate() {
        packets += bridge.push(BASE + index as u64 * 1024, frame).map_or(0, |made| made.len());
    }
    assert!(packets > good.len() / 2, "{packets} packets of {} frames", good.len());
}

#[test]
fn aac() {
    for (channels, frames) in [(1, 30_000), (2, 30_000), (6, 5_000)] {
        let pcm = sound::seconds(sound::speech, 48_000, channels, 1);
        let (config, units) = ffmpeg::encode_aac(&pcm, 48_000, channels, 64_000 * channels as u32);
        torment_to_opus(AudioInput::Aac(&config), &units, frames, 70);
    }
}

#[test]
fn mp3() {
    let pcm = sound::seconds(sound::speech, 48_000, 2, 1);
    let frames = ffmpeg::encode_mp3(&pcm, 48_000, 2, 96_000);
    torment_to_opus(AudioInput::Mp3, &frames, 25_000, 60);
}

/// Any bytes are a configuration to somebody.
#[test]
fn configurations() {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    let mut made = 0;
    for _ in 0..5_000 {
        let config = numbers.bytes(24);
        if let Ok(mut bridge) = AudioToOpus::new(AudioInput::Aac(&config), OpusSettings::default())
        {
            made += 1;
            for index in 0..2 {
                let _ = bridge.push(BASE + index * 1024, &numbers.bytes(256));
            }
        }
    }
    assert!(made > 50, "{made}");
}

#[test]
fn opus() {
    let pcm = sound::seconds(sound::speech, 48_000, 2, 1);
    let good = ffmpeg::encode_opus(&pcm, 48_000, 2, 32_000);
    let mut numbers = Numbers(0xdead_beef_cafe_f00d);
    let settings = AacSettings { bitrate: 32_000, sample_rate: 48_000 };
    let mut bridge = OpusToAac::new(Channels::Mono, settings).unwrap();
    let mut last = BASE;
    for index in 0..5_000 {
        let packet = if index % 2 == 0 {
            numbers.bytes(400)
        } else {
            numbers.damaged(&good[index / 2 % good.len()])
        };
        if let Ok(frames) = bridge.push(numbers.timestamp(&mut last), &packet) {
            assert!(
                frames.len() <= MOST_PACKETS && frames.iter().all(|frame| !frame.data.is_empty())
            );
        }
    }
    println!("{:?}", bridge.counts());
    assert_eq!(bridge.counts().frames, 5_000);
    bridge.gap();
    let mut frames = 0;
    for (index, packet) in good.iter().enumerate() {
        frames += bridge.push(BASE + index as u64 * 960, packet).unwrap().len();
    }
    assert_eq!(frames, (good.len() * 960 - 1024) / 1024);
}
