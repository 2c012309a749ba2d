//! Rewriting a tag's header between the old form and the enhanced form.
//!
//! Old players know codecs by their four-bit numbers, and H.265 and AV1 by the numbers 12 and 13
//! that encoders used before there were FourCCs; new ones may want FourCCs alone. The payload is
//! the same in both forms, so only the few bytes in front of it change.

mod audio;
mod video;

pub use audio::{audio_to_enhanced, audio_to_old};
pub use video::{video_to_enhanced, video_to_old};

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::{AudioHeaderError, FourCc, TrackError, VideoHeaderError};

/// Longest header in either form, without modifiers: first byte, FourCC, composition time.
const MOST: usize = 8;

/// A tag's body in another form: a new header before a part of the old body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rewrite {
    header: [u8; MOST],
    len: usize,
    payload: Range<usize>,
}

/// Why a tag cannot be said in the other form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The header of a video tag could not be read.
    #[error(transparent)]
    Video(#[from] VideoHeaderError),
    /// The header of an audio tag could not be read.
    #[error(transparent)]
    Audio(#[from] AudioHeaderError),
    /// The tracks of a multitrack packet could not be read.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// The codec has no number in the old form.
    #[error("codec {0} cannot be said in the old form")]
    Codec(FourCc),
    /// The codec has a number in the old form, but no FourCC.
    #[error("codec number {0} has no fourcc")]
    CodecNumber(u8),
    /// Packets of this type exist in one form only.
    #[error("packet type {0} cannot be said in the other form")]
    PacketType(u8),
    /// A multitrack packet has no track 0, and an old player has no other.
    #[error("multitrack packet has no track 0 for the old form")]
    NoTrack0,
}

impl Rewrite {
    /// A body that is in the wanted form already.
    fn unchanged(body: &[u8]) -> Self {
        Self { header: [0; MOST], len: 0, payload: 0..body.len() }
    }

    /// A header of at most [`MOST`] bytes in front of a part of the old body.
    fn new(header: &[u8], payload: Range<usize>) -> Self {
        let mut bytes = [0; MOST];
        for (slot, &byte) in bytes.iter_mut().zip(header) {
            *slot = byte;
        }
        Self { header: bytes, len: header.len().min(MOST), payload }
    }

    /// The new header; empty when the body stays as it is.
    pub fn header(&self) -> &[u8] {
        self.header.get(..self.len).unwrap_or_default()
    }

    /// Which bytes of the old body follow the header.
    pub fn payload(&self) -> Range<usize> {
        self.payload.clone()
    }

    /// Whether the body stays as it is.
    pub const fn is_unchanged(&self) -> bool {
        self.len == 0
    }

    /// Length of the new body in bytes.
    pub fn body_len(&self) -> usize {
        self.len.saturating_add(self.payload.len())
    }

    /// Appends the new body to `out`; `body` is the one that was rewritten.
    pub fn encode(&self, body: &[u8], out: &mut BytesMut) {
        out.put_slice(self.header());
        out.put_slice(body.get(self.payload()).unwrap_or_default());
    }
}

/// Where in `body` the slice `part` of it begins and ends.
fn range_of(body: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    start..start.saturating_add(part.len())
}
