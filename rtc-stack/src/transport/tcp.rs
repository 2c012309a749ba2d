//! Datagrams on a TCP connection (RFC 4571), as ICE-TCP has them (RFC 6544, 3).

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of the length before each frame.
const HEADER: usize = 2;
/// How long a connection may take to bring its first frame, an authenticated binding request.
pub const FIRST_FRAME_TIMEOUT: Duration = Duration::from_secs(10);

/// A datagram that no frame can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a frame of {length} bytes, the limit is 65535")]
pub struct FrameTooLong {
    /// Bytes of the datagram.
    pub length: usize,
}

/// Appends a datagram as one frame.
///
/// # Errors
///
/// [`FrameTooLong`] over 65,535 bytes; nothing is written then.
pub fn encode(datagram: &[u8], out: &mut BytesMut) -> Result<(), FrameTooLong> {
    let length =
        u16::try_from(datagram.len()).map_err(|_| FrameTooLong { length: datagram.len() })?;
    out.reserve(HEADER.saturating_add(datagram.len()));
    out.put_u16(length);
    out.put_slice(datagram);
    Ok(())
}

/// Takes a stream apart into datagrams, however it was split.
///
/// What is not taken stays in memory: take all frames after each [`receive`](Self::receive), and under
/// 64 KiB remain.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: BytesMut,
}

impl FrameReader {
    /// Takes bytes of the stream.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame. Empty ones, which some peers send to keep a connection open, are left out.
    #[must_use]
    pub fn poll(&mut self) -> Option<Bytes> {
        loop {
            let header = self.buffer.first_chunk::<HEADER>()?;
            let length = usize::from(u16::from_be_bytes(*header));
            if self.buffer.len() < HEADER.saturating_add(length) {
                return None;
            }
            self.buffer.advance(HEADER);
            if length > 0 {
                return Some(self.buffer.split_to(length).freeze());
            }
        }
    }

    /// Bytes of a frame that is not whole yet.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_frame_and_no_longer_one() {
        let mut out = BytesMut::new();
        encode(&[7; 65_535], &mut out).unwrap();
        assert_eq!(encode(&[7; 65_536], &mut out), Err(FrameTooLong { length: 65_536 }));
        let mut reader = FrameReader::default();
        reader.receive(&out[..65_536]);
        assert_eq!((reader.poll(), reader.pending()), (None, 65_536));
        reader.receive(&out[65_536..]);
        assert_eq!(reader.poll().unwrap().len(), 65_535);
        assert_eq!((reader.poll(), reader.pending()), (None, 0));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_datagrams(
            datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..20),
            piece in 1usize..60,
        ) {
            let mut stream = BytesMut::new();
            for datagram in &datagrams {
                encode(datagram, &mut stream).unwrap();
            }
            let mut reader = FrameReader::default();
            let mut read = Vec::new();
            for piece in stream.chunks(piece) {
                reader.receive(piece);
                read.extend(std::iter::from_fn(|| reader.poll()).map(Vec::from));
            }
            let sent: Vec<_> = datagrams.into_iter().filter(|d| !d.is_empty()).collect();
            prop_assert_eq!(read, sent);
            prop_assert_eq!(reader.pending(), 0);
        }
    }
}
