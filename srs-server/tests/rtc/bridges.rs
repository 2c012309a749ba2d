//! Between RTMP and a browser: what an encoder sends is seen and heard, and what a browser sends is
//! recorded.

use std::{path::Path, process::Command};

use super::{Browser, server, stream};
use crate::support::{Clip, Ffmpeg, clip, packets};

#[test]
fn a_browser_plays_what_comes_by_rtmp() {
    let server = server();
    let browser = Browser::start();
    let file = clip(Clip::Counted);
    let publisher = Ffmpeg::publish(&file, &server.rtmp_url("s"));
    server.wait_for_client("s", "fmle-publish");
    let seen = browser.run(format!(
        "{}
        const viewer = new Viewer();
        await viewer.begin(whep);
        await viewer.connected();
        await viewer.more(1);
        await sleep(8000);
        const {{ frames, beeps }} = viewer;
        // The pictures with which the sound becomes loud, and how much later it is heard.
        const offsets = beeps.map((beep) => {{
            const apart = frames.filter(({{ number }}) => number % 25 === 0)
                .map(({{ now }}) => beep - now);
            return apart.reduce((a, b) => (Math.abs(a) < Math.abs(b) ? a : b));
        }});
        return {{
            numbers: frames.map(({{ number }}) => number), damaged: viewer.damaged,
            hertz: viewer.hertz(), offsets,
            playout: [(await viewer.flow('inbound-rtp', 'video')).estimatedPlayoutTimestamp,
                (await viewer.flow('inbound-rtp', 'audio')).estimatedPlayoutTimestamp],
            video: await viewer.flow('inbound-rtp', 'video'),
            audio: await viewer.flow('inbound-rtp', 'audio'),
        }};",
        stream(&server, "s")
    ));
    drop(publisher);
    let numbers: Vec<u64> =
        seen["numbers"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let offsets: Vec<f64> =
        seen["offsets"].as_array().unwrap().iter().map(|ms| ms.as_f64().unwrap()).collect();
    eprintln!(
        "RTMP to Chromium: {} pictures, sound behind by {offsets:.0?} ms, {}",
        numbers.len(),
        seen["playout"]
    );
    assert_eq!(seen["video"]["codec"], "video/H264", "{seen:#}");
    assert_eq!(seen["audio"]["codec"], "audio/opus", "{seen:#}");
    assert!(numbers.len() > 180, "{seen:#}");
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    assert_eq!(seen["damaged"], 0);
    let hertz = seen["hertz"].as_f64().unwrap();
    assert!((950.0..1050.0).contains(&hertz), "{hertz} Hz");
    // That they belong together is told to some microseconds, which another test looks at. The browser
    // holds sound back longer than pictures, and brings them together in steps, some a second.
    assert!(offsets.len() >= 4, "{seen:#}");
    assert!(offsets[offsets.len() - 2..].iter().all(|ms| ms.abs() < 150.0), "{offsets:?}");
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
