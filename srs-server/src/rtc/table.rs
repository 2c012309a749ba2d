//! The sessions by the names that they go by.

use std::{collections::HashMap, sync::Arc};

use super::{MAX_PENDING, RtcError, Session};

/// All sessions that are not over.
#[derive(Debug, Default)]
pub(super) struct Table {
    by_token: HashMap<String, Arc<Session>>,
    by_ufrag: HashMap<String, Arc<Session>>,
    by_id: HashMap<String, Arc<Session>>,
    by_client: HashMap<String, Arc<Session>>,
    /// Those that no worker has adopted.
    pending: usize,
}

impl Table {
    /// Adds a session that no worker has yet.
    pub(super) fn insert(&mut self, session: &Arc<Session>) -> Result<(), RtcError> {
        if self.pending >= MAX_PENDING {
            return Err(RtcError::TooMany { limit: MAX_PENDING });
        }
        for ufrag in session.ufrags() {
            if self.by_ufrag.contains_key(&ufrag) {
                return Err(RtcError::UfragTaken(ufrag));
            }
        }
        self.by_token.insert(session.token().to_owned(), session.clone());
        self.by_client.insert(session.client().to_owned(), session.clone());
        self.by_id.insert(session.id().to_owned(), session.clone());
        for ufrag in session.ufrags() {
            self.by_ufrag.insert(ufrag, session.clone());
        }
        self.pending += 1;
        Ok(())
    }

    /// Notes that a worker has adopted a session.
    pub(super) fn adopted(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }

    /// Notes a further user name fragment of a session, and forgets those that it has no more.
    pub(super) fn renamed(&mut self, session: &Arc<Session>, ufrag: &str) {
        self.by_ufrag.insert(ufrag.to_owned(), session.clone());
        let known = session.ufrags();
        self.by_ufrag.retain(|ufrag, other| !Arc::ptr_eq(other, session) || known.contains(ufrag));
    }

    pub(super) fn remove(&mut self, session: &Arc<Session>, was_pending: bool) {
        // One that was never in it has names that others may have.
        if self.by_token.remove(session.token()).is_none() {
            return;
        }
        self.by_client.remove(session.client());
        self.by_id.remove(session.id());
        for ufrag in session.ufrags() {
            self.by_ufrag.remove(&ufrag);
        }
        if was_pending {
            self.pending = self.pending.saturating_sub(1);
        }
    }

    pub(super) fn by_token(&self, token: &str) -> Option<Arc<Session>> {
        self.by_token.get(token).cloned()
    }

    pub(super) fn by_ufrag(&self, ufrag: &str) -> Option<Arc<Session>> {
        self.by_ufrag.get(ufrag).cloned()
    }

    pub(super) fn by_id(&self, id: &str) -> Option<Arc<Session>> {
        self.by_id.get(id).cloned()
    }

    pub(super) fn by_client(&self, client: &str) -> Option<Arc<Session>> {
        self.by_client.get(client).cloned()
    }

    pub(super) fn sessions(&self) -> impl ExactSizeIterator<Item = &Arc<Session>> {
        self.by_token.values()
    }

    pub(super) fn pending(&self) -> usize {
        self.pending
    }
}
