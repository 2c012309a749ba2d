use bytes::BytesMut;

use super::*;
use crate::rtp::Fields;

/// A track's packets on their way in.
struct Track {
    depacketizer: Depacketizer,
    codec: Codec,
    sequence: u64,
    out: Vec<AccessUnit>,
}

impl Track {
    fn new(codec: Codec) -> Self {
        Self::limited(codec, &Limits::default())
    }

    fn limited(codec: Codec, limits: &Limits) -> Self {
        let depacketizer = Depacketizer::new(codec, limits).unwrap();
        Self { depacketizer, codec, sequence: 1 << 16, out: Vec::new() }
    }

    fn packet(&mut self, timestamp: u32, marker: bool, payload: &[u8]) -> &mut Self {
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        let mut bytes = BytesMut::new();
        Fields { timestamp, marker, ..Fields::default() }.append(&[], &mut bytes);
        bytes.extend_from_slice(payload);
        let packet = RtpPacket::parse(bytes, self.sequence, now, self.codec).unwrap();
        self.depacketizer.receive(&packet, &mut self.out);
        self.sequence += 1;
        self
    }

    /// The timestamps of what came forth, less the first wrap, and the units of each.
    fn frames(&mut self) -> Vec<(u64, bool, Vec<Vec<u8>>)> {
        let frame = |unit: AccessUnit| {
            let units = unit.units.iter().map(|unit| unit.to_vec()).collect();
            (unit.timestamp - (1 << 32), unit.is_keyframe, units)
        };
        self.out.drain(..).map(frame).collect()
    }

    fn statistics(&self) -> DepacketizerStatistics {
        *self.depacketizer.statistics()
    }
}

#[test]
fn h264_comes_in_all_three_forms() {
    let mut track = Track::new(Codec::H264);
    track.packet(90, false, &[0x78, 0, 2, 0x67, 0x42, 0, 0, 0, 1, 0x68]);
    track.packet(90, false, &[0x7c, 0x85, 0x88, 1]).packet(90, true, &[0x7c, 0x45, 2]);
    track.packet(180, true, &[0x41, 0x9a]);
    let key = vec![vec![0x67, 0x42], vec![0x68], vec![0x65, 0x88, 1, 2]];
    assert_eq!(track.frames(), [(90, true, key), (180, false, vec![vec![0x41, 0x9a]])]);
    assert_eq!(track.depacketizer.parameter_sets(), [&[0x67, 0x42][..], &[0x68]]);
    let expected =
        DepacketizerStatistics { frames: 2, keyframes: 1, ..DepacketizerStatistics::default() };
    assert_eq!(track.statistics(), expected);
}

#[test]
fn h265_comes_in_all_three_forms() {
    let mut track = Track::new(Codec::H265);
    track.packet(0, false, &[0x60, 1, 0, 3, 0x40, 1, 7, 0, 3, 0x42, 1, 8]);
    track.packet(0, false, &[0x62, 1, 0x93, 0x80, 1]).packet(0, true, &[0x62, 1, 0x53, 2]);
    track.packet(9, true, &[0x02, 1, 5]);
    let key = vec![vec![0x40, 1, 7], vec![0x42, 1, 8], vec![0x26, 1, 0x80, 1, 2]];
    assert_eq!(track.frames(), [(0, true, key), (9, false, vec![vec![0x02, 1, 5]])]);
    assert_eq!(track.depacketizer.parameter_sets().len(), 2);
}

#[test]
fn av1_obus_get_their_sizes_and_lose_their_delimiters() {
    let mut track = Track::new(Codec::Av1);
    // N: a delimiter, a sequence header, and the first bytes of a frame, of three elements.
    track.packet(0, false, &[0x78, 1, 0x10, 3, 0x08, 1, 2, 0x30, 9]);
    track.packet(0, true, &[0x90, 8, 7]);
    // Elements with lengths all, one of nothing, one with its own size.
    track.packet(9, true, &[0x00, 2, 0x20, 5, 0, 3, 0x22, 1, 6]);
    let key = vec![vec![0x0a, 2, 1, 2], vec![0x32, 3, 9, 8, 7]];
    let next = vec![vec![0x22, 1, 5], vec![0x22, 1, 6]];
    assert_eq!(track.frames(), [(0, true, key), (9, false, next)]);
}

