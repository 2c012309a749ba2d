//! A WebRTC client that sends the packets it is told to, and gives out every packet that it gets.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::OnceLock,
    task::Waker,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use rtc_stack::{
    Codec, CodecParameters, Limits, MediaKind, PayloadType, Ssrc,
    dtls::{Association, Dtls, Handshake, HandshakeEvent, Reaction, Role},
    rtcp::{NtpTime, Packet as Rtcp, Packets, ReportBlock, Writer},
    rtp::Fields,
    sdp::{Answer, CandidateProtocol, MediaSource, Negotiated, OfferBuilder},
    srtp::{Inbound, Outbound, Profile, SessionKeys},
    stun::Credentials,
    transport::{
        dtls::{Certificate, DtlsEndpoint, DtlsOptions},
        tcp::{FrameReader, encode},
    },
};
use stun::{
    agent::TransactionId,
    attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME},
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, Message, Setter},
    textattrs::TextAttribute,
};

const H264: &str = "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1";
/// How long a connection may take on a machine that has much to do.
const CONNECT: Duration = Duration::from_secs(30);
const OWN: Ssrc = Ssrc(0x00c0_ffee);

/// A packet as a client got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) kind: MediaKind,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Vec<u8>,
}

/// How datagrams travel.
enum Way {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream, FrameReader),
}

pub(crate) struct RtcClient {
    /// Where its session is.
    pub(crate) location: String,
    api: u16,
    way: Way,
    negotiated: Negotiated,
    local: Credentials,
    checked: Option<Instant>,
    endpoint: DtlsEndpoint,
    handshake: Option<Box<dyn Handshake>>,
    association: Option<Box<dyn Association>>,
    keys: Option<(Outbound, Inbound, Profile)>,
    /// Media that came while its own side of the handshake was not over yet.
    too_early: Vec<Vec<u8>>,
    indices: HashMap<MediaKind, u64>,
    pub(crate) got: Vec<Got>,
    /// Packets that it was asked to send again.
    pub(crate) nacked: usize,
    /// Keyframes that it was asked for.
    pub(crate) keyframes_wanted: usize,
    /// What the latest report of the server's was, of whom, and when it came.
    reported: HashMap<Ssrc, (NtpTime, Instant)>,
    /// The last report of each kind: the time on the wall, since 1970, and the timestamp at it.
    pub(crate) reports: HashMap<MediaKind, (Duration, u32)>,
    /// Whether the server has said goodbye: by RTCP, and by DTLS.
    pub(crate) goodbyes: (bool, bool),
}

impl RtcClient {
    /// Begins to publish by WHIP.
    pub(crate) fn publish(api: u16, stream: &str) -> Self {
        Self::begin(api, &format!("/rtc/v1/whip/?app=live&stream={stream}"), true, false)
    }

    /// Begins to play by WHEP.
    pub(crate) fn play(api: u16, stream: &str) -> Self {
        Self::begin(api, &format!("/rtc/v1/whep/?app=live&stream={stream}"), false, false)
    }

    /// Begins a session at a path, by UDP or by TCP.
    pub(crate) fn begin(api: u16, path: &str, publishes: bool, tcp: bool) -> Self {
        let mut bytes = [0; 25];
        fastrand::Rng::new().fill(&mut bytes);
        let local = Credentials::from_entropy("", &bytes).unwrap();
        let certificate = Certificate::generate().unwrap();
        let fingerprint = certificate.fingerprint().clone();
        let seed = fastrand::u64(..);
        let builder = match publishes {
            true => OfferBuilder::publish(local.clone(), fingerprint, seed),
            false => OfferBuilder::play(local.clone(), fingerprint, seed),
        };
        let offer = builder
            .audio([CodecParameters::new(Codec::Opus)])
            .video([CodecParameters::new(Codec::H264).with_fmtp(H264)])
            .build()
            .unwrap();
        let mut reply = ureq::post(format!("http://127.0.0.1:{api}{path}"))
            .header("Content-Type", "application/sdp")
            .send(offer.to_string())
            .unwrap();
        assert_eq!(reply.status(), 201);
        let location = reply.headers()["location"].to_str().unwrap().to_owned();
        let answer = Answer::parse(&reply.body_mut().read_to_string().unwrap()).unwrap();
        let negotiated = answer.accept(&offer).unwrap();
        assert_eq!(negotiated.role, Role::Client, "the server waits for clients");
        let protocol = if tcp { CandidateProtocol::TcpPassive } else { CandidateProtocol::Udp };
        let mut candidates = negotiated.remote_candidates.iter();
        let candidate = candidates.find(|candidate| candidate.protocol == protocol).unwrap();
        let server = SocketAddr::new(candidate.host.parse().unwrap(), candidate.port);
        let runtime = runtime().handle().clone();
        Self {
            location,
            api,
            way: Way::to(server, tcp),
            negotiated,
            local,
            checked: None,
            endpoint: DtlsEndpoint::new(certificate, DtlsOptions::default(), runtime),
            handshake: None,
            association: None,
            keys: None,
            too_early: Vec::new(),
            indices: HashMap::new(),
            got: Vec::new(),
            nacked: 0,
            keyframes_wanted: 0,
            reported: HashMap::new(),
            reports: HashMap::new(),
            goodbyes: (false, false),
        }
    }

