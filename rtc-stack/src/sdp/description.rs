//! A description as values: what an offer and an answer have in common.

use std::fmt;

use super::{
    Candidate, Direction, ExtensionMap, Feedback, Layer, Msid, Setup, Simulcast, Source,
    SourceGroup,
};
use crate::dtls::Fingerprint;
use crate::stun::Credentials;
use crate::{Codec, CodecParameters, MediaKind, Mid, PayloadType};

/// Which sort of media a section is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SectionKind {
    /// Sound or pictures.
    Media(MediaKind),
    /// Data channels.
    Application,
    /// Anything else.
    Other,
}

impl SectionKind {
    /// Sound or pictures, if it is either.
    pub const fn media(self) -> Option<MediaKind> {
        match self {
            Self::Media(kind) => Some(kind),
            Self::Application | Self::Other => None,
        }
    }
}

/// A payload type of a section, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SectionCodec {
    /// The number that packets have.
    pub payload_type: PayloadType,
    /// The codec.
    pub parameters: CodecParameters,
    /// The feedback that this side may be sent, what was said for `*` included.
    pub feedback: Feedback,
}

/// One media section (an `m=` line and what follows it).
///
/// What a description says once for all sections (credentials, fingerprints, setup, a direction) stands in each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// What it is for.
    pub kind: SectionKind,
    /// The word of the `m=` line.
    pub media: String,
    /// The protocol of the `m=` line.
    pub protocol: String,
    /// The formats of the `m=` line as written: for media, the payload types.
    pub formats: String,
    /// The port of the `m=` line. 0 is a section that was refused or is over, unless it is bundle-only.
    pub port: u16,
    /// Whether the section exists only as part of its bundle (RFC 8843, 6).
    pub bundle_only: bool,
    /// Its identification tag.
    pub mid: Option<Mid>,
    /// Which way media goes, seen from the side that says it.
    pub direction: Direction,
    /// Whether RTP and RTCP share a port (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether RTCP packets may be short (RFC 5506).
    pub rtcp_rsize: bool,
    /// By what the connectivity checks of the side are known.
    pub ice: Option<Credentials>,
    /// The hashes of the certificate, by known hash functions.
    pub fingerprints: Vec<Fingerprint>,
    /// Who speaks first in DTLS.
    pub setup: Option<Setup>,
    /// The payload types in the order of preference.
    pub codecs: Vec<SectionCodec>,
    /// The header extensions that this crate knows, each once.
    pub extensions: Vec<ExtensionMap>,
    /// The stream and track.
    pub msid: Option<Msid>,
    /// The senders.
    pub sources: Vec<Source>,
    /// How they belong together.
    pub source_groups: Vec<SourceGroup>,
    /// The simulcast layers that are declared.
    pub layers: Vec<Layer>,
    /// The simulcast layers in order.
    pub simulcast: Simulcast,
    /// The addresses of the side, those that this crate understands.
    pub candidates: Vec<Candidate>,
    /// Whether these are all.
    pub end_of_candidates: bool,
}

impl Section {
    pub(super) fn new(kind: SectionKind, protocol: &str) -> Self {
        let media = match kind {
            SectionKind::Media(kind) => kind.as_str(),
            SectionKind::Application | SectionKind::Other => "application",
        };
        Self {
            kind,
            media: media.to_owned(),
            protocol: protocol.to_owned(),
            formats: String::new(),
            port: 9,
            bundle_only: false,
            mid: None,
            direction: Direction::default(),
            rtcp_mux: false,
            rtcp_rsize: false,
            ice: None,
            fingerprints: Vec::new(),
            setup: None,
            codecs: Vec::new(),
            extensions: Vec::new(),
            msid: None,
            sources: Vec::new(),
            source_groups: Vec::new(),
            layers: Vec::new(),
            simulcast: Simulcast::default(),
            candidates: Vec::new(),
            end_of_candidates: false,
        }
    }

    /// Takes the codecs, and their payload types into the `m=` line.
    pub(super) fn set_codecs(&mut self, codecs: Vec<SectionCodec>) {
        let types: Vec<_> = codecs.iter().map(|codec| codec.payload_type.to_string()).collect();
        self.formats = types.join(" ");
        self.codecs = codecs;
    }

    /// Whether the section was refused, or is over.
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.bundle_only
    }

    /// Whether the protocol is RTP over DTLS-SRTP, with feedback or without.
    pub fn is_secure_rtp(&self) -> bool {
        ["RTP/SAVPF", "RTP/SAVP"].iter().any(|profile| {
            let before = self.protocol.strip_suffix(profile);
            matches!(before, Some("" | "UDP/TLS/" | "TCP/TLS/" | "TCP/DTLS/"))
        })
    }

    /// The payload type that retransmits another (RFC 4588, 8.1).
    pub fn rtx_of(&self, media: PayloadType) -> Option<PayloadType> {
        let rtx = self.codecs.iter().filter(|codec| codec.parameters.codec == Codec::Rtx);
        let mut of_media = rtx.filter(|codec| codec.apt() == Some(media));
        of_media.next().map(|codec| codec.payload_type)
    }
}

impl SectionCodec {
    /// The payload type that this one retransmits.
    fn apt(&self) -> Option<PayloadType> {
        PayloadType::new(self.parameters.parameter("apt")?.parse().ok()?)
    }
}

/// A session description: an offer, or an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Description {
    /// The number of the session in the `o=` line; 0 if what stands there is none.
    pub session_id: u64,
    /// Whether the side only answers connectivity checks (RFC 8445, 2.5).
    pub ice_lite: bool,
    /// Whether candidates may follow one by one (RFC 8840).
    pub trickle: bool,
    /// The sections that share one transport, the one whose addresses count first (RFC 8843).
    pub bundle: Vec<Mid>,
    /// The sections.
    pub sections: Vec<Section>,
}

impl Description {
    /// The section with an identification tag.
    pub fn section(&self, mid: Mid) -> Option<&Section> {
        self.sections.iter().find(|section| section.mid == Some(mid))
    }

    /// The section by whose transport the bundle goes: the first of the group that has credentials.
    pub(super) fn tagged_section(&self) -> Option<&Section> {
        let bundled = self.bundle.iter().filter_map(|mid| self.section(*mid));
        bundled.into_iter().find(|section| section.ice.is_some())
    }
}

impl fmt::Display for Description {
    /// The text, with carriage returns, as RFC 8866 has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write::description(f, self)
    }
}
