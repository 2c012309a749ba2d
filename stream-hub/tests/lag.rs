//! A slow reader costs the ring's bound and its own items, nobody else's.

mod common;

use std::task::Poll;
use std::time::Duration;

use common::{Frame, Stream, end, ms, poll, read};
use stream_hub::{
    BusyPolicy, Hub, Limits, Lost, OnLag, ReadEnd, StreamKey, SubscribeOptions, TrackId, Writer,
};

/// Pushes `count` frames, 40 ms apart, a keyframe every 50.
fn push(stream: &Stream, writer: &mut Writer<Frame>, from: u64, count: u64) {
    for at in from..from + count {
        let text = if at % 50 == 0 { format!("key{at}") } else { format!("p{at}") };
        writer.push(Frame::sized(text, at * 40, 1000), stream.now).unwrap();
    }
}

fn held(stream: &Stream) -> (u64, usize, Duration) {
    let lane = stream.hub.stream(&stream.key).unwrap().lanes.remove(0);
    (lane.held_items, lane.held_bytes, lane.held_time)
}

#[test]
fn without_a_laggard_about_one_gop_is_held() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    for at in 0..1000 {
        push(&stream, &mut writer, at, 1);
        read(&mut reader);
        assert!(held(&stream).0 <= 50 + 128, "{:?}", held(&stream));
    }
}

#[test]
fn a_stalled_reader_does_not_break_the_bound_in_bytes() {
    let limits = Limits { lane_bytes: 200_000, ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, 0, 10);
    let mut stalled = stream.reader::<Frame>(SubscribeOptions::default());
    let mut live = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut live).len(), 10);
    let mut most = 0;
    for at in 10..2000 {
        push(&stream, &mut writer, at, 1);
        assert_eq!(read(&mut live).len(), 1);
        assert!(held(&stream).1 <= 200_000);
        most = most.max(held(&stream).1);
    }
    // It is allowed what the bound allows, less a segment or two; what is lost holds back nothing.
    assert!(most >= 170_000, "{most}");
    assert!(held(&stream).1 <= 100_000, "{:?}", held(&stream));
    let Poll::Ready(Ok(batch)) = poll(&mut stalled) else { panic!("nothing to read") };
    assert_eq!(batch.iter().next().unwrap().text, "key1950");
    assert_eq!(batch.gap(), Some(Lost { items: 1950 }));
}

#[test]
fn a_stalled_reader_does_not_break_the_bound_in_time() {
    let limits = Limits { lane_time: ms(4000), ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, 0, 10);
    let _stalled = stream.reader::<Frame>(SubscribeOptions::default());
    let mut most = Duration::ZERO;
    for at in 10..1000 {
        push(&stream, &mut writer, at, 1);
        assert!(held(&stream).2 <= ms(4000));
        most = most.max(held(&stream).2);
    }
    assert!(most >= ms(3500), "{most:?}");
}

#[test]
fn a_reader_within_the_bound_loses_nothing() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, 0, 1);
    let mut slow = stream.reader::<Frame>(SubscribeOptions::default());
    push(&stream, &mut writer, 1, 700);
    assert_eq!(read(&mut slow).len(), 701);
    assert_eq!(slow.stats().lost, 0);
    // And once it has caught up, what it held back goes.
    push(&stream, &mut writer, 701, 1);
    read(&mut slow);
    push(&stream, &mut writer, 702, 1);
    assert!(held(&stream).0 <= 178, "{:?}", held(&stream));
}

#[test]
fn a_laggard_resumes_at_the_latest_join_point_and_is_told_once() {
    let limits = Limits { lane_bytes: 100_000, ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    writer.push(Frame::new("cfg0a", 0), stream.now).unwrap();
    writer.push(Frame::new("cfg1a", 0), stream.now).unwrap();
    push(&stream, &mut writer, 0, 3);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut reader), ["cfg0a", "cfg1a", "key0", "p1", "p2"]);
    writer.push(Frame::new("cfg1b", 120), stream.now).unwrap();
    push(&stream, &mut writer, 3, 220);
    // Read: 5. Then cfg1b (5), p3 (6) .. key200 (203).
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert_eq!(batch.gap(), Some(Lost { items: 198 }));
    let texts: Vec<&str> = batch.iter().take(3).map(|frame| frame.text.as_str()).collect();
    assert_eq!(texts, ["cfg1b", "key200", "p201"], "only the configuration it missed");
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert_eq!(batch.gap(), None, "told once, even if not advanced over");
    assert_eq!(batch.iter().next().unwrap().text, "cfg1b");
    assert_eq!((reader.stats().lost, reader.stats().gaps), (198, 1));
    let stats = stream.hub.stream(&stream.key).unwrap();
    assert_eq!(stats.lanes[0].lost_items, 198);
}

#[test]
fn a_laggard_may_be_closed_instead() {
    let limits = Limits { lane_bytes: 100_000, ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, 0, 3);
    let options = SubscribeOptions { on_lag: OnLag::Close, ..Default::default() };
    let mut reader = stream.reader::<Frame>(options);
    assert_eq!(read(&mut reader).len(), 3);
    push(&stream, &mut writer, 3, 220);
    assert!(matches!(end(&mut reader), Some(ReadEnd::Lagged(Lost { items: 100.. }))));
    assert!(end(&mut reader).is_some());
    assert_eq!(reader.stats().gaps, 1);
}

