//! A stream of H.264 and AAC or Opus in form: real headers and sizes, frames without a picture.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use flv_mux::{
    AacPacketType, AudioSpecificConfig, AudioTagHeader, AvcDecoderConfigurationRecord,
    AvcPacketType, FrameType, Metadata, NalLengthSize, VideoCodecId, VideoFormat, VideoTagHeader,
};
use rtmp_proto::{MediaKind, MediaMessage};

use crate::{
    arguments::Rate,
    clock,
    stamp::{self, Stamp},
};

/// Seconds from keyframe to keyframe.
const GOP_SECONDS: u32 = 2;
/// How many times the size of other frames a keyframe has.
const KEYFRAME_WEIGHT: usize = 5;
const AAC: Sound = Sound { sample_rate: 44_100, samples_per_frame: 1024, kbps: 64 };
/// Packets of 20 ms.
const OPUS: Sound = Sound { sample_rate: 48_000, samples_per_frame: 960, kbps: 48 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sound {
    sample_rate: u32,
    samples_per_frame: u32,
    kbps: u32,
}

/// What frames are filled with.
const FILL: u8 = 0xb5;

/// 1280x720, constrained baseline profile, level 3.1.
pub(crate) const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x24, 0x80,
];
pub(crate) const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

/// Where a publisher is in its stream.
#[derive(Debug)]
pub(crate) struct Stream {
    sound: Sound,
    fps: u32,
    key_bytes: usize,
    frame_bytes: usize,
    audio_bytes: usize,
    /// Frames so far.
    video: u64,
    audio: u64,
    /// A keyframe is wanted before its time.
    is_key_wanted: bool,
}

impl Stream {
    /// A stream with AAC.
    pub(crate) fn new(rate: Rate) -> Self {
        Self::with(AAC, rate)
    }

    /// A stream with Opus: without B-frames, as any of these, and with sound of the wrong name in tags
    /// of FLV, it is what WebRTC carries.
    pub(crate) fn opus(rate: Rate) -> Self {
        Self::with(OPUS, rate)
    }

    fn with(sound: Sound, rate: Rate) -> Self {
        let audio_kbps = sound.kbps.min(rate.kbps / 4);
        let bytes_per_second = |kbps: u32| kbps as usize * 1000 / 8;
        let gop_frames = (GOP_SECONDS * rate.fps) as usize;
        let gop_bytes = bytes_per_second(rate.kbps - audio_kbps) * GOP_SECONDS as usize;
        let frame_bytes = gop_bytes / (gop_frames - 1 + KEYFRAME_WEIGHT);
        Self {
            sound,
            fps: rate.fps,
            key_bytes: frame_bytes * KEYFRAME_WEIGHT,
            frame_bytes,
            audio_bytes: bytes_per_second(audio_kbps) * sound.samples_per_frame as usize
                / sound.sample_rate as usize,
            video: 0,
            audio: 0,
            is_key_wanted: false,
        }
    }

    /// Bytes of the payloads from one keyframe to the next.
    #[cfg(target_os = "linux")]
    pub(crate) fn gop_bytes(&self) -> usize {
        let video = self.key_bytes + self.frame_bytes * ((GOP_SECONDS * self.fps) as usize - 1);
        let Sound { sample_rate, samples_per_frame, .. } = self.sound;
        let audio = (sample_rate * GOP_SECONDS / samples_per_frame) as usize;
        video + audio * self.audio_bytes
    }

    /// Metadata and both sequence headers.
    pub(crate) fn headers(
        &self,
    ) -> Result<[MediaMessage; 3], Box<dyn std::error::Error + Send + Sync>> {
        let mut metadata = Metadata::default();
        for (name, value) in [
            ("width", 1280.0),
            ("height", 720.0),
            ("framerate", self.fps.into()),
            ("videocodecid", 7.0),
            ("audiocodecid", 10.0),
            ("audiosamplerate", AAC.sample_rate.into()),
        ] {
            metadata.properties.push(name, value);
        }
        let mut script = BytesMut::new();
        metadata.encode(&mut script)?;

        let mut video = BytesMut::new();
        video_header(FrameType::Key, AvcPacketType::SequenceHeader).encode(&mut video);
        let record = AvcDecoderConfigurationRecord {
            profile: SPS[1],
            compatibility: SPS[2],
            level: SPS[3],
            nal_length_size: NalLengthSize::Four,
            sps: vec![Bytes::from_static(SPS)],
            pps: vec![Bytes::from_static(PPS)],
            format: None,
        };
        record.encode(&mut video)?;

        let mut audio = BytesMut::new();
        AudioTagHeader::aac(AacPacketType::SequenceHeader).encode(&mut audio);
        AudioSpecificConfig::lc(AAC.sample_rate, 2).encode(&mut audio)?;

        Ok([(MediaKind::Data, script), (MediaKind::Video, video), (MediaKind::Audio, audio)]
            .map(|(kind, payload)| MediaMessage { kind, timestamp: 0, payload: payload.freeze() }))
    }

