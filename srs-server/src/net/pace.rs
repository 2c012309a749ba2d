//! How often publishers are read: whenever something comes, or after a window, all that came
//! meanwhile in one read.
//!
//! What a publisher costs is mostly its reads: the wake, the turn of its task and the call, for one
//! message or for ten. A connection whose window runs asks for no wake; all that are due within a
//! tick are woken together.
//!
//! Publishers and viewers of WebRTC share a socket, which is read whenever something comes. Where much
//! comes, the thread pauses for a moment before it waits for more, and each read takes what came
//! meanwhile of all of them.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::Waker,
    time::Duration,
};

use tokio::{
    select,
    sync::Notify,
    time::{Instant, sleep_until},
};

/// Windows end at a multiple of this, so that one wake of the thread is for many publishers.
const TICK: Duration = Duration::from_millis(TICK_MS);
const TICK_MS: u64 = 4;
/// The greatest window that automatic merging reaches.
const MAX_WINDOW: Duration = Duration::from_millis(150);
/// Publishers that a shard reads at once, and how much longer than nothing the automatic window
/// is for each one more.
const AT_ONCE: f64 = 100.0;
const STEP: f64 = 0.000_3;
/// Seconds between the messages of a usual publisher: 25 frames of video and 43 of audio a second.
const USUAL_INTERVAL: f64 = 0.015;
/// With this many publishers in a window most of what comes need not be looked at yet.
const MANY_WAITING: usize = 64;
/// How long a thread pauses while many wait: else each message that comes would wake it, to find that
/// nobody wants it yet.
const PAUSE: Duration = Duration::from_millis(1);
/// Datagrams a second from which on a thread pauses between reads of them, and how many more make a
/// pause of a whole millisecond. A hundred viewers that report what they get send fewer.
const DATAGRAMS_AT_ONCE: f64 = 4_000.0;
const DATAGRAMS_A_MS: f64 = 12_000.0;
/// A shorter pause saves nothing: the system takes as long to wake us.
const MIN_PAUSE: Duration = Duration::from_micros(100);

/// When a publisher's socket is read again after a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadWindow {
    /// At once while the shard has room, and after up to 150 ms when its publishers are many.
    Auto,
    /// After this time; zero is at once.
    Fixed(Duration),
}

/// Paces the publishers of one shard.
#[derive(Debug)]
pub struct ReadPace {
    /// What ticks are counted from.
    start: Instant,
    /// What [`ReadWindow::Auto`] means now, in microseconds.
    auto: AtomicU64,
    /// Reads so far.
    reads: AtomicU64,
    /// Datagrams that were read so far.
    datagrams: AtomicU64,
    /// The pause that they are worth, in microseconds.
    pause: AtomicU64,
    publishers: AtomicUsize,
    waiting: AtomicUsize,
    due: Mutex<Due>,
    /// Told when a tick is due before the one that is waited for.
    earlier: Notify,
}

/// Who is to be woken at which tick.
type Due = BTreeMap<u64, Vec<Waker>>;

