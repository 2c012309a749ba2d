use super::*;
use crate::{avc::vui::FrameRate, bits::BitWriter};

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Parameter sets that x264 wrote; what is expected of them is what ffprobe says.
fn decode(text: &str) -> Sps {
    Sps::decode(&hex(text), &Limits::default()).unwrap()
}

fn rate(num_units_in_tick: u32, time_scale: u32) -> Option<FrameRate> {
    Some(FrameRate { num_units_in_tick, time_scale, is_fixed: false })
}

#[test]
fn high_profile_with_cropping() {
    let sps = decode("6764000cacd941419f9f011000000300100000030320f1429960");
    let vui = Vui {
        sample_aspect_ratio: Some((1, 1)),
        frame_rate: rate(1, 50),
        max_num_reorder_frames: Some(2),
        max_dec_frame_buffering: Some(4),
        ..Vui::default()
    };
    let expected = Sps {
        profile: 100,
        constraints: 0,
        level: 12,
        id: 0,
        chroma_format: 1,
        luma_bit_depth: 8,
        chroma_bit_depth: 8,
        max_num_ref_frames: 4,
        width: 320,
        height: 180,
        frames_only: true,
        vui: Some(vui),
    };
    assert_eq!(sps, expected);
}

#[test]
fn high_422_crops_single_lines() {
    let sps = decode("677a000dbcd941519e222f011000003e90000ea600f1429960");
    assert_eq!((sps.profile, sps.chroma_format), (122, 2));
    assert_eq!((sps.width, sps.height), (322, 182));
    assert_eq!(sps.vui.unwrap().frame_rate, rate(1001, 60_000));
}

#[test]
fn interlaced_pictures_crop_pairs_of_lines() {
    let sps = decode("67640015acd941533c4498108000000300800000190f8a14cb");
    assert!(!sps.frames_only);
    assert_eq!((sps.width, sps.height), (322, 180));
    assert_eq!(sps.vui.unwrap().sample_aspect_ratio, Some((12, 11)));
}

#[test]
fn baseline_has_no_format() {
    let sps = decode("6742c00ad9047e226c0440000003004000000c83c48992");
    assert_eq!((sps.profile, sps.constraints, sps.level), (66, 0xc0, 10));
    assert_eq!((sps.width, sps.height, sps.chroma_format), (50, 38, 1));
    assert_eq!(sps.vui.unwrap().max_num_reorder_frames, Some(0));
}

#[test]
fn high_444_crops_single_samples() {
    let sps = decode("67f4000a919b288fc7466022000003000200000300641e244b2c");
    assert_eq!((sps.chroma_format, sps.width, sps.height), (3, 51, 37));
}

#[test]
fn hrd_parameters_and_colour_are_skipped_and_kept() {
    let sps =
        decode("6764002aacd940780227e5c05a808080a0000003002000000c8c4c001e848003d09c9a700f183196");
    assert_eq!((sps.width, sps.height, sps.level), (1920, 1080, 42));
    let vui = sps.vui.unwrap();
    assert_eq!((vui.colour, vui.frame_rate), (Some((1, 1, 1)), rate(1, 100)));
    assert_eq!(vui.max_num_reorder_frames, Some(2));
}

#[test]
fn ten_bits_with_scaling_lists() {
    let sps = decode("676e000aa6cd94426c0440000003004000000c83c4896580");
    assert_eq!((sps.luma_bit_depth, sps.chroma_bit_depth), (10, 10));
    assert_eq!((sps.width, sps.height), (64, 64));
    assert_eq!(sps.vui.unwrap().frame_rate, rate(1, 50));
}

#[test]
fn a_cut_off_vui_is_left_out() {
    let mut bytes = hex("6764000cacd941419f9f011000000300100000030320f1429960");
    bytes.truncate(14);
    let sps = Sps::decode(&bytes, &Limits::default()).unwrap();
    assert_eq!((sps.width, sps.vui), (320, None));
}

#[test]
fn refuses_other_units_long_ones_and_cut_ones() {
    let limits = Limits { max_sps: 10, ..Limits::default() };
    assert_eq!(Sps::decode(&[0x68, 0], &limits), Err(SpsError::NotSps(8)));
    assert_eq!(Sps::decode(&[0x67; 11], &limits), Err(SpsError::TooLong { len: 11, limit: 10 }));
    assert_eq!(Sps::decode(&[], &limits), Err(SpsError::Truncated(0)));
    assert_eq!(Sps::decode(&hex("6764000cacd9"), &limits), Err(SpsError::Truncated(6)));
}

