//! Opus: the decoder's configuration.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::wire::{Reader, Truncated};

/// The payload of an Opus sequence header: the identification header of Ogg (RFC 7845, 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpusHead {
    /// Output channels, 1 to 255.
    pub channels: u8,
    /// Samples at 48 kHz to drop from the start of the decoded sound.
    pub pre_skip: u16,
    /// Sampling rate of the sound before encoding in Hz; 0 when not said. Decoding is at 48 kHz.
    pub input_sample_rate: u32,
    /// Gain to apply, in 1/256 dB.
    pub output_gain: i16,
    /// Which channel is which; `None` for mono or stereo (family 0).
    pub mapping: Option<OpusMapping>,
}

/// Which channel is which (RFC 7845, 5.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpusMapping {
    /// The family: 1 for the orders of Vorbis, 255 for none; not 0.
    pub family: u8,
    /// Streams in each packet.
    pub streams: u8,
    /// How many of them are of two channels.
    pub coupled: u8,
    /// The decoded channel for each output channel; as many as there are
    /// [channels](OpusHead::channels).
    pub table: Bytes,
}

/// Why a header was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpusHeadError {
    /// It ends inside a field.
    #[error("opus head: {0}")]
    Truncated(#[from] Truncated),
    /// It does not start with `OpusHead`.
    #[error("opus head has another signature")]
    Signature,
    /// A version whose first four bits are not 0.
    #[error("opus head has version {0}, over the limit of 15")]
    Version(u8),
    /// Channels that the mapping does not fit: none, more than two of family 0, or another number
    /// than the table has.
    #[error("opus head with {channels} channels does not fit its mapping family {family}")]
    Channels {
        /// How many channels there are.
        channels: u8,
        /// The mapping family.
        family: u8,
    },
}

const SIGNATURE: &[u8; 8] = b"OpusHead";

impl OpusHead {
    /// Decodes a header; what follows it is ignored.
    ///
    /// # Errors
    ///
    /// [`OpusHeadError`].
    pub fn decode(input: &[u8]) -> Result<Self, OpusHeadError> {
        let mut reader = Reader::new(input);
        if reader.bytes(8, "signature")? != SIGNATURE {
            return Err(OpusHeadError::Signature);
        }
        let version = reader.u8("version")?;
        if version > 15 {
            return Err(OpusHeadError::Version(version));
        }
        let channels = reader.u8("channel count")?;
        let pre_skip = reader.u16("pre-skip")?.swap_bytes();
        let input_sample_rate = reader.u32("input sample rate")?.swap_bytes();
        let output_gain = reader.u16("output gain")?.swap_bytes().cast_signed();
        let family = reader.u8("mapping family")?;
        if channels == 0 || (family == 0 && channels > 2) {
            return Err(OpusHeadError::Channels { channels, family });
        }
        let mapping = match family {
            0 => None,
            family => Some(OpusMapping {
                family,
                streams: reader.u8("stream count")?,
                coupled: reader.u8("coupled count")?,
                table: Bytes::copy_from_slice(reader.bytes(channels.into(), "channel mapping")?),
            }),
        };
        Ok(Self { channels, pre_skip, input_sample_rate, output_gain, mapping })
    }

    /// Appends the header to `out`, version 1.
    ///
    /// # Errors
    ///
    /// [`OpusHeadError::Channels`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), OpusHeadError> {
        let channels = self.channels;
        let family = self.mapping.as_ref().map_or(0, |mapping| mapping.family);
        let fits = match &self.mapping {
            None => (1..=2).contains(&channels),
            Some(mapping) => {
                channels > 0 && family != 0 && mapping.table.len() == usize::from(channels)
            }
        };
        if !fits {
            return Err(OpusHeadError::Channels { channels, family });
        }
        out.put_slice(SIGNATURE);
        out.put_slice(&[1, channels]);
        out.put_u16_le(self.pre_skip);
        out.put_u32_le(self.input_sample_rate);
        out.put_i16_le(self.output_gain);
        out.put_u8(family);
        if let Some(mapping) = &self.mapping {
            out.put_slice(&[mapping.streams, mapping.coupled]);
            out.put_slice(&mapping.table);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> OpusHead {
        let head = OpusHead::decode(bytes).unwrap();
        let mut out = BytesMut::new();
        head.encode(&mut out).unwrap();
        assert_eq!(out[..], *bytes);
        head
    }

    #[test]
    fn mono_and_surround() {
        let mono = check(b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0");
        assert_eq!((mono.channels, mono.pre_skip, mono.input_sample_rate), (1, 312, 48_000));
        assert_eq!((mono.output_gain, mono.mapping), (0, None));
        let head =
            check(b"OpusHead\x01\x06\x38\x01\x80\xbb\0\0\0\xff\x01\x04\x02\0\x04\x01\x02\x03\x05");
        assert_eq!(head.output_gain, -256);
        let mapping = head.mapping.unwrap();
        assert_eq!((mapping.family, mapping.streams, mapping.coupled), (1, 4, 2));
        assert_eq!(mapping.table, [0, 4, 1, 2, 3, 5][..]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let bytes = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
        for len in 0..bytes.len() {
            assert!(matches!(OpusHead::decode(&bytes[..len]), Err(OpusHeadError::Truncated(_))));
        }
        let with = |at: usize, value| {
            let mut bytes = *bytes;
            bytes[at] = value;
            OpusHead::decode(&bytes)
        };
        assert_eq!(with(0, b'o'), Err(OpusHeadError::Signature));
        assert_eq!(with(8, 16), Err(OpusHeadError::Version(16)));
        for channels in [0, 3] {
            let error = OpusHeadError::Channels { channels, family: 0 };
            assert_eq!(with(9, channels), Err(error));
        }
        let head = OpusHead { channels: 3, ..with(9, 1).unwrap() };
        let error = OpusHeadError::Channels { channels: 3, family: 0 };
        assert_eq!(head.encode(&mut BytesMut::new()), Err(error));
    }
}
