//! Publishers come, go, come back and take over; readers stay.

mod common;

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Count, Frame, Stream, end, ms, poll, read};
use stream_hub::{
    BusyPolicy, Fenced, Limits, OnUnpublish, PublishError, PublisherId, ReadEnd, Reader,
    SubscribeError, SubscribeOptions, TrackId, Writer,
};

const ENDING: SubscribeOptions = SubscribeOptions {
    on_unpublish: OnUnpublish::End,
    track: TrackId(0),
    variant: stream_hub::Variant(0),
    start: stream_hub::Start::LatestJoinPoint,
    on_lag: stream_hub::OnLag::Resume,
    window: stream_hub::Window::Every,
    max_replay: u64::MAX,
    min_items: 0,
};

fn push(stream: &Stream, writer: &mut Writer<Frame>, text: &str, millis: u64) {
    writer.push(Frame::new(text, millis), stream.now).unwrap();
}

#[test]
fn a_second_publisher_is_refused_or_takes_over() {
    let stream = Stream::new(Limits::default());
    let publisher = stream.publish("a", BusyPolicy::Refuse);
    let try_as = |who: &str, busy| {
        stream.hub.publish(stream.key.clone(), PublisherId::new(who), busy, stream.now)
    };
    let busy = PublishError::Busy { by: PublisherId::new("a") };
    assert_eq!(try_as("a", BusyPolicy::Refuse).unwrap_err(), busy);
    assert_eq!(try_as("b", BusyPolicy::TakeOverSame).unwrap_err(), busy);
    let same = try_as("a", BusyPolicy::TakeOverSame).unwrap();
    assert!(publisher.is_fenced());
    let other = try_as("b", BusyPolicy::TakeOver).unwrap();
    assert!(same.is_fenced() && !other.is_fenced());
    // The fenced ones go without a trace.
    drop((publisher, same));
    assert!(stream.hub.stream(&stream.key).unwrap().is_active());
}

#[test]
fn a_takeover_fences_at_once_and_wakes() {
    let stream = Stream::new(Limits::default());
    let (old, mut old_writer) = stream.source();
    let (count, waker) = Count::new();
    assert!(old.poll_fenced(&mut Context::from_waker(&waker)).is_pending());
    push(&stream, &mut old_writer, "key1", 1000);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut reader), ["key1"]);

    let mut new = stream.publish("b", BusyPolicy::TakeOver);
    assert_eq!(count.take(), 1);
    assert!(old.poll_fenced(&mut Context::from_waker(&waker)).is_ready());
    assert_eq!(old_writer.push(Frame::new("late", 0), stream.now), Err(Fenced));
    assert_eq!(new.resume_time(), Some(ms(1000)));
    let mut old = old;
    assert_eq!(old.track::<Frame>(TrackId(9)).unwrap_err(), PublishError::Fenced(Fenced));

    let mut joiner = stream.reader::<Frame>(SubscribeOptions::default());
    let mut writer = new.track::<Frame>(TrackId(0)).unwrap();
    push(&stream, &mut writer, "cfg0", 1040);
    push(&stream, &mut writer, "key2", 1040);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert!(batch.discontinuity());
    assert_eq!(batch.gap(), None);
    assert_eq!(batch.len(), 2);
    reader.advance(1);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert!(!batch.discontinuity(), "told once");
    // The other publisher's keyframe is no place to join any more.
    assert_eq!(read(&mut joiner), ["cfg0", "key2"]);
}

#[test]
fn unread_items_and_the_next_publishers_come_in_separate_batches() {
    let stream = Stream::new(Limits::default());
    let (old, mut writer) = stream.source();
    push(&stream, &mut writer, "key1", 0);
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    push(&stream, &mut writer, "p", 0);
    drop(old);
    let (_new, mut writer) = stream.source();
    push(&stream, &mut writer, "key2", 0);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert_eq!((batch.len(), batch.discontinuity()), (2, false));
    reader.advance(2);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert_eq!((batch.len(), batch.discontinuity()), (1, true));
}

#[test]
fn readers_stay_over_a_return_within_the_grace() {
    let mut stream = Stream::new(Limits::default());
    let (publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "key1", 40);
    let mut reader = stream.reader::<Frame>(ENDING);
    assert_eq!(read(&mut reader), ["key1"]);
    drop(publisher);
    assert_eq!(writer.push(Frame::new("p", 0), stream.now), Err(Fenced));
    stream.pass(ms(500));
    assert_eq!(stream.hub.poll_timeout(), Some(stream.now + ms(3000)));
    // Within the grace a joiner gets what there is.
    let mut joiner = stream.reader::<Frame>(ENDING);
    assert_eq!(read(&mut joiner), ["key1"]);
    stream.pass(ms(2900));
    assert_eq!((end(&mut reader), end(&mut joiner)), (None, None));
    let (publisher, mut writer) = stream.source();
    assert_eq!(publisher.resume_time(), Some(ms(40)));
    stream.pass(ms(10_000));
    push(&stream, &mut writer, "key2", 80);
    assert_eq!(read(&mut reader), ["key2"]);
    assert_eq!(end(&mut reader), None);
}

