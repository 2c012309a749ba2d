use std::time::Duration;

use crate::dtls::DtlsError;
use crate::rtp::RtpPacket;
use crate::sfu::{PeerStatistics, SenderClock, Track};

/// What happened to a client.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// There are a path and keys: media may flow.
    Connected,
    /// The peer sends a track, or sends it with another codec from now on.
    Track {
        /// The track's number: in the order of the sections that were agreed on.
        track: u8,
        /// What it is.
        description: Track,
    },
    /// A packet, in order of arrival.
    Packet {
        /// The track's number.
        track: u8,
        /// The packet.
        packet: RtpPacket,
    },
    /// The peer's report of its clock, by which tracks are put in step.
    SenderClock {
        /// The track's number.
        track: u8,
        /// What it says.
        clock: SenderClock,
    },
    /// The peer needs a keyframe of a track that we publish.
    KeyframeRequested {
        /// The track's number.
        track: u8,
    },
    /// The peer takes no such track: its answer doesn't have the codec.
    Unsupported {
        /// The track's number.
        track: u8,
    },
    /// It is over. Nothing follows.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// Why a client has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// We closed it.
    Closed,
    /// The peer closed it.
    ClosedByPeer,
    /// There was no path, or no handshake on it, in time.
    NotConnected {
        /// The limit.
        limit: Duration,
    },
    /// The peer is heard no longer.
    PathLost,
    /// The handshake has failed.
    Handshake(DtlsError),
}

/// What passed between a client and its peer.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ClientStatistics {
    /// Packets, losses, jitter, retransmissions by track. The round trip is known to a publisher alone, whose reports
    /// are answered (RFC 3550, 6.4.1).
    pub media: PeerStatistics,
    /// Packets that were dropped since nobody took the events before them.
    pub dropped: u64,
}
