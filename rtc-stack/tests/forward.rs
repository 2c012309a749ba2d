//! What a publisher sends comes to its viewers as it was.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use rtc_stack::sfu::Event;
use rtc_stack::{Codec, MediaKind};
use support::client::{Digest, Got, digest};
use support::offers::parameters;
use support::{Abilities, Conditions, World};

fn payloads(world: &World, kind: MediaKind, publisher: usize) -> Vec<Digest> {
    let track = match kind {
        MediaKind::Audio => 0,
        _ => 1,
    };
    let id = world.id(publisher);
    let packets = world.packets.iter().filter(|(peer, p)| *peer == id && p.track == track);
    packets.map(|(_, p)| digest(p.packet.payload())).collect()
}

#[test]
fn three_viewers_get_every_byte() {
    for codec in [Codec::H264, Codec::Vp8] {
        let mut world = World::new();
        world.keeps_packets = true;
        let abilities = Abilities { video: vec![codec], ..Abilities::default() };
        let (publisher, stream) = world.publish(&abilities, Conditions::default());
        let viewers = [0; 3].map(|_| world.watch(stream, &abilities, Conditions::default()));
        world.stream(publisher, 100, 50);
        world.run(Duration::from_millis(100));
        for kind in [MediaKind::Audio, MediaKind::Video] {
            let sent = payloads(&world, kind, publisher);
            assert!(sent.len() >= 200, "{} packets of {kind}", sent.len());
            for viewer in viewers {
                let got = world.client(viewer).got(kind);
                let differs = got.payloads().iter().zip(&sent).position(|(a, b)| a != b);
                assert_eq!(differs, None, "{codec} {kind}");
                assert_eq!(got.packets.len(), sent.len(), "{codec} {kind}");
                assert!(got.holes().is_empty());
                assert_eq!(got.duplicates, 0);
            }
        }
        for viewer in viewers {
            assert_eq!(world.client(viewer).refused, 0);
        }
    }
}

#[test]
fn sequence_numbers_timestamps_and_extensions_are_the_viewers_own() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewers = [0; 2].map(|_| world.watch(stream, &abilities, Conditions::default()));
    world.stream(publisher, 60, 30);
    for viewer in viewers {
        let client = world.client(viewer);
        let section = client.section(MediaKind::Audio).clone();
        let got = client.got(MediaKind::Audio);
        let agreed = section.bind(&parameters(Codec::Opus)).unwrap();
        let mut before: Option<&Got> = None;
        let mut levels = Vec::new();
        for packet in got.packets.values() {
            assert_eq!(packet.payload_type, agreed.payload_type);
            if let Some(before) = before {
                assert_eq!(packet.timestamp.wrapping_sub(before.timestamp), 960);
            }
            let of = |id: Option<u8>| packet.extensions.iter().find(|(i, _)| Some(*i) == id);
            levels.push(of(section.extensions.audio_level).unwrap().1[0]);
            before = Some(packet);
        }
        // The publisher's level is the lower bits of its sequence number.
        for pair in levels.windows(2) {
            assert_eq!((pair[0] & 0x7f).wrapping_add(1) & 0x7f, pair[1] & 0x7f);
        }
        let first = got.packets.values().next().unwrap();
        let mid = first.extensions.iter().find(|(id, _)| Some(*id) == section.extensions.mid);
        assert_eq!(mid.unwrap().1, section.mid.as_str().as_bytes());
    }
}

#[test]
fn either_kind_comes_alone() {
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let mut world = World::new();
        let mut abilities = Abilities::default();
        match kind {
            MediaKind::Audio => abilities.video.clear(),
            _ => abilities.audio.clear(),
        }
        let (publisher, stream) = world.publish(&abilities, Conditions::default());
        let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
        world.stream(publisher, 50, 25);
        world.run(Duration::from_millis(100));
        let got = world.client(viewer).got(kind);
        assert!(got.packets.len() >= 100 && got.holes().is_empty());
        let other = if kind == MediaKind::Audio { MediaKind::Video } else { MediaKind::Audio };
        assert!(!world.client(viewer).has_any(other));
    }
}

#[test]
fn a_viewer_without_the_codec_gets_the_rest_and_the_server_is_told() {
    let mut world = World::new();
    let vp8 = Abilities { video: vec![Codec::Vp8], ..Abilities::default() };
    let (publisher, stream) = world.publish(&vp8, Conditions::default());
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    world.stream(publisher, 25, 25);
    assert!(!world.client(viewer).has_any(MediaKind::Video));
    assert!(world.client(viewer).got(MediaKind::Audio).packets.len() > 40);
    let told =
        world.events.iter().filter(|event| matches!(event, Event::Unsupported { track: 1, .. }));
    assert_eq!(told.count(), 1);
}

#[test]
fn viewers_hear_of_the_clock_and_publishers_of_what_arrives() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 250, 50);
    let mut clocks = Vec::new();
    for (kind, rate) in [(MediaKind::Audio, 48_000.0), (MediaKind::Video, 90_000.0)] {
        let got = world.client(viewer).got(kind);
        assert!((8..=11).contains(&got.reports.len()), "{}", got.reports.len());
        let (at, info) = got.reports.last().unwrap();
        // The packet that came last was captured when its timestamp says, a few ms before it came.
        let last = got.packets.values().rfind(|packet| packet.arrival <= *at).unwrap();
        let behind = f64::from(info.timestamp.wrapping_sub(last.timestamp).cast_signed()) / rate;
        let arrived = (*at - last.arrival).as_secs_f64();
        assert!((behind - arrived).abs() < 0.025, "{kind}: {behind} {arrived}");
        clocks.push(info.time.to_unix());
        assert_eq!(
            u64::from(info.packets),
            got.packets.values().filter(|p| p.arrival <= *at).count() as u64
        );
    }
    assert!(clocks[0] > Duration::from_secs(1_800_000_000));
    let client = world.client(publisher);
    assert!(client.receiver_reports.len() >= 20);
    let seconds = client.receiver_reports.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] < Duration::from_secs(1)));
    assert!(client.transport_reported > 1_000 && client.transport_lost == 0);
    let statistics = world.sfu.statistics(world.id(viewer)).unwrap();
    let rtt = statistics.rtt.unwrap();
    assert!(rtt <= Duration::from_millis(5), "{rtt:?}");
}

