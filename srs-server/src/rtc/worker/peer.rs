//! A session as its worker has it.

use std::{sync::Arc, task::Waker, time::Instant};

use rtc_stack::{
    dtls::{Association, Handshake},
    sdp::Negotiated,
    sfu::StreamId,
};

use super::telling::Told;
use crate::{media::RtpIngest, rtc::Session};

/// A session that a worker owns.
pub(super) struct Peer {
    pub(super) session: Arc<Session>,
    pub(super) negotiated: Arc<Negotiated>,
    /// Calls the worker for this peer.
    pub(super) waker: Waker,
    pub(super) dtls: Dtls,
    pub(super) media: Media,
    /// What was counted of it when that was last told.
    pub(super) told: Told,
    /// When its session was last told that something came.
    heard: Option<Instant>,
}

/// How far a peer is with DTLS.
pub(super) enum Dtls {
    /// Nothing has been said.
    Silent,
    /// Keys are agreed on.
    Handshake(Box<dyn Handshake>),
    /// There are keys.
    Done(Box<dyn Association>),
}

/// What a peer does.
pub(super) enum Media {
    /// Nothing until there are keys.
    Nothing,
    /// It brings a stream.
    Publishes(Box<RtpIngest>),
    /// It gets a stream.
    Plays(StreamId),
}

impl Peer {
    pub(super) fn new(session: Arc<Session>, negotiated: Arc<Negotiated>, waker: Waker) -> Self {
        Self {
            session,
            negotiated,
            waker,
            dtls: Dtls::Silent,
            media: Media::Nothing,
            told: Told::default(),
            heard: None,
        }
    }

    /// Notes that something authentic came, once for all that came at `now`.
    pub(super) fn note_heard(&mut self, now: Instant) {
        if self.heard != Some(now) {
            self.heard = Some(now);
            self.session.note_heard(now);
        }
    }
}
