//! The order of a track's channels.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::wire::{Reader, Truncated, wire_enum};

wire_enum! {
    /// Where a channel's speaker stands (Enhanced RTMP v2, "AudioChannel").
    AudioChannel {
        /// Front left.
        FrontLeft = 0,
        /// Front right.
        FrontRight = 1,
        /// Front centre.
        FrontCenter = 2,
        /// Low frequencies.
        LowFrequency1 = 3,
        /// Back left.
        BackLeft = 4,
        /// Back right.
        BackRight = 5,
        /// Between front left and front centre.
        FrontLeftCenter = 6,
        /// Between front right and front centre.
        FrontRightCenter = 7,
        /// Back centre.
        BackCenter = 8,
        /// Side left.
        SideLeft = 9,
        /// Side right.
        SideRight = 10,
        /// Above.
        TopCenter = 11,
        /// Above, front left.
        TopFrontLeft = 12,
        /// Above, front centre.
        TopFrontCenter = 13,
        /// Above, front right.
        TopFrontRight = 14,
        /// Above, back left.
        TopBackLeft = 15,
        /// Above, back centre.
        TopBackCenter = 16,
        /// Above, back right.
        TopBackRight = 17,
        /// Low frequencies, second speaker.
        LowFrequency2 = 18,
        /// Above, side left.
        TopSideLeft = 19,
        /// Above, side right.
        TopSideRight = 20,
        /// Below, front centre.
        BottomFrontCenter = 21,
        /// Below, front left.
        BottomFrontLeft = 22,
        /// Below, front right.
        BottomFrontRight = 23,
        /// The channel is empty and may be skipped.
        Unused = 0xfe,
        /// The channel holds something, its speaker is not known.
        Unknown = 0xff,
    }
}

/// The payload of a [`MultichannelConfig`](crate::AudioPacketType::MultichannelConfig) packet
/// (Enhanced RTMP v2, "AudioChannelOrder").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MultichannelConfig {
    /// Only the count is known.
    Unspecified {
        /// How many channels there are.
        channels: u8,
    },
    /// The channels are in the order of [`AudioChannel`].
    Native {
        /// How many channels there are: as many as `flags` has bits, if the writer is right.
        channels: u8,
        /// One bit for each channel that is present: 1 shifted left by its [`AudioChannel`].
        flags: u32,
    },
    /// Each channel says what it is.
    Custom {
        /// One byte for each channel, of [`AudioChannel`]; 255 at most.
        mapping: Bytes,
    },
    /// An order without a name here, kept as it was read.
    Other {
        /// `audioChannelOrder`.
        order: u8,
        /// How many channels there are.
        channels: u8,
    },
}

/// More channels than their byte can count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{count} channels are over the limit of 255")]
pub struct TooManyChannels {
    /// How many there are.
    pub count: usize,
}

const UNSPECIFIED: u8 = 0;
const NATIVE: u8 = 1;
const CUSTOM: u8 = 2;

impl MultichannelConfig {
    /// Decodes the payload of a packet; what follows the configuration is ignored.
    ///
    /// # Errors
    ///
    /// [`Truncated`] when the payload ends inside a field.
    pub fn decode(payload: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(payload);
        let order = reader.u8("channel order")?;
        let channels = reader.u8("channel count")?;
        Ok(match order {
            UNSPECIFIED => Self::Unspecified { channels },
            NATIVE => Self::Native { channels, flags: reader.u32("channel flags")? },
            CUSTOM => {
                let mapping = reader.bytes(channels.into(), "channel mapping")?;
                Self::Custom { mapping: Bytes::copy_from_slice(mapping) }
            }
            order => Self::Other { order, channels },
        })
    }

    /// Appends the payload to `out`.
    ///
    /// # Errors
    ///
    /// [`TooManyChannels`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), TooManyChannels> {
        match self {
            &Self::Unspecified { channels } => out.put_slice(&[UNSPECIFIED, channels]),
            &Self::Native { channels, flags } => {
                out.put_slice(&[NATIVE, channels]);
                out.put_u32(flags);
            }
            Self::Custom { mapping } => {
                let count = mapping.len();
                let channels = u8::try_from(count).map_err(|_| TooManyChannels { count })?;
                out.put_slice(&[CUSTOM, channels]);
                out.put_slice(mapping);
            }
            &Self::Other { order, channels } => out.put_slice(&[order, channels]),
        }
        Ok(())
    }

    /// How many channels there are.
    pub fn channels(&self) -> usize {
        match self {
            Self::Custom { mapping } => mapping.len(),
            &Self::Unspecified { channels }
            | &Self::Native { channels, .. }
            | &Self::Other { channels, .. } => channels.into(),
        }
    }

    /// The channels in their order, as far as they are said to be something.
    pub fn order(&self) -> Vec<AudioChannel> {
        match self {
            Self::Custom { mapping } => {
                mapping.iter().map(|&channel| AudioChannel::from_wire(channel)).collect()
            }
            Self::Native { flags, .. } => {
                let present =
                    |&channel: &u8| flags.checked_shr(channel.into()).unwrap_or(0) & 1 == 1;
                (0..32).filter(present).map(AudioChannel::from_wire).collect()
            }
            Self::Unspecified { .. } | Self::Other { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> MultichannelConfig {
        let config = MultichannelConfig::decode(bytes).unwrap();
        let mut out = BytesMut::new();
        config.encode(&mut out).unwrap();
        assert_eq!(out[..], *bytes);
        config
    }

    #[test]
    fn reads_and_writes_each_order() {
        assert_eq!(check(&[0, 3]), MultichannelConfig::Unspecified { channels: 3 });
        let native = check(&[1, 6, 0, 0, 0, 0x3f]);
        assert_eq!(native, MultichannelConfig::Native { channels: 6, flags: 0x3f });
        assert_eq!(native.order().len(), 6);
        assert_eq!(native.order()[3], AudioChannel::LowFrequency1);
        let custom = check(&[2, 2, 0, 0xfe]);
        assert_eq!(custom.order(), [AudioChannel::FrontLeft, AudioChannel::Unused]);
        assert_eq!(custom.channels(), 2);
        assert_eq!(check(&[7, 2]), MultichannelConfig::Other { order: 7, channels: 2 });
    }

    #[test]
    fn a_cut_configuration_is_truncated() {
        for (bytes, what, needed, got) in [
            (&[][..], "channel order", 1, 0),
            (&[1], "channel count", 1, 0),
            (&[1, 2, 0, 0], "channel flags", 4, 2),
            (&[2, 2, 0], "channel mapping", 2, 1),
        ] {
            let error = Truncated { what, needed, got };
            assert_eq!(MultichannelConfig::decode(bytes), Err(error));
        }
        let many = MultichannelConfig::Custom { mapping: vec![0; 256].into() };
        assert_eq!(many.encode(&mut BytesMut::new()), Err(TooManyChannels { count: 256 }));
    }
}
