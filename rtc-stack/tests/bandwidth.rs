//! Viewers of simulcast get what their path carries.

mod support;

use std::time::Duration;

use rtc_stack::MediaKind;
use rtc_stack::sfu::StreamId;
use support::{Abilities, Conditions, World};

const DELAY: Duration = Duration::from_millis(20);

/// Frames of 40 ms in a second.
const SECOND: u64 = 25;

/// Layers of about 180, 620 and 2,170 kbit/s.
fn layered(world: &mut World) -> (usize, StreamId) {
    let abilities = Abilities { layers: vec!["l", "m", "h"], ..Abilities::default() };
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    for (source, size) in [(1, 900), (2, 3_100), (3, 10_850)] {
        world.client(publisher).sending[source].frame_bytes = Some(size);
    }
    (publisher, stream)
}

/// Streams frames, of which none is a keyframe but where one was asked for.
fn frames(world: &mut World, publisher: usize, count: u64) {
    for _ in 0..count {
        let frame = (world.now - world.start).as_millis() as u64 / 40 + 1;
        world.send_frame(publisher, frame, u64::MAX);
        world.run(support::world::FRAME);
    }
}

/// The layer that a viewer gets now.
fn layer(world: &World, viewer: usize) -> String {
    let statistics = world.sfu.statistics(world.id(viewer)).unwrap();
    let mut tracks = statistics.tracks.iter();
    let pictures = tracks.find(|track| track.kind == MediaKind::Video).unwrap();
    pictures.layer.unwrap().as_str().to_owned()
}

/// How often the layer of a viewer changes while a publisher streams for so many seconds, and what it has at the end.
fn watched(world: &mut World, publisher: usize, viewer: usize, seconds: u64) -> (u32, String) {
    let (mut changes, mut before) = (0, layer(world, viewer));
    for _ in 0..seconds * 5 {
        frames(world, publisher, SECOND / 5);
        world.report(viewer);
        let now = layer(world, viewer);
        changes += u32::from(now != before);
        before = now;
    }
    (changes, before)
}

fn estimate(world: &World, viewer: usize) -> u64 {
    world.sfu.statistics(world.id(viewer)).unwrap().estimated_bitrate.unwrap()
}

#[test]
fn a_narrow_path_gets_the_low_layer_and_a_wide_one_the_high() {
    let mut world = World::new();
    let (publisher, stream) = layered(&mut world);
    frames(&mut world, publisher, 3 * SECOND);
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    let (_, first) = watched(&mut world, publisher, viewer, 5);
    assert_eq!(first, "h");
    // It becomes narrow: within three seconds the low layer is what there is.
    world.client(viewer).down.conditions = Conditions::rate(300_000, DELAY);
    let (_, narrow) = watched(&mut world, publisher, viewer, 3);
    assert_eq!(narrow, "l");
    watched(&mut world, publisher, viewer, 5);
    let told = estimate(&world, viewer);
    assert!((180_000..=330_000).contains(&told), "{told}");
    // A minute of it: what is tried in between stays what it was, and loses next to nothing.
    let lost = world.client(viewer).down.lost;
    let (changes, still) = watched(&mut world, publisher, viewer, 60);
    assert_eq!((changes, &*still), (0, "l"));
    assert!(
        world.client(viewer).down.lost - lost < 60,
        "{}",
        world.client(viewer).down.lost - lost
    );
    let statistics = world.sfu.statistics(world.id(viewer)).unwrap();
    // Probes become rare: a minute has six at most.
    assert!((5_000..80_000).contains(&statistics.probed_bytes), "{}", statistics.probed_bytes);
    // Wide again: each layer is found after the other, and kept.
    world.client(viewer).down.conditions = Conditions::rate(2_600_000, DELAY);
    let widened = world.now;
    let (changes, wide) = watched(&mut world, publisher, viewer, 45);
    assert_eq!((changes, &*wide), (2, "h"));
    let (changes, still) = watched(&mut world, publisher, viewer, 30);
    assert_eq!((changes, &*still), (0, "h"));
    assert!(estimate(&world, viewer) > 1_900_000);
    let got = world.client(viewer).got(MediaKind::Video);
    let late = got.packets.values().rev().take_while(|p| p.arrival > widened).collect::<Vec<_>>();
    // No picture stands still meanwhile.
    let gap = |two: &[&support::client::Got]| two[0].arrival.max(two[1].arrival) - two[1].arrival;
    assert!(late.windows(2).all(|two| gap(two) < Duration::from_millis(500)));
}

#[test]
fn between_two_layers_the_lower_one_stays() {
    let mut world = World::new();
    let (publisher, stream) = layered(&mut world);
    frames(&mut world, publisher, 3 * SECOND);
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    watched(&mut world, publisher, viewer, 3);
    // It carries the middle layer and no more.
    world.client(viewer).down.conditions = Conditions::rate(1_000_000, DELAY);
    watched(&mut world, publisher, viewer, 20);
    let (changes, still) = watched(&mut world, publisher, viewer, 60);
    assert_eq!((changes, &*still), (0, "m"));
}

