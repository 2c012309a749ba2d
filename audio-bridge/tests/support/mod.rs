//! Sounds whose every sample is known, ffmpeg's codecs, and what is measured of the outcome.
#![allow(dead_code)] // Each test uses a part.

pub(crate) mod ffmpeg;
pub(crate) mod measure;
pub(crate) mod sound;

use audio_bridge::{AacFrame, OpusPacket};

/// Where the timestamps of tests begin, in ticks: encoders' delays lie before it.
pub(crate) const BASE: u64 = 480_000;

/// A timestamp: `samples` behind (or before) the start, at this rate, in whole milliseconds as
/// RTMP has them.
pub(crate) fn stamp(samples: i64, rate: u32) -> u64 {
    let ms = (samples * 1000).div_euclid(i64::from(rate));
    BASE.checked_add_signed(ms * 48).unwrap()
}

/// What packets decode to by libopus: the time of the first sample, in seconds of the source, and
/// the samples.
pub(crate) fn play_opus(packets: &[OpusPacket], channels: usize) -> (f64, Vec<f32>) {
    for pair in packets.windows(2) {
        assert_eq!(pair[1].timestamp, pair[0].timestamp + 960);
    }
    let data: Vec<&[u8]> = packets.iter().map(|packet| &packet.data[..]).collect();
    let start = (packets[0].timestamp as i64 - BASE as i64) as f64 / 48_000.0;
    (start, ffmpeg::decode_opus(&data, channels))
}

/// The same for AAC.
pub(crate) fn play_aac(
    frames: &[AacFrame],
    config: &[u8],
    rate: u32,
    channels: usize,
) -> (f64, Vec<f32>) {
    for pair in frames.windows(2) {
        let ticks = (pair[1].timestamp - pair[0].timestamp) as f64;
        assert!((ticks - 1024.0 * 48_000.0 / f64::from(rate)).abs() <= 1.0, "{ticks}");
    }
    let data: Vec<&[u8]> = frames.iter().map(|frame| &frame.data[..]).collect();
    let start = (frames[0].timestamp as i64 - BASE as i64) as f64 / 48_000.0;
    (start, ffmpeg::decode_aac(&data, config, channels))
}
