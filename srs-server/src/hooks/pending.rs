//! The tellers at work, so that the server's end waits for them and their number is bounded.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::AbortHandle, time::timeout};
use tracing::warn;

/// Clients that are gone and of whom hook servers are still to be told something: more than leave
/// one machine at once when a stream with a large audience ends, at 2 to 3 KiB each. Beyond these
/// the one that left first is given up: its hook server is one that doesn't answer.
pub(super) const MAX_GONE: usize = 32_768;

/// The tellers at work.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// How many there are.
    tellers: watch::Sender<usize>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The tellers whose clients are gone, in the order in which they went, with their number.
    gone: BTreeMap<u64, (u64, AbortHandle)>,
    /// Their places in that order, by their number.
    places: HashMap<u64, u64>,
    /// Tellers so far.
    entered: u64,
    /// Clients that went so far.
    left: u64,
}

impl Pending {
    /// Counts a teller until the guard is dropped.
    pub(super) fn enter(&self) -> TellerGuard {
        self.0.tellers.send_modify(|count| *count += 1);
        let mut state = self.state();
        state.entered += 1;
        TellerGuard { pending: self.clone(), number: state.entered }
    }

    /// Notes that the client of the teller with this number is gone.
    pub(super) fn left(&self, number: u64, teller: AbortHandle) {
        let mut state = self.state();
        state.left += 1;
        let left = state.left;
        state.gone.insert(left, (number, teller));
        state.places.insert(number, left);
        if state.gone.len() <= MAX_GONE {
            return;
        }
        let oldest = state.gone.pop_first().map(|(_, oldest)| oldest);
        if let Some((number, _)) = &oldest {
            state.places.remove(number);
        }
        drop(state);
        if let Some((_, teller)) = oldest {
            teller.abort();
            warn!("the hook servers are too slow: the end of a client is not told to them");
        }
    }

    /// Waits until no teller is at work, `limit` at most.
    pub(super) async fn drain(&self, limit: Duration) {
        let mut tellers = self.0.tellers.subscribe();
        if timeout(limit, tellers.wait_for(|count| *count == 0)).await.is_err() {
            let count = *self.0.tellers.borrow();
            warn!("the hook servers are too slow: the end of {count} clients is not told to them");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A teller that counts.
#[derive(Debug)]
pub(super) struct TellerGuard {
    pending: Pending,
    number: u64,
}

impl TellerGuard {
    /// The teller's number.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for TellerGuard {
    fn drop(&mut self) {
        let mut state = self.pending.state();
        if let Some(place) = state.places.remove(&self.number) {
            state.gone.remove(&place);
        }
        drop(state);
        self.pending.0.tellers.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_to_go_is_given_up() {
        let pending = Pending::default();
        let mut tasks = Vec::new();
        for index in 0..=MAX_GONE {
            let guard = pending.enter();
            let number = guard.number();
            let task = tokio::spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            // The first to come goes second.
            if index > 0 {
                pending.left(number, task.abort_handle());
            }
            tasks.push((number, task));
        }
        let (number, task) = tasks.swap_remove(0);
        pending.left(number, task.abort_handle());
        let (_, second) = tasks.swap_remove(1);
        assert!(second.await.unwrap_err().is_cancelled());
        assert!(!task.is_finished());
        assert_eq!(pending.state().gone.len(), MAX_GONE);
        for (_, task) in &tasks {
            task.abort();
        }
        task.abort();
        pending.drain(Duration::from_secs(60)).await;
        let state = pending.state();
        assert!(state.gone.is_empty() && state.places.is_empty());
    }
}
