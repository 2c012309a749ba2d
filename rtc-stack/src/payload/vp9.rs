//! VP9 (RFC 9628, 4.2): a descriptor before every piece of a frame.
//!
//! Frames are sent in the non-flexible mode without layers and without a scalability structure: which frame an encoder
//! refers to is not known here, and receivers then take each to need the one before.

use bytes::Bytes;

use super::Payload;
use super::cuts::cuts;
use super::frame::{Damage, Frame};
use crate::bytes_at::u8_at;

/// The bytes before each piece: flags, a picture id of 15 bits.
const DESCRIPTOR: usize = 3;

pub(super) fn packetize(
    frames: impl Iterator<Item = Bytes>,
    picture: &mut u16,
    room: usize,
    out: &mut Vec<Payload>,
) {
    for frame in frames {
        let [high, low] = (*picture | 0x8000).to_be_bytes();
        let predicted = if is_keyframe(&frame) { 0 } else { 0x40 };
        for piece in cuts(frame.len(), room.saturating_sub(DESCRIPTOR)) {
            let begins = if piece.start == 0 { 0x08 } else { 0 };
            let ends = if piece.end == frame.len() { 0x04 } else { 0 };
            let flags = 0x80 | predicted | begins | ends;
            out.push(Payload::new(&[flags, high, low], frame.slice(piece)));
        }
        *picture = picture.wrapping_add(1) & 0x7fff;
    }
}

/// Takes a payload, in either mode and with any layers: each layer's frame is a unit.
pub(super) fn take(payload: Bytes, frame: &mut Frame) -> Result<(), Damage> {
    let at = descriptor_len(&payload).ok_or(Damage::Malformed)?;
    if at >= payload.len() {
        return Err(Damage::Malformed);
    }
    let first = u8_at(&payload, 0).unwrap_or(0);
    let piece = payload.slice(at..);
    if first & 0x08 == 0 {
        frame.extend(&piece)?;
    } else {
        frame.begin(piece)?;
    }
    if first & 0x04 != 0 {
        frame.end();
    }
    Ok(())
}

fn descriptor_len(payload: &[u8]) -> Option<usize> {
    let first = u8_at(payload, 0)?;
    let (has_id, predicted, has_layers) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x20 != 0);
    let (is_flexible, has_structure) = (first & 0x10 != 0, first & 0x02 != 0);
    let mut at = 1_usize;
    if has_id {
        let is_long = u8_at(payload, at)? & 0x80 != 0;
        at = at.saturating_add(if is_long { 2 } else { 1 });
    }
    if has_layers {
        at = at.saturating_add(if is_flexible { 1 } else { 2 });
    }
    if is_flexible && predicted {
        // Up to three references, each of which says whether another follows.
        for _ in 0..3 {
            let has_more = u8_at(payload, at)? & 0x01 != 0;
            at = at.saturating_add(1);
            if !has_more {
                break;
            }
        }
    }
    if has_structure {
        at = at.saturating_add(structure_len(payload.get(at..)?)?);
    }
    Some(at)
}

/// Bytes of the scalability structure (RFC 9628, 4.2.1).
fn structure_len(bytes: &[u8]) -> Option<usize> {
    let first = u8_at(bytes, 0)?;
    let (layers, has_sizes, has_pictures) =
        (usize::from(first >> 5).saturating_add(1), first & 0x10 != 0, first & 0x08 != 0);
    let mut at = 1_usize;
    if has_sizes {
        at = at.saturating_add(layers.saturating_mul(4));
    }
    if has_pictures {
        let pictures = u8_at(bytes, at)?;
        at = at.saturating_add(1);
        for _ in 0..pictures {
            let references = u8_at(bytes, at)? >> 2 & 0x03;
            at = at.saturating_add(usize::from(references)).saturating_add(1);
        }
    }
    Some(at)
}

/// Whether a frame needs no other: the uncompressed header says it in its first byte (VP9 bitstream, 6.2).
pub(super) fn is_keyframe(frame: &[u8]) -> bool {
    let Some(&first) = frame.first() else { return false };
    // The marker, two bits of the profile, a reserved bit in profile 3; then whether a frame is shown again, and the
    // type, 0 for a keyframe.
    let flags = if first & 0x30 == 0x30 { first << 1 } else { first };
    first >> 6 == 2 && flags & 0x0c == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::payload::Packetizer;

    #[test]
    fn pieces_tell_where_a_frame_begins_and_ends() {
        let mut packetizer = Packetizer::new(Codec::Vp9, 64).unwrap();
        let mut out = Vec::new();
        packetizer.packetize([Bytes::from(vec![0x82; 150])], &mut out).unwrap();
        packetizer.packetize([Bytes::from(vec![0x86; 61])], &mut out).unwrap();
        let heads: Vec<_> = out.iter().map(|p| (p.head(), p.body().len(), p.marker())).collect();
        assert_eq!(
            heads,
            [
                (&[0x88, 0x80, 0][..], 50, false),
                (&[0x80, 0x80, 0], 50, false),
                (&[0x84, 0x80, 0], 50, true),
                (&[0xcc, 0x80, 1], 61, true),
            ]
        );
    }

    #[test]
    fn keyframes_are_told_in_every_profile() {
        for (first, expected) in [
            (0x82, true),
            (0x86, false),
            (0x8a, false),
            (0xb0, true),
            (0xb2, false),
            (0xb4, false),
            (0x02, false),
        ] {
            assert_eq!(is_keyframe(&[first]), expected, "{first:02x}");
        }
        assert!(!is_keyframe(&[]));
    }
}
