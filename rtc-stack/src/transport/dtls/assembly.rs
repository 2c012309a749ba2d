//! Handshake messages put together from their pieces.
//!
//! Crate `dtls` joins pieces that follow each other only where one ends and the next begins. Some peers cut a message
//! at other places when they repeat it: of OpenSSL the first piece is longer then. What is cut in two ways never
//! becomes whole there, and so messages are put together before it gets them.

use std::borrow::Cow;

use super::record::Fragment;

/// Bytes of the longest message: what the implementation can read at once, without the headers of record and message.
pub(super) const LONGEST_MESSAGE: usize = 8192 - 13 - 12;
/// Bytes of all messages that aren't whole yet: those of a flight with the longest certificate.
const UNFINISHED: usize = 16 * 1024;

/// What the peer sent makes no sense, or is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Messages of which pieces have come.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    number: u16,
    kind: u8,
    bytes: Vec<Option<u8>>,
    missing: usize,
}

impl Assembly {
    /// Takes a piece, and gives the body of its message if that is whole now.
    pub(super) fn take<'a>(
        &mut self,
        fragment: &Fragment<'a>,
    ) -> Result<Option<Cow<'a, [u8]>>, Malformed> {
        let Fragment { kind, length, message: number, offset, bytes } = *fragment;
        if length > LONGEST_MESSAGE {
            return Err(Malformed);
        }
        if bytes.len() == length {
            return Ok(Some(Cow::Borrowed(bytes)));
        }
        let is_it = |message: &Message| {
            (message.number, message.kind, message.bytes.len()) == (number, kind, length)
        };
        let at = match self.messages.iter().position(is_it) {
            Some(at) => at,
            None => {
                self.make_room(length);
                let bytes = vec![None; length];
                self.messages.push(Message { number, kind, bytes, missing: length });
                self.messages.len().saturating_sub(1)
            }
        };
        let Some(message) = self.messages.get_mut(at) else { return Ok(None) };
        let places = message.bytes.iter_mut().skip(offset);
        for (place, byte) in places.zip(bytes).filter(|(place, _)| place.is_none()) {
            *place = Some(*byte);
            message.missing = message.missing.saturating_sub(1);
        }
        if message.missing > 0 {
            return Ok(None);
        }
        let whole = self.messages.swap_remove(at).bytes.into_iter().flatten().collect();
        Ok(Some(Cow::Owned(whole)))
    }

    /// Forgets the earliest messages, which the peer sends again if they are wanted.
    fn make_room(&mut self, length: usize) {
        let unfinished = |messages: &[Message]| {
            messages.iter().map(|message| message.bytes.len()).fold(length, usize::saturating_add)
        };
        while unfinished(&self.messages) > UNFINISHED {
            let numbers = self.messages.iter().map(|message| message.number).enumerate();
            let Some((earliest, _)) = numbers.min_by_key(|(_, number)| *number) else { return };
            self.messages.swap_remove(earliest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(number: u16, length: usize, offset: usize, bytes: &[u8]) -> Fragment<'_> {
        Fragment { kind: 11, length, message: number, offset, bytes }
    }

    fn take(assembly: &mut Assembly, piece: &Fragment<'_>) -> Option<Vec<u8>> {
        assembly.take(piece).unwrap().map(Cow::into_owned)
    }

    #[test]
    fn a_message_that_is_cut_at_other_places_when_it_is_repeated_becomes_whole() {
        let message: Vec<u8> = (0..100).collect();
        let mut assembly = Assembly::default();
        // The second piece is lost.
        for (start, end) in [(0, 22), (57, 92), (92, 100)] {
            assert_eq!(take(&mut assembly, &piece(2, 100, start, &message[start..end])), None);
        }
        assert_eq!(take(&mut assembly, &piece(2, 100, 0, &message[..35])), None);
        let whole = take(&mut assembly, &piece(2, 100, 35, &message[35..70]));
        assert_eq!(whole, Some(message));
        assert!(assembly.messages.is_empty());
    }

    #[test]
    fn what_is_there_stays_whatever_comes_for_the_same_place() {
        let mut assembly = Assembly::default();
        assert_eq!(take(&mut assembly, &piece(2, 4, 0, &[1, 2])), None);
        assert_eq!(take(&mut assembly, &piece(2, 4, 1, &[9, 3])), None);
        assert_eq!(take(&mut assembly, &piece(2, 4, 3, &[4])), Some(vec![1, 2, 3, 4]));
        // Of another length, it is another message.
        assert_eq!(take(&mut assembly, &piece(2, 5, 0, &[1, 2])), None);
        assert_eq!(take(&mut assembly, &piece(2, 4, 2, &[3, 4])), None);
    }

    #[test]
    fn lengths_and_memory_have_limits() {
        let mut assembly = Assembly::default();
        assert!(assembly.take(&piece(0, LONGEST_MESSAGE + 1, 0, &[1])).is_err());
        for number in 0..1000 {
            assert_eq!(take(&mut assembly, &piece(number, LONGEST_MESSAGE, 5, &[1])), None);
            assert_eq!(take(&mut assembly, &piece(number, 0, 0, &[])), Some(Vec::new()));
        }
        let numbers: Vec<u16> = assembly.messages.iter().map(|message| message.number).collect();
        assert_eq!(numbers, [998, 999]);
    }

    proptest! {
        #[test]
        fn pieces_in_any_order_make_the_message(
            message in prop::collection::vec(any::<u8>(), 2..300),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..80), 0..40),
        ) {
            let mut assembly = Assembly::default();
            let mut whole = None;
            let length = message.len();
            let random = cuts.into_iter().map(|(start, size)| (start.index(length), size));
            // In the end all of it comes, in two pieces.
            for (start, size) in random.chain([(0, length / 2), (length / 2, length)]) {
                let end = length.min(start + size);
                let piece = piece(7, length, start, &message[start..end]);
                whole = take(&mut assembly, &piece).or(whole);
            }
            prop_assert_eq!(whole, Some(message));
        }
    }
}
