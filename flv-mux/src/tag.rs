//! Tags: what an FLV stream is a sequence of.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::wire::{Reader, Truncated, be_24, wire_enum};

/// Longest body a tag can have on the wire, in bytes: 16 MiB - 1.
pub const MAX_BODY: u32 = 0xff_ffff;

wire_enum! {
    /// What a tag carries: the low five bits of its first byte (FLV 10.1, annex E.4.1).
    TagKind {
        /// Audio: the body starts with an [`AudioTagHeader`](crate::AudioTagHeader).
        Audio = 8,
        /// Video: the body starts with a [`VideoTagHeader`](crate::VideoTagHeader).
        Video = 9,
        /// Script data: AMF0 values, such as [`Metadata`](crate::Metadata).
        Script = 18,
    }
}

/// The eleven bytes before a tag's body (FLV 10.1, annex E.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TagHeader {
    /// What the body is. Only its low five bits are written.
    pub kind: TagKind,
    /// The `Filter` bit: the body is encrypted and starts with an encryption header.
    pub filter: bool,
    /// Length of the body in bytes, at most [`MAX_BODY`]; the low 24 bits are written.
    pub body_len: u32,
    /// Decoding time in milliseconds; it wraps after 2^32.
    pub timestamp: u32,
    /// `StreamID`: always 0 in practice, 24 bits on the wire.
    pub stream_id: u32,
}

impl TagHeader {
    /// Bytes of a tag header.
    pub const LEN: usize = 11;

    /// The header of an unfiltered tag with stream id 0.
    pub const fn new(kind: TagKind, timestamp: u32, body_len: u32) -> Self {
        Self { kind, filter: false, body_len, timestamp, stream_id: 0 }
    }

    /// Decodes the header at the start of `input`. The two reserved bits are ignored.
    ///
    /// # Errors
    ///
    /// [`Truncated`] for fewer than eleven bytes.
    pub fn decode(input: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(input);
        let first = reader.u8("tag type")?;
        let body_len = reader.u24("tag data size")?;
        let low = reader.u24("tag timestamp")?;
        let high = reader.u8("tag extended timestamp")?;
        let stream_id = reader.u24("tag stream id")?;
        Ok(Self {
            kind: TagKind::from_wire(first & 0x1f),
            filter: first & 0x20 != 0,
            body_len,
            timestamp: u32::from(high) << 24 | low,
            stream_id,
        })
    }

    /// The header's bytes.
    pub const fn encode(&self) -> [u8; Self::LEN] {
        let filter = if self.filter { 0x20 } else { 0 };
        let [l0, l1, l2] = be_24(self.body_len);
        let [t3, t0, t1, t2] = self.timestamp.to_be_bytes();
        let [s0, s1, s2] = be_24(self.stream_id);
        [filter | (self.kind.to_wire() & 0x1f), l0, l1, l2, t0, t1, t2, t3, s0, s1, s2]
    }

    /// The `PreviousTagSize` that follows this tag: header and body, in bytes.
    pub const fn previous_tag_size(&self) -> u32 {
        self.body_len.saturating_add(11)
    }
}

/// One tag with its body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tag {
    /// What the body is.
    pub kind: TagKind,
    /// The `Filter` bit: the body is encrypted and starts with an encryption header.
    pub filter: bool,
    /// Decoding time in milliseconds; it wraps after 2^32.
    pub timestamp: u32,
    /// `StreamID`: always 0 in practice, 24 bits on the wire.
    pub stream_id: u32,
    /// The body, tag header of the codec included.
    pub body: Bytes,
}

/// A body that no tag can carry: longer than [`MAX_BODY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("tag body of {len} bytes is over the wire's limit of 16777215")]
pub struct BodyTooLong {
    /// Length of the body in bytes.
    pub len: usize,
}

impl Tag {
    /// An unfiltered tag with stream id 0.
    pub const fn new(kind: TagKind, timestamp: u32, body: Bytes) -> Self {
        Self { kind, filter: false, timestamp, stream_id: 0, body }
    }

    /// The tag's header.
    ///
    /// # Errors
    ///
    /// [`BodyTooLong`] when the body's length does not fit the header.
    pub fn header(&self) -> Result<TagHeader, BodyTooLong> {
        Ok(TagHeader {
            kind: self.kind,
            filter: self.filter,
            body_len: body_len(&self.body)?,
            timestamp: self.timestamp,
            stream_id: self.stream_id,
        })
    }

    /// Appends header, body and previous tag size to `out`.
    ///
    /// # Errors
    ///
    /// [`BodyTooLong`], with nothing appended.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), BodyTooLong> {
        put_tag(out, self.header()?, &self.body);
        Ok(())
    }
}

pub(crate) fn body_len(body: &[u8]) -> Result<u32, BodyTooLong> {
    match u32::try_from(body.len()) {
        Ok(len) if len <= MAX_BODY => Ok(len),
        _ => Err(BodyTooLong { len: body.len() }),
    }
}

pub(crate) fn put_tag(out: &mut BytesMut, header: TagHeader, body: &[u8]) {
    out.reserve(crate::mux::encoded_len(body.len()));
    out.put_slice(&header.encode());
    out.put_slice(body);
    out.put_u32(header.previous_tag_size());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a video tag of 49 bytes at 2^24 + 40 ms.
    const VIDEO: [u8; 11] = [0x09, 0x00, 0x00, 0x31, 0x00, 0x00, 0x28, 0x01, 0x00, 0x00, 0x00];

    #[test]
    fn decodes_and_encodes_a_header() {
        let header = TagHeader::new(TagKind::Video, (1 << 24) + 40, 49);
        assert_eq!(TagHeader::decode(&VIDEO), Ok(header));
        assert_eq!(header.encode(), VIDEO);
        assert_eq!(header.previous_tag_size(), 60);
    }

    #[test]
    fn keeps_filter_stream_id_and_unknown_kinds() {
        let bytes = [0x2f, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        let header = TagHeader::decode(&bytes).unwrap();
        assert_eq!(header.kind, TagKind::Other(15));
        assert!(header.filter);
        assert_eq!((header.timestamp, header.stream_id), (u32::MAX, 0x01_0203));
        assert_eq!(header.encode(), bytes);
    }

    #[test]
    fn a_short_header_is_truncated() {
        for len in 0..11 {
            assert!(TagHeader::decode(&VIDEO[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn a_tag_is_header_body_and_its_size() {
        let tag = Tag::new(TagKind::Audio, 7, Bytes::from_static(&[0xaf, 1, 0x21]));
        let mut out = BytesMut::new();
        tag.encode(&mut out).unwrap();
        assert_eq!(out[..], [8, 0, 0, 3, 0, 0, 7, 0, 0, 0, 0, 0xaf, 1, 0x21, 0, 0, 0, 14]);
    }

    #[test]
    fn refuses_a_body_over_24_bits() {
        let tag = Tag::new(TagKind::Audio, 0, Bytes::from(vec![0; 1 << 24]));
        let mut out = BytesMut::new();
        assert_eq!(tag.encode(&mut out), Err(BodyTooLong { len: 1 << 24 }));
        assert!(out.is_empty());
    }
}
