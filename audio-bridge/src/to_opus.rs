use bytes::Bytes;

use crate::aac::AacDecoder;
use crate::mp3::Mp3Decoder;
use crate::opus::{Encoder, FRAME, LOOKAHEAD, RATE};
use crate::pcm::Pcm;
use crate::timeline::Timeline;
use crate::{Codec, Counts, Error, MAX_FRAME_BYTES};

/// Frames over which timestamps are averaged: some 0.3 s. RTMP counts whole milliseconds, and many
/// encoders stamp when they send.
const PATIENCE: f64 = 16.0;

/// What comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudioInput<'a> {
    /// Raw AAC access units, with their AudioSpecificConfig.
    Aac(&'a [u8]),
    /// MPEG audio, layers I to III, which describes itself.
    Mp3,
}

/// How Opus is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusSettings {
    /// Bits per second, 6,000 to 510,000; what is beyond is brought there. Mono takes at most half.
    pub bitrate: u32,
}

impl Default for OpusSettings {
    /// 96 kbit/s, of which one channel takes 48.
    fn default() -> Self {
        Self { bitrate: 96_000 }
    }
}

/// A packet of 20 ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpusPacket {
    /// When it plays, in ticks of 1/48000 s: what it decodes to is what the input had at this time.
    pub timestamp: u64,
    /// How long it lasts, in ticks: 960.
    pub duration: u32,
    /// The packet (RFC 6716), never empty.
    pub data: Bytes,
}

/// Decodes AAC or MP3 and encodes Opus, for one stream.
pub struct AudioToOpus {
    decoder: Decoder,
    timeline: Timeline,
    encoder: Option<Encoder>,
    settings: OpusSettings,
    counts: Counts,
}

enum Decoder {
    // Each is large; there is one to a stream.
    Aac { config: Vec<u8>, decoder: Box<AacDecoder> },
    Mp3(Mp3Decoder),
}

impl AudioToOpus {
    /// A bridge for this input.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`] for a configuration that does not parse or asks for what cannot be decoded.
    pub fn new(input: AudioInput<'_>, settings: OpusSettings) -> Result<Self, Error> {
        Ok(Self {
            decoder: Decoder::new(input)?,
            timeline: Timeline::new(Codec::Opus, RATE, LOOKAHEAD, PATIENCE),
            encoder: None,
            settings: OpusSettings { bitrate: settings.bitrate.clamp(6_000, 510_000) },
            counts: Counts::default(),
        })
    }

    /// Goes on with another input, as when a publisher sends another sequence header. The same one
    /// again changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::new`]; what was before stays in force then.
    pub fn configure(&mut self, input: AudioInput<'_>) -> Result<(), Error> {
        if !self.decoder.reads(input) {
            self.decoder = Decoder::new(input)?;
        }
        Ok(())
    }

    /// Takes a frame and gives the packets that it completes: none to some, in order.
    ///
    /// `timestamp` is in ticks of 1/48000 s ([`TICKS_PER_MS`](crate::TICKS_PER_MS)) and may be
    /// rounded and uneven. The first packet bears the timestamp of the first frame.
    ///
    /// # Errors
    ///
    /// When the frame does not decode or its sound does not encode. It is counted, and its time is
    /// filled with silence when the next frame comes: the caller goes on.
    pub fn push(&mut self, timestamp: u64, frame: &[u8]) -> Result<Vec<OpusPacket>, Error> {
        self.counts.frames = self.counts.frames.saturating_add(1);
        let outcome = self.convert(timestamp, frame);
        if outcome.is_err() {
            self.timeline.lost();
        }
        self.counts.note(&outcome);
        outcome
    }

    /// The next frame does not follow the last one: nothing is filled between them.
    pub fn gap(&mut self) {
        self.decoder.reset();
        self.timeline.gap();
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn convert(&mut self, timestamp: u64, frame: &[u8]) -> Result<Vec<OpusPacket>, Error> {
        let pcm = self.decoder.decode(frame)?;
        self.timeline.push(timestamp, pcm, &mut self.counts)?;
        let channels = self.timeline.channels().unwrap_or(2);
        let bitrate = if channels == 1 { self.settings.bitrate / 2 } else { self.settings.bitrate };
        let encoder = match &mut self.encoder {
            Some(encoder) if encoder.channels() == channels => encoder,
            other => other.insert(Encoder::new(bitrate, channels)),
        };
        let mut packets = Vec::new();
        while let Some(block) = self.timeline.take(FRAME) {
            let data = encoder.encode(block.samples)?;
            self.counts.packets = self.counts.packets.saturating_add(1);
            packets.push(OpusPacket {
                timestamp: block.timestamp,
                duration: FRAME as u32,
                data: data.into(),
            });
        }
        Ok(packets)
    }
}

impl Decoder {
    fn new(input: AudioInput<'_>) -> Result<Self, Error> {
        Ok(match input {
            AudioInput::Aac(config) => {
                Self::Aac { config: config.to_vec(), decoder: Box::new(AacDecoder::new(config)?) }
            }
            AudioInput::Mp3 => Self::Mp3(Mp3Decoder::default()),
        })
    }

    fn reads(&self, input: AudioInput<'_>) -> bool {
        match (self, input) {
            (Self::Aac { config, .. }, AudioInput::Aac(other)) => config == other,
            (Self::Mp3(_), AudioInput::Mp3) => true,
            _ => false,
        }
    }

    fn decode(&mut self, frame: &[u8]) -> Result<Pcm, Error> {
        check_length(frame)?;
        let (codec, pcm) = match self {
            Self::Aac { decoder, .. } => (Codec::Aac, decoder.decode(frame)?),
            Self::Mp3(decoder) => (Codec::Mp3, decoder.decode(frame)?),
        };
        if pcm.frames() == 0 {
            return Err(Error::Damaged { codec, reason: "no sound in it".into() });
        }
        Ok(pcm)
    }

    fn reset(&mut self) {
        match self {
            Self::Aac { decoder, .. } => decoder.reset(),
            Self::Mp3(decoder) => decoder.reset(),
        }
    }
}

pub(crate) fn check_length(frame: &[u8]) -> Result<(), Error> {
    if frame.is_empty() {
        return Err(Error::Empty);
    }
    if frame.len() > MAX_FRAME_BYTES {
        return Err(Error::TooLong { length: frame.len(), limit: MAX_FRAME_BYTES });
    }
    Ok(())
}
