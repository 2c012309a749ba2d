//! The streams, with what the API tells beyond the hub's own counters.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use srs_config::DEFAULT_VHOST;
use stream_hub::{PublisherId, StreamKey};

use super::{Identity, Meter, Vhost};
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
    /// What its clients receive and send.
    pub meter: Meter,
    /// Whether a client was let in: until then nobody is told of the stream.
    is_shown: AtomicBool,
    /// How many streams are shown.
    shown: Arc<AtomicUsize>,
    idle: Mutex<Idle>,
    published: Mutex<Published>,
    claimed: Mutex<Option<PublisherId>>,
}

/// The right to be the next publisher of a stream, for as long as hook servers are asked.
#[derive(Debug)]
#[must_use = "dropping it lets others publish"]
pub struct Claim(Arc<LiveStream>);

impl Drop for Claim {
    fn drop(&mut self) {
        *lock(&self.0.claimed) = None;
    }
}

/// Who publishes a stream.
#[derive(Debug, Default, Clone)]
pub struct Published {
    /// Whether it is published now.
    pub is_active: bool,
    /// The latest publisher's client id; `None` where there was none.
    pub client: Option<String>,
    /// The URL that it connected to.
    pub tc_url: String,
}

/// How long nobody has played what is published.
#[derive(Debug, Default)]
struct Idle {
    since: Option<Instant>,
    /// How long it may be for this publisher; zero for ever.
    limit: Duration,
}

impl LiveStream {
    /// The stream's identity as URLs of SRS have it: the default vhost is left out.
    pub fn url(&self) -> String {
        let vhost = if self.key.vhost() == DEFAULT_VHOST { "" } else { self.key.vhost() };
        format!("{vhost}/{}/{}", self.key.app(), self.key.name())
    }

    /// Who publishes it.
    pub fn published(&self) -> Published {
        lock(&self.published).clone()
    }

    /// Claims the stream for `who`, who is about to publish it.
    ///
    /// # Errors
    /// Who claims it already.
    pub fn claim(self: &Arc<Self>, who: PublisherId) -> Result<Claim, PublisherId> {
        let mut claimed = lock(&self.claimed);
        match &*claimed {
            Some(other) => Err(other.clone()),
            None => {
                *claimed = Some(who);
                Ok(Claim(self.clone()))
            }
        }
    }

    pub(super) fn joined(&self) {
        if !self.is_shown.swap(true, Relaxed) {
            self.shown.fetch_add(1, Relaxed);
        }
    }

    /// Notes whether nobody plays what is published, where that matters; the limit, once it has
    /// been so for as long.
    pub fn idle_beyond(&self, is_idle: impl FnOnce() -> bool, now: Instant) -> Option<Duration> {
        let limit = lock(&self.idle).limit;
        if limit.is_zero() {
            return None;
        }
        let is_idle = is_idle();
        let mut idle = lock(&self.idle);
        if !is_idle {
            idle.since = None;
            return None;
        }
        let since = *idle.since.get_or_insert(now);
        Some(limit).filter(|&limit| now.saturating_duration_since(since) >= limit)
    }

    /// Notes who publishes now, and how long it may do so without a player; zero for ever.
    pub fn published_by(&self, client: &Identity, idle_limit: Duration) {
        *lock(&self.idle) = Idle { since: None, limit: idle_limit };
        let now = Published {
            is_active: true,
            client: Some(client.id.clone()),
            tc_url: client.tc_url.clone(),
        };
        let before = std::mem::replace(&mut *lock(&self.published), now);
        if !before.is_active {
            self.vhost.meter.published();
        }
        self.media.restart();
    }

    /// Notes that `client` publishes no more, unless somebody else took over.
    pub fn unpublished_by(&self, client: &str) {
        let mut published = lock(&self.published);
        if published.is_active && published.client.as_deref() == Some(client) {
            published.is_active = false;
            self.vhost.meter.unpublished();
        }
    }
}

impl Drop for LiveStream {
    fn drop(&mut self) {
        if *self.is_shown.get_mut() {
            self.shown.fetch_sub(1, Relaxed);
        }
    }
}

