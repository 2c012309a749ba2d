//! A small item type, and a stream to push it into.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use stream_hub::{
    Batch, BusyPolicy, Convert, ConvertError, Hub, Item, Limits, Lost, Output, Publisher,
    PublisherId, ReadEnd, Reader, Slot, StreamKey, SubscribeOptions, TrackId, Unavailable, Variant,
    WakeGroup, Writer,
};

/// The one look at the clock: a base for virtual time.
#[allow(clippy::disallowed_methods)]
pub fn start() -> Instant {
    Instant::now()
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub text: String,
    pub payload: Bytes,
    pub time: Duration,
}

impl Frame {
    /// `text` says what it is: `key..` may be joined at, `cfgN..` is configuration of slot N.
    pub fn new(text: impl Into<String>, millis: u64) -> Self {
        Self::sized(text, millis, 100)
    }

    pub fn sized(text: impl Into<String>, millis: u64, size: usize) -> Self {
        Self { text: text.into(), payload: Bytes::from(vec![1; size]), time: ms(millis) }
    }
}

impl Item for Frame {
    fn size(&self) -> usize {
        self.payload.len()
    }
    fn time(&self) -> Duration {
        self.time
    }
    fn is_join_point(&self) -> bool {
        self.text.contains("key")
    }
    fn config_slot(&self) -> Option<Slot> {
        let number = self.text.split("cfg").nth(1)?.chars().next()?;
        number.to_digit(10).map(|slot| Slot(slot as u8))
    }
}

/// Frames under other types, to have something to convert to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire<const N: usize>(pub Frame);

impl<const N: usize> Item for Wire<N> {
    fn size(&self) -> usize {
        self.0.size()
    }
    fn time(&self) -> Duration {
        self.0.time()
    }
    fn is_join_point(&self) -> bool {
        self.0.is_join_point()
    }
    fn config_slot(&self) -> Option<Slot> {
        self.0.config_slot()
    }
}

/// What a test looks at in any item type.
pub trait Text: Item {
    fn frame(&self) -> &Frame;
    fn of(frame: Frame) -> Self;
}

impl Text for Frame {
    fn frame(&self) -> &Frame {
        self
    }
    fn of(frame: Frame) -> Self {
        frame
    }
}

impl<const N: usize> Text for Wire<N> {
    fn frame(&self) -> &Frame {
        &self.0
    }
    fn of(frame: Frame) -> Self {
        Self(frame)
    }
}

/// Marks every item with its track and variant; `bad` fails, a gap and the end are items too.
pub struct Marker {
    pub prefix: String,
    pub last: Duration,
}

impl<In: Text, Out: Text> Convert<In, Out> for Marker {
    fn push(
        &mut self,
        input: TrackId,
        item: &In,
        out: &mut Output<Out>,
    ) -> Result<(), ConvertError> {
        let frame = item.frame();
        self.last = frame.time;
        if frame.text == "bad" {
            return Err(ConvertError::new("bad frame"));
        }
        let text = format!("{}{}:{}", self.prefix, input.0, frame.text);
        out.push(Out::of(Frame { text, ..frame.clone() }));
        Ok(())
    }

    fn gap(&mut self, lost: Lost, out: &mut Output<Out>) {
        let text = format!("{}gap{}", self.prefix, lost.items);
        out.push(Out::of(Frame { text, payload: Bytes::new(), time: self.last }));
    }

    fn end(&mut self, out: &mut Output<Out>) {
        let text = format!("{}end", self.prefix);
        out.push(Out::of(Frame { text, payload: Bytes::new(), time: self.last }));
    }
}

pub type Made<In, Out> = Result<Box<dyn Convert<In, Out>>, Unavailable>;

/// A [`Marker`] named `name`, and by the variant if it is not the plain one.
pub fn marker<In: Text, Out: Text>(name: &str, variant: Variant) -> Made<In, Out> {
    let variant = if variant.0 == 0 { String::new() } else { variant.0.to_string() };
    Ok(Box::new(Marker { prefix: format!("{name}{variant}"), last: Duration::ZERO }))
}

/// A hub with one stream.
pub struct Stream {
    pub hub: Hub,
    pub key: StreamKey,
    pub now: Instant,
}

impl Stream {
    pub fn new(limits: Limits) -> Self {
        Self { hub: Hub::new(limits), key: StreamKey::new("", "live", "test"), now: start() }
    }

    pub fn publish(&self, who: &str, busy: BusyPolicy) -> Publisher {
        self.hub.publish(self.key.clone(), PublisherId::new(who), busy, self.now).expect("publish")
    }

    /// A publisher with the track 0.
    pub fn source(&self) -> (Publisher, Writer<Frame>) {
        let mut publisher = self.publish("a", BusyPolicy::Refuse);
        let writer = publisher.track(TrackId(0)).expect("track");
        (publisher, writer)
    }

    pub fn reader<T: Item>(&self, options: SubscribeOptions) -> Reader<T> {
        self.hub.subscribe(&self.key, options, None).expect("subscribe")
    }

    pub fn grouped<T: Item>(&self, options: SubscribeOptions, group: &WakeGroup) -> Reader<T> {
        self.hub.subscribe(&self.key, options, Some(group)).expect("subscribe")
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
        self.hub.handle_timeout(self.now);
    }
}

pub fn poll<T: Item>(reader: &mut Reader<T>) -> Poll<Result<Batch<T>, ReadEnd>> {
    reader.poll_batch(&mut Context::from_waker(Waker::noop()), usize::MAX)
}

/// All there is to read now.
pub fn read<T: Text>(reader: &mut Reader<T>) -> Vec<String> {
    let mut texts = Vec::new();
    while let Poll::Ready(Ok(batch)) = poll(reader) {
        assert_eq!(batch.iter().count(), batch.len());
        assert_eq!(batch.iter().map(Item::size).sum::<usize>(), batch.bytes());
        texts.extend(batch.iter().map(|item| item.frame().text.clone()));
        reader.advance(batch.len());
    }
    texts
}

/// How the reader ended, if it has.
pub fn end<T: Item>(reader: &mut Reader<T>) -> Option<ReadEnd> {
    match poll(reader) {
        Poll::Ready(Err(end)) => Some(end),
        _ => None,
    }
}

/// A waker that counts.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    pub fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (Arc::clone(&count), Waker::from(count))
    }

    /// Wakes since the last call.
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// A small generator (xorshift): the same for ever from the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
