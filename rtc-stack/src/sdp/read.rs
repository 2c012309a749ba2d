//! Descriptions from text.

use std::str::FromStr;

use super::error::shorten;
use super::line::{Line, lines};
use super::{
    Candidate, Description, Direction, ExtensionMap, Feedback, Layer, MAX_CANDIDATES,
    MAX_FINGERPRINTS, MAX_PAYLOAD_TYPES, MAX_SECTIONS, MAX_SOURCES, Msid, SdpError, Section,
    SectionCodec, SectionKind, Setup, Simulcast, Source, SourceGroup,
};
use crate::dtls::{Fingerprint, FingerprintError};
use crate::stun::Credentials;
use crate::{Codec, CodecParameters, MediaKind, Mid, PayloadType};

impl FromStr for Description {
    type Err = SdpError;

    /// Reads a description.
    ///
    /// What this crate doesn't know is skipped, and so is a line that makes no sense, as long as nothing depends on
    /// it: a codec, a header extension, a source or a candidate less.
    ///
    /// # Errors
    ///
    /// [`SdpError`] for more than the limits of this module, for what is no line, and for nonsense in what a
    /// connection depends on: `m=`, `a=mid`, `a=ice-ufrag`, `a=ice-pwd`, `a=fingerprint`, `a=setup`.
    fn from_str(text: &str) -> Result<Self, SdpError> {
        let mut lines = lines(text)?;
        if !matches!(lines.next(), Some(Ok(Line::Other('v', "0")))) {
            return Err(SdpError::Version {
                read: shorten(text.lines().next().unwrap_or_default()),
            });
        }
        let mut reader = Reader::default();
        for line in lines {
            match line? {
                Line::Attribute(name, value) => reader.attribute(name, value)?,
                Line::Media(value) => reader.media(value)?,
                Line::Other('o', value) => reader.origin(value),
                Line::Other(..) => {}
            }
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    description: Description,
    session: Transport,
    open: Option<OpenSection>,
}

/// What may be said for a section as for all.
#[derive(Default)]
struct Transport {
    ufrag: Option<String>,
    pwd: Option<String>,
    fingerprints: Vec<Fingerprint>,
    setup: Option<Setup>,
    direction: Option<Direction>,
    extensions: Vec<ExtensionMap>,
    end_of_candidates: bool,
}

impl Reader {
    fn origin(&mut self, value: &str) {
        let id = value.split_ascii_whitespace().nth(1).and_then(|id| id.parse().ok());
        self.description.session_id = id.unwrap_or_default();
    }

    fn attribute(&mut self, name: &str, value: &str) -> Result<(), SdpError> {
        match (name, &mut self.open) {
            // Some say it once, some in every section.
            ("ice-options", _) => {
                let mut options = value.split([' ', ',']);
                self.description.trickle |= options.any(|option| option == "trickle");
                Ok(())
            }
            ("ice-lite", _) => {
                self.description.ice_lite = true;
                Ok(())
            }
            (_, Some(open)) => open.attribute(name, value),
            ("group", None) => {
                self.group(value);
                Ok(())
            }
            (_, None) => self.session.attribute(name, value).map(|_| ()),
        }
    }

    fn group(&mut self, value: &str) {
        let mut words = value.split_ascii_whitespace();
        if words.next() != Some("BUNDLE") || !self.description.bundle.is_empty() {
            return;
        }
        // Names of sections that aren't there do no harm: encoders write "0 1" and then one section.
        let mids = words.filter_map(|word| Mid::new(word.as_bytes()));
        for mid in mids.take(MAX_SECTIONS) {
            if !self.description.bundle.contains(&mid) {
                self.description.bundle.push(mid);
            }
        }
    }

    fn media(&mut self, value: &str) -> Result<(), SdpError> {
        self.close()?;
        if self.description.sections.len() >= MAX_SECTIONS {
            return Err(SdpError::TooMany { what: "sections", limit: MAX_SECTIONS });
        }
        self.open = Some(OpenSection::new(value)?);
        Ok(())
    }

    fn close(&mut self) -> Result<(), SdpError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let section = open.finish(&self.session)?;
        if let Some(mid) = section.mid.filter(|mid| self.description.section(*mid).is_some()) {
            return Err(SdpError::DuplicateMid(mid));
        }
        self.description.sections.push(section);
        Ok(())
    }

    fn finish(mut self) -> Result<Description, SdpError> {
        self.close()?;
        Ok(self.description)
    }
}

impl Transport {
    /// Takes an attribute, and says whether it was one of these.
    fn attribute(&mut self, name: &str, value: &str) -> Result<bool, SdpError> {
        match name {
            "ice-ufrag" => self.ufrag = Some(value.to_owned()),
            "ice-pwd" => self.pwd = Some(value.to_owned()),
            "fingerprint" => {
                if let Some(fingerprint) = fingerprint(value)? {
                    if self.fingerprints.len() >= MAX_FINGERPRINTS {
                        let limit = MAX_FINGERPRINTS;
                        return Err(SdpError::TooMany { what: "fingerprints", limit });
                    }
                    self.fingerprints.push(fingerprint);
                }
            }
            "setup" => self.setup = Some(Setup::parse(value)?),
            "extmap" => {
                let known = ExtensionMap::parse(value);
                self.extensions.extend(known.filter(|new| {
                    let same =
                        |old: &ExtensionMap| old.extension == new.extension || old.id == new.id;
                    !self.extensions.iter().any(same)
                }));
            }
            "end-of-candidates" => self.end_of_candidates = true,
            _ => match Direction::from_name(name) {
                Some(direction) => self.direction = Some(direction),
                None => return Ok(false),
            },
        }
        Ok(true)
    }
}

/// A section whose attributes are still being read, in whichever order they come.
struct OpenSection {
    section: Section,
    transport: Transport,
    codecs: Vec<OpenCodec>,
    /// The feedback of every payload type.
    feedback: Feedback,
}

struct OpenCodec {
    payload_type: PayloadType,
    mapped: Option<CodecParameters>,
    fmtp: String,
    feedback: Feedback,
}

impl OpenSection {
    fn new(value: &str) -> Result<Self, SdpError> {
        let wrong = || SdpError::value("m=", value);
        let mut words = value.split_ascii_whitespace();
        let media = words.next().ok_or_else(wrong)?;
        let port = words.next().ok_or_else(wrong)?;
        let port = port.split_once('/').map_or(port, |(port, _)| port);
        let port = port.parse().map_err(|_| wrong())?;
        let protocol = words.next().ok_or_else(wrong)?;
        let kind = match media {
            "audio" => SectionKind::Media(MediaKind::Audio),
            "video" => SectionKind::Media(MediaKind::Video),
            "application" => SectionKind::Application,
            _ => SectionKind::Other,
        };
        let mut section = Section::new(kind, protocol);
        section.media = media.to_owned();
        section.port = port;
        let formats: Vec<_> = words.take(MAX_PAYLOAD_TYPES.saturating_add(1)).collect();
        if formats.is_empty() {
            return Err(wrong());
        }
        if formats.len() > MAX_PAYLOAD_TYPES {
            return Err(SdpError::TooMany { what: "payload types", limit: MAX_PAYLOAD_TYPES });
        }
        section.formats = formats.join(" ");
        let mut codecs: Vec<OpenCodec> = Vec::new();
        if kind.media().is_some() {
            for format in formats {
                let number = format.parse().ok().and_then(PayloadType::new);
                let payload_type = number.ok_or_else(|| SdpError::value("payload type", format))?;
                if !codecs.iter().any(|known| known.payload_type == payload_type) {
                    codecs.push(OpenCodec::new(payload_type));
                }
            }
        }
        let (transport, feedback) = (Transport::default(), Feedback::default());
        Ok(Self { section, transport, codecs, feedback })
    }

