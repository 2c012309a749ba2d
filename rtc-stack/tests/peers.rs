//! Who a peer is, where it is, and when it is gone.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use rtc_stack::MediaKind;
use rtc_stack::session::{Flow, Outgoing, Transport};
use rtc_stack::sfu::{CloseReason, Event, PeerConfig, Received, Role, SfuError};
use rtc_stack::srtp::{Outbound, Profile, SessionKeys};
use rtc_stack::stun::Credentials;
use support::offers::agree;
use support::{Abilities, Conditions, World};

fn closed(world: &World) -> Vec<CloseReason> {
    let events = world.events.iter();
    events
        .filter_map(|e| if let Event::Closed { reason, .. } = e { Some(*reason) } else { None })
        .collect()
}

fn moved(flow: Flow, port: u16) -> Flow {
    let mut flow = flow;
    flow.destination.peer = SocketAddr::from(([203, 0, 113, 9], port));
    flow
}

#[test]
fn a_peer_that_is_silent_is_closed_after_30_s() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 25, 25);
    world.client(viewer).is_silent = true;
    let silent = world.now;
    world.run(Duration::from_secs(29));
    assert!(closed(&world).is_empty());
    world.run(Duration::from_millis(2_100));
    assert_eq!(closed(&world), [CloseReason::Silent], "{:?}", world.now - silent);
    assert_eq!(world.sfu.peers(), (1, 0));
    // The publisher does nothing but its checks, and stays.
    world.run(Duration::from_secs(60));
    assert_eq!(closed(&world).len(), 1);
    // What it sends now comes from nobody.
    let mut datagram = [0x80; 60];
    let flow = world.client(viewer).flow();
    let received = world.sfu.receive(world.now, flow, &mut datagram, &mut world.out);
    assert_eq!(received, Received::UnknownAddress);
    assert!(world.sfu.statistics(world.id(viewer)).is_none());
}

#[test]
fn a_sign_of_leaving_counts_unless_it_is_contradicted() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (_, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    let id = world.id(viewer);
    world.sfu.hint_closed(world.now, id);
    world.run(Duration::from_secs(10));
    assert!(closed(&world).is_empty());
    world.client(viewer).is_silent = true;
    world.run(Duration::from_millis(10));
    world.sfu.hint_closed(world.now, id);
    world.run(Duration::from_millis(4_100));
    assert_eq!(closed(&world), [CloseReason::Left]);
}

#[test]
fn ten_thousand_that_never_come_are_limited_and_forgotten() {
    let mut world = World::with(|_, limits| limits.pending_peers = 10_000);
    let abilities = Abilities::default();
    let ours = ("template", "templatepassword00000000");
    let negotiated = agree(&abilities, false, ours, ("them", "theirpassword0000000000"), 1);
    let insert = |world: &mut World, number: u32| {
        let credentials = Credentials::new(&format!("l{number:06}"), ours.1).unwrap();
        world.sfu.insert(world.now, PeerConfig::new(Role::Viewer, credentials, &negotiated))
    };
    for number in 0..10_000 {
        insert(&mut world, number).unwrap();
    }
    assert_eq!(insert(&mut world, 10_000), Err(SfuError::TooManyPending { limit: 10_000 }));
    assert_eq!(world.sfu.peers(), (10_000, 10_000));
    world.run(Duration::from_secs(31));
    assert_eq!(world.sfu.peers(), (0, 0));
    assert_eq!(closed(&world).len(), 10_000);
    assert!(closed(&world).iter().all(|reason| *reason == CloseReason::NeverSeen));
    assert_eq!(world.datagrams_sent, 0);
    insert(&mut world, 0).unwrap();
    assert_eq!(insert(&mut world, 0), Err(SfuError::UfragTaken));
    assert!(world.sfu.poll_timeout().is_some());
}

#[test]
fn there_are_no_more_peers_than_the_limit() {
    let mut world = World::with(|_, limits| limits.peers = 2);
    let abilities = Abilities::default();
    let (_, stream) = world.publish(&abilities, Conditions::default());
    world.watch(stream, &abilities, Conditions::default());
    let negotiated = agree(
        &abilities,
        false,
        ("abcd", "0123456789012345678901"),
        ("efgh", "0123456789012345678901"),
        1,
    );
    let credentials = Credentials::new("abcd", "0123456789012345678901").unwrap();
    let refused =
        world.sfu.insert(world.now, PeerConfig::new(Role::Viewer, credentials, &negotiated));
    assert_eq!(refused, Err(SfuError::TooManyPeers { limit: 2 }));
}

