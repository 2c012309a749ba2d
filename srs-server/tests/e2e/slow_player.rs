//! A player that doesn't read costs itself only.

use std::{
    thread,
    time::{Duration, Instant},
};

use rtmp_proto::MediaKind;

use crate::support::{RtmpClient, TestServer, inter_frame, key_frame};

const FRAME: usize = 40_000;
const GOP: u32 = 25;
/// The ring's bound for this test, seconds and bytes of this stream in them.
const RING_SECONDS: u64 = 4;
const RING_BYTES: u64 = RING_SECONDS * 25 * FRAME as u64;

/// 8 Mbit/s for 10 s, four players that read and one that doesn't.
#[test]
fn a_stalled_player_costs_no_more_than_one_ring_and_resumes_on_a_keyframe() {
    let server =
        TestServer::start_with(&[("SRS_VHOST_PLAY_QUEUE_LENGTH", &RING_SECONDS.to_string())]);
    let url = server.rtmp_url("a");
    let mut publisher = RtmpClient::publish(&url);
    let frames = |numbers: std::ops::Range<u32>, publisher: &mut RtmpClient| {
        let start = Instant::now();
        for (sent, number) in numbers.enumerate() {
            let frame = if number % GOP == 0 { key_frame } else { inter_frame };
            publisher.send(MediaKind::Video, number * 40, frame(number, FRAME));
            let due = start + Duration::from_millis(40) * u32::try_from(sent + 1).unwrap();
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    };
    let live: Vec<_> = (0..4)
        .map(|_| {
            let mut player = RtmpClient::play(&url);
            thread::spawn(move || {
                let mut numbers = Vec::new();
                while numbers.last() != Some(&299) {
                    numbers.push(number(&player.next().unwrap().2));
                }
                numbers
            })
        })
        .collect();
    let mut stalled = RtmpClient::play(&url);
    // The steady state first: two seconds of stream.
    frames(0..50, &mut publisher);
    let before = server.rss();
    frames(50..300, &mut publisher);
    let grown = server.rss().saturating_sub(before);
    let bound = RING_BYTES + (1 << 20);
    println!("rss grew by {grown} of {bound} bytes");
    assert!(grown <= bound, "{grown} bytes more than before, bound {bound}");
    for player in live {
        let numbers = player.join().unwrap();
        let first = numbers[0];
        assert_eq!(numbers, (first..300).collect::<Vec<_>>());
    }

    let mut numbers = Vec::new();
    while numbers.last() != Some(&299) {
        numbers.push(number(&stalled.next().unwrap().2));
    }
    let gaps: Vec<_> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert_eq!(gaps.len(), 1, "one gap: {gaps:?}");
    assert_eq!(gaps[0][1] % GOP, 0, "resumes on a keyframe: {gaps:?}");
    let lost = gaps[0][1] - gaps[0][0] - 1;
    let line = server.wait_for_log(&format!("the player is too slow: {lost} messages lost"));
    assert!(line.contains("conn{id="), "whose they are: {line}");
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[10..14].try_into().unwrap())
}
