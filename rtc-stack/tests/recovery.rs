//! What networks lose comes again, in both directions.

mod support;

use std::time::Duration;

use rtc_stack::sfu::{Direction, Event};
use rtc_stack::{Codec, MediaKind};
use support::{Abilities, Conditions, World};

const DELAY: Duration = Duration::from_millis(50);
/// What a viewer would see as standing still.
const FREEZE: Duration = Duration::from_secs(1);

/// The share of the packets lost on the way that came in the end.
fn recovered(sent: usize, got: usize, lost: u64) -> f64 {
    1.0 - (sent - got) as f64 / lost as f64
}

#[test]
fn viewers_get_what_the_way_to_them_loses() {
    for rtx in [true, false] {
        for codec in [Codec::H264, Codec::Vp8] {
            let mut world = World::new();
            world.keeps_packets = true;
            let abilities = Abilities { video: vec![codec], rtx, ..Abilities::default() };
            let (publisher, stream) = world.publish(&abilities, Conditions::default());
            let viewer = world.watch(stream, &abilities, Conditions::default());
            world.stream(publisher, 2, 100);
            world.client(viewer).up.conditions = Conditions::loss(0.05, DELAY);
            world.client(viewer).down.conditions = Conditions::loss(0.05, DELAY);
            world.stream(publisher, 500, 100);
            world.client(viewer).down.conditions = Conditions::default();
            world.client(viewer).up.conditions = Conditions::default();
            world.stream(publisher, 2, 100);
            world.run(Duration::from_secs(1));
            let sent = world.packets.iter().filter(|(_, packet)| packet.track == 1).count();
            let got = world.client(viewer).got(MediaKind::Video);
            let lost = got.recovered.len() + got.holes().len();
            assert!(lost > 40, "{lost}");
            assert!(recovered(sent, got.packets.len(), lost as u64) > 0.99, "{codec} {rtx}");
            assert!(got.longest_freeze() < FREEZE, "{codec} {rtx} {:?}", got.longest_freeze());
            let statistics = world.sfu.statistics(world.id(viewer)).unwrap();
            assert!(statistics.retransmitted_bytes > 0);
            assert!(statistics.rtt.unwrap() > Duration::from_millis(60));
            assert_eq!(world.client(viewer).refused, 0);
        }
    }
}

#[test]
fn the_server_gets_what_the_way_from_a_publisher_loses() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 2, 100);
    world.client(publisher).up.conditions = Conditions::loss(0.05, DELAY);
    world.client(publisher).down.conditions = Conditions::loss(0.05, DELAY);
    world.stream(publisher, 500, 100);
    world.client(publisher).up.conditions = Conditions::default();
    world.client(publisher).down.conditions = Conditions::default();
    world.stream(publisher, 2, 100);
    world.run(Duration::from_secs(1));
    let statistics = world.sfu.statistics(world.id(publisher)).unwrap();
    let video = statistics.tracks.iter().find(|t| t.kind == MediaKind::Video).unwrap();
    assert!(video.retransmitted > 40, "{video:?}");
    let holes = world.client(viewer).got(MediaKind::Video).holes().len() as f64;
    assert!(holes / (holes + video.retransmitted as f64) < 0.01, "{holes} of {video:?}");
    // What came late has its place in order.
    let got = world.client(viewer).got(MediaKind::Video);
    assert!(got.packets.len() > 1_500);
    assert!(got.longest_freeze() < FREEZE, "{:?}", got.longest_freeze());
    // Its round trip is measured, though it gets no sender reports.
    let rtt = statistics.rtt.unwrap();
    assert!((Duration::from_millis(70)..Duration::from_millis(105)).contains(&rtt), "{rtt:?}");
}

#[test]
fn heavy_loss_goes_on_with_keyframes() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 2, 1_000_000);
    let bad = Conditions::loss(0.15, DELAY);
    world.client(publisher).up.conditions = bad;
    // It answers no request for packets, so that only keyframes help.
    world.client(publisher).asks_again = false;
    world.client(viewer).down.conditions = bad;
    world.client(viewer).keyframes_on_loss = true;
    world.stream(publisher, 500, 1_000_000);
    let asked = world.client(publisher).plis;
    // A keyframe may be asked for twice a second, by viewers and for what was given up.
    assert!((8..=45).contains(&asked), "{asked}");
    let got = world.client(viewer).got(MediaKind::Video).packets.len();
    assert!(got > 1_000, "{got}");
}

