//! NAL units in packets: alone, several together, or one in fragments (RFC 6184, 5; RFC 7798, 4.4).

mod packetize;
mod take;

pub(super) use packetize::NalPacketizer;

/// How the two codecs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NalCodec {
    H264,
    H265,
}

impl NalCodec {
    /// Bytes of a NAL unit's header.
    const fn header_len(self) -> usize {
        match self {
            Self::H264 => 1,
            Self::H265 => 2,
        }
    }

    /// The type of a NAL unit, from its first byte.
    const fn kind(self, first: u8) -> u8 {
        match self {
            Self::H264 => first & 0x1f,
            Self::H265 => first >> 1 & 0x3f,
        }
    }

    /// The type of packets that hold several units: STAP-A, AP.
    const fn aggregation(self) -> u8 {
        match self {
            Self::H264 => 24,
            Self::H265 => 48,
        }
    }

    /// The type of packets that hold a fragment: FU-A, FU.
    const fn fragmentation(self) -> u8 {
        match self {
            Self::H264 => 28,
            Self::H265 => 49,
        }
    }

    /// Whether it is a unit of the codec, of no type that the payload format uses.
    fn is_unit(self, unit: &[u8]) -> bool {
        let Some(&first) = unit.first() else { return false };
        let kind = self.kind(first);
        match self {
            Self::H264 => (1..24).contains(&kind),
            Self::H265 => kind < 48 && unit.len() > 1,
        }
    }
}
