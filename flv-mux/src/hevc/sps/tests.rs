use super::*;
use crate::bits::BitWriter;

/// x265: 194 by 108 of 8 bits, and 10 bits in BT.2020 with PQ.
const MAIN: &[u8] = &[
    0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03,
    0x00, 0x3c, 0xa0, 0x19, 0x20, 0x71, 0xc9, 0x79, 0x65, 0x64, 0x92, 0x4c, 0xaf, 0x01, 0x6a, 0x02,
    0x02, 0x02, 0x08, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x40,
];
const MAIN_10: &[u8] = &[
    0x42, 0x01, 0x01, 0x02, 0x20, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03,
    0x00, 0x3c, 0xa0, 0x19, 0x20, 0x71, 0xc9, 0x6d, 0x96, 0x56, 0x49, 0x24, 0xca, 0xf0, 0x16, 0xa1,
    0x22, 0x01, 0x20, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x0c, 0x84,
];

fn decode(nal: &[u8]) -> Result<HevcSps, HevcSpsError> {
    HevcSps::decode(nal, &Limits::default())
}

fn put_ue(bits: &mut BitWriter, value: u32) {
    let code = value + 1;
    let len = 32 - code.leading_zeros();
    bits.put(len - 1, 0);
    bits.put(len, code);
}

/// A parameter set up to the sub-layers' counts, with a part between the profile and the id.
fn start(sub_layers_minus_1: u32) -> BitWriter {
    let mut bits = BitWriter::default();
    bits.put(16, 0x4201);
    bits.put(4, 0);
    bits.put(3, sub_layers_minus_1);
    bits.put(1, 1);
    bits.put(8, 0x24); // High tier, profile 4
    bits.put(32, 0x0800_0000);
    bits.put(32, 0);
    bits.put(16, 0);
    bits.put(8, 93);
    bits
}

/// Codes in their order, without the bits of flags.
fn put_all(bits: &mut BitWriter, codes: &[u32]) {
    for &code in codes {
        put_ue(bits, code);
    }
}

/// Emulation prevention put in, as the reader takes it out.
fn nal(bits: BitWriter) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in bits.into_bytes() {
        if byte < 4 && out.ends_with(&[0, 0]) {
            out.push(3);
        }
        out.push(byte);
    }
    out
}

#[test]
fn main_profile_with_a_conformance_window() {
    let sps = decode(MAIN).unwrap();
    assert_eq!((sps.width, sps.height, sps.chroma_format), (194, 108, 1));
    assert_eq!((sps.luma_bit_depth, sps.chroma_bit_depth), (8, 8));
    assert_eq!((sps.profile.idc, sps.profile.level, sps.profile.is_high_tier), (1, 60, false));
    assert_eq!((sps.sub_layers, sps.temporal_id_nested, sps.max_num_reorder), (1, true, 2));
    let vui = sps.vui.unwrap();
    assert_eq!(vui.frame_rate.unwrap().per_second(), 25.0);
    assert_eq!((vui.colour, vui.full_range), (Some((1, 1, 1)), Some(false)));
    assert_eq!(vui.sample_aspect_ratio, Some((1, 1)));
}

#[test]
fn main_10_in_high_dynamic_range() {
    let sps = decode(MAIN_10).unwrap();
    assert_eq!((sps.width, sps.height, sps.luma_bit_depth), (194, 108, 10));
    assert_eq!(sps.profile.idc, 2);
    let vui = sps.vui.unwrap();
    assert_eq!(vui.colour, Some((9, 16, 9)));
    assert_eq!(vui.frame_rate.unwrap().per_second(), 25.0);
}

#[test]
fn skips_the_profiles_of_temporal_layers() {
    let mut bits = start(2);
    // Of the first layer profile and level, of the second the level; six pairs of reserved bits.
    bits.put(16, 0b11_01 << 12);
    bits.put(32, 0xffff_ffff);
    bits.put(32, 0xffff_ffff);
    bits.put(24, 0xff_ffff);
    bits.put(8, 30);
    bits.put(8, 60);
    put_all(&mut bits, &[3, 2, 1920, 1080]);
    bits.put(1, 0); // no window
    put_all(&mut bits, &[0, 0, 4]);
    bits.put(1, 1); // counts for each layer
    put_all(&mut bits, &[1, 0, 0, 2, 1, 0, 4, 3, 0]);
    let sps = decode(&nal(bits)).unwrap();
    assert_eq!((sps.width, sps.height, sps.chroma_format, sps.id), (1920, 1080, 2, 3));
    assert_eq!((sps.sub_layers, sps.max_num_reorder), (3, 3));
    assert!(sps.profile.is_high_tier);
    assert_eq!(sps.vui, None);
}

