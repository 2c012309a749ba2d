//! Pictures: from access units to the bodies of video messages.

use bytes::{BufMut, Bytes, BytesMut};
use flv_mux::{
    Av1CodecConfigurationRecord, Av1SequenceHeader, AvcDecoderConfigurationRecord, AvcPacketType,
    EnhancedVideo, FourCc, FrameType, HevcDecoderConfigurationRecord, HevcNalUnitType, Limits,
    NalUnitType, ObuType, VideoCodecId, VideoFormat, VideoPacketType, VideoTagHeader,
    VpCodecConfigurationRecord, obus,
};
use rtc_stack::{Codec, payload::AccessUnit};

use super::Message;

/// Makes the bodies of a stream's video messages.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// The configuration that players have, with its header.
    configuration: Bytes,
}

impl Pictures {
    /// The messages that an access unit comes to: the configuration before it, if it is another.
    pub(super) fn take(&mut self, codec: Codec, unit: &AccessUnit) -> Vec<Message> {
        let mut messages = Vec::new();
        let Some(four_cc) = four_cc(codec) else { return messages };
        if unit.is_keyframe
            && let Some(configuration) = configuration(four_cc, &unit.units)
            && configuration != self.configuration
        {
            self.configuration = configuration.clone();
            messages.push((unit.timestamp, configuration));
        }
        let mut body = BytesMut::new();
        header(four_cc, unit.is_keyframe, Part::Frame).encode(&mut body);
        let start = body.len();
        for unit in unit.units.iter().filter(|unit| is_kept(four_cc, unit)) {
            if matches!(four_cc, FourCc::AVC | FourCc::HEVC) {
                // The depacketizer's limit is far below what four bytes can say.
                body.put_u32(unit.len() as u32);
            }
            body.put_slice(unit);
        }
        if body.len() > start && !self.configuration.is_empty() {
            messages.push((unit.timestamp, body.freeze()));
        }
        messages
    }
}

fn four_cc(codec: Codec) -> Option<FourCc> {
    Some(match codec {
        Codec::H264 => FourCc::AVC,
        Codec::H265 => FourCc::HEVC,
        Codec::Av1 => FourCc::AV1,
        Codec::Vp8 => FourCc::VP8,
        Codec::Vp9 => FourCc::VP9,
        _ => return None,
    })
}

/// What a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Configuration,
    Frame,
}

/// The header of a message: H.264's is the old one, which every player knows.
fn header(four_cc: FourCc, is_key: bool, part: Part) -> VideoTagHeader {
    let frame_type = if is_key { FrameType::Key } else { FrameType::Inter };
    let format = if four_cc == FourCc::AVC {
        let packet_type = match part {
            Part::Configuration => AvcPacketType::SequenceHeader,
            Part::Frame => AvcPacketType::Nalu,
        };
        VideoFormat::Packet { codec: VideoCodecId::Avc, packet_type, composition_time: 0 }
    } else {
        let packet_type = match (part, four_cc) {
            (Part::Configuration, _) => VideoPacketType::SequenceStart,
            // Those that have a composition time otherwise.
            (_, FourCc::HEVC) => VideoPacketType::CodedFramesX,
            _ => VideoPacketType::CodedFrames,
        };
        let content = EnhancedVideo::Single { codec: four_cc, composition_time: 0 };
        VideoFormat::Enhanced { packet_type, nanos: 0, content }
    };
    VideoTagHeader { frame_type, format }
}

/// Whether a unit belongs into a frame: what the configuration has doesn't, and no delimiter.
fn is_kept(four_cc: FourCc, unit: &[u8]) -> bool {
    match four_cc {
        FourCc::AVC => !matches!(
            NalUnitType::of(unit),
            Some(NalUnitType::SPS | NalUnitType::PPS | NalUnitType::AUD)
        ),
        FourCc::HEVC => !matches!(
            HevcNalUnitType::of(unit),
            Some(
                HevcNalUnitType::VPS
                    | HevcNalUnitType::SPS
                    | HevcNalUnitType::PPS
                    | HevcNalUnitType::AUD
            )
        ),
        _ => true,
    }
}

