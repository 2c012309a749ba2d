//! Derived lanes: made once, while somebody reads them, from the latest join point on.

mod common;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use common::{Frame, Stream, Text, Wire, end, marker, ms, poll, read};
use stream_hub::{
    BusyPolicy, Convert, ConvertError, ConvertTask, Limits, OnUnpublish, Place, ReadEnd,
    SubscribeOptions, TrackId, Unavailable, Variant, Writer,
};

fn push(stream: &Stream, writer: &mut Writer<impl Text>, text: &str) {
    writer.push(Text::of(Frame::new(text, 0)), stream.now).unwrap();
}

fn counts(stream: &Stream) -> (u64, u64) {
    let stats = stream.hub.stream(&stream.key).unwrap();
    (stats.converters_started, stats.converters_stopped)
}

/// Frame -> 1 -> 2, and variants of 1.
fn chain(place: Place) -> Stream {
    let stream = Stream::new(Limits::default());
    stream.hub.register(place, |_, variant| marker::<Frame, Wire<1>>("a", variant));
    stream.hub.register(place, |_, variant| marker::<Wire<1>, Wire<2>>("b", variant));
    stream
}

fn run(tasks: &mut Vec<ConvertTask>, stream: &Stream) {
    while let Some(task) = stream.hub.poll_task() {
        tasks.push(task);
    }
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..100 {
        tasks.retain_mut(|task| pin!(task).poll(&mut cx).is_pending());
    }
}

#[test]
fn a_converter_starts_with_its_first_reader_from_the_latest_join_point() {
    let stream = chain(Place::Inline);
    let (_publisher, mut writer) = stream.source();
    for text in ["cfg0", "key1", "p", "key2", "p2"] {
        push(&stream, &mut writer, text);
    }
    assert_eq!(counts(&stream), (0, 0));
    let mut reader = stream.reader::<Wire<1>>(SubscribeOptions::default());
    assert_eq!(counts(&stream), (1, 0));
    assert_eq!(read(&mut reader), ["a0:cfg0", "a0:key2", "a0:p2"]);
    push(&stream, &mut writer, "key3");
    push(&stream, &mut writer, "p3");
    // A late one starts at the derived lane's latest join point; the converter is shared.
    let mut late = stream.reader::<Wire<1>>(SubscribeOptions::default());
    assert_eq!(read(&mut late), ["a0:cfg0", "a0:key3", "a0:p3"]);
    assert_eq!(read(&mut reader), ["a0:key3", "a0:p3"]);
    assert_eq!(counts(&stream), (1, 0));
    let payload = |reader: &mut stream_hub::Reader<Wire<1>>| {
        let Poll::Ready(Ok(batch)) = poll(reader) else { panic!("nothing to read") };
        batch.iter().next().unwrap().0.payload.as_ptr()
    };
    push(&stream, &mut writer, "p4");
    assert_eq!(payload(&mut reader), payload(&mut late), "no copy");
}

/// Variants of 2 that are of one kind share what is made for them in between.
#[test]
fn a_variant_is_made_from_the_variant_that_its_converter_reads() {
    for place in [Place::Inline, Place::Task] {
        let mut stream = Stream::new(Limits::default());
        stream.hub.register(place, |_, variant| marker::<Frame, Wire<1>>("a", variant));
        stream.hub.register_reading(
            place,
            |variant| Variant(variant.0 / 10),
            |_, variant| marker::<Wire<1>, Wire<2>>("b", variant),
        );
        let (_publisher, mut writer) = stream.source();
        let mut tasks = Vec::new();
        push(&stream, &mut writer, "key");
        let mut readers = [3, 70, 71].map(|variant| {
            let variant = Variant(variant);
            let options = SubscribeOptions { variant, ..SubscribeOptions::default() };
            stream.reader::<Wire<2>>(options)
        });
        run(&mut tasks, &stream);
        let texts = readers.each_mut().map(read);
        assert_eq!(texts, [["b30:a0:key"], ["b700:a70:key"], ["b710:a70:key"]]);
        assert_eq!(counts(&stream), (5, 0));
        // What nobody reads any more goes, the rest goes on.
        let [mut kept, seventy, seventy_one] = readers;
        drop((seventy, seventy_one));
        stream.pass(ms(1));
        stream.pass(ms(10_000));
        push(&stream, &mut writer, "p");
        run(&mut tasks, &stream);
        assert_eq!(counts(&stream), (5, 3));
        assert_eq!(read(&mut kept), ["b30:a0:p"]);
    }
}

