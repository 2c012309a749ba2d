//! Enhanced RTMP: the codecs that FLV had no number for.

use crate::support::{Clip, Ffmpeg, TestServer, Version, clip, contents};

/// Publishes a clip to players that were there before, and compares every packet and frame.
fn comes_out_as_it_went_in(which: Clip, [video, audio]: [&str; 2]) {
    let server = TestServer::start();
    let source = clip(which);
    let mut rtmp = Ffmpeg::record_by(Version::Current, &server.rtmp_url("a"));
    let mut flv = Ffmpeg::record_by(Version::Current, &server.flv_url("a"));
    let rtmp_id = server.wait_for_client("a", "rtmp-play");
    server.wait_for_client("a", "flv-play");

    let mut publisher = Ffmpeg::publish_by(Version::Current, &source, &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let stream = &server.api("streams")["streams"][0];
    assert_eq!(stream["video"]["codec"], video, "{stream}");
    assert_eq!(stream["audio"]["codec"], audio, "{stream}");
    assert!(publisher.wait().success());
    assert!(flv.wait().success());
    server.kick(&rtmp_id);
    rtmp.wait();

    let sent = contents(&source);
    // A hundred frames of video and more of audio, as packets and as pictures.
    assert!(sent.len() > 400, "{} packets and frames in the clip", sent.len());
    assert_eq!(contents(&rtmp.output), sent, "by RTMP");
    assert_eq!(contents(&flv.output), sent, "by HTTP-FLV");
}

#[test]
fn hevc_and_opus() {
    comes_out_as_it_went_in(Clip::HevcOpus, ["HEVC", "Opus"]);
}

#[test]
fn av1_and_flac() {
    comes_out_as_it_went_in(Clip::Av1Flac, ["AV1", "FLAC"]);
}

#[test]
fn vp9_and_eac3() {
    comes_out_as_it_went_in(Clip::Vp9Eac3, ["VP9", "EAC3"]);
}
