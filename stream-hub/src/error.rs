//! Errors, one small enum per question that can fail.

use std::borrow::Cow;

use thiserror::Error;

use crate::{Lost, PublisherId, TrackId};

/// Why a stream could not be published or a track not be opened.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PublishError {
    /// Somebody else publishes the stream and the policy does not let the newcomer take over.
    #[error("stream is busy: published by {by}")]
    Busy {
        /// The active publisher.
        by: PublisherId,
    },
    /// The hub has as many streams as it may have.
    #[error("too many streams: the limit is {limit}")]
    TooManyStreams {
        /// [`Limits::streams`](crate::Limits::streams).
        limit: usize,
    },
    /// The publisher has as many tracks as it may have.
    #[error("too many tracks: the limit is {limit}")]
    TooManyTracks {
        /// [`Limits::tracks`](crate::Limits::tracks).
        limit: usize,
    },
    /// The stream has as many lanes as it may have.
    #[error("too many lanes: the limit is {limit}")]
    TooManyLanes {
        /// [`Limits::lanes_per_stream`](crate::Limits::lanes_per_stream).
        limit: usize,
    },
    /// The publisher has already opened this track.
    #[error("track {id} is already open")]
    TrackTaken {
        /// The track.
        id: TrackId,
    },
    /// Another publisher took the stream over, or this one was fenced off.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The hub was closed.
    #[error("hub is closed")]
    HubClosed,
}

/// The publisher no longer owns its stream: it was taken over, fenced off, or it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("publisher is fenced off from its stream")]
pub struct Fenced;

/// Why a reader could not be had.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubscribeError {
    /// The hub has as many streams as it may have.
    #[error("too many streams: the limit is {limit}")]
    TooManyStreams {
        /// [`Limits::streams`](crate::Limits::streams).
        limit: usize,
    },
    /// The stream has as many lanes as it may have.
    #[error("too many lanes: the limit is {limit}")]
    TooManyLanes {
        /// [`Limits::lanes_per_stream`](crate::Limits::lanes_per_stream).
        limit: usize,
    },
    /// The hub was closed.
    #[error("hub is closed")]
    HubClosed,
}

/// Why a reader gets nothing more.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadEnd {
    /// The stream ended for good and the reader asked for [`OnUnpublish::End`](crate::OnUnpublish).
    #[error("stream ended")]
    Ended,
    /// The reader fell off the lane's tail and asked for [`OnLag::Close`](crate::OnLag).
    #[error("reader lagged and lost {} items", .0.items)]
    Lagged(Lost),
    /// The lane cannot be had from what the stream's publisher sends.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The hub was closed.
    #[error("hub is closed")]
    HubClosed,
}

/// Why a derived lane cannot be had.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unavailable {
    /// No registered converters lead from the publisher's item types to the one asked for.
    #[error("no converter leads to the requested type")]
    NoPath,
    /// The converter's maker refused the stream or the variant, and says why.
    #[error("conversion refused: {0}")]
    Refused(Cow<'static, str>),
    /// The converter failed on what it read.
    #[error(transparent)]
    Failed(#[from] ConvertError),
    /// The task of a converter was dropped before its stream ended.
    #[error("conversion task was dropped")]
    TaskDropped,
    /// An intermediate lane would have been one too many.
    #[error("too many lanes: the limit is {limit}")]
    TooManyLanes {
        /// [`Limits::lanes_per_stream`](crate::Limits::lanes_per_stream).
        limit: usize,
    },
}

impl Unavailable {
    /// A refusal in the maker's own words.
    pub fn refused(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(why.into())
    }
}

/// What a converter could not convert; it ends the derived lane, not the stream.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("conversion failed: {0}")]
pub struct ConvertError(Cow<'static, str>);

impl ConvertError {
    /// An error in the converter's own words.
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}
