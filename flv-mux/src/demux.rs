//! Demuxing: tags from bytes as they arrive.

use std::collections::VecDeque;

use bytes::Bytes;
use thiserror::Error;

use crate::{
    Limits,
    header::{FileHeader, HeaderError},
    tag::{Tag, TagHeader},
};

/// Why a stream cannot be demuxed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DemuxError {
    /// The file header is not one.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A tag's body is longer than [`Limits::max_tag_body`].
    #[error("tag body of {len} bytes is over the limit of {limit}")]
    TagTooLarge {
        /// Length that the tag header announced.
        len: u32,
        /// What is allowed.
        limit: u32,
    },
}

/// Takes in an FLV stream in pieces of any size and gives its tags.
///
/// Any split of the bytes gives the same tags and the same error. Each body is copied once, out
/// of the piece it came in, into memory of its own.
///
/// Memory: the tag that is still arriving (at most [`Limits::max_tag_body`], growing with the
/// bytes), and the tags completed since the last [`poll_tag`](Self::poll_tag) that gave `None`.
/// So poll until `None` after every [`receive`](Self::receive).
#[derive(Debug)]
pub struct Demuxer {
    limits: Limits,
    state: State,
    /// Bytes of a fixed-size structure that is not complete yet.
    partial: Partial,
    tags: VecDeque<Tag>,
    header: Option<FileHeader>,
    wrong_sizes: u64,
}

#[derive(Debug)]
enum State {
    FileHeader,
    /// Between the file header and the data offset.
    Skip {
        left: u32,
    },
    /// The four bytes after a tag (or, at first, after the file header), with what they should say.
    PreviousTagSize {
        expected: u32,
    },
    TagHeader,
    Body {
        header: TagHeader,
        body: Vec<u8>,
    },
    Failed(DemuxError),
}

/// Room for this many is kept when all tags are polled; more is given back.
const KEPT_TAGS: usize = 64;

/// A body longer than this is allocated in steps, as its bytes arrive, and not on the word of its
/// header.
const FIRST_ALLOCATION: usize = 64 * 1024;

