//! What the enhanced audio and video tag headers have in common.

use bytes::{BufMut, BytesMut};

use crate::{
    FourCc,
    wire::{Reader, Truncated, be_24},
};

/// The packet type that announces a modifier, for audio and video alike.
const MOD_EX: u8 = 7;
/// The modifier that refines the timestamp.
const TIMESTAMP_OFFSET_NANO: u8 = 0;

/// How the tracks of a multitrack packet are laid out (Enhanced RTMP v2, "AvMultitrackType").
///
/// Carries the codec where all tracks share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Multitrack {
    /// One track: its id, then its data up to the end.
    OneTrack(FourCc),
    /// Several tracks of one codec: each with its id and its length in 24 bits.
    ManyTracks(FourCc),
    /// Several tracks: each with its FourCC, its id and its length in 24 bits.
    ManyTracksManyCodecs,
    /// A layout without a name here, 3 to 15, kept as it was read.
    Other(u8, FourCc),
}

impl Multitrack {
    /// The codec that all tracks share.
    pub const fn four_cc(self) -> Option<FourCc> {
        match self {
            Self::OneTrack(codec) | Self::ManyTracks(codec) | Self::Other(_, codec) => Some(codec),
            Self::ManyTracksManyCodecs => None,
        }
    }

    const fn to_wire(self) -> u8 {
        match self {
            Self::OneTrack(_) => 0,
            Self::ManyTracks(_) => 1,
            Self::ManyTracksManyCodecs => 2,
            Self::Other(kind, _) => kind & 0x0f,
        }
    }

    /// Reads layout, packet type and, where shared, codec.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<(Self, u8), Truncated> {
        let byte = reader.u8("multitrack type")?;
        let multitrack = match byte >> 4 {
            0 => Self::OneTrack(four_cc(reader)?),
            1 => Self::ManyTracks(four_cc(reader)?),
            2 => Self::ManyTracksManyCodecs,
            other => Self::Other(other, four_cc(reader)?),
        };
        Ok((multitrack, byte & 0x0f))
    }

    pub(crate) fn put(self, packet_type: u8, out: &mut BytesMut) {
        out.put_u8(self.to_wire() << 4 | (packet_type & 0x0f));
        if let Some(codec) = self.four_cc() {
            out.put_slice(&codec.0);
        }
    }
}

pub(crate) fn four_cc(reader: &mut Reader<'_>) -> Result<FourCc, Truncated> {
    reader.u32("fourcc").map(FourCc::from_u32)
}

/// Reads the modifiers in front of a packet; gives the packet's own type and the nanoseconds
/// that they add to the timestamp. Modifiers without a name here are skipped.
pub(crate) fn modifiers(reader: &mut Reader<'_>, packet_type: u8) -> Result<(u8, u32), Truncated> {
    let mut packet_type = packet_type;
    let mut nanos = 0_u32;
    while packet_type == MOD_EX {
        let len = match reader.u8("modifier size")? {
            0xff => usize::from(reader.u16("modifier size")?),
            len => usize::from(len),
        };
        let data = reader.bytes(len.saturating_add(1), "modifier data")?;
        let next = reader.u8("modifier type")?;
        if next >> 4 == TIMESTAMP_OFFSET_NANO
            && let Ok(offset) = Reader::new(data).u24("timestamp offset")
        {
            nanos = nanos.saturating_add(offset).min(0xff_ffff);
        }
        packet_type = next & 0x0f;
    }
    Ok((packet_type, nanos))
}

/// Appends the first byte of an enhanced header, `flags` in its high bits, and the timestamp
/// modifier when there are nanoseconds to add.
pub(crate) fn put_first(flags: u8, packet_type: u8, nanos: u32, out: &mut BytesMut) {
    if nanos == 0 {
        out.put_u8(flags | (packet_type & 0x0f));
        return;
    }
    out.put_slice(&[flags | MOD_EX, 2]);
    out.put_slice(&be_24(nanos));
    out.put_u8(TIMESTAMP_OFFSET_NANO << 4 | (packet_type & 0x0f));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_nanoseconds_and_skips_unknown_modifiers() {
        // An offset of 500, two bytes of modifier 3, an offset of 6, then packet type 1.
        let bytes = [2, 0, 1, 0xf4, 0x07, 1, 9, 9, 0x37, 2, 0, 0, 6, 0x01, 0xaa];
        let mut reader = Reader::new(&bytes);
        assert_eq!(modifiers(&mut reader, 7), Ok((1, 506)));
        assert_eq!(reader.rest(), [0xaa]);
    }

    #[test]
    fn a_modifier_of_256_bytes_or_more_has_a_16_bit_size() {
        let mut bytes = vec![0xff, 0x01, 0x00];
        bytes.extend([0; 257]);
        bytes.push(0x10);
        assert_eq!(modifiers(&mut Reader::new(&bytes), 7), Ok((0, 0)));
        bytes.truncate(200);
        let error = Truncated { what: "modifier data", needed: 257, got: 197 };
        assert_eq!(modifiers(&mut Reader::new(&bytes), 7), Err(error));
    }

    #[test]
    fn a_packet_without_modifiers_reads_nothing() {
        assert_eq!(modifiers(&mut Reader::new(&[]), 1), Ok((1, 0)));
    }

    #[test]
    fn reads_and_writes_each_track_layout() {
        for (bytes, expected) in [
            (&b"\x01Opus"[..], Multitrack::OneTrack(FourCc::OPUS)),
            (b"\x11avc1", Multitrack::ManyTracks(FourCc::AVC)),
            (b"\x21", Multitrack::ManyTracksManyCodecs),
            (b"\xf1hvc1", Multitrack::Other(15, FourCc::HEVC)),
        ] {
            assert_eq!(Multitrack::read(&mut Reader::new(bytes)), Ok((expected, 1)));
            let mut out = BytesMut::new();
            expected.put(1, &mut out);
            assert_eq!(out[..], *bytes);
        }
    }
}
