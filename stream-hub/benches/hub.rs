//! What a push and a wake cost: per reader, without readers, with a converter, and to join.

use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use stream_hub::{
    BusyPolicy, Convert, ConvertError, Hub, Item, Limits, Lost, Output, Place, Publisher,
    PublisherId, Reader, Slot, StreamKey, SubscribeOptions, TrackId, WakeGroup, Writer,
};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[derive(Clone)]
struct Frame {
    payload: Bytes,
    time: Duration,
    key: bool,
}

impl Item for Frame {
    fn size(&self) -> usize {
        self.payload.len()
    }
    fn time(&self) -> Duration {
        self.time
    }
    fn is_join_point(&self) -> bool {
        self.key
    }
    fn config_slot(&self) -> Option<Slot> {
        None
    }
}

#[derive(Clone)]
struct Wire(Frame);

impl Item for Wire {
    fn size(&self) -> usize {
        self.0.size()
    }
    fn time(&self) -> Duration {
        self.0.time
    }
    fn is_join_point(&self) -> bool {
        self.0.key
    }
    fn config_slot(&self) -> Option<Slot> {
        None
    }
}

struct Wrap;

impl Convert<Frame, Wire> for Wrap {
    fn push(
        &mut self,
        _: TrackId,
        item: &Frame,
        out: &mut Output<Wire>,
    ) -> Result<(), ConvertError> {
        out.push(Wire(item.clone()));
        Ok(())
    }
    fn gap(&mut self, _: Lost, _: &mut Output<Wire>) {}
}

/// A stream, its source, and frames of 1 kB, 20 ms apart, a keyframe every 2 s.
struct Source {
    hub: Hub,
    key: StreamKey,
    _publisher: Publisher,
    writer: Writer<Frame>,
    payload: Bytes,
    count: u64,
    now: Instant,
}

impl Source {
    #[allow(clippy::disallowed_methods)]
    fn new() -> Self {
        let hub = Hub::new(Limits::default());
        hub.register(Place::Inline, |_, _| Ok(Box::new(Wrap) as Box<dyn Convert<Frame, Wire>>));
        let (key, now) = (StreamKey::new("", "live", "bench"), Instant::now());
        let who = PublisherId::new("bench");
        let mut publisher =
            hub.publish(key.clone(), who, BusyPolicy::Refuse, now).expect("nobody publishes");
        let writer = publisher.track(TrackId(0)).expect("first track");
        let payload = Bytes::from(vec![0; 1000]);
        Self { hub, key, _publisher: publisher, writer, payload, count: 0, now }
    }

    fn push(&mut self) {
        let frame = Frame {
            payload: self.payload.clone(),
            time: Duration::from_millis(20) * self.count as u32,
            key: self.count.is_multiple_of(100),
        };
        self.count += 1;
        self.writer.push(frame, self.now).expect("not fenced");
    }

    fn reader<T: Item>(&self, group: Option<&WakeGroup>) -> Reader<T> {
        self.hub.subscribe(&self.key, SubscribeOptions::default(), group).expect("room")
    }
}

fn read_all<T: Item>(reader: &mut Reader<T>, cx: &mut Context<'_>) {
    while let Poll::Ready(batch) = reader.poll_batch(cx, 64 << 10) {
        let batch = batch.expect("not ended");
        for item in batch.iter() {
            black_box(item);
        }
        reader.advance(batch.len());
    }
}

/// One push, one pass over the group, and each reader reads and waits again.
#[divan::bench(args = [1000, 10_000])]
fn fan_out(bencher: Bencher<'_, '_>, readers: usize) {
    let mut source = Source::new();
    let group = WakeGroup::new();
    source.push();
    let mut all: Vec<Reader<Frame>> = (0..readers).map(|_| source.reader(Some(&group))).collect();
    let mut cx = Context::from_waker(Waker::noop());
    for reader in &mut all {
        read_all(reader, &mut cx);
    }
    bencher.counter(ItemsCount::new(readers)).bench_local(|| {
        source.push();
        _ = group.wake_due(source.now);
        for reader in &mut all {
            read_all(reader, &mut cx);
        }
    });
}

/// The same with 18 items per wake: a window of 350 ms.
#[divan::bench(args = [1000, 10_000])]
fn fan_out_merged(bencher: Bencher<'_, '_>, readers: usize) {
    let mut source = Source::new();
    let group = WakeGroup::new();
    source.push();
    let mut all: Vec<Reader<Frame>> = (0..readers).map(|_| source.reader(Some(&group))).collect();
    let mut cx = Context::from_waker(Waker::noop());
    for reader in &mut all {
        read_all(reader, &mut cx);
    }
    bencher.counter(ItemsCount::new(readers)).bench_local(|| {
        for _ in 0..18 {
            source.push();
        }
        _ = group.wake_due(source.now);
        for reader in &mut all {
            read_all(reader, &mut cx);
        }
    });
}

#[divan::bench]
fn push_without_readers(bencher: Bencher<'_, '_>) {
    let mut source = Source::new();
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| source.push());
}

#[divan::bench]
fn push_with_inline_converter(bencher: Bencher<'_, '_>) {
    let mut source = Source::new();
    source.push();
    let _reader: Reader<Wire> = source.reader(None);
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| source.push());
}

/// Subscribe in mid-GOP, read the first batch, unsubscribe.
#[divan::bench]
fn join(bencher: Bencher<'_, '_>) {
    let mut source = Source::new();
    for _ in 0..50 {
        source.push();
    }
    let group = WakeGroup::new();
    let _other: Reader<Frame> = source.reader(Some(&group));
    let mut cx = Context::from_waker(Waker::noop());
    bencher.counter(ItemsCount::new(1usize)).bench_local(|| {
        let mut reader: Reader<Frame> = source.reader(Some(&group));
        black_box(reader.poll_batch(&mut cx, 64 << 10).is_ready())
    });
}
