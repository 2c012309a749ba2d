//! Cutting an input into pieces, as the input itself says.

/// The sizes in which an input is handed over, taken from its first bytes.
///
/// The low three bits of the first byte say how many sizes follow, one byte each, used in turn. No
/// sizes: everything in one piece.
pub(crate) struct Split<'a> {
    sizes: &'a [u8],
}

impl<'a> Split<'a> {
    /// The split and the bytes behind it.
    pub(crate) fn take(data: &'a [u8]) -> (Self, &'a [u8]) {
        let (count, rest) = data.split_first().unwrap_or((&0, &[]));
        let (sizes, rest) = rest.split_at(rest.len().min(usize::from(count & 7)));
        (Self { sizes }, rest)
    }

    /// The pieces of `data`, none of them empty.
    pub(crate) fn pieces<'d>(&self, data: &'d [u8]) -> impl Iterator<Item = &'d [u8]> {
        self.pieces_of(1, data)
    }

    /// The pieces of `data`, `unit` times as long as the sizes say, none of them empty.
    pub(crate) fn pieces_of<'d>(
        &self,
        unit: usize,
        data: &'d [u8],
    ) -> impl Iterator<Item = &'d [u8]> {
        let mut sizes = self.sizes.iter().cycle();
        let mut rest = data;
        std::iter::from_fn(move || {
            let size = sizes.next().map_or(rest.len(), |&size| unit * usize::from(size).max(1));
            let (piece, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_first_and_are_used_in_turn() {
        let (split, rest) = Split::take(&[0xfa, 2, 0, 1, 2, 3, 4]);
        let pieces: Vec<_> = split.pieces(rest).collect();
        assert_eq!(pieces, [&[1, 2][..], &[3], &[4]]);
        let (split, rest) = Split::take(&[0, 1, 2]);
        assert_eq!(split.pieces(rest).collect::<Vec<_>>(), [[1, 2]]);
    }
}
