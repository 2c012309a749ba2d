//! Shards: one thread per core, each with its own runtime, that own the connections.

use std::{
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use stream_hub::WakeGroup;
use tokio::{
    runtime::Builder,
    select,
    sync::{mpsc, watch},
    task::spawn,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{ReadPace, Residence};

/// The greatest window that automatic merging reaches, as SRS's `mw_latency`.
const MAX_WINDOW: Duration = Duration::from_millis(350);
/// How often a shard looks at its load.
const LOAD_INTERVAL: Duration = Duration::from_millis(250);

/// Begins a connection, on the thread that is to own it.
type Job = Box<dyn FnOnce() + Send>;

/// One thread of the server, as the connections on it see it.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Wakes the shard's readers.
    pub group: WakeGroup,
    /// How long messages stay before they are written here.
    pub residence: Arc<Residence>,
    /// How much is owned here.
    pub load: Arc<Load>,
    /// How often its publishers are read.
    pub reads: Arc<ReadPace>,
    /// Takes what is to be begun there.
    jobs: mpsc::UnboundedSender<Job>,
}

/// How much a shard owns.
#[derive(Debug, Default)]
pub struct Load {
    connections: AtomicUsize,
    /// WebRTC sessions.
    pub sessions: AtomicUsize,
}

/// All shards. Dropping it closes their connections and ends their threads.
#[derive(Debug)]
pub struct Shards {
    shards: Vec<Shard>,
    /// For connections that have no media: what they cost keeps no player waiting.
    api: Shard,
    stop: watch::Sender<()>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Shards {
    /// Starts `count` threads.
    ///
    /// # Errors
    /// The system gives no thread or no reactor.
    pub fn start(count: usize) -> io::Result<Self> {
        let stop = watch::Sender::new(());
        let mut threads = Vec::new();
        let mut start = |name: String| {
            let (shard, thread) = Shard::start(name, stop.subscribe())?;
            threads.push(thread);
            io::Result::Ok(shard)
        };
        let api = start("api".to_owned())?;
        let shards = (0..count.max(1))
            .map(|index| start(format!("shard-{index}")))
            .collect::<Result<_, _>>()?;
        Ok(Self { shards, api, stop, threads })
    }

    /// The shards, without the one for what has no media.
    pub fn each(&self) -> &[Shard] {
        &self.shards
    }

    /// The shard with the fewest connections and sessions.
    pub fn least_loaded(&self) -> &Shard {
        self.shards
            .iter()
            .min_by_key(|shard| {
                shard.load.connections.load(Relaxed) + shard.load.sessions.load(Relaxed)
            })
            .unwrap_or(&self.shards[0])
    }

    /// How many connections there are, those without media aside.
    pub fn connections(&self) -> usize {
        self.shards.iter().map(|shard| shard.load.connections.load(Relaxed)).sum()
    }

    /// What each shard counts of the time that messages stay.
    pub fn residences(&self) -> Vec<Arc<Residence>> {
        self.shards.iter().map(|shard| shard.residence.clone()).collect()
    }

    /// The thread for connections that have no media.
    pub fn api(&self) -> &Shard {
        &self.api
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        for thread in self.threads.drain(..) {
            // A shard that panicked has told so itself.
            let _ = thread.join();
        }
    }
}

impl Shard {
    /// The thread that this is called on, which has a runtime of its own: for a server in memory,
    /// under a time that is not the clock's. Nothing wakes its readers, nor publishers whose
    /// window is over, but [`Shard::run`].
    pub fn here() -> Self {
        Self {
            group: WakeGroup::new(),
            residence: Arc::default(),
            load: Arc::default(),
            reads: Arc::new(ReadPace::new(Instant::now())),
            // Nothing is ever begun by it.
            jobs: mpsc::unbounded_channel().0,
        }
    }

    /// Wakes who waits on a shard that has no thread of its own.
    pub async fn run(&self) {
        select! {
            () = wake(&self.group) => {}
            () = self.reads.run() => {}
        }
    }

    /// Starts a thread that runs until `stop` is told.
    fn start(
        name: String,
        mut stop: watch::Receiver<()>,
    ) -> io::Result<(Self, thread::JoinHandle<()>)> {
        let group = WakeGroup::new();
        let reads = Arc::new(ReadPace::new(Instant::now()));
        let pace = reads.clone();
        let pause = move || {
            if let Some(pause) = pace.pause() {
                thread::sleep(pause);
            }
        };
        let runtime = Builder::new_current_thread().enable_all().on_thread_park(pause).build()?;
        let (jobs, taken) = mpsc::unbounded_channel();
        let shard = Self {
            group: group.clone(),
            residence: Arc::default(),
            load: Arc::default(),
            reads: reads.clone(),
            jobs,
        };
        let thread = thread::Builder::new().name(name).spawn(move || {
            runtime.block_on(async {
                select! {
                    () = wake(&group) => {}
                    () = begin(taken) => {}
                    () = reads.run() => {}
                    () = measure(&group, &reads) => {}
                    _ = stop.changed() => {}
                }
            });
            // Every connection's task is dropped here, and so its socket closed.
            runtime.shutdown_timeout(Duration::from_millis(100));
        })?;
        Ok((shard, thread))
    }

    /// Runs what is no connection on the shard's thread.
    pub fn spawn_worker(&self, work: impl Future<Output = ()> + Send + 'static) {
        // A shard that is gone runs nothing.
        let _ = self.jobs.send(Box::new(move || {
            spawn(work);
        }));
    }

    /// Begins a connection on the shard's thread, and runs what comes of it there; `None` is a
    /// connection that is over already.
    ///
    /// So the task is of what runs alone, not of what it began with, and all that a connection has
    /// comes from the memory of one thread.
    pub fn spawn<C>(&self, begin: impl FnOnce() -> Option<C> + Send + 'static)
    where
        C: Future<Output = ()> + Send + 'static,
    {
        struct Leave(Arc<Load>);
        impl Drop for Leave {
            fn drop(&mut self) {
                self.0.connections.fetch_sub(1, Relaxed);
            }
        }
        self.load.connections.fetch_add(1, Relaxed);
        let leave = Leave(self.load.clone());
        let job = move || {
            // A connection that can't even begin must not take the shard with it.
            let Ok(Some(connection)) = catch_unwind(AssertUnwindSafe(begin)) else { return };
            spawn(async move {
                let _leave = leave;
                connection.await;
            });
        };
        // A shard that is gone takes nothing: the connection closes.
        let _ = self.jobs.send(Box::new(job));
    }
}

/// Begins what others ask for.
async fn begin(mut jobs: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        job();
    }
    std::future::pending().await
}

/// Wakes the shard's readers when there is something for them and their window is over.
async fn wake(group: &WakeGroup) {
    loop {
        let next = group.wake_due(Instant::now().into_std());
        select! {
            () = group.dirty() => {}
            () = async {
                match next {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}

/// Keeps the window of automatic merging: every message while the shard has room, then longer
/// windows, since the number of writes is what costs; and that of reads, by their own number.
async fn measure(group: &WakeGroup, reads: &ReadPace) {
    let mut ticks = interval(LOAD_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut window, mut last) = (Duration::ZERO, (Instant::now(), thread_time()));
    loop {
        ticks.tick().await;
        let current = (Instant::now(), thread_time());
        let (busy, wall) = (current.1.zip(last.1), current.0 - last.0);
        last = current;
        reads.adjust(wall);
        // Where a thread's CPU time isn't known every message is written.
        let Some((now, before)) = busy else { continue };
        let load = now.saturating_sub(before).as_secs_f64() / wall.as_secs_f64().max(0.001);
        window = next_window(window, load);
        group.set_auto_window(window);
    }
}

/// The window after one that made `load` (busy time / wall time).
fn next_window(window: Duration, load: f64) -> Duration {
    const STEP: Duration = Duration::from_millis(20);
    if load > 0.6 {
        (window * 3 / 2).max(window + STEP).min(MAX_WINDOW)
    } else if load < 0.45 {
        (window * 3 / 4).checked_sub(Duration::from_millis(2)).unwrap_or(Duration::ZERO)
    } else {
        window
    }
}

/// CPU time of this thread.
#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok().map(Duration::from)
}

/// Only systems of this kind tell it.
#[cfg(not(unix))]
fn thread_time() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_that_panics_takes_nothing_with_it() {
        let shards = Shards::start(1).unwrap();
        shards.least_loaded().spawn(|| Some(async { panic!("on purpose") }));
        shards.least_loaded().spawn::<std::future::Ready<()>>(|| panic!("on purpose"));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        shards.least_loaded().spawn(|| Some(async { sender.send(()).unwrap() }));
        receiver.await.unwrap();
        while shards.least_loaded().load.connections.load(Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn the_window_grows_with_load_to_its_limit_and_shrinks_within_five_seconds() {
        let mut window = Duration::ZERO;
        for _ in 0..20 {
            window = next_window(window, 0.9);
        }
        assert_eq!(window, MAX_WINDOW);
        assert_eq!(next_window(window, 0.5), window);
        for _ in 0..(5_000 / LOAD_INTERVAL.as_millis()) {
            window = next_window(window, 0.2);
        }
        assert_eq!(window, Duration::ZERO);
    }
}
