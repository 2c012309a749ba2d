//! Clips of real encoders, packetized here and by ffmpeg: what comes of the packets decodes to the same frames.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use rtc_stack::payload::{AccessUnit, Depacketizer};
use rtc_stack::rtp::{Header, SequenceExtender};
use rtc_stack::{Codec, Limits};

use crate::track::{depacketized, packet, packets};

/// A codec, the end of a file's name, and how ffmpeg encodes it.
type Clip = (Codec, &'static str, &'static [&'static str]);

const H264: Clip =
    (Codec::H264, "h264", &["-c:v", "libx264", "-x264-params", "aud=1:slices=2:keyint=12"]);
const H265: Clip = (
    Codec::H265,
    "hevc",
    &["-c:v", "libx265", "-x265-params", "log-level=0:aud=1:repeat-headers=1:keyint=12"],
);
const AV1: Clip = (Codec::Av1, "ivf", &["-c:v", "libsvtav1", "-preset", "12", "-g", "12"]);
const VP8: Clip = (Codec::Vp8, "ivf", &["-c:v", "libvpx", "-deadline", "realtime", "-g", "12"]);
const VP9: Clip = (Codec::Vp9, "ivf", &["-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "12"]);

const FRAMES: usize = 30;

#[test]
fn h264_decodes_to_the_same_frames() {
    check(H264);
}

#[test]
fn h265_decodes_to_the_same_frames() {
    check(H265);
}

#[test]
fn av1_decodes_to_the_same_frames() {
    check(AV1);
}

#[test]
fn vp8_decodes_to_the_same_frames() {
    check(VP8);
}

#[test]
fn vp9_decodes_to_the_same_frames() {
    check(VP9);
}

fn check(clip: Clip) {
    let (codec, extension, encoder) = clip;
    let file = |what: &str| {
        let name = format!("payload-{}-{codec}-{what}.{extension}", std::process::id());
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
    };
    let original = file("original");
    let source = "testsrc2=size=320x240:rate=25,format=yuv420p";
    let count = FRAMES.to_string();
    let mut encode = ffmpeg();
    encode.args(["-y", "-f", "lavfi", "-i", source, "-frames:v", &count]).args(encoder);
    assert!(encode.arg(&original).status().unwrap().success());
    let hashes = decoded(&original);
    assert_eq!(hashes.len(), FRAMES);

    let frames = read(codec, &std::fs::read(&original).unwrap());
    // Short ones, so that frames of all codecs are cut.
    let packets = packets(codec, 300, &frames);
    assert!(packets.len() > 2 * FRAMES, "{} packets", packets.len());
    let ours = depacketized(codec, &packets);
    let by_us = file("ours");
    std::fs::write(&by_us, written(codec, &ours)).unwrap();
    assert_eq!(decoded(&by_us), hashes, "packetized here");
    assert!(ours.iter().filter(|unit| unit.is_keyframe).count() >= 2);

    let theirs = by_ffmpeg(codec, &original);
    let by_them = file("theirs");
    std::fs::write(&by_them, written(codec, &theirs)).unwrap();
    assert_eq!(decoded(&by_them), hashes, "packetized by ffmpeg");
    let keyframes =
        |units: &[AccessUnit]| units.iter().map(|unit| unit.is_keyframe).collect::<Vec<_>>();
    assert_eq!(keyframes(&theirs), keyframes(&ours));

    for file in [original, by_us, by_them] {
        std::fs::remove_file(file).unwrap();
    }
}

/// The ffmpeg that `test.sh` has put beside the build; the distribution's packetizes no AV1.
fn ffmpeg() -> Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("tools/imageio_ffmpeg/binaries");
    let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let is_program = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ffmpeg-"))
    };
    let program = files.map(|file| file.path()).find(is_program);
    let mut command = Command::new(
        program.unwrap_or_else(|| panic!("no ffmpeg in {}: run ./test.sh once", folder.display())),
    );
    command.args(["-v", "error"]).stdin(Stdio::null()).stderr(Stdio::null()).env("SVT_LOG", "1");
    command
}

/// The checksum of each frame of a file.
fn decoded(file: &Path) -> Vec<String> {
    let mut command = ffmpeg();
    command.arg("-i").arg(file).args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// What comes of a file that ffmpeg sends as RTP.
fn by_ffmpeg(codec: Codec, file: &Path) -> Vec<AccessUnit> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let url = format!("rtp://{}?pktsize=1000", socket.local_addr().unwrap());
    let mut command = ffmpeg();
    command.args(["-re", "-i"]).arg(file).args(["-c", "copy", "-strict", "experimental"]);
    command.args(["-rtpflags", "skip_rtcp", "-f", "rtp", &url]).stdout(Stdio::null());
    let mut sender = command.spawn().unwrap();
    let mut depacketizer = Depacketizer::new(codec, &Limits::default()).unwrap();
    let mut numbers = SequenceExtender::default();
    let mut out = Vec::new();
    let mut buffer = [0; 2_048];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let datagram = &buffer[..length];
                let header = Header::parse(datagram).unwrap();
                let payload = header.payload(datagram).unwrap();
                let fields = header.fields;
                let sequence = numbers.extend(fields.sequence);
                let packet = packet(codec, sequence, fields.timestamp, fields.marker, payload);
                depacketizer.receive(&packet, &mut out);
            }
            // It has ended, and nothing is on the way.
            Err(_) if sender.try_wait().unwrap().is_some() => break,
            Err(_) => {}
        }
    }
    let statistics = depacketizer.statistics();
    assert_eq!((statistics.dropped_frames, statistics.lost, statistics.malformed), (0, 0, 0));
    out
}

