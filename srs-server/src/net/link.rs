//! What others see of a connection, and how they reach it.
//!
//! A viewer's task is woken for media tens of times a second; everything else is rare: the client
//! says something, a timer is due, somebody closes it. What is rare is waited for with the link's
//! own waker, which notes that it has woken the task. So a wake-up for media looks at nothing else.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
    },
    task::{Context, Poll, Wake, Waker},
};

use tracing::Span;

/// What others see of a connection, and ask of it.
#[derive(Debug)]
pub struct Link {
    sent: AtomicU64,
    /// Whether the socket's options are to be looked at.
    has_options: AtomicBool,
    /// Whether the task has more to look at than its media.
    is_called: AtomicBool,
    is_kicked: AtomicBool,
    is_doubted: AtomicBool,
    is_coalescing: AtomicBool,
    send_buffer: AtomicUsize,
    received: AtomicU64,
    task: Mutex<Option<Waker>>,
    span: Span,
}

impl Default for Link {
    fn default() -> Self {
        Self::new(Span::none())
    }
}

impl Link {
    /// The link of a connection whose lines in the log are those of `span`.
    pub fn new(span: Span) -> Self {
        Self {
            sent: AtomicU64::new(0),
            has_options: AtomicBool::new(false),
            is_called: AtomicBool::new(true),
            is_kicked: AtomicBool::new(false),
            is_doubted: AtomicBool::new(false),
            is_coalescing: AtomicBool::new(false),
            send_buffer: AtomicUsize::new(0),
            received: AtomicU64::new(0),
            task: Mutex::new(None),
            span,
        }
    }

