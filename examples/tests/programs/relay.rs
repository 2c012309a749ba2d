//! `relay` carries a stream from one server to another.

use crate::support::{
    Folder, Running, clip, example, free_port, packets, run, text, wait_for_listener,
};

/// An ffmpeg that waits for one publisher and records it.
fn target(folder: &Folder) -> (Running, String, String) {
    let (port, path) = (free_port(), folder.path("relayed.flv"));
    let url = format!("rtmp://127.0.0.1:{port}/live/copy");
    let ffmpeg = Running::ffmpeg(&["-listen", "1", "-i", &url, "-c", "copy", &path]);
    wait_for_listener(port);
    (ffmpeg, url, path)
}

fn relay(from: &str, to: &str) -> Running {
    Running::start(example("relay"), &[from, to])
}

/// Asserts that `relayed` is `clip` from its first keyframe on: all video, and the audio that came
/// after it, at the same times but for where they start.
#[track_caller]
fn same_packets(clip: &str, relayed: &str) {
    let first = |path: &str| packets(path, "v")[0].dts;
    let shift = first(clip) - first(relayed);
    for (kind, missing) in [("v", 0), ("a", 2)] {
        let (before, after) = (packets(clip, kind), packets(relayed, kind));
        assert!(after.len() > 40 && after.len() + missing >= before.len());
        let before = &before[before.len() - after.len()..];
        for (before, after) in before.iter().zip(&after) {
            assert_eq!((after.dts + shift, after.pts + shift), (before.dts, before.pts));
            assert_eq!((after.is_key, &after.hash), (before.is_key, &before.hash));
        }
    }
}

#[test]
fn relays_until_the_source_ends() {
    let folder = Folder::new();
    let clip = clip(&folder, "clip.flv", "2", &["-c:v", "libx264", "-bf", "2", "-c:a", "aac"]);
    let (recorder, to, relayed) = target(&folder);
    let port = free_port();
    let from = format!("rtmp://127.0.0.1:{port}/live/origin");
    let _source =
        Running::ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", "-listen", "1", &from]);
    wait_for_listener(port);
    let (status, said) = relay(&from, &to).finish();
    assert!(status.success(), "{said}");
    assert!(said.contains("messages relayed; the source has"), "{said}");
    assert!(recorder.finish().0.success());
    same_packets(&clip, &relayed);
}

#[test]
fn relays_until_it_is_interrupted() {
    let (_server, url) = Running::mini_server();
    let folder = Folder::new();
    let clip = clip(&folder, "clip.flv", "2", &["-c:v", "libx264", "-c:a", "aac"]);
    let (recorder, to, relayed) = target(&folder);
    let from = format!("{url}/origin");
    // The server keeps a player who came too early.
    let relay = relay(&from, &to);
    let publisher = Running::ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &from]);
    assert!(publisher.finish().0.success());
    std::thread::sleep(std::time::Duration::from_millis(500));
    relay.interrupt();
    let (status, said) = relay.finish();
    assert!(status.success(), "{said}");
    assert!(said.ends_with("messages relayed; interrupted\n"), "{said}");
    assert!(recorder.finish().0.success());
    same_packets(&clip, &relayed);
}

#[test]
fn tells_what_is_wrong() {
    let (_server, url) = Running::mini_server();
    let nobody = format!("rtmp://127.0.0.1:{}/live/s", free_port());
    for (from, to, expected) in [
        (nobody.as_str(), url.as_str(), "Connection refused"),
        ("http://127.0.0.1/live/s", &nobody, "neither rtmp:// nor rtmps://"),
        ("rtmps://127.0.0.1/live/s", &nobody, "rtmps is not supported"),
        ("rtmp://127.0.0.1/", &nobody, "no stream is named"),
    ] {
        let done = run(example("relay"), &[from, to]);
        assert_eq!(done.status.code(), Some(1));
        let said = text(&done.stderr);
        assert!(said.starts_with("source: ") && said.contains(expected), "{said}");
    }
    assert_eq!(run(example("relay"), &[&nobody]).status.code(), Some(2));
}

#[test]
fn a_target_that_refuses_ends_it() {
    let (_server, url) = Running::mini_server();
    let folder = Folder::new();
    let clip = clip(&folder, "clip.flv", "4", &["-c:v", "libx264", "-an"]);
    let from = format!("{url}/origin");
    let _publisher = Running::ffmpeg(&["-re", "-i", &clip, "-c", "copy", "-f", "flv", &from]);
    // It is published already: by the publisher.
    let done = run(example("relay"), &[&from, &from]);
    assert_eq!(done.status.code(), Some(1));
    let said = text(&done.stderr);
    assert!(said.contains("target: refused: NetStream.Publish.BadName"), "{said}");
}
