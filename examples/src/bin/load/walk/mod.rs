//! Walks over the bytes of a stream without putting its messages together: what a player that checks
//! but doesn't show needs is a message's kind, its time, its length and its first bytes.

mod chunked;
mod flv;
mod rtmp;

use rtmp_proto::{MediaKind, MediaMessage};

pub(crate) use chunked::{ChunkedError, ChunkedWalk};
pub(crate) use flv::{FlvError, FlvWalk};
pub(crate) use rtmp::{RtmpWalk, WalkError, Walked};

use crate::stamp;

/// How much of a message is kept: up to the end of its stamp.
const HEAD: usize = stamp::VIDEO_OFFSET + stamp::LEN;

/// A message with media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub(crate) kind: MediaKind,
    /// Milliseconds, wrapping at 32 bits.
    pub(crate) timestamp: u32,
    /// Of the whole payload.
    pub(crate) len: usize,
    /// What the payload starts with, as far as it was kept.
    pub(crate) head: &'a [u8],
}

impl<'a> From<&'a MediaMessage> for Found<'a> {
    fn from(message: &'a MediaMessage) -> Self {
        let MediaMessage { kind, timestamp, ref payload } = *message;
        Self { kind, timestamp, len: payload.len(), head: payload }
    }
}

/// The first bytes of a payload that comes in pieces.
#[derive(Debug, Clone)]
struct Head {
    bytes: [u8; HEAD],
    len: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self { bytes: [0; HEAD], len: 0 }
    }
}

impl Head {
    /// Takes what it still has room for.
    fn fill(&mut self, piece: &[u8]) {
        let take = piece.len().min(HEAD - self.len);
        self.bytes[self.len..self.len + take].copy_from_slice(&piece[..take]);
        self.len += take;
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Takes up to `count` bytes off the front of `input`.
fn take<'a>(input: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (piece, rest) = input.split_at(count.min(input.len()));
    *input = rest;
    piece
}