#[test]
fn a_converter_goes_ten_seconds_after_its_last_reader() {
    let mut stream = chain(Place::Inline);
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "key");
    let reader = stream.reader::<Wire<2>>(SubscribeOptions::default());
    assert_eq!(counts(&stream), (2, 0), "a chain of two");
    stream.pass(ms(60_000));
    drop(reader);
    stream.pass(ms(1));
    assert_eq!(stream.hub.poll_timeout(), Some(stream.now + ms(10_000)));
    stream.pass(ms(9_999));
    assert_eq!(counts(&stream), (2, 0));
    // One who comes in time keeps it.
    let mut reader = stream.reader::<Wire<2>>(SubscribeOptions::default());
    stream.pass(ms(60_000));
    push(&stream, &mut writer, "p");
    assert_eq!(read(&mut reader), ["b0:a0:key", "b0:a0:p"]);
    assert_eq!(counts(&stream), (2, 0));
    drop(reader);
    stream.pass(ms(1));
    stream.pass(ms(10_000));
    assert_eq!(counts(&stream), (2, 2), "the chain goes as one");
    assert_eq!(stream.hub.stream(&stream.key).unwrap().lanes.len(), 1);
    let mut reader = stream.reader::<Wire<2>>(SubscribeOptions::default());
    assert_eq!(counts(&stream), (4, 2));
    assert_eq!(read(&mut reader), ["b0:a0:key", "b0:a0:p"]);
}

#[test]
fn chains_share_their_first_steps() {
    let stream = chain(Place::Inline);
    let (_publisher, mut writer) = stream.source();
    let mut one = stream.reader::<Wire<1>>(SubscribeOptions::default());
    let mut two = stream.reader::<Wire<2>>(SubscribeOptions::default());
    push(&stream, &mut writer, "key");
    assert_eq!(read(&mut one), ["a0:key"]);
    assert_eq!(read(&mut two), ["b0:a0:key"]);
    assert_eq!(counts(&stream), (2, 0));
}

#[test]
fn the_variant_goes_to_the_last_step_and_is_shared() {
    let stream = chain(Place::Inline);
    stream.hub.register(Place::Inline, |_, variant| marker::<Frame, Frame>("self", variant));
    let (_publisher, mut writer) = stream.source();
    let options = |variant| SubscribeOptions { variant: Variant(variant), ..Default::default() };
    let mut plain = stream.reader::<Wire<2>>(options(0));
    let mut seven = stream.reader::<Wire<2>>(options(7));
    let mut again = stream.reader::<Wire<2>>(options(7));
    let mut own = stream.reader::<Frame>(options(3));
    push(&stream, &mut writer, "key");
    assert_eq!(read(&mut plain), ["b0:a0:key"]);
    assert_eq!(read(&mut seven), ["b70:a0:key"]);
    assert_eq!(read(&mut again), ["b70:a0:key"]);
    assert_eq!(read(&mut own), ["self30:key"], "a variant of the source's own type");
    assert_eq!(counts(&stream), (4, 0));
}

#[test]
fn all_tracks_of_a_type_feed_one_converter() {
    let stream = chain(Place::Inline);
    let mut publisher = stream.publish("a", BusyPolicy::Refuse);
    let mut video = publisher.track::<Frame>(TrackId(1)).unwrap();
    let mut reader = stream.reader::<Wire<1>>(SubscribeOptions::default());
    push(&stream, &mut video, "keyv");
    assert_eq!(read(&mut reader), ["a1:keyv"]);
    let mut audio = publisher.track::<Frame>(TrackId(2)).unwrap();
    push(&stream, &mut audio, "keya");
    push(&stream, &mut video, "p");
    assert_eq!(read(&mut reader), ["a2:keya", "a1:p"]);
    assert_eq!(counts(&stream), (1, 0));
}

#[test]
fn a_lane_waits_for_its_source_and_follows_another_type() {
    let stream = chain(Place::Inline);
    let mut reader = stream.reader::<Wire<2>>(SubscribeOptions::default());
    assert_eq!((end(&mut reader), counts(&stream)), (None, (0, 0)));
    let (publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "key");
    assert_eq!(read(&mut reader), ["b0:a0:key"]);
    drop(publisher);
    // Within the grace somebody comes who sends the intermediate type himself.
    let mut publisher = stream.publish("b", BusyPolicy::Refuse);
    let mut writer = publisher.track::<Wire<1>>(TrackId(0)).unwrap();
    push(&stream, &mut writer, "key");
    let texts = read(&mut reader);
    assert_eq!(texts.last().unwrap(), "b0:key", "{texts:?}");
    publisher.end();
    let mut publisher = stream.publish("c", BusyPolicy::Refuse);
    let mut writer = publisher.track::<Wire<2>>(TrackId(0)).unwrap();
    push(&stream, &mut writer, "key");
    assert_eq!(read(&mut reader).last().unwrap(), "key", "now the source itself");
}

