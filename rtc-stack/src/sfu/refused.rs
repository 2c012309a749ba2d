use crate::srtp::SrtpError;
use crate::stun::StunError;

/// Datagrams of a peer that were not taken, by what was wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Refused {
    /// Made with other keys or another password, or changed on their way.
    pub unauthentic: u64,
    /// Such as came before, or too late for anybody to know whether they did.
    pub replayed: u64,
    /// No RTP, RTCP or STUN, though they begin like it.
    pub malformed: u64,
    /// Authentic, but of no source, payload type or layer that was agreed; and whatever media a viewer sends, which is
    /// not even opened.
    pub unknown: u64,
}

impl Refused {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        let wrong = self.unauthentic.saturating_add(self.replayed);
        wrong.saturating_add(self.malformed).saturating_add(self.unknown)
    }

    pub(super) const fn note_srtp(&mut self, error: SrtpError) {
        let count = match error {
            SrtpError::TooShort { .. } | SrtpError::Header(_) => &mut self.malformed,
            SrtpError::Replayed { .. }
            | SrtpError::TooOld { .. }
            | SrtpError::BeforeFirst { .. } => &mut self.replayed,
            _ => &mut self.unauthentic,
        };
        *count = count.saturating_add(1);
    }

    pub(super) const fn note_stun(&mut self, error: &StunError) {
        let count = match error {
            StunError::Format(_) | StunError::NotARequest { .. } => &mut self.malformed,
            StunError::User | StunError::Integrity => &mut self.unauthentic,
        };
        *count = count.saturating_add(1);
    }

    pub(super) const fn note_unknown(&mut self) {
        self.unknown = self.unknown.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_counted_as_what_it_is() {
        let mut refused = Refused::default();
        for error in [
            SrtpError::Unauthentic,
            SrtpError::NotEncrypted,
            SrtpError::Replayed { index: 1 },
            SrtpError::TooOld { index: 1, newest: 900 },
            SrtpError::BeforeFirst { sequence: 1 },
            SrtpError::TooShort { length: 1, needed: 12 },
        ] {
            refused.note_srtp(error);
        }
        refused.note_stun(&StunError::Integrity);
        refused.note_stun(&StunError::User);
        refused.note_stun(&StunError::NotARequest { kind: 0x11 });
        refused.note_unknown();
        let counts = [refused.unauthentic, refused.replayed, refused.malformed, refused.unknown];
        assert_eq!(counts, [4, 3, 2, 1]);
        assert_eq!(refused.total(), 10);
    }
}
