//! Descriptions as text.

use std::fmt;

use super::{Description, Section, SectionCodec, Simulcast};
use crate::{Codec, Rid};

pub(super) fn description(f: &mut fmt::Formatter<'_>, description: &Description) -> fmt::Result {
    let Description { session_id, ice_lite, trickle, bundle, sections } = description;
    write!(f, "v=0\r\no=- {session_id} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")?;
    if *ice_lite {
        f.write_str("a=ice-lite\r\n")?;
    }
    if !bundle.is_empty() {
        f.write_str("a=group:BUNDLE")?;
        for mid in bundle {
            write!(f, " {mid}")?;
        }
        f.write_str("\r\n")?;
    }
    f.write_str("a=msid-semantic: WMS *\r\n")?;
    for each in sections {
        section(f, each, *trickle)?;
    }
    Ok(())
}

fn section(f: &mut fmt::Formatter<'_>, section: &Section, trickle: bool) -> fmt::Result {
    let Section { media, port, protocol, formats, .. } = section;
    write!(f, "m={media} {port} {protocol} {formats}\r\nc=IN IP4 0.0.0.0\r\n")?;
    if let Some(mid) = section.mid {
        write!(f, "a=mid:{mid}\r\n")?;
    }
    if section.is_rejected() {
        return f.write_str("a=inactive\r\n");
    }
    transport(f, section, trickle)?;
    write!(f, "a={}\r\n", section.direction)?;
    for map in &section.extensions {
        write!(f, "a=extmap:{}", map.id)?;
        if map.direction != super::Direction::SendRecv {
            write!(f, "/{}", map.direction)?;
        }
        write!(f, " {}\r\n", map.extension.uri())?;
    }
    for each in &section.codecs {
        codec(f, each)?;
    }
    senders(f, section)?;
    layers(f, section)?;
    for candidate in &section.candidates {
        write!(f, "a=candidate:{candidate}\r\n")?;
    }
    if section.end_of_candidates {
        f.write_str("a=end-of-candidates\r\n")?;
    }
    Ok(())
}

fn transport(f: &mut fmt::Formatter<'_>, section: &Section, trickle: bool) -> fmt::Result {
    if section.bundle_only {
        f.write_str("a=bundle-only\r\n")?;
    }
    if let Some(ice) = &section.ice {
        write!(f, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.ufrag(), ice.password())?;
        if trickle {
            f.write_str("a=ice-options:trickle\r\n")?;
        }
    }
    for fingerprint in &section.fingerprints {
        write!(f, "a=fingerprint:{fingerprint}\r\n")?;
    }
    if let Some(setup) = section.setup {
        write!(f, "a=setup:{}\r\n", setup.as_str())?;
    }
    if section.rtcp_mux {
        f.write_str("a=rtcp-mux\r\n")?;
    }
    if section.rtcp_rsize {
        f.write_str("a=rtcp-rsize\r\n")?;
    }
    Ok(())
}

fn codec(f: &mut fmt::Formatter<'_>, codec: &SectionCodec) -> fmt::Result {
    let SectionCodec { payload_type, parameters, feedback } = codec;
    if parameters.codec == Codec::Other {
        return Ok(());
    }
    write!(f, "a=rtpmap:{payload_type} {}/{}", parameters.codec.name(), parameters.clock_rate)?;
    if parameters.channels > 1 {
        write!(f, "/{}", parameters.channels)?;
    }
    f.write_str("\r\n")?;
    for name in feedback.names() {
        write!(f, "a=rtcp-fb:{payload_type} {name}\r\n")?;
    }
    if !parameters.fmtp.is_empty() {
        write!(f, "a=fmtp:{payload_type} {}\r\n", parameters.fmtp)?;
    }
    Ok(())
}

fn senders(f: &mut fmt::Formatter<'_>, section: &Section) -> fmt::Result {
    if let Some(msid) = &section.msid {
        write!(f, "a=msid:{}", msid.stream)?;
        if !msid.track.is_empty() {
            write!(f, " {}", msid.track)?;
        }
        f.write_str("\r\n")?;
    }
    for group in &section.source_groups {
        write!(f, "a=ssrc-group:{}", group.semantics.as_str())?;
        for ssrc in &group.ssrcs {
            write!(f, " {ssrc}")?;
        }
        f.write_str("\r\n")?;
    }
    for source in &section.sources {
        match &source.cname {
            Some(cname) => write!(f, "a=ssrc:{} cname:{cname}\r\n", source.ssrc)?,
            None => write!(f, "a=ssrc:{}\r\n", source.ssrc)?,
        }
    }
    Ok(())
}

fn layers(f: &mut fmt::Formatter<'_>, section: &Section) -> fmt::Result {
    for layer in &section.layers {
        write!(f, "a=rid:{} {}\r\n", layer.rid, if layer.send { "send" } else { "recv" })?;
    }
    let Simulcast { send, receive } = &section.simulcast;
    if send.is_empty() && receive.is_empty() {
        return Ok(());
    }
    f.write_str("a=simulcast:")?;
    simulcast(f, "send", send)?;
    if !send.is_empty() && !receive.is_empty() {
        f.write_str(" ")?;
    }
    simulcast(f, "recv", receive)?;
    f.write_str("\r\n")
}

fn simulcast(f: &mut fmt::Formatter<'_>, direction: &str, rids: &[Rid]) -> fmt::Result {
    for (at, rid) in rids.iter().enumerate() {
        match at {
            0 => write!(f, "{direction} {rid}")?,
            _ => write!(f, ";{rid}")?,
        }
    }
    Ok(())
}
