//! Paths that an ICE agent outside of the shard has found.

use std::time::Instant;

use super::{PeerId, Sfu, SfuError, seat_mut};
use crate::session::Flow;

impl Sfu {
    /// Tells where a peer is, when that is known otherwise than by its binding requests: a peer that only answers them
    /// (ICE lite) sends none, and the agent that asks it keeps its consent too (RFC 7675). What is sent to the peer goes
    /// there from now on.
    ///
    /// # Errors
    ///
    /// No such peer.
    pub fn set_path(&mut self, now: Instant, peer: PeerId, flow: Flow) -> Result<(), SfuError> {
        let found = self.peers.get_mut(peer).ok_or(SfuError::UnknownPeer)?;
        if found.session.selected().is_none() {
            self.pending = self.pending.saturating_sub(1);
        }
        for forgotten in found.session.place(now, flow) {
            self.forget_flow(peer, &forgotten);
        }
        self.by_flow.insert(flow, peer);
        if let Some(seat) = seat_mut(&mut self.peers, &mut self.streams, peer) {
            seat.flow = flow;
        }
        Ok(())
    }
}
