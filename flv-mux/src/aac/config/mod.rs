//! The decoder's configuration.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::{
    aac::program::{ProgramConfig, TooManyElements},
    bits::{BitReader, BitWriter, EndOfBits},
};

/// What kind of AAC, or of other MPEG-4 audio (ISO 14496-3, table 1.17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioObjectType(pub u8);

impl AudioObjectType {
    /// AAC Main.
    pub const MAIN: Self = Self(1);
    /// AAC LC (low complexity): what almost every stream is.
    pub const LC: Self = Self(2);
    /// AAC SSR (scalable sampling rate).
    pub const SSR: Self = Self(3);
    /// AAC LTP (long term prediction).
    pub const LTP: Self = Self(4);
    /// Spectral band replication, the sign of HE-AAC.
    pub const SBR: Self = Self(5);
    /// Parametric stereo, the sign of HE-AAC version 2.
    pub const PS: Self = Self(29);
    /// Error resilient BSAC.
    pub const ER_BSAC: Self = Self(22);

    /// Whether a [`GaSpecificConfig`] of this crate follows the type.
    fn is_plain_aac(self) -> bool {
        matches!(self.0, 1..=4)
    }
}

/// The payload of an AAC sequence header (ISO 14496-3, 1.6.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AudioSpecificConfig {
    /// The object type of the core: [`AudioObjectType::LC`] also for HE-AAC.
    pub object_type: AudioObjectType,
    /// Sampling rate of the core in Hz, 24 bits: of HE-AAC usually half of the output's.
    pub sample_rate: u32,
    /// `channelConfiguration`, four bits; 0 leaves the channels to a [`ProgramConfig`].
    pub channel_config: u8,
    /// Spectral band replication and parametric stereo.
    pub sbr: Sbr,
    /// The part that object types 1 to 4 have; `None` for the others, whose parts are not read.
    pub ga: Option<GaSpecificConfig>,
}

/// What a configuration says of spectral band replication (SBR) and parametric stereo (PS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Sbr {
    /// Nothing: a decoder may find it in the stream.
    #[default]
    Implicit,
    /// That there is none.
    Absent,
    /// That there is, in front of the core's type. Decoders without SBR fail.
    Hierarchical {
        /// Output sampling rate in Hz, 24 bits.
        sample_rate: u32,
        /// Parametric stereo.
        ps: bool,
    },
    /// That there is, after the core's configuration, where decoders without SBR do not look.
    BackwardCompatible {
        /// Output sampling rate in Hz, 24 bits.
        sample_rate: u32,
        /// Parametric stereo; `None` when nothing is said of it.
        ps: Option<bool>,
    },
}

/// What AAC adds to the configuration (ISO 14496-3, 4.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct GaSpecificConfig {
    /// `frameLengthFlag`: frames of 960 samples rather than 1024.
    pub short_frames: bool,
    /// `coreCoderDelay` in samples, 14 bits.
    pub core_coder_delay: Option<u16>,
    /// The channels of channel configuration 0; always there for it, and for it only.
    pub program: Option<ProgramConfig>,
}

/// Why a configuration was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AudioSpecificConfigError {
    /// It ends inside a field.
    #[error("audio specific config of {0} bytes is cut off")]
    Truncated(usize),
    /// `samplingFrequencyIndex` is 13 or 14, which mean nothing, or the explicit rate is 0.
    #[error("sampling frequency index {0} has no rate")]
    SampleRate(u8),
    /// The configuration of this object type is not read, so it cannot be written either.
    #[error("audio object type {0} cannot be written")]
    ObjectType(u8),
    /// The program config element does not fit.
    #[error(transparent)]
    TooManyElements(#[from] TooManyElements),
}

/// Rates of `samplingFrequencyIndex` 0 to 12 (ISO 14496-3, table 1.18).
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
const EXPLICIT_RATE: u8 = 15;
const SYNC_SBR: u32 = 0x2b7;
const SYNC_PS: u32 = 0x548;

