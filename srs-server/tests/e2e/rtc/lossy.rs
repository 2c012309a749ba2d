//! A publisher by WHIP on a way that loses packets, recorded by RTMP and HTTP-FLV.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use flv_mux::TagKind;
use rtc_stack::{Codec, MediaKind};

use crate::{
    relay::Relay,
    support::{
        Clip, Ffmpeg, Frame, TestServer, WhipClient, clip, decoded, frames, free_ports, packets,
        samples,
    },
};

/// Packets of a hundred that are lost, each way, and how long the others take.
const LOSS: u32 = 3;
const DELAY_MS: u64 = 20;
/// Pictures at the end, of which the last packets may be lost: nothing follows that shows it.
const END: usize = 25;

/// Frames at the beginning.
const BEGINNING: usize = 8;

/// When pictures become white, in milliseconds.
fn flashes(file: &Path) -> Vec<f64> {
    let options = ["-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "1:1000"];
    let gray = ["-vf", "scale=1:1:flags=area", "-pix_fmt", "gray", "-f", "rawvideo", "-"];
    let options = [&options[..], &gray].concat();
    let brightness = decoded(file, &options);
    let times = packets(file).into_iter().filter(|packet| packet.stream == "video");
    let times: Vec<f64> = times.map(|packet| packet.pts as f64).collect();
    assert_eq!(brightness.len(), times.len());
    let is_white = |at: usize| brightness[at] > 180;
    (1..times.len()).filter(|&at| is_white(at) && !is_white(at - 1)).map(|at| times[at]).collect()
}

/// When the tone becomes loud, in milliseconds.
fn beeps(file: &Path) -> Vec<f64> {
    let samples = samples(file, 1);
    let first = packets(file).into_iter().find(|packet| packet.stream == "audio").unwrap().pts;
    let loud: Vec<bool> =
        samples.chunks(48).map(|ms| ms.iter().any(|sample| sample.abs() > 0.2)).collect();
    let begins = |&at: &usize| loud[at] && !loud[at.saturating_sub(50)..at].contains(&true);
    (50..loud.len()).filter(begins).map(|at| first as f64 + at as f64).collect()
}

/// Sends the frames in their own time; gives the pictures that were sent.
fn publish(publisher: &mut WhipClient, frames: &[Frame]) -> Vec<Vec<Bytes>> {
    let start = Instant::now();
    let mut sent = Vec::new();
    let mut sounds = 0_u32;
    for frame in frames {
        let due = start + Duration::from_millis(frame.time.unsigned_abs());
        while Instant::now() < due {
            publisher.poll(due.saturating_duration_since(Instant::now()));
        }
        // Both wrap within the minute.
        if frame.kind == TagKind::Video {
            let timestamp = (frame.time as u32 * 90).wrapping_sub(2_000_000);
            publisher.send(MediaKind::Video, timestamp, frame.units.iter().cloned());
            sent.push(frame.units.clone());
        } else {
            let timestamp = (sounds * 960).wrapping_sub(1_000_000);
            publisher.send(MediaKind::Audio, timestamp, frame.units.iter().cloned());
            sounds += 1;
        }
    }
    sent
}

/// Of pictures every one arrives, bit by bit: a packet is asked for up to eight times within the half
/// second that those behind it wait.
fn check(file: &Path, sent: &[Vec<Bytes>]) {
    let video: Vec<Frame> =
        frames(file).into_iter().filter(|frame| frame.kind == TagKind::Video).collect();
    let name = file.display();
    assert!(video.len() > sent.len() - END, "{name}: {} of {}", video.len(), sent.len());
    let slices = |units: &[Bytes]| -> Vec<Bytes> {
        units.iter().filter(|unit| matches!(unit[0] & 0x1f, 1 | 5)).cloned().collect()
    };
    for (number, (got, sent)) in video.iter().zip(sent).enumerate() {
        assert!(slices(&got.units) == slices(sent), "{name}: picture {number}");
    }
    let packets = packets(file);
    for kind in ["video", "audio"] {
        let of: Vec<_> = packets.iter().filter(|packet| packet.stream == kind).collect();
        assert!(of.iter().all(|packet| packet.pts == packet.dts), "{name}: {kind}");
        assert!(of.windows(2).all(|pair| pair[0].dts <= pair[1].dts), "{name}: {kind}");
        // The stream's clock begins with the packet that came first: what was taken a little before
        // what is in it has no time of its own.
        let steps = of[BEGINNING..].windows(2).map(|pair| pair[1].dts - pair[0].dts);
        let (least, most) = (steps.clone().min().unwrap(), steps.max().unwrap());
        // 40 ms, and 1,024 samples: less what a track is moved towards where reports put it.
        let expected = if kind == "video" { 36..=44 } else { 19..=24 };
        assert!(expected.contains(&least) && expected.contains(&most), "{kind}: {least} {most}");
        let per_second = of.len() as f64 * 1_000.0 / (of[of.len() - 1].dts - of[0].dts) as f64;
        let expected = if kind == "video" { 25.0 } else { 46.875 };
        assert!((per_second - expected).abs() < expected / 100.0, "{kind}: {per_second}");
    }
    let (flashes, beeps) = (flashes(file), beeps(file));
    let apart: Vec<f64> = flashes
        .iter()
        .map(|flash| {
            let apart = beeps.iter().map(|beep| beep - flash);
            apart.min_by(|one, other| one.abs().total_cmp(&other.abs())).unwrap()
        })
        .collect();
    eprintln!("{name}: {} pictures, sound behind by {apart:.0?} ms", video.len());
    assert!(flashes.len() >= 57 && beeps.len() >= 57, "{} {}", flashes.len(), beeps.len());
    assert!(apart.iter().all(|ms| ms.abs() < 80.0), "{apart:.0?}");
}

#[test]
fn a_minute_of_three_lost_in_a_hundred_is_recorded_whole() {
    let [port] = free_ports();
    let relay = Relay::start(port, LOSS, DELAY_MS);
    let server = TestServer::configured(&format!(
        "rtc_server {{
            enabled on; listen {port}; protocol udp; candidate 127.0.0.1:{};
            api_as_candidates off; use_auto_detect_network_ip off;
        }}
        vhost __defaultVhost__ {{
            rtc {{ enabled on; rtc_to_rtmp on; }} http_remux {{ enabled on; }}
        }}",
        relay.port()
    ));
    let clip = frames(&clip(Clip::Flashes));
    let mut publisher = WhipClient::publish(server.api, "s", Codec::H264);
    server.wait_for_client("s", "rtc-publish");
    let mut rtmp = Ffmpeg::record(&server.rtmp_url("s"));
    let mut flv = Ffmpeg::record(&server.flv_url("s"));
    let id = server.wait_for_client("s", "rtmp-play");
    server.wait_for_client("s", "flv-play");
    let sent = publish(&mut publisher, &clip);
    publisher.poll(Duration::from_secs(1));
    let (passed, lost) = relay.counts();
    let again = publisher.statistics().media.retransmitted_bytes;
    eprintln!("{lost} of {passed} packets lost, {again} bytes sent again");
    assert!(lost * 50 > passed && again > 10_000, "{lost} of {passed}, {again}");
    publisher.close();
    assert!(flv.wait().success());
    server.kick(&id);
    rtmp.wait();
    for file in [&rtmp.output, &flv.output] {
        check(file, &sent);
        std::fs::remove_file(file).unwrap();
    }
}
