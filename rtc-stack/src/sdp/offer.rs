//! Offers: read, and made.

use std::fmt;

use fastrand::Rng;

use super::answering::{announce, new_ssrc, retransmission};
use super::{
    Candidate, Description, Direction, Extension, ExtensionMap, Feedback, MediaSource, SdpError,
    Section, SectionCodec, SectionKind, Setup,
};
use crate::dtls::Fingerprint;
use crate::stun::Credentials;
use crate::{Codec, CodecParameters, MediaKind, Mid, PayloadType};

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer(Description);

impl Offer {
    /// Reads an offer.
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
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a client offers: at most one section of sound and one of pictures, in one bundle.
#[derive(Debug, Clone)]
pub struct OfferBuilder {
    direction: Direction,
    ice: Credentials,
    fingerprint: Fingerprint,
    seed: u64,
    audio: Vec<CodecParameters>,
    video: Vec<CodecParameters>,
    candidates: Vec<Candidate>,
}

impl OfferBuilder {
    /// An offer to publish. SSRCs come from the seed.
    pub fn publish(ice: Credentials, fingerprint: Fingerprint, seed: u64) -> Self {
        Self::new(Direction::SendOnly, ice, fingerprint, seed)
    }

    /// An offer to play.
    pub fn play(ice: Credentials, fingerprint: Fingerprint, seed: u64) -> Self {
        Self::new(Direction::RecvOnly, ice, fingerprint, seed)
    }

    fn new(direction: Direction, ice: Credentials, fingerprint: Fingerprint, seed: u64) -> Self {
        let (audio, video, candidates) = (Vec::new(), Vec::new(), Vec::new());
        Self { direction, ice, fingerprint, seed, audio, video, candidates }
    }

    /// The codecs of the sound, the preferred one first; none is no section.
    #[must_use]
    pub fn audio(mut self, codecs: impl Into<Vec<CodecParameters>>) -> Self {
        self.audio = codecs.into();
        self
    }

    /// The codecs of the pictures, the preferred one first; none is no section.
    #[must_use]
    pub fn video(mut self, codecs: impl Into<Vec<CodecParameters>>) -> Self {
        self.video = codecs.into();
        self
    }

    /// The addresses that are known already. Others may follow in an [`IceFragment`](super::IceFragment).
    #[must_use]
    pub fn candidates(mut self, candidates: impl Into<Vec<Candidate>>) -> Self {
        self.candidates = candidates.into();
        self
    }

    /// Makes the offer.
    ///
    /// # Errors
    ///
    /// [`SdpError::NoMedia`] without a codec, [`SdpError::TooMany`] for more codecs than there are payload types (61,
    /// a retransmission counted as one).
    pub fn build(self) -> Result<Offer, SdpError> {
        let mut rng = Rng::with_seed(self.seed);
        let mut offer = Description {
            session_id: rng.u64(1..1 << 63),
            trickle: true,
            ..Description::default()
        };
        let cname: String = (0..16).map(|_| rng.alphanumeric()).collect();
        let mut types = PayloadTypes((96..128).chain(35..64));
        let mut ssrcs = Vec::new();
        let kinds = [(MediaKind::Audio, &self.audio), (MediaKind::Video, &self.video)];
        for (kind, codecs) in kinds.into_iter().filter(|(_, codecs)| !codecs.is_empty()) {
            let place = offer.sections.len().to_string();
            let mid = Mid::new(place.as_bytes());
            let mut section = self.section(kind, codecs, &mut types)?;
            section.mid = mid;
            if self.direction == Direction::SendOnly {
                let ssrc = new_ssrc(&mut rng, &mut ssrcs);
                let with_rtx = kind == MediaKind::Video;
                let rtx = with_rtx.then(|| new_ssrc(&mut rng, &mut ssrcs));
                announce(
                    &mut section,
                    MediaSource { ssrc, rtx },
                    &cname,
                    format!("{cname}-{kind}"),
                );
            }
            if offer.sections.is_empty() {
                section.candidates.clone_from(&self.candidates);
            }
            offer.bundle.extend(mid);
            offer.sections.push(section);
        }
        if offer.sections.is_empty() {
            return Err(SdpError::NoMedia);
        }
        Ok(Offer(offer))
    }

    fn section(
        &self,
        kind: MediaKind,
        codecs: &[CodecParameters],
        types: &mut PayloadTypes<impl Iterator<Item = u8>>,
    ) -> Result<Section, SdpError> {
        let mut section = Section::new(SectionKind::Media(kind), "UDP/TLS/RTP/SAVPF");
        section.direction = self.direction;
        section.rtcp_mux = true;
        section.rtcp_rsize = true;
        section.ice = Some(self.ice.clone());
        section.fingerprints = vec![self.fingerprint.clone()];
        section.setup = Some(Setup::Actpass);
        let numbered = (1..).zip(Extension::ALL);
        let extensions = numbered.filter_map(|(id, extension)| {
            let useful = match extension {
                Extension::Mid | Extension::TransportWideCc | Extension::AbsSendTime => true,
                Extension::AudioLevel => kind == MediaKind::Audio,
                Extension::VideoOrientation => kind == MediaKind::Video,
                // One layer is sent, and one received.
                Extension::Rid | Extension::RepairedRid => false,
            };
            useful.then_some(ExtensionMap { id, extension, direction: Direction::SendRecv })
        });
        section.extensions = extensions.collect();
        let mut offered = Vec::new();
        for codec in codecs {
            let payload_type = types.next_of(codec.codec)?;
            let feedback = match kind {
                MediaKind::Audio => Feedback::AUDIO,
                MediaKind::Video => Feedback::ALL,
            };
            let parameters = codec.clone();
            offered.push(SectionCodec { payload_type, parameters, feedback });
            if kind == MediaKind::Video {
                let rtx = types.next_of(Codec::Rtx)?;
                offered.push(retransmission(rtx, payload_type, codec));
            }
        }
        section.set_codecs(offered);
        Ok(section)
    }
}

/// The numbers that nobody has: those for dynamic use, and below them those that RTCP leaves free (RFC 5761, 4).
struct PayloadTypes<I>(I);

impl<I: Iterator<Item = u8>> PayloadTypes<I> {
    fn next_of(&mut self, codec: Codec) -> Result<PayloadType, SdpError> {
        let number = match codec {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            _ => self.0.next(),
        };
        let too_many = SdpError::TooMany { what: "payload types", limit: 61 };
        number.and_then(PayloadType::new).ok_or(too_many)
    }
}
