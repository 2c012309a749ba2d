//! Encoders that send NAL units after start codes (Annex B) where FLV has them after lengths.

use bytes::Bytes;
use flv_mux::{
    AvcDecoderConfigurationRecord, FourCc, HevcDecoderConfigurationRecord, Limits, NalLengthSize,
    VideoTagHeader, repair_video,
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
        let payload = body.get(offset..).unwrap_or_default();
        let mended = repair_video(header, payload, self.length_size, &Limits::default());
        if header.is_sequence_header() {
            let told = match mended {
                Some(_) => None,
                None => length_size(header, payload),
            };
            self.length_size = told.unwrap_or(NalLengthSize::Four);
        }
        mended.map_or(body, Into::into)
    }
}

/// The size of the lengths that a configuration says.
fn length_size(header: VideoTagHeader, record: &[u8]) -> Option<NalLengthSize> {
    match header.four_cc()? {
        FourCc::AVC => Some(AvcDecoderConfigurationRecord::decode(record).ok()?.nal_length_size),
        FourCc::HEVC => Some(HevcDecoderConfigurationRecord::decode(record).ok()?.nal_length_size),
        _ => None,
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
