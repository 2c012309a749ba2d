//! The nine bytes at the start of a file or stream.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use crate::wire::Reader;

/// The FLV file header (FLV 10.1, annex E.2).
///
/// `DataOffset` is not kept: [`encode`](Self::encode) always writes 9, the header's own length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileHeader {
    /// Version of the file format: 1. Others are accepted, for nothing else depends on it.
    pub version: u8,
    /// `TypeFlagsAudio`: audio tags are present.
    pub has_audio: bool,
    /// `TypeFlagsVideo`: video tags are present.
    pub has_video: bool,
}

/// Why a file header was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The first three bytes are not `FLV`.
    #[error("file starts with {0:02x?}, not with \"FLV\"")]
    Signature([u8; 3]),
    /// `DataOffset` points into the header itself.
    #[error("data offset {0} lies inside the file header of 9 bytes")]
    DataOffsetTooSmall(u32),
    /// `DataOffset` is larger than [`Limits::max_data_offset`](crate::Limits::max_data_offset).
    #[error("data offset {offset} is over the limit of {limit}")]
    DataOffsetTooLarge {
        /// What was read.
        offset: u32,
        /// What is allowed.
        limit: u32,
    },
}

const AUDIO: u8 = 0x04;
const VIDEO: u8 = 0x01;

impl FileHeader {
    /// Bytes of a header, without the first previous tag size.
    pub const LEN: usize = 9;

    /// A header of version 1.
    pub const fn new(has_audio: bool, has_video: bool) -> Self {
        Self { version: 1, has_audio, has_video }
    }

    /// Decodes the header at the start of `input`; `Ok(None)` when fewer than nine bytes are
    /// there and they may still become a header.
    ///
    /// The second value is `DataOffset`: bytes from the start of the file to the first previous
    /// tag size, 9 or more. Reserved flag bits are ignored.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] for another signature or a `DataOffset` outside `9..=max_data_offset`.
    pub fn decode(input: &[u8], max_data_offset: u32) -> Result<Option<(Self, u32)>, HeaderError> {
        let Some(&signature) = input.first_chunk::<3>() else { return Ok(None) };
        if signature != *b"FLV" {
            return Err(HeaderError::Signature(signature));
        }
        let mut reader = Reader::new(input.get(3..).unwrap_or_default());
        let (Ok(version), Ok(flags), Ok(offset)) =
            (reader.u8("version"), reader.u8("flags"), reader.u32("data offset"))
        else {
            return Ok(None);
        };
        if offset < 9 {
            return Err(HeaderError::DataOffsetTooSmall(offset));
        }
        if offset > max_data_offset {
            return Err(HeaderError::DataOffsetTooLarge { offset, limit: max_data_offset });
        }
        let header = Self { version, has_audio: flags & AUDIO != 0, has_video: flags & VIDEO != 0 };
        Ok(Some((header, offset)))
    }

    /// Appends the nine bytes to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        let audio = if self.has_audio { AUDIO } else { 0 };
        let video = if self.has_video { VIDEO } else { 0 };
        out.put_slice(b"FLV");
        out.put_slice(&[self.version, audio | video, 0, 0, 0, 9]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [u8; 9] = [b'F', b'L', b'V', 1, 5, 0, 0, 0, 9];

    #[test]
    fn decodes_and_encodes_the_flags() {
        for (flags, has_audio, has_video) in
            [(5, true, true), (4, true, false), (1, false, true), (0, false, false)]
        {
            let mut bytes = BOTH;
            bytes[4] = flags;
            let header = FileHeader::new(has_audio, has_video);
            assert_eq!(FileHeader::decode(&bytes, 9), Ok(Some((header, 9))));
            let mut out = BytesMut::new();
            header.encode(&mut out);
            assert_eq!(out[..], bytes);
        }
    }

    #[test]
    fn waits_for_nine_bytes() {
        for len in 0..9 {
            assert_eq!(FileHeader::decode(&BOTH[..len], 4096), Ok(None), "{len}");
        }
    }

    #[test]
    fn refuses_another_signature_at_once() {
        assert_eq!(FileHeader::decode(b"GET", 4096), Err(HeaderError::Signature(*b"GET")));
    }

    #[test]
    fn bounds_the_data_offset() {
        let mut bytes = BOTH;
        bytes[8] = 8;
        assert_eq!(FileHeader::decode(&bytes, 4096), Err(HeaderError::DataOffsetTooSmall(8)));
        bytes[7] = 0x10;
        let error = HeaderError::DataOffsetTooLarge { offset: 0x1008, limit: 4096 };
        assert_eq!(FileHeader::decode(&bytes, 4096), Err(error));
        assert_eq!(error.to_string(), "data offset 4104 is over the limit of 4096");
    }
}
