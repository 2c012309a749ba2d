use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// What a session has for its owner.
#[derive(Debug, Clone, PartialEq)]
pub enum Output<E> {
    /// Bytes to send to the peer.
    Transmit(Bytes),
    /// Something happened.
    Event(E),
}

/// Room for this many is kept in an empty queue; more is given back, so that a burst is not paid for ever after.
const KEPT: usize = 64;

/// Keeps bytes and events in order until they are polled.
#[derive(Debug)]
pub(super) struct Outbox<E> {
    queue: VecDeque<Output<E>>,
    /// Bytes behind the last of the queue; what is written in a row goes out in one piece.
    wire: BytesMut,
    queued_bytes: usize,
}

impl<E> Outbox<E> {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::new(), wire: BytesMut::new(), queued_bytes: 0 }
    }

    /// Where bytes are written.
    pub(super) fn wire(&mut self) -> &mut BytesMut {
        &mut self.wire
    }

    pub(super) fn push_event(&mut self, event: E) {
        if !self.wire.is_empty() {
            self.queued_bytes = self.queued_bytes.saturating_add(self.wire.len());
            self.queue.push_back(Output::Transmit(std::mem::take(&mut self.wire).freeze()));
        }
        self.queue.push_back(Output::Event(event));
    }

    /// The next, oldest first. Nothing is kept of the buffer that bytes were written to: most sessions are idle.
    pub(super) fn pop(&mut self) -> Option<Output<E>> {
        let output = self.queue.pop_front();
        if self.queue.is_empty() && self.queue.capacity() > KEPT {
            self.queue = VecDeque::new();
        }
        match output {
            Some(Output::Transmit(bytes)) => {
                self.queued_bytes = self.queued_bytes.saturating_sub(bytes.len());
                Some(Output::Transmit(bytes))
            }
            None if !self.wire.is_empty() => {
                Some(Output::Transmit(std::mem::take(&mut self.wire).freeze()))
            }
            event => event,
        }
    }

    /// What is held until it is polled: bytes, and the room that events take without their payloads.
    pub(super) fn held(&self) -> usize {
        self.queue.len().saturating_mul(size_of::<Output<E>>()).saturating_add(self.pending())
    }

    /// The bytes that wait to be polled.
    pub(super) fn pending(&self) -> usize {
        self.queued_bytes.saturating_add(self.wire.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_and_bytes_in_a_row_are_one() {
        let mut outbox = Outbox::new();
        outbox.wire().extend_from_slice(b"a");
        outbox.wire().extend_from_slice(b"b");
        outbox.push_event(1);
        outbox.push_event(2);
        outbox.wire().extend_from_slice(b"c");
        assert_eq!(outbox.pending(), 3);
        let all: Vec<_> = std::iter::from_fn(|| outbox.pop()).collect();
        assert_eq!(
            all,
            [
                Output::Transmit(Bytes::from_static(b"ab")),
                Output::Event(1),
                Output::Event(2),
                Output::Transmit(Bytes::from_static(b"c")),
            ]
        );
        assert_eq!(outbox.pending(), 0);
    }

    #[test]
    fn a_burst_of_events_is_counted_and_its_room_given_back() {
        let mut outbox = Outbox::new();
        for event in 0..10_000_u32 {
            outbox.push_event(event);
        }
        assert_eq!(outbox.held(), 10_000 * size_of::<Output<u32>>());
        while outbox.pop().is_some() {}
        assert_eq!(outbox.held(), 0);
        assert!(outbox.queue.capacity() <= KEPT);
    }
}
