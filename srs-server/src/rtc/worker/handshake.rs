//! DTLS of a peer: a handshake that runs elsewhere, and what is left of it.

use std::time::Instant;

use bytes::Bytes;
use rtc_stack::{
    dtls::{Established, HandshakeEvent, Reaction, Role},
    sfu::PeerId,
    srtp::SessionKeys,
};
use tracing::debug;

use super::{Core, failed, peer::Dtls};
use crate::rtc::EndReason;

impl Core {
    /// Begins the handshake where it is ours to begin; where it is the peer's, its first datagram does.
    pub(super) fn begin_handshake(&mut self, id: PeerId, role: Role) {
        if role == Role::Client {
            self.start_handshake(id);
        }
    }

    fn start_handshake(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let negotiated = &peer.negotiated;
        let fingerprints = negotiated.remote_fingerprints.clone();
        match self.dtls.start(negotiated.role, fingerprints, peer.waker.clone()) {
            Ok(handshake) => {
                peer.dtls = Dtls::Handshake(handshake);
                // What it says before it waits has called nobody.
                peer.waker.wake_by_ref();
            }
            // The peer repeats itself.
            Err(error) => peer.session.span().in_scope(|| debug!("no handshake yet: {error}")),
        }
    }

    /// Takes a DTLS datagram of a peer.
    pub(super) fn receive_dtls(&mut self, now: Instant, id: PeerId, datagram: Bytes) {
        let is_first = self.peers.get(&id).is_some_and(|peer| matches!(peer.dtls, Dtls::Silent));
        if is_first {
            self.start_handshake(id);
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match &mut peer.dtls {
            Dtls::Silent => {}
            Dtls::Handshake(handshake) => handshake.receive(datagram),
            Dtls::Done(association) => match association.receive(&datagram) {
                Reaction::Retransmit(flight) => {
                    for datagram in flight {
                        self.sfu.send_dtls(id, &datagram, &mut self.out);
                    }
                }
                Reaction::Closed => {
                    peer.note_heard(now);
                    self.end(id, EndReason::Left);
                }
                _ => {}
            },
        }
    }

    /// Goes on with a handshake that has called.
    pub(super) fn shake(&mut self, now: Instant, id: PeerId) {
        while let Some(peer) = self.peers.get_mut(&id)
            && let Dtls::Handshake(handshake) = &mut peer.dtls
            && let Some(event) = handshake.poll()
        {
            match event {
                HandshakeEvent::Transmit(datagram) => {
                    self.sfu.send_dtls(id, &datagram, &mut self.out);
                }
                HandshakeEvent::Established(established) => self.establish(now, id, established),
                HandshakeEvent::Failed(error) => {
                    self.tally.failed_handshakes += 1;
                    self.end(id, EndReason::Handshake(error));
                    return;
                }
            }
        }
    }

    fn establish(&mut self, now: Instant, id: PeerId, established: Established) {
        let Established { srtp_profile, keying_material, role, association } = established;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        // It ends the handshake, which has nothing more to say.
        peer.dtls = Dtls::Done(association);
        peer.note_heard(now);
        peer.session.span().in_scope(|| debug!(profile = ?srtp_profile, "keys are agreed on"));
        let keys =
            SessionKeys::from_exporter(srtp_profile, &keying_material.0, role == Role::Client);
        let taken = match keys {
            Ok((ours, theirs)) => {
                self.sfu.established(now, id, &ours, theirs, &mut self.out).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        };
        match taken {
            Ok(()) => self.tally.handshakes += 1,
            Err(why) => self.end(id, why),
        }
    }

    /// Says goodbye to a peer, if there is something that it would believe.
    pub(super) fn close_dtls(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if let Dtls::Done(association) = &mut peer.dtls {
            let goodbye = association.close();
            if !goodbye.is_empty() {
                self.sfu.send_dtls(id, &goodbye, &mut self.out);
            }
        }
    }
}