/// Encoders cut a frame into pieces that differ by a byte. They leave as one run, which sound shares.
#[test]
fn pieces_of_nearly_one_length_leave_as_one_run() {
    for rtx in [true, false] {
        let mut world = World::new();
        world.keeps_packets = true;
        let abilities = Abilities { rtx, ..Abilities::default() };
        let (publisher, stream) = world.publish(&abilities, Conditions::default());
        let viewer = world.watch(stream, &abilities, Conditions::default());
        // The first packets carry the name of their section, and differ by that.
        world.stream(publisher, 100, 50);
        let before = world.packets.len();
        let published = std::mem::take(&mut world.published);
        let (now, client) = (world.now, world.client(publisher));
        let is_video =
            |section: usize| client.negotiated.sections[section].kind == MediaKind::Video;
        let video = client.sending.iter().position(|source| is_video(source.section)).unwrap();
        for (length, marker) in [(1_000, false), (1_000, false), (1_001, true)] {
            let mut payload = vec![0x5a; length];
            payload[..3].copy_from_slice(&[0x7c, 1, 0x88]);
            client.send(now, video, &payload, marker);
        }
        client.send(now, 1 - video, &[0x5a; 80], false);
        world.run(Duration::from_millis(10));
        world.published = published;
        let frame: Vec<_> = world.packets[before..].iter().map(|(_, p)| p.clone()).collect();
        assert_eq!(frame.len(), 4);
        world.sfu.forward(world.now, stream, &frame, &mut world.out);
        let segments: Vec<_> = world.out.udp.runs().iter().map(|run| run.segments()).collect();
        // What may be sent again as it was must not differ from that, and so has no padding.
        assert_eq!(segments, if rtx { vec![4] } else { vec![2, 2] });
        world.flush();
        world.run(Duration::from_millis(10));
        let got = world.client(viewer).got(MediaKind::Video);
        let last: Vec<_> = got.packets.values().rev().take(3).collect();
        let lengths: Vec<_> = last.iter().rev().map(|packet| packet.payload.len()).collect();
        assert_eq!(lengths, [1_000, 1_000, 1_001]);
        assert!(last.iter().all(|packet| packet.payload[3..].iter().all(|byte| *byte == 0x5a)));
        assert_eq!(world.client(viewer).refused, 0);
    }
}

/// However many viewers there are, what waits to be sent is bounded, and cuts no viewer's run.
#[test]
fn a_pass_may_leave_in_parts() {
    const PART: usize = 10_000;
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewers = [0; 12].map(|_| world.watch(stream, &abilities, Conditions::default()));
    world.stream(publisher, 100, 50);
    let before = world.packets.len();
    let published = std::mem::take(&mut world.published);
    world.stream(publisher, 1, 1_000);
    world.published = published;
    let frame: Vec<_> = world.packets[before..].iter().map(|(_, p)| p.clone()).collect();
    assert!(frame.len() > 1);
    let had = viewers.map(|viewer| world.client(viewer).got(MediaKind::Video).packets.len());

    let mut parts = Vec::new();
    world.sfu.forward_in_parts(world.now, stream, &frame, &mut world.out, |out| {
        if out.len() >= PART {
            parts.push(std::mem::take(out));
        }
    });
    parts.push(std::mem::take(&mut world.out));
    let payloads: usize = frame.iter().map(|packet| packet.packet.bytes().len()).sum();
    assert!(parts.len() > 1);
    // Headers and tags come on top.
    assert!(parts.iter().all(|part| part.len() < PART + payloads + frame.len() * 64));
    let runs = parts.iter().flat_map(|part| part.udp.runs());
    let peers: HashSet<_> = runs.clone().map(|run| run.destination).collect();
    assert_eq!((peers.len(), runs.count() % viewers.len()), (viewers.len(), 0));
    for part in parts {
        world.out = part;
        world.flush();
    }
    world.run(Duration::from_millis(10));
    let pictures = frame.iter().filter(|packet| packet.track == 1).count();
    for (viewer, had) in viewers.into_iter().zip(had) {
        let got = world.client(viewer).got(MediaKind::Video);
        assert_eq!((got.packets.len(), got.holes().len()), (had + pictures, 0));
    }
}

#[test]
fn reports_come_with_the_first_media() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    world.stream(publisher, 30, 25);
    // One that begins with a replay, and one that waits for a keyframe.
    for (frames, gop) in [(0, 25), (40, 1_000)] {
        world.stream(publisher, frames, gop);
        let viewer = world.watch(stream, &abilities, Conditions::default());
        world.stream(publisher, 10, 1_000);
        let kinds = [MediaKind::Audio, MediaKind::Video];
        let client = world.client(viewer);
        let first = |kind| client.got(kind).packets.values().map(|p| p.arrival).min().unwrap();
        let begun = kinds.map(first).into_iter().max().unwrap();
        for kind in kinds {
            let (at, info) = client.got(kind).reports.first().unwrap();
            assert!(at.saturating_duration_since(begun) <= Duration::from_millis(41), "{kind}");
            assert!(info.packets > 0);
        }
    }
}