impl ReadPace {
    /// A pace at which everything is read at once.
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            auto: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            datagrams: AtomicU64::new(0),
            pause: AtomicU64::new(0),
            publishers: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            due: Mutex::default(),
            earlier: Notify::new(),
        }
    }

    /// Takes note of a read at `now`, and says until when there is to be no other; `waker` is
    /// woken then. `None` is for at once.
    fn wait_after(&self, window: ReadWindow, now: Instant, waker: &Waker) -> Option<Instant> {
        self.reads.fetch_add(1, Relaxed);
        let window = match window {
            ReadWindow::Auto => self.auto(),
            ReadWindow::Fixed(window) => window,
        };
        if window.is_zero() {
            return None;
        }
        let since = now.saturating_duration_since(self.start) + window;
        let tick = u64::try_from(since.as_nanos().div_ceil(TICK.as_nanos())).ok()?;
        let mut due = self.due();
        let is_earliest = due.first_key_value().is_none_or(|(first, _)| tick < *first);
        due.entry(tick).or_default().push(waker.clone());
        // Before anybody can find it.
        self.waiting.fetch_add(1, Relaxed);
        drop(due);
        if is_earliest {
            self.earlier.notify_one();
        }
        Some(self.at(tick))
    }

    fn at(&self, tick: u64) -> Instant {
        self.start + Duration::from_millis(TICK_MS.saturating_mul(tick))
    }

    /// Wakes publishers whose window is over, as long as it runs.
    pub async fn run(&self) {
        loop {
            let next = self.wake_due(Instant::now());
            select! {
                () = self.earlier.notified() => {}
                () = async {
                    match next {
                        Some(at) => sleep_until(at).await,
                        None => pending().await,
                    }
                } => {}
            }
        }
    }

    /// Wakes who is due; when the next are.
    fn wake_due(&self, now: Instant) -> Option<Instant> {
        loop {
            let mut due = self.due();
            let first = due.first_entry()?;
            let at = self.at(*first.key());
            if at > now {
                return Some(at);
            }
            let wakers = first.remove();
            drop(due);
            self.waiting.fetch_sub(wakers.len(), Relaxed);
            // No lock is held: what a waker does is its own affair.
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Takes note of so many datagrams that were read.
    pub fn note_datagrams(&self, count: u64) {
        self.datagrams.fetch_add(count, Relaxed);
    }

    /// Sets the automatic window and the pause by what was read since the last call, `elapsed` ago.
    pub fn adjust(&self, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64().max(0.001);
        let rate = |count: &AtomicU64| count.swap(0, Relaxed) as f64 / seconds;
        let window = next_window(self.auto(), rate(&self.reads), self.publishers.load(Relaxed));
        store(&self.auto, window);
        store(&self.pause, pause_for(rate(&self.datagrams)));
    }

    /// How long the thread is to look at no socket when it has nothing to do.
    pub fn pause(&self) -> Option<Duration> {
        if self.waiting.load(Relaxed) >= MANY_WAITING {
            return Some(PAUSE);
        }
        let pause = self.pause.load(Relaxed);
        (pause > 0).then(|| Duration::from_micros(pause))
    }

    fn auto(&self) -> Duration {
        Duration::from_micros(self.auto.load(Relaxed))
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reads of one publisher, who is one of its shard's as long as this is there.
#[derive(Debug)]
pub struct PacedReads {
    pace: Arc<ReadPace>,
    window: ReadWindow,
    /// Until when there is to be no read.
    until: Option<Instant>,
}

impl PacedReads {
    /// The reads of a publisher of the shard with this pace.
    pub fn new(pace: Arc<ReadPace>, window: ReadWindow) -> Self {
        pace.publishers.fetch_add(1, Relaxed);
        Self { pace, window, until: None }
    }

    /// Begins the time after a read at `now` in which the socket is not read again; `waker` is
    /// woken when it is over.
    pub fn begin_window(&mut self, now: Instant, waker: &Waker) {
        self.until = self.pace.wait_after(self.window, now, waker);
    }

    /// Whether the socket isn't to be read yet.
    pub fn is_in_window(&mut self) -> bool {
        // Most publishers are in none: the clock is not read for them.
        self.until.take_if(|until| *until <= Instant::now());
        self.until.is_some()
    }
}

impl Drop for PacedReads {
    fn drop(&mut self) {
        self.pace.publishers.fetch_sub(1, Relaxed);
    }
}

fn store(micros: &AtomicU64, duration: Duration) {
    micros.store(u64::try_from(duration.as_micros()).unwrap_or(0), Relaxed);
}

/// The pause that so many datagrams a second are worth. They come as often however they are read, so
/// that this needs no way back to what is right, as the window does.
fn pause_for(rate: f64) -> Duration {
    let millis = ((rate - DATAGRAMS_AT_ONCE) / DATAGRAMS_A_MS).clamp(0.0, 1.0);
    let pause = PAUSE.mul_f64(millis);
    if pause < MIN_PAUSE { Duration::ZERO } else { pause }
}

/// The window after one with `rate` reads in a second of so many publishers: half way to the one
/// that is right.
///
/// As many publishers are counted as would make those reads: those who send little are no reason
/// to begin a window, for their reads could hardly be merged. Nor are a few who send much: they
/// would be made to wait, and a window later not.
fn next_window(window: Duration, rate: f64, publishers: usize) -> Duration {
    let publishers = (rate * window.as_secs_f64().max(USUAL_INTERVAL)).min(publishers as f64);
    let right = ((publishers - AT_ONCE) * STEP).clamp(0.0, MAX_WINDOW.as_secs_f64());
    let next = (window + Duration::from_secs_f64(right)) / 2;
    // Below a tick there is nothing to merge.
    if next < TICK { Duration::ZERO } else { next }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn who_is_due_is_woken_at_the_tick_after_the_window() {
        let start = Instant::now();
        let pace = Arc::new(ReadPace::new(start));
        let running = tokio::spawn({
            let pace = pace.clone();
            async move { pace.run().await }
        });
        tokio::task::yield_now().await;
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let wait = |ms| pace.wait_after(ReadWindow::Fixed(ms * MS), Instant::now(), &waker);
        assert_eq!(wait(0), None);
        // The later one first: an earlier one must not wait for it.
        assert_eq!(wait(350), Some(start + 352 * MS));
        assert_eq!(wait(9), Some(start + 12 * MS));
        assert_eq!(wait(12), Some(start + 12 * MS));
        for (at, woken) in [(11, 0), (13, 2), (351, 2), (353, 3)] {
            tokio::time::sleep_until(start + at * MS).await;
            assert_eq!(count.0.load(Relaxed), woken, "after {at} ms");
        }
        assert_eq!(pace.waiting.load(Relaxed), 0);
        running.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn many_reads_are_merged_and_few_are_not() {
        let pace = ReadPace::new(Instant::now());
        let window = |publishers: f64, interval: f64| {
            pace.publishers.store(publishers as usize, Relaxed);
            for _ in 0..20 {
                // Each is read whenever it has sent something, and once in a window at most.
                let interval = pace.auto().as_secs_f64().max(interval);
                pace.reads.store((publishers / interval / 4.0) as u64, Relaxed);
                pace.adjust(250 * MS);
            }
            pace.auto()
        };
        assert_eq!(window(100.0, 0.015), Duration::ZERO);
        // Who sends ten messages a second costs little, and is made to wait for nothing.
        assert_eq!(window(600.0, 0.1), Duration::ZERO);
        // Nor is a window begun for a few who send as much as many.
        for publishers in 1..100 {
            assert_eq!(window(publishers.into(), 0.000_2), Duration::ZERO, "{publishers}");
        }
        assert!((45 * MS..=75 * MS).contains(&window(300.0, 0.015)));
        assert!((145 * MS..=MAX_WINDOW).contains(&window(10_000.0, 0.015)));
        assert_eq!(window(100.0, 0.015), Duration::ZERO);
    }

    #[test]
    fn publishers_are_counted_as_long_as_they_are_there() {
        let pace = Arc::new(ReadPace::new(Instant::now()));
        let reads = || PacedReads::new(pace.clone(), ReadWindow::Auto);
        let some = [reads(), reads()];
        assert_eq!(pace.publishers.load(Relaxed), 2);
        drop(some);
        assert_eq!(pace.publishers.load(Relaxed), 0);
    }

    #[test]
    fn windows_are_kept_after_years() {
        let pace = ReadPace::new(Instant::now());
        let now = pace.start + Duration::from_secs(10 * 365 * 24 * 3600);
        let until = pace.wait_after(ReadWindow::Fixed(20 * MS), now, Waker::noop()).unwrap();
        assert!((20 * MS..=25 * MS).contains(&(until - now)), "{:?}", until - now);
        assert_eq!(pace.wake_due(now), Some(until));
        assert_eq!(pace.wake_due(until), None);
        assert_eq!(pace.waiting.load(Relaxed), 0);
    }

    #[test]
    fn an_automatic_window_is_used() {
        let pace = ReadPace::new(Instant::now());
        let (now, waker) = (Instant::now(), Waker::noop());
        assert_eq!(pace.wait_after(ReadWindow::Auto, now, waker), None);
        pace.auto.store(20_000, Relaxed);
        for _ in 1..MANY_WAITING {
            let until = pace.wait_after(ReadWindow::Auto, now, waker).unwrap();
            assert!((20 * MS..=25 * MS).contains(&(until - now)), "{:?}", until - now);
        }
        assert_eq!(pace.pause(), None);
        pace.wait_after(ReadWindow::Auto, now, waker);
        assert_eq!(pace.pause(), Some(PAUSE));
    }

    #[test]
    fn a_thread_pauses_that_gets_many_datagrams() {
        let pace = ReadPace::new(Instant::now());
        let pause = |datagrams| {
            pace.note_datagrams(datagrams);
            pace.adjust(250 * MS);
            pace.pause()
        };
        assert_eq!(pause(1_250), None);
        assert_eq!(pause(1_600), Some(Duration::from_micros(200)));
        assert_eq!(pause(4_000), Some(MS));
        assert_eq!(pause(400_000), Some(MS));
        assert_eq!(pause(0), None);
    }
}
