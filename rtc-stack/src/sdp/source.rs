//! Who sends in a section: SSRCs, their groups, simulcast layers, and the names that browsers give them.

use crate::{Rid, Ssrc};

/// A sender of packets (`a=ssrc`, RFC 5576).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Source {
    /// The number that its packets have.
    pub ssrc: Ssrc,
    /// What the senders of one clock have in common.
    pub cname: Option<String>,
}

impl Source {
    pub(super) fn new(ssrc: Ssrc) -> Self {
        Self { ssrc, cname: None }
    }

    /// Splits the value of `a=ssrc` into the number, and the attribute's name and value.
    pub(super) fn parse(value: &str) -> Option<(Ssrc, &str, &str)> {
        let (ssrc, rest) = value.split_once(' ').unwrap_or((value, ""));
        let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
        Some((Ssrc(ssrc.parse().ok()?), name.trim(), value.trim()))
    }
}

/// What the members of a group are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupSemantics {
    /// `FID`: media, and its retransmission.
    FlowIdentification,
    /// `SIM`: simulcast layers from the lowest to the highest, as senders named them before there were rids.
    Simulcast,
}

impl GroupSemantics {
    /// The word of `a=ssrc-group`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FlowIdentification => "FID",
            Self::Simulcast => "SIM",
        }
    }
}

/// Sources that belong together (`a=ssrc-group`, RFC 5576, 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SourceGroup {
    /// How they belong together.
    pub semantics: GroupSemantics,
    /// The sources in their order.
    pub ssrcs: Vec<Ssrc>,
}

impl SourceGroup {
    /// Reads the value of `a=ssrc-group`; `None` for semantics that this crate doesn't know.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let semantics = match words.next()? {
            "FID" => GroupSemantics::FlowIdentification,
            "SIM" => GroupSemantics::Simulcast,
            _ => return None,
        };
        // More than these nobody sends, and a long line is not worth the memory.
        let ssrcs = words.take(16).map(|word| word.parse().map(Ssrc));
        let ssrcs = ssrcs.collect::<Result<Vec<_>, _>>().ok()?;
        (ssrcs.len() > 1).then_some(Self { semantics, ssrcs })
    }
}

/// The stream and track that a browser makes of a section (`a=msid`, RFC 8830).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Msid {
    /// The stream; `-` for none.
    pub stream: String,
    /// The track; empty if it isn't named.
    pub track: String,
}

impl Msid {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let stream = words.next()?.to_owned();
        Some(Self { stream, track: words.next().unwrap_or_default().to_owned() })
    }
}

/// A simulcast layer that one side declares (`a=rid`, RFC 8851), without its restrictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layer {
    /// Its name.
    pub rid: Rid,
    /// Whether the side that declares it sends it.
    pub send: bool,
}

impl Layer {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let rid = Rid::new(words.next()?.as_bytes())?;
        let send = match words.next()? {
            "send" => true,
            "recv" => false,
            _ => return None,
        };
        Some(Self { rid, send })
    }
}

/// The layers of a section in the order in which one side prefers them (`a=simulcast`, RFC 8853).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Simulcast {
    /// What this side sends. Of alternatives, the first counts; paused layers are among them.
    pub send: Vec<Rid>,
    /// What this side receives.
    pub receive: Vec<Rid>,
}

impl Simulcast {
    /// Most layers that are read of one direction.
    const MOST: usize = 16;

    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut simulcast = Self::default();
        let mut words = value.split_ascii_whitespace();
        while let (Some(direction), Some(list)) = (words.next(), words.next()) {
            let layers = list.split(';').take(Self::MOST).filter_map(|alternatives| {
                let first = alternatives.split(',').next()?;
                Rid::new(first.trim_start_matches('~').as_bytes())
            });
            match direction {
                "send" => simulcast.send = layers.collect(),
                "recv" => simulcast.receive = layers.collect(),
                _ => return None,
            }
        }
        (simulcast != Self::default()).then_some(simulcast)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rids(names: &[&str]) -> Vec<Rid> {
        names.iter().map(|name| Rid::new(name.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn simulcast_of_the_specification_is_read() {
        // RFC 8853, 5.1 and 5.6.
        let both = Simulcast::parse("send 1,2,3;~4,~5 recv 6;~7,~8").unwrap();
        assert_eq!(both.send, rids(&["1", "4"]));
        assert_eq!(both.receive, rids(&["6", "7"]));
        let one = Simulcast::parse("recv 1;4,5").unwrap();
        assert_eq!((one.send, one.receive), (vec![], rids(&["1", "4"])));
        assert_eq!(Simulcast::parse("send"), None);
        assert_eq!(Simulcast::parse("sideways 1;2"), None);
    }

    #[test]
    fn sources_and_groups() {
        // RFC 5576, 12.
        let parsed = Source::parse("11111 cname:user3@example.com");
        assert_eq!(parsed, Some((Ssrc(11111), "cname", "user3@example.com")));
        assert_eq!(Source::parse("4294967296 cname:x"), None);
        let group = SourceGroup::parse("FID 11111 22222").unwrap();
        assert_eq!(group.ssrcs, [Ssrc(11111), Ssrc(22222)]);
        for none in ["FEC-FR 1 2", "FID 1", "FID 1 x", ""] {
            assert_eq!(SourceGroup::parse(none), None, "{none}");
        }
    }

    #[test]
    fn rids_and_msids() {
        let high = Layer::parse("hi send pt=97;max-width=1280;max-height=720").unwrap();
        assert_eq!((high.rid.as_str(), high.send), ("hi", true));
        assert_eq!(Layer::parse("hi"), None);
        assert_eq!(Layer::parse("hi both"), None);
        let msid = Msid::parse("- 4fb5").unwrap();
        assert_eq!((msid.stream.as_str(), msid.track.as_str()), ("-", "4fb5"));
    }
}
