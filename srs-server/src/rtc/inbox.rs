//! What workers are told of their sessions.

use std::{
    mem::take,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use super::Session;

/// The number of a worker, from 0 in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WorkerId(pub usize);

/// Sessions of a worker of which signalling wants something, each once: it is never longer than the
/// worker has sessions.
#[derive(Debug)]
pub struct Inbox {
    id: WorkerId,
    waiting: Mutex<Vec<Arc<Session>>>,
    notify: Notify,
}

impl Inbox {
    /// The worker's number.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// Waits until there is something in it.
    pub async fn filled(&self) {
        self.notify.notified().await;
    }

    /// The sessions that wait; each says by [`Session::take_orders`] what is wanted.
    pub fn take(&self) -> Vec<Arc<Session>> {
        take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, session: &Arc<Session>) {
        if session.queue() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(session.clone());
            self.notify.notify_one();
        }
    }
}

/// The inboxes of all workers.
#[derive(Debug, Default)]
pub(super) struct Inboxes(Mutex<Vec<Arc<Inbox>>>);

impl Inboxes {
    pub(super) fn add(&self) -> Arc<Inbox> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = WorkerId(all.len());
        let inbox = Arc::new(Inbox { id, waiting: Mutex::default(), notify: Notify::new() });
        all.push(inbox.clone());
        inbox
    }

    pub(super) fn tell(&self, worker: WorkerId, session: &Arc<Session>) {
        let inbox = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(worker.0).cloned()
        };
        if let Some(inbox) = inbox {
            inbox.put(session);
        }
    }
}
