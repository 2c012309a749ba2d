//! What WebRTC's tracks are, for people: from descriptions, and from the packets where keyframes begin.
//!
//! Descriptions name the codec, and at most a profile that may be sent; the truth is in the pictures.

use std::iter::from_fn;

use flv_mux::{Av1SequenceHeader, HevcSps, Limits, ObuType, Sps, obus};
use rtc_stack::{Codec, CodecParameters, sdp::ProfileLevelId};

use super::{
    AudioInfo, VideoInfo,
    codec::{av1_profile, avc_profile, hevc_profile, level_of_av1, level_of_hevc},
};

impl VideoInfo {
    /// What a description says of a track.
    pub fn of_track(parameters: &CodecParameters) -> Self {
        let codec = match parameters.codec {
            // The name that SRS's API has for it.
            Codec::H265 => "HEVC",
            codec => codec.name(),
        };
        let number = |name| parameters.parameter(name).and_then(|value| value.parse::<u8>().ok());
        let profile = match parameters.codec {
            Codec::H264 => {
                let id = parameters.parameter("profile-level-id").and_then(ProfileLevelId::parse);
                id.map(|id| avc_profile(id.profile_idc, id.constraints).to_owned())
            }
            Codec::H265 => number("profile-id").map(|profile| hevc_profile(profile).to_owned()),
            Codec::Vp9 => number("profile-id").map(vp9_profile),
            Codec::Av1 => number("profile").map(|profile| av1_profile(profile).to_owned()),
            _ => None,
        };
        Self { codec: codec.to_owned(), profile: profile.unwrap_or_default(), ..Self::default() }
    }

    /// What the payload says where a keyframe begins; `None` where it has nothing of it, as the
    /// further packets of a keyframe.
    pub(super) fn of_keyframe(codec: Codec, payload: &[u8]) -> Option<Self> {
        let info = match codec {
            Codec::H264 => h264(payload)?,
            Codec::H265 => h265(payload)?,
            Codec::Vp8 => vp8(payload)?,
            Codec::Vp9 => vp9(payload)?,
            Codec::Av1 => av1(payload)?,
            _ => return None,
        };
        Some(Self { codec: Self::of_track(&CodecParameters::new(codec)).codec, ..info })
    }
}

impl AudioInfo {
    /// What a description says of a track.
    pub fn of_track(parameters: &CodecParameters) -> Self {
        let codec = match parameters.codec {
            Codec::Opus => "Opus",
            Codec::Pcmu => "G711U",
            Codec::Pcma => "G711A",
            codec => codec.name(),
        };
        Self {
            codec: codec.to_owned(),
            sample_rate: parameters.clock_rate,
            channels: parameters.channels.into(),
            profile: String::new(),
        }
    }
}

fn h264(payload: &[u8]) -> Option<VideoInfo> {
    const SPS: u8 = 7;
    const STAP_A: u8 = 24;
    let sps = units(payload, STAP_A, 0x1f, 0, 1).find(|unit| unit[0] & 0x1f == SPS)?;
    let sps = Sps::decode(sps, &Limits::default()).ok()?;
    Some(VideoInfo {
        profile: avc_profile(sps.profile, sps.constraints).to_owned(),
        level: format!("{}.{}", sps.level / 10, sps.level % 10),
        width: sps.width,
        height: sps.height,
        ..VideoInfo::default()
    })
}

fn h265(payload: &[u8]) -> Option<VideoInfo> {
    const SPS: u8 = 33;
    const AGGREGATION: u8 = 48;
    let sps = units(payload, AGGREGATION, 0x3f, 1, 2).find(|unit| unit[0] >> 1 & 0x3f == SPS)?;
    let sps = HevcSps::decode(sps, &Limits::default()).ok()?;
    Some(VideoInfo {
        profile: hevc_profile(sps.profile.idc).to_owned(),
        level: level_of_hevc(sps.profile.level),
        width: sps.width,
        height: sps.height,
        ..VideoInfo::default()
    })
}

