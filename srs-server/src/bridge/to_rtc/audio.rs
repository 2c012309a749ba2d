//! Sound: Opus as it is, AAC and MP3 as Opus.

use std::time::{Duration, Instant};

use bytes::Bytes;
use flv_mux::FourCc;
use rtc_stack::{
    Codec, CodecParameters,
    payload::{DEFAULT_PAYLOAD, Packetizer, Payload},
};

use crate::{
    bridge::{
        Running,
        pace::{CONFIGURATION, Pace},
        transcode::ToOpus,
    },
    media::{Frame, Role, Unit},
};

/// Makes payloads of a stream's audio.
pub(super) struct Audio {
    parameters: CodecParameters,
    packetizer: Option<Packetizer>,
    payloads: Vec<Payload>,
    packets: Vec<(u32, Payload)>,
    /// The timestamp that follows the last packet's sound.
    next: Option<u32>,
    bitrate: u32,
    transcoder: Option<(FourCc, ToOpus)>,
    /// The configuration of AAC in force; empty before there is one, or where it had to be left out.
    config: Bytes,
    pace: Pace,
}

/// Sound as it is sent.
pub(super) struct Sound<'a> {
    pub(super) parameters: &'a CodecParameters,
    /// Timestamps and payloads.
    pub(super) packets: std::vec::Drain<'a, (u32, Payload)>,
}

/// Samples of Opus in a second.
const RATE: u32 = 48_000;
/// A timestamp of the publisher's that is this near to where its sound goes on is taken for that: it
/// is in whole milliseconds. In samples.
const ROUNDING: u32 = RATE / 50;

impl Audio {
    pub(super) fn new(bitrate: u32) -> Self {
        Self {
            parameters: CodecParameters::new(Codec::Opus),
            packetizer: Packetizer::new(Codec::Opus, DEFAULT_PAYLOAD),
            payloads: Vec::new(),
            packets: Vec::new(),
            next: None,
            bitrate,
            transcoder: None,
            config: Bytes::new(),
            pace: Pace::default(),
        }
    }

    /// The packets that a frame is or completes.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        unit: &Unit<'_>,
        running: &Running,
    ) -> Option<Sound<'_>> {
        match (unit.codec?, unit.role) {
            (FourCc::AAC, Role::Config) => self.configure(frame.read_at, unit.data, running),
            (FourCc::OPUS, Role::Frame { .. }) => {
                self.pass(frame.time, frame.body.slice_ref(unit.data), running);
            }
            (codec @ (FourCc::AAC | FourCc::MP3), Role::Frame { .. }) => {
                self.transcode(codec, frame, unit.data, running);
            }
            _ => {}
        }
        let Self { parameters, packets, .. } = self;
        (!packets.is_empty()).then(|| Sound { parameters, packets: packets.drain(..) })
    }

    fn configure(&mut self, now: Instant, config: &[u8], running: &Running) {
        // Some encoders say it again and again.
        if self.config == config && self.is(FourCc::AAC) {
            return;
        }
        if !self.pace.admits(now, CONFIGURATION) {
            // What follows is of a configuration that nobody has.
            (self.transcoder, self.config) = (None, Bytes::new());
            running.note_excess_sound();
            return;
        }
        self.config = Bytes::copy_from_slice(config);
        match &mut self.transcoder {
            Some((FourCc::AAC, bridge)) => bridge.configure(config, running),
            transcoder => {
                let bridge = ToOpus::of_aac(config, self.bitrate, running);
                *transcoder = bridge.map(|bridge| (FourCc::AAC, bridge));
            }
        }
    }

    fn transcode(&mut self, codec: FourCc, frame: &Frame, data: &[u8], running: &Running) {
        let is_new = codec == FourCc::MP3 && !self.is(codec);
        if !self.pace.admits(frame.read_at, if is_new { CONFIGURATION } else { 1 }) {
            running.note_excess_sound();
            return;
        }
        if is_new {
            self.transcoder = ToOpus::of_mp3(self.bitrate, running).map(|bridge| (codec, bridge));
        }
        // AAC without a configuration can't be decoded.
        let Some((_, bridge)) = self.transcoder.as_mut().filter(|(known, _)| *known == codec)
        else {
            running.note_sound_error();
            return;
        };
        let before = bridge.restarts();
        let packets = bridge.push(samples(frame.time), data, running);
        if bridge.restarts() > before {
            self.pace.charge(CONFIGURATION);
        }
        for (timestamp, packet) in packets {
            // The lower 32 bits are what a packet has.
            self.put(timestamp as u32, packet, running);
        }
    }

    /// Whether this is what is transcoded now.
    fn is(&self, codec: FourCc) -> bool {
        self.transcoder.as_ref().is_some_and(|(known, _)| *known == codec)
    }

    /// Takes a packet of Opus as it is.
    fn pass(&mut self, time: Duration, packet: Bytes, running: &Running) {
        let duration = opus_samples(&packet);
        let told = samples(time) as u32;
        let near = |next: &u32| next.wrapping_sub(told).wrapping_add(ROUNDING) <= 2 * ROUNDING;
        let timestamp = self.next.filter(near).unwrap_or(told);
        self.put(timestamp, packet, running);
        self.next = Some(timestamp.wrapping_add(duration));
    }

    fn put(&mut self, timestamp: u32, packet: Bytes, running: &Running) {
        let Some(packetizer) = &mut self.packetizer else { return };
        // What is longer than a datagram is no sound, and nothing is none either.
        let packetized = packetizer.packetize([packet], &mut self.payloads);
        if packetized.is_err() || self.payloads.is_empty() {
            running.note_sound_error();
        }
        self.packets.extend(self.payloads.drain(..).map(|payload| (timestamp, payload)));
    }

    /// What comes next doesn't follow from what came before.
    pub(super) fn gap(&mut self) {
        self.next = None;
        if let Some((_, bridge)) = &mut self.transcoder {
            bridge.gap();
        }
    }
}