impl AudioSpecificConfig {
    /// The configuration of plain AAC LC.
    pub fn lc(sample_rate: u32, channel_config: u8) -> Self {
        Self {
            object_type: AudioObjectType::LC,
            sample_rate,
            channel_config,
            sbr: Sbr::Implicit,
            ga: Some(GaSpecificConfig::default()),
        }
    }

    /// Decodes a configuration. What follows it is ignored, a cut off extension too.
    ///
    /// # Errors
    ///
    /// [`AudioSpecificConfigError::Truncated`] and [`AudioSpecificConfigError::SampleRate`].
    pub fn decode(input: &[u8]) -> Result<Self, AudioSpecificConfigError> {
        read(&mut BitReader::new(input)).map_err(|fault| match fault {
            Fault::End => AudioSpecificConfigError::Truncated(input.len()),
            Fault::SampleRate(index) => AudioSpecificConfigError::SampleRate(index),
        })
    }

    /// Appends the configuration to `out`, every field in its lowest bits.
    ///
    /// # Errors
    ///
    /// [`AudioSpecificConfigError::ObjectType`] without [`ga`](Self::ga), or
    /// [`AudioSpecificConfigError::TooManyElements`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), AudioSpecificConfigError> {
        let ga = match &self.ga {
            Some(ga) if self.object_type.is_plain_aac() => ga,
            _ => return Err(AudioSpecificConfigError::ObjectType(self.object_type.0)),
        };
        let mut bits = BitWriter::default();
        let hierarchical = match self.sbr {
            Sbr::Hierarchical { sample_rate, ps } => {
                let sign = if ps { AudioObjectType::PS } else { AudioObjectType::SBR };
                bits.put(5, sign.0.into());
                Some(sample_rate)
            }
            _ => {
                bits.put(5, self.object_type.0.into());
                None
            }
        };
        put_rate(&mut bits, self.sample_rate);
        bits.put(4, self.channel_config.into());
        if let Some(sample_rate) = hierarchical {
            put_rate(&mut bits, sample_rate);
            bits.put(5, self.object_type.0.into());
        }
        bits.flag(ga.short_frames);
        bits.flag(ga.core_coder_delay.is_some());
        if let Some(delay) = ga.core_coder_delay {
            bits.put(14, delay.into());
        }
        bits.flag(false); // extensionFlag
        if let (0, Some(program)) = (self.channel_config, &ga.program) {
            program.put(&mut bits)?;
        }
        if let Sbr::Absent | Sbr::BackwardCompatible { .. } = self.sbr {
            bits.put(11, SYNC_SBR);
            bits.put(5, AudioObjectType::SBR.0.into());
            bits.flag(self.sbr != Sbr::Absent);
        }
        if let Sbr::BackwardCompatible { sample_rate, ps } = self.sbr {
            put_rate(&mut bits, sample_rate);
            if let Some(ps) = ps {
                bits.put(11, SYNC_PS);
                bits.flag(ps);
            }
        }
        out.put_slice(&bits.into_bytes());
        Ok(())
    }

    /// Sampling rate of the decoded sound in Hz, as far as the configuration says it.
    pub fn output_sample_rate(&self) -> u32 {
        match self.sbr {
            Sbr::Hierarchical { sample_rate, .. } | Sbr::BackwardCompatible { sample_rate, .. } => {
                sample_rate
            }
            Sbr::Implicit | Sbr::Absent => self.sample_rate,
        }
    }

    /// Channels of the core (parametric stereo makes two of one); `None` for reserved
    /// configurations (ISO 14496-3, table 1.19).
    pub fn channels(&self) -> Option<usize> {
        match self.channel_config {
            0 => self.ga.as_ref()?.program.as_ref().map(ProgramConfig::channels),
            config @ 1..=6 => Some(config.into()),
            7 | 12 | 14 => Some(8),
            11 => Some(7),
            13 => Some(24),
            _ => None,
        }
    }

    /// Samples per channel in a frame of the core, at [`sample_rate`](Self::sample_rate).
    pub fn frame_len(&self) -> Option<u32> {
        self.ga.as_ref().map(|ga| if ga.short_frames { 960 } else { 1024 })
    }
}