#[test]
fn a_viewer_is_followed_to_its_new_address() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 10, 25);
    let before = world.client(viewer).got(MediaKind::Video).packets.len();
    world.client(viewer).address = SocketAddr::from(([203, 0, 113, 9], 4_444));
    let now = world.now;
    world.client(viewer).check(now, true);
    world.stream(publisher, 10, 25);
    let got = world.client(viewer).got(MediaKind::Video);
    assert!(got.packets.len() > before + 25);
    assert!(got.holes().is_empty());
}

#[test]
fn a_publisher_is_followed_to_its_new_address() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 10, 25);
    let before = world.client(viewer).got(MediaKind::Video).packets.len();
    world.client(publisher).address = SocketAddr::from(([203, 0, 113, 9], 4_444));
    // Without a check, it is nobody.
    let now = world.now;
    world.client(publisher).send(now, 1, &[0x41; 100], true);
    world.client(publisher).check(now, true);
    world.stream(publisher, 10, 25);
    assert!(world.client(viewer).got(MediaKind::Video).packets.len() > before + 25);
}

#[test]
fn one_who_guesses_moves_nobody() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 10, 25);
    let flow = moved(world.client(viewer).flow(), 5_555);
    let mut wrong = world.client(viewer).binding_request("another password of enough length", true);
    let mut out = Outgoing::default();
    assert_eq!(world.sfu.receive(world.now, flow, &mut wrong, &mut out), Received::Handled);
    assert!(out.is_empty());
    // Nor does a path that is not nominated, while the one that is has been heard lately.
    let before = world.client(viewer).got(MediaKind::Video).packets.len();
    world.client(viewer).address = flow.destination.peer;
    let now = world.now;
    world.client(viewer).check(now, false);
    world.client(viewer).address = SocketAddr::from(([198, 51, 100, 7], 10_001));
    world.stream(publisher, 10, 25);
    assert!(world.client(viewer).got(MediaKind::Video).packets.len() > before + 25);
    let mut unknown = wrong.clone();
    let at = unknown.windows(5).position(|bytes| bytes == b"local").unwrap();
    unknown[at] = b'x';
    assert_eq!(world.sfu.receive(now, flow, &mut unknown, &mut out), Received::UnknownUser);
}

#[test]
fn replayed_and_forged_packets_change_nothing() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 10, 25);
    let id = world.id(publisher);
    let flow = world.client(publisher).flow();
    // Catch the next packets instead of letting them pass.
    let now = world.now;
    for _ in 0..5 {
        world.client(publisher).send(now, 1, &[0x41; 500], true);
    }
    let mut caught = Vec::new();
    while let Some(datagram) = {
        let later = now + Duration::from_secs(1);
        world.client(publisher).up.receive(later)
    } {
        caught.push(datagram);
    }
    let packets = world.packets.len();
    let mut media = 0;
    for datagram in &caught {
        for copy in 0..3 {
            let mut datagram = datagram.clone();
            world.sfu.receive(now, flow, &mut datagram, &mut world.out);
            world.serve();
            media += usize::from(copy == 0 && (128..192).contains(&datagram[0]));
        }
        // Elsewhere, it is nobody's.
        let mut elsewhere = datagram.clone();
        world.sfu.receive(now, moved(flow, 6_666), &mut elsewhere, &mut world.out);
    }
    assert!(media >= 5);
    assert_eq!(world.packets.len(), packets + 5);
    // Packets sealed by somebody else's keys, for any source and payload type, and garbage.
    let before = world.sfu.statistics(id).unwrap().refused;
    // Of each packet two copies too many.
    assert!(before.replayed >= 10 && before.unauthentic == 0, "{before:?}");
    let keys = SessionKeys::from_exporter(Profile::AeadAes128Gcm, &[9; 56], true).unwrap();
    let forger = Outbound::new(&keys.0).unwrap();
    let mut forged = vec![0x80, 96, 0, 9, 0, 0, 0, 1, 0, 0, 0, 7];
    forged.resize(200, 0);
    forger.seal_rtp(12, 9, &mut forged).unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    for length in 1..300 {
        let mut garbage: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
        garbage[0] = 0x80 | garbage[0] & 0x3f;
        world.sfu.receive(now, flow, &mut garbage, &mut world.out);
        let mut cut = forged[..length.min(forged.len())].to_vec();
        world.sfu.receive(now, flow, &mut cut, &mut world.out);
    }
    let refused = world.sfu.statistics(id).unwrap().refused;
    assert!(refused.total() >= before.total() + 590, "{refused:?}");
    assert!(refused.unauthentic > 0 && refused.malformed > 0, "{refused:?}");
    assert_eq!(world.packets.len(), packets + 5);
    world.stream(publisher, 10, 25);
    assert!(world.client(viewer).got(MediaKind::Video).packets.len() > 50);
}

