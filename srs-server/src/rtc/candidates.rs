//! The addresses at which clients are told to reach the server.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rtc_stack::{
    sdp::HostCandidate,
    transport::candidates::{CandidateSource, Family, are_private, candidates},
};
use srs_config::RtcServer;
use tokio::{net::lookup_host, sync::Semaphore, time::timeout};
use tracing::{info, warn};

/// How long a name may take to be resolved.
const RESOLVE: Duration = Duration::from_secs(2);
/// Names that are resolved at one time: clients choose them.
const RESOLVING: usize = 8;
/// Most addresses that one client is told.
const MOST: usize = 16;

/// Where the server listens.
#[derive(Debug)]
pub struct Candidates {
    udp: Vec<SocketAddr>,
    tcp: Vec<SocketAddr>,
    resolving: Arc<Semaphore>,
}

/// What one client says of how it reaches the server.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// An address of the query, with a port or without.
    pub asked: &'a str,
    /// The host that the request was sent to, without its port.
    pub host: &'a str,
}

/// A place where clients may reach the server: with a port where it isn't the server's own, as
/// behind a router that translates.
type Place = (IpAddr, Option<u16>);

impl Candidates {
    /// Those of a server that listens here.
    pub fn new(udp: Vec<SocketAddr>, tcp: Vec<SocketAddr>) -> Self {
        Self { udp, tcp, resolving: Arc::new(Semaphore::new(RESOLVING)) }
    }

    /// What a client is told: what it asks for itself first, then what is configured, then the host
    /// that it reached, then the addresses of this machine.
    pub async fn hosts(&self, server: &RtcServer, hints: Hints<'_>) -> Vec<HostCandidate> {
        let mut places: Vec<Place> = place(hints.asked).into_iter().collect();
        for name in configured(server) {
            match place(name) {
                Some(place) => places.push(place),
                None => places.extend(self.resolve(server, name).await),
            }
        }
        if server.api_as_candidates {
            let host = hints.host.trim_start_matches('[').trim_end_matches(']');
            match host.parse::<IpAddr>() {
                Ok(ip) => places.push((ip.to_canonical(), None)),
                // Where only ports are forwarded, as into a container, nothing else is reachable.
                Err(_) if host.eq_ignore_ascii_case("localhost") => {
                    places.push((Ipv4Addr::LOCALHOST.into(), None));
                }
                Err(_) if server.resolve_api_domain && !host.is_empty() => {
                    places.extend(self.resolve(server, host).await);
                }
                Err(_) => {}
            }
        }
        places.extend(self.automatic(server));
        places.truncate(MOST);
        self.at(server, &places)
    }

    /// Logs what clients are told that say nothing themselves.
    pub fn tell(&self, server: &RtcServer) {
        let mut places: Vec<Place> = configured(server).filter_map(place).collect();
        let names: Vec<&str> = configured(server).filter(|name| place(name).is_none()).collect();
        places.extend(self.automatic(server));
        let hosts = self.at(server, &places);
        let texts = hosts
            .iter()
            .map(|host| format!("{} by {}", host.address, if host.tcp { "TCP" } else { "UDP" }));
        let texts: Vec<String> = texts.chain(names.iter().map(|name| (*name).to_owned())).collect();
        match texts.as_slice() {
            [] => warn!("rtc: no address to offer: set rtc_server.candidate"),
            texts => info!("rtc: clients are offered {}", texts.join(", ")),
        }
        let addresses: Vec<IpAddr> = hosts.iter().map(|host| host.address.ip()).collect();
        if names.is_empty() && are_private(&addresses) {
            warn!(
                "rtc: only private addresses are offered: clients elsewhere reach none of them; \
                 set rtc_server.candidate (or SRS_RTC_SERVER_CANDIDATE) to the public address"
            );
        }
    }

    /// The addresses of this machine, where they are to be found out.
    fn automatic(&self, server: &RtcServer) -> Vec<Place> {
        let is_asked = configured(server).next().is_none() && server.use_auto_detect_network_ip;
        let own = self.udp.iter().chain(&self.tcp).map(SocketAddr::ip);
        let mut found: Vec<IpAddr> = own.clone().filter(|ip| !ip.is_unspecified()).collect();
        if is_asked && own.clone().any(|ip| ip.is_unspecified()) {
            let has_v6 = own.clone().any(|ip| ip.is_ipv6() && ip.is_unspecified());
            match candidates(&CandidateSource::Automatic, family(&server.ip_family)) {
                Ok(usable) => found.extend(usable.iter().filter(|ip| has_v6 || ip.is_ipv4())),
                Err(error) => warn!("rtc: the addresses of this machine aren't known: {error}"),
            }
        }
        found.dedup();
        found.into_iter().map(|ip| (ip, None)).collect()
    }

