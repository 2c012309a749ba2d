//! The clients that publish or play.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use stream_hub::StreamKey;
use tokio::sync::Notify;

use super::Rate;
use crate::net::Counters;

/// What a client does, with the names that SRS's API has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientKind {
    /// Plays by RTMP.
    RtmpPlay,
    /// Plays by HTTP-FLV.
    FlvPlay,
    /// Publishes by RTMP after `FCPublish`, as most encoders do.
    FmlePublish,
    /// Publishes by RTMP without it.
    FlashPublish,
}

impl ClientKind {
    /// The API's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RtmpPlay => "rtmp-play",
            Self::FlvPlay => "flv-play",
            Self::FmlePublish => "fmle-publish",
            Self::FlashPublish => "flash-publish",
        }
    }

    /// Whether the client publishes.
    pub fn is_publisher(self) -> bool {
        matches!(self, Self::FmlePublish | Self::FlashPublish)
    }
}

/// How a client presented itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The connection's id.
    pub id: String,
    /// The client's address.
    pub ip: IpAddr,
    /// What it does.
    pub kind: ClientKind,
    /// The stream.
    pub key: StreamKey,
    /// The URL it connected to, without the stream.
    pub tc_url: String,
    /// The page that embeds the player.
    pub page_url: String,
    /// The player's own address.
    pub swf_url: String,
}

/// A client that publishes or plays.
#[derive(Debug)]
pub struct Client {
    /// How it presented itself.
    pub identity: Identity,
    /// When it began.
    pub since: Instant,
    /// The bytes of its connection.
    pub counters: Arc<Counters>,
    close: Arc<Notify>,
    rates: Mutex<(Rate, Rate)>,
}

impl Client {
    /// Closes the client's connection.
    pub fn kick(&self) {
        self.close.notify_one();
    }

    /// Kilobits per second received and sent over the last 30 s.
    pub fn kbps(&self, now: Instant) -> (u64, u64) {
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        (rates.0.kbps(now, self.counters.received()), rates.1.kbps(now, self.counters.sent()))
    }

    fn sample(&self, now: Instant) {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.0.sample(now, self.counters.received());
        rates.1.sample(now, self.counters.sent());
    }
}

/// All clients by id.
#[derive(Debug, Default, Clone)]
pub struct Clients(Arc<Mutex<HashMap<String, Arc<Client>>>>);

impl Clients {
    /// Adds a client until the guard is dropped; `close` ends its connection.
    pub fn join(
        &self,
        identity: Identity,
        counters: Arc<Counters>,
        close: Arc<Notify>,
        now: Instant,
    ) -> ClientGuard {
        let client = Arc::new(Client {
            identity,
            since: now,
            counters,
            close,
            rates: Mutex::new((Rate::new(now), Rate::new(now))),
        });
        self.lock().insert(client.identity.id.clone(), client.clone());
        ClientGuard { client, clients: self.clone() }
    }

    /// The client with this id.
    pub fn find(&self, id: &str) -> Option<Arc<Client>> {
        self.lock().get(id).cloned()
    }

    /// All clients, the oldest first.
    pub fn list(&self) -> Vec<Arc<Client>> {
        let mut list: Vec<_> = self.lock().values().cloned().collect();
        list.sort_by(|a, b| (a.since, &a.identity.id).cmp(&(b.since, &b.identity.id)));
        list
    }

    /// Takes a sample of every client's counters for its rates.
    pub fn sample(&self, now: Instant) {
        for client in self.list() {
            client.sample(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Client>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that is in the list as long as this lives.
#[derive(Debug)]
pub struct ClientGuard {
    client: Arc<Client>,
    clients: Clients,
}

impl std::ops::Deref for ClientGuard {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for ClientGuard {
    fn drop(&mut self) {
        self.clients.lock().remove(&self.client.identity.id);
    }
}
