//! Groups and windows: who is woken when, and how often.

mod common;

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use common::{Count, Frame, Stream, ms, read};
use stream_hub::{Limits, OnUnpublish, Reader, SubscribeOptions, WakeGroup, Window, Writer};

/// A reader as a task would drive it: it reads when woken, and then waits again.
struct Viewer {
    reader: Reader<Frame>,
    count: Arc<Count>,
    waker: Waker,
    wakes: usize,
    items: usize,
}

impl Viewer {
    fn new(stream: &Stream, group: &WakeGroup, window: Window) -> Self {
        let options = SubscribeOptions { window, ..Default::default() };
        let (count, waker) = Count::new();
        let reader = stream.grouped(options, group);
        let mut viewer = Self { reader, count, waker, wakes: 0, items: 0 };
        viewer.read();
        viewer
    }

    fn read(&mut self) {
        let mut cx = Context::from_waker(&self.waker);
        while let Poll::Ready(Ok(batch)) = self.reader.poll_batch(&mut cx, usize::MAX) {
            self.items += batch.len();
            self.reader.advance(batch.len());
        }
    }

    fn run(&mut self) {
        let wakes = self.count.take();
        self.wakes += wakes;
        if wakes > 0 {
            self.read();
        }
    }
}

/// A shard under virtual time: a frame every 20 ms, and the group served as it asks to be.
struct Shard {
    stream: Stream,
    group: WakeGroup,
    writer: Writer<Frame>,
    _publisher: stream_hub::Publisher,
    viewers: Vec<Viewer>,
    next: Option<Instant>,
    pushed: u64,
    passes: usize,
    /// The most viewers woken by one pass.
    most: usize,
}

impl Shard {
    fn new() -> Self {
        let stream = Stream::new(Limits::default());
        let (publisher, writer) = stream.source();
        let mut shard = Self {
            stream,
            group: WakeGroup::new(),
            writer,
            _publisher: publisher,
            viewers: Vec::new(),
            next: None,
            pushed: 0,
            passes: 0,
            most: 0,
        };
        shard.push();
        shard
    }

    fn push(&mut self) {
        let text = if self.pushed.is_multiple_of(100) { "key" } else { "p" };
        self.writer.push(Frame::new(text, self.pushed * 20), self.stream.now).unwrap();
        self.pushed += 1;
    }

    fn join(&mut self, window: Window, count: usize) {
        for _ in 0..count {
            self.viewers.push(Viewer::new(&self.stream, &self.group, window));
        }
    }

    fn serve(&mut self) {
        let now = self.stream.now;
        let dirty = self.group.poll_dirty(&mut Context::from_waker(Waker::noop())).is_ready();
        if dirty || self.next.is_some_and(|next| next <= now) {
            self.passes += 1;
            self.next = self.group.wake_due(now);
            let before: usize = self.viewers.iter().map(|viewer| viewer.wakes).sum();
            self.viewers.iter_mut().for_each(Viewer::run);
            let after: usize = self.viewers.iter().map(|viewer| viewer.wakes).sum();
            self.most = self.most.max(after - before);
        }
    }

    /// Lets time pass in steps of 1 ms; pushes every 20 ms if `live`.
    fn run(&mut self, time: Duration, live: bool) {
        for step in 1..=time.as_millis() as u64 {
            self.stream.now += ms(1);
            if live && step.is_multiple_of(20) {
                self.push();
            }
            self.serve();
        }
    }
}

#[test]
fn every_item_wakes_once() {
    let mut shard = Shard::new();
    shard.join(Window::Every, 10);
    shard.run(ms(1000), true);
    for viewer in &shard.viewers {
        assert_eq!((viewer.wakes, viewer.items), (50, 51));
    }
    assert_eq!(shard.passes, 50, "one pass per push, not per reader");
    assert_eq!(shard.next, None);
}

#[test]
fn a_window_bounds_the_wakes_and_spreads_the_readers() {
    let mut shard = Shard::new();
    shard.join(Window::Fixed(ms(350)), 100);
    shard.run(ms(3500), true);
    for viewer in &shard.viewers {
        assert!((9..=11).contains(&viewer.wakes), "{} wakes in 10 windows", viewer.wakes);
        assert!(viewer.items as u64 >= shard.pushed - 19, "{} items", viewer.items);
    }
    // An eighth of them, and of the next step what is due by then.
    assert!(shard.most <= 14, "{} of 100 woken by one pass", shard.most);
    // 175 for the items and 8 in each of 10 windows.
    assert!(shard.passes <= 270, "{} passes in 3.5 s", shard.passes);
}

#[test]
fn a_lone_reader_costs_one_pass_per_window() {
    let mut shard = Shard::new();
    shard.join(Window::Fixed(ms(350)), 1);
    shard.run(ms(3500), true);
    assert!(shard.passes <= 12, "{} passes in 10 windows", shard.passes);
}

#[test]
fn a_joiner_does_not_wait_for_a_window() {
    let mut shard = Shard::new();
    shard.join(Window::Fixed(ms(350)), 50);
    shard.run(ms(1234), true);
    shard.join(Window::Fixed(ms(350)), 1);
    assert_eq!(shard.viewers.last().unwrap().items as u64, shard.pushed, "the GOP, at once");
}

