//! Where to connect to, and from where.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};

/// A source address has some 28,000 ports to one target; this many are safely free.
const CLIENTS_PER_ADDRESS: u32 = 20_000;
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub(crate) enum TargetError {
    #[error("{host}: {source}")]
    Lookup { host: String, source: io::Error },
    #[error("{host}: no such host")]
    NoAddress { host: String },
    #[error("{host} is {address}: only loopback addresses are allowed")]
    NotLoopback { host: String, address: IpAddr },
}

/// A server on this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target(SocketAddr);

impl Target {
    /// Finds the server; refuses every address but those of this machine.
    pub(crate) async fn of(host: &str, port: u16) -> Result<Self, TargetError> {
        let lookup = timeout(LOOKUP_TIMEOUT, lookup_host((host, port))).await;
        let host = host.to_owned();
        let found = lookup
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| TargetError::Lookup { host: host.clone(), source })?;
        let mut first = None;
        for address in found {
            if !address.ip().to_canonical().is_loopback() {
                return Err(TargetError::NotLoopback { host, address: address.ip() });
            }
            // A name with both kinds means IPv4: it has many addresses to come from.
            if first.is_none_or(|first: SocketAddr| first.is_ipv6() && address.is_ipv4()) {
                first = Some(address);
            }
        }
        first.map(Self).ok_or(TargetError::NoAddress { host })
    }

    /// Another port of the server.
    pub(crate) fn with_port(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.0.ip().to_canonical(), port)
    }

    /// Connects client `index`, from 127.0.0.1 or, where there are more than its ports, from
    /// 127.0.0.2 and so on.
    pub(crate) async fn connect(self, index: u32) -> io::Result<TcpStream> {
        let socket = match self.0 {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if self.0.is_ipv4() && needs_source(index) {
            socket.bind((source_of(index), 0).into())?;
        }
        let stream = socket.connect(self.0).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Whether client `index` needs an address of its own to come from.
const fn needs_source(index: u32) -> bool {
    index >= CLIENTS_PER_ADDRESS
}

fn source_of(index: u32) -> IpAddr {
    let first = u32::from(Ipv4Addr::LOCALHOST);
    Ipv4Addr::from(first + index / CLIENTS_PER_ADDRESS).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_this_machine_is_a_target() {
        for host in ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"] {
            Target::of(host, 1935).await.unwrap();
        }
        for host in ["192.0.2.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1"] {
            let error = Target::of(host, 1935).await.unwrap_err();
            assert!(matches!(error, TargetError::NotLoopback { .. }), "{error}");
        }
    }

    #[test]
    fn sources_change_before_their_ports_run_out() {
        assert_eq!(source_of(19_999), IpAddr::from([127, 0, 0, 1]));
        assert_eq!(source_of(20_000), IpAddr::from([127, 0, 0, 2]));
        assert_eq!(source_of(999_999), IpAddr::from([127, 0, 0, 50]));
    }
}
