use std::time::Duration;

/// What one shard's peers and streams may use: memory, numbers and time.
///
/// A peer that has not shown itself costs about 2 KiB, a viewer about 4 KiB, a publisher about 16 KiB and what its
/// tracks keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Peers of one shard (default 20,000). Bounds about 80 MiB when all are viewers.
    pub peers: usize,
    /// Peers that have not yet sent an authentic binding request (default 4,096). Signalling makes a peer before it is
    /// known whether anybody is there, so these are what a flood of it makes: about 8 MiB.
    pub pending_peers: usize,
    /// Streams of one shard (default 4,096). Each costs about 1 KiB and [`Limits::history_packets`] for each track.
    pub streams: usize,
    /// Tracks of one stream, and of one publisher: sections and simulcast layers (default 8, 32 at most).
    pub tracks: usize,
    /// Sources (SSRCs) of one publisher that are told apart, those of retransmissions among them (default 16). Each
    /// costs about 1 KiB.
    pub sources: usize,
    /// Bytes of a replay for a viewer that joins (default 64 KiB): from the last keyframe on.
    pub replay_bytes: usize,
    /// Age of the keyframe that a replay begins with (default 1 s).
    pub replay_age: Duration,
    /// Events that wait to be polled (default 4,096). Packets and DTLS datagrams that would be more are dropped and
    /// counted; their sender repeats them. Bounds 6 MiB of datagrams.
    pub events: usize,
    /// Bytes that a viewer is sent again whatever it has been sent (default 128 KiB): its burst.
    pub retransmission_burst: u32,
    /// Bytes that a viewer is sent again, in percent of what it is sent anyway (default 30), beyond its burst.
    pub retransmission_percent: u32,
    /// Packet numbers in NACKs of one viewer that are looked at in a second (default 2,000); the rest is ignored.
    pub nacked_per_second: u32,
    /// Addresses of a peer that are known at a time (default 4, 1 to 8). Each has sent an authentic binding request.
    pub addresses: usize,
    /// Sources whose SRTP state is remembered per peer, for RTP and again for RTCP (default 64). Each costs 48 bytes.
    /// Of more, the one that was silent longest is forgotten.
    pub srtp_sources: usize,
    /// Packets kept per track for retransmission (default 2048). Each costs about 100 bytes beside its own.
    pub history_packets: usize,
    /// Bytes of the packets kept per track for retransmission (default 4 MiB).
    pub history_bytes: usize,
    /// Age up to which packets are kept for retransmission (default 3 s).
    pub history_age: Duration,
    /// Packets per track that are waited for at the same time (default 512), and the longest gap that is asked to be
    /// filled: a longer one is a jump. Each costs 40 bytes.
    pub missing_packets: usize,
    /// How often a missing packet is asked for (default 8).
    pub nack_tries: u8,
    /// How long a missing packet is waited for (default 1 s).
    pub nack_age: Duration,
    /// Bytes of a frame that a [`Depacketizer`](crate::payload::Depacketizer) puts together (default 4 MiB). A longer one
    /// is dropped.
    pub frame_bytes: usize,
    /// Units (NAL units, OBUs) of a frame that it puts together (default 1,024). Each costs 32 bytes, and may hold the
    /// packet that it came in.
    pub frame_units: usize,
    /// Packets of a track that a [`ReorderBuffer`](crate::payload::ReorderBuffer) holds while one before them is missing
    /// (default 512). Each costs about 100 bytes beside its own.
    pub reorder_packets: usize,
    /// How long it holds them (default 500 ms): a few round trips, in each of which the missing one is asked for.
    pub reorder_wait: Duration,
    /// Arrivals kept per peer for transport-wide congestion control (default 4096). Each costs 16 bytes.
    pub twcc_packets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: 20_000,
            pending_peers: 4_096,
            streams: 4_096,
            tracks: 8,
            sources: 16,
            replay_bytes: 64 * 1024,
            replay_age: Duration::from_secs(1),
            events: 4_096,
            retransmission_burst: 128 * 1024,
            retransmission_percent: 30,
            nacked_per_second: 2_000,
            addresses: 4,
            srtp_sources: 64,
            history_packets: 2048,
            history_bytes: 4 * 1024 * 1024,
            history_age: Duration::from_secs(3),
            missing_packets: 512,
            nack_tries: 8,
            nack_age: Duration::from_secs(1),
            frame_bytes: 4 * 1024 * 1024,
            frame_units: 1_024,
            reorder_packets: 512,
            reorder_wait: Duration::from_millis(500),
            twcc_packets: 4096,
        }
    }
}
