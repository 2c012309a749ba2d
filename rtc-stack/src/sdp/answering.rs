//! Answers to the offers of publishers and players.

use fastrand::Rng;

use super::negotiated::{best, sources_of};
use super::{
    Description, Direction, Extension, ExtensionIds, ExtensionMap, Feedback, GroupSemantics,
    HostCandidate, Layer, MediaSource, Msid, Negotiated, NegotiatedCodec, NegotiatedSection, Offer,
    SdpError, Section, SectionCodec, SectionKind, Setup, Source, SourceGroup, TrackDescription,
    candidates, format,
};
use crate::dtls::{Fingerprint, Role};
use crate::stun::Credentials;
use crate::{Codec, CodecParameters, MediaKind, Mid, PayloadType, Rid, Ssrc};

/// What we bring to an answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AnswerOptions {
    /// By what our connectivity checks are known.
    pub ice: Credentials,
    /// The hashes of our certificate.
    pub fingerprints: Vec<Fingerprint>,
    /// Where we are reached.
    pub candidates: Vec<HostCandidate>,
    /// The codecs that we carry; at first all that this crate knows.
    pub codecs: Vec<Codec>,
    /// The codecs that stand before the others of their kind, whatever the offer prefers; at first none.
    pub preferred: Vec<Codec>,
    /// Whether those are the only ones of their kind.
    pub only_preferred: bool,
    /// Most simulcast layers that a publisher may send; at first 3.
    pub layers: usize,
    /// Where the numbers come from that nobody should guess: our SSRCs, and the names that belong to them.
    pub seed: u64,
}

impl AnswerOptions {
    /// Options with every codec.
    pub fn new(
        ice: Credentials,
        fingerprint: Fingerprint,
        candidates: Vec<HostCandidate>,
        seed: u64,
    ) -> Self {
        let codecs = vec![
            Codec::H264,
            Codec::H265,
            Codec::Av1,
            Codec::Vp8,
            Codec::Vp9,
            Codec::Opus,
            Codec::Pcmu,
            Codec::Pcma,
        ];
        Self {
            ice,
            fingerprints: vec![fingerprint],
            candidates,
            codecs,
            preferred: Vec::new(),
            only_preferred: false,
            layers: 3,
            seed,
        }
    }
}

impl Offer {
    /// Answers an offer to publish.
    ///
    /// One section of sound and one of pictures are taken, with the codecs in the offer's order of preference, and of
    /// the pictures the simulcast layers. Every other section is refused by itself: data channels, a second camera,
    /// a section outside the bundle, one without a codec of ours. A section that sends nothing is answered inactive.
    ///
    /// # Errors
    ///
    /// [`SdpError`] if no section can be taken, or nothing leads to the peer: no BUNDLE, no rtcp-mux, no credentials,
    /// no fingerprint.
    pub fn answer_publish(&self, options: &AnswerOptions) -> Result<Negotiated, SdpError> {
        let offer = self.description();
        let peer = Peer::of(offer)?;
        if !eligible(offer).any(|(_, section)| section.direction.sends()) {
            return Err(SdpError::NothingSent);
        }
        Answering::new(offer, options, Purpose::Publish).answer(peer)
    }

    /// Answers an offer to play.
    ///
    /// `source` is what the publisher brings, or `None` before there is one. A section whose track is known is
    /// answered with the one codec of the offer that fits it best; one that has none is refused.
    ///
    /// A section whose track isn't known (nobody publishes, or a publisher without sound) is answered with every
    /// codec that both sides have, and an SSRC of ours: browsers play what comes and are silent until then, so that
    /// whoever publishes later is bound by [`NegotiatedSection::bind`] without a new offer. An inactive section could
    /// not be woken by us.
    ///
    /// # Errors
    ///
    /// As for [`Offer::answer_publish`], and [`SdpError::PlayOfSendonly`] if a section only sends.
    pub fn answer_play(
        &self,
        source: Option<&[TrackDescription]>,
        options: &AnswerOptions,
    ) -> Result<Negotiated, SdpError> {
        let offer = self.description();
        let peer = Peer::of(offer)?;
        let mut sections = eligible(offer).map(|(_, section)| section);
        let sendonly = sections.find(|section| section.direction == Direction::SendOnly);
        if let Some(kind) = sendonly.and_then(|section| section.kind.media()) {
            return Err(SdpError::PlayOfSendonly(kind));
        }
        if !eligible(offer).any(|(_, section)| section.direction.receives()) {
            return Err(SdpError::NothingReceived);
        }
        let tracks = source.unwrap_or_default();
        Answering::new(offer, options, Purpose::Play(tracks)).answer(peer)
    }
}

/// The sections that may be accepted at all, with their tags.
fn eligible(offer: &Description) -> impl Iterator<Item = (Mid, &Section)> {
    offer.sections.iter().filter_map(|section| Some((bundled(offer, section)?, section)))
}

