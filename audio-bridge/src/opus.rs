use opus_pure::{Application, MAX_PACKET_BYTES, OpusDecoder, OpusEncoder, packet};

use crate::contain::contain;
use crate::pcm::Pcm;
use crate::{Codec, Error};

/// The rate at which Opus is coded here.
pub(crate) const RATE: u32 = 48_000;
/// Samples per channel of a packet: 20 ms.
pub(crate) const FRAME: usize = 960;
/// Samples by which what a decoder makes of a packet is later than what was encoded: 2.5 ms of
/// overlap and 4 ms of keeping the two layers aligned.
pub(crate) const LOOKAHEAD: usize = 312;

/// An encoder of packets of 20 ms.
pub(crate) struct Encoder {
    bitrate: u32,
    channels: usize,
    encoder: Option<Box<OpusEncoder>>,
}

impl Encoder {
    pub(crate) fn new(bitrate: u32, channels: usize) -> Self {
        Self { bitrate, channels, encoder: None }
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Encodes exactly [`FRAME`] samples per channel.
    pub(crate) fn encode(&mut self, samples: Vec<f32>) -> Result<Vec<u8>, Error> {
        let mut encoder = match self.encoder.take() {
            Some(encoder) => encoder,
            None => self.build()?,
        };
        let mut packet = vec![0; MAX_PACKET_BYTES];
        let (encoder, mut packet, length) = contain(Codec::Opus, move || {
            let length = encoder.encode(&samples, FRAME, &mut packet);
            (encoder, packet, length)
        })?;
        let length = length.map_err(|error| refused(&error))?;
        self.encoder = Some(encoder);
        if length == 0 {
            return Err(Error::Encoder { codec: Codec::Opus, reason: "an empty packet".into() });
        }
        packet.truncate(length);
        Ok(packet)
    }

    fn build(&self) -> Result<Box<OpusEncoder>, Error> {
        let channels = self.channels;
        let built =
            contain(Codec::Opus, || OpusEncoder::new(RATE as i32, channels, Application::Audio))?;
        let mut encoder = built
            .map_err(|error| Error::Setup { codec: Codec::Opus, reason: error.to_string() })?;
        encoder.bitrate_bps = i32::try_from(self.bitrate).unwrap_or(i32::MAX);
        Ok(Box::new(encoder))
    }
}

fn refused(error: &opus_pure::Error) -> Error {
    Error::Encoder { codec: Codec::Opus, reason: error.to_string() }
}

/// A decoder of packets of any duration, to one number of channels.
pub(crate) struct Decoder {
    channels: usize,
    decoder: Option<Box<OpusDecoder>>,
}

impl Decoder {
    pub(crate) fn new(channels: usize) -> Self {
        Self { channels, decoder: None }
    }

    /// Samples per channel that a packet lasts, at most 5,760 (RFC 6716, section 3).
    pub(crate) fn duration(packet: &[u8]) -> Result<usize, Error> {
        match packet::samples(packet, RATE as i32) {
            Ok(samples) if (1..=packet::MAX_PACKET_SAMPLES).contains(&samples) => Ok(samples),
            Ok(samples) => Err(damaged(format!("{samples} samples in a packet"))),
            Err(error) => Err(damaged(error.to_string())),
        }
    }

    /// Decodes a packet that lasts so long.
    pub(crate) fn decode(&mut self, packet: &[u8], frames: usize) -> Result<Pcm, Error> {
        self.run(frames, |decoder, samples| decoder.decode(packet, frames, samples))
    }

    /// What the packet before this one may have been: from the copy in it, or guessed.
    pub(crate) fn decode_lost(&mut self, next: &[u8], frames: usize) -> Result<Pcm, Error> {
        self.run(frames, |decoder, samples| decoder.decode_fec(next, frames, samples))
    }

    /// What a lost packet of which nothing is known may have been.
    pub(crate) fn conceal(&mut self, frames: usize) -> Result<Pcm, Error> {
        self.decode(&[], frames)
    }

    fn run(
        &mut self,
        frames: usize,
        decode: impl FnOnce(&mut OpusDecoder, &mut [f32]) -> opus_pure::Result<usize>,
    ) -> Result<Pcm, Error> {
        let channels = self.channels;
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => Box::new(
                contain(Codec::Opus, || OpusDecoder::new(RATE as i32, channels))?.map_err(
                    |error| Error::Setup { codec: Codec::Opus, reason: error.to_string() },
                )?,
            ),
        };
        let mut samples = vec![0.0; frames.saturating_mul(channels)];
        let (decoder, mut samples, decoded) = contain(Codec::Opus, move || {
            let decoded = decode(&mut decoder, &mut samples);
            (decoder, samples, decoded)
        })?;
        self.decoder = Some(decoder);
        let decoded = decoded.map_err(|error| damaged(error.to_string()))?;
        samples.truncate(decoded.saturating_mul(channels));
        Pcm::new(RATE, channels, samples)
    }

    pub(crate) fn reset(&mut self) {
        self.decoder = None;
    }
}

fn damaged(reason: String) -> Error {
    Error::Damaged { codec: Codec::Opus, reason }
}
