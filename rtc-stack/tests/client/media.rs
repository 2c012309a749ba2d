//! What is published is what is played.

use std::collections::BTreeMap;
use std::time::Duration;

use rtc_stack::client::{Event, Offering, Player, Publisher, SendError};
use rtc_stack::sfu::Role;
use rtc_stack::{Codec, CodecParameters, MediaKind};

use super::server::{Server, client_options};

const VIDEO: u8 = 0;
const AUDIO: u8 = 1;
/// Bytes of payloads that stand before and behind those that count.
const FILLER: usize = 8;

fn tracks() -> [CodecParameters; 2] {
    let h264 = "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1";
    [CodecParameters::new(Codec::H264).with_fmtp(h264), CodecParameters::new(Codec::Opus)]
}

async fn publisher(server: &Server, turned: bool) -> Publisher {
    let offering = Offering::publish(&tracks(), client_options()).await.unwrap();
    let answer = server.answer(offering.sdp(), Role::Publisher, turned);
    let mut publisher = offering.into_publisher(&answer).await.unwrap();
    while !matches!(publisher.next().await.unwrap(), Event::Connected) {}
    publisher
}

async fn player(server: &Server, turned: bool) -> Player {
    let offering = Offering::play(&tracks(), client_options()).await.unwrap();
    let answer = server.answer(offering.sdp(), Role::Viewer, turned);
    let mut player = offering.into_player(&answer).await.unwrap();
    while !matches!(player.next().await.unwrap(), Event::Connected) {}
    player
}

/// What a player has got, by tracks of its own numbering.
#[derive(Default)]
struct Got {
    kinds: BTreeMap<u8, MediaKind>,
    payloads: BTreeMap<(u8, u64), Vec<u8>>,
}

impl Got {
    fn take(&mut self, event: Event) {
        match event {
            Event::Track { track, description } => {
                self.kinds.insert(track, description.kind().unwrap());
            }
            Event::Packet { track, packet } => {
                let before =
                    self.payloads.insert((track, packet.sequence), packet.payload().to_vec());
                assert_eq!(before, None, "the same packet came twice");
            }
            Event::Ended { reason } => panic!("{reason:?}"),
            _ => {}
        }
    }

    /// The payloads of a kind that are no filler, in the order of their numbers.
    fn of(&self, kind: MediaKind) -> Vec<Vec<u8>> {
        let counts = |((track, _), payload): &(&(u8, u64), &Vec<u8>)| {
            self.kinds.get(track) == Some(&kind) && payload.len() != FILLER
        };
        self.payloads.iter().filter(counts).map(|(_, payload)| payload.clone()).collect()
    }

    fn has(&self, kind: MediaKind) -> bool {
        self.payloads.keys().any(|(track, _)| self.kinds.get(track) == Some(&kind))
    }
}

/// A packet that begins a keyframe, of which nothing else is looked at: an FU-A of an IDR slice (RFC 6184, 5.8).
const KEYFRAME: [u8; FILLER] = [0x7c, 0x85, 0x88, 0, 0, 0, 0, 0];

/// 40 ms of a stream: the time stamp, and the packets.
struct Clock(u32);

impl Clock {
    fn filler(&mut self, publisher: &mut Publisher) {
        publisher.write(VIDEO, self.0 * 3_600, true, &KEYFRAME).unwrap();
        publisher.write(AUDIO, self.0 * 1_920, false, &[0xfc; FILLER]).unwrap();
        self.0 += 1;
    }

    fn frame(
        &mut self,
        publisher: &mut Publisher,
        rng: &mut fastrand::Rng,
        sent: &mut [Vec<Vec<u8>>; 2],
    ) {
        for packet in 0..5 {
            let mut payload = vec![0x7c, 0x01, 0x9a];
            let length = rng.usize(100..1_150);
            payload.extend(std::iter::repeat_with(|| rng.u8(..)).take(length));
            publisher.write(VIDEO, self.0 * 3_600, packet == 4, &payload).unwrap();
            sent[0].push(payload);
        }
        for half in 0..2 {
            let payload: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(90).collect();
            publisher.write(AUDIO, self.0 * 1_920 + half * 960, false, &payload).unwrap();
            sent[1].push(payload);
        }
        self.0 += 1;
    }
}

