//! What the frames of a publisher hold on to beside themselves.
//!
//! Short messages of a connection share memory, which goes with the last of them. A frame that
//! stays so keeps what was beside it and is long done with; as bounds count frames, a publisher
//! that sends much of which little is kept could have the server hold a hundred times what they
//! say.

use bytes::Bytes;

use crate::media::Frame;

/// Bytes received of which nothing was kept that are no reason for care: a read brings that many,
/// and so does the beginning of a long message.
const SLACK: u64 = 128 * 1024;

/// Compares what a publisher sends with what is kept of it.
#[derive(Debug)]
pub(super) struct Upkeep {
    /// Bytes received when the last frame was kept.
    received: u64,
    /// Bytes received beyond twice what was kept: whatever is kept of a stream that is sound, it
    /// is more than half.
    unkept: u64,
}

impl Upkeep {
    /// The upkeep of who has sent `received` bytes before.
    pub(super) fn new(received: u64) -> Self {
        Self { received, unkept: 0 }
    }

    /// The frame as it may be kept, after `received` bytes: in memory of its own where too much
    /// was sent of which nothing is kept.
    ///
    /// So all the frames between two of them hold on to no more than twice their bytes, and
    /// [`SLACK`].
    pub(super) fn keep(&mut self, frame: Frame, received: u64) -> Frame {
        let more = received.saturating_sub(self.received);
        self.received = received;
        // No more than what has the next frames copied: those after a long message that was for
        // nothing have no fault.
        let unkept = self.unkept.saturating_add(more).min(2 * SLACK);
        self.unkept = unkept.saturating_sub(2 * frame.body.len() as u64);
        if self.unkept <= SLACK {
            return frame;
        }
        Frame { body: Bytes::copy_from_slice(&frame.body), ..frame }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use flv_mux::TagKind;

    use super::*;

    fn frame(len: usize) -> Frame {
        Frame {
            kind: TagKind::Video,
            time: Duration::ZERO,
            read_at: Instant::now(),
            origin: crate::media::Origin::Rtmp,
            timestamp: 0,
            body: vec![0; len].into(),
            is_join_point: false,
            config_slot: None,
        }
    }

    /// Keeps a frame; whether it was copied.
    fn copies(upkeep: &mut Upkeep, len: usize, received: u64) -> bool {
        let frame = frame(len);
        let at = frame.body.as_ptr();
        let kept = upkeep.keep(frame, received);
        assert_eq!(kept.body.len(), len);
        kept.body.as_ptr() != at
    }

    #[test]
    fn a_stream_that_is_sound_is_never_copied() {
        let mut upkeep = Upkeep::new(1_000_000);
        let mut received = 1_000_000;
        for number in 0..10_000 {
            let len = if number % 50 == 0 { 300_000 } else { 200 };
            // A header for each, and reads of 64 KiB: what comes of a long one is there before it.
            received += len as u64 + 30;
            let read = received.next_multiple_of(65_536);
            assert!(!copies(&mut upkeep, len, read), "frame {number}");
        }
    }

    #[test]
    fn who_sends_much_for_nothing_has_the_rest_copied() {
        let mut upkeep = Upkeep::new(0);
        let copied = (1..=1_000).filter(|at| copies(&mut upkeep, 100, at * 16_384)).count();
        assert!((985..1_000).contains(&copied), "{copied}");
        // It is forgiven, but not at once: what was kept meanwhile may be beside nothing.
        let mut received = 1_000 * 16_384;
        let until = (1..1_000).find(|_| {
            received += 1_100;
            !copies(&mut upkeep, 1_000, received)
        });
        assert!((100..300).contains(&until.unwrap()), "{until:?}");
    }

    #[test]
    fn good_conduct_saves_up_for_nothing() {
        let mut upkeep = Upkeep::new(0);
        let mut received = 0;
        for _ in 0..100_000 {
            received += 1_000;
            assert!(!copies(&mut upkeep, 1_000, received));
        }
        let copied = (0..100).filter(|_| {
            received += 16_384;
            copies(&mut upkeep, 100, received)
        });
        assert!(copied.count() > 85);
    }
}
