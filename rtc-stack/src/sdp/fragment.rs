//! What is said of ICE after the answer: candidates one by one, and restarts (RFC 8840, RFC 9725, 4.3).

use std::fmt;

use super::line::{Line, lines};
use super::{Candidate, HostCandidate, MAX_CANDIDATES, MAX_SECTIONS, SdpError, candidates};
use crate::Mid;
use crate::stun::Credentials;

/// A fragment of a description: the body of `application/trickle-ice-sdpfrag`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IceFragment {
    /// Whether the side only answers connectivity checks.
    pub ice_lite: bool,
    /// The sections that share one transport.
    pub bundle: Vec<Mid>,
    /// By what the side's checks are known. Others than before begin ICE anew.
    pub ice: Option<Credentials>,
    /// The candidates by section.
    pub sections: Vec<FragmentSection>,
}

/// The candidates of a section.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FragmentSection {
    /// The section; `None` for what stands before any.
    pub mid: Option<Mid>,
    /// The word of its `m=` line; empty before any.
    pub media: String,
    /// Its candidates.
    pub candidates: Vec<Candidate>,
    /// Whether there will be no more.
    pub end_of_candidates: bool,
}

impl IceFragment {
    /// Reads a fragment.
    ///
    /// # Errors
    ///
    /// [`SdpError`] for more than the limits of this module, for what is no line, and for credentials, a mid or an `m=`
    /// line that make no sense. Candidates that make none are skipped.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let mut fragment = Self::default();
        let (mut ufrag, mut pwd) = (None, None);
        let mut section = FragmentSection::default();
        for line in lines(text)? {
            match line? {
                Line::Media(value) => {
                    let media = value.split_ascii_whitespace().next();
                    let media = media.ok_or_else(|| SdpError::value("m=", value))?.to_owned();
                    let next = FragmentSection { media, ..FragmentSection::default() };
                    fragment.push(std::mem::replace(&mut section, next))?;
                }
                Line::Attribute("ice-lite", _) => fragment.ice_lite = true,
                Line::Attribute("ice-ufrag", value) => {
                    ufrag.get_or_insert(value);
                }
                Line::Attribute("ice-pwd", value) => {
                    pwd.get_or_insert(value);
                }
                Line::Attribute("group", value) => fragment.group(value),
                Line::Attribute("mid", value) => {
                    let mid = Mid::new(value.as_bytes());
                    section.mid = Some(mid.ok_or_else(|| SdpError::value("mid", value))?);
                }
                Line::Attribute("candidate", value) => {
                    section.candidates.extend(Candidate::parse(value));
                    if section.candidates.len() > MAX_CANDIDATES {
                        let limit = MAX_CANDIDATES;
                        return Err(SdpError::TooMany { what: "candidates", limit });
                    }
                }
                Line::Attribute("end-of-candidates", _) => section.end_of_candidates = true,
                Line::Attribute(..) | Line::Other(..) => {}
            }
        }
        fragment.push(section)?;
        fragment.ice = match (ufrag, pwd) {
            (Some(ufrag), Some(pwd)) => Some(Credentials::new(ufrag, pwd)?),
            _ => None,
        };
        Ok(fragment)
    }

    /// Candidates of one section, as a client sends them.
    pub fn trickle(
        ice: Credentials,
        mid: Mid,
        media: &str,
        candidates: Vec<Candidate>,
        end_of_candidates: bool,
    ) -> Self {
        let media = media.to_owned();
        let section = FragmentSection { mid: Some(mid), media, candidates, end_of_candidates };
        Self { ice_lite: false, bundle: vec![mid], ice: Some(ice), sections: vec![section] }
    }

    /// Whether it begins ICE anew for a peer that was known by these credentials (RFC 8445, 9).
    pub fn restarts(&self, known: &Credentials) -> bool {
        self.ice.as_ref().is_some_and(|ice| ice != known)
    }

    /// Answers a restart: our new credentials, and where we are reached.
    #[must_use]
    pub fn answer_restart(&self, ice: Credentials, hosts: &[HostCandidate]) -> Self {
        let named = self.sections.iter().find(|section| section.mid.is_some());
        let section = FragmentSection {
            mid: named.and_then(|section| section.mid),
            media: named.map_or_else(String::new, |section| section.media.clone()),
            candidates: candidates::announced(hosts),
            end_of_candidates: true,
        };
        let bundle = self.bundle.clone();
        Self { ice_lite: true, bundle, ice: Some(ice), sections: vec![section] }
    }

    fn push(&mut self, section: FragmentSection) -> Result<(), SdpError> {
        if section == FragmentSection::default() {
            return Ok(());
        }
        if self.sections.len() >= MAX_SECTIONS {
            return Err(SdpError::TooMany { what: "sections", limit: MAX_SECTIONS });
        }
        self.sections.push(section);
        Ok(())
    }

    fn group(&mut self, value: &str) {
        let mut words = value.split_ascii_whitespace();
        if words.next() == Some("BUNDLE") {
            let mids = words.take(MAX_SECTIONS).filter_map(|word| Mid::new(word.as_bytes()));
            self.bundle = mids.collect();
        }
    }
}