    /// What the connection's lines in the log have in common.
    ///
    /// Its task is in no span by itself: to enter one for every write costs more than what the
    /// server itself does for it.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Runs a future within the span.
    pub async fn in_span<F: Future>(&self, mut future: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| self.span.in_scope(|| future.as_mut().poll(cx))).await
    }

    /// Bytes read from the client.
    pub fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Bytes the socket took for the client.
    pub fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// Notes bytes that came by no socket of the client's own, and such that went.
    pub fn add(&self, received: u64, sent: u64) {
        self.received.fetch_add(received, Relaxed);
        self.sent.fetch_add(sent, Relaxed);
    }

    pub(super) fn record_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn record_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    /// Asks that the next flush fails if the peer has closed, even behind bytes that nobody
    /// has read: who reads no further would not see it.
    pub fn doubt(&self) {
        self.is_doubted.store(true, Relaxed);
    }

    pub(super) fn take_doubt(&self) -> bool {
        self.is_doubted.swap(false, Relaxed)
    }

    /// Lets small packets wait for an acknowledgement (Nagle's algorithm) from the next write on,
    /// or no longer so.
    pub fn set_coalescing(&self, is_coalescing: bool) {
        self.is_coalescing.store(is_coalescing, Relaxed);
        self.has_options.store(true, Release);
    }

    /// Bounds the kernel's buffer for this client from the next write on.
    pub fn set_send_buffer(&self, bytes: usize) {
        self.send_buffer.store(bytes, Relaxed);
        self.has_options.store(true, Release);
    }

    /// Whether packets may wait, and the size of the send buffer, if somebody has set them since
    /// this was asked last.
    pub(super) fn take_options(&self) -> Option<(bool, usize)> {
        let are_set = self.has_options.load(Relaxed) && self.has_options.swap(false, Acquire);
        are_set.then(|| (self.is_coalescing.load(Relaxed), self.send_buffer.load(Relaxed)))
    }

    /// Closes the connection.
    pub fn kick(&self) {
        self.is_kicked.store(true, Release);
        self.call();
    }

    /// Has the connection's task look at all that it waits for.
    pub fn call(&self) {
        // Before the wake-up: the task may run at once.
        self.is_called.store(true, SeqCst);
        // Cloned, since a waker may run what it likes, and no lock is held then.
        let task = self.task().clone();
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Whether there is more to look at than media, since [`Link::take_call`] said so last.
    pub fn is_called(&self) -> bool {
        self.is_called.load(SeqCst)
    }

    /// Whether there is more to look at than media. The caller looks at it then, with a
    /// [`Link::waker`]; what comes meanwhile calls again.
    pub fn take_call(&self) -> bool {
        self.is_called() && self.is_called.swap(false, SeqCst)
    }

    /// Has the next [`Link::take_call`] say so, for the task itself to ask: it has done something
    /// that may change what it waits for.
    pub fn call_again(&self) {
        self.is_called.store(true, SeqCst);
    }

    /// What to wait with for anything but media.
    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    fn task(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Link {
    fn wake(self: Arc<Self>) {
        self.call();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.call();
    }
}

/// Keeps the link told which task serves its connection.
#[derive(Debug)]
pub struct Attendant {
    link: Arc<Link>,
    /// The link's own is behind a lock.
    task: Option<Waker>,
}

impl Attendant {
    /// The attendant of a connection, in the task that serves it.
    pub fn new(link: Arc<Link>) -> Self {
        Self { link, task: None }
    }

    /// Ready when somebody has closed the connection. To be called first whenever the task is
    /// polled: from then on the link wakes it.
    pub fn poll_kicked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            let old = self.link.task().replace(cx.waker().clone());
            // It may be the last of its task: no lock is held then.
            drop(old);
            self.task = Some(cx.waker().clone());
        }
        match self.link.is_kicked.load(Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        // Others may keep the link for long; the task's memory would stay as long.
        let task = self.link.task().take();
        drop(task);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts what wakes a task.
    #[derive(Debug, Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    impl Task {
        fn new() -> (Arc<Self>, Waker) {
            let task = Arc::new(Self::default());
            (task.clone(), Waker::from(task))
        }
        fn wakes(&self) -> usize {
            self.0.swap(0, Relaxed)
        }
    }

    fn attend(link: &Arc<Link>, waker: &Waker) -> Attendant {
        let mut attendant = Attendant::new(link.clone());
        assert!(attendant.poll_kicked(&mut Context::from_waker(waker)).is_pending());
        attendant
    }

    #[test]
    fn the_first_look_is_at_everything() {
        let link = Link::default();
        assert!(link.take_call());
        assert!(!link.take_call());
        link.call_again();
        assert!(link.take_call());
    }

    #[test]
    fn what_is_rare_wakes_the_task_and_says_so() {
        let link = Arc::new(Link::default());
        let (task, waker) = Task::new();
        let _attendant = attend(&link, &waker);
        assert!(link.take_call());
        // For media: the task's own waker.
        waker.wake_by_ref();
        assert_eq!((task.wakes(), link.take_call()), (1, false));
        link.waker().wake();
        assert_eq!((task.wakes(), link.take_call()), (1, true));
    }

    #[test]
    fn a_call_that_comes_while_the_task_looks_is_not_lost() {
        let link = Arc::new(Link::default());
        let (task, waker) = Task::new();
        let _attendant = attend(&link, &waker);
        let rare = link.waker();
        assert!(link.take_call());
        // Between the question and the wait, and again after it.
        rare.wake_by_ref();
        rare.wake_by_ref();
        assert_eq!(task.wakes(), 2);
        assert!(link.take_call());
        assert!(!link.take_call());
    }

    #[test]
    fn a_call_before_the_task_is_known_is_not_lost() {
        let link = Arc::new(Link::default());
        assert!(link.take_call());
        link.waker().wake();
        let (task, waker) = Task::new();
        let _attendant = attend(&link, &waker);
        // Nobody could be woken, but the task looks by itself now that it is polled.
        assert_eq!((task.wakes(), link.take_call()), (0, true));
    }

    #[test]
    fn another_task_that_takes_over_is_the_one_that_is_woken() {
        let link = Arc::new(Link::default());
        let (before, first) = Task::new();
        let mut attendant = attend(&link, &first);
        assert!(link.take_call());
        let rare = link.waker();
        let (after, second) = Task::new();
        // A call just before the change wakes the old one, and the new one finds it.
        rare.wake_by_ref();
        assert!(attendant.poll_kicked(&mut Context::from_waker(&second)).is_pending());
        assert_eq!((before.wakes(), link.take_call()), (1, true));
        rare.wake_by_ref();
        assert_eq!((before.wakes(), after.wakes()), (0, 1));
    }

    #[test]
    fn a_kick_is_seen_whenever_it_comes() {
        let (task, waker) = Task::new();
        let mut cx = Context::from_waker(&waker);
        let early = Arc::new(Link::default());
        early.kick();
        assert!(Attendant::new(early).poll_kicked(&mut cx).is_ready());

        let link = Arc::new(Link::default());
        let mut attendant = attend(&link, &waker);
        link.kick();
        assert_eq!(task.wakes(), 1);
        // Its call may be taken for another's.
        assert!(link.take_call());
        assert!(attendant.poll_kicked(&mut cx).is_ready());
    }

    #[test]
    fn who_keeps_a_link_keeps_no_task() {
        let link = Arc::new(Link::default());
        let (task, waker) = Task::new();
        let attendant = attend(&link, &waker);
        drop(waker);
        assert_eq!(Arc::strong_count(&task), 3);
        drop(attendant);
        assert_eq!(Arc::strong_count(&task), 1);
        link.kick();
        assert_eq!(task.wakes(), 0);
    }

    #[test]
    fn options_are_taken_once() {
        let link = Link::default();
        assert_eq!(link.take_options(), None);
        link.set_send_buffer(7);
        link.set_coalescing(true);
        assert_eq!(link.take_options(), Some((true, 7)));
        assert_eq!(link.take_options(), None);
    }
}
