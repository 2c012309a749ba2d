//! The clients that publish or play.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tracing::{Span, warn};

use super::{LiveStream, Meter, Rate};
use crate::net::Link;

/// How often one client's losses are told: its publisher's timestamps must not fill the log.
const LOSSES_EVERY: Duration = Duration::from_secs(10);

/// How old the numbers of the API may be.
const MAX_AGE: Duration = Duration::from_millis(200);

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
    /// Plays by WebRTC.
    RtcPlay,
    /// Publishes by WebRTC.
    RtcPublish,
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
            Self::RtcPlay => "rtc-play",
            Self::RtcPublish => "rtc-publish",
        }
    }

    /// Whether the client publishes.
    pub fn is_publisher(self) -> bool {
        matches!(
            self,
            Self::FlashPublish | Self::FmlePublish | Self::HaivisionPublish | Self::RtcPublish
        )
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
    /// What of its bytes the meters have.
    metered: Mutex<(u64, u64)>,
    rates: Mutex<Rates>,
}

#[derive(Debug)]
struct Rates {
    received: Rate,
    sent: Rate,
    /// Most clients lose nothing.
    losses: Option<Box<Losses>>,
}

/// Messages that a client was too slow for.
#[derive(Debug, Default)]
struct Losses {
    told: Option<Instant>,
    untold: u64,
}

impl Losses {
    /// Notes that messages are lost; how many there are to tell of, if it is time to.
    fn note(&mut self, items: u64, now: Instant) -> Option<u64> {
        self.untold += items;
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= LOSSES_EVERY);
        is_due.then(|| {
            self.told = Some(now);
            std::mem::take(&mut self.untold)
        })
    }
}

impl Client {
    /// Notes that the client was too slow for some messages.
    pub fn note_lost(&self, items: u64, now: Instant) {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lost) = rates.losses.get_or_insert_default().note(items, now) {
            self.span().in_scope(|| warn!("the player is too slow: {lost} messages lost"));
        }
    }

    /// Closes the client's connection.
    pub fn kick(&self) {
        self.link.kick();
    }

    /// What its connection's lines in the log have in common.
    pub fn span(&self) -> &Span {
        self.link.span()
    }

    /// Bytes received from it since it began.
    pub fn received(&self) -> u64 {
        self.link.received() - self.before.0
    }

    /// Bytes sent to it since it began.
    pub fn sent(&self) -> u64 {
        self.link.sent() - self.before.1
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
        (rates.received.kbps(now, self.received()), rates.sent.kbps(now, self.sent()))
    }

    /// Brings what it received and sent meanwhile into the meters.
    fn meter(&self, all: &Meter) {
        let mut metered = self.metered.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.received(), self.sent());
        let before = std::mem::replace(&mut *metered, now);
        if now != before {
            for meter in [all, &self.stream.vhost.meter, &self.stream.meter] {
                meter.add(now.0 - before.0, now.1 - before.1);
            }
        }
    }

    fn sample(&self, now: Instant) {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.received.sample(now, self.received());
        rates.sent.sample(now, self.sent());
    }
}

/// All clients in the order in which they came.
///
/// A connection may be two of them, with one id: it publishes one stream and plays another.
#[derive(Debug, Default, Clone)]
pub struct Clients(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    list: Mutex<List>,
    meter: Meter,
    failed: AtomicU64,
}

#[derive(Debug, Default)]
struct List {
    clients: BTreeMap<u64, Arc<Client>>,
    /// Each client's id and number.
    by_id: BTreeSet<(String, u64)>,
    kinds: BTreeMap<&'static str, usize>,
    next: u64,
    /// When the meters may be brought up to date again.
    due: Option<Instant>,
}

impl Clients {
    /// Adds a client until the guard is dropped.
    pub fn join(
        &self,
        identity: Identity,
        stream: Arc<LiveStream>,
        link: Arc<Link>,
        now: Instant,
    ) -> ClientGuard {
        stream.joined();
        link.set_coalescing(!stream.vhost.settings.sends_at_once());
        let client = Arc::new(Client {
            identity,
            stream,
            since: now,
            before: (link.received(), link.sent()),
            link,
            metered: Mutex::default(),
            rates: Mutex::new(Rates {
                received: Rate::new(now),
                sent: Rate::new(now),
                losses: None,
            }),
        });
        for meter in [&self.0.meter, &client.stream.vhost.meter, &client.stream.meter] {
            meter.joined();
        }
        let mut list = self.lock();
        let number = list.next;
        list.next += 1;
        list.clients.insert(number, client.clone());
        list.by_id.insert((client.identity.id.clone(), number));
        *list.kinds.entry(client.identity.kind.name()).or_default() += 1;
        drop(list);
        ClientGuard { client, clients: self.clone(), number }
    }

    /// The client with this id.
    pub fn find(&self, id: &str) -> Option<Arc<Client>> {
        let list = self.lock();
        let (found, number) = list.by_id.range((id.to_owned(), 0)..).next()?;
        if found != id {
            return None;
        }
        list.clients.get(number).cloned()
    }

    /// The clients, the oldest first: `count` of them, behind the first `start`.
    pub fn page(&self, start: usize, count: usize) -> Vec<Arc<Client>> {
        self.lock().clients.values().skip(start).take(count).cloned().collect()
    }

