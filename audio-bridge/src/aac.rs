use rusty_aac::config::{self, StreamConfig};
use rusty_aac::decode::Decoder;

use crate::contain::contain;
use crate::pcm::Pcm;
use crate::{Codec, Error};

/// Decodes raw access units, as they are in RTMP and FLV.
pub(crate) struct AacDecoder {
    config: StreamConfig,
    decoder: Option<Decoder>,
}

impl AacDecoder {
    /// From an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
    pub(crate) fn new(config: &[u8]) -> Result<Self, Error> {
        let config = contain(Codec::Aac, || config::parse(config))?.map_err(setup)?;
        let decoder = Self::build(&config)?;
        Ok(Self { config, decoder: Some(decoder) })
    }

    fn build(config: &StreamConfig) -> Result<Decoder, Error> {
        contain(Codec::Aac, || Decoder::with_stream_config(config.clone()))?.map_err(setup)
    }

    pub(crate) fn decode(&mut self, frame: &[u8]) -> Result<Pcm, Error> {
        let old = match self.decoder.take() {
            Some(decoder) => decoder,
            None => Self::build(&self.config)?,
        };
        let (old, heard) = Self::run(old, frame)?;
        let (decoder, heard) = match heard {
            Ok(pcm) => (old, Ok(pcm)),
            // A frame may change the layout of all that follow, and damage looks like that too,
            // even where it decodes, to channels that no layout has: who knows only the
            // configuration says which of the two is wrong, frame or decoder.
            Err(error) => match Self::run(Self::build(&self.config)?, frame)? {
                (new, Ok(pcm)) => (new, Ok(pcm)),
                (_, Err(_)) => (old, Err(error)),
            },
        };
        self.decoder = Some(decoder);
        heard
    }

    fn run(mut decoder: Decoder, frame: &[u8]) -> Result<(Decoder, Result<Pcm, Error>), Error> {
        contain(Codec::Aac, move || {
            let heard = decoder
                .decode(frame, None)
                .map_err(|error| Error::Damaged { codec: Codec::Aac, reason: error.to_string() })
                .and_then(|sound| {
                    Pcm::new(sound.sample_rate, usize::from(sound.channels), sound.samples)
                });
            (decoder, heard)
        })
    }

    /// What came before says nothing of what comes.
    pub(crate) fn reset(&mut self) {
        self.decoder = None;
    }
}

fn setup(error: rusty_aac::Error) -> Error {
    Error::Setup { codec: Codec::Aac, reason: error.to_string() }
}
