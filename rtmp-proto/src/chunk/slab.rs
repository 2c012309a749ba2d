use bytes::BytesMut;

/// Bytes of a slab: room for some ten messages of a usual stream, and what one of them that is kept holds on to. The
/// documentation of [`MediaMessage`](crate::MediaMessage) says so too.
const SIZE: usize = 16 * 1024;
/// A longer message has a buffer of its own, so that little is left unused at the end of a slab.
const LONGEST: usize = SIZE / 4;

/// Room for messages, several of which share an allocation.
///
/// In a box, for most connections play and have none.
#[derive(Debug, Default)]
pub(super) struct Slab(Option<Box<BytesMut>>);

impl Slab {
    /// An empty buffer that has room for exactly `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> BytesMut {
        if len > LONGEST {
            return BytesMut::with_capacity(len);
        }
        let room = self.0.get_or_insert_default();
        if room.capacity() < len {
            // The messages before have the old one among them.
            **room = BytesMut::with_capacity(SIZE);
        }
        let rest = room.split_off(len);
        std::mem::replace(&mut **room, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_messages_lie_beside_each_other() {
        let mut slab = Slab::default();
        let taken: Vec<_> = (0..20).map(|_| slab.take(1000)).collect();
        assert!(taken.iter().all(|buffer| buffer.is_empty() && buffer.capacity() == 1000));
        let steps = taken
            .windows(2)
            .filter(|pair| pair[1].as_ptr().addr() == pair[0].as_ptr().addr().wrapping_add(1000));
        // Sixteen in the first, four in the next.
        assert_eq!(steps.count(), 15 + 3);
    }

    #[test]
    fn a_long_message_has_its_own() {
        let mut slab = Slab::default();
        assert_eq!(slab.take(LONGEST + 1).capacity(), LONGEST + 1);
        assert!(slab.0.is_none());
        assert_eq!(slab.take(0).capacity(), 0);
    }
}
