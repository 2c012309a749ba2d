//! Pictures that come before their time.
//!
//! An encoder with B-frames sends the pictures that they are made from as early as the B-frames need
//! them, and the sound of the same time later. A browser shows what it gets, and takes some ten
//! seconds to bring sound and pictures together that come 200 ms apart. So a picture waits until the
//! stream has come to its time, which whatever comes next tells.

use std::{collections::VecDeque, time::Duration};

use rtc_stack::{CodecParameters, payload::Payload};

use super::video::Picture;
use crate::media::Frame;

/// What is further ahead is not waited for: that is no order of decoding.
const AHEAD: Duration = Duration::from_millis(500);
/// Pictures that wait at one time, at most.
const MOST: usize = 16;

/// Pictures that wait, in the order in which they are decoded and shown.
#[derive(Default)]
pub(super) struct EarlyPictures(VecDeque<Early>);

/// A picture that waits.
pub(super) struct Early {
    pub(super) frame: Frame,
    pub(super) parameters: CodecParameters,
    /// The time of its presentation, on the stream's clock.
    pub(super) time: Duration,
    pub(super) is_key: bool,
    pub(super) payloads: Vec<Payload>,
}

impl EarlyPictures {
    /// Whether a picture that is shown at `time` has to wait, when the stream is at `now`.
    pub(super) fn is_early(now: Duration, time: Duration) -> bool {
        time > now && time - now <= AHEAD
    }

    pub(super) fn push(&mut self, frame: &Frame, picture: Picture<'_>) {
        let Picture { parameters, time, is_key, payloads } = picture;
        self.0.push_back(Early {
            frame: frame.clone(),
            parameters: parameters.clone(),
            time,
            is_key,
            payloads: payloads.collect(),
        });
    }

    /// The next picture that waits no longer, when the stream is at `now`.
    pub(super) fn poll(&mut self, now: Duration) -> Option<Early> {
        let first = self.0.front()?;
        if first.time <= now || self.0.len() > MOST { self.0.pop_front() } else { None }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use flv_mux::TagKind;
    use rtc_stack::Codec;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn push(early: &mut EarlyPictures, time: u64) {
        let frame = Frame::new(TagKind::Video, ms(0), Bytes::new(), Instant::now());
        let parameters = CodecParameters::new(Codec::H264);
        let payloads = &mut Vec::new();
        let (time, payloads) = (ms(time), payloads.drain(..));
        early.push(&frame, Picture { parameters: &parameters, time, is_key: false, payloads });
    }

    fn due(early: &mut EarlyPictures, now: u64) -> Vec<u128> {
        std::iter::from_fn(|| early.poll(ms(now))).map(|early| early.time.as_millis()).collect()
    }

    #[test]
    fn pictures_wait_for_their_time_in_their_order() {
        let mut early = EarlyPictures::default();
        for time in [80, 200, 320] {
            push(&mut early, time);
        }
        assert!(due(&mut early, 79).is_empty());
        assert_eq!(due(&mut early, 200), [80, 200]);
        assert_eq!(due(&mut early, 1_000), [320]);
    }

    #[test]
    fn few_of_them_wait_and_none_for_long() {
        assert!(EarlyPictures::is_early(ms(40), ms(540)));
        for time in [40, 39, 541] {
            assert!(!EarlyPictures::is_early(ms(40), ms(time)), "{time}");
        }
        let mut early = EarlyPictures::default();
        for time in 0..20 {
            push(&mut early, 100 + time);
        }
        assert_eq!(due(&mut early, 0), [100, 101, 102, 103]);
    }
}
