//! Modifiers in front of an enhanced packet.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::wire::{Reader, Truncated, be_24, wire_enum};

/// The packet type that announces a modifier, for audio and video alike.
const MOD_EX: u8 = 7;
/// The modifier that refines the timestamp.
const TIMESTAMP_OFFSET_NANO: u8 = 0;
/// A size in this byte means that the size is in the two bytes behind it.
const LONG_SIZE: u8 = 0xff;

wire_enum! {
    /// What a modifier changes (Enhanced RTMP v2, "VideoPacketModExType" and
    /// "AudioPacketModExType"); four bits.
    ModifierKind {
        /// Nanoseconds to add to the tag's timestamp, in 24 bits.
        TimestampOffsetNano = 0,
    }
}

/// One modifier of an enhanced packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Modifier<'a> {
    /// What it changes.
    pub kind: ModifierKind,
    /// Its data: 1 to 65,536 bytes.
    pub data: &'a [u8],
}

impl Modifier<'_> {
    /// The nanoseconds that this adds to the timestamp; `None` for other kinds and short data.
    pub fn nanos(&self) -> Option<u32> {
        let is_nanos = self.kind == ModifierKind::TimestampOffsetNano;
        is_nanos.then(|| Reader::new(self.data).u24("timestamp offset").ok()).flatten()
    }
}

/// A modifier without data, or with more than its size can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("modifier has {len} bytes of data, not 1 to 65536")]
pub struct ModifierLength {
    /// Length of the data in bytes.
    pub len: usize,
}

/// The modifiers of a tag in the bytes they came in (Enhanced RTMP v2, "ModEx").
///
/// [`VideoTagHeader`](crate::VideoTagHeader) and [`AudioTagHeader`](crate::AudioTagHeader) keep of
/// them the nanoseconds alone. To write a tag again with all of them, also those without a name
/// here, read them with this and give them to `encode_with`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Modifiers<'a> {
    /// Sizes, data and types; the last four bits are the packet's own type.
    chain: &'a [u8],
}

impl<'a> Modifiers<'a> {
    /// The modifiers of a video tag's body; none of a tag in an old form.
    ///
    /// # Errors
    ///
    /// [`Truncated`] when the body ends inside them.
    pub fn of_video(body: &'a [u8]) -> Result<Self, Truncated> {
        Self::of(body, |first| first & 0x80 != 0)
    }

    /// The modifiers of an audio tag's body; none of a tag in an old form.
    ///
    /// # Errors
    ///
    /// [`Truncated`] when the body ends inside them.
    pub fn of_audio(body: &'a [u8]) -> Result<Self, Truncated> {
        Self::of(body, |first| first >> 4 == 9)
    }

    /// Reads modifiers that [`encode_modifiers`] wrote; what follows them is left out.
    ///
    /// # Errors
    ///
    /// [`Truncated`] when `chain` ends inside them.
    pub fn decode(chain: &'a [u8]) -> Result<Self, Truncated> {
        if chain.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(chain);
        modifiers(&mut reader, MOD_EX)?;
        let len = chain.len().saturating_sub(reader.rest().len());
        Ok(Self { chain: chain.get(..len).unwrap_or_default() })
    }

    fn of(body: &'a [u8], is_enhanced: impl Fn(u8) -> bool) -> Result<Self, Truncated> {
        match body.split_first() {
            Some((&first, rest)) if is_enhanced(first) && first & 0x0f == MOD_EX => {
                // An announced modifier has a size at least.
                Reader::new(rest).u8("modifier size")?;
                Self::decode(rest)
            }
            _ => Ok(Self::default()),
        }
    }

    /// The modifiers, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Modifier<'a>> + use<'a> {
        let mut reader = Reader::new(self.chain);
        std::iter::from_fn(move || modifier(&mut reader).ok().map(|(modifier, _)| modifier))
    }

    /// All nanoseconds to add to the timestamp, 24 bits.
    pub fn nanos(&self) -> u32 {
        let sum = self.iter().filter_map(|modifier| modifier.nanos());
        sum.fold(0_u32, u32::saturating_add).min(0xff_ffff)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    pub(super) const fn chain(&self) -> &'a [u8] {
        self.chain
    }
}

/// Appends modifiers to `out`, for [`Modifiers::decode`].
///
/// # Errors
///
/// [`ModifierLength`], with nothing appended.
pub fn encode_modifiers(
    modifiers: &[Modifier<'_>],
    out: &mut BytesMut,
) -> Result<(), ModifierLength> {
    let bad = modifiers.iter().map(|modifier| modifier.data.len()).find(|&len| !fits(len));
    if let Some(len) = bad {
        return Err(ModifierLength { len });
    }
    let mut left = modifiers.len();
    for modifier in modifiers {
        left = left.saturating_sub(1);
        let len = modifier.data.len().saturating_sub(1);
        match u8::try_from(len) {
            Ok(len) if len != LONG_SIZE => out.put_u8(len),
            _ => {
                out.put_u8(LONG_SIZE);
                out.put_u16(u16::try_from(len).unwrap_or(u16::MAX));
            }
        }
        out.put_slice(modifier.data);
        out.put_u8(modifier.kind.to_wire() << 4 | if left == 0 { 0 } else { MOD_EX });
    }
    Ok(())
}

fn fits(len: usize) -> bool {
    (1..=0x1_0000).contains(&len)
}

/// One modifier, and the packet type behind it.
fn modifier<'a>(reader: &mut Reader<'a>) -> Result<(Modifier<'a>, u8), Truncated> {
    let len = match reader.u8("modifier size")? {
        LONG_SIZE => usize::from(reader.u16("modifier size")?),
        len => usize::from(len),
    };
    let data = reader.bytes(len.saturating_add(1), "modifier data")?;
    let next = reader.u8("modifier type")?;
    Ok((Modifier { kind: ModifierKind::from_wire(next >> 4), data }, next & 0x0f))
}

