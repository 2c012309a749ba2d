//! The task that makes one client's calls.

use std::{sync::Arc, time::Duration};

use srs_config::HttpHooks;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::timeout,
};
use tracing::{debug, error, warn};

use super::{
    Caller, ConnectionFacts, HookError, Told,
    event::{Activity, Edge, StreamFacts},
};

/// How long one call may take in all.
const LIMIT: Duration = Duration::from_secs(30);

/// What a connection says to its teller.
pub(super) enum Message {
    /// Ask this.
    Ask(Question),
    /// What was allowed under this number has ended.
    End(u64),
}

/// A client wants to begin something.
pub(super) struct Question {
    pub(super) activity: Activity,
    pub(super) facts: Box<StreamFacts>,
    /// Of what may be open at one time.
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) answer: oneshot::Sender<Result<Told, HookError>>,
}

/// The task that makes one client's calls, one after the other.
pub(super) struct Teller {
    caller: Arc<Caller>,
    urls: HttpHooks,
    connection: ConnectionFacts,
    /// Weak, so that the inbox closes with the session.
    inbox: mpsc::WeakUnboundedSender<Message>,
    /// In the order in which it was allowed.
    open: Vec<Open>,
    allowed: u64,
}

/// Something that was allowed and is not yet told to have ended.
struct Open {
    number: u64,
    activity: Activity,
    facts: Box<StreamFacts>,
    _permit: OwnedSemaphorePermit,
}

impl Teller {
    pub(super) fn new(
        caller: Arc<Caller>,
        urls: HttpHooks,
        connection: ConnectionFacts,
        inbox: mpsc::WeakUnboundedSender<Message>,
    ) -> Self {
        Self { caller, urls, connection, inbox, open: Vec::new(), allowed: 0 }
    }

    /// Works until the session is over and all is told.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        while let Some(message) = inbox.recv().await {
            match message {
                Message::Ask(question) => self.ask(question).await,
                Message::End(number) => {
                    if let Some(at) = self.open.iter().position(|open| open.number == number) {
                        let open = self.open.remove(at);
                        self.tell(&open).await;
                    }
                }
            }
        }
        while let Some(open) = self.open.pop() {
            self.tell(&open).await;
        }
    }

    async fn ask(&mut self, question: Question) {
        let Question { activity, facts, permit, answer } = question;
        // Who went while another call was under way needs no answer.
        if answer.is_closed() {
            return;
        }
        if let Err(error) = self.call_all(activity, &facts).await {
            warn!("{} refused, code {}: {error}", activity.action(Edge::Start), error.code());
            // The client may be gone.
            let _ = answer.send(Err(error));
            return;
        }
        self.allowed += 1;
        let number = self.allowed;
        self.open.push(Open { number, activity, facts, _permit: permit });
        // Where nobody takes the answer, it comes back, and its drop says that it has ended.
        let _ = answer.send(Ok(Told::new(self.inbox.clone(), number)));
    }

    /// Asks one hook server after the other, up to the first that doesn't allow it.
    async fn call_all(&self, activity: Activity, facts: &StreamFacts) -> Result<(), HookError> {
        for url in activity.urls(Edge::Start, &self.urls) {
            self.call(activity, Edge::Start, facts, url).await?;
        }
        Ok(())
    }

    /// Tells every hook server of an end; what they answer changes nothing.
    async fn tell(&self, open: &Open) {
        for url in open.activity.urls(Edge::End, &self.urls) {
            if let Err(error) = self.call(open.activity, Edge::End, &open.facts, url).await {
                warn!("{}: {error}", open.activity.action(Edge::End));
            }
        }
    }

    async fn call(
        &self,
        activity: Activity,
        edge: Edge,
        facts: &StreamFacts,
        url: &str,
    ) -> Result<(), HookError> {
        let unreachable = |reason| HookError::Unreachable { url: url.to_owned(), reason };
        let body =
            activity.payload(edge, &self.caller, &self.connection, facts).map_err(|error| {
                error!("a callback's JSON cannot be written: {error}");
                unreachable(error.to_string())
            })?;
        let reply = timeout(LIMIT, self.caller.post.post(url, body))
            .await
            .map_err(|_| HookError::Timeout { url: url.to_owned(), limit: LIMIT })?
            .map_err(unreachable)?;
        reply.allows(url)?;
        debug!("{} answered yes to {}", url, activity.action(edge));
        Ok(())
    }
}
