//! Mending what encoders send that know only start codes.

use bytes::BytesMut;

use crate::{
    AvcDecoderConfigurationRecord, FourCc, HevcDecoderConfigurationRecord, Limits, NalLengthSize,
    VideoTagHeader,
    annexb::{from_annex_b, is_annex_b, starts_with_start_code},
};

/// The access unit with lengths, where an encoder sent a byte stream; `None` where it is sound,
/// or no better.
pub fn repair_access_unit(access_unit: &[u8], length_size: NalLengthSize) -> Option<BytesMut> {
    if !is_annex_b(access_unit, length_size) {
        return None;
    }
    let mut out = BytesMut::new();
    from_annex_b(access_unit, length_size, &mut out).ok()?;
    (!out.is_empty()).then_some(out)
}

/// The body of a video tag of H.264 or H.265, in either form, whose access unit or configuration
/// is a byte stream, as it should be; `None` where it is sound, of several tracks, or past mending.
///
/// The body is given as its header and what follows it. `length_size` is that of the configuration before; a configuration that is made here has
/// [`NalLengthSize::Four`].
pub fn repair_video(
    header: VideoTagHeader,
    payload: &[u8],
    length_size: NalLengthSize,
    limits: &Limits,
) -> Option<BytesMut> {
    if header.is_multitrack() {
        return None;
    }
    let codec = header.four_cc().filter(|codec| [FourCc::AVC, FourCc::HEVC].contains(codec))?;
    // The usual case: nothing begins with two zeros but what is broken, or a length below 65,536.
    if !starts_with_start_code(payload) {
        return None;
    }
    let mut out = BytesMut::new();
    header.encode(&mut out);
    if header.is_frame() {
        out.unsplit(repair_access_unit(payload, length_size)?);
    } else if header.is_sequence_header() && codec == FourCc::AVC {
        let record = AvcDecoderConfigurationRecord::from_annex_b(payload, limits).ok()?;
        record.encode(&mut out).ok()?;
    } else if header.is_sequence_header() {
        let record = HevcDecoderConfigurationRecord::from_annex_b(payload, limits).ok()?;
        record.encode(&mut out).ok()?;
    } else {
        return None;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x264: High profile, level 1.1, 194 by 108; and its picture parameter set.
    const SETS: &[u8] = &[
        0, 0, 0, 1, 0x67, 0x64, 0, 0x0b, 0xac, 0xd9, 0x43, 0x4f, 0xe2, 0x2f, 0x01, 0x6a, 0x02,
        0x02, 0x02, 0x80, 0, 0, 3, 0, 0x80, 0, 0, 0x19, 0x07, 0x8a, 0x14, 0xcb, 0, 0, 1, 0x68,
        0xeb, 0xec, 0xb2, 0x2c,
    ];

    fn repaired(body: &[u8]) -> Option<BytesMut> {
        let (header, offset) = VideoTagHeader::decode(body).ok()?;
        repair_video(header, &body[offset..], NalLengthSize::Four, &Limits::default())
    }

    #[test]
    fn a_configuration_between_start_codes_becomes_a_record() {
        for header in [&[0x17, 0, 0, 0, 0][..], b"\x90avc1"] {
            let fixed = repaired(&[header, SETS].concat()).unwrap();
            let payload = fixed.strip_prefix(header).unwrap();
            let record = AvcDecoderConfigurationRecord::decode(payload).unwrap();
            assert_eq!((record.profile, record.sps.len(), record.pps.len()), (100, 1, 1));
            assert_eq!(repaired(&fixed), None);
        }
    }

    #[test]
    fn a_frame_between_start_codes_gets_lengths() {
        for header in [&[0x17, 1, 0, 0, 80][..], b"\x91hvc1\0\0\x50", &[0x1c, 1, 0, 0, 0]] {
            let body = [header, &[0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x65, 7]].concat();
            let fixed = repaired(&body).unwrap();
            let lengths = [0, 0, 0, 2, 9, 0xf0, 0, 0, 0, 2, 0x65, 7];
            assert_eq!(fixed[..], [header, &lengths].concat());
            assert_eq!(repaired(&fixed), None);
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        let sound = [&[0x17, 1, 0, 0, 0, 0, 0, 1, 0xf0][..], &[0x5a; 0x1f0]].concat();
        for body in [
            &[][..],
            &[0x17, 0, 0, 0, 0, 0, 0, 0, 1, 9],
            &[0x17, 2, 0, 0, 0],
            &[0x24, 0, 0, 1, 5],
            b"\x91av01\0\0\x01\x05\x07",
            b"\x96\x01avc1\0\0\0\0\0\0\x01\x05\x07",
            &sound,
        ] {
            assert_eq!(repaired(body), None, "{body:02x?}");
        }
    }
}
