use rusty_aac::DecodedAudio;
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
        let (old, decoded) = Self::run(old, frame)?;
        let (decoder, decoded) = match decoded {
            Ok(sound) => (old, Ok(sound)),
            // A frame may change the layout of all that follow, and damage looks like that too: who
            // knows only the configuration says which of the two is wrong, frame or decoder.
            Err(error) => match Self::run(Self::build(&self.config)?, frame)? {
                (new, Ok(sound)) => (new, Ok(sound)),
                (_, Err(_)) => (old, Err(error)),
            },
        };
        self.decoder = Some(decoder);
        let sound = decoded
            .map_err(|error| Error::Damaged { codec: Codec::Aac, reason: error.to_string() })?;
        Pcm::new(sound.sample_rate, usize::from(sound.channels), sound.samples)
    }

    fn run(
        mut decoder: Decoder,
        frame: &[u8],
    ) -> Result<(Decoder, rusty_aac::Result<DecodedAudio>), Error> {
        contain(Codec::Aac, move || {
            let decoded = decoder.decode(frame, None);
            (decoder, decoded)
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
