//! Where a decoder can begin, told from the first bytes of a payload.

use crate::Codec;
use crate::bytes_at::{u8_at, u16_at};

impl Codec {
    /// Whether a keyframe begins in this payload, so that a viewer may begin with it. Never for sound, nor for an empty
    /// payload. The parameter sets before a picture count as its beginning, so several packets of one keyframe may.
    #[must_use]
    pub fn is_keyframe_start(self, payload: &[u8]) -> bool {
        let found = match self {
            Self::H264 => h264(payload),
            Self::H265 => h265(payload),
            Self::Vp8 => vp8(payload),
            Self::Vp9 => vp9(payload),
            Self::Av1 => av1(payload),
            _ => None,
        };
        found.unwrap_or(false)
    }
}

/// RFC 6184: single NAL units, STAP-A and the first of FU-A.
fn h264(payload: &[u8]) -> Option<bool> {
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    match u8_at(payload, 0)? & 0x1f {
        STAP_A => Some(aggregated(payload.get(1..)?, h264_nal)),
        FU_A => {
            let header = u8_at(payload, 1)?;
            let is_first = header & 0x80 != 0;
            Some(is_first && h264_unit(header & 0x1f, u8_at(payload, 2)))
        }
        _ => Some(h264_nal(payload)),
    }
}

fn h264_nal(nal: &[u8]) -> bool {
    u8_at(nal, 0).is_some_and(|header| h264_unit(header & 0x1f, u8_at(nal, 1)))
}

fn h264_unit(kind: u8, slice: Option<u8>) -> bool {
    const IDR: u8 = 5;
    const SPS: u8 = 7;
    match kind {
        SPS => true,
        // first_mb_in_slice is 0 if the first bit is set: later slices of the picture are no beginning.
        IDR => slice.is_some_and(|byte| byte & 0x80 != 0),
        _ => false,
    }
}

/// RFC 7798: single NAL units, aggregation packets and the first of fragmentation units.
fn h265(payload: &[u8]) -> Option<bool> {
    const AGGREGATION: u8 = 48;
    const FRAGMENTATION: u8 = 49;
    match u8_at(payload, 0)? >> 1 & 0x3f {
        AGGREGATION => Some(aggregated(payload.get(2..)?, h265_nal)),
        FRAGMENTATION => {
            let header = u8_at(payload, 2)?;
            let is_first = header & 0x80 != 0;
            Some(is_first && h265_unit(header & 0x3f, u8_at(payload, 3)))
        }
        _ => Some(h265_nal(payload)),
    }
}

fn h265_nal(nal: &[u8]) -> bool {
    u8_at(nal, 0).is_some_and(|header| h265_unit(header >> 1 & 0x3f, u8_at(nal, 2)))
}

fn h265_unit(kind: u8, slice: Option<u8>) -> bool {
    match kind {
        // VPS, SPS.
        32 | 33 => true,
        // BLA, IDR, CRA; first_slice_segment_in_pic_flag is the first bit.
        16..=21 => slice.is_some_and(|byte| byte & 0x80 != 0),
        _ => false,
    }
}

/// Whether one of the NAL units, each after its length in 16 bits, is a beginning.
fn aggregated(mut units: &[u8], is_start: fn(&[u8]) -> bool) -> bool {
    while let Some(length) = u16_at(units, 0) {
        let end = usize::from(length).saturating_add(2);
        let Some(unit) = units.get(2..end) else { return false };
        if is_start(unit) {
            return true;
        }
        units = units.get(end..).unwrap_or_default();
    }
    false
}

/// RFC 7741, 4.2 and 4.3: the descriptor, then the first byte of the frame, whose P bit is 0 in keyframes.
fn vp8(payload: &[u8]) -> Option<bool> {
    let first = u8_at(payload, 0)?;
    // S, and partition 0.
    if first & 0x17 != 0x10 {
        return Some(false);
    }
    let mut at = 1_usize;
    if first & 0x80 != 0 {
        let extended = u8_at(payload, at)?;
        at = at.saturating_add(1);
        if extended & 0x80 != 0 {
            let is_long = u8_at(payload, at)? & 0x80 != 0;
            at = at.saturating_add(if is_long { 2 } else { 1 });
        }
        at = at.saturating_add(usize::from(extended & 0x40 != 0));
        at = at.saturating_add(usize::from(extended & 0x30 != 0));
    }
    Some(u8_at(payload, at)? & 0x01 == 0)
}

/// RFC 9628, 4.2: the beginning of a frame that isn't predicted from others, in the lowest spatial layer.
fn vp9(payload: &[u8]) -> Option<bool> {
    let first = u8_at(payload, 0)?;
    let (has_id, predicted, has_layers, begins) =
        (first & 0x80 != 0, first & 0x40 != 0, first & 0x20 != 0, first & 0x08 != 0);
    if predicted || !begins {
        return Some(false);
    }
    let mut at = 1_usize;
    if has_id {
        let is_long = u8_at(payload, at)? & 0x80 != 0;
        at = at.saturating_add(if is_long { 2 } else { 1 });
    }
    Some(!has_layers || u8_at(payload, at)? & 0x0e == 0)
}