#[test]
fn reordering_and_duplication_change_nothing() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 2, 50);
    let mixed = Conditions {
        delay: Duration::from_millis(10),
        jitter: Duration::from_millis(12),
        duplication: 0.1,
        ..Conditions::default()
    };
    for client in [publisher, viewer] {
        world.client(client).up.conditions = mixed;
        world.client(client).down.conditions = mixed;
    }
    world.stream(publisher, 200, 50);
    world.run(Duration::from_millis(500));
    for (kind, track) in [(MediaKind::Audio, 0), (MediaKind::Video, 1)] {
        let sent = world.packets.iter().filter(|(_, packet)| packet.track == track);
        let numbers: std::collections::BTreeSet<u64> =
            sent.map(|(_, p)| p.packet.sequence).collect();
        let all = world.packets.iter().filter(|(_, packet)| packet.track == track).count();
        // The server has each once, and viewers have each once.
        assert_eq!(numbers.len(), all);
        let got = world.client(viewer).got(kind);
        assert_eq!(got.packets.len(), all, "{kind}");
        assert!(got.holes().is_empty());
    }
}

#[test]
fn packets_lost_on_purpose_are_asked_for() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 5, 50);
    let (p, v) = (world.id(publisher), world.id(viewer));
    world.sfu.drop_next(p, 3, Direction::Incoming);
    world.stream(publisher, 10, 50);
    assert!(world.client(publisher).nacked >= 1);
    world.sfu.drop_next(v, 4, Direction::Outgoing);
    world.stream(publisher, 10, 50);
    let client = world.client(viewer);
    let again: usize = [MediaKind::Audio, MediaKind::Video]
        .map(|kind| client.got(kind).recovered.len())
        .iter()
        .sum();
    assert!(again >= 2, "{again}");
    assert!(client.got(MediaKind::Video).holes().is_empty());
}

#[test]
fn a_viewer_that_asks_for_everything_has_its_share() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 25, 50);
    let ssrc = world.client(viewer).section(MediaKind::Video).local_source.unwrap().ssrc;
    let begun = world.sfu.statistics(world.id(viewer)).unwrap();
    for frame in 0..250 {
        world.send_frame(publisher, frame, 50);
        world.run(Duration::from_millis(40));
        let now = world.now;
        let all: Vec<u16> = (0..4_000).collect();
        let newest = *world.client(viewer).got(MediaKind::Video).packets.keys().last().unwrap();
        let latest: Vec<u16> = (0..200).rev().map(|n| (newest - n) as u16).collect();
        let client = world.client(viewer);
        for list in [&latest, &all] {
            client.send_rtcp(now, |writer| {
                writer.nack(rtc_stack::Ssrc(1), ssrc, list);
            });
        }
    }
    let statistics = world.sfu.statistics(world.id(viewer)).unwrap();
    let sent: u64 = statistics.tracks.iter().map(|track| track.bytes).sum();
    let again = statistics.retransmitted_bytes - begun.retransmitted_bytes;
    assert!(again > 100_000, "{again}");
    // 30 % and the burst, with headers.
    assert!(again < sent * 35 / 100 + 140 * 1024, "{again} of {sent}");
    assert!(statistics.retransmissions_refused > 10_000);
}

#[test]
fn a_flood_of_requests_for_keyframes_is_one_every_half_second() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewers = [0; 5].map(|_| world.watch(stream, &abilities, Conditions::default()));
    world.stream(publisher, 25, 1_000);
    world.events.clear();
    let before = world.client(publisher).plis;
    for frame in 1..101 {
        world.send_frame(publisher, frame, 1_000);
        world.run(Duration::from_millis(40));
        let now = world.now;
        for viewer in viewers {
            let client = world.client(viewer);
            let ssrc = client.section(MediaKind::Video).local_source.unwrap().ssrc;
            for number in 0..10 {
                client.send_rtcp(now, |writer| {
                    writer.picture_loss(rtc_stack::Ssrc(1), ssrc);
                    writer.full_intra_requests(rtc_stack::Ssrc(1), &[(ssrc, number)]);
                });
            }
        }
    }
    let wanted =
        world.events.iter().filter(|event| matches!(event, Event::KeyframeWanted { .. })).count();
    assert!((7..=9).contains(&wanted), "{wanted}");
    let asked = world.client(publisher).plis - before;
    assert!((7..=9).contains(&asked), "{asked}");
}

