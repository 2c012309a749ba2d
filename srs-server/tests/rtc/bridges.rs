//! Between RTMP and a browser: what an encoder sends is seen and heard, and what a browser sends is
//! recorded.

use std::{path::Path, process::Command};

use serde_json::Value;

use super::{Browser, residence, server, stream};
use crate::support::{Clip, Ffmpeg, TestServer, Version, clip, http, packets};

/// What a browser has seen and heard of a stream for some seconds.
struct Seen {
    /// The pictures' numbers.
    numbers: Vec<u64>,
    /// For each beep that was heard, how much later than its picture, in ms.
    offsets: Vec<f64>,
    all: Value,
}

/// Lets a browser watch a stream that comes by RTMP.
fn watch(server: &TestServer, clip: &Path, version: Version, seconds: u32) -> Seen {
    let browser = Browser::start();
    let publisher = Ffmpeg::publish_by(version, clip, &server.rtmp_url("s"));
    server.wait_for_client("s", "fmle-publish");
    let all = browser.run(format!(
        "{}
        const viewer = new Viewer();
        await viewer.begin(whep);
        await viewer.connected();
        await viewer.more(1);
        await sleep(1000 * {seconds});
        const {{ frames, beeps }} = viewer;
        // The pictures with which the sound becomes loud, and how much later it is heard.
        const offsets = beeps.map((beep) => {{
            const apart = frames.filter(({{ number }}) => number % 25 === 0)
                .map(({{ now }}) => beep - now);
            return apart.reduce((a, b) => (Math.abs(a) < Math.abs(b) ? a : b));
        }});
        const pauses = frames.slice(1).map(({{ now }}, index) => now - frames[index].now);
        return {{
            numbers: frames.map(({{ number }}) => number), damaged: viewer.damaged,
            pause: Math.max(...pauses), hertz: viewer.hertz(), offsets,
            video: await viewer.flow('inbound-rtp', 'video'),
            audio: await viewer.flow('inbound-rtp', 'audio'),
        }};",
        stream(server, "s")
    ));
    drop(publisher);
    let list = |name: &str| all[name].as_array().unwrap().iter();
    let numbers: Vec<u64> = list("numbers").map(|n| n.as_u64().unwrap()).collect();
    let offsets: Vec<f64> = list("offsets").map(|ms| ms.as_f64().unwrap()).collect();
    let (writes, mean) = residence(server, "rtmp", "rtc");
    eprintln!(
        "RTMP to Chromium: {} pictures, longest pause {:.0} ms, sound behind by {offsets:.0?} ms, \
         {mean:.2} ms in the server",
        numbers.len(),
        all["pause"].as_f64().unwrap(),
    );
    assert!(writes > numbers.len() as f64, "{writes} writes");
    assert!(residence(server, "rtc", "rtc").0 == 0.0);
    assert_eq!(all["audio"]["codec"], "audio/opus", "{all:#}");
    assert_eq!(all["damaged"], 0, "{all:#}");
    let hertz = all["hertz"].as_f64().unwrap();
    assert!((950.0..1050.0).contains(&hertz), "{hertz} Hz");
    Seen { numbers, offsets, all }
}

#[test]
fn a_browser_plays_what_comes_by_rtmp() {
    let server = server();
    let Seen { numbers, mut offsets, all } =
        watch(&server, &clip(Clip::Numbered), Version::Old, 24);
    assert_eq!(all["video"]["codec"], "video/H264", "{all:#}");
    assert!(numbers.len() > 560, "{all:#}");
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    // That they belong together is told to some microseconds, which another test looks at. The browser
    // begins with sound that waits some 70 ms for what may come late, and pictures that don't wait, and
    // brings them together by 10 ms a second until they are less than 30 apart. So the end counts.
    assert!(offsets.len() >= 20, "{all:#}");
    let last = &mut offsets[14..];
    last.sort_by(f64::total_cmp);
    let median = last[last.len() / 2];
    assert!(median.abs() < 80.0, "{median} ms: {last:.0?}");
}

