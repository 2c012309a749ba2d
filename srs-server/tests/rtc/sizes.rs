//! A publisher whose pictures are of another size from one moment on, over the bridges.

use std::{
    collections::BTreeSet,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use flv_mux::{Demuxer, Limits, TagKind};
use rtmp_proto::MediaKind;

use super::{Browser, server, stream};
use crate::support::{Clip, Ffmpeg, Media, RtmpClient, clip};

/// The messages of a clip of which audio and video are before `end`, in ms, moved to `start`.
fn messages(clip: &Path, start: u32, end: u32) -> Vec<Media> {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&std::fs::read(clip).unwrap());
    let mut messages = Vec::new();
    while let Some(tag) = demuxer.poll_tag().unwrap() {
        let kind = match tag.kind {
            TagKind::Audio => MediaKind::Audio,
            TagKind::Video => MediaKind::Video,
            _ => MediaKind::Data,
        };
        if tag.timestamp < end {
            messages.push((kind, start + tag.timestamp, tag.body));
        }
    }
    messages
}

#[test]
fn a_browser_goes_on_when_an_encoder_changes_its_size() {
    let server = server();
    let browser = Browser::start();
    let mut publisher = RtmpClient::publish(&server.rtmp_url("s"));
    let mut all = messages(&clip(Clip::Numbered), 0, 4_000);
    all.extend(messages(&clip(Clip::NumberedLarge), 4_000, 4_000));
    let encoder = thread::spawn(move || {
        let began = Instant::now();
        for (kind, timestamp, body) in all {
            let due = Duration::from_millis(timestamp.into());
            thread::sleep(due.saturating_sub(began.elapsed()));
            publisher.send(kind, timestamp, body);
        }
        publisher
    });
    let seen = browser.run(format!(
        "{}
        const viewer = new Viewer();
        await viewer.begin(whep);
        await viewer.connected();
        await until('the end', () => viewer.frames.at(-1)?.number >= 190);
        return {{
            frames: viewer.frames.map(({{ number, width }}) => [number, width]),
            damaged: viewer.damaged,
            video: await viewer.flow('inbound-rtp', 'video'),
        }};",
        stream(&server, "s")
    ));
    encoder.join().unwrap();
    let frames: Vec<(u64, u64)> = serde_json::from_value(seen["frames"].clone()).unwrap();
    eprintln!("an encoder that changes its size: pictures {:?} to {:?}", frames[0], frames.last());
    assert_eq!(seen["damaged"], 0, "{seen:#}");
    assert!(frames[0].0 < 90, "{frames:?}");
    assert!(frames.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "{frames:?}");
    for (number, width) in frames {
        assert_eq!(width, if number < 100 { 320 } else { 640 }, "picture {number}");
    }
    assert_eq!(
        (&seen["video"]["frameWidth"], &seen["video"]["frameHeight"]),
        (&640.into(), &480.into())
    );
}

#[test]
fn a_recording_goes_on_when_a_browser_changes_its_size() {
    let server = server();
    let browser = Browser::start();
    browser.run(format!(
        "{}
        kept.source = new Source();
        kept.publisher = new Publisher(kept.source, {{ codec: 'H264' }});
        await kept.publisher.begin(whip);
        await kept.publisher.connected();
        await sleep(1000);",
        stream(&server, "s")
    ));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("sizes-{}.flv", std::process::id()));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-y", "-i", &server.rtmp_url("s")]);
    ffmpeg.args(["-t", "9", "-c", "copy"]).arg(&file);
    let mut recorder = Ffmpeg::spawn(ffmpeg, file.clone());
    server.wait_for_client("s", "rtmp-play");
    browser.run("await sleep(5000); kept.source.resize(2); await sleep(4000);");
    assert!(recorder.wait().success());
    // Decoded without a complaint, in both sizes, one after the other.
    let output = Command::new("ffprobe")
        .args(["-v", "warning", "-select_streams", "v"])
        .args(["-show_entries", "frame=width,height", "-of", "csv=p=0"])
        .arg(&file)
        .output()
        .unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!(complaints, "");
    let sizes: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect();
    let small = sizes.iter().take_while(|size| *size == "320,240").count();
    let large = sizes.len() - small;
    eprintln!("a browser that changes its size: {small} pictures, then {large} larger ones");
    assert!(small > 30 && large > 10, "{small}, {large}");
    let kinds: BTreeSet<&str> = sizes[small..].iter().map(String::as_str).collect();
    assert_eq!(kinds, BTreeSet::from(["640,480"]));
    std::fs::remove_file(file).unwrap();
}
