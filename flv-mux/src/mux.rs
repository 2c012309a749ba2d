//! Muxing: the bytes of a stream, appended to a buffer.
//!
//! There is no muxer to hold: an FLV tag depends on nothing before it, so one tag's bytes can be
//! made once and sent to every viewer.

use bytes::{BufMut, BytesMut};

use crate::{
    header::FileHeader,
    tag::{BodyTooLong, TagHeader, TagKind, body_len, put_tag},
};

/// Bytes that every stream starts with: the file header and the first previous tag size.
pub const PREFIX_LEN: usize = 13;

/// Bytes that a tag takes beyond its body: the tag header and the previous tag size after it.
pub const TAG_OVERHEAD: usize = 15;

/// Appends the file header and the first previous tag size (0) to `out`.
pub fn encode_header(out: &mut BytesMut, has_audio: bool, has_video: bool) {
    FileHeader::new(has_audio, has_video).encode(out);
    out.put_u32(0);
}

/// Bytes that [`encode_tag`] appends for a body of `body_len` bytes.
pub const fn encoded_len(body_len: usize) -> usize {
    body_len.saturating_add(TAG_OVERHEAD)
}

/// Appends one tag to `out`: header (unfiltered, stream id 0), body, previous tag size.
///
/// `timestamp` is in milliseconds.
///
/// # Errors
///
/// [`BodyTooLong`], with nothing appended.
pub fn encode_tag(
    out: &mut BytesMut,
    kind: TagKind,
    timestamp: u32,
    body: &[u8],
) -> Result<(), BodyTooLong> {
    put_tag(out, TagHeader::new(kind, timestamp, body_len(body)?), body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_with_the_header_and_a_zero_size() {
        let mut out = BytesMut::new();
        encode_header(&mut out, true, false);
        assert_eq!(out[..], *b"FLV\x01\x04\0\0\0\x09\0\0\0\0");
        assert_eq!(out.len(), PREFIX_LEN);
    }

    #[test]
    fn says_how_long_a_tag_gets() {
        let mut out = BytesMut::new();
        encode_tag(&mut out, TagKind::Script, 0x0102_0304, &[2, 0, 0]).unwrap();
        assert_eq!(out[..], [18, 0, 0, 3, 2, 3, 4, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 14]);
        assert_eq!(out.len(), encoded_len(3));
    }

    #[test]
    fn refuses_what_no_tag_can_carry() {
        let mut out = BytesMut::new();
        let refused = encode_tag(&mut out, TagKind::Video, 0, &vec![0; 1 << 24]);
        assert_eq!(refused, Err(BodyTooLong { len: 1 << 24 }));
        assert!(out.is_empty());
    }
}
