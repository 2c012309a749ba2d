//! A reader that waits for a join point starts at the first one, however late it looks.

mod common;

use std::task::{Context, Poll};

use common::{Count, Frame, Stream, poll, read};
use stream_hub::{
    BusyPolicy, Limits, OnUnpublish, ReadEnd, Start, SubscribeOptions, TrackId, Writer,
};

fn push(writer: &mut Writer<Frame>, stream: &Stream, texts: &[&str]) {
    for text in texts {
        writer.push(Frame::new(*text, 0), stream.now).unwrap();
    }
}

#[test]
fn a_waiting_reader_misses_nothing_from_the_first_join_point_on() {
    let stream = Stream::new(Limits::default());
    let mut early = stream.reader::<Frame>(SubscribeOptions::default());
    let (_publisher, mut writer) = stream.source();
    push(&mut writer, &stream, &["cfg0", "p"]);
    let mut second = stream.reader::<Frame>(SubscribeOptions::default());
    // As audio does it: every item is a join point.
    push(&mut writer, &stream, &["key1", "key2", "cfg1", "key3"]);
    let mut late = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut early), ["cfg0", "key1", "key2", "cfg1", "key3"]);
    assert_eq!(read(&mut second), ["cfg0", "key1", "key2", "cfg1", "key3"]);
    assert_eq!(read(&mut late), ["cfg0", "cfg1", "key3"]);
}

#[test]
fn what_a_waiting_reader_has_to_come_is_held_and_then_let_go() {
    let stream = Stream::new(Limits::default());
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let gone = stream.reader::<Frame>(SubscribeOptions::default());
    let (_publisher, mut writer) = stream.source();
    let held = || stream.hub.stream(&stream.key).unwrap().lanes[0].held_items;
    for _ in 0..300 {
        push(&mut writer, &stream, &["key"]);
    }
    assert_eq!(held(), 300);
    assert_eq!(read(&mut reader).len(), 300);
    assert_eq!(held(), 300, "another reader has not looked yet");
    drop(gone);
    push(&mut writer, &stream, &["key"]);
    assert_eq!(read(&mut reader).len(), 1);
    push(&mut writer, &stream, &["key"]);
    assert!(held() < 100, "{} items held", held());
}

#[test]
fn a_first_join_point_that_went_over_the_bound_gives_way_to_the_next() {
    let stream = Stream::new(Limits { lane_bytes: 10_000, ..Limits::default() });
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let (_publisher, mut writer) = stream.source();
    push(&mut writer, &stream, &["key1"]);
    for _ in 0..150 {
        push(&mut writer, &stream, &["p"]);
    }
    assert_eq!(read(&mut reader), [""; 0]);
    push(&mut writer, &stream, &["key2", "p", "key3"]);
    assert_eq!(read(&mut reader), ["key2", "p", "key3"]);
}

#[test]
fn a_stream_that_ended_before_the_first_look_is_read_to_its_end() {
    let mut stream = Stream::new(Limits::default());
    let options = |on_unpublish| SubscribeOptions { on_unpublish, ..Default::default() };
    let mut ending = stream.reader::<Frame>(options(OnUnpublish::End));
    let mut waiting = stream.reader::<Frame>(options(OnUnpublish::Wait));
    let (publisher, mut writer) = stream.source();
    push(&mut writer, &stream, &["cfg0", "key", "p"]);
    publisher.end();
    stream.pass(common::ms(1));
    for reader in [&mut ending, &mut waiting] {
        let Poll::Ready(Ok(batch)) = poll(reader) else { panic!("nothing to read") };
        let texts: Vec<_> = batch.iter().map(|frame| frame.text.as_str()).collect();
        assert_eq!(texts, ["cfg0", "key", "p"]);
        reader.advance(3);
    }
    assert!(matches!(poll(&mut ending), Poll::Ready(Err(ReadEnd::Ended))));
    assert!(poll(&mut waiting).is_pending());
}

#[test]
fn a_reader_that_waits_past_an_end_starts_at_the_first_join_point_too() {
    let stream = Stream::new(Limits::default());
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    assert!(poll(&mut reader).is_pending());
    let (publisher, mut writer) = stream.source();
    push(&mut writer, &stream, &["p"]);
    publisher.end();
    let (_publisher, mut writer) = stream.source();
    push(&mut writer, &stream, &["key1", "key2"]);
    assert_eq!(read(&mut reader), ["key1", "key2"]);
}

#[test]
fn a_join_point_before_a_takeover_is_read_without_waiting_for_another() {
    let stream = Stream::new(Limits::default());
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    assert!(poll(&mut reader).is_pending());
    let (_first, mut writer) = stream.source();
    push(&mut writer, &stream, &["key"]);
    let _second = stream.publish("b", BusyPolicy::TakeOver);
    assert_eq!(read(&mut reader), ["key"]);
}

#[test]
fn a_live_reader_is_not_told_of_a_takeover_before_it_came() {
    let stream = Stream::new(Limits::default());
    let (_first, mut writer) = stream.source();
    push(&mut writer, &stream, &["key"]);
    let mut second = stream.publish("b", BusyPolicy::TakeOver);
    let mut writer = second.track(TrackId(0)).unwrap();
    let options = SubscribeOptions { start: Start::Live, ..Default::default() };
    let mut reader = stream.reader::<Frame>(options);
    push(&mut writer, &stream, &["p"]);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert!(!batch.discontinuity());
}

#[test]
fn a_reader_that_wants_more_items_is_woken_when_they_are_there_or_nothing_more_comes() {
    let stream = Stream::new(Limits::default());
    let (publisher, mut writer) = stream.source();
    let options = SubscribeOptions { min_items: 2, ..Default::default() };
    let mut reader = stream.reader::<Frame>(options);
    push(&mut writer, &stream, &["key1"]);
    assert_eq!(read(&mut reader), ["key1"], "where it starts, it waits for none");
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(reader.poll_batch(&mut cx, usize::MAX).is_pending());
    push(&mut writer, &stream, &["p", "p"]);
    assert_eq!(count.take(), 0);
    assert!(reader.poll_batch(&mut cx, usize::MAX).is_pending());
    push(&mut writer, &stream, &["p"]);
    assert_eq!(count.take(), 1);
    assert_eq!(read(&mut reader), ["p", "p", "p"]);

    assert!(reader.poll_batch(&mut cx, usize::MAX).is_pending());
    push(&mut writer, &stream, &["p"]);
    assert_eq!(count.take(), 0);
    publisher.end();
    assert_eq!(count.take(), 1);
    assert_eq!(read(&mut reader), ["p"]);
}