    /// What all clients receive and send.
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// How many clients of each kind there are now, by the API's names of those that ever were.
    pub fn kinds(&self) -> BTreeMap<&'static str, usize> {
        self.lock().kinds.clone()
    }

    /// How many clients there were so far.
    pub fn total(&self) -> u64 {
        self.lock().next
    }

    /// How many clients ended by an error so far.
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Relaxed)
    }

    /// Notes that a client ended by an error.
    pub fn note_failed(&self) {
        self.0.failed.fetch_add(1, Relaxed);
    }

    /// Brings all meters up to date: of streams, vhosts and the server.
    ///
    /// However often it is called, it takes a twentieth of one thread's time at most, or once in
    /// 200 ms; called too soon again it leaves the meters as they are.
    pub fn refresh(&self) {
        let mut list = self.lock();
        let began = Instant::now();
        if list.due.is_none_or(|due| began >= due) {
            for client in list.clients.values() {
                client.meter(&self.0.meter);
            }
            // A thread that lost its core meanwhile took no time of it.
            list.due = Some(began + (began.elapsed() * 20).min(MAX_AGE));
        }
    }

    /// Brings what is known only now of a client that may have left into the meters.
    pub fn settle(&self, client: &Client) {
        client.meter(&self.0.meter);
    }

    /// Takes a sample of every client's counters for its rates, and of the server's.
    pub fn sample(&self, now: Instant) {
        for client in self.page(0, usize::MAX) {
            client.sample(now);
        }
        self.refresh();
        self.0.meter.sample(now);
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that is in the list as long as this lives.
#[derive(Debug)]
pub struct ClientGuard {
    client: Arc<Client>,
    clients: Clients,
    number: u64,
}

impl ClientGuard {
    /// The client, also for when it has left.
    pub fn account(&self) -> Arc<Client> {
        self.client.clone()
    }
}

impl std::ops::Deref for ClientGuard {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for ClientGuard {
    fn drop(&mut self) {
        let client = &self.client;
        let all = &self.clients.0.meter;
        {
            let mut list = self.clients.lock();
            list.clients.remove(&self.number);
            list.by_id.remove(&(client.identity.id.clone(), self.number));
            if let Some(count) = list.kinds.get_mut(client.identity.kind.name()) {
                *count -= 1;
            }
        }
        client.meter(all);
        for meter in [all, &client.stream.vhost.meter, &client.stream.meter] {
            meter.left();
        }
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
            meter: Arc::default(),
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
            clients.join(identity, stream, link.clone(), now)
        };
        let publisher = join("a", ClientKind::FmlePublish);
        let player = join("b", ClientKind::RtmpPlay);
        let names = || clients.page(0, 9).iter().map(|c| c.stream.id.clone()).collect::<Vec<_>>();
        assert_eq!(names(), ["a", "b"]);
        drop(player);
        assert_eq!(names(), ["a"]);
        assert!(clients.find("same").is_some());
        drop(publisher);
        assert!(clients.find("same").is_none());
        assert!(clients.find("samer").is_none());
        assert_eq!(clients.total(), 2);
        assert_eq!(vhost.meter.clients(), 0);
        assert_eq!(clients.kinds().values().sum::<usize>(), 0);
        assert_eq!(streams.count(), 2);
        streams.retain(|_| false);
        assert_eq!((streams.count(), streams.page(0, 9).len()), (0, 0));
        assert!(streams.find("a").is_none());
    }

    #[test]
    fn losses_are_told_now_and_then() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        let mut note = |items, seconds| losses.note(items, start + Duration::from_secs(seconds));
        assert_eq!(note(7, 0), Some(7));
        assert_eq!((note(1, 1), note(2, 9)), (None, None));
        assert_eq!((note(3, 10), note(4, 19), note(5, 30)), (Some(6), None, Some(9)));
    }

    /// What a client brings in counts once, whether it is here or gone, however often one asks.
    #[tokio::test]
    async fn meters_count_each_byte_once() {
        use tokio::io::AsyncWriteExt;

        let (clients, streams, now) = (Clients::default(), Streams::default(), Instant::now());
        let vhost = Arc::new(Vhost {
            id: String::new(),
            name: "v".to_owned(),
            settings: srs_config::Vhost::default(),
            meter: Arc::default(),
        });
        let key = StreamKey::new("v", "live", "a");
        let stream = streams.open(&key, &vhost, now, String::new);
        for round in 1..=3 {
            let (ours, _theirs) = tokio::io::duplex(10_000);
            let mut socket =
                crate::net::Guarded::new(ours, Arc::default(), std::time::Duration::MAX);
            // What went before it became a client isn't the client's.
            socket.write_all(&[0; 7]).await.unwrap();
            let identity = Identity {
                id: round.to_string(),
                ip: IpAddr::from([127, 0, 0, 1]),
                kind: ClientKind::RtmpPlay,
                tc_url: String::new(),
                page_url: String::new(),
                swf_url: String::new(),
            };
            let link = socket.link().clone();
            let client = clients.join(identity, stream.clone(), link, now);
            socket.write_all(&[0; 1000]).await.unwrap();
            clients.refresh();
            clients.sample(now);
            socket.write_all(&[0; 500]).await.unwrap();
            drop(client);
            for meter in [clients.meter(), &vhost.meter, &stream.meter] {
                assert_eq!((meter.sent(), meter.clients()), (1500 * round, 0));
            }
        }
    }
}
