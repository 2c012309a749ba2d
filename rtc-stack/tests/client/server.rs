//! One shard with one stream, one socket and DTLS: what a server is at the least.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::time::Duration;

use rtc_stack::Limits;
use rtc_stack::arena::{Destination, SendArena};
use rtc_stack::client::ClientOptions;
use rtc_stack::dtls::{Association, Dtls, Handshake, HandshakeEvent, Reaction};
use rtc_stack::sdp::{AnswerOptions, HostCandidate, Offer};
use rtc_stack::session::{Flow, Outgoing, Transport};
use rtc_stack::sfu::{Event, PeerConfig, PeerId, Role, Sfu, SfuConfig, StreamId, TrackPacket};
use rtc_stack::srtp::SessionKeys;
use rtc_stack::stun::{Credentials, Kind, classify};
use rtc_stack::transport::dtls::{Certificate, DtlsEndpoint, DtlsOptions};
use rtc_stack::transport::udp::{UdpOptions, UdpSocket};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How a client of the tests behaves.
pub(crate) fn client_options() -> ClientOptions {
    let mut options = ClientOptions::default();
    options.with_loopback = true;
    options
}

pub(crate) struct Server {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    address: SocketAddr,
}

struct Shared {
    state: Mutex<State>,
    woken: Notify,
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.woken.notify_one();
    }
}

struct State {
    sfu: Sfu,
    dtls: DtlsEndpoint,
    stream: StreamId,
    publisher: Option<PeerId>,
    securities: HashMap<PeerId, Security>,
    out: Outgoing,
    rng: fastrand::Rng,
    /// The share of media datagrams that get lost, either way.
    loss: f32,
    lost: u64,
    goodbyes: usize,
}

enum Security {
    Shaking(Box<dyn Handshake>),
    Done(Box<dyn Association>),
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        let localhost = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = UdpSocket::bind(localhost, &UdpOptions::default()).unwrap();
        let address = socket.local_addr();
        let runtime = tokio::runtime::Handle::current();
        let certificate = Certificate::generate().unwrap();
        let config = SfuConfig::new(Instant::now().into_std(), Duration::from_secs(1_700_000_000));
        let mut sfu = Sfu::new(config, Limits::default(), 7);
        let stream = sfu.open_stream(&[]).unwrap();
        let state = State {
            sfu,
            dtls: DtlsEndpoint::new(certificate, DtlsOptions::default(), runtime),
            stream,
            publisher: None,
            securities: HashMap::new(),
            out: Outgoing::default(),
            rng: fastrand::Rng::with_seed(3),
            loss: 0.0,
            lost: 0,
            goodbyes: 0,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), woken: Notify::new() });
        let task = tokio::spawn(serve(socket, Arc::clone(&shared)));
        Self { shared, task, address }
    }

    /// Answers an offer. `turned` lets us begin the handshake.
    pub(crate) fn answer(&self, offer: &str, role: Role, turned: bool) -> String {
        let mut state = self.shared.state.lock().unwrap();
        let entropy = std::array::from_fn(|_| fastrand::u8(..));
        let ice = Credentials::from_entropy("", &entropy).unwrap();
        let address = vec![HostCandidate::udp(self.address)];
        let fingerprint = state.dtls.fingerprint().clone();
        let options = AnswerOptions::new(ice.clone(), fingerprint, address, fastrand::u64(..));
        let offer = Offer::parse(offer).unwrap();
        let mut negotiated = match role {
            Role::Publisher => offer.answer_publish(&options).unwrap(),
            Role::Viewer => offer.answer_play(None, &options).unwrap(),
        };
        if turned {
            negotiated.sdp = negotiated.sdp.replace("a=setup:passive", "a=setup:active");
            negotiated.role = rtc_stack::dtls::Role::Client;
        }
        let now = Instant::now().into_std();
        let peer = state.sfu.insert(now, PeerConfig::new(role, ice, &negotiated)).unwrap();
        let State { sfu, stream, out, .. } = &mut *state;
        match role {
            Role::Publisher => state.publisher = Some(peer),
            Role::Viewer => sfu.attach(now, peer, *stream, &[], out).unwrap(),
        }
        let waker = Arc::clone(&self.shared).into();
        let fingerprints = negotiated.remote_fingerprints.clone();
        let handshake = state.dtls.start(negotiated.role, fingerprints, waker).unwrap();
        state.securities.insert(peer, Security::Shaking(handshake));
        negotiated.sdp
    }

    /// Loses this share of media datagrams from now on.
    pub(crate) fn set_loss(&self, loss: f32) {
        self.shared.state.lock().unwrap().loss = loss;
    }

    /// Datagrams lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.state.lock().unwrap().lost
    }

    /// How many peers have closed their DTLS associations.
    pub(crate) fn goodbyes(&self) -> usize {
        self.shared.state.lock().unwrap().goodbyes
    }

    /// Says goodbye to all peers.
    pub(crate) fn close_peers(&self) {
        let mut state = self.shared.state.lock().unwrap();
        let State { sfu, securities, out, .. } = &mut *state;
        for (peer, security) in securities.drain() {
            if let Security::Done(mut association) = security {
                sfu.send_dtls(peer, &association.close(), out);
            }
            sfu.remove(peer, out);
        }
        self.shared.woken.notify_one();
    }
}