fn bundled(offer: &Description, section: &Section) -> Option<Mid> {
    let fits = section.kind.media().is_some()
        && !section.is_rejected()
        && section.is_secure_rtp()
        && section.rtcp_mux;
    section.mid.filter(|mid| fits && offer.bundle.contains(mid))
}

/// How the other side is reached, and who it is.
struct Peer {
    ice: Credentials,
    fingerprints: Vec<Fingerprint>,
    setup: Setup,
    role: Role,
}

impl Peer {
    /// Checks what an offer must have whatever it is for.
    fn of(offer: &Description) -> Result<Self, SdpError> {
        let media = || offer.sections.iter().filter(|section| section.kind.media().is_some());
        if media().next().is_none() {
            return Err(SdpError::NoMedia);
        }
        let in_bundle =
            |section: &Section| section.mid.is_some_and(|mid| offer.bundle.contains(&mid));
        if !media().any(in_bundle) {
            return Err(SdpError::NoBundle);
        }
        if !media().any(|section| in_bundle(section) && section.rtcp_mux) {
            return Err(SdpError::NoRtcpMux);
        }
        let tagged = offer.tagged_section().ok_or(SdpError::NoCredentials)?;
        let (setup, role) = match tagged.setup {
            // RFC 4145, 4.1: who says nothing speaks first.
            Some(Setup::Actpass | Setup::Active) | None => (Setup::Passive, Role::Server),
            Some(Setup::Passive) => (Setup::Active, Role::Client),
        };
        let fingerprints = tagged.fingerprints.clone();
        if fingerprints.is_empty() {
            return Err(SdpError::NoFingerprint);
        }
        let ice = tagged.ice.clone().ok_or(SdpError::NoCredentials)?;
        Ok(Self { ice, fingerprints, setup, role })
    }
}

#[derive(Clone, Copy)]
enum Purpose<'a> {
    Publish,
    Play(&'a [TrackDescription]),
}

struct Answering<'a> {
    offer: &'a Description,
    options: &'a AnswerOptions,
    purpose: Purpose<'a>,
    rng: Rng,
    /// What our senders have in common, also the name of the browser's stream.
    cname: String,
    /// The kinds that have their section.
    taken: Vec<MediaKind>,
    /// The numbers of header extensions, which mean the same in the whole bundle (RFC 8843, 9.3).
    extensions: Vec<ExtensionMap>,
    ssrcs: Vec<Ssrc>,
}

impl<'a> Answering<'a> {
    fn new(offer: &'a Description, options: &'a AnswerOptions, purpose: Purpose<'a>) -> Self {
        let mut rng = Rng::with_seed(options.seed);
        let cname = (0..16).map(|_| rng.alphanumeric()).collect();
        let (taken, extensions, ssrcs) = (Vec::new(), Vec::new(), Vec::new());
        Self { offer, options, purpose, rng, cname, taken, extensions, ssrcs }
    }

    fn answer(mut self, peer: Peer) -> Result<Negotiated, SdpError> {
        let mut answer = Description {
            // RFC 9429, 5.2.1: 63 bits, the highest left free.
            session_id: self.rng.u64(1..1 << 63),
            ice_lite: true,
            trickle: self.offer.trickle,
            ..Description::default()
        };
        let mut sections = Vec::new();
        for offered in &self.offer.sections {
            let mid = bundled(self.offer, offered);
            let answered = mid.and_then(|mid| self.section(mid, offered, peer.setup));
            answer.sections.push(match answered {
                Some((section, negotiated)) => {
                    sections.push(negotiated);
                    section
                }
                None => rejected(offered),
            });
        }
        if sections.iter().all(|section| section.direction == Direction::Inactive) {
            return Err(SdpError::NoCommonCodec);
        }
        let accepted = |mid: &Mid| sections.iter().any(|section| section.mid == *mid);
        answer.bundle = self.offer.bundle.iter().copied().filter(accepted).collect();
        // RFC 8843, 7.3: the first of the bundle speaks for its transport.
        let tagged = answer.bundle.first().copied();
        if let Some(section) = answer.sections.iter_mut().find(|section| section.mid == tagged) {
            section.candidates = candidates::announced(&self.options.candidates);
            section.end_of_candidates = true;
        }
        let candidates = self.offer.sections.iter().flat_map(|section| &section.candidates);
        Ok(Negotiated {
            sdp: answer.to_string(),
            remote_ice: peer.ice,
            remote_ice_lite: self.offer.ice_lite,
            remote_candidates: candidates.take(super::MAX_CANDIDATES).cloned().collect(),
            remote_fingerprints: peer.fingerprints,
            role: peer.role,
            sections,
        })
    }

