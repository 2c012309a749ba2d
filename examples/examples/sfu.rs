//! A WebRTC server that embeds `rtc-stack` alone: publishers by WHIP, players by WHEP.
//!
//! It shows the least that a server adds to the shard: an HTTP request makes a peer, a socket and
//! a clock drive it, handshakes give it keys.
//!
//! ```text
//! cargo run -p examples --example sfu -- 127.0.0.1:8000
//! ffmpeg -re -i clip.mp4 -c:v libx264 -bf 0 -c:a libopus -f whip http://127.0.0.1:8000/whip/live
//! ```
//!
//! A browser or `load rtc-play` plays it from `http://127.0.0.1:8000/whep/live`. The port is that
//! of the UDP socket too. Kept out for brevity is what `srs-server` does on top: a shard per core,
//! ICE-TCP, `DELETE` and `PATCH`, streams that end, limits on HTTP.

use std::{
    collections::HashMap,
    error::Error,
    net::SocketAddr,
    sync::Arc,
    task::Wake,
    time::{Duration, Instant, UNIX_EPOCH},
};

use rtc_stack::{
    Limits,
    arena::Destination,
    dtls::{Association, Dtls, Handshake, HandshakeEvent, Reaction, Role as DtlsRole},
    sdp::{AnswerOptions, HostCandidate, Offer},
    session::{Flow, Outgoing, Transport},
    sfu::{Event, PeerConfig, PeerId, Role, Sfu, SfuConfig, StreamId, TrackPacket},
    srtp::SessionKeys,
    stun::Credentials,
    transport::{
        dtls::{Certificate, DtlsEndpoint, DtlsOptions},
        udp::{UdpOptions, UdpSocket},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::{Notify, mpsc, oneshot},
    time::{sleep_until, timeout},
};

/// Bytes of the longest offer.
const MAX_OFFER: usize = 64 * 1024;
/// How long a client may take for its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

type AnyError = Box<dyn Error + Send + Sync>;

/// An HTTP request that waits for its answer.
struct Request {
    path: String,
    offer: String,
    answer: oneshot::Sender<Result<String, AnyError>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let listener = TcpListener::bind(&address).await.map_err(|e| format!("{address}: {e}"))?;
    let socket = UdpSocket::bind(listener.local_addr()?, &UdpOptions::default())?;
    println!("listening on {}", listener.local_addr()?);
    let (requests, asked) = mpsc::channel(64);
    tokio::spawn(listen(listener, requests));
    Server::new(socket.local_addr())?.run(socket, asked).await
}

/// What keys a peer has, or will have.
enum Security {
    Shaking(Box<dyn Handshake>),
    Done(Box<dyn Association>),
}

struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

struct Server {
    address: SocketAddr,
    sfu: Sfu,
    dtls: DtlsEndpoint,
    woken: Arc<Woken>,
    streams: HashMap<String, StreamId>,
    publishers: HashMap<PeerId, StreamId>,
    securities: HashMap<PeerId, Security>,
    out: Outgoing,
}

impl Server {
    fn new(address: SocketAddr) -> Result<Self, AnyError> {
        let (certificate, options) = (Certificate::generate()?, DtlsOptions::default());
        let config = SfuConfig::new(Instant::now(), UNIX_EPOCH.elapsed()?);
        Ok(Self {
            address,
            sfu: Sfu::new(config, Limits::default(), fastrand::u64(..)),
            dtls: DtlsEndpoint::new(certificate, options, Handle::current()),
            woken: Arc::new(Woken(Notify::new())),
            streams: HashMap::new(),
            publishers: HashMap::new(),
            securities: HashMap::new(),
            out: Outgoing::default(),
        })
    }

    async fn run(
        mut self,
        mut socket: UdpSocket,
        mut asked: mpsc::Receiver<Request>,
    ) -> Result<(), AnyError> {
        let idle = Duration::from_secs(1);
        loop {
            let due = self.sfu.poll_timeout().unwrap_or_else(|| Instant::now() + idle);
            let woken = Arc::clone(&self.woken);
            let take = |destination: Destination, datagram: &mut [u8]| {
                let flow = Flow { destination, transport: Transport::Udp };
                self.sfu.receive(Instant::now(), flow, datagram, &mut self.out);
            };
            tokio::select! {
                received = socket.receive(take) => { received?; }
                () = woken.0.notified() => {}
                () = sleep_until(due.into()) => {}
                Some(request) = asked.recv() => {
                    // A client that has gone misses its answer.
                    let _ = request.answer.send(self.answer(&request.path, &request.offer));
                }
            }
            self.turn()?;
            socket.send(&self.out.udp);
            self.out.clear();
        }
    }

    /// Makes a peer of an offer.
    fn answer(&mut self, path: &str, offer: &str) -> Result<String, AnyError> {
        let (role, name) = match path.split_at_checked("/whip/".len()) {
            Some(("/whip/", name)) => (Role::Publisher, name),
            Some(("/whep/", name)) => (Role::Viewer, name),
            _ => return Err("neither /whip/ nor /whep/".into()),
        };
        let ice = Credentials::from_entropy("", &std::array::from_fn(|_| fastrand::u8(..)))?;
        let (fingerprint, here) =
            (self.dtls.fingerprint().clone(), HostCandidate::udp(self.address));
        let options = AnswerOptions::new(ice.clone(), fingerprint, vec![here], fastrand::u64(..));
        let offer = Offer::parse(offer)?;
        let negotiated = match role {
            Role::Publisher => offer.answer_publish(&options)?,
            Role::Viewer => offer.answer_play(None, &options)?,
        };
        let stream = match self.streams.get(name) {
            Some(stream) => *stream,
            None => self.sfu.open_stream(&[])?,
        };
        self.streams.insert(name.to_owned(), stream);
        let now = Instant::now();
        let peer = self.sfu.insert(now, PeerConfig::new(role, ice, &negotiated))?;
        match role {
            Role::Publisher => {
                self.sfu.restart(now, stream)?;
                // Whoever comes later takes the stream over.
                self.publishers.retain(|_, published| *published != stream);
                self.publishers.insert(peer, stream);
            }
            Role::Viewer => self.sfu.attach(now, peer, stream, &[], &mut self.out)?,
        }
        let (known, waker) =
            (negotiated.remote_fingerprints.clone(), Arc::clone(&self.woken).into());
        let handshake = self.dtls.start(negotiated.role, known, waker)?;
        self.securities.insert(peer, Security::Shaking(handshake));
        Ok(negotiated.sdp)
    }

    /// Does what is due, and deals with what happened.
    fn turn(&mut self) -> Result<(), AnyError> {
        let now = Instant::now();
        self.shake(now);
        self.sfu.handle_timeout(now, &mut self.out);
        while let Some(event) = self.sfu.poll_event() {
            match event {
                Event::Dtls { peer, datagram } => self.receive_dtls(now, peer, datagram),
                Event::Track { peer, .. } => {
                    if let Some(stream) = self.publishers.get(&peer) {
                        let tracks = self.sfu.tracks(peer);
                        self.sfu.set_tracks(now, *stream, &tracks)?;
                    }
                }
                Event::Packet { peer, track, packet } => {
                    if let Some(stream) = self.publishers.get(&peer) {
                        let packets = [TrackPacket { track, packet }];
                        self.sfu.forward(now, *stream, &packets, &mut self.out);
                    }
                }
                Event::SenderClock { peer, track, clock } => {
                    if let Some(stream) = self.publishers.get(&peer) {
                        self.sfu.sender_clock(*stream, track, &clock);
                    }
                }
                Event::KeyframeWanted { stream, track } => {
                    let publisher = self.publishers.iter().find(|(_, of)| **of == stream);
                    if let Some((publisher, _)) = publisher {
                        self.sfu.request_keyframe(*publisher, track)?;
                    }
                }
                Event::Closed { peer, reason, .. } => {
                    println!("{peer:?}: {reason:?}");
                    self.forget(peer);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes what the handshakes have brought forth.
    fn shake(&mut self, now: Instant) {
        for (peer, security) in &mut self.securities {
            while let Security::Shaking(handshake) = security {
                match handshake.poll() {
                    Some(HandshakeEvent::Transmit(datagram)) => {
                        self.sfu.send_dtls(*peer, &datagram, &mut self.out);
                    }
                    Some(HandshakeEvent::Established(done)) => {
                        let is_client = done.role == DtlsRole::Client;
                        let material = &done.keying_material.0;
                        let keys =
                            SessionKeys::from_exporter(done.srtp_profile, material, is_client);
                        if let Ok((ours, theirs)) = keys
                            && self
                                .sfu
                                .established(now, *peer, &ours, theirs, &mut self.out)
                                .is_ok()
                        {
                            println!("{peer:?}: connected");
                        }
                        *security = Security::Done(done.association);
                    }
                    // The shard closes a peer that never gets keys, as one that is silent.
                    Some(HandshakeEvent::Failed(_)) | None => break,
                }
            }
        }
    }

    fn receive_dtls(&mut self, now: Instant, peer: PeerId, datagram: bytes::Bytes) {
        match self.securities.get_mut(&peer) {
            Some(Security::Shaking(handshake)) => handshake.receive(datagram),
            Some(Security::Done(association)) => match association.receive(&datagram) {
                Reaction::Retransmit(flight) => {
                    for datagram in flight {
                        self.sfu.send_dtls(peer, &datagram, &mut self.out);
                    }
                }
                Reaction::Closed => {
                    println!("{peer:?}: gone");
                    self.sfu.remove(peer, &mut self.out);
                    self.forget(peer);
                }
                _ => {}
            },
            None => self.sfu.hint_closed(now, peer),
        }
    }

    fn forget(&mut self, peer: PeerId) {
        self.securities.remove(&peer);
        self.publishers.remove(&peer);
    }
}

/// Takes requests, one a connection.
async fn listen(listener: TcpListener, requests: mpsc::Sender<Request>) {
    while let Ok((socket, peer)) = listener.accept().await {
        let requests = requests.clone();
        tokio::spawn(async move {
            match timeout(REQUEST_TIMEOUT, serve(socket, requests)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => println!("{peer}: {error}"),
                Err(_) => println!("{peer}: no request"),
            }
        });
    }
}

async fn serve(mut socket: TcpStream, requests: mpsc::Sender<Request>) -> Result<(), AnyError> {
    let mut reader = BufReader::new((&mut socket).take(2 * MAX_OFFER as u64));
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).await?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let is_post = line.starts_with("POST ");
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line).await?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>()?.min(MAX_OFFER);
        }
    }
    let mut offer = vec![0; length];
    reader.read_exact(&mut offer).await?;
    let (answer, answered) = oneshot::channel();
    let answer = if is_post {
        requests
            .send(Request { path: path.clone(), offer: String::from_utf8(offer)?, answer })
            .await?;
        answered.await?
    } else {
        Err("only POST".into())
    };
    let response = match answer {
        Ok(sdp) => format!(
            "HTTP/1.1 201 Created\r\nLocation: {path}\r\nContent-Type: application/sdp\r\n\
             Access-Control-Allow-Origin: *\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        ),
        Err(error) => format!(
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{error}",
            error.to_string().len()
        ),
    };
    socket.write_all(response.as_bytes()).await?;
    Ok(socket.shutdown().await?)
}
