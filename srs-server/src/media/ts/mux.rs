//! The multiplexer: elementary streams into packets, with tables, clock and times.

use bytes::BytesMut;

use super::{
    packet::{self, Adaptation, Counter, PACKET_LEN, Pid},
    psi::{self, Tracks},
};

/// The clock runs this far behind the times of decoding, so that there is time to deliver:
/// 100 ms, in units of 90 kHz.
const DELAY: u64 = 9_000;
/// The clock is told at least this often (ISO 13818-1, 2.7.2, says 100 ms).
const CLOCK_EVERY: u64 = 8_100;
/// A pause of the stream that is longer is not filled with clocks: 2 s.
const LONGEST_PAUSE: u64 = 180_000;
/// Most bytes of an audio unit: its length has 16 bits, and counts 8 bytes of the header.
pub(super) const MAX_AUDIO: usize = 0xffff - 8;
/// Bytes of the longest PES header.
const PES_HEADER_LEN: usize = 19;

/// Makes a transport stream of a video and an audio stream.
#[derive(Debug, Default)]
pub(crate) struct Muxer {
    tracks: Tracks,
    version: u8,
    pat: Counter,
    pmt: Counter,
    video: Counter,
    audio: Counter,
    /// When the clock was last told, by its own time.
    told: Option<u64>,
}

/// A frame's place in time, in units of 90 kHz, of which 33 bits go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// When it is shown.
    pub(crate) pts: u64,
    /// When it is decoded.
    pub(crate) dts: u64,
}

impl Muxer {
    /// Which streams there are from now on; whether that is new, and [`Muxer::put_tables`] due.
    pub(crate) fn set_tracks(&mut self, tracks: Tracks) -> bool {
        let is_new = tracks != self.tracks;
        if is_new {
            if tracks.clock() != self.tracks.clock() {
                self.told = None;
            }
            self.tracks = tracks;
            self.version = self.version.wrapping_add(1) & 0x1f;
        }
        is_new
    }

    /// Appends the tables: what a player needs first.
    pub(crate) fn put_tables(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(&psi::pat(self.pat.next()));
        out.extend_from_slice(&psi::pmt(self.tracks, self.version, self.pmt.next()));
    }

    /// Appends an access unit of the video, in the form of Annex B.
    pub(crate) fn put_video(
        &mut self,
        times: Times,
        is_key: bool,
        unit: &[u8],
        out: &mut BytesMut,
    ) {
        let pcr = self.clock(Pid::VIDEO, times.dts, out);
        let (header, len) = pes_header(0xe0, times, 0);
        let adaptation = Adaptation { is_random_access: is_key, pcr };
        let header = header.get(..len).unwrap_or_default();
        packet::put_unit(Pid::VIDEO, &mut self.video, adaptation, header, unit, out);
    }

    /// Appends audio: a frame, or several that follow each other. What is too long for one unit is
    /// left out.
    pub(crate) fn put_audio(&mut self, pts: u64, unit: &[u8], out: &mut BytesMut) {
        if unit.len() > MAX_AUDIO {
            return;
        }
        let pcr = self.clock(Pid::AUDIO, pts, out);
        let (header, len) = pes_header(0xc0, Times { pts, dts: pts }, unit.len());
        let adaptation = Adaptation { is_random_access: pcr.is_some(), pcr };
        let header = header.get(..len).unwrap_or_default();
        packet::put_unit(Pid::AUDIO, &mut self.audio, adaptation, header, unit, out);
    }

    /// Most bytes that a unit of `len` bytes takes, with tables and clocks.
    pub(crate) fn unit_len(len: usize) -> usize {
        let clocks = (LONGEST_PAUSE / CLOCK_EVERY) as usize + 1;
        packet::unit_len(len + PES_HEADER_LEN) + (clocks + 2) * PACKET_LEN
    }

    /// The clock that goes out with a unit on `pid`, where it is that stream which carries it.
    /// Appends the clocks that were due before.
    fn clock(&mut self, pid: Pid, dts: u64, out: &mut BytesMut) -> Option<u64> {
        let now = dts.saturating_sub(DELAY);
        let carrier = self.tracks.clock();
        let carries = pid == carrier;
        let counter = if carrier == Pid::VIDEO { self.video } else { self.audio };
        if let Some(told) = self.told
            && now.saturating_sub(told) <= LONGEST_PAUSE
        {
            let mut told = told;
            while now > told + CLOCK_EVERY {
                told += CLOCK_EVERY;
                packet::put_clock(carrier, counter, told, out);
            }
            self.told = Some(told);
        } else if !carries {
            self.told = Some(now);
            packet::put_clock(carrier, counter, now, out);
        }
        if carries {
            // It never goes back, though frames of other streams may have been ahead.
            self.told = Some(self.told.map_or(now, |told| told.max(now)));
            return self.told;
        }
        None
    }
}

/// The header of a PES packet of `len` bytes (0: as long as it lasts), and how long it is.
fn pes_header(stream: u8, times: Times, len: usize) -> ([u8; PES_HEADER_LEN], usize) {
    let Times { pts, dts } = times;
    let mut header = [0; PES_HEADER_LEN];
    header[..4].copy_from_slice(&[0, 0, 1, stream]);
    // Marker bits; the unit begins with its first byte.
    header[6] = 0x84;
    let end = if pts == dts {
        (header[7], header[8]) = (0x80, 5);
        header[9..14].copy_from_slice(&timestamp(0x2, pts));
        14
    } else {
        (header[7], header[8]) = (0xc0, 10);
        header[9..14].copy_from_slice(&timestamp(0x3, pts));
        header[14..].copy_from_slice(&timestamp(0x1, dts));
        19
    };
    if len > 0 {
        let whole = u16::try_from(len + end - 6).unwrap_or(0);
        header[4..6].copy_from_slice(&whole.to_be_bytes());
    }
    (header, end)
}

