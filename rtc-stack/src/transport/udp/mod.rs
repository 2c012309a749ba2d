//! The UDP socket of a shard: several may share one port, and each gets its share of the peers.
//!
//! Datagrams are received many at a time (GRO, `recvmmsg`) with the local address that the peer
//! wrote to, and an arena of them is sent with as few system calls as the system allows: runs of
//! equal sizes by segmentation offload, several runs by one `sendmmsg`. What the system doesn't take
//! at once is dropped and counted: media that waits is media too late.

#[cfg(target_os = "linux")]
mod mmsg;

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;

use crate::arena::{Destination, Run, SendArena};

/// Bytes of the longest datagram received where the system does not join them.
const LONGEST: usize = 2048;
/// Bytes of datagrams joined by the system.
const LONGEST_JOINED: usize = 64 * 1024;

/// How a socket is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpOptions {
    /// Bytes that the system should keep for us. It may keep fewer. Default 4 MiB.
    pub receive_buffer: usize,
    /// Bytes that the system should take from us at once. It may take fewer. Default 4 MiB.
    pub send_buffer: usize,
    /// Whether other sockets may have the same port and share its peers. Default `false`: where the system chooses the
    /// port, it may choose one that others have who share theirs.
    pub is_shared: bool,
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self { receive_buffer: 4 << 20, send_buffer: 4 << 20, is_shared: false }
    }
}

/// What a socket has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UdpStats {
    /// System calls that received something.
    pub receive_calls: u64,
    /// Datagrams received.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// System calls that were to send something.
    pub send_calls: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Datagrams dropped since the system's buffer was full.
    pub dropped_full: u64,
    /// Datagrams dropped since the system refused them: no route, a wrong local address.
    pub dropped_refused: u64,
}

/// A socket with its buffers.
#[derive(Debug)]
pub struct UdpSocket {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// Whether runs go out whole; elsewhere than on Linux they never do.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    has_segmentation: bool,
    room: usize,
    buffer: Vec<u8>,
    stats: UdpStats,
}

impl UdpSocket {
    /// Opens a socket; an unspecified IPv6 address takes IPv4 peers too. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system's, when the address is taken or none of this machine.
    pub fn bind(address: SocketAddr, options: &UdpOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        #[cfg(target_os = "linux")]
        socket.set_reuse_port(options.is_shared)?;
        socket.bind(&address.into())?;
        Self::from_std(socket.into(), options)
    }

    /// Takes a socket that is bound. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// The system's, when it takes the socket for none of UDP.
    pub fn from_std(socket: std::net::UdpSocket, options: &UdpOptions) -> io::Result<Self> {
        let sizes = SockRef::from(&socket);
        // The system grants what it is configured to, and says nothing about the rest.
        let _ = sizes.set_recv_buffer_size(options.receive_buffer);
        let _ = sizes.set_send_buffer_size(options.send_buffer);
        socket.set_nonblocking(true)?;
        let io = tokio::net::UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        let room = if state.gro_segments() > 1 { LONGEST_JOINED } else { LONGEST };
        let local = io.local_addr()?;
        Ok(Self {
            local,
            has_segmentation: state.max_gso_segments() > 1,
            room,
            buffer: vec![0; room.saturating_mul(BATCH_SIZE)],
            state,
            io,
            stats: UdpStats::default(),
        })
    }

    /// The address that the socket is bound to.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What the socket has done so far.
    pub const fn stats(&self) -> UdpStats {
        self.stats
    }

