//! What the configuration says of streams that go from RTMP to WebRTC and back.

use std::time::{Duration, Instant};

use rtc_stack::MediaKind;

use super::RTC;
use crate::support::{Clip, Ffmpeg, RtcClient, RtmpClient, TestServer, Version, clip, http};

fn server(settings: &str) -> TestServer {
    let vhost = format!("vhost __defaultVhost__ {{ rtc {{ enabled on; {settings} }} }}");
    TestServer::configured(&format!("{RTC}{vhost}\n"))
}

/// What a viewer gets of four seconds of a clip that is published by RTMP.
fn played(clip_of: Clip, settings: &str) -> RtcClient {
    let server = server(&format!("rtmp_to_rtc on; {settings}"));
    let mut viewer = RtcClient::play(server.api, "s").connect();
    let mut ffmpeg = Ffmpeg::publish(&clip(clip_of), &server.rtmp_url("s"));
    let deadline = Instant::now() + Duration::from_secs(20);
    while viewer.of(MediaKind::Audio).len() < 150 {
        assert!(Instant::now() < deadline, "{} sounds", viewer.of(MediaKind::Audio).len());
        viewer.poll(Duration::from_millis(50));
    }
    assert_eq!(bridged(&server).as_deref(), Some("rtmp_to_rtc"));
    let metrics = http(server.api, "GET /metrics", &[], "").body;
    assert!(metrics.contains("srs_bridges{way=\"rtmp_to_rtc\"} 1\n"), "{metrics}");
    ffmpeg.kill();
    viewer
}

/// Which way the API says that the stream is bridged.
fn bridged(server: &TestServer) -> Option<String> {
    let answer = http(server.api, "GET /api/v1/streams/", &[], "").json();
    Some(answer["streams"][0]["bridge"].as_str()?.to_owned())
}

/// How many pictures there are, and whether their timestamps only grow.
fn pictures(viewer: &RtcClient) -> (usize, bool) {
    let marked: Vec<u32> = viewer
        .of(MediaKind::Video)
        .iter()
        .filter(|got| got.marker)
        .map(|got| got.timestamp)
        .collect();
    (marked.len(), marked.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]).cast_signed() > 0))
}

fn audio_bytes(viewer: &RtcClient) -> usize {
    viewer.of(MediaKind::Audio).iter().take(150).map(|got| got.payload.len()).sum()
}

#[test]
fn b_frames_are_left_out_unless_they_are_kept() {
    // One picture of three refers to none that is shown later.
    let (count, grows) = pictures(&played(Clip::BFrames, ""));
    assert!((20..=50).contains(&count) && grows, "{count} {grows}");
    let (count, grows) = pictures(&played(Clip::BFrames, "keep_bframe on;"));
    assert!(count > 70 && !grows, "{count} {grows}");
}

#[test]
fn sei_stays_unless_it_is_off() {
    // The encoder's first picture tells of its settings.
    let has_sei = |viewer: &RtcClient| {
        viewer.of(MediaKind::Video).iter().any(|got| {
            let payload = &got.payload;
            let mut kinds = vec![payload[0] & 0x1f];
            match kinds[0] {
                24 => {
                    let mut rest = &payload[1..];
                    while let [high, low, tail @ ..] = rest {
                        kinds.push(tail[0] & 0x1f);
                        rest = &tail[usize::from(u16::from_be_bytes([*high, *low]))..];
                    }
                }
                28 => kinds.push(payload[1] & 0x1f),
                _ => {}
            }
            kinds.contains(&6)
        })
    };
    assert!(has_sei(&played(Clip::Avc, "")));
    assert!(!has_sei(&played(Clip::Avc, "keep_avc_nalu_sei off;")));
}

#[test]
fn opus_has_the_bitrate_that_is_set() {
    // 150 packets of 20 ms.
    let rate = |settings: &str| audio_bytes(&played(Clip::Avc, settings)) * 8 / 3;
    let (usual, high) = (rate(""), rate("opus_bitrate 128000;"));
    assert!((24_000..72_000).contains(&usual), "{usual} bit/s");
    assert!((90_000..170_000).contains(&high), "{high} bit/s");
}

#[test]
fn mp3_is_heard_by_webrtc_viewers() {
    assert!(audio_bytes(&played(Clip::Mp3, "")) > 9_000);
}

#[test]
fn aac_has_the_bitrate_that_is_set() {
    let rate = |settings: &str| {
        let server = server(&format!("rtc_to_rtmp on; {settings}"));
        let mut ffmpeg = Version::Current.command();
        ffmpeg.args([
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "anoisesrc=a=0.3:sample_rate=48000",
        ]);
        ffmpeg.args(["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10", "-c:v", "libx264"]);
        ffmpeg.args(["-preset", "ultrafast", "-bf", "0", "-g", "10", "-pix_fmt", "yuv420p"]);
        ffmpeg.args(["-profile:v", "baseline", "-c:a", "libopus", "-ac", "2", "-b:a", "128k"]);
        ffmpeg.args(["-f", "whip", &format!("http://127.0.0.1:{}/whip/live/s", server.http)]);
        let _encoder = Ffmpeg::spawn(ffmpeg, std::path::PathBuf::new());
        server.wait_for_client("s", "rtc-publish");
        let mut player = RtmpClient::play(&server.rtmp_url("s"));
        let mut frames: Vec<(u32, usize)> = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        while frames.len() < 100 {
            assert!(Instant::now() < deadline, "{} frames", frames.len());
            let got = player.collect(Duration::from_millis(100));
            let raw = got.iter().filter(|(_, _, body)| body.starts_with(&[0xaf, 1]));
            frames.extend(raw.map(|(_, timestamp, body)| (*timestamp, body.len() - 2)));
        }
        let bytes: usize = frames[1..].iter().map(|(_, bytes)| bytes).sum();
        bytes * 8_000 / (frames[frames.len() - 1].0 - frames[0].0) as usize
    };
    let (usual, high) = (rate(""), rate("aac_bitrate 128000;"));
    assert!((30_000..64_000).contains(&usual), "{usual} bit/s");
    assert!((90_000..160_000).contains(&high), "{high} bit/s");
}

#[test]
fn streams_of_webrtc_are_played_by_rtmp_where_that_is_on() {
    for (settings, is_on) in [("", false), ("rtc_to_rtmp on; pli_for_rtmp 0.5;", true)] {
        let server = server(settings);
        let mut publisher = RtcClient::publish(server.api, "s").connect();
        let player = RtmpClient::open(&server.rtmp_url("s"), rtmp_proto::Purpose::play());
        let opus = [&[0xfc, 0xff, 0xfe][..], &[7; 20]].concat();
        let mut sounds = 0;
        if let Ok(mut player) = player {
            for number in 0..150 {
                let picture = if number == 0 { [0x65, 0x88, 1] } else { [0x41, 0x9a, 1] };
                publisher.send(MediaKind::Video, number * 3_000, true, &picture);
                publisher.send(MediaKind::Audio, number * 960, false, &opus);
                publisher.poll(Duration::from_millis(10));
            }
            sounds = player.collect(Duration::from_millis(500)).len();
        }
        assert_eq!(sounds > 50, is_on, "{sounds} messages");
        // Keyframes are asked for again and again, so that players find a place to begin.
        assert_eq!(publisher.keyframes_wanted > 1, is_on, "{}", publisher.keyframes_wanted);
    }
}
