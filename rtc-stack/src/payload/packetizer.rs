use bytes::Bytes;

use super::av1::Obus;
use super::nal::NalPacketizer;
use super::{PacketizeError, Payload, vp8, vp9};
use crate::Codec;

/// The least that a payload may hold, so that every format's own bytes leave room.
const LEAST: usize = 64;

/// Cuts the access units of one track into payloads.
#[derive(Debug, Clone)]
pub struct Packetizer {
    format: Format,
    room: usize,
}

#[derive(Debug, Clone)]
enum Format {
    Nal(NalPacketizer),
    Av1(Obus),
    /// With the next picture id, 15 bits.
    Vp8(u16),
    Vp9(u16),
    /// One unit is one packet.
    Whole,
}

impl Packetizer {
    /// A packetizer whose payloads have at most so many bytes (64 at least): [`DEFAULT_PAYLOAD`](super::DEFAULT_PAYLOAD)
    /// if nothing else is known. `None` for what has no format of its own: redundancy, retransmission, the unknown.
    ///
    /// H.264 is cut as packetization-mode 1 has it, see [`Self::single_nal_units`].
    #[must_use]
    pub fn new(codec: Codec, room: usize) -> Option<Self> {
        let format = match codec {
            Codec::H264 => Format::Nal(NalPacketizer::h264()),
            Codec::H265 => Format::Nal(NalPacketizer::h265()),
            Codec::Av1 => Format::Av1(Obus::default()),
            Codec::Vp8 => Format::Vp8(0),
            Codec::Vp9 => Format::Vp9(0),
            Codec::Opus | Codec::Pcmu | Codec::Pcma => Format::Whole,
            Codec::Red | Codec::UlpFec | Codec::Rtx | Codec::Other => return None,
        };
        Some(Self { format, room: room.max(LEAST) })
    }

    /// A packetizer for H.264 in packetization-mode 0 (RFC 6184, 6.2), each of whose payloads is a NAL unit. One that is
    /// longer than `room` can't be sent.
    #[must_use]
    pub fn single_nal_units(room: usize) -> Self {
        Self { format: Format::Nal(NalPacketizer::h264_single()), room: room.max(LEAST) }
    }

    /// Appends the payloads of an access unit to `out`; the last has the marker bit, unless it is sound.
    ///
    /// What is no unit is left out: empty ones, NAL units of the types that the payload formats use themselves, AV1's
    /// temporal delimiters, tile lists and padding.
    ///
    /// # Errors
    ///
    /// A unit can't be sent; nothing is appended then.
    pub fn packetize(
        &mut self,
        units: impl IntoIterator<Item = Bytes>,
        out: &mut Vec<Payload>,
    ) -> Result<(), PacketizeError> {
        let start = out.len();
        let units = units.into_iter().filter(|unit| !unit.is_empty());
        let packetized = match &mut self.format {
            Format::Nal(nal) => nal.packetize(units, self.room, out),
            Format::Av1(obus) => obus.packetize(units, self.room, out),
            Format::Vp8(picture) => {
                vp8::packetize(units, picture, self.room, out);
                Ok(())
            }
            Format::Vp9(picture) => {
                vp9::packetize(units, picture, self.room, out);
                Ok(())
            }
            Format::Whole => return whole(units, self.room, start, out),
        };
        if packetized.is_err() {
            out.truncate(start);
        }
        if out.len() > start
            && let Some(last) = out.last_mut()
        {
            last.set_marker();
        }
        packetized
    }
}

fn whole(
    units: impl Iterator<Item = Bytes>,
    limit: usize,
    start: usize,
    out: &mut Vec<Payload>,
) -> Result<(), PacketizeError> {
    for unit in units {
        let length = unit.len();
        if length > limit {
            out.truncate(start);
            return Err(PacketizeError::TooLong { length, limit });
        }
        out.push(Payload::new(&[], unit));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_one_packet_without_a_marker() {
        for codec in [Codec::Opus, Codec::Pcmu, Codec::Pcma] {
            let mut packetizer = Packetizer::new(codec, 1_200).unwrap();
            let mut out = Vec::new();
            let sound = Bytes::from_static(&[0xfc, 1, 2]);
            packetizer.packetize([sound.clone(), Bytes::new()], &mut out).unwrap();
            assert_eq!(out.len(), 1);
            assert_eq!(out[0].to_bytes(), sound);
            assert!(!out[0].marker());
            let long = [sound, Bytes::from(vec![1; 1_201])];
            let error = packetizer.packetize(long, &mut out);
            assert_eq!(error, Err(PacketizeError::TooLong { length: 1_201, limit: 1_200 }));
            assert_eq!(out.len(), 1, "nothing of it is sent");
        }
    }

    #[test]
    fn what_has_no_format_has_no_packetizer() {
        for codec in [Codec::Red, Codec::UlpFec, Codec::Rtx, Codec::Other] {
            assert!(Packetizer::new(codec, 1_200).is_none());
        }
    }

    #[test]
    fn nothing_makes_no_packet_and_no_mark() {
        for codec in [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp8, Codec::Vp9, Codec::Opus] {
            let mut packetizer = Packetizer::new(codec, 1_200).unwrap();
            let mut out = vec![Payload::new(&[1], Bytes::new())];
            packetizer.packetize([], &mut out).unwrap();
            packetizer.packetize([Bytes::new()], &mut out).unwrap();
            assert!(out.len() == 1 && !out[0].marker(), "{codec}");
        }
    }
}
