use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc_stack::session::Outgoing;
use rtc_stack::sfu::{Event, PeerConfig, PeerId, Role, Sfu, SfuConfig, StreamId, TrackPacket};
use rtc_stack::srtp::SessionKeys;
use rtc_stack::stun::Credentials;
use rtc_stack::{Limits, MediaKind, PayloadType};

use super::client::{Client, PROFILE};
use super::link::Conditions;
use super::media::{audio_frame, video_frame};
use super::offers::{Abilities, agree};

pub const FRAME: Duration = Duration::from_millis(40);

/// One shard, its clients, and a server that joins publishers and streams.
pub struct World {
    pub now: Instant,
    pub start: Instant,
    pub sfu: Sfu,
    pub out: Outgoing,
    pub rng: fastrand::Rng,
    pub clients: Vec<(PeerId, Client)>,
    /// What the server joins.
    pub published: Vec<(PeerId, StreamId)>,
    /// All events but packets.
    pub events: Vec<Event>,
    /// Packets of publishers, as the server has them.
    pub packets: Vec<(PeerId, TrackPacket)>,
    pub keeps_packets: bool,
    /// What publishers that are signalled from now on send in vain.
    pub dropped_payload_type: Option<PayloadType>,
    pub datagrams_sent: u64,
    next_port: u16,
    seed: u64,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_, _| {})
    }

    pub fn with(change: impl FnOnce(&mut SfuConfig, &mut Limits)) -> Self {
        #[allow(clippy::disallowed_methods)] // virtual time has to begin somewhere
        let now = Instant::now();
        let mut config = SfuConfig::new(now, Duration::from_secs(1_800_000_000));
        let mut limits = Limits::default();
        change(&mut config, &mut limits);
        Self {
            now,
            start: now,
            sfu: Sfu::new(config, limits, 42),
            out: Outgoing::default(),
            rng: fastrand::Rng::with_seed(7),
            clients: Vec::new(),
            published: Vec::new(),
            events: Vec::new(),
            packets: Vec::new(),
            keeps_packets: false,
            dropped_payload_type: None,
            datagrams_sent: 0,
            next_port: 10_000,
            seed: 1_000,
        }
    }

    /// Signals a peer, without any sign of it on the network.
    pub fn signal(
        &mut self,
        role: Role,
        abilities: &Abilities,
        conditions: Conditions,
    ) -> Signalled {
        self.seed += 10;
        let seed = self.seed;
        let local = (format!("local{seed}"), format!("localpassword{seed:024}"));
        let remote = (format!("remote{seed}"), format!("remotepassword{seed:024}"));
        let (local, remote) = ((&*local.0, &*local.1), (&*remote.0, &*remote.1));
        let negotiated = agree(abilities, role == Role::Publisher, local, remote, seed);
        let credentials = Credentials::new(local.0, local.1).unwrap();
        let mut config = PeerConfig::new(role, credentials, &negotiated);
        config.dropped_payload_type = self.dropped_payload_type;
        let id = self.sfu.insert(self.now, config).unwrap();
        let material: Vec<u8> = (0..PROFILE.keying_material_len())
            .map(|index| (index as u8).wrapping_mul(31) ^ (seed as u8))
            .collect();
        let (ours, theirs) = SessionKeys::from_exporter(PROFILE, &material, false).unwrap();
        let client_keys = SessionKeys::from_exporter(PROFILE, &material, true).unwrap();
        let address = SocketAddr::from(([198, 51, 100, 7], self.next_port));
        self.next_port += 1;
        let client = Client::new(
            self.now,
            address,
            negotiated,
            local,
            remote.0,
            (&client_keys.0, client_keys.1),
            conditions,
            seed,
        );
        Signalled { id, client, keys: (ours, theirs) }
    }

    /// Connects a peer: it checks, and has its keys.
    pub fn connect(&mut self, role: Role, abilities: &Abilities, conditions: Conditions) -> usize {
        let Signalled { id, mut client, keys } = self.signal(role, abilities, conditions);
        let (up, down) = (client.up.conditions, client.down.conditions);
        client.up.conditions = Conditions::default();
        client.check(self.now, true);
        client.up.conditions = up;
        client.down.conditions = down;
        self.clients.push((id, client));
        self.run(Duration::from_millis(5));
        self.sfu.established(self.now, id, &keys.0, keys.1, &mut self.out).unwrap();
        self.flush();
        self.clients.len() - 1
    }

    pub fn id(&self, client: usize) -> PeerId {
        self.clients[client].0
    }

    pub fn client(&mut self, client: usize) -> &mut Client {
        &mut self.clients[client].1
    }

    /// A publisher of these, with its sources, and a stream that it feeds.
    pub fn publish(&mut self, abilities: &Abilities, conditions: Conditions) -> (usize, StreamId) {
        let stream = self.sfu.open_stream(&[]).unwrap();
        (self.publish_to(stream, abilities, conditions), stream)
    }

    pub fn publish_to(
        &mut self,
        stream: StreamId,
        abilities: &Abilities,
        conditions: Conditions,
    ) -> usize {
        let client = self.connect(Role::Publisher, abilities, conditions);
        let id = self.id(client);
        self.sfu.restart(self.now, stream).unwrap();
        self.published.retain(|(_, published)| *published != stream);
        self.published.push((id, stream));
        let publisher = self.client(client);
        if let Some(codec) = abilities.audio.first() {
            publisher.start(MediaKind::Audio, *codec, None, 0);
        }
        if let Some(codec) = abilities.video.first() {
            if abilities.layers.is_empty() {
                publisher.start(MediaKind::Video, *codec, None, 0);
            }
            for (index, layer) in abilities.layers.iter().enumerate() {
                publisher.start(MediaKind::Video, *codec, Some(layer), 0x5000 + index as u32);
            }
        }
        client
    }

    pub fn watch(
        &mut self,
        stream: StreamId,
        abilities: &Abilities,
        conditions: Conditions,
    ) -> usize {
        let client = self.connect(Role::Viewer, abilities, conditions);
        let id = self.id(client);
        self.sfu.attach(self.now, id, stream, &[], &mut self.out).unwrap();
        self.flush();
        client
    }

    /// Sends a frame of each of a publisher's sources: 40 ms. Keyframes where they are wanted, and every `gop` frames.
    pub fn send_frame(&mut self, publisher: usize, frame: u64, gop: u64) {
        let now = self.now;
        let rng = &mut self.rng;
        let client = &mut self.clients[publisher].1;
        if frame.is_multiple_of(25) {
            client.send_sender_reports(now);
        }
        for source in 0..client.sending.len() {
            let sending = &mut client.sending[source];
            let section = &client.negotiated.sections[sending.section];
            let codec = section.codec(sending.payload_type).unwrap().parameters.codec;
            if codec.kind() == Some(MediaKind::Audio) {
                for _ in 0..2 {
                    let (payload, marker) = audio_frame(rng);
                    client.send(now, source, &payload, marker);
                    client.sending[source].timestamp =
                        client.sending[source].timestamp.wrapping_add(960);
                }
                continue;
            }
            let is_keyframe = frame.is_multiple_of(gop) || sending.keyframes_wanted > 0;
            sending.keyframes_wanted = 0;
            let layer = sending.layer.map_or(0, |layer| layer.len());
            let packets = if is_keyframe { 8 } else { 3 } + layer;
            let bytes =
                sending.frame_bytes.map(|bytes| if is_keyframe { 4 * bytes } else { bytes });
            let (packets, size) = match bytes {
                Some(bytes) => (bytes.div_ceil(1_100), bytes / bytes.div_ceil(1_100)),
                None => (packets, 900),
            };
            for (payload, marker) in video_frame(rng, codec, is_keyframe, packets, size) {
                client.send(now, source, &payload, marker);
            }
            let sending = &mut client.sending[source];
            sending.timestamp = sending.timestamp.wrapping_add(3_600);
        }
    }

    /// Streams so many frames of a publisher. Viewers report once a second.
    pub fn stream(&mut self, publisher: usize, frames: u64, gop: u64) {
        for frame in 0..frames {
            self.send_frame(publisher, frame, gop);
            self.run(FRAME);
            if frame % 25 == 24 {
                let now = self.now;
                for (_, client) in &mut self.clients {
                    if !client.is_silent && !client.incoming.is_empty() {
                        client.send_receiver_reports(now);
                    }
                }
            }
        }
    }

    /// Lets a client report what it received.
    pub fn report(&mut self, client: usize) {
        let now = self.now;
        self.client(client).send_receiver_reports(now);
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let mut next = end;
            for (_, client) in &self.clients {
                for at in [client.up.next(), client.down.next(), Some(client.next())] {
                    next = next.min(at.unwrap_or(end));
                }
            }
            next = next.min(self.sfu.poll_timeout().unwrap_or(end));
            self.now = self.now.max(next);
            self.step();
            if self.now >= end {
                return;
            }
        }
    }

    fn step(&mut self) {
        let now = self.now;
        for index in 0..self.clients.len() {
            self.clients[index].1.handle_timeout(now);
            while let Some(mut datagram) = self.clients[index].1.up.receive(now) {
                let flow = self.clients[index].1.flow();
                self.sfu.receive(now, flow, &mut datagram, &mut self.out);
                self.serve();
            }
            while let Some(datagram) = self.clients[index].1.down.receive(now) {
                self.clients[index].1.receive(now, datagram);
            }
        }
        self.sfu.handle_timeout(now, &mut self.out);
        self.serve();
    }

    /// What the server does with events, and what leaves.
    pub fn serve(&mut self) {
        let now = self.now;
        while let Some(event) = self.sfu.poll_event() {
            match &event {
                Event::Packet { peer, track, packet } => {
                    let packet = TrackPacket { track: *track, packet: packet.clone() };
                    if let Some(stream) = self.stream_of(*peer) {
                        let packets = std::slice::from_ref(&packet);
                        self.sfu.forward(now, stream, packets, &mut self.out);
                    }
                    if self.keeps_packets {
                        self.packets.push((*peer, packet));
                    }
                    continue;
                }
                Event::Track { peer, .. } => self.learn(*peer),
                Event::SenderClock { peer, track, clock } => {
                    if let Some(stream) = self.stream_of(*peer) {
                        self.sfu.sender_clock(stream, *track, clock);
                    }
                }
                Event::KeyframeWanted { stream, track } => {
                    let publisher = self.published.iter().find(|(_, s)| s == stream);
                    if let Some((publisher, _)) = publisher {
                        let _ = self.sfu.request_keyframe(*publisher, *track);
                    }
                }
                _ => {}
            }
            self.events.push(event);
        }
        self.flush();
    }

    fn learn(&mut self, peer: PeerId) {
        let tracks = self.sfu.tracks(peer);
        if let Some(stream) = self.stream_of(peer) {
            self.sfu.set_tracks(self.now, stream, &tracks).unwrap();
        }
    }

    fn stream_of(&self, peer: PeerId) -> Option<StreamId> {
        self.published.iter().find(|(known, _)| *known == peer).map(|(_, stream)| *stream)
    }

    pub fn flush(&mut self) {
        let now = self.now;
        for (destination, datagram) in self.out.udp.iter() {
            self.datagrams_sent += 1;
            let client = self.clients.iter_mut().find(|(_, c)| c.address == destination.peer);
            if let Some((_, client)) = client {
                client.down.send(now, datagram);
            }
        }
        self.out.clear();
    }
}

/// A client that is signalled only.
pub struct Signalled {
    pub id: PeerId,
    pub client: Client,
    pub keys: (SessionKeys, SessionKeys),
}
