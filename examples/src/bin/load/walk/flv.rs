//! FLV, bodies unassembled.

use rtmp_proto::MediaKind;
use thiserror::Error;

use super::{Found, Head, take};

/// The file header and the first previous tag size.
const PREFIX: usize = 13;
const TAG_HEADER: usize = 11;
const PREVIOUS_TAG_SIZE: usize = 4;

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum FlvError {
    #[error("no FLV: it starts with {0:02x?}")]
    Signature([u8; 3]),
    #[error("tag of type {0}")]
    TagType(u8),
    #[error("previous tag size {told} after a tag of {len} bytes")]
    PreviousTagSize { told: u32, len: usize },
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Prefix,
    TagHeader,
    Body { left: usize },
    PreviousTagSize,
}

/// Walks over an FLV stream from its first byte.
#[derive(Debug)]
pub(crate) struct FlvWalk {
    next: Next,
    /// A structure that has only partly come.
    carry: [u8; PREFIX],
    carried: usize,
    kind: MediaKind,
    timestamp: u32,
    len: usize,
    head: Head,
}

impl Default for FlvWalk {
    fn default() -> Self {
        Self {
            next: Next::Prefix,
            carry: [0; PREFIX],
            carried: 0,
            kind: MediaKind::Data,
            timestamp: 0,
            len: 0,
            head: Head::default(),
        }
    }
}

impl FlvWalk {
    /// Takes bytes off the front of `input` up to the end of the next tag; `None` when it needs
    /// more.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Found<'_>>, FlvError> {
        loop {
            match self.next {
                Next::Prefix => {
                    let Some(bytes) = self.whole::<PREFIX>(input) else { return Ok(None) };
                    if bytes[..3] != *b"FLV" {
                        return Err(FlvError::Signature([bytes[0], bytes[1], bytes[2]]));
                    }
                    self.next = Next::TagHeader;
                }
                Next::TagHeader => {
                    let Some(bytes) = self.whole::<TAG_HEADER>(input) else { return Ok(None) };
                    self.tag_header(bytes)?;
                }
                Next::Body { left } => {
                    let piece = take(input, left);
                    self.head.fill(piece);
                    if piece.len() < left {
                        self.next = Next::Body { left: left - piece.len() };
                        return Ok(None);
                    }
                    self.next = Next::PreviousTagSize;
                }
                Next::PreviousTagSize => {
                    let Some(bytes) = self.whole::<PREVIOUS_TAG_SIZE>(input) else {
                        return Ok(None);
                    };
                    let (told, len) = (u32::from_be_bytes(bytes), self.len + TAG_HEADER);
                    if told as usize != len {
                        return Err(FlvError::PreviousTagSize { told, len });
                    }
                    self.next = Next::TagHeader;
                    let Self { kind, timestamp, len, .. } = *self;
                    return Ok(Some(Found { kind, timestamp, len, head: self.head.bytes() }));
                }
            }
        }
    }

    fn tag_header(&mut self, bytes: [u8; TAG_HEADER]) -> Result<(), FlvError> {
        let [tag_type, l2, l1, l0, t2, t1, t0, t3, ..] = bytes;
        self.kind = match tag_type & 0x1f {
            8 => MediaKind::Audio,
            9 => MediaKind::Video,
            18 => MediaKind::Data,
            other => return Err(FlvError::TagType(other)),
        };
        self.len = u32::from_be_bytes([0, l2, l1, l0]) as usize;
        self.timestamp = u32::from_be_bytes([t3, t2, t1, t0]);
        self.head.clear();
        self.next = Next::Body { left: self.len };
        Ok(())
    }

    /// Takes `N` bytes that belong together.
    fn whole<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        if self.carried == 0
            && let Some((whole, rest)) = input.split_first_chunk()
        {
            *input = rest;
            return Some(*whole);
        }
        let piece = take(input, N - self.carried);
        self.carry[self.carried..self.carried + piece.len()].copy_from_slice(piece);
        self.carried += piece.len();
        if self.carried < N {
            return None;
        }
        self.carried = 0;
        self.carry.first_chunk().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use flv_mux::{TagKind, mux};

    fn stream() -> BytesMut {
        let mut bytes = BytesMut::new();
        mux::encode_header(&mut bytes, true, true);
        for (kind, timestamp, body) in [
            (TagKind::Script, 0, vec![2; 100]),
            (TagKind::Video, 0x0123_4567, vec![0x17; 500]),
            (TagKind::Audio, 0x0123_4568, vec![0xaf; 30]),
        ] {
            mux::encode_tag(&mut bytes, kind, timestamp, &body).unwrap();
        }
        bytes
    }

    #[test]
    fn tags_are_found_however_their_bytes_are_split() {
        let bytes = stream();
        for step in 1..bytes.len() {
            let (mut walk, mut found) = (FlvWalk::default(), Vec::new());
            for mut piece in bytes.chunks(step) {
                while let Some(Found { kind, timestamp, len, head }) =
                    walk.next(&mut piece).unwrap()
                {
                    found.push((kind, timestamp, len, head.len()));
                }
                assert!(piece.is_empty());
            }
            let expected = [
                (MediaKind::Data, 0, 100, 60),
                (MediaKind::Video, 0x0123_4567, 500, 60),
                (MediaKind::Audio, 0x0123_4568, 30, 30),
            ];
            assert_eq!(found, expected, "{step}");
        }
    }

    #[test]
    fn what_is_no_flv_is_refused() {
        let error = |bytes: &[u8]| {
            let (mut walk, mut rest) = (FlvWalk::default(), bytes);
            loop {
                match walk.next(&mut rest) {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it is accepted"),
                    Err(error) => return error,
                }
            }
        };
        assert_eq!(error(b"<html><body></body>"), FlvError::Signature(*b"<ht"));
        let mut bytes = stream();
        let last = bytes.len() - 1;
        bytes[last] += 1;
        assert_eq!(error(&bytes), FlvError::PreviousTagSize { told: 42, len: 41 });
        bytes[13] = 7;
        assert_eq!(error(&bytes), FlvError::TagType(7));
    }
}
