//! One peer's path: where it is, and whether it is still there.

mod flow;

use std::time::{Duration, Instant};

pub use flow::{Flow, Outgoing, Transport};

use crate::stun::{Answer, IceLite, Outcome, StunError};

/// After this silence, a peer's address may be replaced by one that it has not nominated: what it nominated may be gone
/// (RFC 7675 lets 5 s pass between two checks).
const STALE: Duration = Duration::from_secs(6);

/// After this silence, it may be replaced by one that the peer nominated before. Some nominate several again and again,
/// between which media must not hop.
const QUIET: Duration = Duration::from_secs(3);

/// The addresses of a peer and when it was last heard.
#[derive(Debug)]
pub(crate) struct Session {
    ice: IceLite,
    /// Those that sent an authentic binding request, the latest of them last.
    known: Vec<Known>,
    /// The one that is sent to.
    selected: Option<Flow>,
    is_nominated: bool,
    heard: Instant,
    /// When somebody said that the peer is leaving, which it may contradict by being heard.
    hinted: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    flow: Flow,
    heard: Instant,
    /// The peer has nominated it.
    is_nominated: bool,
}

/// What an authentic binding request brought about.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) answer: Answer,
    /// The request is the peer's first.
    pub(crate) is_first: bool,
    /// The address that the peer is sent to is another now.
    pub(crate) has_moved: bool,
    /// An address that is known no longer, since there are too many.
    pub(crate) forgotten: Option<Flow>,
}

impl Session {
    pub(crate) fn new(ice: IceLite, now: Instant) -> Self {
        Self {
            ice,
            known: Vec::new(),
            selected: None,
            is_nominated: false,
            heard: now,
            hinted: None,
        }
    }

    /// Answers checks by other credentials from now on. What was nominated before no longer stands in the way of what
    /// they bring.
    pub(crate) fn restart(&mut self, ice: IceLite) {
        self.ice = ice;
        self.is_nominated = false;
        self.known.iter_mut().for_each(|known| known.is_nominated = false);
    }

    pub(crate) fn ufrag(&self) -> &str {
        self.ice.local().ufrag()
    }

    /// Where the peer is sent to, once it has shown itself.
    pub(crate) const fn selected(&self) -> Option<&Flow> {
        self.selected.as_ref()
    }

    pub(crate) fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.known.iter().map(|known| &known.flow)
    }

    /// Verifies a binding request, and follows the peer to where it came from: to what it nominates, or to anywhere as
    /// long as nothing is nominated or that has gone silent.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        flow: Flow,
        datagram: &[u8],
        most: usize,
    ) -> Result<Checked, StunError> {
        let answer = self.ice.answer(flow.destination.peer, datagram)?;
        let is_first = self.known.is_empty();
        if answer.outcome != Outcome::Success {
            // The peer knows the password, so it is there; but the path isn't agreed on.
            self.heard(now, &flow);
            let (is_first, has_moved) = (false, false);
            return Ok(Checked { answer, is_first, has_moved, forgotten: None });
        }
        let is_added = !self.known.iter().any(|known| known.flow == flow);
        let forgotten = if is_added { self.add(now, flow, most) } else { None };
        let has_moved = self.selected != Some(flow) && self.may_move(now, &flow, &answer);
        if has_moved {
            self.selected = Some(flow);
        }
        self.is_nominated |= answer.is_nominated;
        if answer.is_nominated
            && let Some(known) = self.known.iter_mut().find(|known| known.flow == flow)
        {
            known.is_nominated = true;
        }
        self.heard(now, &flow);
        Ok(Checked { answer, is_first, has_moved, forgotten })
    }

    /// Sends the peer to a path that was found otherwise than by its requests, and forgets the others: these are the
    /// answer.
    pub(crate) fn place(&mut self, now: Instant, flow: Flow) -> Vec<Flow> {
        let before = std::mem::replace(
            &mut self.known,
            vec![Known { flow, heard: now, is_nominated: true }],
        );
        self.selected = Some(flow);
        self.is_nominated = true;
        self.heard(now, &flow);
        before.into_iter().map(|known| known.flow).filter(|known| *known != flow).collect()
    }

    /// What is nominated for the first time is what the peer wants now (RFC 8445, 8.1.1); what it nominates again is so
    /// when the one that is sent to has gone quiet.
    fn may_move(&self, now: Instant, flow: &Flow, answer: &Answer) -> bool {
        let Some(selected) = &self.selected else { return true };
        let find = |flow: &Flow| self.known.iter().find(|known| known.flow == *flow);
        let is_first = find(flow).is_none_or(|known| !known.is_nominated);
        let patience = if answer.is_nominated { QUIET } else { STALE };
        let is_quiet = |known: &Known| now.saturating_duration_since(known.heard) >= patience;
        let is_chosen = answer.is_nominated && is_first;
        is_chosen || !self.is_nominated || find(selected).is_none_or(is_quiet)
    }

    fn add(&mut self, now: Instant, flow: Flow, most: usize) -> Option<Flow> {
        self.known.push(Known { flow, heard: now, is_nominated: false });
        if self.known.len() <= most.clamp(1, 8) {
            return None;
        }
        // Not the one that is sent to, and not the new one.
        let others = self
            .known
            .iter()
            .enumerate()
            .filter(|(_, known)| Some(known.flow) != self.selected && known.flow != flow);
        let oldest = others.min_by_key(|(_, known)| known.heard).map_or(0, |(index, _)| index);
        Some(self.known.remove(oldest).flow)
    }

    /// Notes that something authentic came from the peer.
    pub(crate) fn heard(&mut self, now: Instant, flow: &Flow) {
        self.heard = self.heard.max(now);
        self.hinted = None;
        if let Some(known) = self.known.iter_mut().find(|known| known.flow == *flow) {
            known.heard = now;
        }
    }

    /// Notes a sign that the peer has gone.
    pub(crate) fn hint(&mut self, now: Instant) {
        self.hinted.get_or_insert(now);
    }

    /// Whether the peer has been silent for too long.
    pub(crate) fn is_expired(&self, now: Instant, timeout: Duration, after_hint: Duration) -> bool {
        let is_over = |at: Instant| now.saturating_duration_since(at) >= after_hint;
        self.is_silent(now, timeout) || self.hinted.is_some_and(is_over)
    }

    /// Whether nothing authentic has come for so long.
    pub(crate) fn is_silent(&self, now: Instant, timeout: Duration) -> bool {
        now.saturating_duration_since(self.heard) >= timeout
    }
}