/// A Baseline parameter set made of fields.
struct Fields {
    id: u32,
    frame_num: u32,
    poc: Vec<u32>,
    width: u32,
    height: u32,
    crop: Option<[u32; 4]>,
}

impl Default for Fields {
    fn default() -> Self {
        Self { id: 0, frame_num: 0, poc: vec![2], width: 19, height: 14, crop: None }
    }
}

fn put_ue(bits: &mut BitWriter, value: u32) {
    let code = u64::from(value) + 1;
    let len = code.ilog2();
    for shift in (0..=2 * len).rev() {
        bits.flag(shift <= len && code >> shift & 1 == 1);
    }
}

fn build(fields: &Fields) -> Result<Sps, SpsError> {
    let mut bits = BitWriter::default();
    bits.put(32, 0x6742_c01e);
    put_ue(&mut bits, fields.id);
    put_ue(&mut bits, fields.frame_num);
    for &value in &fields.poc {
        put_ue(&mut bits, value);
    }
    put_ue(&mut bits, 1);
    bits.flag(false);
    put_ue(&mut bits, fields.width);
    put_ue(&mut bits, fields.height);
    bits.put(2, 3);
    bits.flag(fields.crop.is_some());
    for value in fields.crop.into_iter().flatten() {
        put_ue(&mut bits, value);
    }
    bits.put(2, 1);
    let mut nal = Vec::new();
    for byte in bits.into_bytes() {
        if byte <= 3 && nal.ends_with(&[0, 0]) {
            nal.push(3);
        }
        nal.push(byte);
    }
    Sps::decode(&nal, &Limits::default())
}

#[test]
fn builds_a_plain_one() {
    let sps = build(&Fields::default()).unwrap();
    assert_eq!((sps.width, sps.height, sps.vui), (320, 240, None));
}

#[test]
fn bounds_every_code() {
    let field = |fields| match build(&fields) {
        Err(SpsError::OutOfRange { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let default = Fields::default;
    assert_eq!(field(Fields { id: 32, ..default() }), "seq_parameter_set_id");
    assert_eq!(field(Fields { frame_num: 13, ..default() }), "log2_max_frame_num_minus4");
    assert_eq!(field(Fields { poc: vec![3], ..default() }), "pic_order_cnt_type");
    let lsb = Fields { poc: vec![0, 13], ..default() };
    assert_eq!(field(lsb), "log2_max_pic_order_cnt_lsb_minus4");
    // Type 1: the flag and two zeros are the code 0 three times.
    let cycle = Fields { poc: vec![1, 0, 0, 0, 256], ..default() };
    assert_eq!(field(cycle), "num_ref_frames_in_pic_order_cnt_cycle");
    let mut longest = vec![1, 0, 0, 0, 255];
    longest.extend([0; 255]);
    assert!(build(&Fields { poc: longest, ..default() }).is_ok());
}

#[test]
fn bounds_the_picture() {
    for (width, height) in [(1055, 0), (0, 1055), (u32::MAX - 1, 0), (u32::MAX - 1, u32::MAX - 1)] {
        let error = build(&Fields { width, height, ..Fields::default() }).unwrap_err();
        assert!(matches!(error, SpsError::TooLarge { limit: 16_888, .. }), "{error}");
    }
    assert_eq!(build(&Fields { width: 1054, ..Fields::default() }).unwrap().width, 16_880);
}

#[test]
fn cropping_leaves_something() {
    let crop = |crop| build(&Fields { crop: Some(crop), ..Fields::default() });
    let sps = crop([1, 2, 3, 4]).unwrap();
    assert_eq!((sps.width, sps.height), (314, 226));
    let error = Err(SpsError::Cropping { width: 320, height: 240 });
    assert_eq!(crop([80, 80, 0, 0]), error);
    assert_eq!(crop([0, 0, 0, 120]), error);
    assert_eq!(crop([u32::MAX - 1, u32::MAX - 1, 0, 0]), error);
}