    /// When the next frame is due, from the start of the stream.
    pub(crate) fn due(&self) -> Duration {
        self.video_due().min(self.audio_due())
    }

    fn video_due(&self) -> Duration {
        Duration::from_micros(self.video * 1_000_000 / u64::from(self.fps))
    }

    fn audio_due(&self) -> Duration {
        let Sound { sample_rate, samples_per_frame, .. } = self.sound;
        let samples = self.audio * u64::from(samples_per_frame);
        Duration::from_micros(samples * 1_000_000 / u64::from(sample_rate))
    }

    /// Makes the next frame of video a keyframe.
    pub(crate) const fn want_keyframe(&mut self) {
        self.is_key_wanted = true;
    }

    /// The next frame, stamped with the time of this call.
    pub(crate) fn next_frame(&mut self) -> MediaMessage {
        self.next_with_kind().0
    }

    /// The next frame, and whether it is a keyframe.
    pub(crate) fn next_with_kind(&mut self) -> (MediaMessage, bool) {
        let timestamp = self.due().as_millis() as u32;
        let stamp = Stamp { counter: self.video + self.audio, clock: clock::nanos() };
        let is_video = self.video_due() <= self.audio_due();
        let is_due = self.video.is_multiple_of(u64::from(GOP_SECONDS * self.fps));
        let is_key = is_video && (is_due || self.is_key_wanted);
        let (kind, payload) = if is_video {
            self.video += 1;
            self.is_key_wanted = false;
            (MediaKind::Video, self.video_frame(is_key, stamp))
        } else {
            self.audio += 1;
            (MediaKind::Audio, self.audio_frame(stamp))
        };
        (MediaMessage { kind, timestamp, payload }, is_key)
    }

    /// A slice with the stamp. Beside AAC it is in an SEI NAL unit of its own, so that the slice has
    /// nothing that a slice would not have; beside Opus at the same place within the slice, for
    /// WebRTC's encoders send no such units, and a packet of few bytes would cost as much as any.
    fn video_frame(&self, is_key: bool, stamp: Stamp) -> Bytes {
        let (frame_type, slice, len) = match is_key {
            true => (FrameType::Key, 0x65, self.key_bytes),
            false => (FrameType::Inter, 0x41, self.frame_bytes),
        };
        if self.sound == OPUS {
            return slice_frame(frame_type, slice, len, stamp);
        }
        // NAL unit header, payload type, payload size, stamp, end of payload.
        const SEI_LEN: usize = 1 + 1 + 1 + stamp::LEN + 1;
        let head = stamp::VIDEO_OFFSET + stamp::LEN + 1;
        // The slice has its length, its header and at least a byte.
        let len = len.max(head + 4 + 2);
        let mut out = BytesMut::with_capacity(len);
        video_header(frame_type, AvcPacketType::Nalu).encode(&mut out);
        out.put_u32(SEI_LEN as u32);
        out.put_slice(&[0x06, 0x05, stamp::LEN as u8]);
        stamp.encode(&mut out);
        out.put_u8(0x80);
        out.put_u32((len - head - 4) as u32);
        out.put_u8(slice);
        out.resize(len, FILL);
        out.freeze()
    }

    fn audio_frame(&self, stamp: Stamp) -> Bytes {
        let len = self.audio_bytes.max(stamp::AUDIO_OFFSET + stamp::LEN);
        let mut out = BytesMut::with_capacity(len);
        AudioTagHeader::aac(AacPacketType::Raw).encode(&mut out);
        stamp.encode(&mut out);
        out.resize(len, FILL);
        out.freeze()
    }
}

