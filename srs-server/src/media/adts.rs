//! ADTS: AAC frames with a header each (ISO 13818-7, 6.2), for players that get no configuration.

use flv_mux::AudioSpecificConfig;

/// Rates of `sampling_frequency_index` 0 to 12 (ISO 14496-3, table 1.18).
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// Bytes of a header without checksum.
pub(super) const HEADER_LEN: usize = 7;
/// Most bytes of a frame with its header: 13 bits.
const MAX_LEN: usize = 0x1fff;

/// What the headers of one stream have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Adts {
    profile: u8,
    rate: u8,
    channels: u8,
}

impl Adts {
    /// The headers of a stream of this configuration; `None` where ADTS has no words for it: other
    /// object types than AAC's first four, odd rates, more than eight channels.
    ///
    /// Of HE-AAC it tells the core, in which decoders find the rest.
    pub(super) fn new(config: &AudioSpecificConfig) -> Option<Self> {
        let profile = config.object_type.0.checked_sub(1).filter(|&profile| profile < 4)?;
        let rate = SAMPLE_RATES.iter().position(|&rate| rate == config.sample_rate)?;
        let channels = Some(config.channel_config).filter(|&channels| channels < 8)?;
        Some(Self { profile, rate: u8::try_from(rate).ok()?, channels })
    }

    /// The header of a frame of `len` bytes; `None` for an empty one and one that is too long.
    pub(super) fn header(self, len: usize) -> Option<[u8; HEADER_LEN]> {
        let whole = Some(len + HEADER_LEN).filter(|&whole| len > 0 && whole <= MAX_LEN)?;
        let Self { profile, rate, channels } = self;
        Some([
            0xff,
            // MPEG-4, no checksum.
            0xf1,
            profile << 6 | rate << 2 | channels >> 2,
            (channels & 0x03) << 6 | (whole >> 11) as u8,
            (whole >> 3) as u8,
            // A buffer fullness of all ones: the rate varies.
            ((whole & 0x07) as u8) << 5 | 0x1f,
            // One frame follows.
            0xfc,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_profile_rate_channels_and_length() {
        let stereo = Adts::new(&AudioSpecificConfig::lc(44_100, 2)).unwrap();
        assert_eq!(stereo.header(0x175), Some([0xff, 0xf1, 0x50, 0x80, 0x2f, 0x9f, 0xfc]));
        let surround = Adts::new(&AudioSpecificConfig::lc(48_000, 6)).unwrap();
        assert_eq!(surround.header(8184), Some([0xff, 0xf1, 0x4d, 0x83, 0xff, 0xff, 0xfc]));
    }

    #[test]
    fn what_adts_cannot_say_is_refused() {
        let stereo = Adts::new(&AudioSpecificConfig::lc(44_100, 2)).unwrap();
        assert_eq!([0, 8185].map(|len| stereo.header(len)), [None; 2]);
        assert_eq!(Adts::new(&AudioSpecificConfig::lc(44_101, 2)), None);
        assert_eq!(Adts::new(&AudioSpecificConfig::lc(44_100, 11)), None);
        let bsac = AudioSpecificConfig {
            object_type: flv_mux::AudioObjectType::ER_BSAC,
            ..AudioSpecificConfig::lc(44_100, 2)
        };
        assert_eq!(Adts::new(&bsac), None);
    }
}
