//! A connected UDP socket that receives many datagrams at a time, into memory that all clients of
//! a thread share.

use std::{
    cell::RefCell,
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};

use crate::target;

/// Joined datagrams that one call receives, and the bytes of each.
const BATCH: usize = 8;
const JOINED: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; BATCH * JOINED]);
}

pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
}

impl Socket {
    /// Opens the socket of client `index`, for one peer.
    pub(super) async fn connect(index: u32, peer: SocketAddr) -> io::Result<Self> {
        let source = match peer {
            SocketAddr::V4(_) if target::needs_source(index) => target::source_of(index),
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let io = UdpSocket::bind((source, 0)).await?;
        io.connect(peer).await?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        Ok(Self { io, state })
    }

    /// Waits for datagrams, and hands each to `take`. How many bytes came.
    pub(super) async fn receive(&self, mut take: impl FnMut(&mut [u8])) -> io::Result<usize> {
        loop {
            self.io.readable().await?;
            match self.try_receive(&mut take) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }

    fn try_receive(&self, take: &mut impl FnMut(&mut [u8])) -> io::Result<usize> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut metas = [RecvMeta::default(); BATCH];
            let mut rooms = scratch.chunks_mut(JOINED);
            let mut slices: [IoSliceMut<'_>; BATCH] =
                std::array::from_fn(|_| IoSliceMut::new(rooms.next().unwrap_or_default()));
            let filled = self.io.try_io(Interest::READABLE, || {
                self.state.recv(UdpSockRef::from(&self.io), &mut slices, &mut metas)
            })?;
            let mut bytes = 0;
            for (room, meta) in scratch.chunks_mut(JOINED).zip(&metas[..filled]) {
                room[..meta.len].chunks_mut(meta.stride.max(1)).for_each(&mut *take);
                bytes += meta.len;
            }
            Ok(bytes)
        })
    }

    /// Sends a datagram; what the system doesn't take is lost.
    pub(super) fn send(&self, datagram: &[u8]) {
        let _ = self.io.try_send(datagram);
    }
}
