//! The streams, with what the API tells beyond the hub's own counters.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use srs_config::DEFAULT_VHOST;
use stream_hub::StreamKey;

use super::{Client, Vhost};
use crate::media::MediaInfo;

/// A stream while anybody publishes or plays it.
#[derive(Debug)]
pub struct LiveStream {
    /// Its id in the API: the same as long as the stream lives.
    pub id: String,
    /// Whose it is.
    pub key: StreamKey,
    /// Where it belongs, as configured when it came to be.
    pub vhost: Arc<Vhost>,
    /// Codecs and frames.
    pub media: MediaInfo,
    /// When it came to be.
    pub since: Instant,
    /// Whether a client was let in: until then nobody is told of the stream.
    is_shown: AtomicBool,
    /// Since when nobody plays what is published.
    idle_since: Mutex<Option<Instant>>,
    tc_url: Mutex<String>,
    publisher: Mutex<Option<String>>,
    /// Bytes received from and sent to the clients that have gone.
    gone: (AtomicU64, AtomicU64),
}

impl LiveStream {
    /// Its identity, `vhost/app/stream`, with the default vhost left out.
    pub fn url(&self) -> String {
        let vhost = Some(self.key.vhost()).filter(|&vhost| vhost != DEFAULT_VHOST);
        format!("{}/{}/{}", vhost.unwrap_or_default(), self.key.app(), self.key.name())
    }

    /// The URL that the latest publisher connected to.
    pub fn tc_url(&self) -> String {
        lock(&self.tc_url).clone()
    }

    /// The publisher's client id.
    pub fn publisher(&self) -> Option<String> {
        lock(&self.publisher).clone()
    }

    /// Bytes received from and sent to the clients that have gone.
    pub fn gone(&self) -> (u64, u64) {
        (self.gone.0.load(Relaxed), self.gone.1.load(Relaxed))
    }

    pub(super) fn joined(&self) {
        self.is_shown.store(true, Relaxed);
    }

    pub(super) fn left(&self, client: &Client) {
        self.gone.0.fetch_add(client.received(), Relaxed);
        self.gone.1.fetch_add(client.sent(), Relaxed);
    }

    /// Notes whether nobody plays what is published; for how long that has been so.
    pub fn idle_for(&self, is_idle: bool, now: Instant) -> Duration {
        let mut since = lock(&self.idle_since);
        *since = if is_idle { since.or(Some(now)) } else { None };
        since.map_or(Duration::ZERO, |since| now - since)
    }

    /// Notes who publishes now.
    pub fn published_by(&self, client: &str, tc_url: &str) {
        tc_url.clone_into(&mut lock(&self.tc_url));
        *lock(&self.publisher) = Some(client.to_owned());
        self.media.restart();
    }

    /// Notes that `client` publishes no more, unless somebody else took over.
    pub fn unpublished_by(&self, client: &str) {
        let mut publisher = lock(&self.publisher);
        if publisher.as_deref() == Some(client) {
            *publisher = None;
        }
    }
}

/// All streams by key.
#[derive(Debug, Default)]
pub struct Streams(Mutex<HashMap<StreamKey, Arc<LiveStream>>>);

impl Streams {
    /// The stream, made where there is none; `id` names a new one.
    pub fn open(
        &self,
        key: &StreamKey,
        vhost: &Arc<Vhost>,
        now: Instant,
        id: impl FnOnce() -> String,
    ) -> Arc<LiveStream> {
        lock(&self.0)
            .entry(key.clone())
            .or_insert_with(|| {
                Arc::new(LiveStream {
                    id: id(),
                    key: key.clone(),
                    vhost: vhost.clone(),
                    media: MediaInfo::default(),
                    since: now,
                    is_shown: AtomicBool::new(false),
                    idle_since: Mutex::default(),
                    tc_url: Mutex::default(),
                    publisher: Mutex::default(),
                    gone: Default::default(),
                })
            })
            .clone()
    }

    /// All streams that had a client, the oldest first.
    pub fn list(&self) -> Vec<Arc<LiveStream>> {
        let streams = lock(&self.0);
        let shown = streams.values().filter(|stream| stream.is_shown.load(Relaxed));
        let mut list: Vec<_> = shown.cloned().collect();
        drop(streams);
        list.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        list
    }

    /// Forgets the streams that nobody holds and for which `is_live` is false.
    pub fn retain(&self, is_live: impl Fn(&StreamKey) -> bool) {
        lock(&self.0).retain(|key, stream| Arc::strong_count(stream) > 1 || is_live(key));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
