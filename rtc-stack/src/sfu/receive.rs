//! Telling the datagrams of a port apart (RFC 7983), and finding whom they belong to.

use std::time::Instant;

use bytes::Bytes;

use super::{Event, PeerId, RoleState, Sfu, seat_mut};
use crate::session::{Flow, Outgoing};
use crate::stun::{Kind, Outcome, classify, peek_username};

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Received {
    /// It was taken, or refused for what is in it.
    Handled,
    /// It is a binding request for a user of whom this shard knows nothing: the server may know a peer that waits, and
    /// try again when it is inserted.
    UnknownUser,
    /// It comes from an address that no peer has: another shard's peer may have it.
    UnknownAddress,
    /// It is nothing of WebRTC.
    Unknown,
}

impl Sfu {
    /// Takes a datagram, which is decrypted in place.
    pub fn receive(
        &mut self,
        now: Instant,
        flow: Flow,
        datagram: &mut [u8],
        out: &mut Outgoing,
    ) -> Received {
        let kind = classify(datagram);
        match kind {
            Kind::Stun => return self.receive_stun(now, flow, datagram, out),
            Kind::Other => return Received::Unknown,
            Kind::Dtls | Kind::Rtp | Kind::Rtcp => {}
        }
        let Some(&id) = self.by_flow.get(&flow) else { return Received::UnknownAddress };
        match kind {
            Kind::Dtls => {
                let datagram = Bytes::copy_from_slice(datagram);
                self.push_bounded(Event::Dtls { peer: id, datagram });
            }
            Kind::Rtp => self.receive_rtp(now, id, &flow, datagram, out),
            _ => self.receive_rtcp(now, id, &flow, datagram, out),
        }
        Received::Handled
    }

    fn receive_stun(
        &mut self,
        now: Instant,
        flow: Flow,
        datagram: &[u8],
        out: &mut Outgoing,
    ) -> Received {
        let Some((local, _)) = peek_username(datagram) else { return Received::Handled };
        let Some(&id) = self.by_ufrag.get(local) else { return Received::UnknownUser };
        let most = self.limits.addresses;
        let Some(peer) = self.peers.get_mut(id) else { return Received::UnknownUser };
        let checked = match peer.session.check(now, flow, datagram, most) {
            Ok(checked) => checked,
            Err(error) => {
                peer.refused.note_stun(&error);
                return Received::Handled;
            }
        };
        out.push(&flow, checked.answer.response.as_ref());
        if checked.answer.outcome != Outcome::Success {
            return Received::Handled;
        }
        if checked.is_first {
            self.pending = self.pending.saturating_sub(1);
        }
        if let Some(forgotten) = checked.forgotten {
            self.forget_flow(id, &forgotten);
        }
        // An address that another peer had is the one's who proved to be there last: ports are used again.
        self.by_flow.insert(flow, id);
        if checked.has_moved
            && let Some(seat) = seat_mut(&mut self.peers, &mut self.streams, id)
        {
            seat.flow = flow;
        }
        Received::Handled
    }

    fn receive_rtp(
        &mut self,
        now: Instant,
        id: PeerId,
        flow: &Flow,
        datagram: &mut [u8],
        out: &mut Outgoing,
    ) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        if peer.to_drop > 0 {
            peer.to_drop = peer.to_drop.saturating_sub(1);
            return;
        }
        let Some(inbound) = &mut peer.inbound else { return };
        let RoleState::Publisher(publisher) = &mut peer.role else {
            // A viewer has nothing to send, so that this costs no decryption.
            peer.refused.note_unknown();
            return;
        };
        let opened = match inbound.open_rtp(datagram) {
            Ok(opened) => opened,
            Err(error) => return peer.refused.note_srtp(error),
        };
        peer.session.heard(now, flow);
        let packet = datagram.get(..opened.len).unwrap_or_default();
        let Some(ingested) = publisher.receive(now, &opened.header, opened.index, packet) else {
            peer.refused.note_unknown();
            return;
        };
        let place = publisher.place;
        if ingested.has_wishes {
            self.serve_soon(place);
        } else {
            // All that is needed for it is at hand now.
            self.serve_if_due(now, place, out);
        }
        if let Some(description) = ingested.description {
            self.events.push_back(Event::Track { peer: id, track: ingested.track, description });
        }
        if let Some(packet) = ingested.packet {
            self.push_bounded(Event::Packet { peer: id, track: ingested.track, packet });
        }
    }

    fn receive_rtcp(
        &mut self,
        now: Instant,
        id: PeerId,
        flow: &Flow,
        datagram: &mut [u8],
        out: &mut Outgoing,
    ) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(inbound) = &mut peer.inbound else { return };
        let length = match inbound.open_rtcp(datagram) {
            Ok(length) => length,
            Err(error) => return peer.refused.note_srtp(error),
        };
        peer.session.heard(now, flow);
        let compound = datagram.get(..length).unwrap_or_default();
        match &peer.role {
            RoleState::Publisher(_) => self.receive_publisher_rtcp(now, id, compound),
            RoleState::Viewer(_) => self.receive_viewer_rtcp(now, id, compound, out),
        }
    }
}
