use std::time::Duration;

/// What one peer or one track may use: memory and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
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
    /// Arrivals kept per peer for transport-wide congestion control (default 4096). Each costs 16 bytes.
    pub twcc_packets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            srtp_sources: 64,
            history_packets: 2048,
            history_bytes: 4 * 1024 * 1024,
            history_age: Duration::from_secs(3),
            missing_packets: 512,
            nack_tries: 8,
            nack_age: Duration::from_secs(1),
            twcc_packets: 4096,
        }
    }
}