/// The AV1 payload format, 4.4: the first packet of a coded video sequence says so (N), else a sequence header does.
fn av1(payload: &[u8]) -> Option<bool> {
    const SEQUENCE_HEADER: u8 = 1;
    const TEMPORAL_DELIMITER: u8 = 2;
    let aggregation = u8_at(payload, 0)?;
    let (continues, count, is_new) =
        (aggregation & 0x80 != 0, aggregation >> 4 & 0x03, aggregation & 0x08 != 0);
    if continues {
        return Some(false);
    }
    if is_new {
        return Some(true);
    }
    let mut rest = payload.get(1..)?;
    // The last of a known number of elements has no length before it.
    for element in 1..=2_u8 {
        let (length, after) = if element == count { (rest.len(), rest) } else { leb128(rest)? };
        match u8_at(after, 0)? >> 3 & 0x0f {
            SEQUENCE_HEADER => return Some(true),
            TEMPORAL_DELIMITER => rest = after.get(length..)?,
            _ => return Some(false),
        }
    }
    Some(false)
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for at in 0..4_usize {
        let byte = u8_at(bytes, at)?;
        value |= usize::from(byte & 0x7f) << at.saturating_mul(7);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at.saturating_add(1)..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(codec: Codec, starts: &[&[u8]], others: &[&[u8]]) {
        for payload in starts {
            assert!(codec.is_keyframe_start(payload), "{codec} {payload:02x?}");
            let mut cuts = (0..payload.len()).map(|len| codec.is_keyframe_start(&payload[..len]));
            assert_eq!(cuts.next(), Some(false), "the empty payload");
            let _ = cuts.count();
        }
        for payload in others {
            assert!(!codec.is_keyframe_start(payload), "{codec} {payload:02x?}");
        }
    }

    #[test]
    fn h264_begins_with_parameters_or_the_first_slice_of_an_idr_picture() {
        check(
            Codec::H264,
            &[
                &[0x65, 0x88],
                &[0x67, 0x42],
                &[0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce],
                &[0x78, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88],
                &[0x7c, 0x85, 0x88],
                &[0x7c, 0x87, 0x42],
            ],
            &[
                &[0x41, 0x9a],
                &[0x68, 0xce],
                &[0x65, 0x04],
                &[0x7c, 0x05, 0x88],
                &[0x7c, 0x45, 0x88],
                &[0x7c, 0x81, 0x9a],
                &[0x78, 0, 2, 0x41, 0x9a],
                &[0x78, 0, 9, 0x67, 0x42],
            ],
        );
    }

    #[test]
    fn h265_begins_with_parameters_or_a_random_access_picture() {
        check(
            Codec::H265,
            &[
                &[0x26, 0x01, 0x80],
                &[0x2a, 0x01, 0x80],
                &[0x40, 0x01, 0x0c],
                &[0x42, 0x01, 0x01],
                &[0x60, 0x01, 0, 3, 0x40, 0x01, 0x0c],
                &[0x62, 0x01, 0x93, 0x80],
            ],
            &[
                &[0x02, 0x01, 0x80],
                &[0x44, 0x01, 0xc0],
                &[0x26, 0x01, 0x40],
                &[0x62, 0x01, 0x13, 0x80],
                &[0x62, 0x01, 0x81, 0x80],
                &[0x60, 0x01, 0, 3, 0x02, 0x01, 0x80],
            ],
        );
    }

    #[test]
    fn vp8_begins_with_the_first_partition_of_a_keyframe() {
        check(
            Codec::Vp8,
            &[&[0x10, 0x10], &[0x90, 0x80, 0x11, 0x10], &[0x90, 0xf0, 0x91, 0x22, 5, 0x60, 0x10]],
            &[&[0x10, 0x11], &[0x00, 0x10], &[0x11, 0x10], &[0x90, 0x80, 0x91, 0x22, 0x11]],
        );
    }

    #[test]
    fn vp9_begins_with_an_unpredicted_frame_of_the_lowest_layer() {
        check(
            Codec::Vp9,
            &[&[0x08, 0x82], &[0x88, 0x11, 0x82], &[0xaa, 0x91, 0x22, 0x10, 0x01]],
            &[&[0x48, 0x86], &[0x80, 0x11], &[0xa8, 0x11, 0x03, 0x01]],
        );
    }

    #[test]
    fn av1_begins_with_a_coded_video_sequence() {
        check(
            Codec::Av1,
            &[
                &[0x18, 0x0a],
                &[0x10, 0x0a, 0x0b],
                &[0x20, 0x02, 0x0a, 0x0b, 0x32],
                &[0x00, 0x01, 0x12, 0x02, 0x0a, 0x0b],
            ],
            &[&[0x98, 0x0a], &[0x10, 0x32], &[0x90, 0x0a], &[0x00, 0xff, 0xff, 0xff, 0xff, 0x0a]],
        );
    }

    #[test]
    fn sound_has_no_keyframes() {
        check(Codec::Opus, &[], &[&[0x65, 0x88], &[0x10, 0x00]]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            for codec in [Codec::H264, Codec::H265, Codec::Vp8, Codec::Vp9, Codec::Av1] {
                let _ = codec.is_keyframe_start(&bytes);
            }
        }
    }
}