#[test]
fn a_converter_stays_over_a_restart_and_is_told() {
    let stream = chain(Place::Inline);
    let (_old, mut writer) = stream.source();
    let mut reader = stream.reader::<Wire<2>>(SubscribeOptions::default());
    push(&stream, &mut writer, "key1");
    assert_eq!(read(&mut reader), ["b0:a0:key1"]);
    let mut publisher = stream.publish("b", BusyPolicy::TakeOver);
    let mut writer = publisher.track::<Frame>(TrackId(0)).unwrap();
    push(&stream, &mut writer, "key2");
    assert_eq!(read(&mut reader), ["b0:agap0", "bgap0", "b0:a0:key2"]);
    assert_eq!(counts(&stream), (2, 0));
}

#[test]
fn the_end_of_a_stream_goes_through_its_converters() {
    let stream = chain(Place::Inline);
    let (publisher, mut writer) = stream.source();
    let options = SubscribeOptions { on_unpublish: OnUnpublish::End, ..Default::default() };
    let mut reader = stream.reader::<Wire<2>>(options);
    push(&stream, &mut writer, "key1");
    assert_eq!(read(&mut reader), ["b0:a0:key1"]);
    publisher.end();
    assert_eq!(read(&mut reader), ["b0:aend", "bend"]);
    assert_eq!(end(&mut reader), Some(ReadEnd::Ended));
    assert_eq!(counts(&stream), (2, 2));
}

#[test]
fn a_failing_converter_ends_its_lane_alone() {
    let mut stream = chain(Place::Inline);
    let (_publisher, mut writer) = stream.source();
    let mut source = stream.reader::<Frame>(SubscribeOptions::default());
    let mut one = stream.reader::<Wire<1>>(SubscribeOptions::default());
    let mut two = stream.reader::<Wire<2>>(SubscribeOptions::default());
    push(&stream, &mut writer, "key");
    push(&stream, &mut writer, "bad");
    push(&stream, &mut writer, "p");
    let why = Unavailable::Failed(ConvertError::new("bad frame"));
    assert_eq!(end(&mut one), Some(ReadEnd::Unavailable(why.clone())));
    assert_eq!(end(&mut two), Some(ReadEnd::Unavailable(why.clone())));
    assert_eq!(read(&mut source), ["key", "bad", "p"]);
    assert_eq!(counts(&stream), (2, 2));
    // It is not tried again for everybody who asks, but after a while.
    let mut again = stream.reader::<Wire<1>>(SubscribeOptions::default());
    assert_eq!(end(&mut again), Some(ReadEnd::Unavailable(why)));
    drop((two, again));
    push(&stream, &mut writer, "key2");
    stream.pass(ms(1));
    stream.pass(ms(10_000));
    let why = Unavailable::Failed(ConvertError::new("bad frame"));
    assert_eq!(end(&mut one), Some(ReadEnd::Unavailable(why)), "for good");
    drop(one);
    let mut later = stream.reader::<Wire<1>>(SubscribeOptions::default());
    assert_eq!(read(&mut later), ["a0:key2"]);
}

#[test]
fn no_path_and_a_refusal_are_told() {
    let stream = chain(Place::Inline);
    stream.hub.register::<Frame, Wire<9>>(Place::Inline, |_, _| {
        Err(Unavailable::refused("codec not supported"))
    });
    let mut none = stream.reader::<Wire<5>>(SubscribeOptions::default());
    assert_eq!(end(&mut none), None);
    let (_publisher, _writer) = stream.source();
    assert_eq!(end(&mut none), Some(ReadEnd::Unavailable(Unavailable::NoPath)));
    let mut refused = stream.reader::<Wire<9>>(SubscribeOptions::default());
    let why = Unavailable::Refused("codec not supported".into());
    assert_eq!(end(&mut refused), Some(ReadEnd::Unavailable(why)));
}

#[test]
fn a_task_reads_by_itself_and_is_told_of_gaps() {
    let limits = Limits { lane_bytes: 10_000, ..Default::default() };
    let stream = Stream::new(limits);
    stream.hub.register(Place::Task, |_, variant| marker::<Frame, Wire<1>>("a", variant));
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "key1");
    assert!(stream.hub.poll_task().is_none());
    let mut reader = stream.reader::<Wire<1>>(SubscribeOptions::default());
    let mut tasks = Vec::new();
    assert_eq!(read(&mut reader), [""; 0]);
    run(&mut tasks, &stream);
    assert_eq!(read(&mut reader), ["a0:key1"]);
    // It lags: 1000 items while it is not polled.
    for _ in 0..1000 {
        push(&stream, &mut writer, "p");
    }
    push(&stream, &mut writer, "key2");
    run(&mut tasks, &stream);
    assert_eq!(read(&mut reader), ["agap1000", "a0:key2"]);
    assert_eq!(tasks.len(), 1);
}