#[test]
fn sources_and_payload_types_that_were_not_agreed_are_refused() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, _) = world.publish(&abilities, Conditions::default());
    world.stream(publisher, 5, 25);
    let packets = world.packets.len();
    let now = world.now;
    // Authentic packets of 200 sources with a payload type that nobody agreed on.
    for ssrc in 0..200 {
        let client = world.client(publisher);
        client.start(MediaKind::Video, rtc_stack::Codec::H264, None, 0x7000_0000 + ssrc);
        let source = client.sending.len() - 1;
        client.sending[source].payload_type = rtc_stack::PayloadType::new(80).unwrap();
        client.send(now, source, &[1; 100], false);
    }
    world.run(Duration::from_millis(20));
    assert_eq!(world.packets.len(), packets);
    let statistics = world.sfu.statistics(world.id(publisher)).unwrap();
    assert!(statistics.refused.unknown >= 200, "{:?}", statistics.refused);
    assert_eq!(statistics.tracks.len(), 2);
}

/// What is dropped has arrived: it is not asked for again, and no track begins by it.
#[test]
fn packets_of_a_dropped_payload_type_go_nowhere() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let other = world.signal(Role::Publisher, &abilities, Conditions::default()).client;
    let video = other.section(MediaKind::Video).codecs[0].payload_type;
    world.dropped_payload_type = Some(video);
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 25, 25);
    assert!(!world.packets.is_empty());
    assert!(world.packets.iter().all(|(_, it)| it.packet.payload_type() != video));
    assert!(world.client(viewer).has_any(MediaKind::Audio));
    assert!(!world.client(viewer).has_any(MediaKind::Video));
    assert_eq!(world.client(publisher).nacked, 0);
}

/// As with SRS, its session goes on: browsers say it of a source, whenever they replace one.
#[test]
fn a_goodbye_of_a_source_ends_no_session() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 10, 25);
    for client in [publisher, viewer] {
        let now = world.now;
        let peer = world.client(client);
        let source = peer.sending.first().map_or(peer.own_ssrc, |sending| sending.ssrc);
        peer.send_rtcp(now, |writer| writer.goodbye(&[source], b"gone"));
    }
    let before = world.client(viewer).got(MediaKind::Video).packets.len();
    world.run(Duration::from_secs(5));
    world.stream(publisher, 25, 25);
    assert!(closed(&world).is_empty());
    assert!(world.client(viewer).got(MediaKind::Video).packets.len() > before + 20);
}

#[test]
fn viewers_that_send_media_are_not_listened_to() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (_, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    let mut packet = [0x80; 200];
    let flow = world.client(viewer).flow();
    for _ in 0..50 {
        world.sfu.receive(world.now, flow, &mut packet, &mut world.out);
    }
    world.serve();
    assert!(world.packets.is_empty());
    assert_eq!(world.sfu.statistics(world.id(viewer)).unwrap().refused.unknown, 50);
}

#[test]
fn a_flood_of_authentic_checks_leaves_no_more_addresses_than_the_limit() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    let home = world.client(viewer).flow();
    let now = world.now;
    let mut out = Outgoing::default();
    for port in 1..=10_000 {
        let password = world.client(viewer).password().to_owned();
        let mut request = world.client(viewer).binding_request(&password, false);
        let received = world.sfu.receive(now, moved(home, port), &mut request, &mut out);
        assert_eq!(received, Received::Handled);
        // One short answer each, and only to where it came from.
        let answers: Vec<_> = out.udp.iter().map(|(to, answer)| (to.peer, answer.len())).collect();
        let [(to, length)] = answers[..] else { panic!("{answers:?}") };
        assert_eq!(to, moved(home, port).destination.peer);
        assert!(length <= request.len());
        out.clear();
    }
    let mut is_known = |flow| {
        let mut datagram = [0x80; 60];
        world.sfu.receive(now, flow, &mut datagram, &mut out) == Received::Handled
    };
    let known = (1..=10_000).filter(|port| is_known(moved(home, *port))).count();
    assert_eq!(known, 3);
    assert!(is_known(home), "the way that was nominated is forgotten");
    world.stream(publisher, 10, 25);
    assert!(world.client(viewer).has_any(MediaKind::Video));
}

