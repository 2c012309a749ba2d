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
            self.queue.push_back(Output::Transmit(self.wire.split().freeze()));
        }
        self.queue.push_back(Output::Event(event));
    }

    pub(super) fn pop(&mut self) -> Option<Output<E>> {
        match self.queue.pop_front() {
            Some(Output::Transmit(bytes)) => {
                self.queued_bytes = self.queued_bytes.saturating_sub(bytes.len());
                Some(Output::Transmit(bytes))
            }
            None if !self.wire.is_empty() => Some(Output::Transmit(self.wire.split().freeze())),
            event => event,
        }
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
}
