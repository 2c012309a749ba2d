use bytes::Bytes;
use syom::{EncodeOptions, Encoder};

use crate::contain::contain;
use crate::opus::Decoder;
use crate::pcm::Pcm;
use crate::timeline::{Block, Timeline};
use crate::to_opus::check_length;
use crate::{Codec, Counts, Error};

/// Samples per channel of a frame of AAC-LC.
const FRAME: usize = 1024;
/// Samples by which what a decoder makes of a frame is later than what was encoded: a frame overlaps
/// with the one before it.
const DELAY: usize = 1024;
/// RTP's timestamps count samples: each is believed.
const PATIENCE: f64 = 1.0;
/// The longest loss that is concealed, in samples per channel: 100 ms. Silence fills longer ones.
const MAX_CONCEALED: usize = 4_800;
/// The shortest frame of Opus, in samples: 2.5 ms. Losses are multiples of it.
const UNIT: usize = 120;

/// How many channels are encoded. Opus packets of either kind decode to either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Channels {
    /// One.
    Mono,
    /// Two.
    Stereo,
}

/// How AAC is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacSettings {
    /// Bits per second: 16,000 to six times the sample rate for each channel; what is beyond is
    /// brought there.
    pub bitrate: u32,
    /// Samples per second: 48,000 or 44,100.
    pub sample_rate: u32,
}

impl Default for AacSettings {
    /// 128 kbit/s at 48 kHz.
    fn default() -> Self {
        Self { bitrate: 128_000, sample_rate: 48_000 }
    }
}

/// A raw access unit of AAC-LC: 1,024 samples per channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AacFrame {
    /// When it plays, in ticks of 1/48000 s: what it decodes to is what the input had at this time.
    pub timestamp: u64,
    /// The access unit, without a header, never empty.
    pub data: Bytes,
}

/// Decodes Opus and encodes AAC-LC, for one stream.
pub struct OpusToAac {
    decoder: Decoder,
    timeline: Timeline,
    encoder: AacEncoder,
    counts: Counts,
}

impl OpusToAac {
    /// A bridge to AAC with so many channels.
    ///
    /// # Errors
    ///
    /// [`Error::SampleRate`] for a rate that is neither 48,000 nor 44,100 Hz.
    pub fn new(channels: Channels, settings: AacSettings) -> Result<Self, Error> {
        let rate = settings.sample_rate;
        if !matches!(rate, 48_000 | 44_100) {
            return Err(Error::SampleRate(rate));
        }
        let channels = match channels {
            Channels::Mono => 1,
            Channels::Stereo => 2,
        };
        Ok(Self {
            decoder: Decoder::new(channels),
            timeline: Timeline::new(Codec::Aac, rate, DELAY, PATIENCE),
            encoder: AacEncoder::new(rate, channels, settings.bitrate)?,
            counts: Counts::default(),
        })
    }

    /// The AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) of all frames.
    #[must_use]
    pub fn config(&self) -> &Bytes {
        &self.encoder.config
    }

    /// Takes a packet and gives the frames that it completes: none to some, in order.
    ///
    /// `timestamp` is in ticks of 1/48000 s: RTP's own, without its wrap. What is missing before it
    /// is concealed up to 100 ms, filled with silence up to 1 s, and beyond that not filled.
    ///
    /// # Errors
    ///
    /// When the packet does not decode or its sound does not encode. It is counted, and its time is
    /// filled when the next packet comes: the caller goes on.
    pub fn push(&mut self, timestamp: u64, packet: &[u8]) -> Result<Vec<AacFrame>, Error> {
        self.counts.frames = self.counts.frames.saturating_add(1);
        let outcome = self.convert(timestamp, packet);
        if outcome.is_err() {
            self.timeline.lost();
        }
        self.counts.note(&outcome);
        outcome
    }