/// A time in samples.
fn samples(time: Duration) -> u64 {
    u64::try_from(time.as_micros() * u128::from(RATE) / 1_000_000).unwrap_or(u64::MAX)
}

/// Samples of a packet at 48 kHz, by its first bytes (RFC 6716, 3.1 and 3.2).
fn opus_samples(packet: &[u8]) -> u32 {
    let Some(&toc) = packet.first() else { return 0 };
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |count| u32::from(count & 0x3f)),
    };
    frame * frames
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use flv_mux::TagKind;

    use super::*;
    use crate::bridge::Direction;

    fn timestamps(times: &[u64], toc: u8) -> Vec<u32> {
        let mut audio = Audio::new(48_000);
        let running = Running::new(&Arc::default(), Direction::ToRtc);
        let mut timestamps = Vec::new();
        for &ms in times {
            let body = [b"\x91Opus", &[toc, 1, 2][..]].concat();
            let time = Duration::from_millis(ms);
            let frame = Frame::new(TagKind::Audio, time, body.into(), Instant::now());
            let sound = audio.take(&frame, &Unit::of(&frame).unwrap(), &running).unwrap();
            for (timestamp, payload) in sound.packets {
                assert_eq!(payload.to_bytes()[..], [toc, 1, 2]);
                timestamps.push(timestamp);
            }
        }
        timestamps
    }

    #[test]
    fn opus_goes_on_where_it_ended_as_long_as_its_clock_agrees() {
        // 20 ms each, a millisecond early and late, then a pause.
        assert_eq!(timestamps(&[100, 119, 141, 400], 0xfc), [4_800, 5_760, 6_720, 19_200]);
        // 2.5 ms each, told in whole milliseconds.
        assert_eq!(timestamps(&[0, 2, 5, 7], 0xe4), [0, 120, 240, 360]);
    }

    #[test]
    fn packets_say_how_long_they_last() {
        let cases = [(&[0xfc][..], 960), (&[0x08], 960), (&[0x19], 5_760), (&[0x63, 3], 1_440)];
        for (packet, samples) in cases {
            assert_eq!(opus_samples(packet), samples, "{packet:02x?}");
        }
        assert_eq!((opus_samples(&[]), opus_samples(&[0xff])), (0, 0));
    }
}