/// The access units of a file.
fn read(codec: Codec, mut bytes: &[u8]) -> Vec<Vec<Bytes>> {
    let mut frames: Vec<Vec<Bytes>> = Vec::new();
    if !matches!(codec, Codec::H264 | Codec::H265) {
        bytes = &bytes[32..];
        while let Some((header, rest)) = bytes.split_first_chunk::<12>() {
            let length = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
            frames.push(vec![Bytes::copy_from_slice(&rest[..length])]);
            bytes = &rest[length..];
        }
        return frames;
    }
    let is_start = |at: &usize| bytes[*at..].starts_with(&[0, 0, 1]);
    let starts: Vec<_> = (0..bytes.len() - 3).filter(is_start).collect();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(bytes.len());
        let mut unit = &bytes[start + 3..end];
        while let Some(rest) = unit.strip_suffix(&[0]) {
            unit = rest;
        }
        // Each access unit begins with a delimiter.
        if matches!((codec, unit[0]), (Codec::H264, 0x09) | (Codec::H265, 0x46)) {
            frames.push(Vec::new());
        }
        frames.last_mut().unwrap().push(Bytes::copy_from_slice(unit));
    }
    frames
}

/// A file of access units.
fn written(codec: Codec, units: &[AccessUnit]) -> Vec<u8> {
    let fourcc = match codec {
        Codec::H264 | Codec::H265 => {
            let units = units.iter().flat_map(|unit| &unit.units);
            return units.flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat()).collect();
        }
        Codec::Av1 => b"AV01",
        Codec::Vp8 => b"VP80",
        _ => b"VP90",
    };
    let mut file = [&b"DKIF\0\0\x20\0"[..], fourcc, &[0x40, 1, 0xf0, 0, 25, 0, 0, 0, 1]].concat();
    file.resize(32, 0);
    for (index, unit) in units.iter().enumerate() {
        let delimiter: &[u8] = if codec == Codec::Av1 { &[0x12, 0] } else { &[] };
        let frame = [delimiter, &unit.units.concat()].concat();
        file.extend((frame.len() as u32).to_le_bytes());
        file.extend((index as u64).to_le_bytes());
        file.extend(frame);
    }
    file
}
