//! The project's own WHIP and WHEP clients, which ask for what is missing and send again what is.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtc_stack::{
    Codec, CodecParameters, Limits, MediaKind,
    client::{ClientOptions, ClientStatistics, Event, Offering, Player, Publisher, SendError},
    payload::{AccessUnit, DEFAULT_PAYLOAD, Depacketizer, Packetizer, ReorderBuffer},
    rtp::RtpPacket,
};
use tokio::runtime::Runtime;

const CONNECT: Duration = Duration::from_secs(20);

/// The parameters of a codec as browsers offer it.
fn offered(codec: Codec) -> CodecParameters {
    let parameters = CodecParameters::new(codec);
    match codec {
        Codec::H264 => parameters
            .with_fmtp("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
        _ => parameters,
    }
}

/// Answers an offer by HTTP.
fn post(api: u16, what: &str, stream: &str, offer: &str) -> String {
    let url = format!("http://127.0.0.1:{api}/rtc/v1/{what}/?app=live&stream={stream}");
    let mut reply = ureq::post(url).header("Content-Type", "application/sdp").send(offer).unwrap();
    assert_eq!(reply.status(), 201);
    reply.body_mut().read_to_string().unwrap()
}

fn options() -> ClientOptions {
    let mut options = ClientOptions::default();
    options.with_loopback = true;
    options.connect_timeout = CONNECT;
    // A test looks at what has come when it likes.
    options.events = 1 << 16;
    options
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A publisher of one track of pictures and one of sound, in this order.
pub(crate) struct WhipClient {
    runtime: Runtime,
    publisher: Option<Publisher>,
    packetizers: [Packetizer; 2],
    /// Keyframes that it was asked for.
    pub(crate) keyframes_wanted: usize,
}

impl WhipClient {
    /// Publishes by WHIP, and is connected when this returns.
    pub(crate) fn publish(api: u16, stream: &str, video: Codec) -> Self {
        let runtime = runtime();
        let codecs = [video, Codec::Opus];
        let publisher = runtime.block_on(async {
            let tracks = codecs.map(offered);
            let offering = Offering::publish(&tracks, options()).await.unwrap();
            let answer = post(api, "whip", stream, offering.sdp());
            let mut publisher = offering.into_publisher(&answer).await.unwrap();
            while !matches!(publisher.next().await.unwrap(), Event::Connected) {}
            publisher
        });
        let packetizers = codecs.map(|codec| Packetizer::new(codec, DEFAULT_PAYLOAD).unwrap());
        Self { runtime, publisher: Some(publisher), packetizers, keyframes_wanted: 0 }
    }

    /// Sends an access unit of a kind, at a time in units of its clock.
    pub(crate) fn send(
        &mut self,
        kind: MediaKind,
        timestamp: u32,
        units: impl IntoIterator<Item = Bytes>,
    ) {
        let track = u8::from(kind == MediaKind::Audio);
        let mut payloads = Vec::new();
        self.packetizers[usize::from(track)].packetize(units, &mut payloads).unwrap();
        for payload in payloads {
            let (bytes, marker) = (payload.to_bytes(), payload.marker());
            loop {
                let publisher = self.publisher.as_mut().unwrap();
                match publisher.write(track, timestamp, marker, &bytes) {
                    Ok(()) => break,
                    Err(SendError::Full { .. }) => self.poll(Duration::from_millis(1)),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    /// Goes on for so long.
    pub(crate) fn poll(&mut self, time: Duration) {
        let publisher = self.publisher.as_mut().unwrap();
        let wanted = &mut self.keyframes_wanted;
        self.runtime.block_on(async {
            let end = tokio::time::Instant::now() + time;
            while let Ok(event) = tokio::time::timeout_at(end, publisher.next()).await {
                match event.unwrap() {
                    Event::KeyframeRequested { .. } => *wanted += 1,
                    Event::Ended { reason } => panic!("{reason:?}"),
                    _ => {}
                }
            }
        });
    }

    pub(crate) fn statistics(&self) -> ClientStatistics {
        self.runtime.block_on(self.publisher.as_ref().unwrap().statistics()).unwrap()
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            self.runtime.block_on(publisher.close());
        }
    }
}

/// A player, and what it has got.
pub(crate) struct WhepClient {
    runtime: Runtime,
    player: Player,
    codecs: HashMap<u8, Codec>,
    packets: Vec<(Codec, RtpPacket)>,
}

impl WhepClient {
    /// Plays by WHEP what there is of these codecs, and is connected when this returns.
    pub(crate) fn play(api: u16, stream: &str, codecs: &[Codec]) -> Self {
        let runtime = runtime();
        let player = runtime.block_on(async {
            let codecs: Vec<_> = codecs.iter().copied().map(offered).collect();
            let offering = Offering::play(&codecs, options()).await.unwrap();
            let answer = post(api, "whep", stream, offering.sdp());
            let mut player = offering.into_player(&answer).await.unwrap();
            while !matches!(player.next().await.unwrap(), Event::Connected) {}
            player
        });
        Self { runtime, player, codecs: HashMap::new(), packets: Vec::new() }
    }

    /// Goes on for so long.
    pub(crate) fn poll(&mut self, time: Duration) {
        let Self { runtime, player, codecs, packets } = self;
        runtime.block_on(async {
            let end = tokio::time::Instant::now() + time;
            while let Ok(event) = tokio::time::timeout_at(end, player.next()).await {
                match event.unwrap() {
                    Event::Track { track, description } => {
                        codecs.insert(track, description.parameters.codec);
                    }
                    Event::Packet { track, packet } => packets.push((codecs[&track], packet)),
                    Event::Ended { reason } => panic!("{reason:?}"),
                    _ => {}
                }
            }
        });
    }

    /// Goes on until so many access units of a codec are there.
    #[track_caller]
    pub(crate) fn until(&mut self, codec: Codec, count: usize) -> Vec<AccessUnit> {
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let units = self.units(codec);
            if units.len() >= count {
                return units;
            }
            assert!(Instant::now() < deadline, "{} of {count} of {codec}", units.len());
            self.poll(Duration::from_millis(100));
        }
    }

    /// The packets of a codec, in the order of their numbers.
    pub(crate) fn packets(&self, codec: Codec) -> Vec<&RtpPacket> {
        let of = self.packets.iter().filter(|(of, _)| *of == codec);
        let mut packets: Vec<_> = of.map(|(_, packet)| packet).collect();
        packets.sort_by_key(|packet| packet.sequence);
        packets
    }

    /// The access units of a codec.
    pub(crate) fn units(&self, codec: Codec) -> Vec<AccessUnit> {
        let mut reorder = ReorderBuffer::new(&Limits::default());
        let mut depacketizer = Depacketizer::new(codec, &Limits::default()).unwrap();
        let mut units = Vec::new();
        for (_, packet) in self.packets.iter().filter(|(of, _)| *of == codec) {
            reorder.receive(packet.clone());
            while let Some(packet) = reorder.poll(packet.arrival) {
                depacketizer.receive(&packet, &mut units);
            }
        }
        units
    }
}
