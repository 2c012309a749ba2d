use std::fmt;

use thiserror::Error;

/// A codec, as errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// AAC, of any profile.
    Aac,
    /// MPEG audio, layers I to III.
    Mp3,
    /// Opus.
    Opus,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aac => "AAC",
            Self::Mp3 => "MP3",
            Self::Opus => "Opus",
        })
    }
}

/// Why a frame gave no sound. The stream goes on with the next one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// A frame without bytes.
    #[error("an empty frame")]
    Empty,
    /// A frame longer than any codec makes.
    #[error("a frame of {length} bytes, the limit is {limit}")]
    TooLong {
        /// What came.
        length: usize,
        /// [`MAX_FRAME_BYTES`](crate::MAX_FRAME_BYTES).
        limit: usize,
    },
    /// A configuration that cannot be decoded, or settings that cannot be encoded.
    #[error("{codec} cannot be set up: {reason}")]
    Setup {
        /// Whose configuration.
        codec: Codec,
        /// In the codec's words.
        reason: String,
    },
    /// A frame that does not decode.
    #[error("{codec} frame does not decode: {reason}")]
    Damaged {
        /// Which codec read it.
        codec: Codec,
        /// In the codec's words.
        reason: String,
    },
    /// A number of channels that no layout has: 1 to 8 are known.
    #[error("{0} channels, 1 to 8 can be mixed down")]
    Channels(usize),
    /// A sample rate that is not one of the thirteen of ISO/IEC 14496-3, table 1.18.
    #[error("a sample rate of {0} Hz is not one of AAC's")]
    SampleRate(u32),
    /// Sound that the encoder refused.
    #[error("{codec} encoder: {reason}")]
    Encoder {
        /// Which encoder.
        codec: Codec,
        /// In the codec's words.
        reason: String,
    },
    /// The codec panicked; it was contained and is built anew.
    #[error("{0} codec failed and is built anew")]
    Panicked(Codec),
}