    fn attribute(&mut self, name: &str, value: &str) -> Result<(), SdpError> {
        if self.transport.attribute(name, value)? {
            return Ok(());
        }
        let section = &mut self.section;
        match name {
            "mid" => {
                let mid = Mid::new(value.as_bytes());
                section.mid = Some(mid.ok_or_else(|| SdpError::value("mid", value))?);
            }
            "rtcp-mux" | "rtcp-mux-only" => section.rtcp_mux = true,
            "rtcp-rsize" => section.rtcp_rsize = true,
            "bundle-only" => section.bundle_only = true,
            "msid" if section.msid.is_none() => section.msid = Msid::parse(value),
            "simulcast" => section.simulcast = Simulcast::parse(value).unwrap_or_default(),
            "candidate" => push(
                &mut section.candidates,
                Candidate::parse(value),
                "candidates",
                MAX_CANDIDATES,
            )?,
            "ssrc-group" => push(
                &mut section.source_groups,
                SourceGroup::parse(value),
                "groups of sources",
                MAX_SOURCES,
            )?,
            "rid" => {
                let layer = Layer::parse(value);
                let new =
                    layer.filter(|new| !section.layers.iter().any(|known| known.rid == new.rid));
                push(&mut section.layers, new, "simulcast layers", MAX_SOURCES)?;
            }
            "ssrc" => self.source(value)?,
            "rtpmap" | "fmtp" | "rtcp-fb" => self.format(name, value),
            _ => {}
        }
        Ok(())
    }

