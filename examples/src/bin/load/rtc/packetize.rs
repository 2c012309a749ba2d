//! Frames in the form of FLV tags, as RTP payloads: H.264 by RFC 6184, sound as it is.

use bytes::{BufMut, Bytes, BytesMut};
use flv_mux::{NalLengthSize, VideoTagHeader, nal_units};
use rtmp_proto::{MediaKind, MediaMessage};

use crate::{stamp, stream};

/// Bytes of the longest payload: a datagram then passes every usual path.
const LONGEST: usize = 1_150;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const START: u8 = 0x80;
const END: u8 = 0x40;
/// What an Opus packet of 20 ms begins with (RFC 6716, 3.1).
const OPUS_HEAD: u8 = 0xfc;

/// The payloads of a frame.
pub(crate) fn packetize(frame: &MediaMessage) -> Vec<Bytes> {
    match frame.kind {
        MediaKind::Video => video(&frame.payload),
        MediaKind::Audio => {
            let sound = frame.payload.get(stamp::AUDIO_OFFSET..).unwrap_or_default();
            vec![[&[OPUS_HEAD], sound].concat().into()]
        }
        MediaKind::Data => Vec::new(),
    }
}

/// RTP packets of a stream, of video and audio together.
#[cfg(target_os = "linux")]
pub(crate) fn packets_per_second(rate: crate::arguments::Rate) -> f64 {
    const SECONDS: u64 = 10;
    let (mut stream, mut packets) = (stream::Stream::opus(rate), 0);
    while stream.due().as_secs() < SECONDS {
        packets += packetize(&stream.next_frame()).len();
    }
    packets as f64 / SECONDS as f64
}

fn video(tag: &[u8]) -> Vec<Bytes> {
    let Ok((header, at)) = VideoTagHeader::decode(tag) else { return Vec::new() };
    let mut small: Vec<&[u8]> = Vec::new();
    if header.is_keyframe() {
        small.extend([stream::SPS, stream::PPS]);
    }
    let mut payloads = Vec::new();
    for unit in nal_units(&tag[at..], NalLengthSize::Four).flatten() {
        if unit.len() < 100 {
            small.push(unit);
            continue;
        }
        // Parameter sets and the stamp go together, before the slice.
        payloads.extend(together(&std::mem::take(&mut small)));
        payloads.extend(cut(unit));
    }
    payloads.extend(together(&small));
    payloads
}

/// Several units in one payload, or one alone.
fn together(units: &[&[u8]]) -> Option<Bytes> {
    match units {
        [] => None,
        [unit] => Some(Bytes::copy_from_slice(unit)),
        units => {
            let mut out = BytesMut::new();
            out.put_u8(0x60 | STAP_A);
            for unit in units {
                out.put_u16(unit.len() as u16);
                out.put_slice(unit);
            }
            Some(out.freeze())
        }
    }
}

/// A unit in fragments of equal size, or whole if it is short.
fn cut(unit: &[u8]) -> Vec<Bytes> {
    let Some((head, body)) = unit.split_first().filter(|_| unit.len() > LONGEST) else {
        return vec![Bytes::copy_from_slice(unit)];
    };
    let count = body.len().div_ceil(LONGEST - 2);
    let fragments = body.chunks(body.len().div_ceil(count));
    let last = fragments.len() - 1;
    let payload = |(place, fragment): (usize, &[u8])| {
        let start = if place == 0 { START } else { 0 };
        let end = if place == last { END } else { 0 };
        let heads = [head & 0x60 | FU_A, head & 0x1f | start | end];
        [&heads, fragment].concat().into()
    };
    fragments.enumerate().map(payload).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{arguments::Rate, stamp::Stamp, stream::Stream};

    #[test]
    fn every_frame_begins_with_its_stamp_and_fits() {
        let mut stream = Stream::opus(Rate { kbps: 5_000, fps: 25 });
        for counter in 0..200 {
            let frame = stream.next_frame();
            let payloads = packetize(&frame);
            // A keyframe has its parameter sets before it.
            let stamped = payloads.iter().take(2).find_map(|payload| Stamp::search(payload));
            assert_eq!(stamped.unwrap().counter, counter);
            assert!(payloads.iter().all(|payload| payload.len() <= LONGEST));
            let bytes: usize = payloads.iter().map(Bytes::len).sum();
            // Each fragment has two bytes of its own.
            let most = 100 + 2 * payloads.len();
            assert!(bytes.abs_diff(frame.payload.len()) < most, "{bytes}");
        }
    }

    #[test]
    fn fragments_make_the_unit_again() {
        let unit: Vec<u8> = (0..5_000_u32).map(|i| i as u8 | 1).collect();
        let fragments = cut(&unit);
        assert_eq!(fragments.len(), 5);
        let body: Vec<u8> = fragments.iter().flat_map(|f| f[2..].to_vec()).collect();
        assert_eq!(body, unit[1..]);
        assert_eq!((fragments[0][1] & START, fragments[4][1] & END), (START, END));
        assert!(fragments[1..4].iter().all(|f| f[1] & (START | END) == 0));
    }
}