#[test]
fn losses_without_delay_are_heeded() {
    let mut world = World::new();
    let (publisher, stream) = layered(&mut world);
    frames(&mut world, publisher, 3 * SECOND);
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    watched(&mut world, publisher, viewer, 3);
    let policed =
        Conditions { queue: Duration::from_millis(4), ..Conditions::rate(700_000, DELAY) };
    world.client(viewer).down.conditions = policed;
    let (changes, after) = watched(&mut world, publisher, viewer, 20);
    assert!(after != "h" && changes <= 4, "{after} {changes}");
}

#[test]
fn a_viewer_that_says_its_rate_gets_the_layer_that_fits() {
    let mut world = World::new();
    let (publisher, stream) = layered(&mut world);
    frames(&mut world, publisher, 3 * SECOND);
    let abilities = Abilities { transport_cc: false, ..Abilities::default() };
    let viewer = world.watch(stream, &abilities, Conditions::default());
    let (_, first) = watched(&mut world, publisher, viewer, 3);
    assert_eq!(first, "h");
    let told = |world: &mut World, bits: u64| {
        let now = world.now;
        let client = world.client(viewer);
        let ssrc = client.section(MediaKind::Video).local_source.unwrap().ssrc;
        client.send_rtcp(now, |writer| writer.remb(rtc_stack::Ssrc(1), bits, &[ssrc]));
    };
    let mut layers = Vec::new();
    for second in 0..60 {
        // It carries the middle layer; what it tells is half as much again as it gets, and falls when that is too much.
        let bits = match layers.last().map(String::as_str) {
            Some("l") => 270_000,
            Some("m") => 780_000,
            _ => 680_000,
        };
        told(&mut world, bits);
        frames(&mut world, publisher, SECOND);
        layers.push(layer(&world, viewer));
        assert!(second < 1 || layers[second] != "h" || layers[second - 1] != "h", "{layers:?}");
    }
    let at_middle = layers.iter().filter(|layer| *layer == "m").count();
    assert!(at_middle > 40, "{layers:?}");
    assert_eq!(estimate(&world, viewer), 780_000);
}

#[test]
fn a_viewer_of_one_layer_is_measured_by_nothing() {
    let mut world = World::new();
    let (publisher, stream) = world.publish(&Abilities::default(), Conditions::default());
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    world.client(viewer).down.conditions = Conditions::rate(300_000, DELAY);
    world.stream(publisher, 5 * SECOND, 1_000_000);
    let id = world.client(viewer).section(MediaKind::Video).extensions.transport_wide_cc.unwrap();
    let got = world.client(viewer).got(MediaKind::Video);
    assert!(got.packets.values().all(|got| got.extensions.iter().all(|(known, _)| *known != id)));
    let statistics = world.sfu.statistics(world.id(viewer)).unwrap();
    assert_eq!((statistics.estimated_bitrate, statistics.transport_received), (None, 0));
    assert_eq!(statistics.probed_bytes, 0);
}

#[test]
fn a_layer_that_was_chosen_stays_whatever_the_path_carries() {
    let mut world = World::new();
    let (publisher, stream) = layered(&mut world);
    frames(&mut world, publisher, 3 * SECOND);
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    watched(&mut world, publisher, viewer, 3);
    let high = rtc_stack::Rid::new(b"h").unwrap();
    let id = world.id(viewer);
    world.sfu.select_layer(world.now, id, Some(high)).unwrap();
    world.client(viewer).down.conditions = Conditions::rate(1_000_000, DELAY);
    let (changes, still) = watched(&mut world, publisher, viewer, 10);
    assert_eq!((changes, &*still), (0, "h"));
}

#[test]
fn packets_are_numbered_one_by_one() {
    let mut world = World::new();
    let (publisher, stream) = layered(&mut world);
    frames(&mut world, publisher, 3 * SECOND);
    let viewer = world.watch(stream, &Abilities::default(), Conditions::default());
    frames(&mut world, publisher, 3 * SECOND);
    let client = world.client(viewer);
    let id = client.section(MediaKind::Video).extensions.transport_wide_cc;
    let kinds = [MediaKind::Audio, MediaKind::Video];
    let packets = kinds.map(|kind| client.got(kind).packets.values());
    let number = packets.into_iter().flatten().filter_map(|packet| {
        let found = packet.extensions.iter().find(|(known, _)| Some(*known) == id)?;
        Some(u16::from_be_bytes([found.1[0], found.1[1]]))
    });
    let mut numbers: Vec<u16> = number.collect();
    numbers.sort_unstable();
    assert!(numbers.len() > 500, "{}", numbers.len());
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1));
}
