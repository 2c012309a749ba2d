//! What goes in comes out: by RTMP and by HTTP-FLV, for every kind of stream.

use std::{process::Command, thread, time::Duration};

use crate::support::{Clip, Ffmpeg, Packet, TestServer, clip, decoded_hashes, packets};

/// Publishes a clip to players that were there before, and compares all they got.
fn comes_out_as_it_went_in(which: Clip) {
    let server = TestServer::start();
    let source = clip(which);
    let mut rtmp = Ffmpeg::record(&server.rtmp_url("a"));
    let mut flv = Ffmpeg::record(&server.flv_url("a"));
    let rtmp_id = server.wait_for_client("a", "rtmp-play");
    server.wait_for_client("a", "flv-play");

    assert!(Ffmpeg::publish(&source, &server.rtmp_url("a")).wait().success());
    // The HTTP response ends with the stream; an RTMP player waits for the next publisher.
    assert!(flv.wait().success());
    assert_eq!(server.clients("a", "rtmp-play").len(), 1);
    server.kick(&rtmp_id);
    rtmp.wait();

    let (sent, sent_frames) = (packets(&source), decoded_hashes(&source));
    assert!(sent.len() > 90, "{} packets in the clip", sent.len());
    for received in [&rtmp.output, &flv.output] {
        let got = packets(received);
        assert_eq!(rebased(&got), rebased(&sent), "packets of {}", received.display());
        assert_monotonic(&got);
        assert_eq!(decoded_hashes(received), sent_frames, "{}", received.display());
    }
}

/// Packets per track with times from the first of all: so the offset between tracks counts.
fn rebased(packets: &[Packet]) -> [Vec<(i64, i64, usize, bool)>; 2] {
    let base = packets.iter().map(|packet| packet.dts).min().unwrap_or(0);
    ["video", "audio"].map(|stream| {
        let track = packets.iter().filter(|packet| packet.stream == stream);
        track.map(|p| (p.pts - base, p.dts - base, p.size, p.key)).collect()
    })
}

fn assert_monotonic(packets: &[Packet]) {
    for stream in ["video", "audio"] {
        let times: Vec<_> = packets.iter().filter(|p| p.stream == stream).map(|p| p.dts).collect();
        assert!(times.is_sorted(), "{stream}: {times:?}");
    }
}

#[test]
fn h264_and_aac() {
    comes_out_as_it_went_in(Clip::Avc);
}

#[test]
fn h264_with_b_frames() {
    comes_out_as_it_went_in(Clip::BFrames);
}

#[test]
fn h264_and_mp3() {
    comes_out_as_it_went_in(Clip::Mp3);
}

#[test]
fn audio_only() {
    comes_out_as_it_went_in(Clip::AudioOnly);
}

#[test]
fn video_only() {
    comes_out_as_it_went_in(Clip::VideoOnly);
}

#[test]
fn librtmp_plays() {
    let server = TestServer::start();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    thread::sleep(Duration::from_millis(1500));
    let output = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("rtmpdump.flv");
    let mut rtmpdump = Command::new("rtmpdump")
        .args(["--live", "--quiet", "-r", &server.rtmp_url("a"), "-o"])
        .arg(&output)
        .spawn()
        .expect("rtmpdump is installed");
    let player = server.wait_for_client("a", "rtmp-play");
    thread::sleep(Duration::from_secs(3));
    server.kick(&player);
    rtmpdump.wait().unwrap();
    let got = packets(&output);
    assert_monotonic(&got);
    let video: Vec<_> = got.iter().filter(|packet| packet.stream == "video").collect();
    assert!(video[0].key && video.len() >= 50, "{} video packets", video.len());
    let frames = decoded_hashes(&output);
    assert_eq!(frames["video"].len(), video.len());
    let source = decoded_hashes(&clip(Clip::Avc));
    // The clip goes round, and a keyframe starts each second.
    let first = source["video"].iter().position(|hash| *hash == frames["video"][0]).unwrap();
    assert_eq!(first % 25, 0);
    for (index, hash) in frames["video"].iter().enumerate() {
        assert_eq!(
            *hash,
            source["video"][(first + index) % source["video"].len()],
            "frame {index}"
        );
    }
}
