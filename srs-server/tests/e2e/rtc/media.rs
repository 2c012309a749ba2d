//! What a publisher sends is what viewers get.

use std::time::Duration;

use rtc_stack::MediaKind;

use super::{pictures, send, server, sound};
use crate::support::RtcClient;

const WHIP: &str = "/rtc/v1/whip/?app=live&stream=a";
const WHEP: &str = "/rtc/v1/whep/?app=live&stream=a";

/// Publishes 60 pictures to viewers that wait, and looks at what they got.
fn passes_bit_exact(publishes_by_tcp: bool, plays_by_tcp: bool) {
    let server = server();
    let api = server.api;
    // One waits for the publisher, one comes to it.
    let mut early = RtcClient::begin(api, WHEP, false, plays_by_tcp).connect();
    let mut publisher = RtcClient::begin(api, WHIP, true, publishes_by_tcp).connect();
    send(&mut publisher, 1, true);
    early.until("first picture", |viewer| pictures(viewer).first().copied());
    let mut late = RtcClient::begin(api, WHEP, false, plays_by_tcp).connect();
    // Who comes late wants a keyframe, or began with the last.
    let mut is_key = false;
    for number in 2..=60 {
        send(&mut publisher, number, is_key || number == 20);
        let wanted = publisher.keyframes_wanted;
        publisher.poll(Duration::from_millis(5));
        is_key = publisher.keyframes_wanted > wanted;
        early.poll(Duration::ZERO);
        late.poll(Duration::ZERO);
    }
    let last = |viewer: &mut RtcClient| pictures(viewer).last().filter(|&&n| n == 60).copied();
    early.until("last picture", last);
    late.until("last picture", last);
    assert_eq!(pictures(&early), (1..=60).collect::<Vec<_>>());
    let late_pictures = pictures(&late);
    let first = late_pictures[0];
    assert!(first <= 20, "{first}");
    assert_eq!(late_pictures, (first..=60).collect::<Vec<_>>());
    for viewer in [&early, &late] {
        let video = viewer.of(MediaKind::Video);
        let is_next =
            |pair: &[&crate::support::Got]| pair[1].sequence == pair[0].sequence.wrapping_add(1);
        assert!(video.windows(2).all(is_next));
    }
    early.until("last sound", |viewer| {
        let payload = &viewer.of(MediaKind::Audio).last()?.payload;
        (*payload == sound(60)).then_some(())
    });
    let sounds: Vec<Vec<u8>> =
        early.of(MediaKind::Audio).iter().map(|got| got.payload.clone()).collect();
    assert_eq!(sounds, (1..=60).map(sound).collect::<Vec<_>>());
}

#[test]
fn by_udp() {
    passes_bit_exact(false, false);
}

#[test]
fn by_tcp() {
    passes_bit_exact(true, true);
}

#[test]
fn from_tcp_to_udp() {
    passes_bit_exact(true, false);
}

#[test]
fn a_viewer_whose_address_changes_is_followed() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    // Again and again, so that another thread's socket gets its packets sooner or later.
    for _ in 0..6 {
        let seen = pictures(&viewer).len();
        viewer.until("pictures", |viewer| {
            number += 1;
            send(&mut publisher, number, true);
            publisher.poll(Duration::from_millis(10));
            (pictures(viewer).len() > seen + 3).then_some(())
        });
        viewer.move_away();
    }
    // What it asks for comes from the new address, and is heard.
    publisher.poll(Duration::from_millis(600));
    let wanted = publisher.keyframes_wanted;
    viewer.poll(Duration::from_millis(300));
    viewer.want_keyframe();
    publisher.until("request", |publisher| (publisher.keyframes_wanted > wanted).then_some(()));
    assert_eq!(server.clients("a", "rtc-play").len(), 1);
}

#[test]
fn bytes_are_counted_where_clients_are_shown() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    publisher.until("bytes of both", |publisher| {
        number += 1;
        send(publisher, number, number % 20 == 1);
        viewer.poll(Duration::from_millis(10));
        let bytes = |kind: &str, field: &str| server.clients("a", kind)[0][field].as_u64().unwrap();
        let both = (bytes("rtc-publish", "recv_bytes"), bytes("rtc-play", "send_bytes"));
        (both.0 > 10_000 && both.1 > 10_000).then_some(())
    });
}