/// A time in five bytes, with marker bits between.
fn timestamp(prefix: u8, time: u64) -> [u8; 5] {
    [
        prefix << 4 | (time >> 29) as u8 & 0x0e | 1,
        (time >> 22) as u8,
        (time >> 14) as u8 | 1,
        (time >> 7) as u8,
        (time << 1) as u8 | 1,
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::psi::StreamType, *};

    const BOTH: Tracks = Tracks { video: Some(StreamType::Avc), audio: Some(StreamType::Aac) };

    fn muxer(tracks: Tracks) -> Muxer {
        let mut muxer = Muxer::default();
        assert!(muxer.set_tracks(tracks));
        muxer
    }

    /// The clocks of a stream by packet: the stream's number, and the time in units of 90 kHz.
    fn clocks(bytes: &[u8]) -> Vec<(u16, u64)> {
        let packets = bytes.chunks(PACKET_LEN);
        packets
            .filter(|packet| packet[3] & 0x20 != 0 && packet[4] > 0 && packet[5] & 0x10 != 0)
            .map(|packet| {
                let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
                let high = u32::from_be_bytes([packet[6], packet[7], packet[8], packet[9]]);
                (pid, u64::from(high) << 1 | u64::from(packet[10] >> 7))
            })
            .collect()
    }

    #[test]
    fn times_by_their_bytes() {
        assert_eq!(timestamp(2, 0), [0x21, 0, 1, 0, 1]);
        assert_eq!(timestamp(3, 0x1_ffff_ffff), [0x3f, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(timestamp(2, 90_000), [0x21, 0, 0x05, 0xbf, 0x21]);
        // 33 bits go out: it wraps.
        assert_eq!(timestamp(2, 0x2_0000_0000), [0x21, 0, 1, 0, 1]);
    }

    #[test]
    fn a_unit_of_audio_tells_its_length() {
        let (header, len) = pes_header(0xc0, Times { pts: 0, dts: 0 }, 100);
        assert_eq!(header[..len], [0, 0, 1, 0xc0, 0, 108, 0x84, 0x80, 5, 0x21, 0, 1, 0, 1]);
        let (header, len) = pes_header(0xe0, Times { pts: 90_000, dts: 0 }, 0);
        assert_eq!(header[..9], [0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10]);
        assert_eq!(header[9..len], [0x31, 0, 0x05, 0xbf, 0x21, 0x11, 0, 1, 0, 1]);
        let mut out = BytesMut::new();
        muxer(BOTH).put_audio(0, &[0; 0x1_0000], &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn the_clock_is_told_every_100_ms_and_never_goes_back() {
        let (mut muxer, mut out) = (muxer(BOTH), BytesMut::new());
        // Two frames a second, and audio between that is a little ahead.
        for number in 0..200 {
            let time = number * 2_090;
            muxer.put_audio(time + 4_000, &[1; 40], &mut out);
            if number % 21 == 0 {
                muxer.put_video(Times { pts: time, dts: time }, true, &[2; 900], &mut out);
            }
        }
        let clocks = clocks(&out);
        assert!(clocks.len() > 40 && clocks.iter().all(|&(pid, _)| pid == 0x100), "{clocks:?}");
        for pair in clocks.windows(2) {
            let step = pair[1].1.checked_sub(pair[0].1).unwrap();
            assert!(step <= 9_000, "{pair:?}");
        }
    }

    #[test]
    fn a_slow_video_alone_is_filled_with_clocks_but_not_a_pause() {
        let video = Tracks { audio: None, ..BOTH };
        let (mut muxer, mut out) = (muxer(video), BytesMut::new());
        for time in [90_000, 180_000, 90_000_000] {
            muxer.put_video(Times { pts: time, dts: time }, true, &[2; 90], &mut out);
        }
        let times: Vec<_> = clocks(&out).iter().map(|&(_, time)| time).collect();
        assert_eq!(times.len(), 14, "{times:?}");
        assert_eq!((times[0], times[12], times[13]), (81_000, 171_000, 89_991_000));
    }

    #[test]
    fn counters_never_skip() {
        let (mut muxer, mut out) = (muxer(BOTH), BytesMut::new());
        for number in 0..60 {
            muxer.put_tables(&mut out);
            let time = number * 30_000;
            muxer.put_video(Times { pts: time, dts: time }, true, &[2; 5000], &mut out);
            muxer.put_audio(time, &vec![1; number as usize * 9], &mut out);
        }
        let mut last = std::collections::HashMap::new();
        for packet in out.chunks(PACKET_LEN) {
            assert_eq!(packet[0], 0x47);
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            let counter = packet[3] & 0x0f;
            let step = u8::from(packet[3] & 0x10 != 0);
            if let Some(last) = last.insert(pid, counter) {
                assert_eq!(counter, (last + step) & 0x0f, "{pid}");
            }
        }
        assert_eq!(last.len(), 4);
    }
}
