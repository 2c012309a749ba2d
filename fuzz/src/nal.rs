//! NAL units by lengths and between start codes.

use bytes::BytesMut;
use flv_mux::{
    AvcDecoderConfigurationRecord, HevcDecoderConfigurationRecord, Limits, NalLengthSize,
    VideoTagHeader, annex_b_units, from_annex_b, is_annex_b, nal_units, repair_access_unit,
    repair_video, to_annex_b,
};

/// The bytes are read as a byte stream and as an access unit: the units stay the same on the way
/// to the other form and back.
pub fn flv_nal(data: &[u8]) {
    let limits = Limits::default();
    let units: Vec<_> = annex_b_units(data).collect();
    for unit in &units {
        assert!(unit.last().is_some_and(|&last| last != 0));
        assert!(!unit.windows(3).any(|window| window == [0, 0, 1]));
    }
    for size in [NalLengthSize::One, NalLengthSize::Two, NalLengthSize::Four] {
        let mut lengths = BytesMut::new();
        let fits = from_annex_b(data, size, &mut lengths).is_ok();
        assert_eq!(fits, units.iter().all(|unit| unit.len() < 1 << (8 * size.bytes()).min(40)));
        if fits {
            let read: Result<Vec<_>, _> = nal_units(&lengths, size).collect();
            assert_eq!(read.as_ref(), Ok(&units));
            let mut stream = BytesMut::new();
            to_annex_b(&lengths, size, &mut stream).expect("what was written can be read");
            assert_eq!(annex_b_units(&stream).collect::<Vec<_>>(), units);
            assert!(!is_annex_b(&lengths, size));
        }
        let mut stream = BytesMut::new();
        let is_sound = nal_units(data, size).all(|unit| unit.is_ok());
        assert_eq!(to_annex_b(data, size, &mut stream).is_ok(), is_sound);
        if let Some(repaired) = repair_access_unit(data, size) {
            assert!(!is_sound);
            assert_eq!(nal_units(&repaired, size).map(Result::unwrap).collect::<Vec<_>>(), units);
        }
    }
    let repaired = |body: &[u8]| {
        let (header, offset) = VideoTagHeader::decode(body).ok()?;
        repair_video(header, &body[offset..], NalLengthSize::Four, &limits)
    };
    if let Some(fixed) = repaired(data) {
        assert_eq!(repaired(&fixed), None);
    }
    if let Ok(record) = AvcDecoderConfigurationRecord::from_annex_b(data, &limits) {
        record.encode(&mut BytesMut::new()).expect("what fits is taken");
    }
    if let Ok(record) = HevcDecoderConfigurationRecord::from_annex_b(data, &limits) {
        // Its units may be too long for their lengths.
        let _ = record.encode(&mut BytesMut::new());
    }
}
