//! A shard with a publisher and a viewer, and what comes to its port.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use ring::hmac;
use rtc_stack::arena::Destination;
use rtc_stack::dtls::{Fingerprint, HashFunction};
use rtc_stack::rtcp::Packets;
use rtc_stack::rtp::{Fields, Header};
use rtc_stack::sdp::{AnswerOptions, Negotiated, OfferBuilder};
use rtc_stack::session::{Flow, Outgoing, Transport};
use rtc_stack::sfu::{Event, PeerConfig, PeerId, Role, Sfu, SfuConfig, StreamId, TrackPacket};
use rtc_stack::srtp::{Inbound, Outbound, Profile, SessionKeys};
use rtc_stack::stun::{Credentials, Kind, classify};
use rtc_stack::{Codec, CodecParameters, Limits, MediaKind};

const PROFILE: Profile = Profile::AeadAes128Gcm;
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// Steps: a byte that says what comes and from whom, one for the time that passes (in 4 ms), one for a length, and so
/// many bytes. They are a datagram as it is, a packet that is sealed with the peer's keys, the payload of the
/// publisher's next packet, or the attributes of an authentic binding request.
///
/// A stranger is never answered; what is sent to the viewer opens with its keys and can be read; nobody appears
/// who wasn't signalled.
pub fn sfu_receive(data: &[u8]) {
    let Some(mut shard) = Shard::new() else { return };
    let mut rest = data;
    while let [what, time, length, after @ ..] = rest {
        let (bytes, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        shard.pass(Duration::from_millis(u64::from(*time) * 4));
        shard.take(*what, bytes);
    }
}

struct Shard {
    sfu: Sfu,
    out: Outgoing,
    now: Instant,
    stream: StreamId,
    publisher: Peer,
    viewer: Peer,
}

/// A peer, from its own side.
struct Peer {
    id: PeerId,
    flow: Flow,
    users: String,
    outbound: Outbound,
    inbound: Inbound,
    negotiated: Negotiated,
    /// Of the next packet of each section.
    indices: [u64; 2],
}

fn flow(port: u16) -> Flow {
    let peer = SocketAddr::from(([192, 0, 2, 7], port));
    let destination = Destination { peer, local_ip: None };
    Flow { destination, transport: Transport::Udp }
}

impl Shard {
    /// `None` never.
    fn new() -> Option<Self> {
        // Nothing depends on what time it is.
        let now = Instant::now();
        let limits = Limits { history_packets: 64, events: 64, ..Limits::default() };
        let mut sfu = Sfu::new(SfuConfig::new(now, Duration::from_secs(1 << 30)), limits, 1);
        let mut out = Outgoing::default();
        let publisher = Peer::join(&mut sfu, now, Role::Publisher, &mut out)?;
        let viewer = Peer::join(&mut sfu, now, Role::Viewer, &mut out)?;
        let stream = sfu.open_stream(&[]).ok()?;
        sfu.attach(now, viewer.id, stream, &[], &mut out).ok()?;
        let mut shard = Self { sfu, out, now, stream, publisher, viewer };
        shard.serve();
        Some(shard)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.sfu.poll_timeout().is_some_and(|due| due <= self.now) {
            let before = self.sfu.poll_timeout();
            self.sfu.handle_timeout(self.now, &mut self.out);
            self.serve();
            if self.sfu.poll_timeout() <= before {
                break;
            }
        }
    }

    fn take(&mut self, what: u8, bytes: &[u8]) {
        let (publisher, viewer) = (&mut self.publisher, &mut self.viewer);
        let (from, datagram) = match what % 10 {
            0 => (publisher.flow, Some(bytes.to_vec())),
            1 => (viewer.flow, Some(bytes.to_vec())),
            2 => {
                let mut datagram = bytes.to_vec();
                self.sfu.receive(self.now, flow(9), &mut datagram, &mut self.out);
                assert!(self.out.is_empty(), "a stranger is answered");
                return;
            }
            3 => (publisher.flow, publisher.sealed_rtp(bytes)),
            4 => (publisher.flow, publisher.sealed_rtcp(bytes)),
            5 => (viewer.flow, viewer.sealed_rtcp(bytes)),
            6 => (publisher.flow, Some(publisher.request(bytes))),
            7 => (viewer.flow, Some(viewer.request(bytes))),
            // As the next packet of sound, or of pictures.
            kind => (publisher.flow, publisher.next_packet(kind == 9, bytes)),
        };
        let Some(mut datagram) = datagram else { return };
        self.sfu.receive(self.now, from, &mut datagram, &mut self.out);
        self.serve();
    }

    /// What a server does with events, and what leaves.
    fn serve(&mut self) {
        let mut events = 0;
        while let Some(event) = self.sfu.poll_event() {
            events += 1;
            assert!(events <= 64 + 16, "more events than the limit");
            match event {
                Event::Packet { track, packet, .. } => {
                    let packets = [TrackPacket { track, packet }];
                    self.sfu.forward(self.now, self.stream, &packets, &mut self.out);
                }
                Event::Track { peer, .. } => {
                    let tracks = self.sfu.tracks(peer);
                    assert!(self.sfu.set_tracks(self.now, self.stream, &tracks).is_ok());
                }
                Event::SenderClock { track, clock, .. } => {
                    self.sfu.sender_clock(self.stream, track, &clock);
                }
                Event::KeyframeWanted { track, .. } => {
                    let _ = self.sfu.request_keyframe(self.publisher.id, track);
                }
                _ => {}
            }
        }
        assert!(self.sfu.peers().0 <= 2);
        assert!(self.out.tcp.is_empty());
        for (destination, datagram) in self.out.udp.iter() {
            match destination {
                to if to == self.viewer.flow.destination => self.viewer.reads(datagram),
                to if to == self.publisher.flow.destination => self.publisher.reads(datagram),
                to => panic!("a datagram for {to:?}"),
            }
        }
        self.out.clear();
    }
}

impl Peer {
    /// A peer that has shown itself and has its keys.
    fn join(sfu: &mut Sfu, now: Instant, role: Role, out: &mut Outgoing) -> Option<Self> {
        let is_publisher = role == Role::Publisher;
        let (name, port) = if is_publisher { ("publ", 1) } else { ("view", 2) };
        let negotiated = agreed(is_publisher, name)?;
        let local = Credentials::new(name, PASSWORD).ok()?;
        let id = sfu.insert(now, PeerConfig::new(role, local, &negotiated)).ok()?;
        let material = [port as u8; 56];
        let (ours, theirs) = SessionKeys::from_exporter(PROFILE, &material, false).ok()?;
        let outbound = Outbound::new(&theirs).ok()?;
        let inbound = Inbound::new(ours.clone(), &Limits::default());
        let users = format!("{name}:far{name}");
        let flow = flow(port);
        let peer = Self { id, flow, users, outbound, inbound, negotiated, indices: [100; 2] };
        sfu.receive(now, flow, &mut peer.request(&[]), out);
        sfu.established(now, id, &ours, theirs, out).ok()?;
        Some(peer)
    }

    fn sealed_rtp(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        let header = Header::parse(plain).ok()?;
        let mut packet = plain.to_vec();
        packet.resize(plain.len() + PROFILE.rtp_overhead(), 0);
        let index = u64::from(header.fields.sequence);
        self.outbound.seal_rtp(header.len(), index, &mut packet).ok()?;
        Some(packet)
    }

    fn sealed_rtcp(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut packet = BytesMut::from(plain);
        self.outbound.seal_rtcp(&mut packet, 0).ok()?;
        Some(packet.to_vec())
    }

    fn next_packet(&mut self, is_video: bool, payload: &[u8]) -> Option<Vec<u8>> {
        let kind = if is_video { MediaKind::Video } else { MediaKind::Audio };
        let section = self.negotiated.section(kind)?;
        let index = &mut self.indices[usize::from(is_video)];
        *index += 1;
        let fields = Fields {
            marker: index.is_multiple_of(3),
            payload_type: section.codecs.first()?.payload_type,
            sequence: *index as u16,
            timestamp: *index as u32 * 1000,
            ssrc: section.remote_sources.first()?.ssrc,
        };
        let mut packet = BytesMut::new();
        fields.append(&[], &mut packet);
        packet.extend_from_slice(payload);
        self.sealed_rtp(&packet)
    }

    /// An authentic binding request with these bytes as attributes behind the user name (RFC 8489, 14.5).
    fn request(&self, attributes: &[u8]) -> Vec<u8> {
        let padded = self.users.len().next_multiple_of(4);
        let length = (4 + padded + attributes.len() + 24) as u16;
        let mut request = vec![0, 1];
        request.extend(length.to_be_bytes());
        request.extend([0x21, 0x12, 0xa4, 0x42]);
        request.extend([7; 12]);
        request.extend([0, 6]);
        request.extend((self.users.len() as u16).to_be_bytes());
        request.extend(self.users.bytes());
        request.resize(20 + 4 + padded, 0);
        request.extend(attributes);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, PASSWORD.as_bytes());
        let code = hmac::sign(&key, &request);
        request.extend([0, 8, 0, 20]);
        request.extend(code.as_ref());
        request
    }

    fn reads(&mut self, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        match classify(&datagram) {
            Kind::Stun => {}
            Kind::Rtp => {
                let opened = self.inbound.open_rtp(&mut datagram).expect("our packet");
                assert!(opened.header.payload(&datagram[..opened.len]).is_ok());
            }
            Kind::Rtcp => {
                let length = self.inbound.open_rtcp(&mut datagram).expect("our report");
                assert!(Packets::new(&datagram[..length]).all(|packet| packet.is_ok()));
            }
            kind => panic!("a datagram of {kind:?}"),
        }
    }
}

fn agreed(is_publisher: bool, name: &str) -> Option<Negotiated> {
    let fingerprint = Fingerprint::of(HashFunction::Sha256, b"a certificate");
    let ice = Credentials::new(&format!("far{name}"), PASSWORD).ok()?;
    let builder = match is_publisher {
        true => OfferBuilder::publish(ice, fingerprint.clone(), 3),
        false => OfferBuilder::play(ice, fingerprint.clone(), 3),
    };
    let h264 =
        CodecParameters::new(Codec::H264).with_fmtp("packetization-mode=1;profile-level-id=42e01f");
    let builder = builder.audio([CodecParameters::new(Codec::Opus)]).video([h264]);
    let offer = builder.build().ok()?;
    let ours = Credentials::new(name, PASSWORD).ok()?;
    let options = AnswerOptions::new(ours, fingerprint, Vec::new(), 5);
    match is_publisher {
        true => offer.answer_publish(&options).ok(),
        false => offer.answer_play(None, &options).ok(),
    }
}