    /// The next packet does not follow the last one: nothing is filled between them.
    pub fn gap(&mut self) {
        self.decoder.reset();
        self.timeline.gap();
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn convert(&mut self, timestamp: u64, packet: &[u8]) -> Result<Vec<AacFrame>, Error> {
        check_length(packet)?;
        let duration = Decoder::duration(packet)?;
        let lost = self.conceal(timestamp, packet, duration)?;
        let pcm = self.decoder.decode(packet, duration)?;
        if let Some(pcm) = lost {
            let ticks = pcm.frames() as u64;
            self.counts.concealed = self.counts.concealed.saturating_add(ticks);
            self.timeline.push(timestamp.saturating_sub(ticks), pcm, &mut self.counts)?;
        }
        self.timeline.push(timestamp, pcm, &mut self.counts)?;
        let mut frames = Vec::new();
        while let Some(Block { timestamp, samples }) = self.timeline.take(FRAME) {
            let data = self.encoder.encode(&samples)?;
            self.counts.packets = self.counts.packets.saturating_add(1);
            frames.push(AacFrame { timestamp, data });
        }
        Ok(frames)
    }

    /// What may have been in the packets that are missing before this one.
    fn conceal(
        &mut self,
        timestamp: u64,
        packet: &[u8],
        duration: usize,
    ) -> Result<Option<Pcm>, Error> {
        let missing = self.timeline.missing(timestamp).unwrap_or(0.0).max(0.0) as usize;
        let missing = missing.checked_div(UNIT).unwrap_or(0).saturating_mul(UNIT);
        if missing == 0 || missing > MAX_CONCEALED {
            return Ok(None);
        }
        // The last of them may be in this packet too, at a lower rate.
        let last = missing.min(duration);
        let mut before = missing.saturating_sub(last);
        let mut sound = Pcm::silence(crate::opus::RATE, self.encoder.channels, 0);
        while before > 0 {
            let part = before.min(crate::opus::FRAME);
            sound.samples.append(&mut self.decoder.conceal(part)?.samples);
            before = before.saturating_sub(part);
        }
        sound.samples.append(&mut self.decoder.decode_lost(packet, last)?.samples);
        Ok(Some(sound))
    }
}

struct AacEncoder {
    rate: u32,
    channels: usize,
    bitrate: u32,
    config: Bytes,
    encoder: Option<Box<Encoder>>,
}

impl AacEncoder {
    fn new(rate: u32, channels: usize, bitrate: u32) -> Result<Self, Error> {
        // ISO/IEC 14496-3, 4.5.3.1: 6,144 bits for each channel of a frame.
        let most = rate.saturating_mul(6).saturating_mul(channels as u32);
        let bitrate = bitrate.clamp(16_000, most);
        let mut this = Self { rate, channels, bitrate, config: Bytes::new(), encoder: None };
        let encoder = this.build()?;
        this.config = Bytes::copy_from_slice(encoder.asc());
        this.encoder = Some(encoder);
        Ok(this)
    }

    fn build(&self) -> Result<Box<Encoder>, Error> {
        let options = EncodeOptions::raw().with_bitrate_bps(self.bitrate);
        let built = contain(Codec::Aac, || Encoder::new(self.rate, self.channels, &options))?;
        built
            .map(Box::new)
            .map_err(|error| Error::Setup { codec: Codec::Aac, reason: error.to_string() })
    }

    /// Encodes exactly [`FRAME`] interleaved samples per channel.
    fn encode(&mut self, samples: &[f32]) -> Result<Bytes, Error> {
        let mut encoder = match self.encoder.take() {
            Some(encoder) => encoder,
            None => self.build()?,
        };
        let planes: Vec<Vec<f32>> = (0..self.channels)
            .map(|channel| samples.iter().skip(channel).step_by(self.channels).copied().collect())
            .collect();
        let (encoder, frame, fed) = contain(Codec::Aac, move || {
            let planes: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
            let mut frame = Bytes::new();
            let fed = encoder.feed(&planes, |unit| {
                frame = Bytes::copy_from_slice(unit.payload);
                Ok(())
            });
            (encoder, frame, fed)
        })?;
        // After an error it takes no more: the next frame builds another.
        fed.map_err(|error| refused(error.to_string()))?;
        self.encoder = Some(encoder);
        if frame.is_empty() {
            return Err(refused("an empty frame".into()));
        }
        Ok(frame)
    }
}

fn refused(reason: String) -> Error {
    Error::Encoder { codec: Codec::Aac, reason }
}
