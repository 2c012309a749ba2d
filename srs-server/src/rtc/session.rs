//! One session, from its offer to its end.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use rtc_stack::{sdp::Negotiated, stun::Credentials};
use stream_hub::{Publisher, PublisherId};
use tracing::Span;

use super::{EndReason, RtcError, WorkerId};
use crate::{
    hooks::{HookSession, Told},
    live::{Client, ClientGuard, LiveStream, Vhost},
    net::{Attendant, Link},
    server::ConnectionPlace,
};

/// What the client of a session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It sends a stream.
    Publish,
    /// It receives one.
    Play,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "publish",
            Self::Play => "play",
        })
    }
}

/// How well packets travel between a client and the server, as whoever receives them says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// The round-trip time, once a player's report has told it. Publishers tell none.
    pub rtt: Option<Duration>,
    /// Packets of media, without those that were sent again.
    pub packets: u64,
    /// Packets that were lost for good.
    pub lost: u64,
    /// The share that was lost lately of the track that lost most, 0 to 1.
    pub loss: f64,
    /// Packets that were asked for again.
    pub nacks: u64,
    /// Packets that were sent again.
    pub retransmitted: u64,
    /// Keyframes that were asked for.
    pub keyframe_requests: u64,
}

/// A session: who it is, what was agreed, and what it holds until it is over.
#[derive(Debug)]
pub struct Session {
    facts: Facts,
    /// Milliseconds from `facts.since` to the latest authentic packet.
    heard: AtomicU64,
    /// Whether it waits in its worker's inbox.
    is_queued: AtomicBool,
    quality: Mutex<Option<Quality>>,
    state: Mutex<State>,
}

/// What never changes of a session.
#[derive(Debug)]
pub(super) struct Facts {
    /// Both sides' user name fragments, ours first, as SRS has it.
    pub(super) id: String,
    /// By this its client shows that the session is its own.
    pub(super) token: String,
    /// The client's id in the API and the log.
    pub(super) client: String,
    /// The same client, with what its bytes come to.
    pub(super) account: Arc<Client>,
    pub(super) role: Role,
    /// Who publishes: address and parameters.
    pub(super) who: PublisherId,
    /// The parameters alone.
    pub(super) param: String,
    pub(super) stream: Arc<LiveStream>,
    pub(super) vhost: Arc<Vhost>,
    pub(super) link: Arc<Link>,
    pub(super) span: Span,
    pub(super) since: Instant,
}

#[derive(Debug)]
struct State {
    place: Place,
    local: Credentials,
    /// What the server was known by before ICE was begun anew: checks of then may still come.
    before: Option<String>,
    remote: Credentials,
    negotiated: Arc<Negotiated>,
    held: Option<Held>,
    orders: Orders,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Pending,
    Owned(WorkerId),
    Over,
}

/// What a session holds until it is over; dropped in this order.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) publisher: Option<Publisher>,
    pub(super) client: ClientGuard,
    pub(super) _kick: Attendant,
    pub(super) _told: Told,
    pub(super) _hooks: HookSession,
    pub(super) _place: ConnectionPlace,
}

impl Held {
    /// Frees the stream and tells everybody. `is_final` where no publisher is waited for.
    pub(super) fn let_go(mut self, is_final: bool) {
        let Some(publisher) = self.publisher.take() else { return };
        match is_final {
            true => publisher.end(),
            false => drop(publisher),
        }
        self.client.stream.unpublished_by(&self.client.identity.id);
    }
}

/// What a worker needs of a session that it adopts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Adopted {
    /// What the server is known by in binding requests.
    pub local: Credentials,
    /// What the client is known by.
    pub remote: Credentials,
    /// What was agreed, and who the client is.
    pub negotiated: Arc<Negotiated>,
}

/// Why a worker can't adopt a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAdopted {
    /// This worker owns it: its packets are for that one.
    Owned(WorkerId),
    /// It is over.
    Over,
}

/// What signalling wants of a session; the latest of each kind counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Orders {
    /// It is over: say goodbye to the peer and forget it.
    pub end: Option<EndReason>,
    /// ICE begins anew with these credentials.
    pub restart: Option<Restart>,
    /// So many packets are to be lost on purpose.
    pub lose: u16,
}

/// The credentials with which ICE begins anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// Ours.
    pub local: Credentials,
    /// The client's.
    pub remote: Credentials,
}

impl Session {
    pub(super) fn new(
        facts: Facts,
        local: Credentials,
        negotiated: Negotiated,
        held: Held,
    ) -> Self {
        let state = State {
            place: Place::Pending,
            local,
            before: None,
            remote: negotiated.remote_ice.clone(),
            negotiated: Arc::new(negotiated),
            held: Some(held),
            orders: Orders::default(),
        };
        Self {
            facts,
            heard: AtomicU64::new(0),
            is_queued: AtomicBool::new(false),
            quality: Mutex::default(),
            state: Mutex::new(state),
        }
    }

    /// Both sides' user name fragments as they were at first, ours before the colon.
    pub fn id(&self) -> &str {
        &self.facts.id
    }

    /// The secret by which its client shows that the session is its own.
    pub fn token(&self) -> &str {
        &self.facts.token
    }

    /// The client's id in the API.
    pub fn client(&self) -> &str {
        &self.facts.client
    }

    /// What its client does.
    pub fn role(&self) -> Role {
        self.facts.role
    }

    /// What it publishes or plays.
    pub fn stream(&self) -> &Arc<LiveStream> {
        &self.facts.stream
    }

    /// The vhost as it was configured when the session began.
    pub fn vhost(&self) -> &Arc<Vhost> {
        &self.facts.vhost
    }

