use thiserror::Error;

/// Why something was not done. The peers and streams that are there go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SfuError {
    /// [`Limits::peers`](crate::Limits::peers) are there.
    #[error("{limit} peers are there, which is the limit")]
    TooManyPeers {
        /// The limit.
        limit: usize,
    },
    /// [`Limits::pending_peers`](crate::Limits::pending_peers) have not shown themselves yet.
    #[error("{limit} peers have not shown themselves, which is the limit")]
    TooManyPending {
        /// The limit.
        limit: usize,
    },
    /// [`Limits::streams`](crate::Limits::streams) are there.
    #[error("{limit} streams are there, which is the limit")]
    TooManyStreams {
        /// The limit.
        limit: usize,
    },
    /// More tracks than [`Limits::tracks`](crate::Limits::tracks).
    #[error("{tracks} tracks, the limit is {limit}")]
    TooManyTracks {
        /// What was asked for.
        tracks: usize,
        /// The limit.
        limit: usize,
    },
    /// Another peer has the local ICE user name fragment.
    #[error("a peer with this ICE user name fragment is there")]
    UfragTaken,
    /// The peer is not there any more.
    #[error("no such peer")]
    UnknownPeer,
    /// The stream is not there any more.
    #[error("no such stream")]
    UnknownStream,
    /// The peer is a publisher, or a viewer, and the other was meant.
    #[error("the peer has another role")]
    WrongRole,
    /// No layer of this name in the stream that the viewer is attached to.
    #[error("no such layer")]
    UnknownLayer,
}
