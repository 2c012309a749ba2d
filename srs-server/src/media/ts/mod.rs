//! MPEG transport streams (ISO 13818-1): H.264, H.265, AAC and MP3 in packets of 188 bytes.
//!
//! The [`mux`] knows packets, tables and the clock, and nothing of frames; this module takes frames
//! apart for it.

mod mux;
mod packet;
mod psi;
mod video;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flv_mux::{AudioSpecificConfig, FourCc, TagKind};
use stream_hub::{Convert, ConvertError, Lost, Output, TrackId};

use self::{
    mux::{MAX_AUDIO, Muxer, Times},
    psi::{StreamType, Tracks},
    video::VideoConfig,
};
use super::{
    Frame, Wire,
    adts::{self, Adts},
    unit::{Role, Unit},
    wire::SLAB,
};

/// A frame in packets, with the tables in front where a player can begin.
pub type TsUnit = Wire<Ts>;

/// The form of MPEG-TS.
#[derive(Debug)]
pub struct Ts;

/// A player of audio alone can begin this often.
const TABLES_EVERY: Duration = Duration::from_millis(500);

/// Makes [`TsUnit`]s of frames.
#[derive(Debug)]
pub(super) struct TsEncoder {
    muxer: Muxer,
    video: Option<VideoConfig>,
    audio: Option<Audio>,
    /// When the tables were last sent.
    tables: Option<Duration>,
    slab: BytesMut,
    /// The unit at work, without packets.
    unit: BytesMut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audio {
    Aac(Adts),
    Mp3,
}

impl TsEncoder {
    pub(super) fn new() -> Self {
        Self {
            muxer: Muxer::default(),
            video: None,
            audio: None,
            tables: None,
            slab: BytesMut::new(),
            unit: BytesMut::new(),
        }
    }

    /// Takes note of a configuration.
    fn configure(&mut self, unit: Unit<'_>) {
        match unit.kind {
            TagKind::Video => self.video = VideoConfig::new(unit.codec, unit.data),
            _ => {
                let config = AudioSpecificConfig::decode(unit.data).ok();
                let adts = config.filter(|_| unit.codec == Some(FourCc::AAC));
                self.audio = adts.as_ref().and_then(Adts::new).map(Audio::Aac);
            }
        }
    }

    /// Makes the unit that goes out; false where there is none.
    fn prepare(&mut self, unit: Unit<'_>, is_key: bool) -> bool {
        self.unit.clear();
        match unit.kind {
            TagKind::Video => {
                let config = self.video.as_ref().filter(|config| config.carries(unit.codec));
                config.is_some_and(|config| config.put(is_key, unit.data, &mut self.unit))
            }
            _ => match (unit.codec, self.audio) {
                (Some(FourCc::AAC), Some(Audio::Aac(adts))) => {
                    let Some(header) = adts.header(unit.data.len()) else { return false };
                    self.unit.reserve(adts::HEADER_LEN + unit.data.len());
                    self.unit.extend_from_slice(&header);
                    self.unit.extend_from_slice(unit.data);
                    true
                }
                // What no packet can carry would make a unit without bytes.
                (Some(FourCc::MP3), _) if (1..=MAX_AUDIO).contains(&unit.data.len()) => {
                    self.audio = Some(Audio::Mp3);
                    self.unit.extend_from_slice(unit.data);
                    true
                }
                _ => false,
            },
        }
    }

    fn tracks(&self) -> Tracks {
        Tracks {
            video: self.video.as_ref().map(|config| config.stream),
            audio: self.audio.map(|audio| match audio {
                Audio::Aac(_) => StreamType::Aac,
                Audio::Mp3 => StreamType::Mp3,
            }),
        }
    }

    /// Whether a player can begin at this frame.
    fn is_join_point(&self, frame: &Frame) -> bool {
        match frame.kind {
            TagKind::Video => frame.is_join_point,
            _ => {
                let is_alone = frame.is_join_point || self.video.is_none();
                let is_due = self.tables.is_none_or(|last| frame.time >= last + TABLES_EVERY);
                is_alone && is_due
            }
        }
    }

    fn encode(&mut self, frame: &Frame, times: Times, is_key: bool) -> (Bytes, bool) {
        let is_join_point = self.is_join_point(frame);
        let needed = Muxer::unit_len(self.unit.len());
        if self.slab.capacity() < needed {
            self.slab = BytesMut::with_capacity(SLAB.max(needed));
        }
        if self.muxer.set_tracks(self.tracks()) || is_join_point {
            self.muxer.put_tables(&mut self.slab);
            self.tables = Some(frame.time);
        }
        match frame.kind {
            TagKind::Video => self.muxer.put_video(times, is_key, &self.unit, &mut self.slab),
            _ => self.muxer.put_audio(times.dts, &self.unit, &mut self.slab),
        }
        (self.slab.split().freeze(), is_join_point)
    }
}

impl Convert<Frame, TsUnit> for TsEncoder {
    fn push(
        &mut self,
        _: TrackId,
        frame: &Frame,
        out: &mut Output<TsUnit>,
    ) -> Result<(), ConvertError> {
        let Some(unit) = Unit::of(frame) else { return Ok(()) };
        let Role::Frame { is_key, composition_time } = unit.role else {
            self.configure(unit);
            return Ok(());
        };
        if self.prepare(unit, is_key) {
            let times = times(frame.time, composition_time);
            let (bytes, is_join_point) = self.encode(frame, times, is_key);
            out.push(Wire::new(bytes, frame, is_join_point));
        }
        Ok(())
    }

