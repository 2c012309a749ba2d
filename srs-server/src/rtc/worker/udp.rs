//! The UDP sockets of one worker: one for each address that is listened on.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    task::Poll,
};

use super::counters::Tally;
use rtc_stack::{
    arena::{Destination, SendArena},
    session::{Flow, Transport},
    transport::udp::{UdpOptions, UdpSocket, UdpStats},
};

/// A worker's UDP sockets.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    all: Vec<UdpSocket>,
    /// What each has done so far as it was counted.
    counted: Vec<UdpStats>,
}

impl Sockets {
    /// Takes sockets that are bound, on the current runtime.
    pub(super) fn new(bound: Vec<std::net::UdpSocket>) -> io::Result<Self> {
        let options = UdpOptions::default();
        let all: Vec<UdpSocket> = bound
            .into_iter()
            .map(|socket| UdpSocket::from_std(socket, &options))
            .collect::<io::Result<_>>()?;
        let counted = vec![UdpStats::default(); all.len()];
        Ok(Self { all, counted })
    }

    /// Waits until one of them has datagrams; for ever where there is none.
    pub(super) async fn readable(&self) {
        poll_fn(|cx| {
            // All are asked, so that each knows whom to wake.
            let mut is_ready = false;
            for socket in &self.all {
                is_ready |= socket.poll_readable(cx).is_ready();
            }
            if is_ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Takes what one of them gives at a time; false when it has nothing.
    pub(super) fn receive(&mut self, index: usize, mut take: impl FnMut(Flow, &mut [u8])) -> bool {
        let Some(socket) = self.all.get_mut(index) else { return false };
        let mut take = |destination: Destination, datagram: &mut [u8]| {
            take(Flow { destination, transport: Transport::Udp }, datagram);
        };
        match socket.try_receive(&mut take) {
            Ok(_) => true,
            // Others than this tell of a datagram that was sent before.
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Sends all of it, each datagram from the address that its peer knows.
    pub(super) fn send(&mut self, arena: &SendArena, tally: &mut Tally) {
        if arena.is_empty() {
            return;
        }
        match self.all.as_mut_slice() {
            [] => {}
            [socket] => socket.send(arena),
            _ => {
                for run in arena.runs() {
                    let place = self.place(&run.destination);
                    if let Some(socket) = self.all.get_mut(place) {
                        for datagram in arena.datagrams(run) {
                            socket.send_one(run.destination, datagram);
                        }
                    }
                }
            }
        }
        for (socket, counted) in self.all.iter().zip(&mut self.counted) {
            let stats = socket.stats();
            let unsent = |stats: &UdpStats| stats.dropped_full + stats.dropped_refused;
            tally.sent += stats.sent - counted.sent;
            tally.unsent += unsent(&stats) - unsent(counted);
            *counted = stats;
        }
    }
}

impl Sockets {
    /// The socket that a datagram has to leave by.
    fn place(&self, destination: &Destination) -> usize {
        let fits = |socket: &UdpSocket| {
            let own = socket.local_addr().ip();
            match destination.local_ip {
                Some(ip) if !own.is_unspecified() => own.to_canonical() == ip.to_canonical(),
                _ => own.is_ipv4() == destination.peer.is_ipv4(),
            }
        };
        self.all.iter().position(fits).unwrap_or(0)
    }
}