#[test]
fn vp8_descriptors_are_taken_off() {
    let mut track = Track::new(Codec::Vp8);
    // All extensions, then none, then a later partition.
    track.packet(0, false, &[0x90, 0xf0, 0x80, 1, 2, 3, 0x10, 1]);
    track.packet(0, false, &[0x00, 2]).packet(0, true, &[0x11, 3]);
    track.packet(9, true, &[0x90, 0x80, 0x01, 0x11]);
    assert_eq!(
        track.frames(),
        [(0, true, vec![vec![0x10, 1, 2, 3]]), (9, false, vec![vec![0x11]])]
    );
}

#[test]
fn vp9_descriptors_are_taken_off() {
    let mut track = Track::new(Codec::Vp9);
    // Id, layers and a structure of two layers with sizes and two pictures in the group.
    let structure = [0x38, 0, 1, 0, 1, 0, 2, 0, 2, 2, 0x04, 1, 0x08, 1, 2];
    track.packet(0, false, &[&[0xaa, 0x80, 1, 0, 0][..], &structure, &[0x82, 1]].concat());
    track.packet(0, false, &[0xa4, 0x80, 1, 0, 0, 2]);
    track.packet(0, true, &[0xac, 0x80, 1, 2, 0, 0x86]);
    // Flexible, with two references.
    track.packet(9, true, &[0xdc, 0x02, 0x03, 0x04, 0x86, 3]);
    // Neither id nor layers, and no end but the marker.
    track.packet(18, true, &[0x48, 0x86, 4]);
    assert_eq!(
        track.frames(),
        [
            (0, true, vec![vec![0x82, 1, 2], vec![0x86]]),
            (9, false, vec![vec![0x86, 3]]),
            (18, false, vec![vec![0x86, 4]])
        ]
    );
}

#[test]
fn sound_needs_no_keyframe_and_survives_a_loss() {
    let mut track = Track::new(Codec::Opus);
    track.packet(0, true, &[0xfc]);
    track.sequence += 3;
    track.packet(960, false, &[0xfd]);
    let expected = [(0, true, vec![vec![0xfc]]), (960, true, vec![vec![0xfd]])];
    assert_eq!(track.frames(), expected);
    assert!(track.statistics().lost == 3 && !track.depacketizer.awaits_keyframe());
}

#[test]
fn a_loss_takes_what_follows_up_to_the_next_keyframe() {
    let mut track = Track::new(Codec::H264);
    track.packet(0, true, &[0x41, 1]).packet(1, true, &[0x65, 0x80]);
    assert!(!track.depacketizer.awaits_keyframe());
    track.packet(2, false, &[0x7c, 0x81, 1]);
    track.sequence += 1;
    track.packet(2, true, &[0x7c, 0x41, 3]).packet(3, true, &[0x41, 1]);
    assert!(track.depacketizer.awaits_keyframe());
    track.packet(4, true, &[0x65, 0x80]).packet(5, true, &[0x41, 2]);
    let times: Vec<_> = track.frames().into_iter().map(|frame| frame.0).collect();
    assert_eq!(times, [1, 4, 5]);
    let expected = DepacketizerStatistics {
        frames: 3,
        keyframes: 2,
        dropped_frames: 1,
        lost: 1,
        awaiting_keyframe: 3,
        incomplete: 1,
        ..DepacketizerStatistics::default()
    };
    assert_eq!(track.statistics(), expected);
    track.depacketizer.gap();
    track.packet(6, true, &[0x41, 3]);
    assert!(track.frames().is_empty() && track.depacketizer.awaits_keyframe());
}

