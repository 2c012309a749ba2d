//! Everything is freed when a stream goes.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use common::{Frame, Stream, ms, poll};
use stream_hub::{
    BusyPolicy, Convert, ConvertError, Item, Limits, Lost, Output, Place, Slot, SubscribeOptions,
    TrackId, WakeGroup, Window,
};

/// An item and a converter that count those of their kind.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Out(#[expect(dead_code, reason = "held to be counted")] Counted, Duration);

impl Item for Out {
    fn size(&self) -> usize {
        1
    }
    fn time(&self) -> Duration {
        self.1
    }
    fn is_join_point(&self) -> bool {
        true
    }
    fn config_slot(&self) -> Option<Slot> {
        Some(Slot(0))
    }
}

struct Counting(Counted);

impl Convert<Frame, Out> for Counting {
    fn push(
        &mut self,
        _: TrackId,
        item: &Frame,
        out: &mut Output<Out>,
    ) -> Result<(), ConvertError> {
        out.push(Out(self.0.clone(), item.time));
        Ok(())
    }
    fn gap(&mut self, _: Lost, _: &mut Output<Out>) {}
}

fn stream(place: Place) -> (Stream, Arc<AtomicUsize>) {
    let stream = Stream::new(Limits::default());
    let count = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&count);
    stream
        .hub
        .register::<Frame, Out>(place, move |_, _| Ok(Box::new(Counting(Counted::new(&made)))));
    (stream, count)
}

#[test]
fn when_publisher_and_readers_go() {
    for place in [Place::Inline, Place::Task] {
        let (mut stream, count) = stream(place);
        let group = WakeGroup::new();
        let (publisher, mut writer) = stream.source();
        let options = SubscribeOptions { window: Window::Fixed(ms(350)), ..Default::default() };
        let mut reader = stream.grouped::<Out>(options, &group);
        writer.push(Frame::new("key", 0), stream.now).unwrap();
        let task = stream.hub.poll_task();
        assert_eq!(task.is_some(), place == Place::Task);
        if place == Place::Inline {
            let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
            drop(batch);
        }
        _ = group.wake_due(stream.now);
        assert!(count.load(Ordering::SeqCst) > 0);
        drop((reader, writer, publisher));
        assert!(stream.hub.stream(&stream.key).is_some(), "within the grace");
        stream.pass(ms(1));
        stream.pass(ms(3000));
        assert!(stream.hub.stream(&stream.key).is_none());
        assert!(stream.hub.streams().is_empty());
        assert_eq!(stream.hub.poll_timeout(), None);
        _ = group.wake_due(stream.now + ms(1000));
        drop(task);
        assert_eq!(count.load(Ordering::SeqCst), 0, "{place:?}");
    }
}

#[test]
fn when_a_reader_who_waited_in_vain_goes() {
    let (stream, _) = stream(Place::Inline);
    let reader = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(stream.hub.streams().len(), 1);
    drop(reader);
    assert_eq!(stream.hub.streams().len(), 0);
}

#[test]
fn when_the_last_reader_of_an_ended_stream_goes() {
    let (stream, count) = stream(Place::Inline);
    let (publisher, mut writer) = stream.source();
    let reader = stream.reader::<Out>(SubscribeOptions::default());
    writer.push(Frame::new("key", 0), stream.now).unwrap();
    publisher.end();
    drop(writer);
    assert_eq!(stream.hub.streams().len(), 1, "a waiting reader keeps it");
    drop(reader);
    assert_eq!(stream.hub.streams().len(), 0);
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn when_the_hub_is_closed_under_them() {
    let (stream, count) = stream(Place::Task);
    let (publisher, mut writer) = stream.source();
    let reader = stream.reader::<Out>(SubscribeOptions::default());
    writer.push(Frame::new("key", 0), stream.now).unwrap();
    drop(stream);
    drop((reader, writer, publisher));
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn a_stream_of_the_same_name_starts_anew() {
    let (stream, _) = stream(Place::Inline);
    let (publisher, mut writer) = stream.source();
    writer.push(Frame::new("key", 5000), stream.now).unwrap();
    publisher.end();
    let publisher = stream.publish("b", BusyPolicy::Refuse);
    assert_eq!(publisher.resume_time(), None);
}
