/// The RTCP messages that a payload type may be answered with (`a=rtcp-fb`, RFC 4585, 4.2).
///
/// Only what this crate does; everything else that a peer offers is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Feedback {
    /// `nack`: lost packets are asked for again.
    pub nack: bool,
    /// `nack pli`: a keyframe is asked for since pictures were lost.
    pub pli: bool,
    /// `ccm fir`: a keyframe is asked for (RFC 5104).
    pub fir: bool,
    /// `transport-cc`: the arrival of every packet is reported.
    pub transport_cc: bool,
    /// `goog-remb`: the receiver says which bit rate it can take.
    pub remb: bool,
}

impl Feedback {
    const NAMES: [&'static str; 5] = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"];

    /// All of it.
    pub const ALL: Self = Self { nack: true, pli: true, fir: true, transport_cc: true, remb: true };

    /// What sound is answered with: no keyframes.
    pub const AUDIO: Self =
        Self { nack: true, pli: false, fir: false, transport_cc: true, remb: true };

    /// What both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self {
            nack: self.nack && other.nack,
            pli: self.pli && other.pli,
            fir: self.fir && other.fir,
            transport_cc: self.transport_cc && other.transport_cc,
            remb: self.remb && other.remb,
        }
    }

    /// What either has.
    #[must_use]
    pub(super) const fn union(self, other: Self) -> Self {
        Self {
            nack: self.nack || other.nack,
            pli: self.pli || other.pli,
            fir: self.fir || other.fir,
            transport_cc: self.transport_cc || other.transport_cc,
            remb: self.remb || other.remb,
        }
    }

    /// Notes one value of `a=rtcp-fb`, the payload type taken off.
    pub(super) fn note(&mut self, value: &str) {
        let mut words = value.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("nack"), None) => self.nack = true,
            (Some("nack"), Some("pli")) => self.pli = true,
            (Some("ccm"), Some("fir")) => self.fir = true,
            (Some("transport-cc"), None) => self.transport_cc = true,
            (Some("goog-remb"), None) => self.remb = true,
            _ => {}
        }
    }

    /// The values of `a=rtcp-fb` for what is set.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let set = [self.remb, self.transport_cc, self.fir, self.nack, self.pli];
        Self::NAMES.into_iter().zip(set).filter(|(_, set)| *set).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let mut read = Feedback::default();
        for name in Feedback::ALL.names() {
            read.note(name);
        }
        assert_eq!(read, Feedback::ALL);
        assert_eq!(Feedback::default().names().count(), 0);
    }

    #[test]
    fn what_is_not_done_is_not_read() {
        let mut read = Feedback::default();
        for name in ["", "nack rpsi", "ccm tmmbr", "rrtr", "ack", "transport-cc x"] {
            read.note(name);
        }
        assert_eq!(read, Feedback::default());
    }
}
