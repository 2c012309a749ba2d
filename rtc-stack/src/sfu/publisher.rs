//! A publisher: which of its sources is which of its tracks.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::ingest::normalise;
use super::published::PublishedTrack;
use super::{SfuError, Track};
use crate::rtp::{
    ExtensionKind, ExtensionMap, Extensions, Fields, Header, RtpPacket, TwccRecorder,
};
use crate::sdp::{ExtensionIds, NegotiatedCodec, NegotiatedSection};
use crate::srtp::Outbound;
use crate::{CodecParameters, Limits, MediaKind, PayloadType, Rid, Ssrc};

/// Most simulcast layers that are told apart by their sources alone: browsers make three.
const OLD_LAYERS: usize = 4;

/// What is known of a publisher besides its path.
#[derive(Debug)]
pub(super) struct Publisher {
    sections: Vec<PublishedSection>,
    pub(super) tracks: Vec<PublishedTrack>,
    /// What each source sends. Few, so that going through them is faster than any table.
    sources: Vec<(Ssrc, Source)>,
    sources_limit: usize,
    /// Whom reports are from.
    pub(super) ssrc: Ssrc,
    pub(super) outbound: Option<Outbound>,
    pub(super) twcc: Option<TwccRecorder>,
    /// The id of the number on the transport. Under BUNDLE, an id means the same in every section (RFC 8843, 15).
    transport_id: Option<u8>,
    /// Its place in the shard's list of publishers.
    pub(super) place: usize,
    pub(super) twcc_due: Option<Instant>,
    pub(super) report_due: Option<Instant>,
    /// Whether RTCP compounds may leave out their beginning (RFC 5506): all sections agreed to it.
    pub(super) is_reduced: bool,
    /// What of it goes nowhere.
    pub(super) dropped: Option<PayloadType>,
    /// The round-trip time, if it answers our reports of time (RFC 3611).
    pub(super) rtt: Option<Duration>,
    /// Packet numbers on their way into a request, kept for its memory.
    pub(super) due: Vec<u16>,
    /// Where the next packets are put.
    room: BytesMut,
}

#[derive(Debug)]
struct PublishedSection {
    agreed: NegotiatedSection,
    ids: ExtensionMap,
    /// Its tracks are those from this one on, one for each layer.
    first_track: usize,
}

/// What a source sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Media(usize),
    Retransmission(usize),
}

/// What a packet came to.
#[derive(Debug)]
pub(super) struct Ingested {
    pub(super) track: u8,
    /// The track is new, or has another codec.
    pub(super) description: Option<Track>,
    /// None for what carries nothing or came before.
    pub(super) packet: Option<RtpPacket>,
    /// There is something to ask the publisher for.
    pub(super) has_wishes: bool,
}

impl Publisher {
    pub(super) fn new(
        sections: Vec<NegotiatedSection>,
        ssrc: Ssrc,
        limits: &Limits,
    ) -> Result<Self, SfuError> {
        let mut publisher = Self {
            sections: Vec::new(),
            tracks: Vec::new(),
            sources: Vec::new(),
            sources_limit: limits.sources,
            ssrc,
            outbound: None,
            twcc: None,
            transport_id: None,
            place: usize::MAX,
            twcc_due: None,
            report_due: None,
            is_reduced: sections.iter().all(|section| section.rtcp_rsize),
            dropped: None,
            rtt: None,
            due: Vec::new(),
            room: BytesMut::new(),
        };
        for (index, agreed) in sections.into_iter().enumerate() {
            publisher.add_section(index, agreed, limits);
        }
        let (tracks, limit) = (publisher.tracks.len(), limits.tracks.min(32));
        if tracks > limit {
            return Err(SfuError::TooManyTracks { tracks, limit });
        }
        Ok(publisher)
    }

