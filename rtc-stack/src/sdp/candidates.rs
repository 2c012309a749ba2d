use std::net::SocketAddr;

use super::{Candidate, CandidateProtocol};

/// An address of ours at which a peer reaches us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostCandidate {
    /// Where packets are to go, as the peer sees it.
    pub address: SocketAddr,
    /// Whether by TCP, in frames of RFC 4571; we wait for the connection. Otherwise by UDP.
    pub tcp: bool,
}

impl HostCandidate {
    /// An address for UDP.
    pub const fn udp(address: SocketAddr) -> Self {
        Self { address, tcp: false }
    }

    /// An address that takes TCP connections.
    pub const fn tcp(address: SocketAddr) -> Self {
        Self { address, tcp: true }
    }
}

/// The candidates as they are announced, the first the one that small clients take: UDP before TCP, IPv4 before IPv6,
/// otherwise in the order given, each once.
pub(super) fn announced(hosts: &[HostCandidate]) -> Vec<Candidate> {
    let mut sorted: Vec<HostCandidate> = Vec::with_capacity(hosts.len());
    for host in hosts {
        if !sorted.contains(host) {
            sorted.push(*host);
        }
    }
    sorted.sort_by_key(|host| (host.tcp, host.address.is_ipv6()));
    let mut places = [0u16; 2];
    let candidate = |host: HostCandidate| {
        let [udp, tcp] = &mut places;
        let (place, protocol) = match host.tcp {
            true => (tcp, CandidateProtocol::TcpPassive),
            false => (udp, CandidateProtocol::Udp),
        };
        let candidate = Candidate::host(host.address, protocol, *place);
        *place = place.saturating_add(1);
        candidate
    };
    sorted.into_iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn udp_over_ipv4_comes_first_and_priorities_fall() {
        let addresses = ["[2001:db8::1]:8000", "192.0.2.1:8000", "192.0.2.2:8000"];
        let addresses = addresses.map(|address| address.parse().unwrap());
        let hosts: Vec<_> = addresses
            .iter()
            .flat_map(|address| [HostCandidate::tcp(*address), HostCandidate::udp(*address)])
            .chain([HostCandidate::udp(addresses[0])])
            .collect();
        let announced = announced(&hosts);
        assert_eq!(announced.len(), 6);
        assert_eq!(announced[0].host, "192.0.2.1");
        assert_eq!(announced[2].host, "2001:db8::1");
        assert_eq!(announced[3].protocol, CandidateProtocol::TcpPassive);
        assert!(announced.windows(2).all(|pair| pair[0].priority > pair[1].priority));
    }
}
