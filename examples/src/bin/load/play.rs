//! A player: counts and checks what it gets.

use std::time::{Duration, Instant};

use flv_mux::VideoTagHeader;
use rtmp_proto::{ClientEvent, MediaKind, MediaMessage, Purpose, RtmpUrl};

use crate::{
    client::{Client, ClientError},
    clock,
    report::{ClientReport, Shared},
    stamp::Stamp,
    target::Target,
};

pub(crate) struct Player<'a> {
    pub(crate) report: &'a mut ClientReport,
    pub(crate) shared: &'a Shared,
    /// When `play` was sent: on the clock of durations, and on that of stamps.
    asked: Option<(Instant, u64)>,
    last_audio: Option<u32>,
    last_video: Option<u32>,
    last_counter: Option<u64>,
}

impl<'a> Player<'a> {
    pub(crate) fn new(report: &'a mut ClientReport, shared: &'a Shared) -> Self {
        Self { report, shared, asked: None, last_audio: None, last_video: None, last_counter: None }
    }

    /// Plays until the server ends it.
    pub(crate) async fn run(&mut self, target: Target, url: RtmpUrl) -> ClientError {
        let index = self.report.index;
        let mut client = match Client::connect(target, index, url, Purpose::play()).await {
            Ok(client) => client,
            Err(error) => return error,
        };
        self.shared.progress.connected.add(1);
        loop {
            match client.next_event().await {
                Ok(ClientEvent::PlayStarted { .. }) => self.started(&client),
                Ok(ClientEvent::Media { message, .. }) => self.message(&message),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    fn started(&mut self, client: &Client) {
        self.report.started = true;
        self.shared.progress.started.add(1);
        let ago = u64::try_from(client.last_sent.elapsed().as_nanos()).unwrap_or(0);
        self.asked = Some((client.last_sent, clock::nanos().saturating_sub(ago)));
    }

    fn message(&mut self, message: &MediaMessage) {
        let report = &mut *self.report;
        let len = message.payload.len() as u64;
        report.messages += 1;
        report.bytes += len;
        self.shared.progress.messages.add(1);
        self.shared.progress.bytes.add(len);

        let last = match message.kind {
            MediaKind::Audio => &mut self.last_audio,
            MediaKind::Video => &mut self.last_video,
            MediaKind::Data => return,
        };
        // Timestamps wrap: half the circle ahead is later, the other half earlier.
        if last.is_some_and(|last| message.timestamp.wrapping_sub(last) > u32::MAX / 2) {
            report.out_of_order += 1;
        }
        *last = Some(message.timestamp);

        if report.join_ms.is_none()
            && message.kind == MediaKind::Video
            && VideoTagHeader::decode(&message.payload).is_ok_and(|(head, _)| head.is_keyframe())
            && let Some((asked, _)) = self.asked
        {
            // Until now some servers send the audio without the video: the stream is whole from
            // here on.
            (report.gaps, report.lost, report.repeated) = (0, 0, 0);
            self.last_counter = None;
            let join = asked.elapsed();
            report.join_ms = Some(join.as_secs_f64() * 1000.0);
            self.shared.join().add(join);
        }
        if let Some(stamp) = Stamp::find(message) {
            self.stamp(stamp);
        }
    }

    fn stamp(&mut self, stamp: Stamp) {
        let report = &mut *self.report;
        report.stamped += 1;
        match self.last_counter.map(|last| last.wrapping_add(1)) {
            Some(expected) if stamp.counter > expected => {
                report.gaps += 1;
                report.lost += stamp.counter - expected;
            }
            // A publisher that starts again counts from 0; anything else came twice or late.
            Some(expected) if stamp.counter < expected && stamp.counter > 0 => {
                report.repeated += 1;
            }
            _ => {}
        }
        self.last_counter = Some(stamp.counter);
        // What was sent before the play was asked for is replay: its age is no latency.
        if self.asked.is_some_and(|(_, asked)| stamp.clock >= asked) {
            let latency = clock::nanos().saturating_sub(stamp.clock);
            self.shared.latency().add(Duration::from_nanos(latency));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    fn keyframe(timestamp: u32, counter: u64) -> MediaMessage {
        let mut payload = BytesMut::from(&[0x17, 1, 0, 0, 0, 0, 0, 0, 52, 6, 5, 48][..]);
        Stamp { counter, clock: 0 }.encode(&mut payload);
        MediaMessage { kind: MediaKind::Video, timestamp, payload: payload.freeze() }
    }

    fn audio(timestamp: u32, counter: u64) -> MediaMessage {
        let mut payload = BytesMut::from(&[0xaf, 1][..]);
        Stamp { counter, clock: 0 }.encode(&mut payload);
        MediaMessage { kind: MediaKind::Audio, timestamp, payload: payload.freeze() }
    }

    fn report(messages: &[(u32, u64)]) -> ClientReport {
        let (mut report, shared) = (ClientReport::new(0), Shared::default());
        let mut player = Player::new(&mut report, &shared);
        for &(timestamp, counter) in messages {
            player.message(&audio(timestamp, counter));
        }
        report
    }

    #[test]
    fn a_whole_stream_is_clean() {
        let report = report(&[(0, 7), (23, 8), (23, 9), (46, 10)]);
        assert_eq!((report.messages, report.stamped), (4, 4));
        assert_eq!((report.gaps, report.lost, report.repeated, report.out_of_order), (0, 0, 0, 0));
    }

    #[test]
    fn gaps_and_what_they_lost_are_counted() {
        let report = report(&[(0, 0), (23, 3), (46, 4), (69, 6)]);
        assert_eq!((report.gaps, report.lost), (2, 3));
    }

    #[test]
    fn what_is_missing_before_the_first_keyframe_is_no_gap() {
        let (mut report, shared) = (ClientReport::new(0), Shared::default());
        let mut player = Player::new(&mut report, &shared);
        player.asked = Some((Instant::now(), 0));
        for message in [audio(0, 0), audio(23, 2), keyframe(40, 9), audio(46, 10)] {
            player.message(&message);
        }
        assert_eq!(player.report.gaps, 0);
        for message in [keyframe(80, 12), audio(92, 13)] {
            player.message(&message);
        }
        assert_eq!((report.gaps, report.lost, report.stamped), (1, 1, 6));
        assert!(report.join_ms.is_some());
    }

    #[test]
    fn repeats_and_new_publishers_are_told_apart() {
        let report = report(&[(0, 5), (23, 6), (46, 6), (69, 4), (92, 0), (115, 1)]);
        assert_eq!((report.repeated, report.gaps), (2, 0));
    }

    #[test]
    fn times_that_run_back_are_counted_but_not_the_wrap() {
        let report = report(&[(u32::MAX - 10, 0), (12, 1), (5, 2), (30, 3)]);
        assert_eq!(report.out_of_order, 1);
    }
}
