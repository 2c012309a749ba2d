//! The codecs, as the bridges use them: what fails is counted, and its time is silence.

use audio_bridge::{AacSettings, AudioInput, AudioToOpus, Channels, OpusSettings, OpusToAac};
use bytes::Bytes;
use tracing::warn;

use super::Timed;
use crate::bridge::Running;

/// AAC or MP3 to Opus.
pub(in crate::bridge) struct ToOpus(AudioToOpus);

/// Opus to AAC.
pub(in crate::bridge) struct ToAac(OpusToAac);

impl ToOpus {
    /// For AAC with this AudioSpecificConfig; `None` where it can't be decoded.
    pub(in crate::bridge) fn of_aac(
        config: &[u8],
        bitrate: u32,
        running: &Running,
    ) -> Option<Self> {
        Self::of(AudioInput::Aac(config), bitrate, running)
    }

    pub(in crate::bridge) fn of_mp3(bitrate: u32, running: &Running) -> Option<Self> {
        Self::of(AudioInput::Mp3, bitrate, running)
    }

    fn of(input: AudioInput<'_>, bitrate: u32, running: &Running) -> Option<Self> {
        let made = AudioToOpus::new(input, OpusSettings { bitrate });
        made.inspect_err(|error| running.note_no_sound(error)).ok().map(Self)
    }

    /// Goes on with another AudioSpecificConfig, if it can be decoded.
    pub(in crate::bridge) fn configure(&mut self, config: &[u8], running: &Running) {
        if let Err(error) = self.0.configure(AudioInput::Aac(config)) {
            running.note_no_sound(error);
        }
    }

    pub(in crate::bridge) fn push(
        &mut self,
        timestamp: u64,
        frame: &[u8],
        running: &Running,
    ) -> Vec<Timed> {
        let packets = self.0.push(timestamp, frame);
        let packets = packets.inspect_err(|_| running.note_sound_error()).unwrap_or_default();
        packets.into_iter().map(|packet| (packet.timestamp, packet.data)).collect()
    }

    /// How often it began anew within the sound, which is dear.
    pub(in crate::bridge) fn restarts(&self) -> u64 {
        self.0.counts().restarts
    }

    pub(in crate::bridge) fn gap(&mut self) {
        self.0.gap();
    }
}

impl ToAac {
    /// To two channels of 48 kHz.
    pub(in crate::bridge) fn new(bitrate: u32) -> Option<Self> {
        let settings = AacSettings { bitrate, ..AacSettings::default() };
        let made = OpusToAac::new(Channels::Stereo, settings);
        // Its settings are ours.
        made.inspect_err(|error| warn!("no sound for players without Opus: {error}")).ok().map(Self)
    }

    /// The AudioSpecificConfig.
    pub(in crate::bridge) fn config(&self) -> &Bytes {
        self.0.config()
    }

    pub(in crate::bridge) fn push(
        &mut self,
        timestamp: u64,
        packet: &[u8],
        running: &Running,
    ) -> Vec<Timed> {
        let frames = self.0.push(timestamp, packet);
        let frames = frames.inspect_err(|_| running.note_sound_error()).unwrap_or_default();
        frames.into_iter().map(|frame| (frame.timestamp, frame.data)).collect()
    }

    pub(in crate::bridge) fn gap(&mut self) {
        self.0.gap();
    }
}