    /// Answers one section; `None` refuses it.
    fn section(
        &mut self,
        mid: Mid,
        offered: &Section,
        setup: Setup,
    ) -> Option<(Section, NegotiatedSection)> {
        let kind = offered.kind.media()?;
        let direction = match self.purpose {
            Purpose::Publish if offered.direction.sends() => Direction::RecvOnly,
            Purpose::Play(_) if offered.direction.receives() => Direction::SendOnly,
            Purpose::Publish | Purpose::Play(_) => Direction::Inactive,
        };
        if direction != Direction::Inactive && self.taken.contains(&kind) {
            return None;
        }
        let extensions = self.extensions(kind, offered, direction);
        let ids = ExtensionIds::of(&extensions);
        let codecs: Vec<_> = self
            .codecs(kind, offered)?
            .into_iter()
            .map(|codec| negotiate(kind, offered, codec, ids))
            .collect();
        if direction != Direction::Inactive {
            self.taken.push(kind);
        }
        let mut section = Section::new(SectionKind::Media(kind), &offered.protocol);
        section.mid = Some(mid);
        section.direction = direction;
        section.rtcp_mux = true;
        section.rtcp_rsize = offered.rtcp_rsize;
        section.ice = Some(self.options.ice.clone());
        section.fingerprints = self.options.fingerprints.clone();
        section.setup = Some(setup);
        section.extensions = extensions.iter().map(reversed).collect();
        let publish = matches!(self.purpose, Purpose::Publish);
        section.set_codecs(answered_codecs(&codecs, publish));
        let mut negotiated = NegotiatedSection {
            mid,
            kind,
            direction,
            codecs,
            extensions: ids,
            rtcp_rsize: offered.rtcp_rsize,
            remote_sources: Vec::new(),
            rids: Vec::new(),
            local_source: None,
        };
        match direction {
            Direction::RecvOnly => self.receive(offered, &mut section, &mut negotiated),
            Direction::SendOnly => self.send(&mut section, &mut negotiated),
            Direction::SendRecv | Direction::Inactive => {}
        }
        Some((section, negotiated))
    }

    /// The codecs of a section that are answered, the preferred ones first; `None` if there are none.
    fn codecs<'s>(&self, kind: MediaKind, offered: &'s Section) -> Option<Vec<&'s SectionCodec>> {
        let Self { options, .. } = self;
        let place = |codec: Codec| {
            let place = options.preferred.iter().position(|preferred| *preferred == codec);
            place.unwrap_or(options.preferred.len())
        };
        let mut common: Vec<_> = offered
            .codecs
            .iter()
            .filter(|codec| {
                let parameters = &codec.parameters;
                parameters.codec.kind() == Some(kind)
                    && options.codecs.contains(&parameters.codec)
                    && format::carries(parameters)
            })
            .collect();
        common.sort_by_key(|codec| place(codec.parameters.codec));
        let of_kind = |codec: &Codec| codec.kind() == Some(kind);
        if options.only_preferred && options.preferred.iter().any(of_kind) {
            common.retain(|codec| options.preferred.contains(&codec.parameters.codec));
        }
        if let Purpose::Play(tracks) = self.purpose {
            let mut tracks: Vec<_> = tracks.iter().filter(|track| track.kind == kind).collect();
            tracks.sort_by_key(|track| place(track.parameters.codec));
            if !tracks.is_empty() {
                let fits = |track: &&TrackDescription| {
                    best(&common, &track.parameters, |codec| &codec.parameters).copied()
                };
                return tracks.iter().find_map(fits).map(|codec| vec![codec]);
            }
        }
        (!common.is_empty()).then_some(common)
    }

    fn extensions(
        &mut self,
        kind: MediaKind,
        offered: &Section,
        direction: Direction,
    ) -> Vec<ExtensionMap> {
        let mut agreed: Vec<ExtensionMap> = Vec::new();
        for map in &offered.extensions {
            let useful = match map.extension {
                Extension::Mid | Extension::AbsSendTime | Extension::TransportWideCc => true,
                Extension::AudioLevel => kind == MediaKind::Audio,
                Extension::VideoOrientation => kind == MediaKind::Video,
                // Viewers get one layer, under an SSRC that they know.
                Extension::Rid | Extension::RepairedRid => {
                    kind == MediaKind::Video && direction == Direction::RecvOnly
                }
            };
            let goes = match direction {
                Direction::RecvOnly => map.direction.sends(),
                Direction::SendOnly => map.direction.receives(),
                Direction::SendRecv | Direction::Inactive => true,
            };
            let other =
                |known: &ExtensionMap| known.id == map.id && known.extension != map.extension;
            if useful && goes && !self.extensions.iter().any(other) {
                agreed.push(*map);
            }
        }
        self.extensions.extend(&agreed);
        agreed
    }

    fn receive(
        &self,
        offered: &Section,
        section: &mut Section,
        negotiated: &mut NegotiatedSection,
    ) {
        negotiated.remote_sources = sources_of(offered);
        // RFC 8853, 5.1: without the header extension nobody could tell the layers apart.
        if negotiated.kind != MediaKind::Video || negotiated.extensions.rid.is_none() {
            return;
        }
        let sent = |rid: &&Rid| offered.layers.iter().any(|layer| layer.send && layer.rid == **rid);
        for rid in offered.simulcast.send.iter().filter(sent) {
            if negotiated.rids.len() < self.options.layers && !negotiated.rids.contains(rid) {
                negotiated.rids.push(*rid);
            }
        }
        section.layers =
            negotiated.rids.iter().map(|rid| Layer { rid: *rid, send: false }).collect();
        section.simulcast.receive = negotiated.rids.clone();
    }

    fn send(&mut self, section: &mut Section, negotiated: &mut NegotiatedSection) {
        let ssrc = self.ssrc();
        let with_rtx = negotiated.codecs.iter().any(|codec| codec.rtx.is_some());
        let rtx = with_rtx.then(|| self.ssrc());
        negotiated.local_source = Some(MediaSource { ssrc, rtx });
        let track = format!("{}-{}", self.cname, negotiated.kind);
        announce(section, MediaSource { ssrc, rtx }, &self.cname, track);
    }

    /// A number that no other sender of ours in this session has.
    fn ssrc(&mut self) -> Ssrc {
        new_ssrc(&mut self.rng, &mut self.ssrcs)
    }
}