/// A frame of one NAL unit, which has the stamp two bytes behind its header.
fn slice_frame(frame_type: FrameType, slice: u8, len: usize, stamp: Stamp) -> Bytes {
    let len = len.max(stamp::VIDEO_OFFSET + stamp::LEN + 1);
    let mut out = BytesMut::with_capacity(len);
    video_header(frame_type, AvcPacketType::Nalu).encode(&mut out);
    out.put_u32((len - out.len() - 4) as u32);
    out.put_slice(&[slice, FILL, FILL]);
    stamp.encode(&mut out);
    out.resize(len, FILL);
    out.freeze()
}

fn video_header(frame_type: FrameType, packet_type: AvcPacketType) -> VideoTagHeader {
    let codec = VideoCodecId::Avc;
    let format = VideoFormat::Packet { codec, packet_type, composition_time: 0 };
    VideoTagHeader { frame_type, format }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flv_mux::{Limits, Sps, nal_units};

    #[test]
    fn headers_say_what_they_should() {
        let [_, video, audio] = Stream::new(Rate { kbps: 600, fps: 25 }).headers().unwrap();
        let (header, at) = VideoTagHeader::decode(&video.payload).unwrap();
        assert!(header.is_sequence_header());
        let record = AvcDecoderConfigurationRecord::decode(&video.payload[at..]).unwrap();
        let sps = Sps::decode(&record.sps[0], &Limits::default()).unwrap();
        assert_eq!((sps.width, sps.height), (1280, 720));
        assert_eq!(audio.payload[..], [0xaf, 0, 0x12, 0x10]);
    }

    #[test]
    fn ten_seconds_have_the_rate_the_order_and_the_keyframes() {
        let streams = [(600, 25), (5_000, 60), (100, 1)].into_iter().flat_map(|(kbps, fps)| {
            let rate = Rate { kbps, fps };
            [(kbps, Stream::new(rate), 2), (kbps, Stream::opus(rate), 1)]
        });
        for (kbps, mut stream, units_of_frame) in streams {
            let (mut bytes, mut keys, mut counter, mut last) = (0, 0, 0, 0);
            while stream.due() < Duration::from_secs(10) {
                let frame = stream.next_frame();
                assert_eq!(Stamp::find(&(&frame).into()).unwrap().counter, counter);
                assert!(frame.timestamp >= last);
                (counter, last) = (counter + 1, frame.timestamp);
                bytes += frame.payload.len();
                if frame.kind == MediaKind::Video {
                    let (header, at) = VideoTagHeader::decode(&frame.payload).unwrap();
                    keys += u32::from(header.is_keyframe());
                    let units: Result<Vec<_>, _> =
                        nal_units(&frame.payload[at..], NalLengthSize::Four).collect();
                    assert_eq!(units.unwrap().len(), units_of_frame);
                }
            }
            assert_eq!(keys, 5);
            let got = bytes * 8 / 10_000;
            assert!(got.abs_diff(kbps as usize) <= kbps as usize / 20, "{got} kbit/s");
        }
    }

    #[test]
    fn a_group_of_pictures_has_the_bytes_that_it_tells() {
        let mut stream = Stream::new(Rate::default());
        let (mut bytes, mut keys) = (0, 0);
        while keys < 2 {
            let (frame, is_key) = stream.next_with_kind();
            keys += u32::from(is_key);
            bytes += if keys < 2 { frame.payload.len() } else { 0 };
        }
        assert!(bytes.abs_diff(stream.gop_bytes()) <= stream.audio_bytes, "{bytes}");
    }

    #[test]
    fn the_least_rate_still_has_its_stamps() {
        for new in [Stream::new, Stream::opus] {
            let mut stream = new(Rate { kbps: 32, fps: 240 });
            for _ in 0..500 {
                assert!(Stamp::find(&(&stream.next_frame()).into()).is_some());
            }
        }
    }

    #[test]
    fn a_keyframe_comes_when_it_is_wanted() {
        let mut stream = Stream::opus(Rate::default());
        let mut keys = Vec::new();
        for number in 0..300 {
            if [29, 30].contains(&number) {
                stream.want_keyframe();
            }
            let (frame, is_key) = stream.next_with_kind();
            keys.extend(is_key.then_some(frame.timestamp));
        }
        // 50 frames of sound and 25 of video each second.
        assert_eq!(keys, [0, 400, 2_000]);
    }
}
