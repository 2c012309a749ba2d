//! A stream of H.264 and AAC in form: real headers and sizes, frames without a picture.

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
const SAMPLE_RATE: u32 = 44_100;
const SAMPLES_PER_FRAME: u64 = 1024;
const AUDIO_KBPS: u32 = 64;

/// 1280x720, constrained baseline profile, level 3.1.
pub(crate) const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x24, 0x80,
];
pub(crate) const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

/// Where a publisher is in its stream.
#[derive(Debug)]
pub(crate) struct Stream {
    fps: u32,
    key_bytes: usize,
    frame_bytes: usize,
    audio_bytes: usize,
    /// Frames so far.
    video: u64,
    audio: u64,
}

impl Stream {
    pub(crate) fn new(rate: Rate) -> Self {
        let audio_kbps = AUDIO_KBPS.min(rate.kbps / 4);
        let bytes_per_second = |kbps: u32| kbps as usize * 1000 / 8;
        let gop_frames = (GOP_SECONDS * rate.fps) as usize;
        let gop_bytes = bytes_per_second(rate.kbps - audio_kbps) * GOP_SECONDS as usize;
        let frame_bytes = gop_bytes / (gop_frames - 1 + KEYFRAME_WEIGHT);
        Self {
            fps: rate.fps,
            key_bytes: frame_bytes * KEYFRAME_WEIGHT,
            frame_bytes,
            audio_bytes: bytes_per_second(audio_kbps) * SAMPLES_PER_FRAME as usize
                / SAMPLE_RATE as usize,
            video: 0,
            audio: 0,
        }
    }

    /// Bytes of the payloads from one keyframe to the next.
    #[cfg(target_os = "linux")]
    pub(crate) fn gop_bytes(&self) -> usize {
        let video = self.key_bytes + self.frame_bytes * ((GOP_SECONDS * self.fps) as usize - 1);
        let audio = SAMPLE_RATE as usize * GOP_SECONDS as usize / SAMPLES_PER_FRAME as usize;
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
            ("audiosamplerate", SAMPLE_RATE.into()),
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
        AudioSpecificConfig::lc(SAMPLE_RATE, 2).encode(&mut audio)?;

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
        Duration::from_micros(self.audio * SAMPLES_PER_FRAME * 1_000_000 / u64::from(SAMPLE_RATE))
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
        let is_key = is_video && self.video.is_multiple_of(u64::from(GOP_SECONDS * self.fps));
        let (kind, payload) = if is_video {
            self.video += 1;
            (MediaKind::Video, self.video_frame(is_key, stamp))
        } else {
            self.audio += 1;
            (MediaKind::Audio, self.audio_frame(stamp))
        };
        (MediaMessage { kind, timestamp, payload }, is_key)
    }

    /// An SEI NAL unit with the stamp, and a slice.
    fn video_frame(&self, is_key: bool, stamp: Stamp) -> Bytes {
        let (frame_type, slice, len) = match is_key {
            true => (FrameType::Key, 0x65, self.key_bytes),
            false => (FrameType::Inter, 0x41, self.frame_bytes),
        };
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
        out.resize(len, 0xb5);
        out.freeze()
    }

    fn audio_frame(&self, stamp: Stamp) -> Bytes {
        let len = self.audio_bytes.max(stamp::AUDIO_OFFSET + stamp::LEN);
        let mut out = BytesMut::with_capacity(len);
        AudioTagHeader::aac(AacPacketType::Raw).encode(&mut out);
        stamp.encode(&mut out);
        out.resize(len, 0xb5);
        out.freeze()
    }
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
        for (kbps, fps) in [(600, 25), (5_000, 60), (100, 1)] {
            let mut stream = Stream::new(Rate { kbps, fps });
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
                    assert_eq!(units.unwrap().len(), 2);
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
        let mut stream = Stream::new(Rate { kbps: 32, fps: 240 });
        for _ in 0..500 {
            assert!(Stamp::find(&(&stream.next_frame()).into()).is_some());
        }
    }
}
