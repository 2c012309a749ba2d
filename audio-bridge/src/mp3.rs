use nanomp3_core::{DecodeError, Decoder, FrameInfo, MAX_SAMPLES_PER_FRAME};

use crate::contain::contain;
use crate::pcm::Pcm;
use crate::{Codec, Error};

/// Frames of one message that are decoded; encoders send one.
const MAX_FRAMES: usize = 4;

/// Decodes MPEG audio whose frames come whole.
#[derive(Default)]
pub(crate) struct Mp3Decoder {
    decoder: Option<Box<Decoder>>,
}

impl Mp3Decoder {
    pub(crate) fn decode(&mut self, mut frames: &[u8]) -> Result<Pcm, Error> {
        let mut sound: Option<Pcm> = None;
        for _ in 0..MAX_FRAMES {
            if frames.is_empty() {
                break;
            }
            let (used, decoded) = self.decode_one(frames)?;
            frames = frames.get(used.max(1)..).unwrap_or(&[]);
            let pcm = match (decoded, &sound) {
                (Ok(pcm), _) => pcm,
                // Padding behind a frame.
                (Err(_), Some(_)) => break,
                (Err(reason), None) => return Err(damaged(reason)),
            };
            match &mut sound {
                None => sound = Some(pcm),
                Some(all) if (all.rate, all.channels) == (pcm.rate, pcm.channels) => {
                    all.samples.extend_from_slice(&pcm.samples);
                }
                Some(_) => break,
            }
        }
        sound.ok_or(Error::Empty)
    }

    fn decode_one(&mut self, frames: &[u8]) -> Result<(usize, Result<Pcm, DecodeError>), Error> {
        let mut decoder = self.decoder.take().unwrap_or_default();
        let mut samples = vec![0.0_f32; MAX_SAMPLES_PER_FRAME];
        let (decoder, samples, used, result) = contain(Codec::Mp3, move || {
            let (used, result) = decoder.decode(frames, &mut samples);
            (decoder, samples, used, result)
        })?;
        self.decoder = Some(decoder);
        let decoded = match result {
            Ok(info) => Ok(sound(&info, samples)?),
            // What it refers to came before the stream was listened to. It lasts as long all the same.
            Err(DecodeError::ReservoirUnavailable(info)) => {
                let frames = if info.sample_rate >= 32_000 { 1152 } else { 576 };
                Ok(Pcm::silence(info.sample_rate, usize::from(info.channels.num()), frames))
            }
            Err(error) => Err(error),
        };
        Ok((used, decoded))
    }

    pub(crate) fn reset(&mut self) {
        self.decoder = None;
    }
}

fn sound(info: &FrameInfo, mut samples: Vec<f32>) -> Result<Pcm, Error> {
    let channels = usize::from(info.channels.num());
    samples.truncate(info.samples_produced.saturating_mul(channels));
    Pcm::new(info.sample_rate, channels, samples)
}

fn damaged(error: DecodeError) -> Error {
    Error::Damaged { codec: Codec::Mp3, reason: error.to_string() }
}
