use bytes::Bytes;

use super::{PeerId, PeerStatistics, SenderClock, StreamId, Track};
use crate::rtp::RtpPacket;

/// What happened in a shard.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A DTLS datagram of a peer, for its handshake or for what is left of it. What is to be sent comes back by
    /// [`Sfu::send_dtls`](super::Sfu::send_dtls).
    Dtls {
        /// The peer.
        peer: PeerId,
        /// The datagram.
        datagram: Bytes,
    },
    /// A peer has shown itself and has keys: media may flow.
    Connected {
        /// The peer.
        peer: PeerId,
    },
    /// A publisher sends a track, or sends it with another codec from now on.
    Track {
        /// The publisher.
        peer: PeerId,
        /// The track's number: the place in [`Sfu::tracks`](super::Sfu::tracks).
        track: u8,
        /// What it is.
        description: Track,
    },
    /// A packet of a publisher, in no more than its own track's order of arrival.
    Packet {
        /// The publisher.
        peer: PeerId,
        /// The track's number.
        track: u8,
        /// The packet.
        packet: RtpPacket,
    },
    /// A publisher's report of its clock, for [`Sfu::sender_clock`](super::Sfu::sender_clock) of all shards.
    SenderClock {
        /// The publisher.
        peer: PeerId,
        /// The track's number.
        track: u8,
        /// What it says.
        clock: SenderClock,
    },
    /// Viewers of a stream need a keyframe of a track: for
    /// [`Sfu::request_keyframe`](super::Sfu::request_keyframe) of the shard with the publisher.
    KeyframeWanted {
        /// The stream.
        stream: StreamId,
        /// The track's number in the stream.
        track: u8,
    },
    /// A viewer gets nothing of a track, since its description has no such codec.
    Unsupported {
        /// The viewer.
        peer: PeerId,
        /// The stream.
        stream: StreamId,
        /// The track's number in the stream.
        track: u8,
    },
    /// A peer is gone, and its number is no longer one.
    Closed {
        /// The peer.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
        /// What passed between it and us until then.
        statistics: Box<PeerStatistics>,
    },
}

/// Why a peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// It never showed itself.
    NeverSeen,
    /// It was silent for too long.
    Silent,
    /// There was a sign that it left, and it was silent after it.
    Left,
}