/// A decoder of WebRTC gives pictures out as they come: those that others are decoded before aren't sent.
#[test]
fn a_browser_plays_an_encoder_with_b_frames() {
    let server = server();
    let Seen { numbers, all, .. } = watch(&server, &clip(Clip::NumberedBFrames), Version::Old, 5);
    assert_eq!(all["video"]["codec"], "video/H264", "{all:#}");
    // A keyframe, and every third picture after it.
    assert!(numbers.len() > 40, "{numbers:?}");
    assert!(numbers.windows(2).all(|pair| (1..=3).contains(&(pair[1] - pair[0]))), "{numbers:?}");
    assert!(all["pause"].as_f64().unwrap() < 500.0, "{all:#}");
    assert_eq!(all["video"]["freezeCount"], 0, "{all:#}");
    let metrics = http(server.api, "GET /metrics", &[], "").body;
    let dropped = "srs_bridge_dropped_total{what=\"b_frame\"} ";
    let dropped = metrics.lines().find_map(|line| line.strip_prefix(dropped)).unwrap();
    assert!(dropped.parse::<usize>().unwrap() > numbers.len(), "{dropped} of {}", numbers.len());
}

#[test]
fn a_browser_plays_av1_that_comes_by_enhanced_rtmp() {
    let server = server();
    let Seen { numbers, all, .. } = watch(&server, &clip(Clip::NumberedAv1), Version::Current, 5);
    assert_eq!(all["video"]["codec"], "video/AV1", "{all:#}");
    assert!(numbers.len() > 110, "{all:#}");
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn what_a_browser_sends_is_recorded_by_rtmp_and_http_flv() {
    let server = server();
    let browser = Browser::start();
    browser.run(format!(
        "{}
        kept.publisher = new Publisher(new Source(), {{ codec: 'H264' }});
        await kept.publisher.begin(whip);
        await kept.publisher.connected();
        await sleep(1000);",
        stream(&server, "s")
    ));
    let encoded = || {
        let script = "return (await kept.publisher.flow('outbound-rtp', 'video')).framesEncoded;";
        usize::try_from(browser.run(script).as_u64().unwrap()).unwrap()
    };
    let before = encoded();
    let flv = format!("http://127.0.0.1:{}/live/s.flv", server.http);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let files = [("by-rtmp", server.rtmp_url("s")), ("by-flv", flv)].map(|(name, url)| {
        let file = folder.join(format!("{name}-{}.flv", std::process::id()));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-y", "-i", &url, "-t", "6", "-c", "copy"]).arg(&file);
        (Ffmpeg::spawn(ffmpeg, file.clone()), file)
    });
    let files = files.map(|(mut ffmpeg, file)| {
        assert!(ffmpeg.wait().success());
        file
    });
    // Both began a while after the browser was asked, and what it encodes is up to the machine.
    let sent = encoded() - before;
    for to in ["rtmp", "http"] {
        let (writes, mean) = residence(&server, "rtc", to);
        eprintln!("Chromium to {to}: {mean:.2} ms in the server");
        assert!(writes > 100.0, "{writes} writes to {to}");
        assert!(residence(&server, "rtmp", to).0 == 0.0);
    }
    for file in files {
        let packets = packets(&file);
        let of = |kind: &'static str| packets.iter().filter(move |packet| packet.stream == kind);
        let (video, audio) = (of("video").count(), of("audio").count());
        eprintln!("{}: {video} pictures, {audio} frames of sound", file.display());
        assert!(sent > 10 && video * 2 > sent, "{video} pictures of {sent}");
        // 47 frames of AAC in a second.
        assert!((260..=300).contains(&audio), "{audio}");
        for kind in ["video", "audio"] {
            let times: Vec<_> = of(kind).map(|packet| packet.dts).collect();
            assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{kind}: {times:?}");
        }
        let apart = of("video").next().unwrap().pts - of("audio").next().unwrap().pts;
        assert!(apart.abs() < 1_000, "{apart} ms");
        // It is decoded without an error, and the tone is what is loud in it.
        let loud = |filter: &str| {
            let output = Command::new("ffmpeg")
                .args(["-hide_banner", "-i"])
                .arg(&file)
                .args(["-af", &format!("{filter},volumedetect"), "-f", "null", "-"])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(!text.to_lowercase().contains("error"), "{text}");
            assert!(text.contains("Video: h264") && text.contains("Audio: aac"), "{text}");
            let (_, level) = text.split_once("mean_volume: ").unwrap();
            level.split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        let (all, tone) = (loud("anull"), loud("bandpass=f=1000:width_type=h:w=200"));
        assert!(all > -30.0 && tone > all - 3.0, "{all} dB, of which {tone} dB are the tone");
        std::fs::remove_file(file).unwrap();
    }
}
