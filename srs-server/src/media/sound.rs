//! Audio alone, as players of files know it: AAC in ADTS, MP3 as it is.

use bytes::BytesMut;
use flv_mux::{AudioSpecificConfig, FourCc, TagKind};
use stream_hub::{Convert, ConvertError, Lost, Output, TrackId};

use super::{
    Frame, Wire,
    adts::{self, Adts},
    unit::{Role, Unit},
    wanted::Wanted,
    wire::SLAB,
};

/// A frame of AAC with its ADTS header.
pub type AacFrame = Wire<Aac>;
/// A frame of MP3.
pub type Mp3Frame = Wire<Mp3>;

/// The form of AAC in ADTS.
#[derive(Debug)]
pub struct Aac {
    adts: Option<Adts>,
    slab: BytesMut,
}

/// The form of MP3.
#[derive(Debug)]
pub struct Mp3;

/// One codec of sound.
pub(super) trait Sound: Send + Sync + 'static {
    /// What is carried.
    const WHAT: &'static str;
    fn new() -> Self;
    /// Takes a unit of audio; the bytes that go out, where they are a frame of this codec.
    fn take(&mut self, unit: Unit<'_>, frame: &Frame) -> Option<bytes::Bytes>;
}

impl Sound for Aac {
    const WHAT: &'static str = "ADTS carries AAC";

    fn new() -> Self {
        Self { adts: None, slab: BytesMut::new() }
    }

    fn take(&mut self, unit: Unit<'_>, _: &Frame) -> Option<bytes::Bytes> {
        if unit.codec != Some(FourCc::AAC) {
            return None;
        }
        if unit.role == Role::Config {
            let config = AudioSpecificConfig::decode(unit.data).ok();
            self.adts = config.as_ref().and_then(Adts::new);
            return None;
        }
        let header = self.adts?.header(unit.data.len())?;
        let needed = adts::HEADER_LEN + unit.data.len();
        if self.slab.capacity() < needed {
            self.slab = BytesMut::with_capacity(SLAB.max(needed));
        }
        self.slab.extend_from_slice(&header);
        self.slab.extend_from_slice(unit.data);
        Some(self.slab.split().freeze())
    }
}

impl Sound for Mp3 {
    const WHAT: &'static str = "this form carries MP3";

    fn new() -> Self {
        Self
    }

    fn take(&mut self, unit: Unit<'_>, frame: &Frame) -> Option<bytes::Bytes> {
        let is_frame = unit.codec == Some(FourCc::MP3) && unit.role != Role::Config;
        (is_frame && !unit.data.is_empty()).then(|| frame.body.slice_ref(unit.data))
    }
}

/// Makes the frames of one codec of sound.
#[derive(Debug)]
pub(super) struct SoundEncoder<S> {
    sound: S,
    wanted: Wanted,
}

impl<S: Sound> SoundEncoder<S> {
    pub(super) fn new() -> Self {
        Self { sound: S::new(), wanted: Wanted::new(S::WHAT) }
    }
}

impl<S: Sound> Convert<Frame, Wire<S>> for SoundEncoder<S> {
    fn push(
        &mut self,
        _: TrackId,
        frame: &Frame,
        out: &mut Output<Wire<S>>,
    ) -> Result<(), ConvertError> {
        let unit = Unit::of(frame);
        let audio = unit.filter(|unit| unit.kind == TagKind::Audio);
        if let Some(bytes) = audio.and_then(|unit| self.sound.take(unit, frame)) {
            self.wanted.found();
            // Sound can be joined anywhere.
            out.push(Wire::new(bytes, frame, true));
        } else if unit.is_some_and(|unit| unit.role != Role::Config) {
            self.wanted.missing(frame.time)?;
        }
        Ok(())
    }

    fn gap(&mut self, _: Lost, _: &mut Output<Wire<S>>) {
        self.sound = S::new();
        self.wanted.restart();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    fn sounds<S: Sound>(
        frames: &[(TagKind, u64, &'static [u8])],
    ) -> Result<Vec<Bytes>, ConvertError> {
        let mut encoder = SoundEncoder::<S>::new();
        let mut out = Output::new();
        for &(kind, ms, body) in frames {
            let (time, body) = (Duration::from_millis(ms), Bytes::from_static(body));
            let frame =
                Frame { kind, time, timestamp: 0, body, is_join_point: false, config_slot: None };
            encoder.push(TrackId::default(), &frame, &mut out)?;
        }
        Ok(out.drain().map(|sound| sound.bytes).collect())
    }

    const AAC: &[u8] = &[0xaf, 0, 0x12, 0x10];
    const FRAMES: &[(TagKind, u64, &[u8])] = &[
        (TagKind::Audio, 0, &[0xaf, 1, 9]),
        (TagKind::Audio, 0, AAC),
        (TagKind::Audio, 0, &[0xaf, 1, 0x21]),
        (TagKind::Video, 5, &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]),
        (TagKind::Audio, 23, b"\x91mp4a\x22"),
        (TagKind::Audio, 46, &[0x2f, 0xff, 0xfb]),
        (TagKind::Audio, 69, b"\x91.mp3\xff\xfa"),
    ];

    #[test]
    fn aac_has_a_header_on_each_frame_once_it_is_configured() {
        let header = [0xff, 0xf1, 0x50, 0x80, 0x01, 0x1f, 0xfc];
        let frames = [0x21, 0x22].map(|byte| [&header[..], &[byte]].concat());
        assert_eq!(sounds::<Aac>(FRAMES).unwrap(), frames);
    }

    #[test]
    fn mp3_goes_out_as_it_came() {
        assert_eq!(sounds::<Mp3>(FRAMES).unwrap(), [&[0xff, 0xfb][..], &[0xff, 0xfa]]);
    }

    #[test]
    fn a_stream_without_the_codec_is_refused_after_a_second() {
        let frames = [
            (TagKind::Audio, 0, AAC),
            (TagKind::Audio, 7, &[0xaf, 1, 1]),
            (TagKind::Video, 1007, &[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]),
        ];
        assert_eq!(sounds::<Aac>(&frames).unwrap().len(), 1);
        assert_eq!(sounds::<Mp3>(&frames[..2]).unwrap().len(), 0);
        assert!(sounds::<Mp3>(&frames).is_err());
    }
}