#[test]
fn after_the_grace_readers_end_or_wait() {
    let mut stream = Stream::new(Limits::default());
    let (publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "cfg0", 0);
    push(&stream, &mut writer, "key1", 40);
    let mut ending = stream.reader::<Frame>(ENDING);
    let mut waiting = stream.reader::<Frame>(SubscribeOptions::default());
    assert_eq!(read(&mut waiting), ["cfg0", "key1"]);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(waiting.poll_batch(&mut cx, 1).is_pending());
    drop(publisher);
    stream.pass(ms(0));
    stream.pass(ms(3000));
    assert_eq!(count.take(), 1, "waiting readers look at the end");
    // What is left is read before the end is told.
    assert_eq!(read(&mut ending), ["cfg0", "key1"]);
    assert_eq!(end(&mut ending), Some(ReadEnd::Ended));
    assert_eq!(end(&mut ending), Some(ReadEnd::Ended));
    drop(ending);
    assert_eq!(end(&mut waiting), None);
    let stats = stream.hub.stream(&stream.key).unwrap();
    assert!(!stats.is_active());
    assert_eq!(stats.lanes[0].held_items, 0, "source rings are emptied");

    let (publisher, mut writer) = stream.source();
    assert_eq!(publisher.resume_time(), Some(ms(40)));
    let mut late = stream.reader::<Frame>(ENDING);
    push(&stream, &mut writer, "p", 50);
    push(&stream, &mut writer, "key2", 60);
    assert_eq!(read(&mut late), ["key2"], "configuration of the ended stream is gone");
    let Poll::Ready(Ok(batch)) = poll(&mut waiting) else { panic!("nothing to read") };
    assert!(batch.discontinuity());
    assert_eq!(batch.gap(), None);
    assert_eq!(batch.iter().next().unwrap().text, "key2", "after a join point");
}

#[test]
fn without_grace_or_at_end_the_stream_ends_at_once() {
    for grace in [Duration::ZERO, ms(3000)] {
        let stream = Stream::new(Limits { grace, ..Default::default() });
        let (publisher, mut writer) = stream.source();
        push(&stream, &mut writer, "key", 0);
        let mut reader = stream.reader::<Frame>(ENDING);
        if grace.is_zero() {
            drop(publisher)
        } else {
            publisher.end()
        }
        assert_eq!(read(&mut reader), ["key"]);
        assert_eq!(end(&mut reader), Some(ReadEnd::Ended));
    }
}

#[test]
fn readers_come_before_the_publisher() {
    let stream = Stream::new(Limits::default());
    let mut reader = stream.reader::<Frame>(ENDING);
    let (count, waker) = Count::new();
    assert!(reader.poll_batch(&mut Context::from_waker(&waker), 1).is_pending());
    let (publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "p", 0);
    assert_eq!(count.take(), 0, "nothing to start with yet");
    push(&stream, &mut writer, "key", 0);
    assert_eq!(count.take(), 1);
    assert_eq!(read(&mut reader), ["key"]);
    publisher.end();
    assert_eq!(end(&mut reader), Some(ReadEnd::Ended));
}

#[test]
fn a_publisher_that_never_pushes_ends_readers_too() {
    let stream = Stream::new(Limits::default());
    let mut reader = stream.reader::<Frame>(ENDING);
    for _ in 0..1000 {
        // No mark is left behind by any of them.
        stream.publish("a", BusyPolicy::Refuse).end();
    }
    assert_eq!(end(&mut reader), Some(ReadEnd::Ended));
    let mut next = stream.reader::<Frame>(ENDING);
    assert_eq!(end(&mut next), None);
}

#[test]
fn a_publisher_can_be_kicked() {
    let stream = Stream::new(Limits::default());
    assert!(!stream.hub.fence(&stream.key));
    let (publisher, mut writer) = stream.source();
    assert!(stream.hub.fence(&stream.key));
    assert!(publisher.is_fenced());
    assert_eq!(writer.push(Frame::new("p", 0), stream.now), Err(Fenced));
    assert!(!stream.hub.stream(&stream.key).unwrap().is_active());
    drop(publisher);
    assert!(!stream.hub.fence(&stream.key));
}