/// The message of the configuration that a keyframe brings; `None` where it has none that can be read.
fn configuration(four_cc: FourCc, units: &[Bytes]) -> Option<Bytes> {
    let mut body = BytesMut::new();
    header(four_cc, true, Part::Configuration).encode(&mut body);
    let limits = Limits::default();
    match four_cc {
        FourCc::AVC => {
            let record = AvcDecoderConfigurationRecord::from_annex_b(&annex_b(units), &limits);
            record.ok()?.encode(&mut body).ok()?;
        }
        FourCc::HEVC => {
            let record = HevcDecoderConfigurationRecord::from_annex_b(&annex_b(units), &limits);
            record.ok()?.encode(&mut body).ok()?;
        }
        FourCc::AV1 => {
            let is_header = |unit: &&Bytes| {
                let first = obus(unit).next();
                first.is_some_and(|obu| {
                    obu.is_ok_and(|obu| obu.obu_type == ObuType::SEQUENCE_HEADER)
                })
            };
            let unit = units.iter().find(is_header)?;
            let payload = obus(unit).next()?.ok()?.payload;
            let header = Av1SequenceHeader::decode(payload, &limits).ok()?;
            Av1CodecConfigurationRecord::new(&header, unit.clone()).encode(&mut body);
        }
        _ => {
            let profile = if four_cc == FourCc::VP9 { vp9_profile(units.first()?) } else { 0 };
            let record = VpCodecConfigurationRecord {
                profile,
                level: 0,
                bit_depth: if profile < 2 { 8 } else { 10 },
                chroma_subsampling: 1,
                full_range: false,
                // Not said.
                colour: (2, 2, 2),
                initialization_data: Bytes::new(),
            };
            record.encode(&mut body).ok()?;
        }
    }
    Some(body.freeze())
}

/// The units behind start codes.
fn annex_b(units: &[Bytes]) -> BytesMut {
    let mut stream = BytesMut::new();
    for unit in units {
        stream.put_slice(&[0, 0, 0, 1]);
        stream.put_slice(unit);
    }
    stream
}

/// The profile of a VP9 frame: two bits behind the marker, the lower first (VP9 specification, 6.2).
fn vp9_profile(frame: &[u8]) -> u8 {
    let first = frame.first().copied().unwrap_or_default();
    first >> 5 & 1 | first >> 3 & 2
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rtc_stack::{
        Limits,
        payload::{Depacketizer, Packetizer},
        rtp::Fields,
    };

    use super::*;

    const SPS: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1f, 0xda, 0x01, 0x40, 0x16, 0xe9, 0xa8, 0x08, 0x08, 0x0a, 0, 0, 3, 0,
        2, 0, 0, 3, 0, 0x79, 0x08,
    ];
    const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

    /// An access unit of these units, by way of packets.
    fn unit(codec: Codec, units: &[&[u8]]) -> Vec<AccessUnit> {
        let mut payloads = Vec::new();
        let mut packetizer = Packetizer::new(codec, 1_200).unwrap();
        let units = units.iter().map(|unit| Bytes::copy_from_slice(unit));
        packetizer.packetize(units, &mut payloads).unwrap();
        let mut depacketizer = Depacketizer::new(codec, &Limits::default()).unwrap();
        let mut out = Vec::new();
        for (payload, sequence) in payloads.iter().zip(1..) {
            let packet = payload.to_packet(Fields::default(), sequence, Instant::now(), codec);
            depacketizer.receive(&packet.unwrap(), &mut out);
        }
        out
    }

    fn bodies(pictures: &mut Pictures, codec: Codec, units: &[&[u8]]) -> Vec<Vec<u8>> {
        let units = unit(codec, units);
        units
            .iter()
            .flat_map(|unit| pictures.take(codec, unit))
            .map(|(_, body)| body.to_vec())
            .collect()
    }

    #[test]
    fn h264_has_the_old_header_and_its_parameter_sets_in_the_configuration() {
        let mut pictures = Pictures::default();
        let key = [SPS, PPS, &[0x06, 5, 1], &[0x65, 0x88, 9]];
        let first = bodies(&mut pictures, Codec::H264, &key);
        let [configuration, frame] = first.as_slice() else { panic!("{first:02x?}") };
        assert_eq!(configuration[..5], [0x17, 0, 0, 0, 0]);
        let record = AvcDecoderConfigurationRecord::decode(&configuration[5..]).unwrap();
        assert_eq!((&record.sps[0][..], &record.pps[0][..]), (SPS, PPS));
        let expected = [0x17, 1, 0, 0, 0, 0, 0, 0, 3, 0x06, 5, 1, 0, 0, 0, 3, 0x65, 0x88, 9];
        assert_eq!(frame[..], expected);
        // What says nothing new isn't said again; what does is.
        assert_eq!(bodies(&mut pictures, Codec::H264, &key), [expected.to_vec()]);
        let other = [SPS, &[0x68, 0xce, 0x3c, 0x81][..], &[0x65, 0x88]];
        assert_eq!(bodies(&mut pictures, Codec::H264, &other).len(), 2);
    }

    #[test]
    fn vp8_and_vp9_have_a_record_that_says_little() {
        let frame = [&[0x10, 2, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0][..], &[7; 20]].concat();
        let made = bodies(&mut Pictures::default(), Codec::Vp8, &[&frame]);
        assert_eq!(made[0][..9], *b"\x90vp08\x01\0\0\0");
        assert_eq!(made[1], [b"\x91vp08", &frame[..]].concat());
        assert_eq!([0x82, 0xa2, 0x92, 0xb2].map(|first| vp9_profile(&[first])), [0, 1, 2, 3]);
    }
}