    /// Goes on until media can flow.
    pub(crate) fn connect(mut self) -> Self {
        let fingerprints = self.negotiated.remote_fingerprints.clone();
        let deadline = Instant::now() + CONNECT;
        while self.keys.is_none() {
            assert!(Instant::now() < deadline, "not connected within {CONNECT:?}");
            self.poll(Duration::from_millis(20));
            // The server's answer to a check is the sign to begin.
            if self.handshake.is_none() && self.checked.is_some() && self.keys.is_none() {
                let started =
                    self.endpoint.start(Role::Client, fingerprints.clone(), Waker::noop().clone());
                self.handshake = Some(started.unwrap());
            }
        }
        self
    }

    /// Goes on for so long.
    pub(crate) fn poll(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let now = Instant::now();
            if self.checked.is_none_or(|at| now - at >= Duration::from_millis(200)) {
                self.checked = Some(now);
                self.check();
            }
            self.shake();
            if let Some(datagram) = self.way.receive() {
                self.receive(datagram);
            } else if now >= end {
                return;
            }
        }
    }

    /// Goes on until `ready` gives something.
    #[track_caller]
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut ready: impl FnMut(&mut Self) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + CONNECT;
        loop {
            if let Some(value) = ready(self) {
                return value;
            }
            assert!(Instant::now() < deadline, "no {what} within {CONNECT:?}");
            self.poll(Duration::from_millis(10));
        }
    }

    /// What it got of one kind, in the order of arrival.
    pub(crate) fn of(&self, kind: MediaKind) -> Vec<&Got> {
        self.got.iter().filter(|got| got.kind == kind).collect()
    }

    /// Sends a packet.
    pub(crate) fn send(&mut self, kind: MediaKind, timestamp: u32, marker: bool, payload: &[u8]) {
        let section = self.negotiated.section(kind).unwrap();
        let index = self.indices.entry(kind).or_insert(65_000);
        *index += 1;
        let fields = Fields {
            marker,
            payload_type: section.codecs[0].payload_type,
            sequence: *index as u16,
            timestamp,
            ssrc: section.local_source.unwrap().ssrc,
        };
        let (outbound, _, profile) = self.keys.as_mut().unwrap();
        let mut packet = BytesMut::new();
        let header = fields.append(&[], &mut packet);
        packet.extend_from_slice(payload);
        packet.resize(packet.len() + profile.rtp_overhead(), 0);
        outbound.seal_rtp(header, *index, &mut packet).unwrap();
        self.way.send(&packet);
    }

    /// Asks for a keyframe.
    pub(crate) fn want_keyframe(&mut self) {
        let video = self.negotiated.section(MediaKind::Video).unwrap();
        let source = video.remote_sources[0].ssrc;
        self.send_rtcp(|writer| writer.picture_loss(OWN, source));
    }

    /// Reports of the video that so many packets were lost, and so many of the latest 256. False as
    /// long as the server has not reported itself.
    pub(crate) fn report(&mut self, lost: i32, lately: u8) -> bool {
        let video = self.negotiated.section(MediaKind::Video).unwrap();
        let ssrc = video.remote_sources[0].ssrc;
        let Some((time, at)) = self.reported.get(&ssrc) else { return false };
        let block = ReportBlock {
            ssrc,
            fraction_lost: lately,
            cumulative_lost: lost,
            highest_sequence: 0,
            jitter: 0,
            last_sender_report: time.middle(),
            delay: (at.elapsed().as_secs_f64() * 65_536.0) as u32,
        };
        self.send_rtcp(|writer| writer.receiver_report(OWN, &[block]));
        true
    }

    /// The payload type that packets of this kind have.
    pub(crate) fn payload_type(&self, kind: MediaKind) -> u8 {
        self.negotiated.section(kind).unwrap().codecs[0].payload_type.number()
    }

    /// Says goodbye for what it sends or receives, though it stays.
    pub(crate) fn say_bye(&mut self) {
        let video = self.negotiated.section(MediaKind::Video).unwrap();
        let source = video.local_source.as_ref().map_or(OWN, |source| source.ssrc);
        self.send_rtcp(|writer| {
            writer.receiver_report(OWN, &[]);
            writer.goodbye(&[source], b"");
        });
    }

    /// Says goodbye to the transport, as a page that is closed does.
    pub(crate) fn close(&mut self) {
        let goodbye = self.association.as_mut().unwrap().close();
        assert!(!goodbye.is_empty());
        self.way.send(&goodbye);
    }

    /// Asks for the end of its session.
    pub(crate) fn delete(&self) {
        let url = format!("http://127.0.0.1:{}{}", self.api, self.location);
        assert_eq!(ureq::delete(url).call().unwrap().status(), 200);
    }

    /// Has another address from now on.
    pub(crate) fn move_away(&mut self) {
        let Way::Udp(_, server) = &self.way else { panic!("only by UDP") };
        self.way = Way::to(*server, false);
        self.checked = None;
    }

    fn send_rtcp(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        let mut buffer = BytesMut::new();
        write(&mut Writer::new(&mut buffer));
        self.keys.as_mut().unwrap().0.seal_rtcp(&mut buffer, 0).unwrap();
        self.way.send(&buffer);
    }

    /// Where the server is for it.
    pub(crate) fn server(&self) -> SocketAddr {
        match &self.way {
            Way::Udp(_, server) => *server,
            Way::Tcp(socket, _) => socket.peer_addr().unwrap(),
        }
    }

    /// Begins ICE anew (RFC 9725, 4.3.3), and goes on with what the server answers.
    pub(crate) fn restart_ice(&mut self) {
        let mut bytes = [0; 25];
        fastrand::Rng::new().fill(&mut bytes);
        let local = Credentials::from_entropy("", &bytes).unwrap();
        let (ufrag, password) = (local.ufrag(), local.password());
        let fragment = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n");
        let url = format!("http://127.0.0.1:{}{}", self.api, self.location);
        let mut reply = ureq::patch(url)
            .header("Content-Type", "application/trickle-ice-sdpfrag")
            .header("If-Match", "*")
            .send(fragment)
            .unwrap();
        assert_eq!(reply.status(), 200);
        let text = reply.body_mut().read_to_string().unwrap();
        let value = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
        };
        let remote = Credentials::new(&value("a=ice-ufrag:"), &value("a=ice-pwd:")).unwrap();
        assert_ne!(remote, self.negotiated.remote_ice);
        (self.negotiated.remote_ice, self.local) = (remote, local);
    }

    fn username(&self) -> String {
        format!("{}:{}", self.negotiated.remote_ice.ufrag(), self.local.ufrag())
    }

    fn check(&mut self) {
        let request = self.binding_request(&self.username(), self.negotiated.remote_ice.password());
        self.way.send(&request);
    }

    /// A check that was made by somebody who doesn't know the password.
    pub(crate) fn forged_request(&self) -> Vec<u8> {
        self.binding_request(&self.username(), &"x".repeat(24))
    }

    /// A check of this user, made with this password.
    pub(crate) fn binding_request(&self, username: &str, password: &str) -> Vec<u8> {
        let mut message = Message::new();
        let setters: Vec<Box<dyn Setter>> = vec![
            Box::new(TransactionId::new()),
            Box::new(BINDING_REQUEST),
            Box::new(TextAttribute::new(ATTR_USERNAME, username.to_owned())),
        ];
        message.build(&setters).unwrap();
        message.add(ATTR_PRIORITY, &[0x6e, 0, 1, 0xff]);
        message.add(ATTR_ICE_CONTROLLING, &[1; 8]);
        message.add(ATTR_USE_CANDIDATE, &[]);
        let integrity = MessageIntegrity::new_short_term_integrity(password.to_owned());
        integrity.add_to(&mut message).unwrap();
        message.raw
    }

    fn shake(&mut self) {
        while let Some(event) = self.handshake.as_mut().and_then(|handshake| handshake.poll()) {
            match event {
                HandshakeEvent::Transmit(datagram) => self.way.send(&datagram),
                HandshakeEvent::Established(established) => {
                    let profile = established.srtp_profile;
                    let material = &established.keying_material.0;
                    let keys = SessionKeys::from_exporter(profile, material, true).unwrap();
                    let outbound = Outbound::new(&keys.0).unwrap();
                    let inbound = Inbound::new(keys.1, &Limits::default());
                    self.keys = Some((outbound, inbound, profile));
                    self.association = Some(established.association);
                    self.handshake = None;
                    for datagram in std::mem::take(&mut self.too_early) {
                        self.receive(datagram);
                    }
                    return;
                }
                HandshakeEvent::Failed(error) => panic!("{error}"),
            }
        }
    }

    fn receive(&mut self, mut datagram: Vec<u8>) {
        match datagram.as_slice() {
            [20..=63, ..] => match (&mut self.handshake, &mut self.association) {
                (Some(handshake), _) => handshake.receive(Bytes::from(datagram)),
                (None, Some(association)) => {
                    self.goodbyes.1 |= association.receive(&datagram) == Reaction::Closed;
                }
                (None, None) => {}
            },
            [128..=191, kind, ..] => {
                let Some((_, inbound, _)) = &mut self.keys else {
                    return self.too_early.push(datagram);
                };
                if (192..=223).contains(kind) {
                    let length = inbound.open_rtcp(&mut datagram).unwrap();
                    self.receive_rtcp(&datagram[..length]);
                } else {
                    let opened = inbound.open_rtp(&mut datagram).unwrap();
                    let packet = &datagram[..opened.len];
                    let payload = opened.header.payload(packet).unwrap().to_vec();
                    let fields = opened.header.fields;
                    let Some(kind) = self.kind(fields.payload_type) else { return };
                    self.got.push(Got {
                        kind,
                        sequence: fields.sequence,
                        timestamp: fields.timestamp,
                        marker: fields.marker,
                        payload,
                    });
                }
            }
            _ => {}
        }
    }

    fn kind(&self, payload_type: PayloadType) -> Option<MediaKind> {
        let mut sections = self.negotiated.sections.iter();
        Some(sections.find(|section| section.codec(payload_type).is_some())?.kind)
    }

    fn receive_rtcp(&mut self, compound: &[u8]) {
        for packet in Packets::new(compound) {
            match packet.unwrap() {
                Rtcp::Nack(nack) => self.nacked += nack.sequences().count(),
                Rtcp::PictureLoss { .. } => self.keyframes_wanted += 1,
                Rtcp::SenderReport { ssrc, info, .. } => {
                    self.reported.insert(ssrc, (info.time, Instant::now()));
                    let mut sections = self.negotiated.sections.iter();
                    let is_its = |source: &MediaSource| source.ssrc == ssrc;
                    let section = sections.find(|one| one.remote_sources.iter().any(is_its));
                    if let Some(section) = section {
                        let report = (info.time.to_unix(), info.timestamp);
                        self.reports.insert(section.kind, report);
                    }
                }
                Rtcp::Goodbye(_) => self.goodbyes.0 = true,
                _ => {}
            }
        }
    }
}