/// All streams, in the order in which they came.
#[derive(Debug, Default)]
pub struct Streams {
    list: Mutex<List>,
    shown: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct List {
    streams: BTreeMap<u64, Arc<LiveStream>>,
    by_key: HashMap<StreamKey, u64>,
    by_id: HashMap<String, u64>,
    next: u64,
}

impl Streams {
    /// The stream, made where there is none; `id` names a new one.
    pub fn open(
        &self,
        key: &StreamKey,
        vhost: &Arc<Vhost>,
        now: Instant,
        id: impl FnOnce() -> String,
    ) -> Arc<LiveStream> {
        let mut list = lock(&self.list);
        if let Some(stream) = list.by_key.get(key).and_then(|number| list.streams.get(number)) {
            return stream.clone();
        }
        let stream = Arc::new(LiveStream {
            id: id(),
            key: key.clone(),
            vhost: vhost.clone(),
            media: MediaInfo::default(),
            meter: Meter::new(now),
            is_shown: AtomicBool::new(false),
            shown: self.shown.clone(),
            idle: Mutex::default(),
            published: Mutex::default(),
            claimed: Mutex::default(),
        });
        let number = list.next;
        list.next += 1;
        list.by_key.insert(key.clone(), number);
        list.by_id.insert(stream.id.clone(), number);
        list.streams.insert(number, stream.clone());
        stream
    }

    /// The streams that had a client, the oldest first: `count` of them, behind the first `start`.
    pub fn page(&self, start: usize, count: usize) -> Vec<Arc<LiveStream>> {
        let list = lock(&self.list);
        let shown = list.streams.values().filter(|stream| stream.is_shown.load(Relaxed));
        shown.skip(start).take(count).cloned().collect()
    }

    /// How many streams had a client.
    pub fn count(&self) -> usize {
        self.shown.load(Relaxed)
    }

    /// The stream with this id, if it had a client.
    pub fn find(&self, id: &str) -> Option<Arc<LiveStream>> {
        let list = lock(&self.list);
        let stream = list.streams.get(list.by_id.get(id)?)?;
        stream.is_shown.load(Relaxed).then(|| stream.clone())
    }

    /// The stream of this name, if it had a client.
    pub fn named(&self, key: &StreamKey) -> Option<Arc<LiveStream>> {
        let list = lock(&self.list);
        let stream = list.streams.get(list.by_key.get(key)?)?;
        stream.is_shown.load(Relaxed).then(|| stream.clone())
    }

    /// Takes a sample of what each stream's clients receive and send.
    pub fn sample(&self, now: Instant) {
        for stream in lock(&self.list).streams.values() {
            stream.meter.sample(now);
        }
    }

    /// Forgets the streams that nobody holds and for which `is_live` is false.
    pub fn retain(&self, is_live: impl Fn(&StreamKey) -> bool) {
        let mut list = lock(&self.list);
        let List { streams, by_key, by_id, .. } = &mut *list;
        streams.retain(|_, stream| {
            let stays = Arc::strong_count(stream) > 1 || is_live(&stream.key);
            if !stays {
                by_key.remove(&stream.key);
                by_id.remove(&stream.id);
            }
            stays
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, sync::Arc};

    use super::*;
    use crate::live::ClientKind;

    fn stream() -> Arc<LiveStream> {
        let vhost = Arc::new(Vhost {
            id: String::new(),
            name: "v".to_owned(),
            settings: srs_config::Vhost::default(),
            meter: Arc::default(),
        });
        let key = StreamKey::new("v", "live", "a");
        Streams::default().open(&key, &vhost, Instant::now(), String::new)
    }

    fn publisher(id: &str) -> Identity {
        Identity {
            id: id.to_owned(),
            ip: IpAddr::from([127, 0, 0, 1]),
            kind: ClientKind::FmlePublish,
            tc_url: String::new(),
            page_url: String::new(),
            swf_url: String::new(),
        }
    }

    #[test]
    fn a_player_gives_an_idle_publisher_all_its_time_again() {
        let (stream, start) = (stream(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let limit = Duration::from_secs(3);
        stream.published_by(&publisher("a"), limit);
        let idle = |is_idle: bool, seconds| stream.idle_beyond(|| is_idle, at(seconds));
        assert_eq!((idle(true, 0), idle(true, 2)), (None, None));
        assert_eq!(idle(false, 3), None);
        assert_eq!((idle(true, 4), idle(true, 6), idle(true, 7)), (None, None, Some(limit)));
        // And so does the next publish.
        stream.published_by(&publisher("b"), limit);
        assert_eq!((idle(true, 8), idle(true, 11)), (None, Some(limit)));
        stream.published_by(&publisher("c"), Duration::ZERO);
        assert_eq!((idle(true, 12), idle(true, 1000)), (None, None));
    }

    #[test]
    fn who_was_taken_over_does_not_end_the_stream() {
        let stream = stream();
        let counted = || (stream.published().is_active, stream.vhost.meter.publishers());
        stream.published_by(&publisher("a"), Duration::ZERO);
        stream.published_by(&publisher("b"), Duration::ZERO);
        stream.unpublished_by("a");
        assert_eq!(counted(), (true, 1));
        stream.unpublished_by("b");
        stream.unpublished_by("b");
        assert_eq!(counted(), (false, 0));
        assert_eq!(stream.published().client.as_deref(), Some("b"));
    }
}
