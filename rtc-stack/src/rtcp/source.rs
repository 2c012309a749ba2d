use crate::Ssrc;
use crate::bytes_at::{u8_at, u32_at};

/// Names of sources (RFC 3550, 6.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceDescription<'a> {
    chunks: u8,
    bytes: &'a [u8],
}

/// One thing said of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceItem<'a> {
    /// The source.
    pub ssrc: Ssrc,
    /// What it is: 1 is the canonical name.
    pub kind: u8,
    /// The text, which should be UTF-8.
    pub text: &'a [u8],
}

impl SourceItem<'_> {
    /// The canonical name: the same for all sources that are to be synchronized.
    pub const CNAME: u8 = 1;
}

impl<'a> SourceDescription<'a> {
    pub(super) const fn new(chunks: u8, bytes: &'a [u8]) -> Self {
        Self { chunks, bytes }
    }

    /// Walks the items of all sources. Ends where one is cut.
    pub fn items(&self) -> impl Iterator<Item = SourceItem<'a>> + use<'a> {
        let mut walk = Walk { bytes: self.bytes, at: 0, chunks: self.chunks, source: None };
        std::iter::from_fn(move || walk.step())
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    chunks: u8,
    source: Option<Ssrc>,
}

impl<'a> Walk<'a> {
    fn step(&mut self) -> Option<SourceItem<'a>> {
        loop {
            let Some(ssrc) = self.source else {
                self.chunks = self.chunks.checked_sub(1)?;
                self.source = Some(Ssrc(u32_at(self.bytes, self.at)?));
                self.at = self.at.saturating_add(4);
                continue;
            };
            let kind = u8_at(self.bytes, self.at)?;
            if kind == 0 {
                // The list ends here, and its padding with the next multiple of four bytes.
                self.at = self.at.saturating_add(1).next_multiple_of(4);
                self.source = None;
                continue;
            }
            let len = usize::from(u8_at(self.bytes, self.at.saturating_add(1))?);
            let start = self.at.saturating_add(2);
            let text = self.bytes.get(start..start.saturating_add(len))?;
            self.at = start.saturating_add(len);
            return Some(SourceItem { ssrc, kind, text });
        }
    }
}

/// Sources that end (RFC 3550, 6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goodbye<'a> {
    sources: &'a [[u8; 4]],
    /// Why they do. Empty if it isn't said.
    pub reason: &'a [u8],
}

impl<'a> Goodbye<'a> {
    /// Walks the sources.
    pub fn sources(&self) -> impl Iterator<Item = Ssrc> + use<'a> {
        self.sources.iter().map(|&ssrc| Ssrc(u32::from_be_bytes(ssrc)))
    }

    pub(super) fn decode(count: u8, body: &'a [u8]) -> Option<Self> {
        let at = usize::from(count).saturating_mul(4);
        let sources = body.get(..at)?.as_chunks().0;
        let Some(len) = u8_at(body, at) else { return Some(Self { sources, reason: &[] }) };
        let start = at.saturating_add(1);
        let reason = body.get(start..start.saturating_add(usize::from(len)))?;
        Some(Self { sources, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_end_with_a_zero_on_a_multiple_of_four() {
        let bytes = [
            &[0, 0, 0, 7, 1, 3, b'a', b'b', b'c', 6, 0, 0][..],
            &[0, 0, 0, 8, 1, 1, b'd', 0],
            &[0, 0, 0, 9, 1, 2, b'e', b'f', 0, 0, 0, 0],
            &[0, 0, 0, 1, 1, 4, b'c', b'u', b't'],
        ]
        .concat();
        let item = |ssrc, kind, text| SourceItem { ssrc: Ssrc(ssrc), kind, text };
        let all = [item(7, 1, &b"abc"[..]), item(7, 6, b""), item(8, 1, b"d"), item(9, 1, b"ef")];
        let walk = |count, bytes| SourceDescription::new(count, bytes).items().collect::<Vec<_>>();
        assert_eq!(walk(4, &bytes), all);
        assert_eq!(walk(1, &bytes), all[..2]);
        for length in 0..bytes.len() {
            let items = walk(31, &bytes[..length]);
            assert_eq!(items, all[..items.len()]);
        }
    }

    #[test]
    fn a_goodbye_may_say_why() {
        let body = [0, 0, 0, 1, 0, 0, 0, 2, 3, b'e', b'n', b'd'];
        let goodbye = Goodbye::decode(2, &body).unwrap();
        assert_eq!(goodbye.sources().collect::<Vec<_>>(), [Ssrc(1), Ssrc(2)]);
        assert_eq!(goodbye.reason, b"end");
        assert_eq!(Goodbye::decode(2, &body[..8]).unwrap().reason, b"");
        assert_eq!(Goodbye::decode(2, &body[..11]), None);
        assert_eq!(Goodbye::decode(4, &body), None);
    }
}
