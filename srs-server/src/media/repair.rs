//! Encoders that send NAL units after start codes (Annex B) where FLV has them after lengths.

use bytes::{Bytes, BytesMut};
use flv_mux::{
    AvcDecoderConfigurationRecord, FourCc, HevcDecoderConfigurationRecord, Limits, NalLengthSize,
    VideoTagHeader, is_annex_b, repair_access_unit,
};

/// Mends the video of one publisher.
#[derive(Debug)]
pub(super) struct Repair {
    /// The size of the lengths, by the last configuration.
    length_size: NalLengthSize,
}

impl Repair {
    pub(super) fn new() -> Self {
        Self { length_size: NalLengthSize::Four }
    }

    /// The body as it should be; as it is, where nothing is wrong or nothing can be done.
    ///
    /// `header` is the body's, and `offset` where the header ends.
    pub(super) fn video(&mut self, header: VideoTagHeader, offset: usize, body: Bytes) -> Bytes {
        let payload = &body[offset..];
        let mended = match header.four_cc() {
            Some(FourCc::AVC) if header.is_sequence_header() => self.avc_record(payload),
            Some(FourCc::HEVC) if header.is_sequence_header() => self.hevc_record(payload),
            Some(FourCc::AVC | FourCc::HEVC) if header.is_frame() => {
                repair_access_unit(payload, self.length_size)
            }
            _ => None,
        };
        match mended {
            None => body,
            Some(mended) => {
                let mut whole = BytesMut::with_capacity(offset + mended.len());
                whole.extend_from_slice(&body[..offset]);
                whole.extend_from_slice(&mended);
                whole.freeze()
            }
        }
    }

    fn avc_record(&mut self, payload: &[u8]) -> Option<BytesMut> {
        if !is_annex_b(payload, NalLengthSize::Four) {
            self.length_size = AvcDecoderConfigurationRecord::decode(payload).ok()?.nal_length_size;
            return None;
        }
        let record =
            AvcDecoderConfigurationRecord::from_annex_b(payload, &Limits::default()).ok()?;
        self.length_size = record.nal_length_size;
        let mut out = BytesMut::new();
        record.encode(&mut out).ok()?;
        Some(out)
    }

    fn hevc_record(&mut self, payload: &[u8]) -> Option<BytesMut> {
        if !is_annex_b(payload, NalLengthSize::Four) {
            self.length_size =
                HevcDecoderConfigurationRecord::decode(payload).ok()?.nal_length_size;
            return None;
        }
        let record =
            HevcDecoderConfigurationRecord::from_annex_b(payload, &Limits::default()).ok()?;
        self.length_size = record.nal_length_size;
        let mut out = BytesMut::new();
        record.encode(&mut out).ok()?;
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(repair: &mut Repair, body: &[u8]) -> Bytes {
        let (header, offset) = VideoTagHeader::decode(body).unwrap();
        repair.video(header, offset, Bytes::copy_from_slice(body))
    }

    /// x264: High profile, level 1.1, 194 by 108.
    const SPS: &[u8] = &[
        0x67, 0x64, 0, 0x0b, 0xac, 0xd9, 0x43, 0x4f, 0xe2, 0x2f, 0x01, 0x6a, 0x02, 0x02, 0x02,
        0x80, 0, 0, 3, 0, 0x80, 0, 0, 0x19, 0x07, 0x8a, 0x14, 0xcb,
    ];
    const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

    #[test]
    fn start_codes_become_lengths_and_a_record() {
        let mut repair = Repair::new();
        let body = [&[0x17, 0, 0, 0, 0], &[0, 0, 0, 1][..], SPS, &[0, 0, 0, 1][..], PPS].concat();
        let mended = mend(&mut repair, &body);
        assert_eq!(mended[..5], body[..5]);
        let record = AvcDecoderConfigurationRecord::decode(&mended[5..]).unwrap();
        assert_eq!((&record.sps[0][..], &record.pps[0][..]), (SPS, PPS));

        let frame = [0x17, 1, 0, 0, 40, 0, 0, 0, 1, 0x65, 1, 2, 0, 0, 1, 0x65, 3];
        let mended = mend(&mut repair, &frame);
        assert_eq!(mended[..], [0x17, 1, 0, 0, 40, 0, 0, 0, 3, 0x65, 1, 2, 0, 0, 0, 2, 0x65, 3]);
    }

    #[test]
    fn what_is_sound_is_not_even_copied() {
        let mut repair = Repair::new();
        let frame = Bytes::from_static(&[0x17, 1, 0, 0, 40, 0, 0, 0, 2, 0x65, 1]);
        let (header, offset) = VideoTagHeader::decode(&frame).unwrap();
        let same = repair.video(header, offset, frame.clone());
        assert_eq!(same.as_ptr(), frame.as_ptr());
        // A codec that has no NAL units.
        let vp6 = [0x14, 0, 0, 0, 1, 9];
        assert_eq!(mend(&mut repair, &vp6)[..], vp6);
    }
}