/// Reads the modifiers in front of a packet; gives the packet's own type and the nanoseconds
/// that they add to the timestamp. Modifiers without a name here are skipped.
pub(crate) fn modifiers(reader: &mut Reader<'_>, packet_type: u8) -> Result<(u8, u32), Truncated> {
    let mut packet_type = packet_type;
    let mut nanos = 0_u32;
    while packet_type == MOD_EX {
        let (modifier, next) = modifier(reader)?;
        nanos = nanos.saturating_add(modifier.nanos().unwrap_or(0)).min(0xff_ffff);
        packet_type = next;
    }
    Ok((packet_type, nanos))
}

/// What is written between the first byte of an enhanced header and the packet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Prefix<'a> {
    /// A modifier for these nanoseconds, if they are not 0.
    Nanos(u32),
    /// These modifiers.
    Modifiers(Modifiers<'a>),
}

/// Appends the first byte of an enhanced header, `flags` in its high bits, and the modifiers.
pub(crate) fn put_first(flags: u8, packet_type: u8, prefix: Prefix<'_>, out: &mut BytesMut) {
    let packet_type = packet_type & 0x0f;
    match prefix {
        Prefix::Nanos(nanos) if nanos != 0 => {
            out.put_slice(&[flags | MOD_EX, 2]);
            out.put_slice(&be_24(nanos));
            out.put_u8(TIMESTAMP_OFFSET_NANO << 4 | packet_type);
        }
        Prefix::Modifiers(modifiers) if !modifiers.is_empty() => {
            out.put_u8(flags | MOD_EX);
            if let Some((last, before)) = modifiers.chain().split_last() {
                out.put_slice(before);
                out.put_u8(last & 0xf0 | packet_type);
            }
        }
        _ => out.put_u8(flags | packet_type),
    }
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

        let all = Modifiers::decode(&bytes).unwrap();
        let list: Vec<_> = all.iter().collect();
        let offset = ModifierKind::TimestampOffsetNano;
        let expected = [
            Modifier { kind: offset, data: &[0, 1, 0xf4] },
            Modifier { kind: ModifierKind::Other(3), data: &[9, 9] },
            Modifier { kind: offset, data: &[0, 0, 6] },
        ];
        assert_eq!((list.as_slice(), all.nanos()), (&expected[..], 506));
        let mut out = BytesMut::new();
        encode_modifiers(&list, &mut out).unwrap();
        // The packet's own type is the header's to write.
        assert_eq!(out[..13], bytes[..13]);
        assert_eq!(out[13..], [0x00]);
    }

    #[test]
    fn sizes_take_one_byte_up_to_255_and_three_from_there() {
        for (len, prefix) in
            [(1, &[0][..]), (255, &[254]), (256, &[255, 0, 255]), (65_536, &[255, 255, 255])]
        {
            let data = vec![0x5a; len];
            let modifier = Modifier { kind: ModifierKind::Other(9), data: &data };
            let mut out = BytesMut::new();
            encode_modifiers(&[modifier], &mut out).unwrap();
            assert_eq!(out[..prefix.len()], *prefix);
            assert_eq!(out.len(), prefix.len() + len + 1);
            let read = Modifiers::decode(&out).unwrap();
            assert_eq!(read.iter().collect::<Vec<_>>(), [modifier]);
        }
        for len in [0, 65_537] {
            let data = vec![0; len];
            let modifier = Modifier { kind: ModifierKind::Other(9), data: &data };
            let mut out = BytesMut::new();
            assert_eq!(encode_modifiers(&[modifier], &mut out), Err(ModifierLength { len }));
            assert!(out.is_empty());
        }
    }

    #[test]
    fn a_cut_modifier_is_truncated() {
        let mut bytes = vec![0xff, 0x01, 0x00];
        bytes.extend([0; 257]);
        bytes.push(0x10);
        assert_eq!(modifiers(&mut Reader::new(&bytes), 7), Ok((0, 0)));
        bytes.truncate(200);
        let error = Truncated { what: "modifier data", needed: 257, got: 197 };
        assert_eq!(modifiers(&mut Reader::new(&bytes), 7), Err(error));
        assert_eq!(Modifiers::decode(&bytes), Err(error));
        let error = Truncated { what: "modifier size", needed: 1, got: 0 };
        assert_eq!(Modifiers::of_video(&[0x97]), Err(error));
    }

    #[test]
    fn a_packet_without_modifiers_reads_nothing() {
        assert_eq!(modifiers(&mut Reader::new(&[]), 1), Ok((1, 0)));
        for body in [&[][..], &[0x17, 1], &[0x91]] {
            assert!(Modifiers::of_video(body).unwrap().is_empty());
        }
        assert!(Modifiers::of_audio(&[0x27]).unwrap().is_empty());
    }
}
