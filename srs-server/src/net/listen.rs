//! Listening sockets: dual-stack, bound by configuration.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;
use tracing::warn;

/// Connections the kernel may hold for us before we accept them.
const BACKLOG: i32 = 4096;
/// Silence after which the kernel asks whether the peer is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// An address that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{what}: cannot listen on {address}: {source}")]
pub struct BindError {
    what: &'static str,
    address: SocketAddr,
    source: io::Error,
}

/// A listening socket and the address it got.
#[derive(Debug)]
pub struct Bound {
    /// The socket, non-blocking.
    pub listener: TcpListener,
    /// Its address, with the port that the system chose where 0 was asked for.
    pub address: SocketAddr,
}

/// Listens on every one of `addresses` for `what`.
///
/// # Errors
/// The first address that is taken or refused, unless they are `optional`: then that is only a
/// warning.
pub fn bind(
    what: &'static str,
    addresses: &[SocketAddr],
    optional: bool,
) -> Result<Vec<Bound>, BindError> {
    bind_each(what, addresses, optional, listen_on)
}

fn bind_each<T>(
    what: &'static str,
    addresses: &[SocketAddr],
    optional: bool,
    bind: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<Vec<T>, BindError> {
    let mut bound = Vec::new();
    for &address in addresses {
        match bind(address) {
            Ok(one) => bound.push(one),
            Err(source) => {
                let error = BindError { what, address, source };
                if !optional {
                    return Err(error);
                }
                warn!("{error}; going on without");
            }
        }
    }
    Ok(bound)
}

/// The sockets that share one UDP address, and the address.
#[derive(Debug)]
pub struct BoundUdp {
    /// The sockets, non-blocking; by flow each gets its part of what comes.
    pub sockets: Vec<UdpSocket>,
    /// Their address, with the port that the system chose where 0 was asked for.
    pub address: SocketAddr,
}

/// Binds every one of `addresses` for `what`, with so many sockets each where the system lets
/// sockets share an address; elsewhere with one.
///
/// # Errors
/// As [`bind`].
pub fn bind_udp(
    what: &'static str,
    addresses: &[SocketAddr],
    sockets: usize,
    optional: bool,
) -> Result<Vec<BoundUdp>, BindError> {
    bind_each(what, addresses, optional, |address| share(address, sockets))
}

fn share(address: SocketAddr, sockets: usize) -> io::Result<BoundUdp> {
    let first = match open_udp(address, false) {
        // As for TCP: a host without IPv6.
        Err(error)
            if address.ip().is_unspecified()
                && address.is_ipv6()
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            open_udp((Ipv4Addr::UNSPECIFIED, address.port()).into(), false)?
        }
        result => result?,
    };
    let address = first.local_addr()?;
    let mut all = vec![first];
    // The first is bound alone, so that an address which another server has is taken, whatever that
    // server would share; ours may join it then.
    #[cfg(target_os = "linux")]
    {
        SockRef::from(&all[0]).set_reuse_port(true)?;
        for _ in 1..sockets {
            all.push(open_udp(address, true)?);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = sockets;
    all.truncate(sockets.max(1));
    Ok(BoundUdp { sockets: all, address })
}

fn open_udp(address: SocketAddr, _is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(_is_shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn listen_on(address: SocketAddr) -> io::Result<Bound> {
    match open(address) {
        // A host without IPv6: its own wildcard then means IPv4's.
        Err(error)
            if address.ip().is_unspecified()
                && address.is_ipv6()
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            open((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        result => result,
    }
}

fn open(address: SocketAddr) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restarted server takes its port back while old connections are in TIME_WAIT.
    // Elsewhere than on Unix the option would let two servers share a port.
    if cfg!(unix) {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

/// Sets up an accepted socket on the current runtime.
///
/// The send buffer is bounded, since it is memory that each viewer takes; a peer that vanished
/// without a word is found by keep-alive, for a player may have nothing to say for hours.
///
/// # Errors
/// The socket is gone already.
pub fn prepare(socket: std::net::TcpStream, send_buffer: usize) -> io::Result<TcpStream> {
    let options = SockRef::from(&socket);
    options.set_tcp_nodelay(true)?;
    options.set_send_buffer_size(send_buffer)?;
    options.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEP_ALIVE))?;
    TcpStream::from_std(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_fatal_only_where_it_was_asked_for() {
        let first = bind("rtmp", &[any()], false).unwrap().remove(0);
        let taken = [first.address];
        assert!(bind("rtmp", &taken, true).unwrap().is_empty());
        let error = bind("rtmp", &taken, false).unwrap_err().to_string();
        assert!(error.starts_with(&format!("rtmp: cannot listen on {}: ", taken[0])), "{error}");
    }

    #[test]
    fn the_wildcard_takes_ipv4_too() {
        let bound = bind("rtmp", &[any()], false).unwrap().remove(0);
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, bound.address.port())).unwrap();
    }

    #[test]
    fn udp_sockets_share_their_port_with_nobody_else() {
        let first = bind_udp("rtc", &[any()], 3, false).unwrap().remove(0);
        if cfg!(target_os = "linux") {
            assert_eq!(first.sockets.len(), 3);
        }
        for socket in &first.sockets {
            assert_eq!(socket.local_addr().unwrap(), first.address);
        }
        let error = bind_udp("rtc", &[first.address], 3, false).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("rtc: cannot listen on {}: ", first.address)),
            "{error}"
        );
        assert!(bind_udp("rtc", &[first.address], 1, true).unwrap().is_empty());
    }

    fn any() -> SocketAddr {
        "[::]:0".parse().unwrap()
    }
}
