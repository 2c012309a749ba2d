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

use crate::convert::InlineNode;

/// What is to be done once no lock is held.
#[derive(Default)]
pub(crate) struct Wakes {
    wakers: Vec<Waker>,
    /// Converters to be dropped: they may hold readers or publishers of the hub.
    converters: Vec<Box<dyn InlineNode>>,
}

impl Wakes {
    pub(crate) fn add(&mut self, waker: Waker) {
        self.wakers.push(waker);
    }

    pub(crate) fn dispose(&mut self, converter: Box<dyn InlineNode>) {
        self.converters.push(converter);
    }

    pub(crate) fn wake_all(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
        self.converters.clear();
    }
}
