//! Structures of a fixed size that arrive in pieces.

use crate::tag::TagHeader;

/// The first bytes of a structure that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct Partial {
    bytes: [u8; TagHeader::LEN],
    len: usize,
}

impl Partial {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(super) fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Takes bytes until there are `N`; then gives them and the bytes left over.
    pub(super) fn fill<'a, const N: usize>(
        &mut self,
        data: &'a [u8],
    ) -> Option<([u8; N], &'a [u8])> {
        let mut rest = data;
        if self.is_empty()
            && let Some((whole, rest)) = rest.split_first_chunk::<N>()
        {
            return Some((*whole, rest));
        }
        while self.len < N {
            let (&byte, after) = rest.split_first()?;
            self.push(byte);
            rest = after;
        }
        let whole = *self.bytes.first_chunk::<N>()?;
        self.clear();
        Some((whole, rest))
    }
}
