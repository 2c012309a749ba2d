//! The addresses that descriptions offer to peers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses may be offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// IPv4 alone.
    #[default]
    Ipv4,
    /// IPv6 alone.
    Ipv6,
    /// Both, IPv4 first.
    All,
}

impl Family {
    const fn takes(self, ip: &IpAddr) -> bool {
        match self {
            Self::Ipv4 => ip.is_ipv4(),
            Self::Ipv6 => ip.is_ipv6(),
            Self::All => true,
        }
    }
}

/// Where the addresses come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CandidateSource {
    /// These, in this order, whatever the family.
    Explicit(Vec<IpAddr>),
    /// Those of the machine's interfaces.
    Automatic,
}

/// The addresses to offer, without repetition. There is at least one, unless an explicit list is empty.
///
/// # Errors
///
/// The system's error when it doesn't tell its interfaces.
pub fn candidates(source: &CandidateSource, family: Family) -> io::Result<Vec<IpAddr>> {
    match source {
        CandidateSource::Explicit(list) => Ok(without_repetition(list.clone())),
        CandidateSource::Automatic => Ok(choose(interface_addresses()?, family)),
    }
}

/// Whether peers elsewhere in the world cannot reach any of these addresses.
pub fn are_private(candidates: &[IpAddr]) -> bool {
    candidates.iter().all(is_private)
}

fn is_private(ip: &IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // 100.64.0.0/10 is a provider's own (RFC 6598).
            let is_shared = a == 100 && b & 0xc0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// What is good of the machine's addresses: loopback only where there is nothing else.
fn choose(found: Vec<IpAddr>, family: Family) -> Vec<IpAddr> {
    let is_good = |ip: &IpAddr| {
        let is_link_local = match ip {
            // They say nothing without the interface, which a description has no place for.
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        let is_unusable = ip.is_loopback() || ip.is_unspecified() || ip.is_multicast();
        family.takes(ip) && !is_link_local && !is_unusable
    };
    let mut good: Vec<_> = found.into_iter().filter(is_good).collect();
    if good.is_empty() {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        good.extend(loopback.iter().filter(|ip| family.takes(ip)));
    }
    // The first should be IPv4, and one that the world reaches rather than another.
    good.sort_by_key(|ip| (ip.is_ipv6(), is_private(ip)));
    without_repetition(good)
}

fn without_repetition(list: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut unique = Vec::with_capacity(list.len());
    for ip in list {
        if !unique.contains(&ip) {
            unique.push(ip);
        }
    }
    unique
}

#[cfg(unix)]
fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    use nix::net::if_::InterfaceFlags;

    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let is_up = interface.flags.contains(InterfaceFlags::IFF_UP);
        let address = interface.address.filter(|_| is_up)?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    Ok(nix::ifaddrs::getifaddrs()?.filter_map(address).collect())
}

#[cfg(not(unix))]
fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(text: &str) -> Vec<IpAddr> {
        text.split_whitespace().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn the_machine_offers_at_least_one_of_each_family() {
        for family in [Family::Ipv4, Family::Ipv6, Family::All] {
            let found = candidates(&CandidateSource::Automatic, family).unwrap();
            assert!(!found.is_empty() && found.iter().all(|ip| family.takes(ip)), "{found:?}");
        }
    }

    #[test]
    fn loopback_is_offered_only_where_there_is_nothing_else() {
        let found =
            ips("127.0.0.1 ::1 fe80::1 169.254.1.1 2001:db8::1 10.0.0.1 192.0.2.1 10.0.0.1");
        assert_eq!(choose(found.clone(), Family::Ipv4), ips("192.0.2.1 10.0.0.1"));
        assert_eq!(choose(found.clone(), Family::Ipv6), ips("2001:db8::1"));
        assert_eq!(choose(found, Family::All), ips("192.0.2.1 10.0.0.1 2001:db8::1"));
        assert_eq!(choose(ips("127.0.0.1 ::1"), Family::Ipv4), ips("127.0.0.1"));
        assert_eq!(choose(ips("10.0.0.1"), Family::Ipv6), ips("::1"));
    }

    #[test]
    fn an_explicit_list_is_taken_as_it_is() {
        let list = CandidateSource::Explicit(ips("127.0.0.1 2001:db8::1 127.0.0.1"));
        let taken = candidates(&list, Family::Ipv4).unwrap();
        assert_eq!(taken, ips("127.0.0.1 2001:db8::1"));
    }

    #[test]
    fn private_addresses_are_known() {
        assert!(are_private(&ips(
            "10.1.2.3 172.16.0.1 192.168.1.1 127.0.0.1 100.64.0.1 fd00::1 ::1"
        )));
        assert!(!are_private(&ips("10.1.2.3 192.0.2.1")));
        assert!(!are_private(&ips("100.128.0.1")));
        assert!(!are_private(&ips("2001:db8::1")));
    }
}