impl Way {
    fn to(server: SocketAddr, tcp: bool) -> Self {
        let wait = Some(Duration::from_millis(5));
        if tcp {
            let socket = TcpStream::connect(server).unwrap();
            socket.set_read_timeout(wait).unwrap();
            return Self::Tcp(socket, FrameReader::default());
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(wait).unwrap();
        Self::Udp(socket, server)
    }

    fn send(&mut self, datagram: &[u8]) {
        match self {
            Self::Udp(socket, server) => {
                // A server that is gone is what some tests wait for.
                let _ = socket.send_to(datagram, *server);
            }
            Self::Tcp(socket, _) => {
                let mut frame = BytesMut::new();
                encode(datagram, &mut frame).unwrap();
                let _ = socket.write_all(&frame);
            }
        }
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        let is_empty = |kind| {
            matches!(
                kind,
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
            )
        };
        match self {
            Self::Udp(socket, _) => match socket.recv(&mut buffer) {
                Ok(length) => {
                    buffer.truncate(length);
                    Some(buffer)
                }
                Err(error) if is_empty(error.kind()) => None,
                Err(error) => panic!("{error}"),
            },
            Self::Tcp(socket, frames) => {
                if let Some(frame) = frames.poll() {
                    return Some(frame.into());
                }
                match socket.read(&mut buffer) {
                    Ok(length) => frames.receive(&buffer[..length]),
                    Err(error) if is_empty(error.kind()) => {}
                    Err(error) => panic!("{error}"),
                }
                frames.poll().map(Vec::from)
            }
        }
    }
}

/// Where the handshakes of all clients run.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    })
}