/// The NAL units of a payload, none of which is empty: those of an aggregation packet behind its
/// header, or the payload itself. A type is `mask` of the first byte, above `shift` bits.
fn units(
    payload: &[u8],
    aggregation: u8,
    mask: u8,
    shift: u8,
    header: usize,
) -> impl Iterator<Item = &[u8]> {
    let is_many = payload.first().is_some_and(|first| first >> shift & mask == aggregation);
    let mut rest = if is_many { payload.get(header..).unwrap_or_default() } else { payload };
    from_fn(move || {
        if !is_many {
            return Some(std::mem::take(&mut rest)).filter(|unit| !unit.is_empty());
        }
        let (length, after) = rest.split_first_chunk()?;
        let (unit, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        rest = after;
        Some(unit).filter(|unit| !unit.is_empty())
    })
}

/// The descriptor (RFC 7741, 4.2), and the header of a keyframe (RFC 6386, 9.1).
fn vp8(payload: &[u8]) -> Option<VideoInfo> {
    let (first, mut rest) = payload.split_first()?;
    if first & 0x80 != 0 {
        let (extended, after) = rest.split_first()?;
        let id = match (extended & 0x80 != 0, after.first()) {
            (false, _) => 0,
            (true, first) => 1 + usize::from(first? & 0x80 != 0),
        };
        let others = usize::from(extended & 0x40 != 0) + usize::from(extended & 0x30 != 0);
        rest = after.get(id + others..)?;
    }
    let [tag, _, _, 0x9d, 0x01, 0x2a, size @ ..] = rest.first_chunk::<10>()? else { return None };
    let of = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let [width, more_width, height, more_height] = *size;
    Some(VideoInfo {
        profile: format!("Profile {}", tag >> 1 & 0x07),
        width: of(width, more_width),
        height: of(height, more_height),
        ..VideoInfo::default()
    })
}

/// The descriptor (RFC 9628, 4.2), whose structure tells the size of all layers, and the header of a
/// keyframe (VP9, 6.2).
fn vp9(payload: &[u8]) -> Option<VideoInfo> {
    let (first, mut rest) = payload.split_first()?;
    let has = |bit: u8| first & bit != 0;
    if has(0x80) {
        let is_long = rest.first()? & 0x80 != 0;
        rest = rest.get(1 + usize::from(is_long)..)?;
    }
    if has(0x20) {
        // The layer's number, and the number of its lowest layer's picture unless that is told otherwise.
        rest = rest.get(1 + usize::from(!has(0x10))..)?;
    }
    let mut largest = None;
    if has(0x02) {
        let structure = *rest.first()?;
        rest = rest.get(1..)?;
        let has_sizes = structure & 0x10 != 0;
        for _ in 0..if has_sizes { 1 + (structure >> 5) } else { 0 } {
            let (size, after) = rest.split_first_chunk::<4>()?;
            let [a, b, c, d] = *size;
            largest = Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])].map(u32::from));
            rest = after;
        }
        if structure & 0x08 != 0 {
            let (pictures, mut after) = rest.split_first()?;
            for _ in 0..*pictures {
                let references = usize::from(after.first()? >> 2 & 0x03);
                after = after.get(1 + references..)?;
            }
            rest = after;
        }
    }
    let mut bits = Bits::of(rest);
    let marker = bits.take(2)?;
    let profile = bits.take(1)? | bits.take(1)? << 1;
    if profile == 3 {
        bits.take(1)?;
    }
    // No picture that is shown again, and a keyframe.
    if marker != 2 || bits.take(1)? != 0 || bits.take(1)? != 0 {
        return None;
    }
    bits.take(2)?;
    if bits.take(24)? != 0x49_8342 {
        return None;
    }
    if profile >= 2 {
        bits.take(1)?;
    }
    const RGB: u32 = 7;
    let is_rgb = bits.take(3)? == RGB;
    let has_subsampling = profile & 1 == 1;
    bits.take(u32::from(!is_rgb) + if has_subsampling { 1 + 2 * u32::from(!is_rgb) } else { 0 })?;
    let own = [bits.take(16)? + 1, bits.take(16)? + 1];
    let [width, height] = largest.unwrap_or(own);
    let profile = vp9_profile(u8::try_from(profile).ok()?);
    Some(VideoInfo { profile, width, height, ..VideoInfo::default() })
}

