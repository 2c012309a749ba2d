//! VP8 (RFC 7741): a descriptor before every piece of a frame.

use bytes::Bytes;

use super::Payload;
use super::cuts::cuts;

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