enum Fault {
    End,
    SampleRate(u8),
}

impl From<EndOfBits> for Fault {
    fn from(_: EndOfBits) -> Self {
        Self::End
    }
}

fn read(bits: &mut BitReader<'_>) -> Result<AudioSpecificConfig, Fault> {
    let first_type = object_type(bits)?;
    let sample_rate = rate(bits)?;
    let channel_config = bits.bits8(4)?;
    let (object_type, sbr) = match first_type {
        AudioObjectType::SBR | AudioObjectType::PS => {
            let sample_rate = rate(bits)?;
            let ps = first_type == AudioObjectType::PS;
            let core = object_type(bits)?;
            if core == AudioObjectType::ER_BSAC {
                bits.bits(4)?; // extensionChannelConfiguration
            }
            (core, Sbr::Hierarchical { sample_rate, ps })
        }
        plain => (plain, Sbr::Implicit),
    };
    if !object_type.is_plain_aac() {
        return Ok(AudioSpecificConfig { object_type, sample_rate, channel_config, sbr, ga: None });
    }
    let ga = Some(ga_specific(bits, channel_config)?);
    let sbr = match sbr {
        Sbr::Implicit => sync_extension(bits).unwrap_or_default(),
        hierarchical => hierarchical,
    };
    Ok(AudioSpecificConfig { object_type, sample_rate, channel_config, sbr, ga })
}

fn ga_specific(bits: &mut BitReader<'_>, channel_config: u8) -> Result<GaSpecificConfig, Fault> {
    let short_frames = bits.flag()?;
    let core_coder_delay = if bits.flag()? {
        let delay = bits.bits(14)?;
        Some(u16::try_from(delay).map_err(|_| Fault::End)?)
    } else {
        None
    };
    let has_extension = bits.flag()?;
    let program = if channel_config == 0 { Some(ProgramConfig::read(bits)?) } else { None };
    if has_extension {
        bits.flag()?; // extensionFlag3
    }
    Ok(GaSpecificConfig { short_frames, core_coder_delay, program })
}

/// The extension for decoders that look behind the configuration (ISO 14496-3, 1.6.6.1). `None`
/// when there is none, or none that is whole.
fn sync_extension(bits: &mut BitReader<'_>) -> Option<Sbr> {
    if bits.bits(11).ok()? != SYNC_SBR || object_type(bits).ok()? != AudioObjectType::SBR {
        return None;
    }
    if !bits.flag().ok()? {
        return Some(Sbr::Absent);
    }
    let sample_rate = rate(bits).ok()?;
    let ps = match bits.bits_left() {
        0..12 => None,
        _ => (bits.bits(11).ok()? == SYNC_PS).then(|| bits.flag().ok()).flatten(),
    };
    Some(Sbr::BackwardCompatible { sample_rate, ps })
}

fn object_type(bits: &mut BitReader<'_>) -> Result<AudioObjectType, EndOfBits> {
    match bits.bits8(5)? {
        31 => Ok(AudioObjectType(bits.bits8(6)?.saturating_add(32))),
        value => Ok(AudioObjectType(value)),
    }
}

fn rate(bits: &mut BitReader<'_>) -> Result<u32, Fault> {
    let index = bits.bits8(4)?;
    let rate = match index {
        EXPLICIT_RATE => bits.bits(24)?,
        _ => SAMPLE_RATES.get(usize::from(index)).copied().unwrap_or(0),
    };
    if rate == 0 { Err(Fault::SampleRate(index)) } else { Ok(rate) }
}

fn put_rate(bits: &mut BitWriter, rate: u32) {
    match (0..).zip(SAMPLE_RATES).find(|&(_, known)| known == rate) {
        Some((index, _)) => bits.put(4, index),
        None => {
            bits.put(4, EXPLICIT_RATE.into());
            bits.put(24, rate);
        }
    }
}

#[cfg(test)]
mod tests;
