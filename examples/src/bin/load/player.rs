//! A player: counts and checks what it gets.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use flv_mux::VideoTagHeader;
use rtc_stack::rtp::Arrived;
use rtmp_proto::MediaKind;
use tokio::time::sleep;

use crate::{
    clock,
    stamp::Stamp,
    summary::{ClientReport, Shared},
    walk::Found,
};

/// What counts for a client, and how a player reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// When the first client was started.
    pub(crate) begun: Instant,
    /// A frame that is older than this when it comes is behind.
    pub(crate) behind: Duration,
    /// On the clock of stamps: reads, settled bytes and latency are counted from here on.
    pub(crate) settled: u64,
    /// Players that are no probes rest so long between their reads.
    pub(crate) rest: Duration,
}

impl Rules {
    /// How many of so many players are probes.
    pub(crate) fn probes(&self, clients: u32) -> u32 {
        if self.rest.is_zero() { clients } else { clients.div_ceil(PROBE_EVERY) }
    }
}

/// One player in so many is a probe: it reads whatever comes at once, and tells latency and reads.
const PROBE_EVERY: u32 = 20;

pub(crate) struct Player {
    pub(crate) report: ClientReport,
    shared: Arc<Shared>,
    rules: Rules,
    /// When the stream was asked for: on the clock of durations, and on that of stamps.
    asked: Option<(Instant, u64)>,
    /// When the bytes at hand were read, on the clock of stamps.
    read_at: u64,
    last_audio: Option<u32>,
    last_video: Option<u32>,
    last_counter: Option<u64>,
}

impl Player {
    pub(crate) fn new(report: ClientReport, shared: Arc<Shared>, rules: Rules) -> Self {
        Self {
            report,
            shared,
            rules,
            asked: None,
            read_at: 0,
            last_audio: None,
            last_video: None,
            last_counter: None,
        }
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.rules.rest.is_zero() || self.report.index.is_multiple_of(PROBE_EVERY)
    }

    /// Waits before the next read, if this is one of the many that do no more than be there.
    pub(crate) async fn rest(&self) {
        if !self.is_probe() && self.report.join_ms.is_some() {
            sleep(self.rules.rest).await;
        }
    }

    /// The server has taken the connection.
    pub(crate) fn connected(&self) {
        self.shared.progress.connected.add(1);
    }

    /// The server lets it play, having been asked so long `ago`; told again, nothing happens.
    pub(crate) fn started(&mut self, ago: Duration) {
        if self.report.started {
            return;
        }
        self.report.started(self.rules.begun);
        self.shared.started(ago);
        let asked = Instant::now().checked_sub(ago).unwrap_or_else(Instant::now);
        let nanos = u64::try_from(ago.as_nanos()).unwrap_or(0);
        self.asked = Some((asked, clock::nanos().saturating_sub(nanos)));
    }

    /// A datagram of so many bytes is among those that were read.
    pub(crate) fn bytes(&self, bytes: usize) {
        self.shared.progress.bytes.add(bytes as u64);
    }

    /// Bytes were read, whose messages come next.
    pub(crate) fn read(&mut self, bytes: usize) {
        self.read_at = clock::nanos();
        self.report.reads += u64::from(self.is_probe() && self.read_at >= self.rules.settled);
        self.shared.progress.bytes.add(bytes as u64);
    }

    /// A message has come.
    pub(crate) fn message(&mut self, message: &Found<'_>) {
        let report = &mut self.report;
        report.messages += 1;
        report.bytes += message.len as u64;
        if self.read_at >= self.rules.settled {
            report.settled_bytes += message.len as u64;
        }
        self.shared.progress.messages.add(1);

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
            && VideoTagHeader::decode(message.head).is_ok_and(|(head, _)| head.is_keyframe())
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
        let report = &mut self.report;
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
        self.age(stamp);
    }

    /// Datagrams were read at a time on the clock of stamps, the first of those that came together.
    pub(crate) fn read_at(&mut self, nanos: u64, is_first: bool) {
        self.read_at = nanos;
        let counts = is_first && self.is_probe() && nanos >= self.rules.settled;
        self.report.reads += u64::from(counts);
    }