/// The aggregation header and its elements (the AV1 payload format, 4.3 and 4.4).
fn av1(payload: &[u8]) -> Option<VideoInfo> {
    let (aggregation, mut rest) = payload.split_first()?;
    let count = aggregation >> 4 & 0x03;
    // The sequence header is among the first.
    for element in 1..=8_u8 {
        // The last of a known number of elements has no length before it.
        let (length, after) = if element == count { (rest.len(), rest) } else { leb128(rest)? };
        let (data, after) = after.split_at_checked(length)?;
        let mut units = obus(data).map_while(Result::ok);
        let header = units.find(|unit| unit.obu_type == ObuType::SEQUENCE_HEADER);
        if let Some(header) = header {
            let header = Av1SequenceHeader::decode(header.payload, &Limits::default()).ok()?;
            return Some(VideoInfo {
                profile: av1_profile(header.profile).to_owned(),
                level: level_of_av1(header.level),
                width: header.width,
                height: header.height,
                ..VideoInfo::default()
            });
        }
        rest = after;
    }
    None
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

fn vp9_profile(profile: u8) -> String {
    format!("Profile {profile}")
}

/// The first bits of a header: 128 of them, which is more than is read.
struct Bits {
    bits: u128,
    left: u32,
}

impl Bits {
    fn of(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..16).unwrap_or(bytes);
        let bits = bytes.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        Self { bits, left: bytes.iter().map(|_| 8).sum() }
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        self.left = self.left.checked_sub(count)?;
        u32::try_from(self.bits >> self.left & ((1 << count) - 1)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Profile, level and size.
    fn seen(codec: Codec, payload: &[u8]) -> Option<(String, String, u32, u32)> {
        let info = VideoInfo::of_keyframe(codec, payload)?;
        Some((info.profile, info.level, info.width, info.height))
    }

    fn expected(profile: &str, level: &str, size: [u32; 2]) -> Option<(String, String, u32, u32)> {
        Some((profile.to_owned(), level.to_owned(), size[0], size[1]))
    }

    /// Baseline 3.1, 640 by 360.
    const SPS: [u8; 16] = [
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00,
        0x01,
    ];

    #[test]
    fn h264_is_seen_alone_and_among_others() {
        let alone = seen(Codec::H264, &SPS);
        assert_eq!(alone, expected("Constrained Baseline", "3.1", [640, 360]));
        let mut aggregated = vec![0x78, 0, 2, 0x09, 0x10, 0, SPS.len() as u8];
        aggregated.extend_from_slice(&SPS);
        aggregated.extend_from_slice(&[0, 2, 0x68, 0xce]);
        assert_eq!(seen(Codec::H264, &aggregated), alone);
        // What has no parameters says nothing.
        assert_eq!(seen(Codec::H264, &[0x65, 0x88]), None);
        assert_eq!(seen(Codec::H264, &[0x78, 0, 9, 0x67]), None);
    }

    #[test]
    fn vp8_is_seen_behind_every_descriptor() {
        // Version 0, a keyframe that is shown; 640 by 360, scaled by nobody.
        let header = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 0xff];
        for descriptor in
            [&[0x10][..], &[0x90, 0x80, 0x05], &[0x90, 0x80, 0x81, 0x05], &[0x90, 0xe0, 1, 2, 3]]
        {
            let payload = [descriptor, &header].concat();
            assert_eq!(seen(Codec::Vp8, &payload), expected("Profile 0", "", [640, 360]));
        }
        assert_eq!(seen(Codec::Vp8, &[0x10, 0x11, 0x02, 0x00, 1, 2, 3, 4, 5, 6, 7]), None);
    }

    #[test]
    fn vp9_is_seen_by_its_header_and_by_its_largest_layer() {
        // Profile 0, BT.601, 640 by 360.
        let header = [0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 0x00];
        let plain = [&[0x88, 0x05][..], &header].concat();
        assert_eq!(seen(Codec::Vp9, &plain), expected("Profile 0", "", [640, 360]));
        // Two layers, 640 by 360 and 1,280 by 720, and no pattern.
        let layers = [0xaa, 0x85, 0x01, 0x00, 0x07, 0x30, 2, 128, 1, 104, 5, 0, 2, 208];
        let layered = [&layers[..], &header].concat();
        assert_eq!(seen(Codec::Vp9, &layered), expected("Profile 0", "", [1280, 720]));
        // A pattern of two pictures, the second of which refers to one.
        let pattern = [&[0x8a, 0x05, 0x08, 2, 0x00, 0x04, 0x01][..], &header].concat();
        assert_eq!(seen(Codec::Vp9, &pattern), expected("Profile 0", "", [640, 360]));
        assert_eq!(seen(Codec::Vp9, &[0x88, 0x05, 0x86, 0x00]), None);
    }

    #[test]
    fn av1_is_seen_whether_its_units_have_sizes_or_not() {
        // Main, level 2.0, 194 by 108, as libaom writes it.
        let header = [0x00, 0x00, 0x00, 0x03, 0xb6, 0x0e, 0xb3, 0x6b, 0xe4, 0x40, 0x40, 0x40, 0x41];
        let bare = [&[0x18, 0x08][..], &header].concat();
        let info = seen(Codec::Av1, &bare);
        assert_eq!(info, expected("Main", "2.0", [194, 108]));
        let sized = [&[0x18, 0x0a, header.len() as u8][..], &header].concat();
        assert_eq!(seen(Codec::Av1, &sized), info);
        let second = [&[0x28, 2, 0x12, 0x00, 0x08][..], &header].concat();
        assert_eq!(seen(Codec::Av1, &second), info);
    }

    #[test]
    fn descriptions_tell_codecs_and_profiles() {
        for (codec, fmtp, name, profile) in [
            (Codec::H264, "profile-level-id=42e01f", "H264", "Constrained Baseline"),
            (Codec::H264, "", "H264", ""),
            (Codec::H265, "profile-id=1", "HEVC", "Main"),
            (Codec::Vp9, "profile-id=2", "VP9", "Profile 2"),
            (Codec::Av1, "profile=0", "AV1", "Main"),
            (Codec::Vp8, "", "VP8", ""),
        ] {
            let info = VideoInfo::of_track(&CodecParameters::new(codec).with_fmtp(fmtp));
            assert_eq!((info.codec.as_str(), info.profile.as_str()), (name, profile));
        }
        let opus = AudioInfo::of_track(&CodecParameters::new(Codec::Opus));
        assert_eq!((opus.codec.as_str(), opus.sample_rate, opus.channels), ("Opus", 48_000, 2));
    }

    #[test]
    fn any_bytes_are_read_or_not() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..100_000 {
            let mut payload = vec![0; random.usize(..40)];
            random.fill(&mut payload);
            for codec in [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1] {
                let _ = VideoInfo::of_keyframe(codec, &payload);
            }
        }
    }
}
