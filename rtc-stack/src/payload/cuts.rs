use std::ops::Range;

/// Cuts so many bytes into the fewest pieces of at most `room`. They have the same length, except for the last, which may
/// be shorter: such a run of datagrams can be handed to the system as one (segmentation offload).
pub(super) fn cuts(length: usize, room: usize) -> impl Iterator<Item = Range<usize>> {
    let size = even(length, room);
    (0..length).step_by(size).map(move |start| start..start.saturating_add(size).min(length))
}

/// The length of those pieces; 1 at least.
pub(super) fn even(length: usize, room: usize) -> usize {
    let count = length.div_ceil(room.max(1)).max(1);
    length.div_ceil(count).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_are_even() {
        assert_eq!(cuts(10, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
        assert_eq!(cuts(9, 4).collect::<Vec<_>>(), [0..3, 3..6, 6..9]);
        assert!(cuts(4, 4).eq(std::iter::once(0..4)));
        assert_eq!(cuts(0, 4).count(), 0);
    }

    proptest! {
        #[test]
        fn nothing_is_left_out(length in 1_usize..20_000, room in 1_usize..2_000) {
            let pieces: Vec<_> = cuts(length, room).collect();
            prop_assert_eq!(pieces.len(), length.div_ceil(pieces[0].len()));
            prop_assert_eq!(pieces.len(), length.div_ceil(room));
            let mut at = 0;
            for piece in &pieces {
                prop_assert_eq!(piece.start, at);
                prop_assert!(piece.len() <= room && !piece.is_empty());
                at = piece.end;
            }
            prop_assert_eq!(at, length);
            prop_assert!(pieces.iter().rev().skip(1).all(|piece| piece.len() == pieces[0].len()));
        }
    }
}
