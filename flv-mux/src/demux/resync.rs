//! Finding the next tag behind damage.

use bytes::Bytes;

use crate::tag::{Tag, TagHeader, TagKind};

/// Bytes of a tag beyond its body: its header, and the previous tag size behind it.
const OVERHEAD: usize = 15;

/// Whether this can be a tag's header: audio, video or script, in the clear, with stream id 0 and
/// a body within the limit.
pub(super) fn is_plausible(bytes: &[u8], header: &TagHeader, limit: u32) -> bool {
    // The whole first byte: with the reserved bits and the encryption mark.
    let kinds = [TagKind::Audio, TagKind::Video, TagKind::Script];
    bytes.first().is_some_and(|&first| kinds.contains(&TagKind::from_wire(first)))
        && header.stream_id == 0
        && header.body_len <= limit
}

/// The bytes behind damage, as many as a tag can have.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    bytes: Vec<u8>,
    /// Where in `bytes` those begin that still can be part of a tag.
    start: usize,
}

impl Scanner {
    pub(super) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Forgets all bytes, and says how many there were.
    pub(super) fn take_len(&mut self) -> usize {
        let len = self.len();
        *self = Self::default();
        len
    }

    /// Takes bytes until they end with a tag and its previous tag size. Gives the tag, how many
    /// bytes turned out to be in none, and the bytes left over.
    ///
    /// Looking back from each possible previous tag size costs the same for every byte, and finds
    /// the tag that ends first, however the bytes are split.
    pub(super) fn scan<'a>(
        &mut self,
        data: &'a [u8],
        limit: u32,
    ) -> (Option<Tag>, usize, &'a [u8]) {
        let window = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(OVERHEAD);
        let mut skipped = 0_usize;
        let mut rest = data;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            self.bytes.push(byte);
            if let Some((tag, len)) = self.tag_at_end(limit) {
                skipped = skipped.saturating_add(self.take_len().saturating_sub(len));
                return (Some(tag), skipped, rest);
            }
            if self.len() > window {
                self.start = self.start.saturating_add(1);
                skipped = skipped.saturating_add(1);
                if self.start > window {
                    self.bytes.drain(..self.start);
                    self.start = 0;
                }
            }
        }
        (None, skipped, rest)
    }

    /// The tag that the bytes end with, and its length with the previous tag size.
    fn tag_at_end(&self, limit: u32) -> Option<(Tag, usize)> {
        let (before, size) = self.bytes.get(self.start..)?.split_last_chunk::<4>()?;
        let size = u32::from_be_bytes(*size);
        if size.checked_sub(11)? > limit {
            return None;
        }
        let size = usize::try_from(size).ok()?;
        let tag = before.get(before.len().checked_sub(size)?..)?;
        let header = TagHeader::decode(tag).ok()?;
        let body = tag.get(TagHeader::LEN..)?;
        let is_tag = is_plausible(tag, &header, limit)
            && usize::try_from(header.body_len).ok() == Some(body.len());
        let TagHeader { kind, timestamp, .. } = header;
        is_tag.then(|| {
            let tag = Tag::new(kind, timestamp, Bytes::copy_from_slice(body));
            (tag, size.saturating_add(4))
        })
    }
}
