//! The mark in a frame from which a player tells gaps and latency.
//!
//! It is text, so that it holds no bytes that H.264 would have to escape, and is carried in video
//! as an SEI message of unregistered user data (ITU-T H.264, D.1.7) before the slice, in audio
//! right behind the tag header.

use bytes::{BufMut, BytesMut};
use rtmp_proto::MediaKind;

use crate::walk::Found;

/// Names the stamp, as the UUID of the SEI message.
const MAGIC: [u8; 16] = *b"srs-load-stamp-1";
/// Bytes of a stamp: the magic, then both numbers in hexadecimal.
pub(crate) const LEN: usize = 16 + 16 + 16;
/// FLV video tag header, NAL unit length, NAL unit header, payload type and size.
pub(crate) const VIDEO_OFFSET: usize = 5 + 4 + 1 + 2;
/// FLV audio tag header.
pub(crate) const AUDIO_OFFSET: usize = 2;

/// How far into an RTP payload a stamp may begin: behind parameter sets in one packet with it.
const RTP_HEAD: usize = 160;

/// What a publisher writes into each frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Counts the frames of a stream, audio and video together, from 0.
    pub(crate) counter: u64,
    /// When it was sent, by [`crate::clock::nanos`].
    pub(crate) clock: u64,
}

impl Stamp {
    pub(crate) fn encode(self, out: &mut BytesMut) {
        out.put_slice(&MAGIC);
        for number in [self.counter, self.clock] {
            for shift in (0..16).rev() {
                let digit = (number >> (shift * 4)) as u8 & 0x0f;
                out.put_u8(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
            }
        }
    }

    /// The stamp of a message; `None` for a message of another publisher.
    pub(crate) fn find(message: &Found<'_>) -> Option<Self> {
        let offset = match message.kind {
            MediaKind::Audio => AUDIO_OFFSET,
            MediaKind::Video => VIDEO_OFFSET,
            MediaKind::Data => return None,
        };
        Self::decode(message.head.get(offset..offset + LEN)?)
    }

    /// The stamp that begins somewhere among the first bytes of an RTP payload: how a server cuts
    /// and joins NAL units is its own affair.
    pub(crate) fn search(payload: &[u8]) -> Option<Self> {
        let head = payload.get(..RTP_HEAD).unwrap_or(payload);
        let at = head.windows(MAGIC.len()).position(|window| window == MAGIC)?;
        Self::decode(payload.get(at..at + LEN)?)
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let text = text.strip_prefix(&MAGIC)?;
        let (counter, clock) = text.split_at_checked(16)?;
        Some(Self { counter: hexadecimal(counter)?, clock: hexadecimal(clock)? })
    }
}

fn hexadecimal(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0, |number, &byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtmp_proto::MediaMessage;

    fn message(kind: MediaKind, offset: usize, stamp: Stamp) -> MediaMessage {
        let mut payload = BytesMut::zeroed(offset);
        stamp.encode(&mut payload);
        assert_eq!(payload.len(), offset + LEN);
        MediaMessage { kind, timestamp: 0, payload: payload.freeze() }
    }

    fn find(message: &MediaMessage) -> Option<Stamp> {
        Stamp::find(&message.into())
    }

    #[test]
    fn is_found_where_it_was_put() {
        for stamp in [
            Stamp { counter: 0, clock: u64::MAX },
            Stamp { counter: 0x0123_4567_89ab_cdef, clock: 1 },
        ] {
            let video = message(MediaKind::Video, VIDEO_OFFSET, stamp);
            assert_eq!(find(&video), Some(stamp));
            let audio = message(MediaKind::Audio, AUDIO_OFFSET, stamp);
            assert_eq!(find(&audio), Some(stamp));
        }
    }

    #[test]
    fn is_searched_for_at_the_beginning() {
        let stamp = Stamp { counter: 3, clock: 4 };
        for at in [0, 60, RTP_HEAD - MAGIC.len()] {
            let mut payload = BytesMut::zeroed(at);
            stamp.encode(&mut payload);
            assert_eq!(Stamp::search(&payload), Some(stamp));
            assert_eq!(Stamp::search(&payload[..payload.len() - 1]), None);
        }
        assert_eq!(Stamp::search(&[0; 1200]), None);
    }

    #[test]
    fn is_not_found_in_other_messages() {
        let stamp = Stamp { counter: 1, clock: 2 };
        let good = message(MediaKind::Audio, AUDIO_OFFSET, stamp);
        for len in 0..good.payload.len() {
            let payload = good.payload.slice(..len);
            assert_eq!(find(&MediaMessage { payload, ..good.clone() }), None);
        }
        let video = MediaMessage { kind: MediaKind::Video, ..good.clone() };
        assert_eq!(find(&video), None);
        let mut bytes = good.payload.to_vec();
        bytes[AUDIO_OFFSET + 20] = b'g';
        assert_eq!(find(&MediaMessage { payload: bytes.into(), ..good }), None);
    }
}