    fn add_section(&mut self, index: usize, agreed: NegotiatedSection, limits: &Limits) {
        let first_track = self.tracks.len();
        let layers = match agreed.rids.as_slice() {
            // Simulcast of old names its layers by their sources alone.
            [] => vec![None; agreed.remote_sources.len().clamp(1, OLD_LAYERS)],
            rids => rids.iter().copied().map(Some).collect(),
        };
        let is_by_source = agreed.rids.is_empty();
        let ids = extension_map(&agreed.extensions);
        for (place, layer) in layers.into_iter().enumerate() {
            let number = self.tracks.len();
            let source = agreed.remote_sources.get(place).filter(|_| is_by_source);
            let named = if is_by_source && agreed.remote_sources.len() > 1 {
                Rid::new(place.to_string().as_bytes())
            } else {
                layer
            };
            self.tracks.push(PublishedTrack::new(index, agreed.kind, named, ids, limits));
            if let Some(source) = source {
                self.know(source.ssrc, Source::Media(number));
                if let Some(rtx) = source.rtx {
                    self.know(rtx, Source::Retransmission(number));
                }
            }
        }
        let transport_id = ids.id(ExtensionKind::TransportSequence);
        self.transport_id = self.transport_id.or(transport_id);
        let has_twcc =
            agreed.codecs.iter().any(|codec| codec.feedback.transport_cc) && transport_id.is_some();
        if has_twcc && self.twcc.is_none() {
            self.twcc = Some(TwccRecorder::new(limits));
        }
        self.sections.push(PublishedSection { agreed, ids, first_track });
    }

    /// Takes the keys for what the publisher is sent.
    pub(super) fn connect(&mut self, now: Instant, outbound: Outbound) {
        self.outbound = Some(outbound);
        self.report_due = Some(now);
        self.twcc_due = self.twcc.is_some().then_some(now);
    }

