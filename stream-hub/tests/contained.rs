//! What a converter does wrong costs its own lane, not the stream.

mod common;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use common::{Frame, Stream, Wire, end, ms, read};
use stream_hub::{
    BusyPolicy, Convert, ConvertError, Limits, Lost, Output, Place, ReadEnd, Reader,
    SubscribeOptions, TrackId, Unavailable, Writer,
};

/// Panics at what it is told to panic at.
struct Panics(&'static str);

impl Convert<Frame, Wire<1>> for Panics {
    fn push(
        &mut self,
        _: TrackId,
        item: &Frame,
        out: &mut Output<Wire<1>>,
    ) -> Result<(), ConvertError> {
        assert!(item.text != self.0, "at push");
        out.push(Wire(item.clone()));
        Ok(())
    }
    fn gap(&mut self, _: Lost, _: &mut Output<Wire<1>>) {
        assert!(self.0 != "gap", "at gap");
    }
    fn end(&mut self, _: &mut Output<Wire<1>>) {
        assert!(self.0 != "end", "at end");
    }
}

fn stream(place: Place, panics_at: &'static str) -> Stream {
    let stream = Stream::new(Limits::default());
    stream.hub.register::<Frame, Wire<1>>(place, move |_, _| {
        assert!(panics_at != "make", "at make");
        Ok(Box::new(Panics(panics_at)) as Box<dyn Convert<_, _>>)
    });
    stream
}

fn push(stream: &Stream, writer: &mut Writer<Frame>, text: &str) {
    writer.push(Frame::new(text, 0), stream.now).unwrap();
    while let Some(task) = stream.hub.poll_task() {
        // Runs as far as it can now, and goes on with the stream's next push.
        TASKS.with_borrow_mut(|tasks| tasks.push(Box::pin(task)));
    }
    run();
}

thread_local! {
    static TASKS: std::cell::RefCell<Vec<std::pin::Pin<Box<stream_hub::ConvertTask>>>> =
        const { std::cell::RefCell::new(Vec::new()) };
}

fn run() {
    let mut cx = Context::from_waker(Waker::noop());
    TASKS.with_borrow_mut(|tasks| {
        for _ in 0..4 {
            tasks.retain_mut(|task| pin!(task).poll(&mut cx).is_pending());
        }
    });
}

fn panic(text: &str) -> ReadEnd {
    ReadEnd::Unavailable(Unavailable::Failed(ConvertError::new(format!("panic: at {text}"))))
}

#[test]
fn a_panic_in_push_ends_the_lane_alone_and_it_may_be_had_again() {
    for place in [Place::Inline, Place::Task] {
        let mut stream = stream(place, "bad");
        let (_publisher, mut writer) = stream.source();
        let mut source = stream.reader::<Frame>(SubscribeOptions::default());
        let mut wire = stream.reader::<Wire<1>>(SubscribeOptions::default());
        for text in ["key", "bad", "key2"] {
            push(&stream, &mut writer, text);
        }
        assert_eq!(read(&mut source), ["key", "bad", "key2"]);
        assert_eq!(end(&mut wire), Some(panic("push")), "{place:?}");
        drop(wire);
        stream.pass(ms(1));
        stream.pass(ms(10_000));
        let mut again = stream.reader::<Wire<1>>(SubscribeOptions::default());
        push(&stream, &mut writer, "key3");
        assert_eq!(read(&mut again), ["key2", "key3"], "{place:?}");
        assert_eq!(stream.hub.stream(&stream.key).unwrap().readers, 2);
    }
}

#[test]
fn a_panic_at_a_takeover_does_not_keep_the_next_publisher_out() {
    for place in [Place::Inline, Place::Task] {
        let stream = stream(place, "gap");
        let (_first, mut writer) = stream.source();
        let mut source = stream.reader::<Frame>(SubscribeOptions::default());
        let mut wire = stream.reader::<Wire<1>>(SubscribeOptions::default());
        push(&stream, &mut writer, "key");
        let mut second = stream.publish("b", BusyPolicy::TakeOver);
        let mut writer = second.track(TrackId(0)).unwrap();
        push(&stream, &mut writer, "key2");
        assert_eq!(read(&mut source), ["key", "key2"]);
        let told = end(&mut wire);
        // Inline, the second publisher's track had it made anew before anybody looked.
        let expected = (place == Place::Task).then(|| panic("gap"));
        assert_eq!(told, expected, "{place:?}");
        if place == Place::Inline {
            let Poll::Ready(Ok(batch)) = common::poll(&mut wire) else { panic!("nothing to read") };
            assert_eq!(batch.len(), 1, "what the first converter made comes by itself");
            wire.advance(1);
            let Poll::Ready(Ok(batch)) = common::poll(&mut wire) else { panic!("nothing to read") };
            assert!(batch.discontinuity());
        }
    }
}

#[test]
fn a_panic_at_the_end_lets_the_stream_end() {
    for place in [Place::Inline, Place::Task] {
        let stream = stream(place, "end");
        let (publisher, mut writer) = stream.source();
        let options =
            SubscribeOptions { on_unpublish: stream_hub::OnUnpublish::End, ..Default::default() };
        let mut wire = stream.reader::<Wire<1>>(options);
        push(&stream, &mut writer, "key");
        assert_eq!(read(&mut wire), ["key"]);
        publisher.end();
        run();
        assert_eq!(end(&mut wire), Some(ReadEnd::Ended), "{place:?}");
        drop(wire);
        assert!(stream.hub.stream(&stream.key).is_none());
    }
}

#[test]
fn a_panic_while_a_converter_is_made_is_told() {
    let stream = stream(Place::Inline, "make");
    let (publisher, mut writer) = stream.source();
    let mut wire = stream.reader::<Wire<1>>(SubscribeOptions::default());
    push(&stream, &mut writer, "key");
    assert_eq!(end(&mut wire), Some(panic("make")));
    drop(wire);
    publisher.end();
    assert!(stream.hub.stream(&stream.key).is_none(), "its reader is not counted for ever");
}

/// Holds a reader of its own stream.
struct Holds(#[expect(dead_code, reason = "held to be dropped")] Option<Reader<Frame>>);

impl Convert<Frame, Wire<2>> for Holds {
    fn push(&mut self, _: TrackId, _: &Frame, _: &mut Output<Wire<2>>) -> Result<(), ConvertError> {
        Ok(())
    }
    fn gap(&mut self, _: Lost, _: &mut Output<Wire<2>>) {}
}

#[test]
fn a_converter_may_hold_readers() {
    let mut stream = Stream::new(Limits::default());
    let held = Arc::new(Mutex::new(Some(stream.reader::<Frame>(SubscribeOptions::default()))));
    stream.hub.register::<Frame, Wire<2>>(Place::Inline, move |_, _| {
        Ok(Box::new(Holds(held.lock().unwrap().take())) as Box<dyn Convert<_, _>>)
    });
    let (_publisher, _writer) = stream.source();
    let mut wire = stream.reader::<Wire<2>>(SubscribeOptions::default());
    assert!(matches!(common::poll(&mut wire), Poll::Pending));
    drop(wire);
    assert_eq!(stream.hub.stream(&stream.key).unwrap().readers, 1);
    stream.pass(ms(1));
    stream.pass(ms(10_000));
    assert_eq!(stream.hub.stream(&stream.key).unwrap().readers, 0);
}
