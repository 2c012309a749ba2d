//! What is remuxed for HTTP is what was published: the same times, the same pictures and sounds.

use std::{
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use bytes::Bytes;
use rtmp_proto::MediaKind;

use super::{Taking, get};
use crate::support::{
    Clip, Ffmpeg, Packet, RtmpClient, TestServer, Version, clip, packets, wait_for,
};

/// A server whose streams are in this format, and a client that took the whole clip from it.
fn taken(which: Clip, extension: &str) -> PathBuf {
    let server = TestServer::configured(&format!(
        "vhost __defaultVhost__ {{ http_remux {{ enabled on; mount [vhost]/[app]/[stream].{extension}; }} }}"
    ));
    let taking = Taking::start(server.http, "localhost", &format!("/live/a.{extension}"));
    server.wait_for_client("a", "flv-play");
    let source = clip(which);
    let published = Ffmpeg::publish_by(Version::Current, &source, &server.rtmp_url("a")).wait();
    assert!(published.success());
    let answer = taking.finish();
    assert_eq!(answer.status, 200);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("taken-{which:?}.{extension}"));
    std::fs::write(&path, answer.body).unwrap();
    path
}

/// The checksums of what is decoded of a file's first track of `kind` (`v`, `a`).
fn decoded(file: &Path, kind: &str) -> Vec<String> {
    let output = Version::Current
        .command()
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-map", &format!("0:{kind}:0"), "-fps_mode", "passthrough", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// The times of one track, in ms from the stream's first.
fn times(packets: &[Packet], track: &str, per_ms: i64) -> Vec<(i64, i64, bool)> {
    let base = packets.iter().map(|packet| packet.dts).min().unwrap();
    let of_track = packets.iter().filter(|packet| packet.stream == track);
    of_track.map(|p| ((p.pts - base) / per_ms, (p.dts - base) / per_ms, p.key)).collect()
}

/// Takes a clip as MPEG-TS, and compares these tracks.
fn ts_is_the_clip(which: Clip, tracks: &[&str]) {
    let (source, file) = (clip(which), taken(which, "ts"));
    let (sent, got) = (packets(&source), packets(&file));
    for track in tracks {
        let sent = times(&sent, track, 1);
        assert!(sent.len() > 90, "{} packets of {track} in the clip", sent.len());
        assert_eq!(times(&got, track, 90), sent, "{track} of {}", file.display());
        let kind = &track[..1];
        assert_eq!(decoded(&file, kind), decoded(&source, kind), "{track} of {}", file.display());
    }
    assert!(got.iter().all(|packet| tracks.contains(&&*packet.stream)));
}

#[test]
fn ts_of_h264_and_aac() {
    ts_is_the_clip(Clip::Avc, &["video", "audio"]);
}

#[test]
fn ts_of_h264_with_b_frames() {
    ts_is_the_clip(Clip::BFrames, &["video", "audio"]);
}

#[test]
fn ts_of_h264_and_mp3() {
    ts_is_the_clip(Clip::Mp3, &["video", "audio"]);
}

#[test]
fn ts_of_aac_alone() {
    ts_is_the_clip(Clip::AudioOnly, &["audio"]);
}

#[test]
fn ts_of_h264_alone() {
    ts_is_the_clip(Clip::VideoOnly, &["video"]);
}

/// What the format doesn't carry is left out: the Opus.
#[test]
fn ts_of_h265() {
    let (source, file) = (clip(Clip::HevcOpus), taken(Clip::HevcOpus, "ts"));
    let pictures = decoded(&source, "v");
    assert!(pictures.len() > 90 && decoded(&file, "v") == pictures, "{}", file.display());
    let got = packets(&file);
    assert!(got.iter().all(|packet| packet.stream == "video") && got[0].key);
    let times = times(&got, "video", 90);
    let steps = times.windows(2).map(|pair| pair[1].1 - pair[0].1);
    assert!(steps.into_iter().all(|step| step == 40), "{times:?}");
    assert!(times.iter().any(|(pts, dts, _)| pts > dts), "it has B-frames");
}

#[test]
fn aac_is_the_clips_sound() {
    let file = taken(Clip::Avc, "aac");
    assert_eq!(decoded(&file, "a"), decoded(&clip(Clip::Avc), "a"));
}

#[test]
fn mp3_is_the_clips_sound() {
    let file = taken(Clip::Mp3, "mp3");
    let sound = |file: &Path| {
        let sizes: Vec<_> = packets(file).into_iter().filter(|p| p.stream == "audio").collect();
        sizes.iter().map(|packet| packet.size).collect::<Vec<_>>()
    };
    let got = sound(&file);
    assert!(got.len() > 90 && got == sound(&clip(Clip::Mp3)), "{got:?}");
    let decoded = [decoded(&file, "a"), decoded(&clip(Clip::Mp3), "a")];
    // Players of files know where the encoder's silence ends, those of FLV don't.
    assert!(decoded[0].iter().filter(|hash| decoded[1].contains(hash)).count() > 90);
}

/// Whoever joins later begins at a keyframe, behind the tables.
#[test]
fn a_ts_player_that_joins_gets_a_picture_at_once() {
    let server = TestServer::start();
    let _publisher = Ffmpeg::publish_forever(&clip(Clip::BFrames), &server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    let taking = Taking::start(server.http, "localhost", "/live/a.ts");
    let id = server.wait_for_client("a", "flv-play");
    sleep(Duration::from_secs(3));
    server.kick(&id);
    let answer = taking.finish();
    assert_eq!(answer.body[..4], [0x47, 0x40, 0x00, 0x10]);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("joined.ts");
    let whole = answer.body.len() / 188 * 188;
    std::fs::write(&path, &answer.body[..whole]).unwrap();
    let got = packets(&path);
    let first = got.iter().find(|packet| packet.stream == "video").unwrap();
    assert!(first.key);
    let sent = decoded(&clip(Clip::BFrames), "v");
    let pictures = decoded(&path, "v");
    assert!(pictures.len() > 40, "{} pictures", pictures.len());
    assert!(pictures[..40].iter().all(|picture| sent.contains(picture)));
}

/// A format that doesn't carry what the stream has says so, and doesn't keep its players waiting.
#[test]
fn a_format_that_carries_nothing_of_the_stream_is_refused() {
    let server = TestServer::start();
    let waiting = Taking::start(server.http, "localhost", "/live/a.mp3");
    server.wait_for_client("a", "flv-play");
    let publisher = Ffmpeg::publish_forever(&clip(Clip::Avc), &server.rtmp_url("a"));
    let waited = waiting.finish();
    assert_eq!((waited.status, waited.body.len()), (200, 0));
    let told = "the stream has H264 video and AAC audio, this format carries MP3";
    server.wait_for_log(&format!("http play ended: {told}"));
    let answer = get(server.http, "/live/a.mp3");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.text(), format!("{told}\n"));
    drop(publisher);

    let _publisher =
        Ffmpeg::publish_by(Version::Current, &clip(Clip::Av1Flac), &server.rtmp_url("b"));
    let taking = Taking::start(server.http, "localhost", "/live/b.ts");
    assert!(taking.finish().body.len() < 188, "nothing of it goes into MPEG-TS");
}

/// What the last publisher had says nothing of the next.
#[test]
fn a_player_may_wait_for_another_publisher() {
    let server = TestServer::configured(
        "vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].aac; } }",
    );
    // A player that stays keeps the stream known.
    let _player = RtmpClient::play(&server.rtmp_url("a"));
    server.wait_for_client("a", "rtmp-play");
    assert!(Ffmpeg::publish(&clip(Clip::Mp3), &server.rtmp_url("a")).wait().success());
    wait_for("end of the publisher", Duration::from_secs(20), || {
        server.clients("a", "fmle-publish").is_empty().then_some(())
    });
    let taking = Taking::start(server.http, "localhost", "/live/a.aac");
    server.wait_for_client("a", "flv-play");
    // Longer than a response is kept waiting for what can't come.
    sleep(Duration::from_secs(6));
    assert!(Ffmpeg::publish(&clip(Clip::Avc), &server.rtmp_url("a")).wait().success());
    assert!(taking.finish().body.len() > 10_000);
}

#[test]
fn fast_cache_gives_sound_at_once() {
    const FRAMES: u32 = 200;
    // Frames of sound that a player gets who comes when all of them were sent.
    let got = |fast_cache: &str| {
        let server = TestServer::configured(&format!(
            "vhost __defaultVhost__ {{ http_remux {{
                enabled on; mount [vhost]/[app]/[stream].aac; {fast_cache}
            }} }}"
        ));
        let early = Taking::start(server.http, "localhost", "/live/a.aac");
        server.wait_for_client("a", "flv-play");
        let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
        publisher.send(MediaKind::Audio, 0, Bytes::from_static(&[0xaf, 0, 0x12, 0x10]));
        for number in 0..FRAMES {
            publisher.send(MediaKind::Audio, number * 23, Bytes::from_static(&[0xaf, 1, 0x21]));
        }
        wait_for("all sound", Duration::from_secs(20), || {
            let bytes = server.clients("a", "flv-play")[0]["send_bytes"].as_u64().unwrap();
            (bytes >= u64::from(FRAMES) * 8).then_some(())
        });
        let late = Taking::start(server.http, "localhost", "/live/a.aac");
        wait_for("the second player", Duration::from_secs(20), || {
            (server.clients("a", "flv-play").len() == 2).then_some(())
        });
        drop(publisher);
        assert_eq!(early.finish().body.len(), FRAMES as usize * 8);
        late.finish().body.len() / 8
    };
    assert_eq!(got(""), 1);
    assert_eq!(got("fast_cache 3600;"), FRAMES as usize);
    // 174 of them in each 4 s.
    assert_eq!(got("fast_cache 4;"), FRAMES as usize - 174);
}
