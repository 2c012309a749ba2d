use std::time::{Duration, Instant};

use super::WallClock;
use crate::rtp::AbsSendTime;

/// How a shard deals with its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SfuConfig {
    /// What time it is, for the reports that viewers get.
    pub wall_clock: WallClock,
    /// How long a peer stays without being heard: an authentic packet of any sort (default 30 s; RFC 7675).
    pub stun_timeout: Duration,
    /// How long it stays after a sign that it has gone, which anybody on the path could have made up (default 3 s).
    pub hint_timeout: Duration,
    /// Lost packets are asked for, and sent again (default on).
    pub nack: bool,
    /// Arrivals are reported to publishers that agreed to it (default on), packet by packet.
    pub transport_cc: bool,
    /// Time between two such reports (default 100 ms, at least 50 ms).
    pub transport_cc_interval: Duration,
    /// What publishers without transport-wide reports are told to send at most, in bits per second (default none).
    pub max_bitrate: Option<u64>,
    /// Time between two keyframes that viewers of one track can bring about (default 500 ms).
    pub keyframe_interval: Duration,
    /// How long a viewer that waits for a keyframe gets nothing of a track (default 2 s): then it gets what there is, as
    /// some encoders have no keyframes that could be recognised.
    pub keyframe_wait: Duration,
    /// Over how long the packets of a replay are spread (default 20 ms).
    pub replay_spread: Duration,
    /// Publishers are asked for a keyframe when a viewer joins and there is none to begin with (default on).
    pub keyframe_on_join: bool,
    /// The round-trip time assumed of a peer until it is measured (default 100 ms).
    pub initial_rtt: Duration,
    /// The canonical name in reports (RFC 3550, 6.5.1; default `srs`).
    pub cname: String,
}

impl SfuConfig {
    /// The defaults, with the time that it is at `now`.
    pub fn new(now: Instant, since_1970: Duration) -> Self {
        Self {
            wall_clock: WallClock { at: now, since_1970 },
            stun_timeout: Duration::from_secs(30),
            hint_timeout: Duration::from_secs(3),
            nack: true,
            transport_cc: true,
            transport_cc_interval: Duration::from_millis(100),
            max_bitrate: None,
            keyframe_interval: Duration::from_millis(500),
            keyframe_wait: Duration::from_secs(2),
            replay_spread: Duration::from_millis(20),
            keyframe_on_join: true,
            initial_rtt: Duration::from_millis(100),
            cname: String::from("srs"),
        }
    }

    /// What packets say of when they were sent; it counts from any moment.
    pub(super) fn send_time(&self, now: Instant) -> AbsSendTime {
        AbsSendTime::new(now.saturating_duration_since(self.wall_clock.at))
    }
}
