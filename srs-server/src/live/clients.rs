//! The clients that publish or play.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

use super::{LiveStream, Rate};
use crate::net::Link;

/// What a client does, with the names that SRS's API has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientKind {
    /// Plays by RTMP.
    RtmpPlay,
    /// Plays by HTTP-FLV.
    FlvPlay,
    /// Publishes by RTMP as Flash did.
    FlashPublish,
    /// Publishes by RTMP; the name is that of encoders that say `FCPublish` first, as most do.
    FmlePublish,
    /// Publishes by RTMP as Haivision's encoders do.
    HaivisionPublish,
}

impl ClientKind {
    /// The API's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RtmpPlay => "rtmp-play",
            Self::FlvPlay => "flv-play",
            Self::FlashPublish => "flash-publish",
            Self::FmlePublish => "fmle-publish",
            Self::HaivisionPublish => "haivision-publish",
        }
    }

    /// Whether the client publishes.
    pub fn is_publisher(self) -> bool {
        matches!(self, Self::FlashPublish | Self::FmlePublish | Self::HaivisionPublish)
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
    /// What it publishes or plays.
    pub stream: Arc<LiveStream>,
    /// When it began.
    pub since: Instant,
    link: Arc<Link>,
    /// What its connection had received and sent before.
    before: (u64, u64),
    close: Arc<Notify>,
    rates: Mutex<(Rate, Rate)>,
}

impl Client {
    /// Closes the client's connection.
    pub fn kick(&self) {
        self.close.notify_one();
    }

    /// Bytes received from it since it began.
    pub fn received(&self) -> u64 {
        self.link.received() - self.before.0
    }

    /// Bytes sent to it since it began.
    pub fn sent(&self) -> u64 {
        self.link.sent() - self.before.1
    }

    /// Closes the connection with its next flush, if the client has left it.
    pub fn doubt(&self) {
        self.link.doubt();
    }

    /// Bounds the kernel's buffer for this client: a second of its stream, if that is more
    /// than `least`. `false` as long as the stream's rate isn't known.
    pub fn fit_send_buffer(&self, least: usize) -> bool {
        let rate = self.stream.media.bytes_per_second();
        if rate > least {
            self.link.set_send_buffer(rate);
        }
        rate > 0
    }

    /// Kilobits per second received and sent over the last 30 s.
    pub fn kbps(&self, now: Instant) -> (u64, u64) {
        let rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        (rates.0.kbps(now, self.received()), rates.1.kbps(now, self.sent()))
    }

    fn sample(&self, now: Instant) {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.0.sample(now, self.received());
        rates.1.sample(now, self.sent());
    }
}

/// All clients in the order in which they came.
///
/// A connection may be two of them, with one id: it publishes one stream and plays another.
#[derive(Debug, Default, Clone)]
pub struct Clients(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    clients: BTreeMap<u64, Arc<Client>>,
    next: u64,
}

impl Clients {
    /// Adds a client until the guard is dropped; `close` ends its connection.
    pub fn join(
        &self,
        identity: Identity,
        stream: Arc<LiveStream>,
        link: Arc<Link>,
        close: Arc<Notify>,
        now: Instant,
    ) -> ClientGuard {
        stream.joined();
        let settings = &stream.vhost.settings;
        link.set_coalescing(!(settings.tcp_nodelay || settings.min_latency));
        let client = Arc::new(Client {
            identity,
            stream,
            since: now,
            before: (link.received(), link.sent()),
            link,
            close,
            rates: Mutex::new((Rate::new(now), Rate::new(now))),
        });
        let mut list = self.lock();
        let number = list.next;
        list.next += 1;
        list.clients.insert(number, client.clone());
        drop(list);
        ClientGuard { client, clients: self.clone(), number }
    }

    /// The client with this id.
    pub fn find(&self, id: &str) -> Option<Arc<Client>> {
        self.lock().clients.values().find(|client| client.identity.id == id).cloned()
    }

    /// All clients, the oldest first.
    pub fn list(&self) -> Vec<Arc<Client>> {
        self.lock().clients.values().cloned().collect()
    }

    /// Takes a sample of every client's counters for its rates.
    pub fn sample(&self, now: Instant) {
        for client in self.list() {
            client.sample(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that is in the list as long as this lives.
#[derive(Debug)]
pub struct ClientGuard {
    client: Arc<Client>,
    clients: Clients,
    number: u64,
}

impl std::ops::Deref for ClientGuard {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for ClientGuard {
    fn drop(&mut self) {
        self.clients.lock().clients.remove(&self.number);
        self.client.stream.left(&self.client);
    }
}

#[cfg(test)]
mod tests {
    use stream_hub::StreamKey;

    use super::*;
    use crate::live::{Streams, Vhost};

    /// A connection that publishes one stream and plays another, with one id.
    #[test]
    fn a_connection_may_be_two_clients() {
        let (clients, streams, now) = (Clients::default(), Streams::default(), Instant::now());
        let link = Arc::new(Link::default());
        let vhost = Arc::new(Vhost {
            id: String::new(),
            name: "v".to_owned(),
            settings: srs_config::Vhost::default(),
        });
        let join = |name: &str, kind| {
            let key = StreamKey::new("v", "live", name);
            let identity = Identity {
                id: "same".to_owned(),
                ip: IpAddr::from([127, 0, 0, 1]),
                kind,
                tc_url: String::new(),
                page_url: String::new(),
                swf_url: String::new(),
            };
            let stream = streams.open(&key, &vhost, now, || name.to_owned());
            clients.join(identity, stream, link.clone(), Arc::default(), now)
        };
        let publisher = join("a", ClientKind::FmlePublish);
        let player = join("b", ClientKind::RtmpPlay);
        let names = || clients.list().iter().map(|c| c.stream.id.clone()).collect::<Vec<_>>();
        assert_eq!(names(), ["a", "b"]);
        drop(player);
        assert_eq!(names(), ["a"]);
        assert!(clients.find("same").is_some());
        drop(publisher);
        assert!(clients.find("same").is_none());
    }
}
