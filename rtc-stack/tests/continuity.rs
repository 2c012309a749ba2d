//! Viewers' streams go on, whatever becomes of their publishers.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use rtc_stack::sfu::TrackPacket;
use rtc_stack::{Codec, MediaKind};
use support::client::Got;
use support::{Abilities, Conditions, World};

/// Timestamps go on with the time that passes, within `slack`.
fn follows_time(packets: &BTreeMap<u64, Got>, rate: f64, slack: f64) {
    let first = packets.values().next().unwrap();
    for packet in packets.values() {
        let said = f64::from(packet.timestamp.wrapping_sub(first.timestamp)) / rate;
        let passed = (packet.arrival - first.arrival).as_secs_f64();
        assert!((said - passed).abs() < slack, "{said} s by the timestamp, {passed} s have passed");
    }
}

#[test]
fn a_publisher_that_returns_continues_the_stream() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (first, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(first, 50, 25);
    let before = world.client(viewer).got(MediaKind::Video).packets.len();
    let id = world.id(first);
    world.sfu.remove(id, &mut world.out);
    world.flush();
    world.client(first).is_silent = true;
    world.run(Duration::from_secs(3));
    assert_eq!(world.client(first).goodbyes, 1);
    let second = world.publish_to(stream, &abilities, Conditions::default());
    world.stream(second, 50, 25);
    world.run(Duration::from_millis(100));
    for (kind, rate) in [(MediaKind::Audio, 48_000.0), (MediaKind::Video, 90_000.0)] {
        let got = world.client(viewer).got(kind);
        assert!(got.packets.len() > 190, "{}", got.packets.len());
        assert!(got.holes().is_empty() && got.duplicates == 0);
        follows_time(&got.packets, rate, 0.06);
    }
    // The pictures of the second begin with a keyframe: the start of an IDR.
    let got = world.client(viewer).got(MediaKind::Video);
    let first_of_second = got.packets.values().nth(before).unwrap();
    assert_eq!(first_of_second.payload[1] & 0x9f, 0x85);
    assert_eq!(world.client(viewer).refused, 0);
}

#[test]
fn a_source_that_changes_its_ssrc_continues_the_stream() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 30, 15);
    world.client(publisher).sending.clear();
    world.client(publisher).start(MediaKind::Audio, Codec::Opus, None, 0x1111_1111);
    world.client(publisher).start(MediaKind::Video, Codec::H264, None, 0x2222_2222);
    world.stream(publisher, 30, 15);
    for (kind, rate) in [(MediaKind::Audio, 48_000.0), (MediaKind::Video, 90_000.0)] {
        let got = world.client(viewer).got(kind);
        assert!(got.packets.len() > 115, "{kind} {}", got.packets.len());
        assert!(got.holes().is_empty());
        follows_time(&got.packets, rate, 0.06);
    }
}

#[test]
fn numbers_and_timestamps_wrap() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    for sending in &mut world.client(publisher).sending {
        sending.index = 65_500;
        sending.timestamp = u32::MAX - 20_000;
    }
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.client(publisher).up.conditions.loss = 0.03;
    world.client(viewer).down.conditions.loss = 0.03;
    world.stream(publisher, 100, 25);
    world.client(viewer).down.conditions.loss = 0.0;
    world.run(Duration::from_millis(300));
    for (kind, rate) in [(MediaKind::Audio, 48_000.0), (MediaKind::Video, 90_000.0)] {
        let got = world.client(viewer).got(kind);
        assert!(got.packets.len() > 190);
        let in_time = got.packets.iter().filter(|(number, _)| !got.recovered.contains(*number));
        let in_time: BTreeMap<_, _> = in_time.map(|(n, got)| (*n, got.clone())).collect();
        follows_time(&in_time, rate, 0.2);
    }
    assert!(world.packets.iter().any(|(_, p)| p.packet.sequence > 65_536));
    assert!(world.client(viewer).got(MediaKind::Video).holes().len() <= 1);
}

#[test]
fn a_viewers_numbers_wrap_too() {
    let mut world = World::new();
    let abilities = Abilities { video: Vec::new(), ..Abilities::default() };
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    // At most 2^15 more than 2^16 packets, sent faster than sound is.
    let mut count = 0;
    while count < 100_000 {
        let now = world.now;
        for _ in 0..50 {
            let client = world.client(publisher);
            client.send(now, 0, &[count as u8; 20], false);
            client.sending[0].timestamp = client.sending[0].timestamp.wrapping_add(48);
            count += 1;
        }
        world.run(Duration::from_millis(50));
    }
    let got = world.client(viewer).got(MediaKind::Audio);
    assert_eq!(got.packets.len(), 100_000);
    assert!(got.holes().is_empty());
    assert_eq!(world.client(viewer).refused, 0);
}