    /// What counts its bytes.
    pub fn link(&self) -> &Arc<Link> {
        &self.facts.link
    }

    /// The client as the API has it, which may have left already.
    pub fn account(&self) -> &Arc<Client> {
        &self.facts.account
    }

    /// How well its packets travel; `None` until there were any.
    pub fn quality(&self) -> Option<Quality> {
        *self.quality.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how well its packets travel.
    pub fn note_quality(&self, quality: Quality) {
        *self.quality.lock().unwrap_or_else(PoisonError::into_inner) = Some(quality);
    }

    /// What is logged of it is logged in this.
    pub fn span(&self) -> &Span {
        &self.facts.span
    }

    /// The worker that owns it; `None` while it waits, and when it is over.
    pub fn owner(&self) -> Option<WorkerId> {
        match self.lock().place {
            Place::Owned(worker) => Some(worker),
            Place::Pending | Place::Over => None,
        }
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.lock().place == Place::Over
    }

    /// By what the server's side is known now, and what authenticates a check of the client.
    pub fn local(&self) -> Credentials {
        self.lock().local.clone()
    }

    /// The tag of the client's ICE session: another after each restart.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.lock().local.ufrag())
    }

    /// By what the client's side is known now.
    pub fn remote(&self) -> Credentials {
        self.lock().remote.clone()
    }

    /// Notes that something authentic came from the client. Call it once for a batch.
    pub fn note_heard(&self, now: Instant) {
        let age = now.saturating_duration_since(self.facts.since).as_millis();
        self.heard.store(u64::try_from(age).unwrap_or(u64::MAX), Relaxed);
    }

    /// Opens what the publisher holds, to add its tracks; `None` for players, and when it is over.
    pub fn with_publisher<T>(&self, open: impl FnOnce(&mut Publisher) -> T) -> Option<T> {
        self.lock().held.as_mut()?.publisher.as_mut().map(open)
    }

    /// Ready when another publisher has taken the stream over; never for players.
    pub fn poll_fenced(&self, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.lock();
        let publisher = state.held.as_ref().and_then(|held| held.publisher.as_ref());
        publisher.map_or(Poll::Pending, |publisher| publisher.poll_fenced(cx))
    }

    /// What signalling wants of it; from now on nothing.
    pub fn take_orders(&self) -> Orders {
        // Before they are taken: what comes after is told again.
        self.is_queued.store(false, Relaxed);
        std::mem::take(&mut self.lock().orders)
    }

    pub(super) fn who(&self) -> &PublisherId {
        &self.facts.who
    }

    pub(super) fn param(&self) -> &str {
        &self.facts.param
    }

    /// How long nothing has come from the client.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        let heard = Duration::from_millis(self.heard.load(Relaxed));
        now.saturating_duration_since(self.facts.since).saturating_sub(heard)
    }

    /// Whether no worker has it, and it isn't over.
    pub(super) fn is_pending(&self) -> bool {
        self.lock().place == Place::Pending
    }

    /// The time that the client had to show itself, if it has not and that is over.
    pub(super) fn never_seen(&self, now: Instant) -> Option<Duration> {
        let limit = self.facts.vhost.settings.rtc.stun_timeout;
        let is_late = now.saturating_duration_since(self.facts.since) >= limit;
        (is_late && self.is_pending()).then_some(limit)
    }

    /// The user name fragments that the server is known by.
    pub(super) fn ufrags(&self) -> Vec<String> {
        let state = self.lock();
        let now = state.local.ufrag().to_owned();
        state.before.clone().into_iter().chain([now]).collect()
    }

    pub(super) fn adopt(&self, worker: WorkerId) -> Result<Adopted, NotAdopted> {
        let mut state = self.lock();
        match state.place {
            Place::Owned(owner) => return Err(NotAdopted::Owned(owner)),
            Place::Over => return Err(NotAdopted::Over),
            Place::Pending => state.place = Place::Owned(worker),
        }
        let (local, remote) = (state.local.clone(), state.remote.clone());
        Ok(Adopted { local, remote, negotiated: state.negotiated.clone() })
    }

    /// Takes new credentials; who has to be told.
    pub(super) fn restart(&self, restart: Restart) -> Result<Option<WorkerId>, RtcError> {
        let mut state = self.lock();
        let owner = match state.place {
            Place::Over => return Err(RtcError::Over),
            Place::Pending => None,
            Place::Owned(worker) => Some(worker),
        };
        state.before = Some(state.local.ufrag().to_owned());
        state.local = restart.local.clone();
        state.remote = restart.remote.clone();
        if owner.is_some() {
            state.orders.restart = Some(restart);
        }
        Ok(owner)
    }

    /// Notes that packets are to be lost; who has to be told.
    pub(super) fn lose(&self, packets: u16) -> Option<WorkerId> {
        let mut state = self.lock();
        state.orders.lose = state.orders.lose.saturating_add(packets);
        match state.place {
            Place::Owned(worker) => Some(worker),
            Place::Pending | Place::Over => None,
        }
    }

    /// Ends it; what it held, and who has to be told. `None` where it is over already.
    pub(super) fn finish(&self, why: EndReason) -> Option<(Held, Option<WorkerId>)> {
        let mut state = self.lock();
        let held = state.held.take()?;
        let owner = match state.place {
            Place::Owned(worker) => Some(worker),
            Place::Pending | Place::Over => None,
        };
        state.place = Place::Over;
        state.orders.end = Some(why);
        Some((held, owner))
    }

    /// Notes that it is in its worker's inbox; `false` where it was.
    pub(super) fn queue(&self) -> bool {
        !self.is_queued.swap(true, Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
