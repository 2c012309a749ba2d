//! Who may publish and play: by the client's address, and by the page that embeds it.

use std::net::IpAddr;

use srs_config::{Action, Vhost};

/// Why a client may not publish or play.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The vhost has `security` on, and no rule.
    #[error("security is on and has no rules: nobody may")]
    NoRules,
    /// A rule denies the client's address.
    #[error("{0} is denied by a rule of security")]
    Denied(IpAddr),
    /// There are rules that allow, and none of them the client's address.
    #[error("{0} is allowed by no rule of security")]
    NotAllowed(IpAddr),
    /// The page isn't on a host that `refer` names.
    #[error("the page {0:?} is none that refer allows")]
    Referer(String),
}

impl AccessError {
    /// The code that SRS has for the error.
    pub fn code(&self) -> u32 {
        match self {
            Self::NoRules => 1052,
            Self::Denied(_) => 1053,
            Self::NotAllowed(_) => 1054,
            Self::Referer(_) => 2015,
        }
    }
}

/// Whether a client at `ip`, embedded in the page `page_url`, may do `action` on a vhost.
///
/// # Errors
/// Why it may not.
pub fn check_access(
    vhost: &Vhost,
    action: Action,
    ip: IpAddr,
    page_url: &str,
) -> Result<(), AccessError> {
    let security = &vhost.security;
    if security.enabled {
        let (allow, deny) = (&security.allow, &security.deny);
        if allow.is_empty() && deny.is_empty() {
            return Err(AccessError::NoRules);
        }
        if deny.iter().any(|rule| rule.matches(action, ip)) {
            return Err(AccessError::Denied(ip));
        }
        // Where only those are named who may not, all others may.
        if !allow.is_empty() && !allow.iter().any(|rule| rule.matches(action, ip)) {
            return Err(AccessError::NotAllowed(ip));
        }
    }
    let refer = &vhost.refer;
    if refer.enabled {
        let own = match action {
            Action::Publish => &refer.publish,
            _ => &refer.play,
        };
        if ![&refer.all, own].into_iter().all(|hosts| is_on(page_url, hosts)) {
            return Err(AccessError::Referer(page_url.to_owned()));
        }
    }
    Ok(())
}

/// Whether a page is on one of `hosts` or below it; on any, where none is named.
fn is_on(page_url: &str, hosts: &[String]) -> bool {
    let rest = page_url.split_once("://").map_or(page_url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    hosts.is_empty()
        || hosts.iter().any(|allowed| {
            let name = allowed.trim_start_matches('.');
            let before = host.len().checked_sub(name.len());
            let (Some(before), false) = (before, name.is_empty()) else { return false };
            host.get(before..).is_some_and(|end| end.eq_ignore_ascii_case(name))
                && (before == 0 || host.as_bytes().get(before - 1) == Some(&b'.'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vhost(text: &str) -> Vhost {
        let text = format!("vhost v {{ {text} }}");
        let source = srs_config::Source::File("srs.conf");
        let loaded = srs_config::load(source, &|_| None, &|_| Ok(text.clone()));
        assert_eq!(loaded.errors().count(), 0, "{:?}", loaded.problems);
        loaded.config.vhosts[0].block.clone()
    }

    fn codes(text: &str, ip: &str, page_url: &str) -> (Option<u32>, Option<u32>) {
        let (vhost, ip) = (vhost(text), ip.parse().unwrap());
        let code =
            |action| check_access(&vhost, action, ip, page_url).err().map(|error| error.code());
        (code(Action::Publish), code(Action::Play))
    }

    #[test]
    fn deny_comes_before_allow_and_without_rules_nobody_may() {
        let codes = |rules: &str, ip: &str| codes(&format!("security {{ {rules} }}"), ip, "");
        assert_eq!(codes("enabled on;", "10.0.0.1"), (Some(1052), Some(1052)));
        assert_eq!(codes("enabled off; deny play all;", "10.0.0.1"), (None, None));
        assert_eq!(codes("enabled on; deny publish 10.0.0.0/8;", "10.0.0.1"), (Some(1053), None));
        assert_eq!(codes("enabled on; deny publish 10.0.0.0/8;", "11.0.0.1"), (None, None));
        let both = "enabled on; allow play all; allow publish 10.0.0.1; deny publish 10.0.0.1;";
        assert_eq!(codes(both, "10.0.0.1"), (Some(1053), None));
        assert_eq!(codes(both, "10.0.0.2"), (Some(1054), None));
        // A rule that allows one thing leaves out the other, too.
        assert_eq!(codes("enabled on; allow play all;", "::1"), (Some(1054), None));
    }

    #[test]
    fn a_page_must_be_on_a_host_that_is_named_or_below_it() {
        let codes = |rules: &str, page: &str| codes(&format!("refer {{ {rules} }}"), "::1", page);
        let all = "enabled on; all example.com .example.net;";
        for page in [
            "http://example.com/a",
            "https://www.Example.com:8080/?x",
            "http://u:p@a.b.example.net",
            "example.com",
        ] {
            assert_eq!(codes(all, page), (None, None), "{page}");
        }
        for page in ["", "http://badexample.com/", "http://example.com.evil.org/", "http://é"] {
            assert_eq!(codes(all, page), (Some(2015), Some(2015)), "{page}");
        }
        assert_eq!(codes("enabled on; publish a.com;", "http://b.com/"), (Some(2015), None));
        assert_eq!(codes("enabled on; play a.com;", "http://b.com/"), (None, Some(2015)));
        assert_eq!(codes("enabled off; all a.com;", "http://b.com/"), (None, None));
    }
}