#[test]
fn limits_are_told() {
    let limits = Limits { streams: 1, tracks: 2, lanes_per_stream: 3, ..Default::default() };
    let stream = Stream::new(limits);
    let mut publisher = stream.publish("a", BusyPolicy::Refuse);
    let other = stream_hub::StreamKey::new("", "live", "other");
    let hub = &stream.hub;
    assert_eq!(
        hub.publish(other.clone(), PublisherId::new("b"), BusyPolicy::Refuse, stream.now)
            .unwrap_err(),
        PublishError::TooManyStreams { limit: 1 }
    );
    assert_eq!(
        hub.subscribe::<Frame>(&other, ENDING, None).unwrap_err(),
        SubscribeError::TooManyStreams { limit: 1 }
    );
    let _one = publisher.track::<Frame>(TrackId(1)).unwrap();
    assert_eq!(
        publisher.track::<Frame>(TrackId(1)).unwrap_err(),
        PublishError::TrackTaken { id: TrackId(1) }
    );
    let _two = publisher.track::<Frame>(TrackId(2)).unwrap();
    assert_eq!(
        publisher.track::<Frame>(TrackId(3)).unwrap_err(),
        PublishError::TooManyTracks { limit: 2 }
    );
    let options = |track| SubscribeOptions { track: TrackId(track), ..ENDING };
    let _reader: Reader<Frame> = hub.subscribe(&stream.key, options(7), None).unwrap();
    assert_eq!(
        hub.subscribe::<Frame>(&stream.key, options(8), None).unwrap_err(),
        SubscribeError::TooManyLanes { limit: 3 }
    );
}

#[test]
fn tracks_are_lanes_of_their_own() {
    let stream = Stream::new(Limits::default());
    let mut publisher = stream.publish("a", BusyPolicy::Refuse);
    let mut video = publisher.track::<Frame>(TrackId(1)).unwrap();
    let mut audio = publisher.track::<Frame>(TrackId(2)).unwrap();
    push(&stream, &mut video, "keyv", 0);
    push(&stream, &mut audio, "keya", 0);
    for (track, text) in [(1, "keyv"), (2, "keya")] {
        let options = SubscribeOptions { track: TrackId(track), ..ENDING };
        assert_eq!(read(&mut stream.reader::<Frame>(options)), [text]);
    }
}

#[test]
fn a_closed_hub_tells_everybody() {
    let stream = Stream::new(Limits::default());
    let (publisher, mut writer) = stream.source();
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let (count, waker) = Count::new();
    assert!(reader.poll_batch(&mut Context::from_waker(&waker), 1).is_pending());
    stream.hub.close();
    assert_eq!(count.take(), 1);
    assert_eq!(end(&mut reader), Some(ReadEnd::HubClosed));
    assert_eq!(writer.push(Frame::new("p", 0), stream.now), Err(Fenced));
    assert!(publisher.poll_fenced(&mut Context::from_waker(Waker::noop())).is_ready());
    let key = stream.key.clone();
    assert_eq!(
        stream.hub.subscribe::<Frame>(&key, ENDING, None).unwrap_err(),
        SubscribeError::HubClosed
    );
    let who = PublisherId::new("a");
    let again = stream.hub.publish(key, who, BusyPolicy::Refuse, stream.now);
    assert_eq!(again.unwrap_err(), PublishError::HubClosed);
}

#[test]
fn the_last_handle_closes_the_hub() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    let Stream { hub, now, .. } = stream;
    drop(hub);
    assert_eq!(end(&mut reader), Some(ReadEnd::HubClosed));
    assert_eq!(writer.push(Frame::new("p", 0), now), Err(Fenced));
}

#[test]
fn a_grace_may_be_endless() {
    let limits = Limits { grace: Duration::MAX, linger: Duration::MAX, ..Default::default() };
    let mut stream = Stream::new(limits);
    let (publisher, mut writer) = stream.source();
    let mut reader = stream.reader::<Frame>(ENDING);
    push(&stream, &mut writer, "key", 0);
    assert_eq!(read(&mut reader), ["key"]);
    drop(publisher);
    for _ in 0..3 {
        stream.pass(Duration::from_secs(1_000_000));
    }
    assert_eq!(end(&mut reader), None);
    let (_publisher, mut writer) = stream.source();
    push(&stream, &mut writer, "key2", 0);
    assert_eq!(read(&mut reader), ["key2"]);
}

#[test]
fn a_takeover_in_mid_segment_parts_batches_when_more_segments_follow() {
    let stream = Stream::new(Limits::default());
    let (_first, mut writer) = stream.source();
    let mut reader = stream.reader::<Frame>(SubscribeOptions::default());
    push(&stream, &mut writer, "key", 0);
    let mut second = stream.publish("b", BusyPolicy::TakeOver);
    let mut writer = second.track::<Frame>(TrackId(0)).unwrap();
    for _ in 0..200 {
        push(&stream, &mut writer, "p", 0);
    }
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert_eq!((batch.len(), batch.discontinuity()), (1, false));
    reader.advance(1);
    let Poll::Ready(Ok(batch)) = poll(&mut reader) else { panic!("nothing to read") };
    assert!(batch.discontinuity());
    assert_eq!(read(&mut reader).len(), 200);
}
