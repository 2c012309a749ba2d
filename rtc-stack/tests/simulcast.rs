//! Layers of one picture: each viewer has one of them.

mod support;

use std::time::Duration;

use rtc_stack::sfu::SfuError;
use rtc_stack::{MediaKind, Rid};
use support::{Abilities, Conditions, World};

fn rid(name: &str) -> Rid {
    Rid::new(name.as_bytes()).unwrap()
}

/// The number of packets in the frames that a viewer got last, which the layers of the tests differ in.
fn packets_per_frame(world: &mut World, viewer: usize) -> usize {
    let got = world.client(viewer).got(MediaKind::Video);
    let last: Vec<_> = got.packets.values().rev().take(24).collect();
    let timestamps: std::collections::BTreeSet<u32> = last.iter().map(|p| p.timestamp).collect();
    let (first, last_one) = (*timestamps.first().unwrap(), *timestamps.last().unwrap());
    let whole = timestamps.iter().find(|t| **t != first && **t != last_one).unwrap();
    got.packets.values().filter(|packet| packet.timestamp == *whole).count()
}

fn layered() -> Abilities {
    // Each letter of a name is one packet more in a frame.
    Abilities { layers: vec!["l", "mmm", "hhhhhh"], ..Abilities::default() }
}

#[test]
fn viewers_get_the_highest_layer_that_arrives() {
    let mut world = World::new();
    let (publisher, stream) = world.publish(&layered(), Conditions::default());
    world.stream(publisher, 60, 200);
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    world.stream(publisher, 60, 200);
    assert_eq!(packets_per_frame(&mut world, viewer), 9);
    // The highest goes away: the next is what there is.
    world.client(publisher).sending.pop();
    world.stream(publisher, 100, 200);
    assert_eq!(packets_per_frame(&mut world, viewer), 6);
    let got = world.client(viewer).got(MediaKind::Video);
    assert!(got.holes().is_empty() && got.duplicates == 0);
}

#[test]
fn a_layer_that_is_chosen_begins_with_its_keyframe() {
    let mut world = World::new();
    let (publisher, stream) = world.publish(&layered(), Conditions::default());
    world.stream(publisher, 60, 200);
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    let other = world.watch(stream, &Abilities::default(), Conditions::default());
    world.stream(publisher, 30, 200);
    let id = world.id(viewer);
    for (name, packets) in [("l", 4), ("hhhhhh", 9), ("mmm", 6)] {
        let before = *world.client(viewer).got(MediaKind::Video).packets.keys().last().unwrap();
        world.sfu.select_layer(world.now, id, Some(rid(name))).unwrap();
        world.stream(publisher, 30, 200);
        assert_eq!(packets_per_frame(&mut world, viewer), packets, "{name}");
        let got = world.client(viewer).got(MediaKind::Video);
        assert!(got.holes().is_empty());
        // Time goes on over the change, frame by frame.
        let times: Vec<_> = got
            .packets
            .range(before..)
            .filter(|(_, p)| p.marker)
            .map(|(_, p)| p.timestamp)
            .collect();
        assert!(times.len() > 25);
        for pair in times.windows(2) {
            let step = pair[1].wrapping_sub(pair[0]);
            assert!((1..8_000).contains(&step), "{step}");
        }
    }
    assert_eq!(packets_per_frame(&mut world, other), 9);
    assert_eq!(world.sfu.select_layer(world.now, id, Some(rid("x"))), Err(SfuError::UnknownLayer));
    world.sfu.select_layer(world.now, id, None).unwrap();
    world.stream(publisher, 60, 200);
    assert_eq!(packets_per_frame(&mut world, viewer), 9);
}

#[test]
fn retransmissions_of_a_layer_are_its_own() {
    let mut world = World::new();
    let (publisher, stream) = world.publish(&layered(), Conditions::default());
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    world.stream(publisher, 50, 200);
    world.client(publisher).up.conditions = Conditions::loss(0.05, Duration::from_millis(20));
    world.stream(publisher, 100, 200);
    world.client(publisher).up.conditions = Conditions::default();
    world.stream(publisher, 25, 200);
    let statistics = world.sfu.statistics(world.id(publisher)).unwrap();
    let video = statistics.tracks.iter().filter(|track| track.kind == MediaKind::Video);
    for track in video {
        assert!(track.retransmitted > 5, "{track:?}");
    }
    assert!(world.client(viewer).got(MediaKind::Video).holes().len() < 5);
}
