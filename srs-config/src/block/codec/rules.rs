//! Rules by clients' addresses.

use std::net::IpAddr;

use super::{Codec, Form, leaf};
use crate::Directive;

/// Which clients may, or may not, do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientRule {
    /// What they want to do.
    pub action: Action,
    /// Who they are.
    pub clients: Clients,
}

/// What a client wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To publish a stream.
    Publish,
    /// To play one.
    Play,
}

/// Clients, by their address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// Every client.
    All,
    /// Those whose address begins with the first `prefix` bits of `address`.
    Network {
        /// An address of the network.
        address: IpAddr,
        /// How many of its bits count.
        prefix: u8,
    },
}

impl ClientRule {
    /// Whether the rule speaks of a client at `address` that wants to do `action`.
    pub fn matches(&self, action: Action, address: IpAddr) -> bool {
        self.action == action && self.clients.contains(address)
    }
}

impl Clients {
    /// Whether a client at `address` is one of these. An IPv4 address within IPv6 is the same as
    /// the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let Self::Network { address: network, prefix } = *self else { return true };
        match (network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = u32::from(network) ^ u32::from(address);
                differing.checked_shr(32_u32.saturating_sub(prefix.into())).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = u128::from(network) ^ u128::from(address);
                differing.checked_shr(128_u32.saturating_sub(prefix.into())).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Self::All);
        }
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|&prefix: &u8| prefix <= bits)?,
            None => bits,
        };
        Some(match address.to_canonical() {
            // An IPv4 network within IPv6.
            IpAddr::V4(v4) if address.is_ipv6() && prefix >= 96 => {
                Self::Network { address: v4.into(), prefix: prefix.saturating_sub(96) }
            }
            _ => Self::Network { address, prefix },
        })
    }

    fn written(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Network { address, prefix } => format!("{address}/{prefix}"),
        }
    }
}

/// Rules, each a directive of its own: `publish|play all|IP|CIDR`.
pub(crate) struct Rules;

fn rule(args: &[String]) -> Option<ClientRule> {
    let [action, clients] = args else { return None };
    let action = match action.as_str() {
        "publish" => Action::Publish,
        "play" => Action::Play,
        _ => return None,
    };
    Some(ClientRule { action, clients: Clients::parse(clients)? })
}

impl Codec<Vec<ClientRule>> for Rules {
    fn expects(&self) -> String {
        "publish or play, then all, an address or a network such as 10.0.0.0/8".to_owned()
    }
    fn form(&self) -> Form {
        Form::Repeated
    }
    fn read(&self, _: &[&str]) -> Option<Vec<ClientRule>> {
        None
    }
    fn read_all(&self, all: &[Directive]) -> Result<Vec<ClientRule>, usize> {
        let read = |(at, directive): (usize, &Directive)| rule(&directive.args).ok_or(at);
        all.iter().enumerate().map(read).collect()
    }
    fn write(&self, _: &Vec<ClientRule>) -> Vec<String> {
        Vec::new()
    }
    fn show(&self, name: &str, value: &Vec<ClientRule>, out: &mut Vec<Directive>) {
        for ClientRule { action, clients } in value {
            let action = match action {
                Action::Publish => "publish",
                Action::Play => "play",
            };
            out.push(leaf(name, vec![action.to_owned(), clients.written()]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn rules(text: &str) -> Result<Vec<ClientRule>, usize> {
        Rules.read_all(&parse("a", text).unwrap())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn rules_match_by_action_and_network() {
        let rules = rules("allow play 10.1.0.0/16; allow publish all; allow play 2001:db8::/32;");
        let [lan, all, v6] = rules.unwrap()[..] else { panic!("three rules") };
        assert!(lan.matches(Action::Play, ip("10.1.255.255")));
        assert!(lan.matches(Action::Play, ip("::ffff:10.1.0.1")));
        assert!(!lan.matches(Action::Publish, ip("10.1.0.1")));
        assert!(!lan.matches(Action::Play, ip("10.2.0.1")));
        assert!(!lan.matches(Action::Play, ip("::1")));
        assert!(all.matches(Action::Publish, ip("::1")));
        assert!(v6.matches(Action::Play, ip("2001:db8:1::1")));
        assert!(!v6.matches(Action::Play, ip("2001:db9::1")));
    }

    #[test]
    fn a_prefix_of_nothing_matches_all_and_one_of_all_bits_a_single_address() {
        let rules = rules("allow play 0.0.0.0/0; allow play 1.2.3.4; allow play ::/0;").unwrap();
        assert!(rules[0].matches(Action::Play, ip("255.0.0.1")));
        assert!(rules[1].matches(Action::Play, ip("1.2.3.4")));
        assert!(!rules[1].matches(Action::Play, ip("1.2.3.5")));
        assert!(rules[2].matches(Action::Play, ip("2001::1")));
        let mapped = super::tests::rules("deny play ::ffff:10.0.0.0/104;").unwrap();
        assert!(mapped[0].matches(Action::Play, ip("10.1.2.3")));
        assert!(!mapped[0].matches(Action::Play, ip("11.1.2.3")));
    }

    #[test]
    fn the_rule_that_is_wrong_is_told() {
        assert_eq!(rules("allow play all; allow pley all;"), Err(1));
        for wrong in
            ["allow play 1.2.3.4/33;", "allow play;", "allow play a.b;", "allow play all all;"]
        {
            assert_eq!(rules(wrong), Err(0), "{wrong}");
        }
    }
}
