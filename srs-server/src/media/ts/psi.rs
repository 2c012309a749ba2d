//! The tables that say what a transport stream carries (ISO 13818-1, 2.4.4).

use super::packet::{PACKET_LEN, PAYLOAD_LEN, Pid};

/// The program's number, the only one there is.
const PROGRAM: u16 = 1;

/// A kind of elementary stream (ISO 13818-1, table 2-34).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum StreamType {
    /// MPEG-1 audio: MP3.
    Mp3 = 0x03,
    /// AAC in ADTS.
    Aac = 0x0f,
    /// H.264.
    Avc = 0x1b,
    /// H.265.
    Hevc = 0x24,
}

/// Which elementary streams there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tracks {
    pub(crate) video: Option<StreamType>,
    pub(crate) audio: Option<StreamType>,
}

impl Tracks {
    /// The stream that carries the clock: video, where there is any.
    pub(super) fn clock(self) -> Pid {
        if self.video.is_some() { Pid::VIDEO } else { Pid::AUDIO }
    }
}

/// The packet of the program association table.
pub(super) fn pat(counter: u8) -> [u8; PACKET_LEN] {
    let mut section = Section::new(0x00, PROGRAM, 0);
    section.u16(PROGRAM);
    section.u16(0xe000 | Pid::PMT.0);
    section.packet(Pid::PAT, counter)
}

/// The packet of the program map table; `version` counts how often it has changed.
pub(super) fn pmt(tracks: Tracks, version: u8, counter: u8) -> [u8; PACKET_LEN] {
    let mut section = Section::new(0x02, PROGRAM, version);
    section.u16(0xe000 | tracks.clock().0);
    // No descriptors of the program.
    section.u16(0xf000);
    for (pid, stream) in [(Pid::VIDEO, tracks.video), (Pid::AUDIO, tracks.audio)] {
        if let Some(stream) = stream {
            section.u8(stream as u8);
            section.u16(0xe000 | pid.0);
            section.u16(0xf000);
        }
    }
    section.packet(Pid::PMT, counter)
}

/// A section of a table, which fits one packet.
struct Section {
    bytes: [u8; PAYLOAD_LEN],
    len: usize,
}

impl Section {
    fn new(table: u8, number: u16, version: u8) -> Self {
        let mut section = Self { bytes: [0xff; PAYLOAD_LEN], len: 0 };
        // The pointer: the section begins at once.
        section.u8(0);
        section.u8(table);
        // Room for the length.
        section.u16(0);
        section.u16(number);
        section.u8(0xc1 | (version & 0x1f) << 1);
        // The first section, and the last.
        section.u16(0);
        section
    }

    fn u8(&mut self, byte: u8) {
        if let Some(at) = self.bytes.get_mut(self.len) {
            *at = byte;
            self.len += 1;
        }
    }

    fn u16(&mut self, value: u16) {
        value.to_be_bytes().into_iter().for_each(|byte| self.u8(byte));
    }

    fn packet(mut self, pid: Pid, counter: u8) -> [u8; PACKET_LEN] {
        // The length counts from behind itself, 4 bytes in, and the checksum has 4.
        let [high, low] = (0xb000 | self.len as u16).to_be_bytes();
        (self.bytes[2], self.bytes[3]) = (high, low);
        for byte in crc32(&self.bytes[1..self.len]).to_be_bytes() {
            self.u8(byte);
        }
        let mut packet = [0; PACKET_LEN];
        let (header, payload) = packet.split_at_mut(PACKET_LEN - PAYLOAD_LEN);
        header.copy_from_slice(&pid.header(true, false, true, counter));
        payload.copy_from_slice(&self.bytes);
        packet
    }
}

/// The checksum of sections (ISO 13818-1, annex A).
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            crc << 1 ^ if crc & 0x8000_0000 != 0 { 0x04c1_1db7 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_annex() {
        assert_eq!(crc32(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn tables_by_their_bytes() {
        let pat = pat(3);
        assert_eq!(pat[..9], [0x47, 0x40, 0x00, 0x13, 0, 0x00, 0xb0, 13, 0]);
        assert_eq!(pat[9..17], [1, 0xc1, 0, 0, 0, 1, 0xf0, 0x00]);
        // A section with its checksum has the checksum 0.
        assert_eq!(crc32(&pat[5..21]), 0);
        assert!(pat[21..].iter().all(|&byte| byte == 0xff));

        let tracks = Tracks { video: Some(StreamType::Avc), audio: Some(StreamType::Aac) };
        let pmt = pmt(tracks, 2, 0);
        assert_eq!(pmt[..8], [0x47, 0x50, 0x00, 0x10, 0, 0x02, 0xb0, 23]);
        assert_eq!(pmt[8..17], [0, 1, 0xc5, 0, 0, 0xe1, 0x00, 0xf0, 0]);
        assert_eq!(pmt[17..27], [0x1b, 0xe1, 0x00, 0xf0, 0, 0x0f, 0xe1, 0x01, 0xf0, 0]);
        assert_eq!(crc32(&pmt[5..31]), 0);
    }

    #[test]
    fn audio_alone_carries_the_clock() {
        let tracks = Tracks { video: None, audio: Some(StreamType::Mp3) };
        let pmt = pmt(tracks, 0, 0);
        assert_eq!(pmt[13..22], [0xe1, 0x01, 0xf0, 0, 0x03, 0xe1, 0x01, 0xf0, 0]);
    }
}
