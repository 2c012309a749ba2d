//! HTTP callbacks: a vhost's own servers are asked whether a client may connect, publish or play,
//! and told when it has ended.
//!
//! Each client has one small task, its *teller*, which makes the client's calls one after the
//! other: what a hook server gets of one client is in order, and one that hangs delays that client
//! alone. The teller also knows what was allowed and has not yet been told to have ended. So each
//! `on_publish` that was allowed is followed by exactly one `on_unpublish`, however the client
//! goes, and even if it went while the question was open.

mod client;
mod error;
mod event;
mod pending;
mod reply;
mod session;
mod teller;
#[cfg(test)]
mod tests;

use std::{future::Future, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::runtime::Handle;

use self::{client::Client, pending::Pending, reply::Reply};
pub use self::{
    error::HookError,
    event::StreamFacts,
    session::{HookSession, Told},
};
use crate::net::Link;

/// Asks and tells a vhost's hook servers. Cheap to clone.
#[derive(Clone)]
pub struct Hooks {
    runtime: Handle,
    caller: Arc<Caller>,
    pending: Pending,
}

/// A connection, as its hook servers are told of it.
#[derive(Debug, Clone)]
pub struct ConnectionFacts {
    /// The connection's id.
    pub client_id: String,
    /// The client's address.
    pub ip: IpAddr,
    /// What counts its bytes.
    pub link: Arc<Link>,
}

/// Who calls, and how.
struct Caller {
    server_id: String,
    service_id: String,
    post: Box<dyn Post>,
}

/// Posts JSON.
trait Post: Send + Sync + 'static {
    /// Posts `body` and reads the answer, however long it takes.
    fn post(&self, url: &str, body: Bytes) -> Posting;
}

/// A call under way: the answer, or why there is none.
type Posting = Pin<Box<dyn Future<Output = Result<Reply, String>> + Send>>;

impl Hooks {
    /// Calls run on `runtime`, which must outlive the clients: what ends last is told last.
    pub fn new(runtime: Handle, server_id: String, service_id: String) -> Self {
        Self::with(runtime, server_id, service_id, Box::new(Client::default()))
    }

    fn with(runtime: Handle, server_id: String, service_id: String, post: Box<dyn Post>) -> Self {
        let caller = Arc::new(Caller { server_id, service_id, post });
        Self { runtime, caller, pending: Pending::default() }
    }

    /// What is asked and told of one connection. Where `hooks` calls nobody, nothing is spawned
    /// and every question is answered yes.
    pub fn session(
        &self,
        hooks: &srs_config::HttpHooks,
        connection: ConnectionFacts,
    ) -> HookSession {
        let urls = [
            &hooks.on_connect,
            &hooks.on_close,
            &hooks.on_publish,
            &hooks.on_unpublish,
            &hooks.on_play,
            &hooks.on_stop,
        ];
        if !hooks.enabled || urls.iter().all(|urls| urls.is_empty()) {
            return HookSession::silent();
        }
        HookSession::start(self, hooks.clone(), connection)
    }

    /// Waits until everything that was to be told of clients that are gone is told, `limit` at
    /// most. For the end of the server, when all clients are gone.
    pub async fn drain(&self, limit: Duration) {
        self.pending.drain(limit).await;
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("pending", &self.pending).finish_non_exhaustive()
    }
}