#[test]
fn a_frame_ends_with_its_timestamp_where_the_marker_is_missing() {
    let mut track = Track::new(Codec::H264);
    track.packet(0, false, &[0x65, 0x80]).packet(9, true, &[0x41, 1]);
    let times: Vec<_> = track.frames().into_iter().map(|frame| frame.0).collect();
    assert_eq!(times, [0, 9]);
}

#[test]
fn the_same_packet_counts_once_and_padding_not_at_all() {
    let mut track = Track::new(Codec::Vp8);
    track.packet(0, false, &[0x10, 0x10]).packet(0, false, &[]);
    track.sequence -= 1;
    track.packet(0, false, &[0, 1]).packet(0, true, &[0, 2]);
    assert_eq!(track.frames(), [(0, true, vec![vec![0x10, 2]])]);
    assert_eq!((track.statistics().late, track.statistics().lost), (1, 0));
}

#[test]
fn what_is_left_of_a_damaged_frame_begins_none() {
    let mut track = Track::new(Codec::H264);
    // The length of the second unit lies.
    track.packet(0, false, &[0x78, 0, 2, 0x67, 0x42, 0, 9, 0x68]);
    track.packet(0, true, &[0x65, 0x80]);
    assert!(track.frames().is_empty());
    track.packet(1, true, &[0x65, 0x80]);
    assert_eq!(track.frames().len(), 1);
}

/// A codec, a keyframe, and what is wrong after it.
type Cases<'a, T> = (Codec, &'a [u8], &'a [T]);

/// A keyframe, then a frame of these payloads, which must not come forth.
fn damaged(codec: Codec, key: &[u8], payloads: &[&[u8]]) -> DepacketizerStatistics {
    let mut track = Track::new(codec);
    track.packet(0, true, key);
    assert_eq!(track.frames().len(), 1);
    for (index, payload) in payloads.iter().enumerate() {
        track.packet(1, index + 1 == payloads.len(), payload);
    }
    assert!(track.frames().is_empty(), "{codec} {payloads:02x?}");
    assert_eq!(track.statistics().dropped_frames, 1);
    track.statistics()
}

#[test]
fn what_is_malformed_is_counted() {
    let cases: [Cases<'_, &[u8]>; 5] = [
        (
            Codec::H264,
            &[0x65, 0x80],
            &[
                &[0x00, 1],
                &[0x19, 0, 0, 0, 1, 0x41],
                &[0x1d, 0x80, 0, 0, 1],
                &[0x18, 0],
                &[0x18, 0, 2, 0x41],
                &[0x18, 0, 3, 0x18, 0, 0],
                &[0x1c],
                &[0x1c, 0x80],
                &[0x1c, 0x9c, 1],
            ],
        ),
        (
            Codec::H265,
            &[0x26, 1, 0x80],
            &[
                &[0x02],
                &[0x64, 1, 0],
                &[0x60, 1, 0],
                &[0x60, 1, 0, 1, 0x02],
                &[0x62, 1],
                &[0x62, 1, 0xb0],
            ],
        ),
        (
            Codec::Av1,
            &[0x18, 0x08, 1],
            &[
                &[0x10],
                &[0x00],
                &[0x20, 9, 0x30],
                &[0x20, 1, 0x30],
                &[0x00, 0x80],
                &[0x10, 0x32, 2, 1],
                &[0x10, 0x32, 1, 1, 1],
            ],
        ),
        (Codec::Vp8, &[0x10, 0x10], &[&[0x10], &[0x90], &[0x90, 0x80], &[0x90, 0x80, 0x80, 0]]),
        (Codec::Vp9, &[0x08, 0x82], &[&[0x48], &[0xc8, 0x80], &[0x58, 1, 1], &[0x4a, 0x18, 0, 1]]),
    ];
    for (codec, key, payloads) in cases {
        for payload in payloads {
            let statistics = damaged(codec, key, &[payload]);
            assert_eq!(statistics.malformed, 1, "{codec} {payload:02x?}");
        }
    }
}

