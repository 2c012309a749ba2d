//! What is in a file of FLV, and what files are made of what has come.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use bytes::{BufMut, Bytes, BytesMut};
use flv_mux::{
    AudioTagHeader, AvcDecoderConfigurationRecord, Demuxer, FourCc, HevcDecoderConfigurationRecord,
    HevcNalUnitType, Limits, NalLengthSize, Tag, TagKind, VideoTagHeader,
    mux::{encode_header, encode_tag},
    nal_units,
};

/// The tags of a file, which may have been cut.
pub(crate) fn tags(file: &Path) -> Vec<Tag> {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&std::fs::read(file).unwrap());
    std::iter::from_fn(|| demuxer.poll_tag().unwrap()).collect()
}

/// A frame of a file, as WebRTC has it.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: TagKind,
    /// When it is shown or heard, in milliseconds.
    pub(crate) time: i64,
    pub(crate) is_key: bool,
    /// NAL units with the parameter sets before keyframes; else the frame as the only one.
    pub(crate) units: Vec<Bytes>,
}

/// The frames of a file, in its order.
pub(crate) fn frames(file: &Path) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut sets: Vec<Bytes> = Vec::new();
    for tag in tags(file) {
        match tag.kind {
            TagKind::Audio => {
                let (header, offset) = AudioTagHeader::decode(&tag.body).unwrap();
                if header.is_frame() {
                    let units = vec![tag.body.slice(offset..)];
                    let time = tag.timestamp.into();
                    frames.push(Frame { kind: tag.kind, time, is_key: false, units });
                }
            }
            TagKind::Video => {
                let (header, offset) = VideoTagHeader::decode(&tag.body).unwrap();
                let data = tag.body.slice(offset..);
                let codec = header.four_cc().unwrap();
                if header.is_sequence_header() {
                    sets = parameter_sets(codec, &data);
                } else if header.is_frame() && !data.is_empty() {
                    let is_key = header.is_keyframe();
                    let time = i64::from(tag.timestamp) + i64::from(header.composition_time());
                    let units = units(codec, &data, is_key, &sets);
                    frames.push(Frame { kind: tag.kind, time, is_key, units });
                }
            }
            _ => {}
        }
    }
    frames
}

fn parameter_sets(codec: FourCc, record: &[u8]) -> Vec<Bytes> {
    match codec {
        FourCc::AVC => {
            let record = AvcDecoderConfigurationRecord::decode(record).unwrap();
            [record.sps, record.pps].concat()
        }
        FourCc::HEVC => {
            let record = HevcDecoderConfigurationRecord::decode(record).unwrap();
            let kinds = [HevcNalUnitType::VPS, HevcNalUnitType::SPS, HevcNalUnitType::PPS];
            kinds.iter().flat_map(|&kind| record.units(kind)).cloned().collect()
        }
        _ => Vec::new(),
    }
}

fn units(codec: FourCc, data: &Bytes, is_key: bool, sets: &[Bytes]) -> Vec<Bytes> {
    if !matches!(codec, FourCc::AVC | FourCc::HEVC) {
        return vec![data.clone()];
    }
    let nals = nal_units(data, NalLengthSize::Four);
    let nals: Vec<Bytes> = nals.map(|nal| data.slice_ref(nal.unwrap())).collect();
    let is_set = |nal: &Bytes| match codec {
        FourCc::AVC => nal[0] & 0x1f == 7,
        _ => nal[0] >> 1 & 0x3f == 33,
    };
    let has_sets = nals.iter().any(is_set);
    let sets = if is_key && !has_sets { sets } else { &[] };
    [sets, &nals].concat()
}

/// A new file with these bytes.
pub(crate) fn file_of(name: &str, bytes: &[u8]) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Relaxed);
    let name = format!("{}-{count}-{name}", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A file of packets of Opus in two channels, at times in milliseconds.
pub(crate) fn file_of_opus(packets: &[(u32, Bytes)]) -> PathBuf {
    let mut file = BytesMut::new();
    encode_header(&mut file, true, false);
    let head = b"\x90OpusOpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";
    encode_tag(&mut file, TagKind::Audio, 0, head).unwrap();
    for (time, packet) in packets {
        let body = [b"\x91Opus", &packet[..]].concat();
        encode_tag(&mut file, TagKind::Audio, *time, &body).unwrap();
    }
    file_of("opus.flv", &file)
}

/// A file of frames of AV1 or VP9, as IVF has them.
pub(crate) fn file_of_ivf(four_cc: &[u8; 4], frames: &[Bytes]) -> PathBuf {
    let mut file = BytesMut::from(&b"DKIF\0\0\x20\0"[..]);
    file.put_slice(four_cc);
    // The size is in the frames; 25 in a second.
    for value in [320 | 240 << 16, 25, 1, frames.len() as u32, 0] {
        file.put_u32_le(value);
    }
    for (number, frame) in (0_u64..).zip(frames) {
        file.put_u32_le(frame.len() as u32);
        file.put_u64_le(number);
        file.put_slice(frame);
    }
    file_of("frames.ivf", &file)
}
