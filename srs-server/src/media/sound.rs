//! Audio alone, as players of files know it: AAC in ADTS, MP3 as it is.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flv_mux::{AudioSpecificConfig, FourCc, TagKind};
use stream_hub::{Convert, ConvertError, Lost, Output, TrackId, Variant};

use super::{
    Frame, Wire,
    adts::{self, Adts},
    unit::{Role, Unit},
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
    fn new() -> Self;
    /// Takes a unit of audio; the bytes that go out, where they are a frame of this codec.
    fn take(&mut self, unit: Unit<'_>, frame: &Frame) -> Option<Bytes>;
}

impl Sound for Aac {
    fn new() -> Self {
        Self { adts: None, slab: BytesMut::new() }
    }

    fn take(&mut self, unit: Unit<'_>, _: &Frame) -> Option<Bytes> {
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
    fn new() -> Self {
        Self
    }

    fn take(&mut self, unit: Unit<'_>, frame: &Frame) -> Option<Bytes> {
        let is_frame = unit.codec == Some(FourCc::MP3) && unit.role != Role::Config;
        (is_frame && !unit.data.is_empty()).then(|| frame.body.slice_ref(unit.data))
    }
}

/// Makes the frames of one codec of sound.
#[derive(Debug)]
pub(super) struct SoundEncoder<S> {
    sound: S,
    /// How often a player can begin.
    every: Duration,
    /// Where one could last.
    joined: Option<Duration>,
}

impl<S: Sound> SoundEncoder<S> {
    /// The variant is how much a player that joins gets at once, at most, in seconds.
    pub(super) fn new(Variant(seconds): Variant) -> Self {
        Self { sound: S::new(), every: Duration::from_secs(seconds), joined: None }
    }
}

impl<S: Sound> Convert<Frame, Wire<S>> for SoundEncoder<S> {
    fn push(
        &mut self,
        _: TrackId,
        frame: &Frame,
        out: &mut Output<Wire<S>>,
    ) -> Result<(), ConvertError> {
        let audio = Unit::of(frame).filter(|unit| unit.kind == TagKind::Audio);
        if let Some(bytes) = audio.and_then(|unit| self.sound.take(unit, frame)) {
            let is_due = self.joined.is_none_or(|last| {
                frame.time.checked_sub(last).is_none_or(|since| since >= self.every)
            });
            if is_due {
                self.joined = Some(frame.time);
            }
            out.push(Wire::new(bytes, frame, is_due));
        }
        Ok(())
    }

    fn gap(&mut self, _: Lost, _: &mut Output<Wire<S>>) {
        (self.sound, self.joined) = (S::new(), None);
    }
}

#[cfg(test)]
mod tests {
    use stream_hub::Item;

    use std::time::Instant;

    use super::*;

    /// What players get of frames, and whether one can begin there.
    fn sounds<S: Sound>(
        fast_cache: u64,
        frames: &[(TagKind, u64, &'static [u8])],
    ) -> Vec<(Bytes, bool)> {
        let mut encoder = SoundEncoder::<S>::new(Variant(fast_cache));
        let mut out = Output::new();
        for &(kind, ms, body) in frames {
            let (time, body) = (Duration::from_millis(ms), Bytes::from_static(body));
            let frame = Frame::new(kind, time, body, Instant::now());
            encoder.push(TrackId::default(), &frame, &mut out).unwrap();
        }
        let sounds = out.drain().map(|sound| (sound.bytes.clone(), sound.is_join_point()));
        sounds.collect()
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
        let frames = [0x21, 0x22].map(|byte| ([&header[..], &[byte]].concat().into(), true));
        assert_eq!(sounds::<Aac>(0, FRAMES), frames);
    }

    #[test]
    fn mp3_goes_out_as_it_came() {
        let frames = [&[0xff, 0xfb][..], &[0xff, 0xfa]].map(|frame| (frame.into(), true));
        assert_eq!(sounds::<Mp3>(0, FRAMES), frames);
    }

    #[test]
    fn players_begin_as_seldom_as_the_fast_cache_says() {
        const MP3: &[u8] = &[0x2f, 0xff, 0xfb];
        let frames = [0, 900, 1000, 1900, 2100, 3000].map(|ms| (TagKind::Audio, ms, MP3));
        let begins = |fast_cache| {
            sounds::<Mp3>(fast_cache, &frames).into_iter().map(|(_, begins)| begins).collect()
        };
        let (every, seldom): (Vec<_>, Vec<_>) = (begins(0), begins(1));
        assert_eq!(every, [true; 6]);
        assert_eq!(seldom, [true, false, true, false, true, false]);
    }
}