#[test]
fn a_task_converts_what_is_left_and_ends() {
    let stream = chain(Place::Task);
    let (publisher, mut writer) = stream.source();
    let options = SubscribeOptions { on_unpublish: OnUnpublish::End, ..Default::default() };
    let mut reader = stream.reader::<Wire<2>>(options);
    let mut tasks = Vec::new();
    push(&stream, &mut writer, "key1");
    run(&mut tasks, &stream);
    push(&stream, &mut writer, "p");
    publisher.end();
    assert_eq!(read(&mut reader), ["b0:a0:key1"]);
    assert_eq!(end(&mut reader), None, "its converter still has something");
    run(&mut tasks, &stream);
    assert_eq!(read(&mut reader), ["b0:a0:p", "b0:aend", "bend"]);
    assert_eq!(end(&mut reader), Some(ReadEnd::Ended));
    assert_eq!(tasks.len(), 0);
}

#[test]
fn a_task_is_told_of_a_restart_and_goes_with_its_last_reader() {
    let mut stream = chain(Place::Task);
    let (_old, mut writer) = stream.source();
    let mut reader = stream.reader::<Wire<2>>(SubscribeOptions::default());
    let mut tasks = Vec::new();
    push(&stream, &mut writer, "key1");
    run(&mut tasks, &stream);
    assert_eq!(read(&mut reader), ["b0:a0:key1"]);
    let mut publisher = stream.publish("b", BusyPolicy::TakeOver);
    let mut writer = publisher.track::<Frame>(TrackId(0)).unwrap();
    push(&stream, &mut writer, "key2");
    run(&mut tasks, &stream);
    assert_eq!(read(&mut reader), ["b0:agap0", "bgap0", "b0:a0:key2"]);
    assert_eq!((tasks.len(), counts(&stream)), (2, (2, 0)));
    drop(reader);
    stream.pass(ms(1));
    stream.pass(ms(10_000));
    assert_eq!(counts(&stream), (2, 2));
    run(&mut tasks, &stream);
    assert_eq!(tasks.len(), 0);
}

#[test]
fn a_task_that_is_dropped_is_told_to_its_readers() {
    let stream = chain(Place::Task);
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "key");
    let mut reader = stream.reader::<Wire<1>>(SubscribeOptions::default());
    drop(stream.hub.poll_task());
    let why = Unavailable::TaskDropped;
    assert_eq!(end(&mut reader), Some(ReadEnd::Unavailable(why)));
}

#[test]
fn a_task_lane_follows_another_publisher_while_it_drains() {
    let stream = chain(Place::Task);
    let (publisher, mut writer) = stream.source();
    let mut ending = stream.reader::<Wire<1>>(SubscribeOptions {
        on_unpublish: OnUnpublish::End,
        ..Default::default()
    });
    let mut waiting = stream.reader::<Wire<1>>(SubscribeOptions::default());
    let mut tasks = Vec::new();
    push(&stream, &mut writer, "key1");
    run(&mut tasks, &stream);
    assert_eq!(read(&mut ending), ["a0:key1"]);
    assert_eq!(read(&mut waiting), ["a0:key1"]);
    push(&stream, &mut writer, "p");
    publisher.end();
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "key2");
    run(&mut tasks, &stream);
    assert_eq!(read(&mut ending), [""; 0]);
    assert_eq!(end(&mut ending), Some(ReadEnd::Ended));
    assert_eq!(read(&mut waiting), ["a0:key2"]);
}

/// A converter that makes two items of one, to see that none is lost between attach and push.
struct Twice;

impl Convert<Frame, Wire<3>> for Twice {
    fn push(
        &mut self,
        _: TrackId,
        item: &Frame,
        out: &mut stream_hub::Output<Wire<3>>,
    ) -> Result<(), ConvertError> {
        out.push(Wire(item.clone()));
        out.push(Wire(Frame::new("again", 0)));
        Ok(())
    }
    fn gap(&mut self, _: stream_hub::Lost, _: &mut stream_hub::Output<Wire<3>>) {}
}

#[test]
fn a_converter_may_make_any_number_of_items() {
    let stream = Stream::new(Limits::default());
    stream.hub.register::<Frame, Wire<3>>(Place::Inline, |_, _| Ok(Box::new(Twice)));
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "key");
    let mut reader = stream.reader::<Wire<3>>(SubscribeOptions::default());
    push(&stream, &mut writer, "p");
    assert_eq!(read(&mut reader), ["key", "again", "p", "again"]);
}
