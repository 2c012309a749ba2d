//! Join points that are none any more when they are old or far behind.

mod common;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use common::{Frame, Stream, Text, Wire, marker, read};
use stream_hub::{
    BusyPolicy, Item, JoinBound, Limits, Place, Publisher, Slot, Start, SubscribeOptions, TrackId,
    Writer,
};

/// A frame that is joined at for a second and 2,000 bytes.
#[derive(Clone)]
struct Bounded(Frame);

impl Item for Bounded {
    const JOIN_BOUND: Option<JoinBound> =
        Some(JoinBound { time: Duration::from_secs(1), bytes: 2_000 });

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

impl Text for Bounded {
    fn frame(&self) -> &Frame {
        &self.0
    }
    fn of(frame: Frame) -> Self {
        Self(frame)
    }
}

fn source(stream: &Stream) -> (Publisher, Writer<Bounded>) {
    let mut publisher = stream.publish("a", BusyPolicy::Refuse);
    let writer = publisher.track(TrackId(0)).unwrap();
    (publisher, writer)
}

fn push(stream: &Stream, writer: &mut Writer<Bounded>, text: &str, millis: u64, size: usize) {
    writer.push(Bounded(Frame::sized(text, millis, size)), stream.now).unwrap();
}

fn joined(stream: &Stream, start: Start) -> Vec<String> {
    let options = SubscribeOptions { start, ..Default::default() };
    read(&mut stream.reader::<Bounded>(options))
}

/// What is held when nobody has anything left to read.
fn held(stream: &Stream) -> usize {
    stream.hub.stream(&stream.key).unwrap().lanes[0].held_bytes
}

#[test]
fn a_join_point_is_one_for_a_time_and_so_many_bytes() {
    for (millis, size, is_one) in [(1_000, 1_900, true), (1_001, 1, false), (5, 1_901, false)] {
        let stream = Stream::new(Limits::default());
        let (_publisher, mut writer) = source(&stream);
        push(&stream, &mut writer, "cfg0", 0, 1);
        push(&stream, &mut writer, "key", 0, 100);
        push(&stream, &mut writer, "p", millis, size);
        let all = ["cfg0", "key", "p"];
        let latest = joined(&stream, Start::LatestJoinPoint);
        assert_eq!(latest, if is_one { &all[..] } else { &[] }, "{millis} ms, {size} bytes");
        // Who can't wait begins where the stream is now.
        let live = joined(&stream, Start::LatestJoinPointOrLive);
        assert_eq!(live, if is_one { &all[..] } else { &all[..1] }, "{millis} ms, {size} bytes");
        push(&stream, &mut writer, "key2", millis + 1, 10);
        assert_eq!(joined(&stream, Start::LatestJoinPoint), ["cfg0", "key2"]);
    }
}

#[test]
fn what_nobody_begins_with_is_not_held() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = source(&stream);
    push(&stream, &mut writer, "key", 0, 100);
    for frame in 1..=1_000 {
        push(&stream, &mut writer, "p", frame, 10);
    }
    // What is open still is the part that is being filled.
    assert!(held(&stream) <= 64 * 10, "{} bytes", held(&stream));
}

#[test]
fn converters_begin_live_where_no_join_point_is_left() {
    for place in [Place::Inline, Place::Task] {
        let stream = Stream::new(Limits::default());
        stream.hub.register(place, |_, variant| marker::<Bounded, Wire<1>>("a", variant));
        let (_publisher, mut writer) = source(&stream);
        push(&stream, &mut writer, "cfg0", 0, 1);
        push(&stream, &mut writer, "key", 0, 100);
        push(&stream, &mut writer, "p", 2_000, 10);
        let options = SubscribeOptions { start: Start::Live, ..Default::default() };
        let mut reader = stream.reader::<Wire<1>>(options);
        push(&stream, &mut writer, "p2", 2_040, 10);
        let mut task = stream.hub.poll_task();
        if let Some(task) = &mut task {
            assert!(pin!(task).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(read(&mut reader), ["a0:cfg0", "a0:p2"], "{place:?}");
    }
}
