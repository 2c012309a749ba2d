//! The other codecs.

use std::io::{Cursor, Read as _, Write as _};
use std::process::{Command, Stdio};

use opus_pure::{OggOpusReader, OggOpusWriter, OpusHead};

/// Runs ffmpeg from a pipe to a pipe.
fn run(input: &[u8], arguments: &[&str]) -> Vec<u8> {
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin"])
        .args(arguments)
        .arg("pipe:1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::Builder::new().spawn(move || stdin.write_all(&input)).unwrap();
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    assert!(child.wait().unwrap().success(), "ffmpeg {arguments:?}");
    writer.join().unwrap().unwrap();
    out
}

fn encode(pcm: &[f32], rate: u32, channels: usize, arguments: &[&str]) -> Vec<u8> {
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let (rate, channels) = (rate.to_string(), channels.to_string());
    let mut all = vec!["-f", "f32le", "-ar", &rate, "-ac", &channels, "-i", "pipe:0"];
    all.extend_from_slice(arguments);
    run(&bytes, &all)
}

fn decode(input: &[u8], arguments: &[&str], channels: usize) -> Vec<f32> {
    let channels = channels.to_string();
    let mut all = arguments.to_vec();
    all.extend_from_slice(&["-i", "pipe:0", "-ac", &channels, "-f", "f32le"]);
    run(input, &all).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// AudioSpecificConfig and access units of ffmpeg's encoder, which delays by 1,024 samples.
pub(crate) fn encode_aac(
    pcm: &[f32],
    rate: u32,
    channels: usize,
    bitrate: u32,
) -> (Vec<u8>, Vec<Vec<u8>>) {
    encode_aac_at(pcm, rate, channels, bitrate, rate)
}

/// The same at another rate than the source's.
pub(crate) fn encode_aac_at(
    pcm: &[f32],
    rate: u32,
    channels: usize,
    bitrate: u32,
    to: u32,
) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (bitrate, to) = (bitrate.to_string(), to.to_string());
    let arguments = ["-ar", &to, "-c:a", "aac", "-b:a", &bitrate, "-f", "adts"];
    let adts = encode(pcm, rate, channels, &arguments);
    let mut units = Vec::new();
    let mut rest = &adts[..];
    let mut config = Vec::new();
    while let [_, protection, first, second, third, fourth, ..] = *rest {
        let header = if protection & 1 == 1 { 7 } else { 9 };
        let length =
            usize::from(second & 3) << 11 | usize::from(third) << 3 | usize::from(fourth >> 5);
        let object = (first >> 6) + 1;
        let index = first >> 2 & 0xf;
        let layout = (first & 1) << 2 | second >> 6;
        config = vec![object << 3 | index >> 1, index << 7 | layout << 3];
        units.push(rest[header..length].to_vec());
        rest = &rest[length..];
    }
    (config, units)
}

/// What access units decode to, from the first one's first sample on.
pub(crate) fn decode_aac(units: &[&[u8]], config: &[u8], channels: usize) -> Vec<f32> {
    decode(&adts(units, config), &["-f", "aac"], channels)
}

/// Access units with ADTS headers (ISO/IEC 14496-3, 1.A.3) of the configuration's core.
fn adts(units: &[&[u8]], config: &[u8]) -> Vec<u8> {
    let index = config[0] << 1 & 0xf | config[1] >> 7;
    let layout = config[1] >> 3 & 0xf;
    let mut out = Vec::new();
    for unit in units {
        let length = unit.len() + 7;
        out.extend_from_slice(&[
            0xff,
            0xf1,
            0x40 | index << 2 | layout >> 2,
            layout << 6 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ]);
        out.extend_from_slice(unit);
    }
    out
}

/// Frames of LAME, which delays by 1,105 samples with the decoder's part.
pub(crate) fn encode_mp3(pcm: &[f32], rate: u32, channels: usize, bitrate: u32) -> Vec<Vec<u8>> {
    const V1: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const V2: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let bits = bitrate.to_string();
    let plain = ["-write_xing", "0", "-id3v2_version", "0", "-f", "mp3"];
    let mut arguments = vec!["-c:a", "libmp3lame", "-b:a", &bits];
    arguments.extend_from_slice(&plain);
    let bytes = encode(pcm, rate, channels, &arguments);
    let mut frames = Vec::new();
    let mut rest = &bytes[..];
    while let [0xff, version, rates, ..] = *rest {
        let (table, samples) = if version & 8 == 8 { (V1, 144_000) } else { (V2, 72_000) };
        let length =
            (samples * table[usize::from(rates >> 4)] / rate + u32::from(rates >> 1 & 1)) as usize;
        frames.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    frames
}

/// Packets of 20 ms of libopus, which delays by 312 samples.
pub(crate) fn encode_opus(pcm: &[f32], rate: u32, channels: usize, bitrate: u32) -> Vec<Vec<u8>> {
    let bitrate = bitrate.to_string();
    let arguments = ["-ar", "48000", "-c:a", "libopus", "-b:a", &bitrate, "-f", "ogg"];
    let ogg = encode(pcm, rate, channels, &arguments);
    let mut reader = OggOpusReader::new(Cursor::new(ogg)).unwrap();
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_packet().unwrap() {
        packets.push(packet.data);
    }
    packets
}

/// What libopus makes of packets of 20 ms, from the first one's first sample on.
pub(crate) fn decode_opus(packets: &[&[u8]], channels: usize) -> Vec<f32> {
    let mut ogg = Vec::new();
    let mut head = OpusHead::new(channels as u8, 48_000).unwrap();
    head.pre_skip = 0;
    let mut writer = OggOpusWriter::new(&mut ogg, head).unwrap();
    for packet in packets {
        writer.write_packet(packet).unwrap();
    }
    writer.finish().unwrap();
    decode(&ogg, &["-c:a", "libopus", "-f", "ogg"], channels)
}