pub(super) fn new_ssrc(rng: &mut Rng, taken: &mut Vec<Ssrc>) -> Ssrc {
    loop {
        let ssrc = Ssrc(rng.u32(1..));
        if !taken.contains(&ssrc) {
            taken.push(ssrc);
            return ssrc;
        }
    }
}

/// Writes a sender into a section.
pub(super) fn announce(section: &mut Section, source: MediaSource, cname: &str, track: String) {
    let ssrcs: Vec<_> = [Some(source.ssrc), source.rtx].into_iter().flatten().collect();
    let named = |ssrc: &Ssrc| Source { ssrc: *ssrc, cname: Some(cname.to_owned()) };
    section.sources = ssrcs.iter().map(named).collect();
    section.msid = Some(Msid { stream: cname.to_owned(), track });
    if ssrcs.len() > 1 {
        let semantics = GroupSemantics::FlowIdentification;
        section.source_groups.push(SourceGroup { semantics, ssrcs });
    }
}

fn rejected(offered: &Section) -> Section {
    let mut section = Section::new(offered.kind, &offered.protocol);
    section.media = offered.media.clone();
    section.formats = offered.formats.clone();
    section.mid = offered.mid;
    section.port = 0;
    section.direction = Direction::Inactive;
    section
}

fn reversed(map: &ExtensionMap) -> ExtensionMap {
    ExtensionMap { direction: map.direction.reversed(), ..*map }
}

pub(super) fn negotiate(
    kind: MediaKind,
    offered: &Section,
    codec: &SectionCodec,
    ids: ExtensionIds,
) -> NegotiatedCodec {
    let done = match kind {
        MediaKind::Audio => Feedback::AUDIO,
        MediaKind::Video => Feedback::ALL,
    };
    let mut feedback = codec.feedback.intersection(done);
    // Reports of arrivals speak of the numbers that the extension carries.
    feedback.transport_cc &= ids.transport_wide_cc.is_some();
    NegotiatedCodec {
        payload_type: codec.payload_type,
        parameters: codec.parameters.clone(),
        // RFC 4588, 8.1: who isn't asked for packets again has none to send.
        rtx: offered.rtx_of(codec.payload_type).filter(|_| feedback.nack),
        feedback,
    }
}

fn answered_codecs(codecs: &[NegotiatedCodec], publish: bool) -> Vec<SectionCodec> {
    let mut answered = Vec::new();
    for codec in codecs {
        let NegotiatedCodec { payload_type, parameters, rtx, feedback } = codec;
        answered.push(SectionCodec {
            payload_type: *payload_type,
            parameters: format::answered(parameters, publish),
            feedback: *feedback,
        });
        answered.extend(rtx.map(|rtx| retransmission(rtx, *payload_type, parameters)));
    }
    answered
}

/// The payload type that retransmits another.
pub(super) fn retransmission(
    payload_type: PayloadType,
    of: PayloadType,
    media: &CodecParameters,
) -> SectionCodec {
    let mut parameters = CodecParameters::new(Codec::Rtx).with_fmtp(format!("apt={of}"));
    parameters.clock_rate = media.clock_rate;
    SectionCodec { payload_type, parameters, feedback: Feedback::default() }
}
