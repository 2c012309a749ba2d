//! The addresses that a description names (RFC 8839, RFC 6544).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// How a candidate carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateProtocol {
    /// UDP.
    Udp,
    /// TCP, and this side waits for the connection.
    TcpPassive,
    /// TCP, and this side connects.
    TcpActive,
    /// TCP, and both sides connect.
    TcpSimultaneous,
}

/// Where a candidate's address was learnt (RFC 8445, 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// An interface.
    Host,
    /// A STUN server.
    ServerReflexive,
    /// A connectivity check.
    PeerReflexive,
    /// A TURN server.
    Relayed,
}

/// An address that may reach one side (`a=candidate`, RFC 8839, 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Candidate {
    /// What candidates of the same origin have in common.
    pub foundation: String,
    /// 1 for RTP, 2 for RTCP.
    pub component: u16,
    /// How it carries packets.
    pub protocol: CandidateProtocol,
    /// The higher, the sooner it is tried.
    pub priority: u32,
    /// The address, or a name: browsers hide their addresses behind names in `.local`.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Where the address was learnt.
    pub kind: CandidateKind,
}

impl Candidate {
    /// An interface's address that carries RTP and RTCP; `place` is its place among its kind, the first being 0.
    pub fn host(address: SocketAddr, protocol: CandidateProtocol, place: u16) -> Self {
        // RFC 8445, 5.1.2.1: UDP by the preference that is recommended for a host. RFC 6544, 4.2: TCP stands behind
        // every UDP candidate, its direction in the upper three bits of the local preference.
        let (preference, local, letter) = match protocol {
            CandidateProtocol::Udp => (126u32, 65_535u16.saturating_sub(place), 'u'),
            CandidateProtocol::TcpActive => (90, tcp_preference(6, place), 'a'),
            CandidateProtocol::TcpPassive => (90, tcp_preference(4, place), 't'),
            CandidateProtocol::TcpSimultaneous => (90, tcp_preference(2, place), 's'),
        };
        Self {
            foundation: format!("{letter}{place}"),
            component: 1,
            protocol,
            priority: (preference << 24) | (u32::from(local) << 8) | 0xff,
            host: address.ip().to_string(),
            port: address.port(),
            kind: CandidateKind::Host,
        }
    }

    /// Reads the value of `a=candidate`; `None` for what this crate doesn't know, as for what is malformed.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.strip_prefix("candidate:").unwrap_or(value);
        let mut words = value.split_ascii_whitespace();
        let foundation = words.next()?;
        let component = words.next()?.parse().ok()?;
        let transport = words.next()?;
        let priority = words.next()?.parse().ok()?;
        let host = words.next()?;
        let port = words.next()?.parse().ok()?;
        if foundation.len() > 32 || host.len() > 255 || words.next()? != "typ" {
            return None;
        }
        let kind = match words.next()? {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relayed,
            _ => return None,
        };
        let mut tcp_type = None;
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            if name == "tcptype" {
                tcp_type = Some(value);
            }
        }
        let protocol = if transport.eq_ignore_ascii_case("udp") {
            CandidateProtocol::Udp
        } else if transport.eq_ignore_ascii_case("tcp") {
            match tcp_type? {
                "passive" => CandidateProtocol::TcpPassive,
                "active" => CandidateProtocol::TcpActive,
                "so" => CandidateProtocol::TcpSimultaneous,
                _ => return None,
            }
        } else {
            return None;
        };
        let (foundation, host) = (foundation.to_owned(), host.to_owned());
        Some(Self { foundation, component, protocol, priority, host, port, kind })
    }

    /// The address with its port; `None` for a name.
    pub fn address(&self) -> Option<SocketAddr> {
        let host: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(host, self.port))
    }
}

fn tcp_preference(direction: u16, place: u16) -> u16 {
    (direction << 13) | 0x1fff_u16.saturating_sub(place)
}

impl fmt::Display for Candidate {
    /// The value of `a=candidate`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (transport, tcp_type) = match self.protocol {
            CandidateProtocol::Udp => ("udp", ""),
            CandidateProtocol::TcpPassive => ("tcp", " tcptype passive"),
            CandidateProtocol::TcpActive => ("tcp", " tcptype active"),
            CandidateProtocol::TcpSimultaneous => ("tcp", " tcptype so"),
        };
        let kind = match self.kind {
            CandidateKind::Host => "host",
            CandidateKind::ServerReflexive => "srflx",
            CandidateKind::PeerReflexive => "prflx",
            CandidateKind::Relayed => "relay",
        };
        let Self { foundation, component, priority, host, port, .. } = self;
        write!(f, "{foundation} {component} {transport} {priority} {host} {port} typ {kind}")?;
        // RFC 8839, 5.1: whoever isn't a host has a related address, which may be hidden so.
        if self.kind != CandidateKind::Host {
            f.write_str(" raddr 0.0.0.0 rport 0")?;
        }
        f.write_str(tcp_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_of_the_specifications_are_read() {
        // RFC 8839, 5.1.
        let srflx = Candidate::parse(
            "2 1 UDP 1694498815 203.0.113.141 45664 typ srflx raddr 198.51.100.9 rport 8998",
        )
        .unwrap();
        assert_eq!(srflx.kind, CandidateKind::ServerReflexive);
        assert_eq!(srflx.address(), Some("203.0.113.141:45664".parse().unwrap()));
        // RFC 6544, 4.5.
        let tcp =
            Candidate::parse("1 1 TCP 2128609279 10.0.1.1 9 typ host tcptype active").unwrap();
        assert_eq!(tcp.protocol, CandidateProtocol::TcpActive);
        let name = Candidate::parse(
            "343366911 1 udp 2113937151 9486d4b6-c482-490d-88e9-a98020b199ce.local 41901 typ host generation 0",
        )
        .unwrap();
        assert_eq!(name.address(), None);
    }

    #[test]
    fn a_host_has_the_recommended_priority() {
        let address = "192.0.2.1:8000".parse().unwrap();
        let udp = Candidate::host(address, CandidateProtocol::Udp, 0);
        assert_eq!(udp.to_string(), "u0 1 udp 2130706431 192.0.2.1 8000 typ host");
        let tcp = Candidate::host(address, CandidateProtocol::TcpPassive, 0);
        assert!(tcp.priority < udp.priority);
        for candidate in [udp, tcp] {
            assert_eq!(Candidate::parse(&candidate.to_string()), Some(candidate));
        }
    }

    #[test]
    fn half_a_candidate_is_none() {
        let whole = "1 1 tcp 2128609279 10.0.1.1 9 typ host tcptype passive";
        for end in 0..whole.len() {
            assert_eq!(Candidate::parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(Candidate::parse("1 1 ssltcp 1 10.0.1.1 443 typ host"), None);
        assert_eq!(Candidate::parse("1 1 udp 1 10.0.1.1 70000 typ host"), None);
    }
}