#[test]
fn who_waits_for_a_join_point_does_not_wait_for_a_window() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let group = WakeGroup::new();
    let window = Window::Fixed(ms(10_000));
    let mut viewers: Vec<Viewer> = (0..10).map(|_| Viewer::new(&stream, &group, window)).collect();
    for text in ["p", "p", "key"] {
        writer.push(Frame::new(text, 0), stream.now).unwrap();
        _ = group.wake_due(stream.now + ms(5));
        viewers.iter_mut().for_each(Viewer::run);
    }
    for viewer in &viewers {
        assert_eq!((viewer.wakes, viewer.items), (1, 1));
    }
}

#[test]
fn a_running_window_is_not_disturbed_and_rests_when_nothing_comes() {
    let mut shard = Shard::new();
    shard.join(Window::Fixed(ms(350)), 3);
    shard.push();
    shard.serve();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        shard.push();
        assert!(shard.group.poll_dirty(&mut cx).is_pending(), "the timer will see to it");
    }
    shard.run(ms(2000), false);
    assert_eq!(shard.next, None, "no timer without items");
    for viewer in &shard.viewers {
        assert_eq!(viewer.items as u64, shard.pushed);
    }
    let passes = shard.passes;
    shard.run(ms(10_000), false);
    assert_eq!(shard.passes, passes);
    shard.push();
    assert!(shard.group.poll_dirty(&mut cx).is_ready());
}

#[test]
fn a_reader_whose_peer_was_slow_goes_on_at_once() {
    let mut shard = Shard::new();
    shard.join(Window::Fixed(ms(350)), 1);
    for _ in 0..9 {
        shard.push();
    }
    shard.stream.now += ms(400);
    shard.serve();
    let Viewer { mut reader, waker, .. } = shard.viewers.remove(0);
    let reader = &mut reader;
    assert_eq!(read(reader), [""; 0], "it waits for its phase");
    for _ in 0..5 {
        shard.push();
    }
    _ = shard.group.wake_due(shard.stream.now + ms(400));
    let mut cx = Context::from_waker(&waker);
    let Poll::Ready(Ok(batch)) = reader.poll_batch(&mut cx, usize::MAX) else {
        panic!("its phase has come")
    };
    assert_eq!(batch.len(), 5);
    reader.advance(2);
    let Poll::Ready(Ok(batch)) = reader.poll_batch(&mut cx, usize::MAX) else {
        panic!("three are left")
    };
    assert_eq!(batch.len(), 3);
}

#[test]
fn the_automatic_window_follows_the_load() {
    let mut shard = Shard::new();
    shard.join(Window::Auto, 20);
    shard.run(ms(1000), true);
    assert!(shard.viewers.iter().all(|viewer| viewer.wakes == 50), "every item at first");
    shard.group.set_auto_window(ms(200));
    shard.run(ms(2000), true);
    for viewer in &shard.viewers {
        assert!((59..=62).contains(&viewer.wakes), "{} wakes", viewer.wakes);
    }
    shard.group.set_auto_window(Duration::ZERO);
    shard.run(ms(1000), true);
    for viewer in &shard.viewers {
        assert!((105..=113).contains(&viewer.wakes), "{} wakes", viewer.wakes);
        assert_eq!(viewer.items as u64, shard.pushed);
    }
}

#[test]
fn the_end_of_a_stream_does_not_wait_for_a_window() {
    let stream = Stream::new(Limits::default());
    let (publisher, mut writer) = stream.source();
    writer.push(Frame::new("key", 0), stream.now).unwrap();
    let group = WakeGroup::new();
    let options = SubscribeOptions {
        window: Window::Fixed(ms(10_000)),
        on_unpublish: OnUnpublish::End,
        ..Default::default()
    };
    let mut reader = stream.grouped::<Frame>(options, &group);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let Poll::Ready(Ok(batch)) = reader.poll_batch(&mut cx, 1) else { panic!("a keyframe") };
    reader.advance(batch.len());
    assert!(reader.poll_batch(&mut cx, 1).is_pending());
    publisher.end();
    _ = group.wake_due(stream.now);
    assert_eq!(count.take(), 1);
    assert!(matches!(reader.poll_batch(&mut cx, 1), Poll::Ready(Err(_))));
}

#[test]
fn a_push_wakes_a_group_once() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let group = WakeGroup::new();
    let _viewers: Vec<Viewer> =
        (0..10).map(|_| Viewer::new(&stream, &group, Window::Every)).collect();
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(group.poll_dirty(&mut cx).is_pending());
    for _ in 0..5 {
        writer.push(Frame::new("key", 0), stream.now).unwrap();
    }
    assert_eq!(count.take(), 1);
    assert!(group.poll_dirty(&mut cx).is_ready());
    _ = group.wake_due(stream.now);
    assert!(group.poll_dirty(&mut cx).is_pending());
}

#[test]
fn a_group_rests_when_its_last_reader_is_gone() {
    let mut shard = Shard::new();
    for _ in 0..5 {
        shard.join(Window::Fixed(ms(200)), 10);
        shard.run(ms(500), true);
        shard.viewers.clear();
    }
    shard.run(ms(500), true);
    assert_eq!(shard.next, None, "nobody is left to wake");
    let passes = shard.passes;
    shard.run(ms(2000), true);
    assert_eq!(shard.passes, passes);
}

#[test]
fn a_window_may_be_as_long_as_one_likes() {
    let mut shard = Shard::new();
    shard.join(Window::Fixed(Duration::MAX), 2);
    shard.run(ms(500), true);
    assert!(shard.viewers.iter().all(|viewer| viewer.wakes <= 1));
}
