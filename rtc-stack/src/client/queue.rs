//! Events on their way to whoever takes them, which may be slow.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::{EndReason, Event};

/// A queue in front of a bounded channel, so that what matters is not lost behind packets that are too many.
pub(super) struct Queue {
    sender: mpsc::Sender<Event>,
    waiting: VecDeque<Event>,
    limit: usize,
    dropped: u64,
}

impl Queue {
    pub(super) const fn new(sender: mpsc::Sender<Event>, limit: usize) -> Self {
        Self { sender, waiting: VecDeque::new(), limit, dropped: 0 }
    }

    /// Appends a packet, unless the channel is full.
    pub(super) fn push_packet(&mut self, event: Event) {
        if !self.waiting.is_empty() || self.sender.try_send(event).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Appends what is no packet. It waits where packets are dropped; beyond the limit the oldest are too.
    pub(super) fn push(&mut self, event: Event) {
        if self.waiting.is_empty() {
            match self.sender.try_send(event) {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(event)) => self.waiting.push_back(event),
            }
        } else {
            self.waiting.push_back(event);
        }
        if self.waiting.len() > self.limit {
            self.waiting.pop_front();
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits for room, and moves what has waited longest into it. Nothing is lost when the future is dropped.
    pub(super) async fn flush(&mut self) {
        match self.sender.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            Err(_) => self.waiting.clear(),
        }
    }

    /// Packets dropped so far.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Tells the rest, and that it is over, to whoever still listens.
    pub(super) async fn end(mut self, reason: EndReason) {
        self.waiting.push_back(Event::Ended { reason });
        while self.is_waiting() {
            self.flush().await;
        }
    }
}