#[test]
fn pieces_without_the_others_are_counted() {
    let cases: [Cases<'_, &[&[u8]]>; 5] = [
        (
            Codec::H264,
            &[0x65, 0x80],
            &[
                &[&[0x1c, 0x01, 1]],
                &[&[0x1c, 0x41, 1]],
                &[&[0x1c, 0x81, 1]],
                &[&[0x1c, 0x81, 1], &[0x1c, 0x81, 1]],
                &[&[0x1c, 0x81, 1], &[0x41, 1]],
            ],
        ),
        (Codec::H265, &[0x26, 1, 0x80], &[&[&[0x62, 1, 0x01, 1]], &[&[0x62, 1, 0x81, 1]]]),
        (
            Codec::Av1,
            &[0x18, 0x08, 1],
            &[&[&[0x90, 1]], &[&[0x50, 0x30]], &[&[0x50, 0x30], &[0x10, 0x30]]],
        ),
        (Codec::Vp8, &[0x10, 0x10], &[&[&[0x00, 1]], &[&[0x11, 1]], &[&[0x10, 1], &[0x10, 1]]]),
        (Codec::Vp9, &[0x08, 0x82], &[&[&[0x40, 1]], &[&[0x48, 0x86], &[0x48, 0x86]]]),
    ];
    for (codec, key, frames) in cases {
        for payloads in frames {
            let statistics = damaged(codec, key, payloads);
            assert_eq!(statistics.incomplete, 1, "{codec} {payloads:02x?}");
        }
    }
}

#[test]
fn a_frame_is_limited_in_bytes_and_units() {
    let limits = Limits { frame_bytes: 100, frame_units: 3, ..Limits::default() };
    for (codec, key, piece) in [
        (Codec::H264, vec![0x7c, 0x85, 0x80], vec![0x7c, 0x05, 1, 2, 3]),
        (Codec::H265, vec![0x62, 1, 0x93, 0x80], vec![0x62, 1, 0x13, 1, 2, 3]),
        (Codec::Av1, vec![0x58, 0x08], vec![0xd0, 1, 2, 3]),
        (Codec::Vp8, vec![0x10, 0x10], vec![0, 1, 2, 3]),
        (Codec::Vp9, vec![0x08, 0x82], vec![0, 1, 2, 3]),
        (Codec::H264, vec![0x65, 0x80], vec![0x65]),
        (Codec::H264, vec![0x78, 0, 1, 0x67, 0, 1, 0x68, 0, 1, 0x68, 0, 1, 0x68], vec![]),
        (Codec::Av1, vec![0x18, 0x08], vec![0x10, 0x30]),
    ] {
        let mut track = Track::limited(codec, &limits);
        track.packet(0, false, &key);
        for _ in 0..50 {
            track.packet(0, false, &piece);
        }
        assert_eq!(
            (track.statistics().too_large, track.statistics().dropped_frames),
            (1, 1),
            "{codec}"
        );
    }
}

#[test]
fn a_frame_of_four_mib_is_within_the_limit() {
    let mut track = Track::new(Codec::Vp8);
    track.packet(0, false, &[0x10, 0x10]);
    let piece = vec![0; 1_025];
    for _ in 0..4_095 {
        track.packet(0, false, &piece);
    }
    track.packet(0, true, &piece);
    assert_eq!(track.frames(), [], "one byte more");
    track.packet(1, false, &[0x10, 0x10]);
    for _ in 0..4_095 {
        track.packet(1, false, &piece);
    }
    track.packet(1, true, &piece[1..]);
    assert_eq!(track.frames()[0].2[0].len(), 4 << 20);
}

#[test]
fn units_that_were_sent_whole_are_not_copied() {
    let mut aggregated = Track::new(Codec::H264);
    aggregated.packet(0, true, &[0x78, 0, 1, 0x67, 0, 2, 0x65, 0x80]);
    let units = aggregated.out.remove(0).units;
    assert_eq!(units[0].as_ptr().wrapping_add(3), units[1].as_ptr(), "in one packet");
}