#[test]
fn a_viewer_may_come_before_its_publisher() {
    let mut world = World::new();
    let stream = world.sfu.open_stream(&[]).unwrap();
    let both = Abilities { video: vec![Codec::Vp8, Codec::H264], ..Abilities::default() };
    let viewer = world.watch(stream, &both, Conditions::default());
    world.run(Duration::from_secs(2));
    let publisher = world.publish_to(stream, &Abilities::default(), Conditions::default());
    world.stream(publisher, 25, 25);
    let client = world.client(viewer);
    let h264 = client.section(MediaKind::Video).codecs.iter();
    let h264 = h264.clone().find(|codec| codec.parameters.codec == Codec::H264).unwrap();
    let payload_type = h264.payload_type;
    let got = client.got(MediaKind::Video);
    assert!(got.packets.len() > 70);
    assert!(got.packets.values().all(|packet| packet.payload_type == payload_type));
}

#[test]
fn a_joiner_begins_with_the_last_keyframe_over_20_ms() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let other = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 10, 100);
    let viewer = world.watch(stream, &abilities, Conditions::default());
    let joined = world.now;
    world.run(Duration::from_millis(30));
    let all = world.client(other).got(MediaKind::Video).payloads();
    let got = world.client(viewer).got(MediaKind::Video);
    let count = got.packets.len();
    assert!(count > 20 && all.ends_with(&got.payloads()), "{count} of {}", all.len());
    let last = got.packets.values().map(|packet| packet.arrival).max().unwrap();
    assert!(last - joined <= Duration::from_millis(21));
    let at_once = got.packets.values().filter(|p| p.arrival - joined <= Duration::from_millis(1));
    assert!(at_once.count() < count / 2);
    // A keyframe of long ago is none to begin with: another is asked for.
    world.stream(publisher, 30, 100);
    let before = world.client(publisher).plis;
    let late = world.watch(stream, &abilities, Conditions::default());
    world.run(Duration::from_millis(30));
    assert!(!world.client(late).has_any(MediaKind::Video));
    assert_eq!(world.client(publisher).plis, before + 1);
    world.stream(publisher, 2, 100);
    assert!(world.client(late).has_any(MediaKind::Video));
}

#[test]
fn a_shard_that_never_had_the_stream_begins_with_what_others_had() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    world.stream(publisher, 5, 100);
    let id = world.id(publisher);
    let known = world.sfu.tracks(id);
    let replay: Vec<TrackPacket> = world.packets.iter().map(|(_, packet)| packet.clone()).collect();
    // The same stream under another number stands for another shard.
    let elsewhere = world.sfu.open_stream(&known).unwrap();
    assert_ne!(elsewhere, stream);
    let viewer = world.connect(rtc_stack::sfu::Role::Viewer, &abilities, Conditions::default());
    let id = world.id(viewer);
    world.sfu.attach(world.now, id, elsewhere, &replay, &mut world.out).unwrap();
    // What is forwarded may begin with what was in the replay.
    world.sfu.forward(world.now, elsewhere, &replay[replay.len() - 3..], &mut world.out);
    world.flush();
    world.run(Duration::from_millis(40));
    let video = replay.iter().filter(|packet| packet.track == 1).count();
    let got = world.client(viewer).got(MediaKind::Video);
    assert_eq!(got.packets.len(), video);
    assert_eq!(got.duplicates, 0);
}

#[test]
fn a_viewer_that_changes_streams_never_has_a_number_twice() {
    let mut world = World::new();
    let abilities = Abilities { rtx: false, ..Abilities::default() };
    let (one, first) = world.publish(&abilities, Conditions::default());
    let (two, second) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(first, &abilities, Conditions::default());
    let id = world.id(viewer);
    let mut streams = [first, second].into_iter().cycle();
    for frame in 0..100 {
        world.send_frame(one, frame, 5);
        world.send_frame(two, frame, 5);
        world.run(Duration::from_millis(40));
        if frame % 10 == 9 {
            let stream = streams.next().unwrap();
            world.sfu.attach(world.now, id, stream, &[], &mut world.out).unwrap();
            world.flush();
            // What was sent of the other stream is not to be had any more, and nothing else in its place.
            let ssrc = world.client(viewer).section(MediaKind::Video).local_source.unwrap().ssrc;
            let newest = *world.client(viewer).got(MediaKind::Video).packets.keys().last().unwrap();
            let numbers: Vec<u16> = (0..40).rev().map(|n| (newest - n) as u16).collect();
            let now = world.now;
            world.client(viewer).send_rtcp(now, |writer| {
                writer.nack(rtc_stack::Ssrc(1), ssrc, &numbers);
            });
        }
    }
    let client = world.client(viewer);
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let got = client.got(kind);
        assert!(got.packets.len() > 150, "{}", got.packets.len());
        assert!(got.holes().is_empty());
        assert_eq!(got.duplicates, 0);
    }
    assert!(client.refused <= 400);
}