#[test]
fn gets_past_scaling_lists_pcm_and_reference_sets() {
    let mut bits = start(0);
    put_all(&mut bits, &[0, 1, 640, 360]);
    bits.put(1, 0);
    put_all(&mut bits, &[0, 0, 4]);
    bits.put(1, 1);
    put_all(&mut bits, &[1, 0, 0]);
    put_all(&mut bits, &[0, 3, 0, 3, 1, 1]);
    bits.put(2, 3); // scaling lists, with data
    for size in 0..4 {
        for matrix in 0..if size == 3 { 2 } else { 6 } {
            let is_coded = matrix == 0;
            bits.flag(is_coded);
            if is_coded {
                let coefficients = if size == 0 { 16 } else { 64 } + u32::from(size > 1);
                put_all(&mut bits, &vec![0; coefficients as usize]);
            } else {
                put_ue(&mut bits, 0);
            }
        }
    }
    bits.put(2, 0);
    bits.put(1, 1); // PCM
    bits.put(8, 0x77);
    put_all(&mut bits, &[0, 2]);
    bits.put(1, 0);
    put_ue(&mut bits, 3); // reference sets: explicit, predicted, explicit
    put_all(&mut bits, &[1, 1]);
    for _ in 0..2 {
        put_ue(&mut bits, 0);
        bits.put(1, 1);
    }
    bits.put(2, 0b10); // predicted, sign
    put_ue(&mut bits, 0);
    bits.put(4, 0b1011); // used; not used, but kept; used
    bits.put(1, 0); // not predicted
    put_all(&mut bits, &[0, 0]);
    bits.put(1, 1); // long-term pictures
    put_ue(&mut bits, 1);
    bits.put(8, 5);
    bits.put(1, 1);
    bits.put(2, 0);
    bits.put(1, 1); // usability information
    bits.put(1, 1);
    bits.put(8, 255);
    bits.put(32, 40 << 16 | 33);
    bits.put(1, 0);
    bits.put(1, 0);
    bits.put(1, 1);
    put_all(&mut bits, &[0, 0]);
    bits.put(3, 0);
    bits.put(1, 1);
    put_all(&mut bits, &[0, 0, 0, 0]);
    bits.put(1, 1);
    bits.put(32, 1001);
    bits.put(32, 60_000);
    bits.put(8, 0);
    let vui = decode(&nal(bits)).unwrap().vui.unwrap();
    assert_eq!(vui.sample_aspect_ratio, Some((40, 33)));
    let rate = HevcFrameRate { num_units_in_tick: 1001, time_scale: 60_000 };
    assert_eq!(vui.frame_rate, Some(rate));
}

#[test]
fn bounds_sizes_and_windows() {
    let with = |codes: &[u32], window: &[u32]| {
        let mut bits = start(0);
        put_all(&mut bits, &[0, 1]);
        put_all(&mut bits, codes);
        bits.flag(!window.is_empty());
        put_all(&mut bits, window);
        bits.put(32, 0xffff_ffff);
        decode(&nal(bits))
    };
    let limit = 16_888;
    for (width, height) in [(0, 8), (8, 0), (20_000, 8), (8, 20_000)] {
        assert_eq!(with(&[width, height], &[]), Err(HevcSpsError::Size { width, height, limit }));
    }
    let error = HevcSpsError::Window { width: 8, height: 8 };
    for window in [[2, 2, 0, 0], [0, 0, 0, 4], [0xffff_fff0, 0xffff_fff0, 0, 0]] {
        assert_eq!(with(&[8, 8], &window), Err(error));
    }
    assert_eq!(with(&[8, 8], &[1, 2, 0, 0]).map(|sps| sps.width), Ok(2));
}

#[test]
fn refuses_other_types_lengths_and_cut_sets() {
    assert_eq!(decode(&[0x40, 1]), Err(HevcSpsError::NotSps(32)));
    assert_eq!(decode(&[0x42]), Err(HevcSpsError::Truncated(1)));
    let long = vec![0x42; 5000];
    assert_eq!(decode(&long), Err(HevcSpsError::TooLong { len: 5000, limit: 4096 }));
    for len in 2..20 {
        assert_eq!(decode(&MAIN[..len]), Err(HevcSpsError::Truncated(len)), "{len}");
    }
    let mut layers = MAIN.to_vec();
    layers[2] |= 0x0e;
    assert!(matches!(decode(&layers), Err(HevcSpsError::OutOfRange { value: 7, .. })));
    // The rest of it may be missing.
    assert_eq!(decode(&MAIN[..30]).unwrap().vui, None);
}
