//! All peers of one shard: what publishers send goes out to the server, what streams get goes out to viewers.

mod bandwidth;
mod catch_up;
mod climb;
mod clock;
mod config;
mod error;
mod event;
mod feedback;
mod history;
mod ingest;
mod layers;
mod output;
mod padding;
mod path;
mod published;
mod publisher;
mod receive;
mod refused;
mod reports;
mod retransmission;
mod seat;
mod seating;
mod seen;
mod slab;
mod slots;
mod statistics;
mod stream;
mod streams;
mod timeline;
mod timers;
mod track;
mod viewer;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::BytesMut;

pub use clock::{SenderClock, WallClock};
pub use config::SfuConfig;
pub use error::SfuError;
pub use event::{CloseReason, Event};
pub use ingest::{AUDIO_LEVEL_ID, ORIENTATION_ID};
pub use receive::Received;
pub use refused::Refused;
pub use slab::{PeerId, StreamId};
pub use statistics::{PeerStatistics, TrackStatistics};
pub use track::Track;

use crate::rtp::RtpPacket;
use crate::sdp::{Negotiated, NegotiatedSection};
use crate::session::{Flow, Outgoing, Session};
use crate::srtp::{Inbound, Outbound, SessionKeys, SrtpError};
use crate::stun::{Credentials, IceLite};
use crate::{Limits, PayloadType};
use history::Kept;
use publisher::Publisher;
use seat::Seat;
use slab::Slab;
use slots::Slots;
use stream::Stream;
use viewer::{Place, Viewer};

/// All peers of one shard. Owns no socket and reads no clock.
///
/// Datagrams go in by [`receive`](Self::receive), time by [`handle_timeout`](Self::handle_timeout), a stream's packets
/// by [`forward`](Self::forward); what is to be sent is appended to the [`Outgoing`] that each of these is handed, and
/// what happened is taken by [`poll_event`](Self::poll_event). Any order of calls is safe, and a number of a peer or
/// stream that is gone is no peer's and no stream's.
#[derive(Debug)]
pub struct Sfu {
    config: SfuConfig,
    limits: Limits,
    rng: fastrand::Rng,
    peers: Slab<PeerId, Box<Peer>>,
    streams: Slab<StreamId, Stream>,
    by_ufrag: HashMap<Box<str>, PeerId>,
    by_flow: HashMap<Flow, PeerId>,
    /// Peers that have not shown themselves.
    pending: usize,
    /// Publishers that have keys, and when there is something to send to each; `None` for at once.
    publishers: Vec<(PeerId, Option<Instant>)>,
    /// Viewers that are being sent what was there before them.
    catching_up: Vec<(StreamId, PeerId)>,
    /// Viewers that are being sent more than media, to see whether their path carries it.
    probing: Vec<(StreamId, PeerId)>,
    /// Viewers that have not had a report, and since when.
    newcomers: Vec<(PeerId, Instant)>,
    /// Tracks of which a keyframe is wanted a little later.
    keyframes_wanted: Vec<(StreamId, u8)>,
    slots: Slots,
    publishers_due: Option<Instant>,
    catch_up_due: Option<Instant>,
    probes_due: Option<Instant>,
    newcomers_due: Option<Instant>,
    events: VecDeque<Event>,
    dropped_events: u64,
    /// What a batch comes to, and RTCP in the making: kept so that neither is allocated each time.
    batch: Vec<(u8, Kept)>,
    scratch: BytesMut,
}

/// One peer.
#[derive(Debug)]
struct Peer {
    session: Session,
    stun_timeout: Duration,
    /// From when there are keys.
    inbound: Option<Inbound>,
    refused: Refused,
    /// Datagrams that are to be lost on purpose.
    to_drop: u16,
    role: RoleState,
}

#[derive(Debug)]
enum RoleState {
    Publisher(Box<Publisher>),
    Viewer(Box<Viewer>),
}

/// What a peer is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It sends.
    Publisher,
    /// It is sent to.
    Viewer,
}

/// Who a peer is, as the signalling has it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PeerConfig {
    /// What the peer is there for.
    pub role: Role,
    /// Our user name fragment and password.
    pub local: Credentials,
    /// The peer's user name fragment.
    pub remote_ufrag: String,
    /// The media sections that were agreed.
    pub sections: Vec<NegotiatedSection>,
    /// How long this peer stays without being heard, where that differs from [`SfuConfig::stun_timeout`].
    pub stun_timeout: Option<Duration>,
    /// Packets of a publisher with this payload type count as received, and go nowhere.
    pub dropped_payload_type: Option<PayloadType>,
}

impl PeerConfig {
    /// A peer with what was agreed, which knows us by these credentials.
    pub fn new(role: Role, local: Credentials, negotiated: &Negotiated) -> Self {
        Self {
            role,
            local,
            remote_ufrag: negotiated.remote_ice.ufrag().to_owned(),
            sections: negotiated.sections.clone(),
            stun_timeout: None,
            dropped_payload_type: None,
        }
    }
}

