//! Readers start at a join point with the configuration in force there, and share every payload.

mod common;

use std::task::Poll;

use common::{Frame, Stream, poll, read};
use stream_hub::{Limits, Start, SubscribeOptions};

fn frames(writer: &mut stream_hub::Writer<Frame>, stream: &Stream, texts: &[&str]) {
    for text in texts {
        writer.push(Frame::new(*text, 0), stream.now).unwrap();
    }
}

#[test]
fn a_joiner_gets_the_configuration_in_force_at_the_latest_join_point() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    frames(&mut writer, &stream, &["cfg0a", "cfg1a", "key1", "p", "cfg0b", "key2", "p", "cfg1b"]);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut reader), ["cfg1a", "cfg0b", "key2", "p", "cfg1b"]);
    frames(&mut writer, &stream, &["p", "cfg0c", "key3"]);
    assert_eq!(read(&mut reader), ["p", "cfg0c", "key3"]);
}

#[test]
fn a_joiner_waits_for_the_first_join_point() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    frames(&mut writer, &stream, &["cfg0", "p", "p"]);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut reader), [""; 0]);
    frames(&mut writer, &stream, &["p", "key", "p"]);
    assert_eq!(read(&mut reader), ["cfg0", "key", "p"]);
}

#[test]
fn a_reader_may_start_at_the_next_join_point_or_live() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    frames(&mut writer, &stream, &["cfg0", "key1", "p"]);
    let options = |start| SubscribeOptions { start, ..Default::default() };
    let mut next = stream.reader::<Frame>(options(Start::NextJoinPoint));
    let mut live = stream.reader::<Frame>(options(Start::Live));
    assert_eq!(read(&mut next), [""; 0]);
    assert_eq!(read(&mut live), ["cfg0"]);
    frames(&mut writer, &stream, &["p2", "key2", "p3"]);
    assert_eq!(read(&mut next), ["cfg0", "key2", "p3"]);
    assert_eq!(read(&mut live), ["p2", "key2", "p3"]);
}

#[test]
fn what_was_not_advanced_over_comes_again() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    frames(&mut writer, &stream, &["cfg0", "cfg1", "key", "p", "p2"]);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let mut seen = Vec::new();
    for step in [1, 0, 2, 1, 1] {
        let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
        seen.extend(batch.iter().take(step).map(|frame| frame.text.clone()));
        reader.advance(step);
    }
    assert_eq!(seen, ["cfg0", "cfg1", "key", "p", "p2"]);
    reader.advance(100);
    assert!(poll(&mut reader).is_pending());
}

#[test]
fn a_batch_keeps_to_its_bytes_but_has_one_item_at_least() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    for (at, size) in [10, 10, 1000, 10, 10, 10].into_iter().enumerate() {
        let text = if at == 0 { "key" } else { "p" };
        writer.push(Frame::sized(text, at as u64, size), stream.now).unwrap();
    }
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut batches = Vec::new();
    while let Poll::Ready(Ok(batch)) = reader.poll_batch(&mut cx, 25) {
        batches.push((batch.len(), batch.bytes()));
        reader.advance(batch.len());
    }
    assert_eq!(batches, [(2, 20), (1, 1000), (2, 20), (1, 10)]);
}

#[test]
fn long_runs_come_whole_and_in_order() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let texts: Vec<String> =
        (0..1000).map(|at| if at == 0 { "key".to_owned() } else { format!("p{at}") }).collect();
    for text in &texts {
        writer.push(Frame::new(text.clone(), 0), stream.now).unwrap();
    }
    assert_eq!(read(&mut reader), texts);
}

#[test]
fn payloads_are_shared_by_all_readers_and_by_replay() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let pushed = ["cfg0", "key", "p"].map(|text| Frame::new(text, 0));
    let pointers: Vec<*const u8> = pushed.iter().map(|frame| frame.payload.as_ptr()).collect();
    for frame in pushed {
        writer.push(frame, stream.now).unwrap();
    }
    for _ in 0..3 {
        let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
        let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
        let seen: Vec<*const u8> = batch.iter().map(|frame| frame.payload.as_ptr()).collect();
        assert_eq!(seen, pointers);
    }
}

#[test]
fn a_joiner_does_not_start_where_too_much_would_be_replayed() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let options = SubscribeOptions { max_replay: 3, ..Default::default() };
    frames(&mut writer, &stream, &["cfg0", "key1", "p", "p"]);
    assert_eq!(read(&mut stream.reader::<Frame>(options)), ["cfg0", "key1", "p", "p"]);
    frames(&mut writer, &stream, &["p"]);
    let mut reader = stream.reader::<Frame>(options);
    assert_eq!(read(&mut reader), [""; 0]);
    frames(&mut writer, &stream, &["p", "key2"]);
    assert_eq!(read(&mut reader), ["cfg0", "key2"]);
}
