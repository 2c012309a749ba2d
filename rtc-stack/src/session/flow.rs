//! Where datagrams come from and go to.

use crate::arena::{Destination, SendArena};

/// How a peer's datagrams travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// By UDP.
    Udp,
    /// In frames of a TCP connection (RFC 4571), which the peer's address names.
    Tcp,
}

/// The two ends of a path between a peer and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The peer's address and the one of ours that it sends to.
    pub destination: Destination,
    /// What carries the datagrams.
    pub transport: Transport,
}

/// What a shard has to send: the datagrams that leave by UDP, and those that leave by TCP connections.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// Datagrams for the UDP socket.
    pub udp: SendArena,
    /// Datagrams for TCP connections, each to be framed.
    pub tcp: SendArena,
}

impl Outgoing {
    /// Room for one datagram of `length` bytes, which the caller writes in full.
    pub fn append(&mut self, flow: &Flow, length: usize) -> &mut [u8] {
        match flow.transport {
            Transport::Udp => self.udp.append(flow.destination, length),
            Transport::Tcp => self.tcp.append(flow.destination, length),
        }
    }

    /// Appends one datagram that is there already.
    pub fn push(&mut self, flow: &Flow, datagram: &[u8]) {
        self.append(flow, datagram.len()).copy_from_slice(datagram);
    }

    /// Bytes of all datagrams.
    pub const fn len(&self) -> usize {
        self.udp.len().saturating_add(self.tcp.len())
    }

    /// Whether there is nothing to send.
    pub const fn is_empty(&self) -> bool {
        self.udp.is_empty() && self.tcp.is_empty()
    }

    /// Forgets all datagrams, and keeps the memory.
    pub fn clear(&mut self) {
        self.udp.clear();
        self.tcp.clear();
    }
}
