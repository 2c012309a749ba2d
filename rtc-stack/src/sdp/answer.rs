//! Answers to offers of ours.

use std::fmt;

use super::answering::negotiate;
use super::negotiated::sources_of;
use super::{
    Description, Direction, ExtensionIds, MAX_CANDIDATES, Negotiated, NegotiatedSection, Offer,
    SdpError, Section, SectionCodec, Setup,
};
use crate::dtls::Role;

/// An answer that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(Description);

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// As the reading of a [`Description`].
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        text.parse().map(Self)
    }

    /// What it says.
    pub const fn description(&self) -> &Description {
        &self.0
    }

    /// What the answer to an offer of ours comes to.
    ///
    /// # Errors
    ///
    /// [`SdpError`] if the sections are not those of the offer, if nothing was accepted, or if nothing leads to the
    /// peer.
    pub fn accept(&self, offer: &Offer) -> Result<Negotiated, SdpError> {
        let (offered, answer) = (&offer.description().sections, &self.0);
        let others =
            || SdpError::OtherSections { answered: answer.sections.len(), offered: offered.len() };
        if offered.len() != answer.sections.len() {
            return Err(others());
        }
        let mut sections = Vec::new();
        for (ours, theirs) in offered.iter().zip(&answer.sections) {
            if ours.media != theirs.media || theirs.mid.is_some_and(|mid| Some(mid) != ours.mid) {
                return Err(others());
            }
            if !theirs.is_rejected() {
                sections.extend(accepted(ours, theirs));
            }
        }
        if sections.iter().all(|section| section.direction == Direction::Inactive) {
            return Err(SdpError::NoCommonCodec);
        }
        let with_ice = || answer.sections.iter().find(|section| section.ice.is_some());
        let tagged = answer.tagged_section().or_else(with_ice);
        let tagged = tagged.ok_or(SdpError::NoCredentials)?;
        let role = match tagged.setup {
            Some(Setup::Active) => Role::Server,
            Some(Setup::Passive) => Role::Client,
            Some(Setup::Actpass) => return Err(SdpError::Setup("actpass")),
            None => return Err(SdpError::Setup("nobody")),
        };
        if tagged.fingerprints.is_empty() {
            return Err(SdpError::NoFingerprint);
        }
        let candidates = answer.sections.iter().flat_map(|section| &section.candidates);
        let mut remote_candidates: Vec<_> = Vec::new();
        for candidate in candidates {
            if !remote_candidates.contains(candidate) && remote_candidates.len() < MAX_CANDIDATES {
                remote_candidates.push(candidate.clone());
            }
        }
        Ok(Negotiated {
            sdp: answer.to_string(),
            remote_ice: tagged.ice.clone().ok_or(SdpError::NoCredentials)?,
            remote_ice_lite: answer.ice_lite,
            remote_candidates,
            remote_fingerprints: tagged.fingerprints.clone(),
            role,
            sections,
        })
    }
}

/// What a section of ours comes to that was accepted; `None` if not one codec was.
fn accepted(ours: &Section, theirs: &Section) -> Option<NegotiatedSection> {
    let kind = ours.kind.media()?;
    let ids = ExtensionIds::of(&theirs.extensions);
    let offered = |codec: &&SectionCodec| {
        ours.codecs.iter().any(|known| {
            known.payload_type == codec.payload_type
                && known.parameters.codec == codec.parameters.codec
                && codec.parameters.codec.kind() == Some(kind)
        })
    };
    let codecs = theirs.codecs.iter().filter(offered);
    let codecs: Vec<_> = codecs.map(|codec| negotiate(kind, theirs, codec, ids)).collect();
    if codecs.is_empty() {
        return None;
    }
    Some(NegotiatedSection {
        mid: ours.mid?,
        kind,
        direction: theirs.direction.reversed(),
        codecs,
        extensions: ids,
        rtcp_rsize: theirs.rtcp_rsize,
        remote_sources: sources_of(theirs),
        rids: Vec::new(),
        local_source: sources_of(ours).first().copied(),
    })
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
