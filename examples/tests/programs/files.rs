//! `whip_to_file` and `whep_from_file`, with an encoder at the one and both joined by `rtc_relay`.

use std::fs;

use crate::support::{Folder, Running, example, run, text, wait_for};

/// The checksums of a video's pictures as they are decoded, which no error may disturb.
fn pictures(path: &str) -> Vec<String> {
    let decoded = run(
        "ffmpeg",
        &["-v", "error", "-i", path, "-fps_mode", "passthrough", "-f", "framemd5", "-"],
    );
    assert_eq!(text(&decoded.stderr), "", "{path}");
    let text = text(&decoded.stdout);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

#[rustfmt::skip]
const ENCODER: &[&str] = &[
    "-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25",
    "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000", "-t", "4",
    "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-bf", "0", "-g", "25",
    "-pix_fmt", "yuv420p", "-c:a", "libopus", "-ac", "2", "-f", "whip",
];

#[test]
fn what_is_published_by_whip_is_in_the_files() {
    let folder = Folder::new();
    let (_server, address) = Running::listening("whip_to_file", &[&folder.path("")]);
    let url = format!("http://{address}/whip/live");
    let (status, _) = Running::current_ffmpeg(&[ENCODER, &[&url]].concat()).finish();
    assert!(status.success());
    let files: Vec<String> = ["0.h264", "0.ogg", "1.h264", "1.ogg"]
        .map(|name| folder.path(&format!("live-{name}")))
        .into_iter()
        .filter(|path| fs::exists(path).unwrap())
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    let video = files.iter().find(|path| path.ends_with("h264")).unwrap();
    let audio = files.iter().find(|path| path.ends_with("ogg")).unwrap();
    let count = pictures(video).len();
    assert!((90..=100).contains(&count), "{count} pictures of 100");
    let probed = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            "stream=codec_name,channels:format=duration",
            "-of",
            "csv=p=0",
            audio,
        ],
    );
    let probed = text(&probed.stdout);
    let (stream, duration) = probed.trim().split_once('\n').unwrap();
    assert_eq!(stream, "opus,2");
    let duration: f64 = duration.parse().unwrap();
    assert!((3.5..4.2).contains(&duration), "{duration} s");
}

#[test]
fn a_file_goes_by_whep_and_whip_into_another_one() {
    let folder = Folder::new();
    let clip = folder.path("clip.h264");
    #[rustfmt::skip]
    let made = run("ffmpeg", &[
        "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "2",
        "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-bf", "0", "-g", "10",
        "-pix_fmt", "yuv420p", &clip,
    ]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let (_source, from) = Running::listening("whep_from_file", &[&clip]);
    let (_target, to) = Running::listening("whip_to_file", &[&folder.path("")]);
    let relay = Running::start(
        example("rtc_relay"),
        &[&format!("http://{from}/whep/any"), &format!("http://{to}/whip/copy")],
    );
    let copy = folder.path("copy-0.h264");
    wait_for("copy of three seconds", || {
        let length = fs::metadata(&copy).map_or(0, |metadata| metadata.len());
        (length > fs::metadata(&clip).unwrap().len() * 3 / 2).then_some(())
    });
    drop(relay);
    // What is copied last may not be whole.
    let (sent, mut got) = (pictures(&clip), pictures(&copy));
    got.pop();
    let start = sent.iter().position(|picture| *picture == got[0]).expect("a picture of the clip");
    let expected: Vec<_> = sent.iter().cycle().skip(start).take(got.len()).cloned().collect();
    assert!(got.len() > 60 && got == expected, "{} pictures, from {start} on", got.len());
}