impl Demuxer {
    /// A demuxer at the start of a stream: it expects a file header.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::FileHeader,
            partial: Partial::default(),
            tags: VecDeque::new(),
            header: None,
            wrong_sizes: 0,
        }
    }

    /// Takes in the next bytes of the stream. After an error they are ignored.
    pub fn receive(&mut self, data: &[u8]) {
        let mut data = data;
        while let Some(rest) = self.step(data) {
            data = rest;
        }
    }

    /// The next complete tag; `Ok(None)` when more bytes are needed.
    ///
    /// A tag is given as soon as its body is there, before the previous tag size that follows.
    ///
    /// # Errors
    ///
    /// [`DemuxError`] after the last tag before the fault, and again at every later call.
    pub fn poll_tag(&mut self) -> Result<Option<Tag>, DemuxError> {
        let tag = self.tags.pop_front();
        if self.tags.is_empty() && self.tags.capacity() > KEPT_TAGS {
            self.tags = VecDeque::new();
        }
        match (tag, &self.state) {
            (Some(tag), _) => Ok(Some(tag)),
            (None, State::Failed(error)) => Err(*error),
            (None, _) => Ok(None),
        }
    }

    /// The file header, once it has arrived.
    pub fn header(&self) -> Option<FileHeader> {
        self.header
    }

    /// How many previous tag sizes were not what they should be. They are not needed to find the
    /// next tag, and some writers leave them 0, so this is only counted.
    pub fn wrong_previous_tag_sizes(&self) -> u64 {
        self.wrong_sizes
    }

    /// Whether the bytes so far end where a stream may end: after a whole tag, with or without
    /// its previous tag size. False means that the stream was cut off.
    pub fn is_at_boundary(&self) -> bool {
        match self.state {
            State::PreviousTagSize { .. } => true,
            State::TagHeader => self.partial.is_empty(),
            State::FileHeader | State::Skip { .. } | State::Body { .. } | State::Failed(_) => false,
        }
    }

    /// Bytes held for a tag that is still arriving.
    pub fn buffered(&self) -> usize {
        match &self.state {
            State::Body { body, .. } => body.len(),
            _ => self.partial.len(),
        }
    }

    /// One structure further; the bytes that are left, or `None` when there is nothing to do.
    fn step<'a>(&mut self, data: &'a [u8]) -> Option<&'a [u8]> {
        if data.is_empty() {
            return None;
        }
        match &mut self.state {
            State::FileHeader => self.file_header(data),
            State::Skip { left } => {
                let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *left = left.saturating_sub(u32::try_from(wanted).unwrap_or(u32::MAX));
                if *left == 0 {
                    self.state = State::PreviousTagSize { expected: 0 };
                }
                data.get(wanted..)
            }
            &mut State::PreviousTagSize { expected } => {
                let (size, rest) = self.partial.fill::<4>(data)?;
                if u32::from_be_bytes(size) != expected {
                    self.wrong_sizes = self.wrong_sizes.saturating_add(1);
                }
                self.state = State::TagHeader;
                Some(rest)
            }
            State::TagHeader => self.tag_header(data),
            State::Body { header, body } => {
                let header = *header;
                let rest = fill_body(body, header.body_len, data)?;
                let body = std::mem::take(body);
                self.complete(header, body.into());
                Some(rest)
            }
            State::Failed(_) => None,
        }
    }

    fn file_header<'a>(&mut self, data: &'a [u8]) -> Option<&'a [u8]> {
        // Byte by byte, so that a wrong signature shows after three bytes however they are split.
        let (&byte, rest) = data.split_first()?;
        self.partial.push(byte);
        match FileHeader::decode(self.partial.as_slice(), self.limits.max_data_offset) {
            Ok(None) => {}
            Ok(Some((header, offset))) => {
                self.partial.clear();
                self.header = Some(header);
                self.state = match offset.saturating_sub(9) {
                    0 => State::PreviousTagSize { expected: 0 },
                    left => State::Skip { left },
                };
            }
            Err(error) => self.state = State::Failed(error.into()),
        }
        Some(rest)
    }

    fn tag_header<'a>(&mut self, data: &'a [u8]) -> Option<&'a [u8]> {
        let (bytes, rest) = self.partial.fill::<{ TagHeader::LEN }>(data)?;
        let header = TagHeader::decode(&bytes).ok()?;
        let limit = self.limits.max_tag_body;
        if header.body_len > limit {
            self.state = State::Failed(DemuxError::TagTooLarge { len: header.body_len, limit });
            return None;
        }
        // The usual case: the whole body is here, and gets one allocation of its own size.
        let len = usize::try_from(header.body_len).ok()?;
        if let Some((body, rest)) = rest.split_at_checked(len) {
            self.complete(header, Bytes::copy_from_slice(body));
            return Some(rest);
        }
        self.state = State::Body { header, body: Vec::new() };
        Some(rest)
    }

    fn complete(&mut self, header: TagHeader, body: Bytes) {
        let TagHeader { kind, filter, timestamp, stream_id, .. } = header;
        self.tags.push_back(Tag { kind, filter, timestamp, stream_id, body });
        self.state = State::PreviousTagSize { expected: header.previous_tag_size() };
    }
}

/// Moves bytes into `body` until it has `len`; the bytes left over then, `None` before.
fn fill_body<'a>(body: &mut Vec<u8>, len: u32, data: &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(len).ok()?;
    let missing = len.saturating_sub(body.len());
    let (now, rest) = data.split_at_checked(missing).unwrap_or((data, &[]));
    if body.capacity() < body.len().saturating_add(now.len()) {
        // At least doubles, so that the copies stay in proportion; never beyond the body.
        let step = body.len().max(now.len()).max(FIRST_ALLOCATION);
        body.reserve_exact(step.min(missing));
    }
    body.extend_from_slice(now);
    (body.len() == len).then_some(rest)
}

/// The first bytes of a structure that arrives in pieces.
#[derive(Debug, Default)]
struct Partial {
    bytes: [u8; TagHeader::LEN],
    len: usize,
}