/// A stream whose publisher makes no keyframe because a viewer wants one.
#[test]
fn who_wants_a_keyframe_that_nobody_makes_gets_the_last_one_again_if_it_is_young() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    world.sfu.set_makes_keyframes(stream, false);
    let viewer = world.watch(stream, &abilities, Conditions::default());
    let other = world.watch(stream, &abilities, Conditions::default());
    let want = |world: &mut World| {
        let now = world.now;
        let client = world.client(viewer);
        let ssrc = client.section(MediaKind::Video).local_source.unwrap().ssrc;
        client.send_rtcp(now, |writer| writer.picture_loss(rtc_stack::Ssrc(1), ssrc));
        world.run(Duration::from_millis(30));
    };
    // A keyframe of 400 ms ago.
    world.stream(publisher, 10, 100);
    let before = world.client(viewer).got(MediaKind::Video).payloads();
    want(&mut world);
    let got = world.client(viewer).got(MediaKind::Video);
    let again = got.payloads().split_off(before.len());
    assert!(again.len() > 20 && before.ends_with(&again), "{} of {}", again.len(), before.len());
    assert!(got.holes().is_empty());
    // Who asked for nothing gets nothing.
    assert_eq!(world.client(other).got(MediaKind::Video).payloads(), before);
    // It goes on for both.
    for frame in 10..15 {
        world.send_frame(publisher, frame, 100);
        world.run(Duration::from_millis(40));
    }
    let all = world.client(other).got(MediaKind::Video).payloads();
    let got = world.client(viewer).got(MediaKind::Video);
    assert!(all.len() > before.len() && got.payloads().ends_with(&all[before.len()..]));
    assert!(got.holes().is_empty());
    let count = got.packets.len();
    // A flood of wishes costs no more than what a viewer may be sent again.
    for _ in 0..100 {
        want(&mut world);
    }
    let got = world.client(viewer).got(MediaKind::Video).packets.len();
    assert!(got <= count + 128 * 1024 / 900 + 8, "{got} after {count}");
    // An old keyframe is none to begin with, and nobody is asked for another.
    world.run(Duration::from_secs(1));
    world.events.clear();
    let got = world.client(viewer).got(MediaKind::Video).packets.len();
    want(&mut world);
    assert_eq!(world.client(viewer).got(MediaKind::Video).packets.len(), got);
    assert!(!world.events.iter().any(|event| matches!(event, Event::KeyframeWanted { .. })));
    assert_eq!(world.client(publisher).plis, 0);
}

#[test]
fn a_seventh_lost_both_ways_is_borne() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    // Its numbers begin anew soon.
    for sending in &mut world.client(publisher).sending {
        sending.index = 65_400;
    }
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 2, 1_000_000);
    let bad = Conditions::loss(0.15, DELAY);
    for client in [publisher, viewer] {
        world.client(client).up.conditions = bad;
        world.client(client).down.conditions = bad;
    }
    world.stream(publisher, 500, 1_000_000);
    let last = world.now;
    let got = world.client(viewer).got(MediaKind::Video);
    let newest = got.packets.values().map(|packet| packet.arrival).max().unwrap();
    assert!(last - newest < Duration::from_millis(200));
    // Of about 1,500 packets.
    let holes = got.holes().len();
    assert!(got.packets.len() > 1_450 && holes < 15, "{} {holes}", got.packets.len());
    assert!(got.longest_freeze() < FREEZE, "{:?}", got.longest_freeze());
}

#[test]
fn packets_that_are_overtaken_are_hardly_asked_for() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    for sending in &mut world.client(publisher).sending {
        sending.index = 65_400;
    }
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 25, 50);
    // A frame of 8 packets and two of sound within 25 ms: up to ten are overtaken by what was sent later.
    let jitter = Duration::from_millis(25);
    let mixed = Conditions { delay: Duration::from_millis(20), jitter, ..Conditions::default() };
    world.client(publisher).up.conditions = mixed;
    world.stream(publisher, 25, 1);
    let learnt = world.client(publisher).nacked;
    world.stream(publisher, 250, 1);
    let asked = world.client(publisher).nacked - learnt;
    // Of 2,500, and nothing was lost.
    assert!(asked < 25, "{asked}");
    world.run(Duration::from_millis(100));
    assert!(world.client(viewer).got(MediaKind::Video).holes().is_empty());
    // Losses are found and made good all the same.
    world.client(publisher).up.conditions = Conditions { loss: 0.05, ..mixed };
    world.stream(publisher, 250, 1);
    world.client(publisher).up.conditions = mixed;
    world.stream(publisher, 5, 1);
    world.run(Duration::from_millis(500));
    let got = world.client(viewer).got(MediaKind::Video);
    assert!(got.holes().is_empty(), "{:?}", got.holes());
    assert!(got.longest_freeze() < Duration::from_millis(500), "{:?}", got.longest_freeze());
}

#[test]
fn who_stays_is_asked_as_soon_when_another_publisher_has_gone() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let publishers = [(); 3].map(|()| world.publish(&abilities, Conditions::default()).0);
    for publisher in publishers {
        world.stream(publisher, 2, 100);
    }
    let first = world.id(publishers[0]);
    world.sfu.remove(first, &mut world.out);
    for round in 0..5 {
        for publisher in [publishers[1], publishers[2]] {
            let id = world.id(publisher);
            let wanted = |world: &mut World| {
                let sources = world.client(publisher).sending.iter();
                sources.map(|source| source.keyframes_wanted).sum::<u32>()
            };
            let before = wanted(&mut world);
            world.sfu.request_keyframe(id, 1).unwrap();
            // Two turns; what is due by itself comes each 100 ms.
            world.run(Duration::from_millis(45));
            assert!(wanted(&mut world) > before, "{publisher} in round {round}");
            world.run(Duration::from_millis(1_100));
        }
    }
}
