//! Padding that gives the pieces of a frame one length, so that they leave as one run.

use super::history::Kept;

/// Most bytes that a packet is padded by. Encoders cut a frame into pieces that differ by a byte or two, or by the header
/// extensions of the first and last; a run of its own costs the system as much as some thousand bytes more.
const MOST: usize = 16;

/// Gives packets of a batch, pairs of a track's number and a packet of it, the padding (RFC 3550, 5.1) with which they
/// are as long as the longest piece of the same frame that is little longer.
pub(super) fn level(batch: &mut [(u8, Kept)]) {
    for index in 0..batch.len() {
        let Some((track, kept)) = batch.get(index) else { return };
        let length = kept.packet.payload().len();
        let pieces = batch
            .iter()
            .filter(|(other, piece)| other == track && piece.timestamp == kept.timestamp)
            .map(|(_, piece)| piece.packet.payload().len());
        let longest = pieces.filter(|piece| *piece <= length.saturating_add(MOST)).max();
        let missing = longest.map_or(0, |longest| longest.saturating_sub(length));
        if let Some((_, kept)) = batch.get_mut(index) {
            kept.padding = u8::try_from(missing).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::BytesMut;

    use super::*;
    use crate::Codec;
    use crate::rtp::{Fields, RtpPacket};

    fn packet(timestamp: u32, length: usize) -> Kept {
        let mut bytes = BytesMut::new();
        Fields { timestamp, ..Fields::default() }.append(&[], &mut bytes);
        bytes.resize(bytes.len() + length, 7);
        #[allow(clippy::disallowed_methods)]
        let packet = RtpPacket::parse(bytes, 0, Instant::now(), Codec::Vp8).unwrap();
        Kept { sequence: 0, timestamp, audio_level: None, orientation: None, padding: 0, packet }
    }

    fn padding(lengths: &[(u8, u32, usize)]) -> Vec<u8> {
        let mut batch: Vec<_> =
            lengths.iter().map(|&(track, at, length)| (track, packet(at, length))).collect();
        level(&mut batch);
        batch.iter().map(|(_, kept)| kept.padding).collect()
    }

    #[test]
    fn pieces_of_a_frame_get_one_length_where_that_is_little() {
        assert_eq!(padding(&[(1, 9, 1_100), (1, 9, 1_100), (1, 9, 1_101)]), [1, 1, 0]);
        assert_eq!(padding(&[(1, 9, 1_101), (0, 9, 1_100), (1, 9, 1_099)]), [0, 0, 2]);
        assert_eq!(padding(&[(1, 9, 90), (1, 9, 1_100), (1, 9, 1_084)]), [0, 0, 16]);
        assert_eq!(padding(&[(1, 9, 1_100), (1, 9, 1_083)]), [0, 0]);
    }

    #[test]
    fn frames_and_tracks_are_levelled_by_themselves() {
        assert_eq!(padding(&[(1, 9, 1_100), (1, 10, 1_101), (0, 9, 1_102)]), [0, 0, 0]);
        assert_eq!(padding(&[]), []);
    }
}
