//! Clients that share no code with a browser: aiortc, and ffmpeg's WHIP.

use std::{
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;

use super::{Browser, server, stream};
use crate::support::{TestServer, Version};

/// aiortc at work; killed when dropped.
struct Aiortc {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Aiortc {
    /// Publishes or plays a stream, or both, and has begun to when this returns.
    fn start(options: &[&str]) -> Self {
        let tools = tools();
        assert!(
            tools.join("aiortc").is_dir(),
            "no aiortc in {}: run ./test.sh once",
            tools.display()
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rtc/aiortc/client.py");
        let mut child = Command::new("python3")
            .arg(script)
            .args(options)
            .env("PYTHONPATH", tools)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut client = Self { child, lines };
        assert_eq!(client.line(), "begun");
        client
    }

    /// What it says when it is done.
    fn result(mut self) -> Value {
        let line = self.line();
        assert!(self.child.wait().unwrap().success());
        serde_json::from_str(&line).unwrap()
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("aiortc ended early").unwrap()
    }
}

impl Drop for Aiortc {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `test.sh` puts what Python brings.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tools")
}

fn whip(server: &TestServer) -> String {
    format!("http://127.0.0.1:{}/whip/live/s", server.http)
}

fn whep(server: &TestServer) -> String {
    format!("http://127.0.0.1:{}/whep/live/s", server.http)
}

/// aiortc publishes and plays by one codec.
fn aiortc_loops(codec: &str) {
    let server = server();
    let _turn = Browser::turn();
    let (whip, whep) = (whip(&server), whep(&server));
    let options = ["--publish", &whip, "--play", &whep, "--codec", codec, "--seconds", "4"];
    let seen = Aiortc::start(&options).result();
    eprintln!("aiortc {codec}: {seen}");
    let count = |name: &str| seen[name].as_u64().unwrap();
    assert!(count("sent") > 40, "{seen}");
    assert!(count("numbered") * 100 > count("sent") * 95, "{seen}");
    assert_eq!(count("lost"), 0, "{seen}");
    assert_eq!(count("numbered"), count("frames"), "a damaged picture: {seen}");
    assert!(count("samples") > 48_000, "{seen}");
    assert!(count("loudest") > 5_000, "{seen}");
}

#[test]
fn aiortc_publishes_and_plays_vp8() {
    aiortc_loops("VP8");
}

#[test]
fn aiortc_publishes_and_plays_h264() {
    aiortc_loops("H264");
}

/// What a browser sees of a stream in some seconds, its sound included.
fn browser_plays(browser: &Browser, server: &TestServer, seconds: u32) -> Value {
    browser.run(format!(
        "{}
        const viewer = new Viewer();
        await viewer.begin(whep);
        await viewer.connected();
        const seen = () => viewer.flow('inbound-rtp', 'video');
        await until('picture', async () => (await seen())?.framesDecoded > 0);
        const before = (await seen()).framesDecoded;
        await sleep(1000 * {seconds});
        const video = await seen();
        const audio = await viewer.flow('inbound-rtp', 'audio');
        return {{ got: video.framesDecoded - before, numbered: viewer.frames.length, video, audio }};",
        stream(server, "s")
    ))
}

#[test]
fn browser_plays_what_aiortc_publishes() {
    let server = server();
    let browser = Browser::start();
    let publisher = Aiortc::start(&["--publish", &whip(&server), "--seconds", "120"]);
    let seen = browser_plays(&browser, &server, 4);
    eprintln!("aiortc to Chromium: {} frames in 4 s", seen["got"]);
    assert!(seen["got"].as_u64() > Some(60), "{seen:#}");
    assert!(seen["numbered"].as_u64() > Some(60), "{seen:#}");
    assert!(seen["audio"]["totalAudioEnergy"].as_f64() > Some(0.0), "{seen:#}");
    drop(publisher);
}

#[test]
fn aiortc_plays_what_a_browser_publishes() {
    let server = server();
    let browser = Browser::start();
    browser.run(format!(
        "{}
        kept.publisher = new Publisher(new Source(), {{ codec: 'VP8' }});
        await kept.publisher.begin(whip);
        await kept.publisher.connected();",
        stream(&server, "s")
    ));
    let seen = Aiortc::start(&["--play", &whep(&server), "--seconds", "4"]).result();
    eprintln!("Chromium to aiortc: {seen}");
    assert!(seen["numbered"].as_u64() > Some(60), "{seen:#}");
    assert!(seen["loudest"].as_u64() > Some(5_000), "{seen:#}");
}

/// An encoder at work; killed when dropped.
struct Encoder(Child);

impl Drop for Encoder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn browser_and_aiortc_play_what_ffmpeg_publishes() {
    let server = server();
    let browser = Browser::start();
    let mut ffmpeg = Version::Current.command();
    ffmpeg.args(["-v", "warning", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25"]);
    ffmpeg.args(["-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000"]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-bf", "0"]);
    ffmpeg.args(["-g", "25", "-pix_fmt", "yuv420p", "-c:a", "libopus", "-ac", "2", "-ar", "48000"]);
    ffmpeg.args(["-f", "whip", &whip(&server)]).stdin(Stdio::null());
    let encoder = Encoder(ffmpeg.spawn().unwrap());
    server.wait_for_client("s", "rtc-publish");
    let seen = browser_plays(&browser, &server, 4);
    eprintln!("ffmpeg to Chromium: {} frames of 100", seen["got"]);
    assert_eq!(seen["video"]["codec"], "video/H264", "{seen:#}");
    assert!(seen["got"].as_u64() > Some(75), "{seen:#}");
    assert!(seen["audio"]["totalAudioEnergy"].as_f64() > Some(0.0), "{seen:#}");
    let seen = Aiortc::start(&["--play", &whep(&server), "--seconds", "4"]).result();
    eprintln!("ffmpeg to aiortc: {seen}");
    assert!(seen["frames"].as_u64() > Some(75), "{seen:#}");
    assert!(seen["samples"].as_u64() > Some(48_000), "{seen:#}");
    drop(encoder);
}
