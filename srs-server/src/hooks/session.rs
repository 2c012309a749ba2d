//! What a connection holds: a handle to its teller.

use std::{future::Future, sync::Arc};

use srs_config::HttpHooks;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::AbortHandle,
};
use tracing::{Instrument, Span};

use super::{
    ConnectionFacts, HookError, Hooks,
    event::{Activity, StreamFacts},
    pending::Pending,
    teller::{Message, Question, Teller},
};

/// What of one connection may at one time be asked, or allowed and not yet told to have ended: it
/// bounds the teller's memory. A connection publishes and plays one stream at a time, so that it
/// takes a hook server that hangs, and a client that comes and goes all the while, to get there.
const MAX_OPEN: usize = 16;

/// What the hook servers are asked and told of one connection.
///
/// When it is dropped, they are told of the end of what is still open, the last first, and then
/// that the connection is closed.
#[derive(Debug)]
pub struct HookSession(Option<Active>);

#[derive(Debug)]
struct Active {
    teller: mpsc::UnboundedSender<Message>,
    open: Arc<Semaphore>,
    number: u64,
    abort: AbortHandle,
    pending: Pending,
    /// Of the connection, which ends in no span.
    span: Span,
}

/// What the hook servers allowed; they are told of its end when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it tells the hook servers that it has ended"]
pub struct Told(Option<(mpsc::WeakUnboundedSender<Message>, u64)>);

impl HookSession {
    /// One that asks and tells nobody.
    pub(super) fn silent() -> Self {
        Self(None)
    }

    pub(super) fn start(hooks: &Hooks, urls: HttpHooks, connection: ConnectionFacts) -> Self {
        let (sender, inbox) = mpsc::unbounded_channel();
        let guard = hooks.pending.enter();
        let number = guard.number();
        let teller = Teller::new(hooks.caller.clone(), urls, connection, sender.downgrade());
        let run = async move {
            let _guard = guard;
            teller.run(inbox).await;
        };
        let abort = hooks.runtime.spawn(run.instrument(Span::current())).abort_handle();
        let open = Arc::new(Semaphore::new(MAX_OPEN));
        let (pending, span) = (hooks.pending.clone(), Span::current());
        Self(Some(Active { teller: sender, open, number, abort, pending, span }))
    }

    /// Asks whether the client may connect; once it may, the end of this session is told.
    ///
    /// # Errors
    /// Why it may not.
    pub fn connect(
        &self,
        facts: StreamFacts,
    ) -> impl Future<Output = Result<(), HookError>> + Send + use<> {
        let answer = self.ask(Activity::Connection, facts);
        // The connection's own end is the session's.
        async move { answer.await.map(Told::keep) }
    }

    /// Asks whether the client may publish. The question stands even if the future is dropped:
    /// should the answer be yes, the end is told at once.
    ///
    /// # Errors
    /// Why it may not.
    pub fn publish(
        &self,
        facts: StreamFacts,
    ) -> impl Future<Output = Result<Told, HookError>> + Send + use<> {
        self.ask(Activity::Publish, facts)
    }

    /// As [`HookSession::publish`], to play.
    ///
    /// # Errors
    /// Why it may not.
    pub fn play(
        &self,
        facts: StreamFacts,
    ) -> impl Future<Output = Result<Told, HookError>> + Send + use<> {
        self.ask(Activity::Play, facts)
    }

    fn ask(
        &self,
        activity: Activity,
        facts: StreamFacts,
    ) -> impl Future<Output = Result<Told, HookError>> + Send + use<> {
        let asked = self.0.as_ref().map(|active| active.ask(activity, facts));
        async move {
            match asked {
                None => Ok(Told(None)),
                // The teller is gone only when its runtime is.
                Some(answer) => answer?.await.unwrap_or(Err(HookError::Gone)),
            }
        }
    }
}

impl Active {
    fn ask(
        &self,
        activity: Activity,
        facts: StreamFacts,
    ) -> Result<oneshot::Receiver<Result<Told, HookError>>, HookError> {
        let permit = self.open.clone().try_acquire_owned();
        let permit = permit.map_err(|_| HookError::TooMany { limit: MAX_OPEN })?;
        let (answer, answered) = oneshot::channel();
        let question = Question { activity, facts: Box::new(facts), permit, answer };
        self.teller.send(Message::Ask(question)).map_err(|_| HookError::Gone)?;
        Ok(answered)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        // Before the channel closes: the teller may end the moment it does.
        self.span.in_scope(|| self.pending.left(self.number, self.abort.clone()));
    }
}

impl Told {
    pub(super) fn new(teller: mpsc::WeakUnboundedSender<Message>, number: u64) -> Self {
        Self(Some((teller, number)))
    }

    /// Leaves the end to the session's.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        // Where the session is gone, the teller tells all ends by itself.
        if let Some((teller, number)) = self.0.take()
            && let Some(teller) = teller.upgrade()
        {
            let _ = teller.send(Message::End(number));
        }
    }
}
