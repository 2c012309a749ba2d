//! What two sides have agreed on.

use super::{Candidate, Direction, ExtensionIds, Feedback, GroupSemantics, Section, format};
use crate::dtls::{Fingerprint, Role};
use crate::stun::Credentials;
use crate::{CodecParameters, MediaKind, Mid, PayloadType, Rid, Ssrc};

/// An agreement: the answer as text, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// The text of the answer.
    pub sdp: String,
    /// By what the peer's connectivity checks are known.
    pub remote_ice: Credentials,
    /// Whether the peer only answers connectivity checks.
    pub remote_ice_lite: bool,
    /// The addresses that the peer has named so far.
    pub remote_candidates: Vec<Candidate>,
    /// The hashes of the certificate that the peer has to show: one that fits will do.
    pub remote_fingerprints: Vec<Fingerprint>,
    /// What we are in the DTLS handshake.
    pub role: Role,
    /// The sections that were accepted, in their order.
    pub sections: Vec<NegotiatedSection>,
}

impl Negotiated {
    /// The first section of a kind.
    pub fn section(&self, kind: MediaKind) -> Option<&NegotiatedSection> {
        self.sections.iter().find(|section| section.kind == kind)
    }
}

/// A section that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NegotiatedSection {
    /// Its identification tag.
    pub mid: Mid,
    /// What it is for.
    pub kind: MediaKind,
    /// Which way media goes, seen from us.
    pub direction: Direction,
    /// The codecs in the order of preference. Whoever sends may change among them without a word.
    pub codecs: Vec<NegotiatedCodec>,
    /// The numbers of the header extensions.
    pub extensions: ExtensionIds,
    /// Whether RTCP packets may be short.
    pub rtcp_rsize: bool,
    /// What the peer sends, as far as it says so; simulcast layers of old from the lowest to the highest.
    pub remote_sources: Vec<MediaSource>,
    /// The simulcast layers that the peer sends, as it prefers them; empty without simulcast by rid.
    pub rids: Vec<Rid>,
    /// What we send.
    pub local_source: Option<MediaSource>,
}

/// A sender of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MediaSource {
    /// The number that its packets have.
    pub ssrc: Ssrc,
    /// The number that its retransmissions have.
    pub rtx: Option<Ssrc>,
}

/// A codec that was agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NegotiatedCodec {
    /// The number that packets have.
    pub payload_type: PayloadType,
    /// The codec, its clock rate, channels and format.
    pub parameters: CodecParameters,
    /// The number that retransmissions have.
    pub rtx: Option<PayloadType>,
    /// The feedback that both sides do.
    pub feedback: Feedback,
}

/// A track as its publisher brings it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TrackDescription {
    /// Sound or pictures.
    pub kind: MediaKind,
    /// The codec.
    pub parameters: CodecParameters,
}

impl TrackDescription {
    /// A track of a codec; `None` for what is neither sound nor pictures.
    pub fn new(parameters: CodecParameters) -> Option<Self> {
        Some(Self { kind: parameters.codec.kind()?, parameters })
    }
}

impl NegotiatedSection {
    /// The codec with a payload type.
    pub fn codec(&self, payload_type: PayloadType) -> Option<&NegotiatedCodec> {
        self.codecs.iter().find(|codec| codec.payload_type == payload_type)
    }

    /// The codec whose retransmissions have a payload type.
    pub fn codec_of_rtx(&self, payload_type: PayloadType) -> Option<&NegotiatedCodec> {
        self.codecs.iter().find(|codec| codec.rtx == Some(payload_type))
    }

    /// The codec that fits a publisher's best, of those that were agreed on before it came.
    ///
    /// For H.264 the profile is compared as RFC 6184, 8.1 says it, and the packetization mode; a stream of a profile
    /// that the viewer hasn't named gets the nearest.
    pub fn bind(&self, stream: &CodecParameters) -> Option<&NegotiatedCodec> {
        best(&self.codecs, stream, |codec| &codec.parameters)
    }
}

/// The first of those that fit a stream best.
pub(super) fn best<'a, T>(
    offered: &'a [T],
    stream: &CodecParameters,
    parameters: impl Fn(&T) -> &CodecParameters,
) -> Option<&'a T> {
    // Of equals `max_by_key` takes the last, and the first is preferred.
    let fits = offered.iter().rev();
    let fits = fits.filter_map(|each| Some((format::fit(parameters(each), stream)?, each)));
    fits.max_by_key(|(fit, _)| *fit).map(|(_, each)| each)
}

/// What a section says of its senders.
pub(super) fn sources_of(section: &Section) -> Vec<MediaSource> {
    let groups =
        |semantics| section.source_groups.iter().filter(move |group| group.semantics == semantics);
    let rtx_of = |ssrc: Ssrc| {
        groups(GroupSemantics::FlowIdentification).find_map(|group| match group.ssrcs.as_slice() {
            [media, rtx, ..] if *media == ssrc => Some(*rtx),
            _ => None,
        })
    };
    let is_rtx = |ssrc: Ssrc| {
        groups(GroupSemantics::FlowIdentification)
            .any(|group| group.ssrcs.iter().skip(1).any(|other| *other == ssrc))
    };
    let layers = groups(GroupSemantics::Simulcast).next();
    let mut ssrcs = layers.map_or_else(Vec::new, |group| group.ssrcs.clone());
    for source in &section.sources {
        if !ssrcs.contains(&source.ssrc) {
            ssrcs.push(source.ssrc);
        }
    }
    ssrcs.retain(|ssrc| !is_rtx(*ssrc));
    ssrcs.into_iter().map(|ssrc| MediaSource { ssrc, rtx: rtx_of(ssrc) }).collect()
}