#[test]
fn events_that_nobody_takes_are_bounded() {
    let mut world = World::with(|_, limits| limits.events = 100);
    let abilities = Abilities::default();
    let (publisher, _) = world.publish(&abilities, Conditions::default());
    world.serve();
    let flow = world.client(publisher).flow();
    for _ in 0..1_000 {
        let mut hello = [22; 100];
        world.sfu.receive(world.now, flow, &mut hello, &mut world.out);
    }
    assert_eq!(world.sfu.dropped_events(), 900);
    let mut count = 0;
    while let Some(event) = world.sfu.poll_event() {
        assert!(matches!(event, Event::Dtls { .. }));
        count += 1;
    }
    assert_eq!(count, 100);
}

#[test]
fn a_peer_by_tcp_is_answered_by_tcp() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let signalled = world.signal(Role::Viewer, &abilities, Conditions::default());
    let (id, client, keys) = (signalled.id, signalled.client, signalled.keys);
    let mut flow = client.flow();
    flow.transport = Transport::Tcp;
    let mut out = Outgoing::default();
    let mut request = client.binding_request(client.password(), true);
    world.sfu.receive(world.now, flow, &mut request, &mut out);
    assert!(out.udp.is_empty());
    let answers: Vec<_> = out.tcp.iter().map(|(to, _)| to).collect();
    assert_eq!(answers, [flow.destination]);
    world.sfu.send_dtls(id, &[22; 50], &mut out);
    world.sfu.established(world.now, id, &keys.0, keys.1, &mut out).unwrap();
    world.sfu.remove(id, &mut out);
    assert!(out.udp.is_empty());
    // The answer, the datagram of DTLS and a BYE.
    assert_eq!(out.tcp.iter().count(), 3);
    // By UDP, nobody is there.
    flow.transport = Transport::Udp;
    let mut hello = [22; 50];
    assert_eq!(world.sfu.receive(world.now, flow, &mut hello, &mut out), Received::UnknownAddress);
}

#[test]
fn one_who_says_goodbye_is_gone_if_nothing_more_comes() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 10, 25);
    let (p, v) = (world.id(publisher), world.id(viewer));
    let goodbye = |world: &mut World, client: usize| {
        let now = world.now;
        let own = world.client(client).own_ssrc;
        world.client(client).send_rtcp(now, |writer| {
            writer.receiver_report(own, &[]);
            writer.goodbye(&[own], b"");
        });
    };
    // A source may end while its peer stays.
    goodbye(&mut world, viewer);
    goodbye(&mut world, publisher);
    world.stream(publisher, 125, 25);
    assert_eq!(world.sfu.peers(), (2, 0));
    for (client, id, left) in [(viewer, v, 1), (publisher, p, 0)] {
        goodbye(&mut world, client);
        world.run(Duration::from_millis(5));
        world.client(client).is_silent = true;
        world.run(Duration::from_secs(5));
        assert_eq!(world.sfu.peers(), (left, 0));
        let is_told = |event: &Event| matches!(event, Event::Closed { peer, reason: CloseReason::Left, .. } if *peer == id);
        assert!(world.events.iter().any(is_told));
    }
}

#[test]
fn one_who_nominates_two_paths_stays_on_one() {
    let mut world = World::new();
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewer = world.watch(stream, &abilities, Conditions::default());
    world.stream(publisher, 10, 25);
    let first = world.client(viewer).flow();
    let second = moved(first, 5_555);
    let nominate = |world: &mut World, flow| {
        let client = world.client(viewer);
        let mut request = client.binding_request(client.password(), true);
        let now = world.now;
        assert_eq!(world.sfu.receive(now, flow, &mut request, &mut world.out), Received::Handled);
        world.flush();
    };
    // The newer one is what it wants; what it says of both from then on moves nothing.
    nominate(&mut world, second);
    world.client(viewer).address = second.destination.peer;
    for _ in 0..20 {
        nominate(&mut world, first);
        world.stream(publisher, 5, 25);
        nominate(&mut world, second);
        world.stream(publisher, 5, 25);
    }
    let got = world.client(viewer).got(MediaKind::Video);
    assert!(got.packets.len() > 600 && got.holes().is_empty());
    // It goes quiet: the other is there.
    world.client(viewer).is_silent = true;
    world.run(Duration::from_secs(3));
    nominate(&mut world, first);
    world.client(viewer).address = first.destination.peer;
    world.client(viewer).is_silent = false;
    let before = world.client(viewer).got(MediaKind::Video).packets.len();
    world.stream(publisher, 10, 25);
    assert!(world.client(viewer).got(MediaKind::Video).packets.len() >= before + 30);
}