    fn source(&mut self, value: &str) -> Result<(), SdpError> {
        let Some((ssrc, name, value)) = Source::parse(value) else {
            return Ok(());
        };
        let sources = &mut self.section.sources;
        let place = match sources.iter().position(|source| source.ssrc == ssrc) {
            Some(place) => place,
            None => {
                push(sources, Some(Source::new(ssrc)), "sources", MAX_SOURCES)?;
                sources.len().saturating_sub(1)
            }
        };
        if let (Some(source), "cname") = (sources.get_mut(place), name) {
            source.cname = Some(value.to_owned());
        }
        Ok(())
    }

    fn format(&mut self, name: &str, value: &str) {
        let Some((number, value)) = value.split_once(' ') else {
            return;
        };
        let value = value.trim();
        if number == "*" {
            if name == "rtcp-fb" {
                self.feedback.note(value);
            }
            return;
        }
        let number = number.parse().ok().and_then(PayloadType::new);
        // A payload type that the `m=` line doesn't list is nobody's.
        let Some(codec) = self.codecs.iter_mut().find(|codec| Some(codec.payload_type) == number)
        else {
            return;
        };
        match name {
            "rtpmap" => codec.mapped = Some(mapped(value)),
            "rtcp-fb" => codec.feedback.note(value),
            _ if codec.fmtp.is_empty() => codec.fmtp = value.to_owned(),
            _ => {
                codec.fmtp.push(';');
                codec.fmtp.push_str(value);
            }
        }
    }

    fn finish(self, session: &Transport) -> Result<Section, SdpError> {
        let Self { mut section, transport, codecs, feedback } = self;
        let ufrag = transport.ufrag.as_ref().or(session.ufrag.as_ref());
        let pwd = transport.pwd.as_ref().or(session.pwd.as_ref());
        if let (Some(ufrag), Some(pwd)) = (ufrag, pwd) {
            section.ice = Some(Credentials::new(ufrag, pwd)?);
        }
        section.fingerprints = match transport.fingerprints.is_empty() {
            true => session.fingerprints.clone(),
            false => transport.fingerprints,
        };
        section.setup = transport.setup.or(session.setup);
        section.direction = transport.direction.or(session.direction).unwrap_or_default();
        section.extensions = match transport.extensions.is_empty() {
            true => session.extensions.clone(),
            false => transport.extensions,
        };
        section.end_of_candidates = transport.end_of_candidates || session.end_of_candidates;
        section.codecs = codecs.into_iter().map(|codec| codec.finish(feedback)).collect();
        Ok(section)
    }
}

impl OpenCodec {
    fn new(payload_type: PayloadType) -> Self {
        let (fmtp, feedback) = (String::new(), Feedback::default());
        Self { payload_type, mapped: None, fmtp, feedback }
    }

