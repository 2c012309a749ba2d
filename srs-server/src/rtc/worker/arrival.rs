//! Datagrams of flows that the worker doesn't know: whose they are, and who adopts a session.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtc_stack::{
    PayloadType,
    session::Flow,
    sfu::{PeerConfig, PeerId, Received, Role as PeerRole},
    stun::{IceLite, peek_username},
};

use super::{Command, Core, Peer, bell::Call, failed};
use crate::rtc::{Adopted, NotAdopted, Role, Session, WorkerId};

/// Binding requests from unknown flows that are looked up in a second. Each takes the lock of the table
/// that all shards share; a server that begins 1,000 sessions in a second has a tenth of it.
const LOOKED_UP: u32 = 20_000;
/// Flows of other workers' sessions that are remembered. Each has shown that it belongs to one.
const FOREIGN: usize = 16_384;
/// How long such a flow is remembered that has nothing: clients check theirs every few seconds.
const FOREIGN_SILENCE: Duration = Duration::from_secs(60);

/// Flows that aren't the worker's.
///
/// The system gives a flow to the same socket as long as it lives, and each flow begins with an
/// authentic binding request. So a worker learns by itself whose the flows of its socket are, and no
/// table of addresses is shared.
#[derive(Debug, Default)]
pub(super) struct Unknown {
    foreign: HashMap<Flow, Foreign>,
    /// Look-ups since the last second began.
    looked_up: u32,
}

#[derive(Debug)]
struct Foreign {
    owner: WorkerId,
    heard: Instant,
}

impl Unknown {
    /// A second is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.looked_up = 0;
        self.foreign.retain(|_, flow| now.saturating_duration_since(flow.heard) < FOREIGN_SILENCE);
    }

    fn owner(&mut self, now: Instant, flow: &Flow) -> Option<WorkerId> {
        let foreign = self.foreign.get_mut(flow)?;
        foreign.heard = now;
        Some(foreign.owner)
    }

    fn remember(&mut self, now: Instant, flow: Flow, owner: WorkerId) {
        if self.foreign.len() < FOREIGN || self.foreign.contains_key(&flow) {
            self.foreign.insert(flow, Foreign { owner, heard: now });
        }
    }
}

impl Core {
    /// Takes a datagram of any flow.
    pub(super) fn take(&mut self, now: Instant, flow: Flow, datagram: &mut [u8]) {
        match self.sfu.receive(now, flow, datagram, &mut self.out) {
            Received::Handled => {}
            Received::Unknown => self.tally.unknown += 1,
            Received::UnknownUser => self.take_unknown_user(now, flow, datagram),
            Received::UnknownAddress => match self.unknown.owner(now, &flow) {
                Some(owner) => self.hand_over(owner, flow, datagram),
                None => self.tally.unknown_addresses += 1,
            },
        }
    }

    /// Takes a datagram of a session that is this worker's, whoever received it.
    pub(super) fn take_own(&mut self, now: Instant, flow: Flow, datagram: &mut [u8]) {
        match self.sfu.receive(now, flow, datagram, &mut self.out) {
            Received::Handled => {}
            // It was this worker's when it was handed over; it isn't handed on, lest it goes in circles.
            _ => self.tally.unknown_addresses += 1,
        }
    }

    /// Takes a binding request for a user whom this worker doesn't know.
    fn take_unknown_user(&mut self, now: Instant, flow: Flow, datagram: &mut [u8]) {
        self.unknown.looked_up += 1;
        if self.unknown.looked_up > LOOKED_UP {
            self.tally.too_many_unknown += 1;
            return;
        }
        let found = peek_username(datagram).and_then(|(ours, _)| self.rtc.find(ours));
        let Some(session) = found else {
            self.tally.unknown_users += 1;
            return;
        };
        if !is_authentic(&session, &flow, datagram) {
            self.tally.unauthentic += 1;
            return;
        }
        match self.rtc.adopt(&session, &self.inbox) {
            Ok(adopted) => {
                self.insert(now, session, adopted);
                self.take_own(now, flow, datagram);
            }
            // It knew the session by an older fragment.
            Err(NotAdopted::Owned(owner)) if owner == self.inbox.id() => {}
            Err(NotAdopted::Owned(owner)) => {
                self.unknown.remember(now, flow, owner);
                self.hand_over(owner, flow, datagram);
            }
            Err(NotAdopted::Over) => self.tally.unknown_users += 1,
        }
    }

    fn hand_over(&mut self, owner: WorkerId, flow: Flow, datagram: &[u8]) {
        let Some(colleague) = self.colleagues.get(owner.0) else { return };
        let command = Command::Datagram(flow, Bytes::copy_from_slice(datagram));
        match colleague.commands.try_send(command) {
            Ok(()) => self.tally.handed_over += 1,
            // As a network would, which is what the sender is prepared for.
            Err(_) => self.tally.not_handed_over += 1,
        }
    }

    /// Makes a session that this worker has adopted a peer; its handshake begins if it is ours to begin.
    pub(super) fn insert(&mut self, now: Instant, session: Arc<Session>, adopted: Adopted) {
        let role = match session.role() {
            Role::Publish => PeerRole::Publisher,
            Role::Play => PeerRole::Viewer,
        };
        let dtls_role = adopted.negotiated.role;
        let mut config = PeerConfig::new(role, adopted.local, &adopted.negotiated);
        config.remote_ufrag = adopted.remote.ufrag().to_owned();
        let settings = &session.vhost().settings.rtc;
        config.stun_timeout = Some(settings.stun_timeout);
        // As SRS has it, 0 is none.
        let dropped = Some(settings.drop_for_pt).filter(|payload_type| *payload_type != 0);
        config.dropped_payload_type = dropped.and_then(PayloadType::new);
        match self.sfu.insert(now, config) {
            Ok(id) => {
                let waker = self.bell.waker(Call::Peer(id));
                self.by_client.insert(session.client().to_owned(), id);
                self.peers.insert(id, Peer::new(session, adopted.negotiated, waker));
                self.shard.load.sessions.fetch_add(1, Relaxed);
                self.begin_handshake(id, dtls_role);
            }
            Err(error) => self.rtc.end(&self.shared, &session, failed(error)),
        }
    }

    /// The peer of a session, if it is this worker's.
    pub(super) fn peer_of(&self, session: &Session) -> Option<PeerId> {
        self.by_client.get(session.client()).copied()
    }
}

/// Whether a binding request is one of a session's client.
pub(super) fn is_authentic(session: &Session, flow: &Flow, datagram: &[u8]) -> bool {
    let remote = session.remote();
    let ice = IceLite::new(session.local(), Some(remote.ufrag()));
    ice.answer(flow.destination.peer, datagram).is_ok()
}