async fn serve(mut socket: UdpSocket, shared: Arc<Shared>) {
    let mut arrived: Vec<(Destination, Vec<u8>)> = Vec::new();
    loop {
        tokio::select! {
            received = socket.receive(|from, datagram| arrived.push((from, datagram.to_vec()))) => {
                received.unwrap();
            }
            () = shared.woken.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
        let mut state = shared.state.lock().unwrap();
        for (destination, mut datagram) in arrived.drain(..) {
            state.receive(destination, &mut datagram);
        }
        state.turn();
        let sent = state.take();
        drop(state);
        socket.send(&sent);
    }
}

impl State {
    fn is_lost(&mut self, datagram: &[u8]) -> bool {
        let is_media = matches!(classify(datagram), Kind::Rtp | Kind::Rtcp);
        let is_lost = is_media && self.rng.f32() < self.loss;
        self.lost += u64::from(is_lost);
        is_lost
    }

    fn receive(&mut self, destination: Destination, datagram: &mut [u8]) {
        if !self.is_lost(datagram) {
            let flow = Flow { destination, transport: Transport::Udp };
            self.sfu.receive(Instant::now().into_std(), flow, datagram, &mut self.out);
        }
    }

    fn turn(&mut self) {
        let now = Instant::now().into_std();
        self.shake();
        self.sfu.handle_timeout(now, &mut self.out);
        while let Some(event) = self.sfu.poll_event() {
            match event {
                Event::Dtls { peer, datagram } => self.receive_dtls(peer, datagram),
                Event::Track { peer, .. } => {
                    let tracks = self.sfu.tracks(peer);
                    self.sfu.set_tracks(now, self.stream, &tracks).unwrap();
                }
                Event::Packet { track, packet, .. } => {
                    let packets = [TrackPacket { track, packet }];
                    self.sfu.forward(now, self.stream, &packets, &mut self.out);
                }
                Event::SenderClock { track, clock, .. } => {
                    self.sfu.sender_clock(self.stream, track, &clock);
                }
                Event::KeyframeWanted { track, .. } => {
                    if let Some(publisher) = self.publisher {
                        let _ = self.sfu.request_keyframe(publisher, track);
                    }
                }
                _ => {}
            }
        }
    }

    fn shake(&mut self) {
        let now = Instant::now().into_std();
        for (peer, security) in &mut self.securities {
            while let Security::Shaking(handshake) = security {
                match handshake.poll() {
                    None => break,
                    Some(HandshakeEvent::Transmit(datagram)) => {
                        self.sfu.send_dtls(*peer, &datagram, &mut self.out);
                    }
                    Some(HandshakeEvent::Established(done)) => {
                        let is_client = done.role == rtc_stack::dtls::Role::Client;
                        let material = &done.keying_material.0;
                        let keys =
                            SessionKeys::from_exporter(done.srtp_profile, material, is_client);
                        let (ours, theirs) = keys.unwrap();
                        self.sfu.established(now, *peer, &ours, theirs, &mut self.out).unwrap();
                        *security = Security::Done(done.association);
                    }
                    // Its client is told, and looked at.
                    Some(HandshakeEvent::Failed(_)) => break,
                }
            }
        }
    }

    fn receive_dtls(&mut self, peer: PeerId, datagram: bytes::Bytes) {
        match self.securities.get_mut(&peer) {
            Some(Security::Shaking(handshake)) => handshake.receive(datagram),
            Some(Security::Done(association)) => match association.receive(&datagram) {
                Reaction::Retransmit(flight) => {
                    for datagram in flight {
                        self.sfu.send_dtls(peer, &datagram, &mut self.out);
                    }
                }
                Reaction::Closed => {
                    self.goodbyes += 1;
                    self.securities.remove(&peer);
                    self.sfu.remove(peer, &mut self.out);
                }
                _ => {}
            },
            None => {}
        }
    }

    fn take(&mut self) -> SendArena {
        let out = std::mem::take(&mut self.out);
        let mut kept = SendArena::default();
        for (destination, datagram) in out.udp.iter() {
            if !self.is_lost(datagram) {
                kept.push(destination, datagram);
            }
        }
        kept
    }
}
