//! Sound of every kind that RTMP has, as WebRTC viewers hear it.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use rtc_stack::Codec;

use crate::support::{Ffmpeg, TestServer, Version, WhepClient, file_of_opus, samples};

const BRIDGED: &str = "rtc_server { enabled on; listen 0; candidate 127.0.0.1; }
vhost __defaultVhost__ { rtc { enabled on; rtmp_to_rtc on; opus_bitrate 96000; } }
";

/// Four seconds of AAC that ffmpeg makes of an expression, one for each channel.
fn aac(name: &str, source: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sound-{name}.flv"));
    let mut ffmpeg = Version::Current.command();
    ffmpeg.args(["-v", "error", "-y", "-f", "lavfi", "-t", "4", "-i", source]);
    // As much as it takes for the encoder to leave pure tones as they are.
    ffmpeg.args(["-c:a", "aac", "-b:a", "640k", "-f", "flv"]).arg(&file);
    assert!(ffmpeg.status().unwrap().success());
    file
}

/// The two channels that a viewer hears of a file, without their beginning.
fn heard(file: &Path) -> [Vec<f32>; 2] {
    let server = TestServer::configured(BRIDGED);
    let mut player = WhepClient::play(server.api, "s", &[Codec::Opus]);
    let mut ffmpeg = Ffmpeg::publish_by(Version::Current, file, &server.rtmp_url("s"));
    let units = player.until(Codec::Opus, 190);
    ffmpeg.wait();
    let first = units[0].timestamp;
    // 20 ms each, without a hole.
    assert!(units.windows(2).all(|pair| pair[1].timestamp - pair[0].timestamp == 960));
    let packet = |unit: &rtc_stack::payload::AccessUnit| -> (u32, Bytes) {
        (((unit.timestamp - first) / 48) as u32, unit.units[0].clone())
    };
    let opus = file_of_opus(&units.iter().map(packet).collect::<Vec<_>>());
    let samples = samples(&opus, 2);
    std::fs::remove_file(opus).unwrap();
    assert!(samples.len() / 2 > 190 * 960 - 1_000, "{}", samples.len());
    let of = |channel: usize| samples.iter().skip(channel + 48_000).step_by(2).copied().collect();
    [of(0), of(1)]
}

/// The amplitude of a tone in a sound (Goertzel's algorithm).
fn tone(sound: &[f32], hertz: f32) -> f32 {
    let sound = &sound[..sound.len() / 4_800 * 4_800];
    let turn = 2.0 * std::f64::consts::PI * f64::from(hertz) / 48_000.0;
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (at, sample) in sound.iter().enumerate() {
        let (sin, cos) = (turn * at as f64).sin_cos();
        real += f64::from(*sample) * cos;
        imaginary += f64::from(*sample) * sin;
    }
    (2.0 * real.hypot(imaginary) / sound.len() as f64) as f32
}

fn peak(sound: &[f32]) -> f32 {
    sound.iter().fold(0.0, |peak, sample| sample.abs().max(peak))
}

#[test]
fn a_tone_of_one_of_six_channels_is_heard_on_its_side() {
    // Left, right, centre, low, back left, back right.
    let source = "aevalsrc=0|0|0|0|0.5*sin(2*PI*500*t)|0:c=5.1:s=48000";
    let [left, right] = heard(&aac("one-of-six", source));
    let (left, right) = (tone(&left, 500.0), tone(&right, 500.0));
    // A seventh of full scale: less by 3 dB as it is behind, and by what leaves room for all others.
    assert!((0.12..0.18).contains(&left), "{left}");
    assert!(right < left / 20.0, "{right} of {left}");
    let source = "aevalsrc=0|0|0.5*sin(2*PI*500*t)|0|0|0:c=5.1:s=48000";
    let [left, right] = heard(&aac("centre-of-six", source));
    let (left, right) = (tone(&left, 500.0), tone(&right, 500.0));
    assert!((0.12..0.18).contains(&left) && (left / right - 1.0).abs() < 0.05, "{left} {right}");
}

#[test]
fn six_loud_channels_do_not_clip() {
    let loud = "0.8*sin(2*PI*500*t)";
    let source = format!("aevalsrc={loud}|{loud}|{loud}|0|{loud}|{loud}:c=5.1:s=48000");
    for sound in heard(&aac("six-loud", &source)) {
        let (tone_is, third) = (tone(&sound, 500.0), tone(&sound, 1_500.0));
        assert!((0.75..0.85).contains(&tone_is), "{tone_is}");
        // What clips has the third harmonic.
        assert!(third < 0.01, "{third}");
        assert!(peak(&sound) < 1.0, "{}", peak(&sound));
    }
}

#[test]
fn other_sample_rates_and_one_channel_are_heard_as_they_are() {
    for (name, layout, rate) in
        [("44", "stereo", 44_100), ("mono", "mono", 48_000), ("slow", "mono", 22_050)]
    {
        let tones = ["0.5*sin(2*PI*500*t)", "0.25*sin(2*PI*800*t)"];
        let tones = if layout == "mono" { tones[0].to_owned() } else { tones.join("|") };
        let [left, right] = heard(&aac(name, &format!("aevalsrc={tones}:c={layout}:s={rate}")));
        let (low, high) = (tone(&left, 500.0), tone(&right, 800.0));
        assert!((0.45..0.55).contains(&low), "{name}: {low}");
        if layout == "mono" {
            assert!((tone(&right, 500.0) / low - 1.0).abs() < 0.05, "{name}");
        } else {
            assert!((0.22..0.28).contains(&high), "{name}: {high}");
            assert!(tone(&left, 800.0) < 0.01 && tone(&right, 500.0) < 0.01, "{name}");
        }
    }
}