    /// Takes a packet that has been opened. `None` for one of no source, payload type or layer that was agreed.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        header: &Header,
        index: u64,
        packet: &[u8],
    ) -> Option<Ingested> {
        let Fields { ssrc, payload_type, .. } = header.fields;
        let extensions = header.extensions(packet);
        self.note_transport_sequence(now, &extensions);
        let source = self.source(ssrc, payload_type, &extensions)?;
        let payload = header.payload(packet).ok()?;
        match source {
            Source::Media(number) => {
                self.receive_media(now, number, header.fields, extensions, index, payload)
            }
            Source::Retransmission(number) => {
                self.receive_retransmission(now, number, header.fields, extensions, payload)
            }
        }
    }

    fn receive_media(
        &mut self,
        now: Instant,
        number: usize,
        fields: Fields,
        extensions: Extensions<'_>,
        index: u64,
        payload: &[u8],
    ) -> Option<Ingested> {
        let place = u8::try_from(number).ok()?;
        let track = self.tracks.get_mut(number)?;
        let (coding, clock_rate, description) = match track.known_coding(&fields) {
            Some((coding, clock_rate)) => (coding, clock_rate, None),
            None => {
                let section = self.sections.get(track.section)?;
                let codec = section.agreed.codec(fields.payload_type)?;
                let CodecParameters { codec: coding, clock_rate, .. } = codec.parameters;
                if self.dropped == Some(fields.payload_type) {
                    // What has arrived is not lost, and so not asked for again.
                    if track.ssrc == Some(fields.ssrc) {
                        track.note(now, index, fields.timestamp, clock_rate, payload.len());
                    }
                    let has_wishes = track.has_wishes();
                    let (description, packet) = (None, None);
                    return Some(Ingested { track: place, description, packet, has_wishes });
                }
                (coding, clock_rate, track.begin(fields.ssrc, codec))
            }
        };
        let is_new = track.note(now, index, fields.timestamp, clock_rate, payload.len());
        let room = &mut self.room;
        let packet = || {
            let extensions = (extensions, &track.ids);
            normalise(fields, extensions, payload, index, now, coding, room)
        };
        let packet = if is_new { packet() } else { None };
        Some(Ingested { track: place, description, packet, has_wishes: track.has_wishes() })
    }

    fn receive_retransmission(
        &mut self,
        now: Instant,
        number: usize,
        fields: Fields,
        extensions: Extensions<'_>,
        payload: &[u8],
    ) -> Option<Ingested> {
        let track = self.tracks.get_mut(number)?;
        let section = self.sections.get(track.section)?;
        let codec = section.agreed.codec_of_rtx(fields.payload_type)?;
        let nothing = Ingested {
            track: u8::try_from(number).ok()?,
            description: None,
            packet: None,
            has_wishes: track.has_wishes(),
        };
        // Senders probe the path by retransmissions of nothing.
        let Some((original, payload)) = payload.split_first_chunk() else { return Some(nothing) };
        let original = u16::from_be_bytes(*original);
        let (Some(ssrc), Some(sequence)) = (track.ssrc, track.extend(original)) else {
            return Some(nothing);
        };
        if !track.note_retransmission(sequence, payload.len()) {
            return Some(nothing);
        }
        if self.dropped == Some(codec.payload_type) {
            return Some(nothing);
        }
        let fields =
            Fields { ssrc, payload_type: codec.payload_type, sequence: original, ..fields };
        let extensions = (extensions, &track.ids);
        let coding = codec.parameters.codec;
        let room = &mut self.room;
        let packet = normalise(fields, extensions, payload, sequence, now, coding, room);
        Some(Ingested { packet, ..nothing })
    }

    fn note_transport_sequence(&mut self, now: Instant, extensions: &Extensions<'_>) {
        let (Some(twcc), Some(id)) = (&mut self.twcc, self.transport_id) else { return };
        let data = extensions.clone().data_of(id).and_then(|data| data.first_chunk().copied());
        if let Some(data) = data {
            twcc.receive(u16::from_be_bytes(data), now);
        }
    }

    /// What a source sends: what it is known to, or else what its first packet says it does. Its description may have
    /// named it; then the mid and rid in the packet count (RFC 8843, 9.2; RFC 8853, 5.5); then the payload type, if
    /// one section alone has it.
    fn source(
        &mut self,
        ssrc: Ssrc,
        payload_type: PayloadType,
        extensions: &Extensions<'_>,
    ) -> Option<Source> {
        let known = self.sources.iter().find(|(known, _)| *known == ssrc);
        if let Some((_, source)) = known {
            return Some(*source);
        }
        let source = self.identify(payload_type, extensions)?;
        // A source that takes the place of another: the encoder began anew.
        if let Source::Media(number) = source {
            let track = self.tracks.get_mut(number)?;
            track.ssrc.is_some().then(|| track.restart());
        }
        self.sources.retain(|(_, known)| *known != source);
        if self.sources.len() >= self.sources_limit {
            return None;
        }
        self.know(ssrc, source);
        Some(source)
    }

    fn identify(&self, payload_type: PayloadType, extensions: &Extensions<'_>) -> Option<Source> {
        let carries = |section: &PublishedSection| {
            let media = section.agreed.codec(payload_type).is_some();
            media || section.agreed.codec_of_rtx(payload_type).is_some()
        };
        let mid = |section: &PublishedSection| section.ids.mid(extensions.clone());
        let named = self.sections.iter().find(|section| mid(section) == Some(section.agreed.mid));
        let mut carrying = self.sections.iter().filter(|section| carries(section));
        let section = match named {
            Some(section) => Some(section).filter(|section| carries(section)),
            None => carrying.next().filter(|_| carrying.next().is_none()),
        }?;
        let is_rtx = section.agreed.codec(payload_type).is_none();
        let layer = if section.agreed.rids.is_empty() {
            0
        } else {
            let rid = match is_rtx {
                true => section.ids.repaired_rid(extensions.clone()),
                false => section.ids.rid(extensions.clone()),
            }?;
            section.agreed.rids.iter().position(|known| *known == rid)?
        };
        let number = section.first_track.saturating_add(layer);
        Some(if is_rtx { Source::Retransmission(number) } else { Source::Media(number) })
    }

    fn know(&mut self, ssrc: Ssrc, source: Source) {
        self.sources.push((ssrc, source));
    }

    /// The number of the track that a source sends, if it sends one.
    pub(super) fn track_of(&self, ssrc: Ssrc) -> Option<usize> {
        self.sources.iter().find_map(|(known, source)| match source {
            Source::Media(number) if *known == ssrc => Some(*number),
            _ => None,
        })
    }

    /// The codec that a track has in its packets now.
    pub(super) fn codec(&self, track: &PublishedTrack) -> Option<&NegotiatedCodec> {
        self.sections.get(track.section)?.agreed.codec(track.payload_type?)
    }

    /// Whether any section agreed to be told of a bit rate (REMB).
    pub(super) fn takes_remb(&self) -> bool {
        let takes = |section: &PublishedSection| {
            section.agreed.kind == MediaKind::Video
                && section.agreed.codecs.iter().any(|codec| codec.feedback.remb)
        };
        self.sections.iter().any(takes)
    }
}

fn extension_map(ids: &ExtensionIds) -> ExtensionMap {
    let mut map = ExtensionMap::default();
    for (kind, id) in [
        (ExtensionKind::Mid, ids.mid),
        (ExtensionKind::Rid, ids.rid),
        (ExtensionKind::RepairedRid, ids.repaired_rid),
        (ExtensionKind::AbsSendTime, ids.abs_send_time),
        (ExtensionKind::TransportSequence, ids.transport_wide_cc),
        (ExtensionKind::AudioLevel, ids.audio_level),
        (ExtensionKind::Orientation, ids.video_orientation),
    ] {
        map.set(kind, id.unwrap_or(0));
    }
    map
}