/// A packet of a track of a stream.
#[derive(Debug, Clone)]
pub struct TrackPacket {
    /// The track's number in the stream.
    pub track: u8,
    /// The packet.
    pub packet: RtpPacket,
}

/// Which datagrams are to be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Those that come from the peer.
    Incoming,
    /// Those that go to it.
    Outgoing,
}

impl Sfu {
    /// A shard without peers. `seed` makes the numbers that must differ from peer to peer, and need not be secret.
    pub fn new(config: SfuConfig, limits: Limits, seed: u64) -> Self {
        Self {
            config,
            limits,
            rng: fastrand::Rng::with_seed(seed),
            peers: Slab::new(),
            streams: Slab::new(),
            by_ufrag: HashMap::new(),
            by_flow: HashMap::new(),
            pending: 0,
            publishers: Vec::new(),
            catching_up: Vec::new(),
            probing: Vec::new(),
            newcomers: Vec::new(),
            keyframes_wanted: Vec::new(),
            slots: Slots::new(),
            publishers_due: None,
            catch_up_due: None,
            probes_due: None,
            newcomers_due: None,
            events: VecDeque::new(),
            dropped_events: 0,
            batch: Vec::new(),
            scratch: BytesMut::new(),
        }
    }

    /// Adds a peer that signalling has agreed with. It is closed if it does not show itself within
    /// [`SfuConfig::stun_timeout`].
    ///
    /// # Errors
    ///
    /// Too many peers, or one with the same local user name fragment.
    pub fn insert(&mut self, now: Instant, peer: PeerConfig) -> Result<PeerId, SfuError> {
        let limit = self.limits.peers;
        if self.peers.len() >= limit {
            return Err(SfuError::TooManyPeers { limit });
        }
        let limit = self.limits.pending_peers;
        if self.pending >= limit {
            return Err(SfuError::TooManyPending { limit });
        }
        if self.by_ufrag.contains_key(peer.local.ufrag()) {
            return Err(SfuError::UfragTaken);
        }
        let ufrag = Box::from(peer.local.ufrag());
        let ice = IceLite::new(peer.local, Some(&peer.remote_ufrag));
        let stun_timeout = peer.stun_timeout.unwrap_or(self.config.stun_timeout);
        let role = match peer.role {
            Role::Publisher => {
                let ssrc = crate::Ssrc(self.rng.u32(1..));
                let mut publisher = Publisher::new(peer.sections, ssrc, &self.limits)?;
                publisher.dropped = peer.dropped_payload_type;
                RoleState::Publisher(Box::new(publisher))
            }
            Role::Viewer => RoleState::Viewer(Box::new(Viewer::new(peer.sections, &self.limits))),
        };
        let session = Session::new(ice, now);
        let refused = Refused::default();
        let peer = Peer { session, stun_timeout, inbound: None, refused, to_drop: 0, role };
        let id = self.peers.insert(Box::new(peer));
        self.by_ufrag.insert(ufrag, id);
        self.pending = self.pending.saturating_add(1);
        self.slots.add(now);
        Ok(id)
    }

    /// Takes a peer out. A BYE tells a viewer and a publisher that nothing follows (RFC 3550, 6.6).
    pub fn remove(&mut self, peer: PeerId, out: &mut Outgoing) {
        self.say_goodbye(peer, out);
        self.detach(peer);
        let Some(removed) = self.peers.remove(peer) else { return };
        self.by_ufrag.remove(removed.session.ufrag());
        for flow in removed.session.flows() {
            self.forget_flow(peer, flow);
        }
        if removed.session.selected().is_none() {
            self.pending = self.pending.saturating_sub(1);
        }
        self.serve_no_more(peer);
        self.slots.remove();
        if self.peers.len() == 0 {
            // After a flood, its memory goes back.
            self.by_ufrag.shrink_to_fit();
            self.by_flow.shrink_to_fit();
            self.publishers_due = None;
        }
    }

    /// The number of peers, and how many of them have not shown themselves.
    pub fn peers(&self) -> (usize, usize) {
        (self.peers.len(), self.pending)
    }