    /// Those places with the ports and protocols of the server.
    fn at(&self, server: &RtcServer, places: &[Place]) -> Vec<HostCandidate> {
        let (by_udp, by_tcp) = match server.protocol.as_str() {
            "udp" => (true, false),
            "tcp" => (false, true),
            _ => (true, true),
        };
        let mut hosts = Vec::new();
        let mut add = |listening: &[SocketAddr], candidate: fn(SocketAddr) -> HostCandidate| {
            for &(ip, port) in places {
                for own in listening.iter().filter(|own| reaches(ip, own.ip())) {
                    let host = candidate(SocketAddr::new(ip, port.unwrap_or(own.port())));
                    if !hosts.contains(&host) {
                        hosts.push(host);
                    }
                }
            }
        };
        if by_udp {
            add(&self.udp, HostCandidate::udp);
        }
        if by_tcp {
            add(&self.tcp, HostCandidate::tcp);
        }
        hosts
    }

    async fn resolve(&self, server: &RtcServer, name: &str) -> Vec<Place> {
        let Ok(_permit) = self.resolving.try_acquire() else { return Vec::new() };
        match timeout(RESOLVE, lookup_host((name, 0))).await {
            Ok(Ok(found)) => found
                .map(|address| address.ip().to_canonical())
                .filter(|ip| is_of(&server.ip_family, *ip))
                .map(|ip| (ip, None))
                .collect(),
            Ok(Err(error)) => {
                info!("rtc: no address of {name:?}: {error}");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }
}

/// What is configured other than that the addresses are to be found out.
fn configured(server: &RtcServer) -> impl Iterator<Item = &str> {
    let words = server.candidate.split([' ', ',']);
    words.filter(|word| !matches!(*word, "" | "*" | "0.0.0.0" | "::"))
}

/// An address, with a port or without.
fn place(text: &str) -> Option<Place> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some((ip.to_canonical(), None));
    }
    let address = text.parse::<SocketAddr>().ok()?;
    Some((address.ip().to_canonical(), Some(address.port()).filter(|&port| port != 0)))
}

/// Whether packets to `ip` come to a socket that listens on `own`; of an address that isn't this
/// machine's it is taken for granted, since a router translates it.
fn reaches(ip: IpAddr, own: IpAddr) -> bool {
    match own {
        IpAddr::V4(_) => ip.is_ipv4(),
        IpAddr::V6(own) => own.is_unspecified() || ip.is_ipv6(),
    }
}

fn is_of(family: &str, ip: IpAddr) -> bool {
    match family {
        "ipv4" => ip.is_ipv4(),
        "ipv6" => ip.is_ipv6(),
        _ => true,
    }
}

fn family(name: &str) -> Family {
    match name {
        "ipv4" => Family::Ipv4,
        "ipv6" => Family::Ipv6,
        _ => Family::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(candidate: &str) -> RtcServer {
        let mut server = RtcServer::default();
        candidate.clone_into(&mut server.candidate);
        server
    }

    fn any() -> Candidates {
        let all = vec!["[::]:8000".parse().unwrap()];
        Candidates::new(all.clone(), all)
    }

    async fn told(candidates: &Candidates, server: &RtcServer, asked: &str, host: &str) -> String {
        let hosts = candidates.hosts(server, Hints { asked, host }).await;
        let text = |host: &HostCandidate| {
            format!("{}{}", if host.tcp { "tcp " } else { "" }, host.address)
        };
        hosts.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[tokio::test]
    async fn what_is_asked_for_comes_first_and_then_what_is_configured() {
        let server = server("192.0.2.1");
        assert_eq!(told(&any(), &server, "", "").await, "192.0.2.1:8000");
        let all = "192.0.2.7:9000 192.0.2.1:8000 127.0.0.1:8000";
        assert_eq!(told(&any(), &server, "192.0.2.7:9000", "localhost").await, all);
        let once = "192.0.2.1:8000";
        assert_eq!(told(&any(), &server, "192.0.2.1", "192.0.2.1").await, once);
        assert_eq!(told(&any(), &server, "no address", "").await, once);
    }

    #[tokio::test]
    async fn the_protocol_says_which_are_told() {
        let mut server = server("192.0.2.1");
        "all".clone_into(&mut server.protocol);
        assert_eq!(told(&any(), &server, "", "").await, "192.0.2.1:8000 tcp 192.0.2.1:8000");
        "tcp".clone_into(&mut server.protocol);
        assert_eq!(told(&any(), &server, "", "").await, "tcp 192.0.2.1:8000");
    }

    #[tokio::test]
    async fn a_socket_of_one_address_is_offered_as_that() {
        let only = Candidates::new(vec!["127.0.0.1:8000".parse().unwrap()], Vec::new());
        assert_eq!(told(&only, &server("*"), "", "").await, "127.0.0.1:8000");
        // An IPv4 socket is never reached by IPv6.
        assert_eq!(told(&only, &server("2001:db8::1"), "", "").await, "127.0.0.1:8000");
    }

    #[tokio::test]
    async fn the_machines_own_addresses_are_found() {
        let found = any().automatic(&server("*"));
        assert!(!found.is_empty() && found.iter().all(|(ip, _)| ip.is_ipv4()), "{found:?}");
        let mut off = server("*");
        off.use_auto_detect_network_ip = false;
        assert_eq!(told(&any(), &off, "", "").await, "");
        off.api_as_candidates = false;
        assert_eq!(told(&any(), &off, "", "192.0.2.1").await, "");
    }
}
