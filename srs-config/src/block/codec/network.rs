//! Addresses.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Codec, Form};

/// Addresses to listen on: `[ip:]port`, several divided by white space.
pub(crate) struct Listen;

/// `port` of every address.
pub(super) fn any(port: u16) -> SocketAddr {
    (IpAddr::from(Ipv6Addr::UNSPECIFIED), port).into()
}

impl Codec<Vec<SocketAddr>> for Listen {
    fn expects(&self) -> String {
        "[ip:]port, one or more".to_owned()
    }
    fn form(&self) -> Form {
        Form::Words
    }
    fn read(&self, args: &[&str]) -> Option<Vec<SocketAddr>> {
        let read = |arg: &&str| match arg.parse::<u16>() {
            Ok(port) => Some(any(port)),
            Err(_) => arg.parse().ok(),
        };
        args.iter().map(read).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
    }
    fn write(&self, value: &Vec<SocketAddr>) -> Vec<String> {
        value
            .iter()
            .map(|address| match address.ip() {
                ip if ip == IpAddr::from(Ipv6Addr::UNSPECIFIED) => address.port().to_string(),
                _ => address.to_string(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_of_every_address() {
        let read = Listen.read(&["1935", "127.0.0.1:80", "[::1]:8080"]).unwrap();
        assert_eq!(read[0], any(1935));
        assert_eq!(read[1], "127.0.0.1:80".parse().unwrap());
        assert_eq!(Listen.write(&read), ["1935", "127.0.0.1:80", "[::1]:8080"]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["", "65536", "-1", "localhost:1935", "1.2.3.4", "1935;"] {
            assert_eq!(Listen.read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(Listen.read(&[]), None);
    }
}