#[test]
fn a_gop_longer_than_the_bound_is_cut_and_joiners_wait() {
    let limits = Limits { lane_bytes: 20_000, ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    let mut live = stream.reader::<Frame>(SubscribeOptions::default());
    push(&stream, &mut writer, 0, 1);
    for at in 1..50 {
        push(&stream, &mut writer, at, 1);
        read(&mut live);
    }
    let mut joiner = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut joiner), [""; 0]);
    push(&stream, &mut writer, 50, 2);
    assert_eq!(read(&mut joiner), ["key50", "p51"]);
    assert_eq!(joiner.stats().lost, 0);
    assert_eq!(live.stats().lost, 0);
    let stats = stream.hub.stream(&stream.key).unwrap();
    assert_eq!((stats.lanes[0].join_points_cut, stats.lanes[0].joins), (1, 2));
}

#[test]
fn an_item_larger_than_the_bound_is_held_alone() {
    let limits = Limits { lane_bytes: 1000, ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    writer.push(Frame::new("key1", 0), stream.now).unwrap();
    writer.push(Frame::sized("key2", 0, 5000), stream.now).unwrap();
    assert_eq!(held(&stream), (1, 5000, Duration::ZERO));
    assert_eq!(read(&mut reader), ["key2"]);
    writer.push(Frame::new("key3", 0), stream.now).unwrap();
    assert_eq!(held(&stream).1, 100);
}

#[test]
fn a_batch_that_is_kept_stays_whole() {
    let limits = Limits { lane_bytes: 10_000, ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, 0, 5);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    push(&stream, &mut writer, 5, 500);
    let texts: Vec<&str> = batch.iter().map(|frame| frame.text.as_str()).collect();
    assert_eq!(texts, ["key0", "p1"], "two segments of a small bound hold an item each");
}

#[test]
fn a_reader_that_lags_before_its_first_look_still_gets_the_configuration() {
    let limits = Limits { lane_bytes: 100_000, ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    for config in ["cfg0", "cfg1"] {
        writer.push(Frame::new(config, 0), stream.now).unwrap();
    }
    push(&stream, &mut writer, 0, 1);
    let mut never = stream.reader::<Frame>(SubscribeOptions::default());
    let mut half = stream.reader::<Frame>(SubscribeOptions::default());
    assert!(poll(&mut half).is_ready());
    half.advance(1);
    push(&stream, &mut writer, 1, 210);
    assert_eq!(read(&mut never)[..3], ["cfg0", "cfg1", "key200"]);
    assert_eq!(read(&mut half)[..2], ["cfg1", "key200"], "it has had the other");
    assert_eq!((never.stats().lost, half.stats().lost), (200, 200));
}

#[test]
fn a_loss_that_spans_a_takeover_is_told_as_both() {
    let limits = Limits { lane_bytes: 100_000, ..Default::default() };
    let stream = Stream::new(limits);
    let (_first, mut writer) = stream.source();
    push(&stream, &mut writer, 0, 3);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut reader).len(), 3);
    let mut second = stream.publish("b", BusyPolicy::TakeOver);
    let mut writer = second.track(TrackId(0)).unwrap();
    push(&stream, &mut writer, 3, 220);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert_eq!(batch.gap(), Some(Lost { items: 197 }));
    assert!(batch.discontinuity());
    reader.advance(batch.len());
    push(&stream, &mut writer, 223, 1);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert!(batch.gap().is_none() && !batch.discontinuity(), "told once");
}

#[test]
fn a_loss_that_spans_an_end_is_told() {
    let limits = Limits { lane_bytes: 100_000, ..Default::default() };
    let stream = Stream::new(limits);
    let (first, mut writer) = stream.source();
    push(&stream, &mut writer, 0, 3);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let mut other = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut reader).len(), 3);
    push(&stream, &mut writer, 3, 80);
    assert_eq!(read(&mut other).len(), 83);
    push(&stream, &mut writer, 83, 10);
    first.end();
    let mut second = stream.publish("b", BusyPolicy::Refuse);
    let mut writer = second.track(TrackId(0)).unwrap();
    // The end is still held, for the other reader.
    push(&stream, &mut writer, 100, 20);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert_eq!(batch.iter().next().unwrap().text, "key100");
    assert_eq!(batch.gap(), Some(Lost { items: 90 }));
    assert!(batch.discontinuity());
    assert_eq!(reader.stats().lost, 90);
}

#[test]
fn an_item_that_is_out_of_time_costs_nobody_anything() {
    let limits = Limits { lane_time: ms(4000), ..Default::default() };
    let stream = Stream::new(limits);
    let (_publisher, mut writer) = stream.source();
    writer.push(Frame::new("key", 100_000), stream.now).unwrap();
    let mut slow = stream.reader::<Frame>(SubscribeOptions::default());
    for at in 0..300 {
        // As metadata comes: without a time of its own.
        let time = if at % 3 == 0 { 0 } else { 100_000 + at * 10 };
        writer.push(Frame::new("p", time), stream.now).unwrap();
    }
    assert_eq!(read(&mut slow).len(), 301);
    assert_eq!(slow.stats().lost, 0);
    assert_eq!(held(&stream).2, ms(2990));
}

#[test]
fn a_stream_may_have_limits_of_its_own() {
    let of = |key: &StreamKey| Limits {
        lane_time: if key.vhost() == "short" { ms(2_000) } else { ms(20_000) },
        ..Limits::default()
    };
    let hub = Hub::with_limits_of(Limits::default(), of);
    let most_held = |vhost| {
        let stream =
            Stream { hub: hub.clone(), key: StreamKey::new(vhost, "a", "b"), now: common::start() };
        let (_publisher, mut writer) = stream.source();
        // It reads nothing, and so holds everything back that the limits allow.
        let _reader = stream.reader::<Frame>(SubscribeOptions::default());
        let held = (0..1_000).map(|number| {
            push(&stream, &mut writer, number, 1);
            held(&stream).2
        });
        held.max().unwrap()
    };
    assert!(most_held("short") <= ms(2_000));
    assert!((ms(15_000)..=ms(20_000)).contains(&most_held("long")));
}
