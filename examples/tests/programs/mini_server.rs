//! `mini_server` carries streams from ffmpeg to ffmpeg.

use crate::support::{Folder, Running, clip, hashes, packets, run, text};

/// Records `seconds` of a stream, as it comes.
fn record(url: &str, seconds: &str, to: &str) -> Running {
    // Of a stream with one track ffmpeg waits for the other, 5 s by itself.
    let wait = ["-analyzeduration", "500000"];
    Running::ffmpeg(
        &[&wait[..], &["-i", url, "-c", "copy", "-t", seconds, "-f", "flv", to]].concat(),
    )
}

fn publish(clip: &str, url: &str) -> Running {
    Running::ffmpeg(&["-re", "-i", clip, "-c", "copy", "-f", "flv", url])
}

/// Asserts that the recording is a part of the clip without a hole; where it begins.
#[track_caller]
fn part_of(recording: &str, clip: &str, kind: &str) -> usize {
    let (part, whole) = (packets(recording, kind), packets(clip, kind));
    assert!(part.len() >= 20, "{} packets", part.len());
    assert!(kind == "a" || part[0].is_key);
    let (part, whole) = (hashes(&part), hashes(&whole));
    let place = whole.windows(part.len()).position(|window| window == part);
    place.expect("the recording is no part of the clip")
}

#[test]
fn streams_go_to_players_who_wait_and_who_come_late() {
    let (_server, url) = Running::mini_server();
    let folder = Folder::new();
    let both = clip(&folder, "both.flv", "6", &["-c:v", "libx264", "-bf", "2", "-c:a", "aac"]);
    let audio = clip(&folder, "audio.flv", "6", &["-vn", "-c:a", "aac"]);
    let (first, late, heard) = (folder.path("1.flv"), folder.path("2.flv"), folder.path("3.flv"));

    let waits = record(&format!("{url}/both"), "2", &first);
    let _publisher = publish(&both, &format!("{url}/both"));
    let _other = publish(&audio, &format!("{url}/audio"));
    assert!(waits.finish().0.success());
    let listens = record(&format!("{url}/audio"), "1", &heard);
    assert!(record(&format!("{url}/both"), "1", &late).finish().0.success());
    assert!(listens.finish().0.success());

    assert_eq!(part_of(&first, &both, "v"), 0);
    part_of(&first, &both, "a");
    assert!(part_of(&late, &both, "v") >= 25);
    part_of(&late, &both, "a");
    part_of(&heard, &audio, "a");
}

#[test]
fn a_second_publisher_is_refused_and_the_first_goes_on() {
    let (_server, url) = Running::mini_server();
    let folder = Folder::new();
    let clip = clip(&folder, "clip.flv", "4", &["-c:v", "libx264", "-an"]);
    let (url, recorded) = (format!("{url}/one"), folder.path("recorded.flv"));
    let player = record(&url, "3", &recorded);
    let _publisher = publish(&clip, &url);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let refused = run("ffmpeg", &["-v", "error", "-i", &clip, "-c", "copy", "-f", "flv", &url]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("busy"), "{}", text(&refused.stderr));
    assert!(player.finish().0.success());
    assert_eq!(part_of(&recorded, &clip, "v"), 0);
    assert!(packets(&recorded, "v").len() >= 70);
}
