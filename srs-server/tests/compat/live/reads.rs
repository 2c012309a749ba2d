//! How often a publisher is read.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{send, server, take, url, wait_for_frames, writes::writes};
use crate::support::{RtmpClient, inter_frame, key_frame, video_header};

/// A player who is sent every message at once shows when messages were read.
const AT_ONCE: &str = "play { mw_latency 0; mw_msgs 0; }";

/// Three seconds of 350 ms are nine reads, with one at each end and a little time that a busy
/// machine may lose.
#[test]
fn mr_reads_at_most_once_in_mr_latency() {
    let merged = format!("publish {{ mr on; mr_latency 350; }} {AT_ONCE}");
    let default = format!("publish {{ mr on; }} {AT_ONCE}");
    let off = format!("publish {{ mr off; mr_latency 350; }} {AT_ONCE}");
    // Who wants every message at once doesn't want them merged before.
    let min = "min_latency on; publish { mr on; }";
    let server = server(&[
        ("merged.example", &merged),
        ("default.example", &default),
        ("off.example", &off),
        ("min.example", min),
    ]);
    let counts =
        writes(&server, &["merged.example", "default.example", "off.example", "min.example"]);
    let [merged, default, off, min] = counts[..] else { unreachable!() };
    assert!((3..=12).contains(&merged), "{counts:?}");
    assert!((3..=12).contains(&default), "{counts:?}");
    assert!(off >= 3 * merged, "{counts:?}");
    assert!(min >= 3 * merged, "{counts:?}");
}

/// Eight megabytes, at 20 Mbit/s: a buffer of 64 KiB for each window would take 40 s.
#[test]
fn mr_latency_holds_no_fast_publisher_back() {
    const FRAMES: u32 = 80;
    let merged = format!("publish {{ mr on; mr_latency 350; }} {AT_ONCE}");
    let server = server(&[("fast.example", &merged)]);
    let mut publisher = RtmpClient::publish(&url(&server, "fast.example", "fast"));
    send(&mut publisher, &[(0, &video_header())]);
    let began = Instant::now();
    for number in 1..=FRAMES {
        send(&mut publisher, &[(number * 40, &inter_frame(number, 100_000))]);
        let due = Duration::from_millis(40) * number;
        thread::sleep(due.saturating_sub(began.elapsed()));
    }
    wait_for_frames(&server, "fast", FRAMES.into());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// A publisher must not seem silent because nobody looked.
#[test]
fn mr_latency_is_shorter_than_the_silence_allowed() {
    let directives =
        format!("publish {{ mr on; mr_latency 10000; normal_timeout 2000; }} {AT_ONCE}");
    let server = server(&[("long.example", &directives)]);
    let url = url(&server, "long.example", "long");
    let mut publisher = RtmpClient::publish(&url);
    let mut player = RtmpClient::play(&url);
    for number in 0..50 {
        send(&mut publisher, &[(number * 100, &key_frame(number, 100))]);
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(take(&mut player, 40)[39].1, key_frame(39, 100));
}