async fn pause(player: &mut Player, got: &mut Got, publisher: &mut Publisher) {
    let mut pause = std::pin::pin!(tokio::time::sleep(Duration::from_millis(40)));
    loop {
        tokio::select! {
            event = player.next() => got.take(event.unwrap()),
            event = publisher.next() => assert!(!matches!(event.unwrap(), Event::Ended { .. })),
            () = &mut pause => return,
        }
    }
}

async fn streams_survive_loss(turned: bool, frames: usize) {
    let server = Server::start();
    let mut publisher = publisher(&server, turned).await;
    let mut player = player(&server, turned).await;
    let (mut clock, mut got, mut rng) = (Clock(0), Got::default(), fastrand::Rng::with_seed(11));
    while !got.has(MediaKind::Video) || !got.has(MediaKind::Audio) {
        clock.filler(&mut publisher);
        pause(&mut player, &mut got, &mut publisher).await;
    }
    server.set_loss(0.03);
    let mut sent = [Vec::new(), Vec::new()];
    for _ in 0..frames {
        clock.frame(&mut publisher, &mut rng, &mut sent);
        pause(&mut player, &mut got, &mut publisher).await;
    }
    // That the last ones are missing shows by those behind them.
    let is_whole = |got: &Got| {
        got.of(MediaKind::Video).len() == sent[0].len()
            && got.of(MediaKind::Audio).len() == sent[1].len()
    };
    for _ in 0..100 {
        if !is_whole(&got) {
            clock.filler(&mut publisher);
            pause(&mut player, &mut got, &mut publisher).await;
        }
    }
    assert!(server.lost() > 0);
    // What differs has no place in a message: it is random.
    assert!(
        got.of(MediaKind::Video) == sent[0],
        "{} of {}",
        got.of(MediaKind::Video).len(),
        sent[0].len()
    );
    assert!(
        got.of(MediaKind::Audio) == sent[1],
        "{} of {}",
        got.of(MediaKind::Audio).len(),
        sent[1].len()
    );

    let received = player.statistics().await.unwrap();
    let video = received.media.tracks.iter().find(|track| track.kind == MediaKind::Video).unwrap();
    assert!(video.nacks > 0 && video.retransmitted > 0, "{video:?}");
    assert_eq!(received.dropped, 0);
    // What was asked for twice may come twice, and is refused the second time.
    assert!(received.media.refused.total() <= video.retransmitted, "{received:?}");
    let published = publisher.statistics().await.unwrap();
    // A report has come back by then.
    assert!(published.media.rtt.is_some() || frames < 50);
    let video = published.media.tracks.iter().find(|track| track.kind == MediaKind::Video).unwrap();
    assert!(video.retransmitted > 0 && video.packets as usize >= sent[0].len(), "{video:?}");
    player.close().await;
    publisher.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_comes_again_bit_by_bit() {
    streams_survive_loss(false, 75).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_begins_the_handshake_is_answered() {
    streams_survive_loss(true, 15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_for_a_keyframe_reaches_the_publisher() {
    let server = Server::start();
    let mut publisher = publisher(&server, false).await;
    let mut player = player(&server, false).await;
    let (mut clock, mut got) = (Clock(0), Got::default());
    while !got.has(MediaKind::Video) {
        clock.filler(&mut publisher);
        pause(&mut player, &mut got, &mut publisher).await;
    }
    let video = *got.kinds.iter().find(|(_, kind)| **kind == MediaKind::Video).unwrap().0;
    player.request_keyframe(video).await;
    loop {
        // What asks is throttled, and the wish of the joining viewer may stand before it.
        match publisher.next().await.unwrap() {
            Event::KeyframeRequested { track } => break assert_eq!(track, VIDEO),
            other => assert!(!matches!(other, Event::Ended { .. }), "{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_takes_no_more_than_its_limits() {
    let server = Server::start();
    let mut publisher = publisher(&server, false).await;
    assert_eq!(publisher.write(2, 0, true, &KEYFRAME), Err(SendError::UnknownTrack(2)));
    assert_eq!(publisher.write(VIDEO, 0, true, &[]), Err(SendError::Payload(0)));
    // Nobody runs between these on this thread, but others run the client.
    let is_full =
        |_| publisher.write(VIDEO, 0, true, &KEYFRAME) == Err(SendError::Full { limit: 256 });
    assert!((0..10_000_000).any(is_full));
}
