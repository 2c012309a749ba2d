//! Demuxing: tags from bytes as they arrive.

mod partial;
mod resync;

use std::collections::VecDeque;

use bytes::Bytes;
use thiserror::Error;

use crate::{
    Limits,
    demux::{partial::Partial, resync::Scanner},
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
    resync: Option<Resync>,
}

/// What looking for tags behind damage takes.
#[derive(Debug, Default)]
struct Resync {
    /// The last tag and its header's bytes, until what follows shows that it is one; with the
    /// previous tag size, once that was found to be wrong.
    held: Option<(Tag, [u8; TagHeader::LEN], Option<[u8; 4]>)>,
    /// The bytes at hand were looked at before, as part of a tag that was none. They are not
    /// looked at a third time, so what damage costs is in proportion to its length.
    is_replay: bool,
    skipped: u64,
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
        /// The header's bytes, of a tag that is held until what follows it is known.
        hold: Option<[u8; TagHeader::LEN]>,
    },
    /// Behind damage: no tag is where one should be.
    Scan(Scanner),
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
            resync: None,
        }
    }

    /// A demuxer that finds the next tag behind damage, at the start of a stream.
    ///
    /// Where no tag can be (another type than audio, video and script, a stream id that is not 0,
    /// a body over the limit), it looks for a tag with the right previous tag size behind it. A tag
    /// with a wrong one is held back until it is known whether another tag follows; if none does,
    /// its own bytes are searched too. Call [`finish`](Self::finish) at the end.
    ///
    /// Memory: three times [`Limits::max_tag_body`] at most, beyond the tags.
    pub fn with_resync(limits: Limits) -> Self {
        Self { resync: Some(Resync::default()), ..Self::new(limits) }
    }

    /// Ends a stream: a tag that was held back is given by the next
    /// [`poll_tag`](Self::poll_tag), and bytes that never became a tag count as skipped.
    pub fn finish(&mut self) {
        self.search_unfinished();
        self.release();
        let left = match &mut self.state {
            State::Scan(scanner) => scanner.take_len(),
            State::Body { body, .. } => body.len().saturating_add(TagHeader::LEN),
            State::TagHeader => self.partial.len(),
            _ => return,
        };
        if let Some(resync) = &mut self.resync {
            resync.skip(left);
            self.partial.clear();
            self.state = State::TagHeader;
        }
    }

    /// Looks for tags in one whose end never came: where its length is damage, it took in whole
    /// tags behind it.
    fn search_unfinished(&mut self) {
        let State::Body { body, hold: Some(header), .. } = &mut self.state else { return };
        let bytes = [header.as_slice(), body].concat();
        self.state = State::Scan(Scanner::default());
        self.replay(&bytes);
    }

    /// Bytes that were in no tag, of a demuxer made by [`with_resync`](Self::with_resync).
    pub fn skipped_bytes(&self) -> u64 {
        self.resync.as_ref().map_or(0, |resync| resync.skipped)
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
            State::FileHeader
            | State::Skip { .. }
            | State::Body { .. }
            | State::Scan(_)
            | State::Failed(_) => false,
        }
    }

    /// Bytes held for a tag that is still arriving.
    pub fn buffered(&self) -> usize {
        match &self.state {
            State::Body { body, .. } => body.len(),
            State::Scan(scanner) => scanner.len(),
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
                self.state = State::TagHeader;
                if u32::from_be_bytes(size) == expected {
                    self.release();
                } else {
                    self.wrong_sizes = self.wrong_sizes.saturating_add(1);
                    if let Some(Resync { held: Some((_, _, wrong)), .. }) = &mut self.resync {
                        *wrong = Some(size);
                    }
                }
                Some(rest)
            }
            State::TagHeader => self.tag_header(data),
            State::Body { header, body, hold } => {
                let (header, hold) = (*header, *hold);
                let rest = fill_body(body, header.body_len, data)?;
                let body = std::mem::take(body);
                self.complete(header, body.into(), hold);
                Some(rest)
            }
            State::Scan(scanner) => {
                let (found, skipped, rest) = scanner.scan(data, self.limits.max_tag_body);
                if let Some(resync) = &mut self.resync {
                    resync.skip(skipped);
                }
                if let Some(tag) = found {
                    self.tags.push_back(tag);
                    self.state = State::TagHeader;
                }
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
        let mut hold = None;
        if let Some(resync) = &self.resync {
            if !resync::is_plausible(&bytes, &header, limit) {
                self.lose_track(bytes);
                return Some(rest);
            }
            hold = (!resync.is_replay).then_some(bytes);
            self.release();
        } else if header.body_len > limit {
            self.state = State::Failed(DemuxError::TagTooLarge { len: header.body_len, limit });
            return None;
        }
        // The usual case: the whole body is here, and gets one allocation of its own size.
        let len = usize::try_from(header.body_len).ok()?;
        if let Some((body, rest)) = rest.split_at_checked(len) {
            self.complete(header, Bytes::copy_from_slice(body), hold);
            return Some(rest);
        }
        self.state = State::Body { header, body: Vec::new(), hold };
        Some(rest)
    }

    fn complete(&mut self, header: TagHeader, body: Bytes, hold: Option<[u8; TagHeader::LEN]>) {
        let TagHeader { kind, filter, timestamp, stream_id, .. } = header;
        let tag = Tag { kind, filter, timestamp, stream_id, body };
        match (&mut self.resync, hold) {
            (Some(resync), Some(bytes)) => resync.held = Some((tag, bytes, None)),
            _ => self.tags.push_back(tag),
        }
        self.state = State::PreviousTagSize { expected: header.previous_tag_size() };
    }
}

impl Demuxer {
    /// Gives the tag that was held back.
    fn release(&mut self) {
        let held = self.resync.as_mut().and_then(|resync| resync.held.take());
        self.tags.extend(held.map(|(tag, ..)| tag));
    }

    /// Starts to look for a tag: in a tag with a wrong previous tag size, and then from the bytes
    /// on that are no tag header.
    fn lose_track(&mut self, header: [u8; TagHeader::LEN]) {
        self.state = State::Scan(Scanner::default());
        let Some(resync) = &mut self.resync else { return };
        let mut replay = Vec::new();
        if let Some((tag, bytes, size)) = resync.held.take() {
            replay.extend(bytes);
            replay.extend(&tag.body);
            replay.extend(size.unwrap_or_default());
        }
        replay.extend(header);
        // Its last eleven bytes alone are in no tag, so no tag header is completed by them.
        self.replay(&replay);
    }

    /// Takes bytes in again. At most one level deep: what is replayed is not held, and so not
    /// replayed again.
    fn replay(&mut self, bytes: &[u8]) {
        let set = |demuxer: &mut Self, is_replay| {
            let resync = demuxer.resync.as_mut();
            resync.is_some_and(|resync| std::mem::replace(&mut resync.is_replay, is_replay))
        };
        let was_replay = set(self, true);
        self.receive(bytes);
        set(self, was_replay);
    }
}

impl Resync {
    fn skip(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.skipped = self.skipped.saturating_add(bytes);
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

#[cfg(test)]
mod tests;
