//! VP8 (RFC 7741, 4.2): a descriptor before every piece of a frame.

use bytes::Bytes;

use super::Payload;
use super::cuts::cuts;
use super::frame::{Damage, Frame};
use crate::bytes_at::u8_at;

/// The bytes before each piece: flags, which extension follows, a picture id of 15 bits.
const DESCRIPTOR: usize = 4;

pub(super) fn packetize(
    frames: impl Iterator<Item = Bytes>,
    picture: &mut u16,
    room: usize,
    out: &mut Vec<Payload>,
) {
    for frame in frames {
        let [high, low] = (*picture | 0x8000).to_be_bytes();
        for piece in cuts(frame.len(), room.saturating_sub(DESCRIPTOR)) {
            let starts = if piece.start == 0 { 0x10 } else { 0 };
            out.push(Payload::new(&[0x80 | starts, 0x80, high, low], frame.slice(piece)));
        }
        *picture = picture.wrapping_add(1) & 0x7fff;
    }
}

/// Takes a payload. Pieces count as those of one frame until the marker or another timestamp comes; their picture ids and
/// layers say nothing that is needed for that.
pub(super) fn take(payload: Bytes, frame: &mut Frame) -> Result<(), Damage> {
    let (starts, at) = descriptor(&payload).ok_or(Damage::Malformed)?;
    if at >= payload.len() {
        return Err(Damage::Malformed);
    }
    let piece = payload.slice(at..);
    if starts { frame.begin(piece) } else { frame.extend(&piece) }
}

/// Whether a frame begins, and where the descriptor ends.
fn descriptor(payload: &[u8]) -> Option<(bool, usize)> {
    let first = u8_at(payload, 0)?;
    let mut at = 1_usize;
    if first & 0x80 != 0 {
        let extended = u8_at(payload, at)?;
        at = at.saturating_add(1);
        if extended & 0x80 != 0 {
            let is_long = u8_at(payload, at)? & 0x80 != 0;
            at = at.saturating_add(if is_long { 2 } else { 1 });
        }
        at = at.saturating_add(usize::from(extended & 0x40 != 0));
        at = at.saturating_add(usize::from(extended & 0x30 != 0));
    }
    // S, and partition 0.
    Some((first & 0x17 == 0x10, at))
}

/// Whether a frame needs no other (RFC 7741, 4.3).
pub(super) fn is_keyframe(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 0x01 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::payload::Packetizer;

    #[test]
    fn the_first_piece_says_so_and_pictures_are_counted() {
        let mut packetizer = Packetizer::new(Codec::Vp8, 64).unwrap();
        let mut out = Vec::new();
        packetizer.packetize([Bytes::from(vec![0x10; 90])], &mut out).unwrap();
        packetizer.packetize([Bytes::from(vec![0x11; 60])], &mut out).unwrap();
        let heads: Vec<_> = out.iter().map(|p| (p.head(), p.body().len(), p.marker())).collect();
        assert_eq!(
            heads,
            [
                (&[0x90, 0x80, 0x80, 0][..], 45, false),
                (&[0x80, 0x80, 0x80, 0], 45, true),
                (&[0x90, 0x80, 0x80, 1], 60, true),
            ]
        );
    }

    #[test]
    fn picture_ids_wrap_at_15_bits() {
        let mut picture = 0x7fff;
        let mut out = Vec::new();
        let frames = [[0x10], [0x11]].map(|frame| Bytes::copy_from_slice(&frame));
        packetize(frames.into_iter(), &mut picture, 64, &mut out);
        assert_eq!(out[0].head(), [0x90, 0x80, 0xff, 0xff]);
        assert_eq!(out[1].head(), [0x90, 0x80, 0x80, 0]);
    }
}
