//! WebRTC: sessions, from the request that begins one to whatever ends it.
//!
//! Two sides meet here. *Signalling* ([`begin`], [`Rtc::restart`], [`Rtc::end`]) answers HTTP requests:
//! it asks the hook servers, takes the stream for a publisher, makes the answer, and puts a
//! [`Session`] into the table under the user name fragment that it made. A *worker* per shard owns
//! sockets: the first one that gets an authentic binding request for a fragment of the table
//! [adopts](Rtc::adopt) the session. From then on media are its business, while the table still says
//! whose session it is, so that packets that come to another shard find their way.
//!
//! Whoever ends a session, and for whatever reason, calls [`Rtc::end`]: at that moment the stream is
//! free, the client is gone from the API, and the hook servers are told, once. What is left for the
//! worker is to say goodbye to the peer; it learns of that, and of all else that signalling wants of
//! its sessions, by its [`Inbox`].

mod begin;
mod candidates;
mod certificate;
mod error;
mod inbox;
mod offer;
mod session;
mod table;
mod worker;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Instant,
};

use rtc_stack::{
    sdp::{HostCandidate, IceFragment},
    stun::Credentials,
};
use rustls::crypto::ring::default_provider;
use tracing::{info, warn};

pub use self::{
    begin::{Begun, SessionRequest, begin},
    candidates::{Candidates, Hints},
    certificate::{Certificate, CertificateError},
    error::{EndReason, RtcError},
    inbox::{Inbox, WorkerId},
    session::{Adopted, NotAdopted, Orders, Quality, Restart, Role, Session},
    worker::{Counters, IceTcp, Workers, WorkersError},
};
use self::{inbox::Inboxes, table::Table};
use crate::server::Shared;

/// Sessions whose client has not shown itself yet: what a flood of requests comes to.
const MAX_PENDING: usize = 4096;

/// All WebRTC sessions of the server, and what it needs to answer for more.
#[derive(Debug)]
pub struct Rtc {
    certificate: Certificate,
    candidates: Candidates,
    table: Mutex<Table>,
    inboxes: Inboxes,
    counters: Counters,
}

impl Rtc {
    /// A server that shows this certificate and is reached at these addresses.
    pub fn new(certificate: Certificate, candidates: Candidates) -> Self {
        Self {
            certificate,
            candidates,
            table: Mutex::default(),
            inboxes: Inboxes::default(),
            counters: Counters::default(),
        }
    }

    /// What peers are shown in DTLS handshakes.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Where peers reach the server.
    pub fn candidates(&self) -> &Candidates {
        &self.candidates
    }

    /// What all workers have counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Adds a worker; what signalling wants of its sessions comes by the inbox.
    pub fn worker(&self) -> Arc<Inbox> {
        self.inboxes.add()
    }

    /// The session that knows itself by this user name fragment, pending or owned by a worker.
    ///
    /// This is for the first packet of an unknown flow; it takes the lock that all shards share.
    pub fn find(&self, ufrag: &str) -> Option<Arc<Session>> {
        self.lock().by_ufrag(ufrag)
    }

    /// The session of this id: both sides' user name fragments, with a colon between.
    pub fn named(&self, id: &str) -> Option<Arc<Session>> {
        self.lock().by_id(id)
    }

    /// The session of the secret that its client was given.
    pub fn of_token(&self, token: &str) -> Option<Arc<Session>> {
        self.lock().by_token(token)
    }

    /// Makes a worker the owner of a session, which has sent it an authentic binding request.
    ///
    /// # Errors
    /// Another worker owns it already, or it is over.
    pub fn adopt(&self, session: &Session, worker: &Inbox) -> Result<Adopted, NotAdopted> {
        let adopted = session.adopt(worker.id())?;
        self.lock().adopted();
        Ok(adopted)
    }

    /// Begins ICE anew for a session (RFC 8445, 9): the answer to a client's fragment.
    ///
    /// # Errors
    /// The session is over, the client's credentials are missing, or the system gives no randomness.
    pub fn restart(
        &self,
        session: &Arc<Session>,
        fragment: &IceFragment,
        hosts: &[HostCandidate],
    ) -> Result<IceFragment, RtcError> {
        let remote = fragment.ice.clone().ok_or(RtcError::NoCredentials)?;
        let local = self.new_credentials()?;
        let ours = local.clone();
        let mut table = self.lock();
        let owner = session.restart(Restart { local, remote })?;
        table.renamed(session, ours.ufrag());
        drop(table);
        if let Some(worker) = owner {
            self.inboxes.tell(worker, session);
        }
        Ok(fragment.answer_restart(ours, hosts))
    }

    /// Loses the next packets of a session on purpose, for tests.
    pub fn lose(&self, session: &Arc<Session>, packets: u16) {
        if let Some(worker) = session.lose(packets) {
            self.inboxes.tell(worker, session);
        }
    }

    /// Ends a session, if it isn't over: frees its stream and tells everybody, once. Its worker
    /// finds it in its inbox.
    pub fn end(&self, shared: &Shared, session: &Arc<Session>, why: EndReason) {
        let Some((held, owner)) = session.finish(why.clone()) else { return };
        self.lock().remove(session, owner.is_none());
        session.span().in_scope(|| match why.is_failure() {
            true => {
                warn!(stream = %session.stream().key, "{} ended: {why}", session.role());
                shared.clients.note_failed();
            }
            false => info!(stream = %session.stream().key, "{} ended: {why}", session.role()),
        });
        held.let_go(why.is_final());
        if let Some(worker) = owner {
            self.inboxes.tell(worker, session);
        }
    }

    /// Ends every session that a worker owns.
    pub fn end_of(&self, shared: &Shared, worker: WorkerId, why: &EndReason) {
        for session in self.sessions() {
            if session.owner() == Some(worker) {
                self.end(shared, &session, why.clone());
            }
        }
    }

    /// Ends every session, since the server ends.
    pub fn end_all(&self, shared: &Shared) {
        for session in self.sessions() {
            self.end(shared, &session, EndReason::Shutdown);
        }
    }

    /// Ends sessions whose client has not shown itself in time, or lost its stream before it did:
    /// they have no worker that would see to it.
    pub fn handle_timeout(&self, shared: &Shared, now: Instant) {
        if self.lock().pending() == 0 {
            return;
        }
        for session in self.sessions().into_iter().filter(|session| session.is_pending()) {
            if let Some(limit) = session.never_seen(now) {
                self.end(shared, &session, EndReason::NeverSeen(limit));
            } else if session.poll_fenced(&mut Context::from_waker(Waker::noop())).is_ready() {
                self.end(shared, &session, EndReason::TakenOver);
            }
        }
    }

    /// How many sessions there are: all, and those whose client has not shown itself.
    pub fn count(&self) -> (usize, usize) {
        let table = self.lock();
        (table.sessions().count(), table.pending())
    }

    /// The session of this client of the API.
    pub fn of_client(&self, client: &str) -> Option<Arc<Session>> {
        self.lock().by_client(client)
    }

    fn sessions(&self) -> Vec<Arc<Session>> {
        self.lock().sessions().cloned().collect()
    }

    fn new_credentials(&self) -> Result<Credentials, RtcError> {
        Ok(Credentials::from_entropy("", &random()?)?)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> Result<[u8; N], RtcError> {
    let mut bytes = [0; N];
    default_provider().secure_random.fill(&mut bytes).map_err(|_| RtcError::NoRandomness)?;
    Ok(bytes)
}
