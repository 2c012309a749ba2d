//! Waking readers: per group and not per reader, at once or once per window.

mod group;
mod share;
mod signal;
mod sweep;

use std::task::Waker;

pub use group::WakeGroup;
#[cfg(test)]
pub(crate) use share::WaitSlot;
pub(crate) use share::{Kind, Share, Want};
pub(crate) use signal::Signal;

/// Wakers to call once no lock is held.
#[derive(Default)]
pub(crate) struct Wakes(Vec<Waker>);

impl Wakes {
    pub(crate) fn add(&mut self, waker: Waker) {
        self.0.push(waker);
    }

    pub(crate) fn wake_all(&mut self) {
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}