    /// An RTP packet has come, of so many bytes of payload; so many are missing before it.
    pub(crate) fn packet(&mut self, len: usize, arrived: Arrived, gap: u64) {
        let report = &mut self.report;
        match arrived {
            Arrived::InOrder => {}
            Arrived::AfterGap(_) | Arrived::AfterJump => {
                report.gaps += 1;
                report.lost += gap;
            }
            Arrived::Recovered => {
                report.recovered += 1;
                report.lost = report.lost.saturating_sub(1);
            }
            _ => {
                report.repeated += 1;
                return;
            }
        }
        report.messages += 1;
        report.bytes += len as u64;
        if self.read_at >= self.rules.settled {
            report.settled_bytes += len as u64;
        }
        self.shared.progress.messages.add(1);
    }

    /// A keyframe begins.
    pub(crate) fn keyframe(&mut self) {
        if let Some((asked, _)) = self.asked {
            let join = asked.elapsed();
            self.report.join_ms = Some(join.as_secs_f64() * 1000.0);
            self.shared.join().add(join);
        }
    }

    /// The stamp of a packet that a probe has opened. Its counter tells nothing: what a server made
    /// of the sound may have lost its own.
    pub(crate) fn stamped_packet(&mut self, stamp: Stamp) {
        self.report.stamped += 1;
        self.age(stamp);
    }

    fn age(&mut self, stamp: Stamp) {
        let is_probe = self.is_probe();
        let report = &mut self.report;
        // What was sent before the play was asked for is replay: its age is no latency.
        if self.asked.is_some_and(|(_, asked)| stamp.clock >= asked) {
            let latency = Duration::from_nanos(self.read_at.saturating_sub(stamp.clock));
            report.behind |= latency > self.rules.behind;
            if is_probe && self.read_at >= self.rules.settled {
                self.shared.latency().add(latency);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use bytes::BytesMut;
    use rtmp_proto::MediaMessage;

    fn rules() -> Rules {
        let (behind, rest) = (Duration::from_secs(5), Duration::ZERO);
        Rules { begun: Instant::now(), behind, settled: 0, rest }
    }

    /// A player that is a probe, for who tests what feeds one.
    pub(crate) fn probe() -> Player {
        player(0, rules())
    }

    fn player(index: u32, rules: Rules) -> Player {
        Player::new(ClientReport::new(index), Arc::default(), rules)
    }

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
        let mut player = probe();
        for &(timestamp, counter) in messages {
            player.message(&(&audio(timestamp, counter)).into());
        }
        player.report
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
        let mut player = probe();
        player.asked = Some((Instant::now(), 0));
        for message in [audio(0, 0), audio(23, 2), keyframe(40, 9), audio(46, 10)] {
            player.message(&(&message).into());
        }
        assert_eq!(player.report.gaps, 0);
        for message in [keyframe(80, 12), audio(92, 13)] {
            player.message(&(&message).into());
        }
        let report = player.report;
        assert_eq!((report.gaps, report.lost, report.stamped), (1, 1, 6));
        assert!(report.join_ms.is_some());
    }

    #[test]
    fn packets_that_are_missing_or_late_are_counted() {
        let mut player = probe();
        for (arrived, gap) in [
            (Arrived::InOrder, 0),
            (Arrived::AfterGap(3), 3),
            (Arrived::Recovered, 0),
            (Arrived::Late, 0),
            (Arrived::AfterJump, 600),
            (Arrived::InOrder, 0),
        ] {
            player.packet(100, arrived, gap);
        }
        let report = player.report;
        assert_eq!((report.messages, report.bytes), (5, 500));
        assert_eq!((report.gaps, report.lost), (2, 602));
        assert_eq!((report.recovered, report.repeated), (1, 1));
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

    #[test]
    fn a_frame_that_is_too_old_puts_its_client_behind() {
        for (age, is_behind) in [(4, false), (6, true)] {
            let mut player = probe();
            player.asked = Some((Instant::now(), 0));
            player.read_at = age * 1_000_000_000;
            player.message(&(&audio(0, 0)).into());
            assert_eq!(player.report.behind, is_behind);
        }
    }

    #[test]
    fn only_probes_tell_latency() {
        let rules = Rules { rest: Duration::from_millis(100), ..rules() };
        let shared = Arc::<Shared>::default();
        for (index, count) in [(1, None), (20, Some(1)), (21, Some(1)), (40, Some(2))] {
            let mut player = Player::new(ClientReport::new(index), Arc::clone(&shared), rules);
            player.asked = Some((Instant::now(), 0));
            player.message(&(&audio(0, 0)).into());
            assert_eq!(shared.latency().percentiles().map(|latency| latency.count), count);
        }
    }
}