    /// Waits for datagrams and gives each to `take`, with the peer and the local address that it came to.
    /// Answers how many there were. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// The system's. Those that tell of a datagram sent earlier are left out.
    pub async fn receive(
        &mut self,
        mut take: impl FnMut(Destination, &mut [u8]),
    ) -> io::Result<usize> {
        loop {
            self.io.readable().await?;
            match self.try_receive(&mut take) {
                Ok(count) => return Ok(count),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether there may be datagrams for [`try_receive`](Self::try_receive); else the task is woken when there are.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_recv_ready(cx)
    }

    /// What [`receive`](Self::receive) does, without waiting.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when there is nothing.
    pub fn try_receive(
        &mut self,
        take: &mut impl FnMut(Destination, &mut [u8]),
    ) -> io::Result<usize> {
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let mut rooms = self.buffer.chunks_mut(self.room);
        let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(rooms.next().unwrap_or_default()));
        let mut filled = 0;
        let tried = self.io.try_io(Interest::READABLE, || {
            filled = self.state.recv(UdpSockRef::from(&self.io), &mut slices, &mut metas)?;
            // Where several are received at a time, fewer than there is room for are all there are: to be told so
            // again would be a call for nothing each time that something comes.
            let is_drained = cfg!(target_os = "linux") && filled < BATCH_SIZE;
            if is_drained { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        if filled == 0 {
            tried?;
        }
        self.stats.receive_calls = self.stats.receive_calls.saturating_add(1);
        let mut count: usize = 0;
        for (room, meta) in self.buffer.chunks_mut(self.room).zip(metas).take(filled) {
            let from = Destination {
                peer: canonical(meta.addr),
                local_ip: meta.dst_ip.map(|ip| ip.to_canonical()),
            };
            let joined = room.get_mut(..meta.len).unwrap_or_default();
            for datagram in joined.chunks_mut(meta.stride.max(1)) {
                count = count.saturating_add(1);
                take(from, datagram);
            }
            add(&mut self.stats.received_bytes, meta.len);
        }
        add(&mut self.stats.received, count);
        Ok(count)
    }

    /// Sends all datagrams of an arena, and never waits.
    pub fn send(&mut self, arena: &SendArena) {
        #[cfg(target_os = "linux")]
        self.send_together(arena);
        #[cfg(not(target_os = "linux"))]
        self.send_singly(arena, arena.runs());
    }

    /// Sends one datagram, and never waits.
    pub fn send_one(&mut self, destination: Destination, datagram: &[u8]) {
        self.send_datagram(destination, datagram);
    }

    #[cfg(target_os = "linux")]
    fn send_together(&mut self, arena: &SendArena) {
        use std::os::fd::AsFd;

        let mut rest = arena.runs();
        while !rest.is_empty() {
            let mut messages = [const { None }; mmsg::BATCH];
            let mut count: usize = 0;
            for (run, place) in rest.iter().zip(&mut messages) {
                if run.segments() > 1 && !self.has_segmentation {
                    break;
                }
                *place = Some(self.message(arena, run));
                count = count.saturating_add(1);
            }
            if count == 0 {
                rest = self.send_first_singly(arena, rest);
                continue;
            }
            let empty =
                mmsg::Message { peer: self.local, local_ip: None, bytes: &[], segment_size: None };
            let messages = messages.map(|message| message.unwrap_or(empty));
            add(&mut self.stats.send_calls, 1);
            match mmsg::send(self.io.as_fd(), messages.get(..count).unwrap_or_default()) {
                Ok(sent) => {
                    let (done, after) = rest.split_at_checked(sent.max(1)).unwrap_or((rest, &[]));
                    rest = after;
                    for run in done {
                        add(&mut self.stats.sent, run.segments());
                        add(&mut self.stats.sent_bytes, run.length);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let dropped = rest.iter().map(Run::segments).fold(0, usize::saturating_add);
                    add(&mut self.stats.dropped_full, dropped);
                    return;
                }
                Err(error) => rest = self.after_refusal(arena, rest, &error),
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn message<'a>(&self, arena: &'a SendArena, run: &Run) -> mmsg::Message<'a> {
        let size = u16::try_from(run.segment_size).ok().filter(|_| run.segments() > 1);
        mmsg::Message {
            peer: self.in_family(run.destination.peer),
            local_ip: run.destination.local_ip,
            bytes: arena.bytes(run),
            segment_size: size,
        }
    }

    /// A run that was refused goes out datagram by datagram; what is one datagram already is dropped.
    #[cfg(target_os = "linux")]
    fn after_refusal<'a>(
        &mut self,
        arena: &SendArena,
        runs: &'a [Run],
        error: &io::Error,
    ) -> &'a [Run] {
        let is_run = runs.first().is_some_and(|run| run.segments() > 1);
        match error.raw_os_error() {
            Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP) if is_run => {
                // EIO: the device cannot, whatever the run.
                if error.raw_os_error() == Some(libc::EIO) {
                    self.has_segmentation = false;
                }
                self.send_first_singly(arena, runs)
            }
            _ => {
                add(&mut self.stats.dropped_refused, runs.first().map_or(0, Run::segments));
                runs.get(1..).unwrap_or_default()
            }
        }
    }

    #[cfg(target_os = "linux")]
    fn send_first_singly<'a>(&mut self, arena: &SendArena, runs: &'a [Run]) -> &'a [Run] {
        let (first, rest) = runs.split_at_checked(1).unwrap_or_default();
        self.send_singly(arena, first);
        rest
    }

    /// One system call a datagram: what every system can.
    fn send_singly(&mut self, arena: &SendArena, runs: &[Run]) {
        for run in runs {
            for datagram in arena.datagrams(run) {
                self.send_datagram(run.destination, datagram);
            }
        }
    }

    fn send_datagram(&mut self, destination: Destination, datagram: &[u8]) {
        let transmit = Transmit {
            destination: self.in_family(destination.peer),
            ecn: None,
            contents: datagram,
            segment_size: None,
            src_ip: destination.local_ip,
        };
        add(&mut self.stats.send_calls, 1);
        match self.state.try_send(UdpSockRef::from(&self.io), &transmit) {
            Ok(()) => {
                add(&mut self.stats.sent, 1);
                add(&mut self.stats.sent_bytes, datagram.len());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                add(&mut self.stats.dropped_full, 1);
            }
            Err(_) => add(&mut self.stats.dropped_refused, 1),
        }
    }

    /// A dual-stack socket has IPv4 peers under IPv6 addresses.
    fn in_family(&self, peer: SocketAddr) -> SocketAddr {
        match (self.local.ip(), peer.ip()) {
            (IpAddr::V6(_), IpAddr::V4(ip)) => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), peer.port())
            }
            _ => peer,
        }
    }
}

/// An IPv4 peer under its own address, whatever the socket.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V4(ip), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Whether an error says nothing about the socket: there is nothing, or an earlier datagram came back.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
        WouldBlock,
    };
    matches!(
        error.kind(),
        WouldBlock
            | Interrupted
            | ConnectionReset
            | ConnectionRefused
            | HostUnreachable
            | NetworkUnreachable
    )
}

fn add(counter: &mut u64, more: usize) {
    *counter = counter.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests;