    /// The keys of a peer, which its DTLS handshake has come to: ours first. It must have shown itself before.
    ///
    /// # Errors
    ///
    /// No such peer; it then has no use for keys.
    pub fn established(
        &mut self,
        now: Instant,
        peer: PeerId,
        ours: &SessionKeys,
        theirs: SessionKeys,
        out: &mut Outgoing,
    ) -> Result<(), EstablishError> {
        let found = self.peers.get_mut(peer).ok_or(EstablishError::Peer(SfuError::UnknownPeer))?;
        let Some(flow) = found.session.selected().copied() else {
            return Err(EstablishError::Peer(SfuError::UnknownPeer));
        };
        if found.inbound.is_some() {
            // Numbers that were used with the old keys would begin anew with the same ones.
            return Ok(());
        }
        let outbound = Outbound::new(ours)?;
        found.inbound = Some(Inbound::new(theirs, &self.limits));
        found.session.heard(now, &flow);
        match &mut found.role {
            RoleState::Publisher(publisher) => {
                publisher.connect(now, outbound);
                publisher.place = self.publishers.len();
                self.publishers.push((peer, None));
                self.publishers_due.get_or_insert(now);
            }
            RoleState::Viewer(viewer) => {
                let outputs = viewer.outputs(&mut self.rng);
                let seat = Seat::new(peer, flow, outbound, outputs);
                viewer.place = Place::Parked(Box::new(seat));
                if let Some(stream) = viewer.stream.take() {
                    self.sit_down(now, peer, stream, out);
                }
            }
        }
        self.events.push_back(Event::Connected { peer });
        Ok(())
    }

    /// Takes other ICE credentials for a peer, whose signalling has begun ICE anew (RFC 8445, 9). Its media go on by the
    /// addresses that are known until a check with the new ones shows another.
    ///
    /// # Errors
    ///
    /// No such peer, or another has the same local user name fragment.
    pub fn restart_ice(
        &mut self,
        peer: PeerId,
        local: Credentials,
        remote_ufrag: &str,
    ) -> Result<(), SfuError> {
        let found = self.peers.get_mut(peer).ok_or(SfuError::UnknownPeer)?;
        if self.by_ufrag.get(local.ufrag()).is_some_and(|other| *other != peer) {
            return Err(SfuError::UfragTaken);
        }
        self.by_ufrag.remove(found.session.ufrag());
        self.by_ufrag.insert(Box::from(local.ufrag()), peer);
        found.session.restart(IceLite::new(local, Some(remote_ufrag)));
        Ok(())
    }

    /// Sends a DTLS datagram to a peer that has shown itself.
    pub fn send_dtls(&mut self, peer: PeerId, datagram: &[u8], out: &mut Outgoing) {
        if let Some(flow) = self.peers.get(peer).and_then(|peer| peer.session.selected()) {
            out.push(flow, datagram);
        }
    }

    /// Takes note of a sign that a peer has left, such as a DTLS alert that might be anybody's: it is closed after
    /// [`SfuConfig::hint_timeout`] unless it is heard.
    pub fn hint_closed(&mut self, now: Instant, peer: PeerId) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.session.hint(now);
        }
    }

    /// Loses the next `count` datagrams of media of a peer, for tests of what becomes of them.
    pub fn drop_next(&mut self, peer: PeerId, count: u16, direction: Direction) {
        match direction {
            Direction::Incoming => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.to_drop = count;
                }
            }
            Direction::Outgoing => {
                if let Some(seat) = seat_mut(&mut self.peers, &mut self.streams, peer) {
                    seat.to_drop = count;
                }
            }
        }
    }

    /// What happened, in order.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if event.is_none() && self.events.capacity() > self.limits.events / 4 {
            self.events.shrink_to(64);
        }
        event
    }

    /// Packets and DTLS datagrams that were dropped since nobody took the events before them.
    pub const fn dropped_events(&self) -> u64 {
        self.dropped_events
    }

    fn forget_flow(&mut self, peer: PeerId, flow: &Flow) {
        if self.by_flow.get(flow) == Some(&peer) {
            self.by_flow.remove(flow);
        }
    }

    /// Appends an event that a peer can bring about as often as it likes.
    fn push_bounded(&mut self, event: Event) {
        if self.events.len() < self.limits.events {
            self.events.push_back(event);
        } else {
            self.dropped_events = self.dropped_events.saturating_add(1);
        }
    }

    /// Closes a peer by our own decision.
    fn close(&mut self, peer: PeerId, reason: CloseReason, out: &mut Outgoing) {
        let statistics = Box::new(self.statistics(peer).unwrap_or_default());
        self.remove(peer, out);
        self.events.push_back(Event::Closed { peer, reason, statistics });
    }
}

/// A viewer's seat, wherever it is.
fn seat_mut<'a>(
    peers: &'a mut Slab<PeerId, Box<Peer>>,
    streams: &'a mut Slab<StreamId, Stream>,
    peer: PeerId,
) -> Option<&'a mut Seat> {
    let viewer = seating::viewer_mut(peers, peer)?;
    match &mut viewer.place {
        Place::NotConnected => None,
        Place::Parked(seat) => Some(seat),
        Place::Seated(index) => streams.get_mut(viewer.stream?)?.seats.get_mut(*index),
    }
}

/// Why keys were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EstablishError {
    /// There is nobody to use them.
    #[error(transparent)]
    Peer(#[from] SfuError),
    /// They are none.
    #[error(transparent)]
    Keys(#[from] SrtpError),
}
