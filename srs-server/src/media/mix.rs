//! Encoders that send audio and video out of order: both are held back until their order is known.

use std::collections::VecDeque;

use rtmp_proto::{MediaKind, MediaMessage};

/// Messages of one kind alone that are held back until the other kind is given up.
const ALONE: usize = 10;

/// Puts audio and video into the order of their timestamps.
#[derive(Debug, Default)]
pub(super) struct Mix {
    audio: VecDeque<MediaMessage>,
    video: VecDeque<MediaMessage>,
}

impl Mix {
    /// Takes a message of audio or video.
    pub(super) fn push(&mut self, message: MediaMessage) {
        match message.kind {
            MediaKind::Video => self.video.push_back(message),
            _ => self.audio.push_back(message),
        }
    }

    /// The next message, if it is certain that none comes before it.
    pub(super) fn pop(&mut self) -> Option<MediaMessage> {
        match (self.audio.len(), self.video.len()) {
            (0, 0..ALONE) | (0..ALONE, 0) => None,
            _ => self.first(),
        }
    }

    /// The next message of those that are there.
    pub(super) fn first(&mut self) -> Option<MediaMessage> {
        let is_audio_first = match (self.audio.front(), self.video.front()) {
            // Over the wrap at 32 bits too.
            (Some(audio), Some(video)) => {
                audio.timestamp.wrapping_sub(video.timestamp).cast_signed() < 0
            }
            (audio, _) => audio.is_some(),
        };
        if is_audio_first { self.audio.pop_front() } else { self.video.pop_front() }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use MediaKind::{Audio, Video};

    fn order(messages: &[(MediaKind, u32)]) -> (Vec<u32>, Vec<u32>) {
        let mut mix = Mix::default();
        let mut order = Vec::new();
        for &(kind, timestamp) in messages {
            mix.push(MediaMessage { kind, timestamp, payload: Bytes::new() });
            while let Some(message) = mix.pop() {
                order.push(message.timestamp);
            }
        }
        let rest = std::iter::from_fn(|| mix.first()).map(|message| message.timestamp);
        (order, rest.collect())
    }

    #[test]
    fn audio_that_comes_late_goes_before_its_video() {
        let messages = [(Video, 40), (Video, 80), (Audio, 23), (Audio, 46), (Audio, 90)];
        assert_eq!(order(&messages), (vec![23, 40, 46, 80], vec![90]));
    }

    #[test]
    fn one_kind_alone_is_held_back_for_ten_messages() {
        let messages: Vec<_> = (0..12).map(|at| (Audio, at)).collect();
        let (order, rest) = order(&messages);
        assert_eq!(order, [0, 1, 2]);
        assert_eq!(rest.len(), 9);
    }

    #[test]
    fn the_wrap_is_no_step_back() {
        let messages = [(Video, u32::MAX - 10), (Audio, 5)];
        assert_eq!(order(&messages).0, [u32::MAX - 10]);
    }
}