impl Partial {
    fn len(&self) -> usize {
        self.len
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len = self.len.saturating_add(1);
        }
    }

    /// Takes bytes until there are `N`; then gives them and the bytes left over.
    fn fill<'a, const N: usize>(&mut self, data: &'a [u8]) -> Option<([u8; N], &'a [u8])> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag::TagKind;

    /// A header, an empty script tag, and three bytes of AAC at 7 ms.
    const FILE: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\
        \x12\0\0\0\0\0\0\0\0\0\0\0\0\0\x0b\
        \x08\0\0\x03\0\0\x07\0\0\0\0\xaf\x01\x21\0\0\0\x0e";

    fn tags(demuxer: &mut Demuxer) -> Vec<Tag> {
        std::iter::from_fn(|| demuxer.poll_tag().unwrap()).collect()
    }

    fn expected() -> Vec<Tag> {
        vec![
            Tag::new(TagKind::Script, 0, Bytes::new()),
            Tag::new(TagKind::Audio, 7, Bytes::from_static(&[0xaf, 1, 0x21])),
        ]
    }

    #[test]
    fn room_for_a_burst_of_tags_is_given_back() {
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.receive(FILE);
        for _ in 0..1000 {
            demuxer.receive(&FILE[13..28]);
        }
        assert_eq!(tags(&mut demuxer).len(), 1002);
        assert!(demuxer.tags.capacity() <= KEPT_TAGS);
    }

    #[test]
    fn gives_the_tags_whole_or_byte_by_byte() {
        let mut whole = Demuxer::new(Limits::default());
        whole.receive(FILE);
        assert_eq!(tags(&mut whole), expected());
        assert_eq!(whole.header(), Some(FileHeader::new(true, true)));

        let mut bytewise = Demuxer::new(Limits::default());
        let mut all = Vec::new();
        for byte in FILE {
            bytewise.receive(std::slice::from_ref(byte));
            all.extend(tags(&mut bytewise));
        }
        assert_eq!(all, expected());
        assert_eq!(bytewise.wrong_previous_tag_sizes(), 0);
        assert!(bytewise.is_at_boundary());
    }

    #[test]
    fn a_tag_does_not_wait_for_its_previous_tag_size() {
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.receive(&FILE[..FILE.len() - 4]);
        assert_eq!(tags(&mut demuxer).len(), 2);
        assert!(demuxer.is_at_boundary());
    }

    #[test]
    fn a_cut_off_stream_is_not_at_a_boundary() {
        for (len, at_boundary) in [(5, false), (13, true), (14, false), (FILE.len() - 5, false)] {
            let mut demuxer = Demuxer::new(Limits::default());
            demuxer.receive(&FILE[..len]);
            assert_eq!(demuxer.is_at_boundary(), at_boundary, "{len}");
        }
    }

    #[test]
    fn wrong_previous_tag_sizes_are_only_counted() {
        let mut bytes = FILE.to_vec();
        bytes[12] = 1;
        let end = bytes.len();
        bytes[end - 1] = 0;
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.receive(&bytes);
        assert_eq!(tags(&mut demuxer), expected());
        assert_eq!(demuxer.wrong_previous_tag_sizes(), 2);
    }

    #[test]
    fn skips_to_the_data_offset() {
        let mut bytes = FILE.to_vec();
        bytes[8] = 12;
        bytes.splice(9..9, [1, 2, 3]);
        let mut demuxer = Demuxer::new(Limits::default());
        for piece in bytes.chunks(2) {
            demuxer.receive(piece);
        }
        assert_eq!(tags(&mut demuxer), expected());
    }

    #[test]
    fn the_error_comes_after_the_tags_before_it_and_stays() {
        let mut demuxer = Demuxer::new(Limits { max_tag_body: 2, ..Limits::default() });
        demuxer.receive(FILE);
        assert_eq!(demuxer.poll_tag().unwrap(), Some(expected().remove(0)));
        let error = DemuxError::TagTooLarge { len: 3, limit: 2 };
        assert_eq!(demuxer.poll_tag(), Err(error));
        demuxer.receive(FILE);
        assert_eq!(demuxer.poll_tag(), Err(error));
        assert_eq!(error.to_string(), "tag body of 3 bytes is over the limit of 2");
    }

    #[test]
    fn refuses_another_signature_after_three_bytes() {
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.receive(b"RTM");
        let error = DemuxError::Header(HeaderError::Signature(*b"RTM"));
        assert_eq!(demuxer.poll_tag(), Err(error));
    }

    #[test]
    fn an_announced_body_takes_no_memory_before_its_bytes_arrive() {
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.receive(&FILE[..13]);
        demuxer.receive(&[9, 0x7f, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x17]);
        let State::Body { body, .. } = &demuxer.state else { panic!("{:?}", demuxer.state) };
        assert!(body.capacity() <= FIRST_ALLOCATION, "{}", body.capacity());
        assert_eq!(demuxer.buffered(), 1);
    }

    #[test]
    fn a_long_body_ends_up_in_exactly_its_own_memory() {
        let body = vec![7; 300_000];
        let mut bytes = FILE[..13].to_vec();
        bytes.extend(TagHeader::new(TagKind::Video, 0, 300_000).encode());
        bytes.extend(&body);
        let mut demuxer = Demuxer::new(Limits::default());
        for piece in bytes.chunks(1000) {
            demuxer.receive(piece);
            if let State::Body { body, .. } = &demuxer.state {
                assert!(body.capacity() <= 300_000);
            }
        }
        assert_eq!(demuxer.poll_tag().unwrap().unwrap().body, body);
    }
}