impl fmt::Display for IceFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ice_lite {
            f.write_str("a=ice-lite\r\n")?;
        }
        f.write_str("a=ice-options:trickle\r\n")?;
        if !self.bundle.is_empty() {
            f.write_str("a=group:BUNDLE")?;
            for mid in &self.bundle {
                write!(f, " {mid}")?;
            }
            f.write_str("\r\n")?;
        }
        if let Some(ice) = &self.ice {
            write!(f, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.ufrag(), ice.password())?;
        }
        for section in &self.sections {
            if !section.media.is_empty() {
                // RFC 8840, 9.2: only the place of such a line counts.
                write!(f, "m={} 9 UDP/TLS/RTP/SAVPF 0\r\n", section.media)?;
            }
            if let Some(mid) = section.mid {
                write!(f, "a=mid:{mid}\r\n")?;
            }
            for candidate in &section.candidates {
                write!(f, "a=candidate:{candidate}\r\n")?;
            }
            if section.end_of_candidates {
                f.write_str("a=end-of-candidates\r\n")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "a=group:BUNDLE 0 1\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        a=mid:0\r\n\
        a=ice-ufrag:EsAw\r\n\
        a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
        a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw\r\n\
        a=end-of-candidates\r\n";

    fn hosts() -> [HostCandidate; 1] {
        [HostCandidate::udp("198.51.100.1:39132".parse().unwrap())]
    }

    #[test]
    fn candidates_are_read_by_section() {
        let read = IceFragment::parse(PATCH).unwrap();
        assert_eq!(read.bundle.len(), 2);
        assert_eq!(read.ice.as_ref().unwrap().ufrag(), "EsAw");
        let [section] = read.sections.as_slice() else { panic!("{read:?}") };
        assert_eq!(section.mid, Mid::new(b"0"));
        assert_eq!(section.candidates.len(), 2);
        assert!(section.end_of_candidates);
        assert!(!read.restarts(read.ice.as_ref().unwrap()));
        assert_eq!(IceFragment::parse(&read.to_string()), Ok(read));
    }

    #[test]
    fn a_restart_is_answered_with_new_credentials_and_all_candidates() {
        let read = IceFragment::parse(PATCH).unwrap();
        let before = Credentials::new("ysXw", "vw5LmwG4y/e6dPP/zAP9Gp5k").unwrap();
        assert!(read.restarts(&before));
        let ours = "0b66f472495ef0ccac7bda653ab6be49ea13114472a5d10a";
        let ours = Credentials::new("289b31b754eaa438", ours).unwrap();
        let answer = read.answer_restart(ours.clone(), &hosts()).to_string();
        assert!(answer.starts_with("a=ice-lite\r\n"), "{answer}");
        let answer = IceFragment::parse(&answer).unwrap();
        assert_eq!(answer.ice, Some(ours));
        assert_eq!(answer.sections[0].candidates[0].port, 39132);
        assert_eq!(answer.sections[0].mid, Mid::new(b"0"));
    }

    #[test]
    fn a_fragment_may_have_no_section() {
        let bare = "a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\n";
        let read = IceFragment::parse(bare).unwrap();
        assert_eq!(read.sections.len(), 1);
        assert_eq!(read.sections[0].mid, None);
        assert_eq!(IceFragment::parse(&read.to_string()), Ok(read));
        assert_eq!(IceFragment::parse(""), Ok(IceFragment::default()));
    }

    #[test]
    fn a_section_has_a_word_for_its_media() {
        let nameless = "m=audio 9 X 0\r\na=mid:0\r\nm=\r\na=mid:1\r\n";
        let refused = Err(SdpError::value("m=", ""));
        assert_eq!(IceFragment::parse(nameless), refused);
        let spaced = IceFragment::parse("m= audio\t9 X 0\r\na=mid:0\r\n").unwrap();
        assert_eq!(spaced.sections[0].media, "audio");
    }

    #[test]
    fn what_is_cut_is_read_or_refused() {
        for end in 0..PATCH.len() {
            let read = IceFragment::parse(&PATCH[..end]);
            let named = read.map(|read| read.sections.len()).unwrap_or_default();
            assert!(named <= 1, "{end}");
        }
        let many = "m=audio 9 X 0\r\n".repeat(MAX_SECTIONS + 1);
        assert!(matches!(IceFragment::parse(&many), Err(SdpError::TooMany { .. })));
        let many = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n".repeat(MAX_CANDIDATES + 1);
        assert!(matches!(IceFragment::parse(&many), Err(SdpError::TooMany { .. })));
    }
}
