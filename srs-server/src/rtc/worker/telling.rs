//! What a worker tells of its sessions to those who ask: the meters, the API, the metrics.

use std::time::{Duration, Instant};

use rtc_stack::sfu::{PeerStatistics, Refused};

use super::{Core, Peer, counters::Tally};
use crate::rtc::{Quality, Role};

/// Sums of a peer's statistics.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Told {
    bytes: u64,
    refused: Refused,
    nacks: u64,
    retransmitted: u64,
    keyframes: u64,
}

impl Told {
    /// The sums of what is known of all tracks.
    fn of(statistics: &PeerStatistics) -> Self {
        let mut sums = Self {
            bytes: statistics.retransmitted_bytes,
            refused: statistics.refused,
            ..Self::default()
        };
        for track in &statistics.tracks {
            sums.bytes += track.bytes;
            sums.nacks += track.nacks;
            sums.retransmitted += track.retransmitted;
            sums.keyframes += track.plis;
        }
        sums
    }
}

impl Core {
    /// Tells what was counted. Once a second for each session is little beside what it is sent.
    pub(super) fn tell(&mut self, now: Instant) {
        self.unknown.handle_timeout(now);
        for (&id, peer) in &mut self.peers {
            if let Some(statistics) = self.sfu.statistics(id) {
                peer.tell(&statistics, &mut self.tally);
            }
        }
        self.tally.tell(self.rtc.counters());
    }
}

impl Peer {
    /// Tells what was counted of a peer since this was told last.
    pub(super) fn tell(&mut self, statistics: &PeerStatistics, tally: &mut Tally) {
        let sums = Told::of(statistics);
        let before = std::mem::replace(&mut self.told, sums);
        let bytes = sums.bytes.saturating_sub(before.bytes);
        match self.session.role() {
            Role::Publish => self.session.link().add(bytes, 0),
            Role::Play => self.session.link().add(0, bytes),
        }
        let (refused, known) = (sums.refused, before.refused);
        tally.unauthentic += refused.unauthentic.saturating_sub(known.unauthentic);
        tally.replayed += refused.replayed.saturating_sub(known.replayed);
        tally.malformed += refused.malformed.saturating_sub(known.malformed);
        tally.unknown_sources += refused.unknown.saturating_sub(known.unknown);
        tally.nacks += sums.nacks.saturating_sub(before.nacks);
        tally.retransmitted += sums.retransmitted.saturating_sub(before.retransmitted);
        tally.keyframe_requests += sums.keyframes.saturating_sub(before.keyframes);
        self.session.note_quality(quality(statistics, sums));
    }
}

/// How well a peer's packets travel.
fn quality(statistics: &PeerStatistics, sums: Told) -> Quality {
    let tracks = &statistics.tracks;
    let lost = |lost: i64| u64::try_from(lost).unwrap_or(0);
    let worst = tracks.iter().map(|track| track.fraction_lost).max().unwrap_or(0);
    Quality {
        rtt: statistics.rtt.map(|rtt| rtt.max(Duration::from_micros(1))),
        packets: tracks.iter().map(|track| track.packets).sum(),
        lost: tracks.iter().map(|track| lost(track.lost)).sum(),
        loss: f64::from(worst) / 256.0,
        nacks: sums.nacks,
        retransmitted: sums.retransmitted,
        keyframe_requests: sums.keyframes,
    }
}