    fn finish(self, every: Feedback) -> SectionCodec {
        let payload_type = self.payload_type;
        // RFC 3551, 6: these numbers need no words, and wrong ones don't change what they stand for.
        let unmapped = || match payload_type.number() {
            0 => CodecParameters::new(Codec::Pcmu),
            8 => CodecParameters::new(Codec::Pcma),
            _ => CodecParameters::new(Codec::Other),
        };
        let mapped = self.mapped.filter(|mapped| mapped.codec != Codec::Other);
        let mut parameters = mapped.unwrap_or_else(unmapped);
        let known = parameters.codec != Codec::Other;
        if known {
            parameters.fmtp = self.fmtp;
        }
        let feedback = if known { self.feedback.union(every) } else { Feedback::default() };
        SectionCodec { payload_type, parameters, feedback }
    }
}

/// Reads the value of `a=rtpmap`, the payload type taken off.
fn mapped(value: &str) -> CodecParameters {
    let mut parts = value.split('/');
    let codec = Codec::from_name(parts.next().unwrap_or_default());
    let clock_rate = parts.next().and_then(|rate| rate.parse().ok()).filter(|rate| *rate > 0);
    let channels = parts.next().map_or(Some(1), |count| count.parse().ok());
    let mut parameters = CodecParameters::new(codec);
    match (clock_rate, channels) {
        // A codec at another rate than its own is another codec.
        (Some(rate), Some(channels @ 1..)) if codec.clock_rate().is_none_or(|own| own == rate) => {
            if codec != Codec::Other {
                parameters.clock_rate = rate;
                parameters.channels = channels;
            }
            parameters
        }
        _ => CodecParameters::new(Codec::Other),
    }
}

/// Reads the value of `a=fingerprint`; `None` for a hash function that nobody here could compute.
fn fingerprint(value: &str) -> Result<Option<Fingerprint>, SdpError> {
    match value.parse() {
        Ok(fingerprint) => Ok(Some(fingerprint)),
        Err(FingerprintError::HashFunction) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn push<T>(
    list: &mut Vec<T>,
    item: Option<T>,
    what: &'static str,
    limit: usize,
) -> Result<(), SdpError> {
    let Some(item) = item else {
        return Ok(());
    };
    if list.len() >= limit {
        return Err(SdpError::TooMany { what, limit });
    }
    list.push(item);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_payload_types_need_no_names() {
        let text = "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 0 8 9 96\na=rtpmap:0 zPCMU/8000\n\
            a=rtpmap:96 opus/48000/2\na=fmtp:96 usedtx=1\na=fmtp:96 stereo=1\na=rtcp-fb:* nack\n";
        let read: Description = text.parse().unwrap();
        let codecs = &read.sections[0].codecs;
        let names: Vec<_> = codecs.iter().map(|codec| codec.parameters.codec).collect();
        assert_eq!(names, [Codec::Pcmu, Codec::Pcma, Codec::Other, Codec::Opus]);
        assert_eq!(codecs[3].parameters.fmtp, "usedtx=1;stereo=1");
        let nack: Vec<_> = codecs.iter().map(|codec| codec.feedback.nack).collect();
        assert_eq!(nack, [true, true, false, true]);
        assert_eq!(read.to_string().parse(), Ok(read));
    }

    #[test]
    fn what_a_section_says_itself_comes_before_what_is_said_for_all() {
        let text = "v=0\na=setup:active\na=recvonly\na=ice-ufrag:aaaa\n\
            a=ice-pwd:bbbbbbbbbbbbbbbbbbbbbb\nm=audio 9 X 0\na=ice-ufrag:cccc\na=sendonly\n\
            m=video 9/2 X 96\na=setup:passive\n";
        let read: Description = text.parse().unwrap();
        let [audio, video] = read.sections.as_slice() else { panic!("{read:?}") };
        assert_eq!(audio.ice.as_ref().unwrap().ufrag(), "cccc");
        assert_eq!((audio.setup, audio.direction), (Some(Setup::Active), Direction::SendOnly));
        assert_eq!(video.ice.as_ref().unwrap().ufrag(), "aaaa");
        assert_eq!((video.setup, video.direction), (Some(Setup::Passive), Direction::RecvOnly));
        assert_eq!(video.port, 9);
    }
}