    /// The next publisher may bring other codecs; the clock goes on.
    fn gap(&mut self, _: Lost, _: &mut Output<TsUnit>) {
        (self.video, self.audio) = (None, None);
    }
}

/// The times of a frame that is decoded at `time` on the stream's clock.
fn times(time: Duration, composition_time: i32) -> Times {
    let dts = u64::try_from(time.as_micros() * 9 / 100).unwrap_or(u64::MAX);
    // Encoders that are wrong about it say less than 0.
    Times { pts: dts.saturating_add_signed(i64::from(composition_time) * 90), dts }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const AVC: &[u8] =
        &[0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1e, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 2];
    const KEY: &[u8] = &[0x17, 1, 0, 0, 40, 0, 0, 0, 2, 0x65, 9];
    const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x41, 9];
    const AAC: &[u8] = &[0xaf, 0, 0x12, 0x10];
    const AAC_FRAME: &[u8] = &[0xaf, 1, 0x21, 0x10];
    const MP3: &[u8] = &[0x2f, 0xff, 0xfb, 0x90];
    const AV1: &[u8] = b"\x91av01\x12\x00";

    fn frame(ms: u64, body: &'static [u8]) -> Frame {
        let is_video = body[0] & 0x0f == 7 || body.starts_with(b"\x91");
        let kind = if is_video { TagKind::Video } else { TagKind::Audio };
        let (time, now) = (Duration::from_millis(ms), Instant::now());
        let made = Frame::new(kind, time, Bytes::from_static(body), now);
        Frame { is_join_point: body == KEY, ..made }
    }

    fn push(encoder: &mut TsEncoder, frame: &Frame) -> Vec<TsUnit> {
        let mut out = Output::new();
        encoder.push(TrackId::default(), frame, &mut out).unwrap();
        out.drain().collect()
    }

    /// The units of frames: whether a player can begin there, and their packets' streams.
    fn units(frames: &[(u64, &'static [u8])]) -> Vec<(bool, Vec<u16>)> {
        use stream_hub::Item;
        let mut encoder = TsEncoder::new();
        let mut all = Vec::new();
        for &(ms, body) in frames {
            for unit in push(&mut encoder, &frame(ms, body)) {
                assert_eq!(unit.time(), Duration::from_millis(ms));
                let packets = unit.bytes.chunks(packet::PACKET_LEN);
                let pid = |packet: &[u8]| u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
                all.push((unit.is_join_point(), packets.map(pid).collect()));
            }
        }
        all
    }

    #[test]
    fn players_begin_at_keyframes_behind_the_tables() {
        let all = units(&[(0, AVC), (0, AAC), (0, KEY), (23, AAC_FRAME), (40, INTER), (80, KEY)]);
        let expected = [
            (true, vec![0, 0x1000, 0x100]),
            (false, vec![0x101]),
            (false, vec![0x100]),
            (true, vec![0, 0x1000, 0x100]),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn audio_that_comes_later_gets_into_the_tables_at_once() {
        let all = units(&[(0, AVC), (0, KEY), (10, MP3), (40, INTER), (50, MP3)]);
        let expected = [
            (true, vec![0, 0x1000, 0x100]),
            (false, vec![0, 0x1000, 0x101]),
            (false, vec![0x100]),
            (false, vec![0x101]),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn players_begin_twice_a_second_where_audio_is_all_that_is_carried() {
        let all = units(&[(0, AAC), (0, AV1), (0, AAC_FRAME), (40, AAC_FRAME), (500, AAC_FRAME)]);
        // The pause before the last is filled with clocks.
        let last = vec![0, 0x1000, 0x101, 0x101, 0x101, 0x101, 0x101];
        assert_eq!(all, [(true, vec![0, 0x1000, 0x101]), (false, vec![0x101]), (true, last)]);
    }

    #[test]
    fn codecs_that_are_not_carried_are_left_out() {
        assert!(units(&[(0, AV1), (40, AV1), (40, AAC_FRAME), (80, INTER)]).is_empty());
    }

    /// In HTTP's chunked coding, a message of no bytes would be the end of the response.
    #[test]
    fn what_no_packet_can_carry_makes_no_unit() {
        let mut encoder = TsEncoder::new();
        for (len, units) in [(MAX_AUDIO, 1), (MAX_AUDIO + 1, 0), (0, 0)] {
            let body = [&[0x2f][..], &vec![0xff; len]].concat().into();
            let made = push(&mut encoder, &Frame { body, ..frame(0, MP3) });
            assert_eq!(made.len(), units, "{len}");
            assert!(made.iter().all(|unit| !unit.bytes.is_empty()), "{len}");
        }
    }

    #[test]
    fn times_are_those_of_the_frames() {
        assert_eq!(times(Duration::from_millis(1000), 40), Times { pts: 93_600, dts: 90_000 });
        assert_eq!(times(Duration::from_millis(10), -40), Times { pts: 0, dts: 900 });
        let mut encoder = TsEncoder::new();
        push(&mut encoder, &frame(0, AVC));
        let unit = push(&mut encoder, &frame(1000, KEY)).remove(0);
        let pes = &unit.bytes[2 * packet::PACKET_LEN..];
        let at = pes.windows(4).position(|bytes| bytes == [0, 0, 1, 0xe0]).unwrap();
        // 93,600 and 90,000.
        let times = [0x31, 0, 0x05, 0xdb, 0x41, 0x11, 0, 0x05, 0xbf, 0x21];
        assert_eq!(pes[at + 9..at + 19], times);
        assert!(pes.ends_with(&[0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 9]));
    }
}
