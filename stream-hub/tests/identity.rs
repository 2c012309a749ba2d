//! Batches of one identity hold the same items, whoever reads them.

mod common;

use std::task::Poll;

use common::{Frame, Stream, poll};
use stream_hub::{BatchId, Limits, Reader, Start, SubscribeOptions};

fn next(reader: &mut Reader<Frame>, advance: bool) -> (Option<BatchId>, Vec<String>) {
    let Poll::Ready(Ok(batch)) = poll(reader) else { panic!("nothing to read") };
    let texts = batch.iter().map(|item| item.text.clone()).collect();
    reader.advance(if advance { batch.len() } else { 0 });
    (batch.id(), texts)
}

#[test]
fn the_same_items_have_one_identity_and_others_another() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let live = || SubscribeOptions { start: Start::Live, ..SubscribeOptions::default() };
    let (mut one, mut two) = (stream.reader(live()), stream.reader(live()));
    let mut push = |text: &str| writer.push(Frame::new(text, 0), stream.now).unwrap();
    push("a");
    push("b");
    let first = next(&mut one, true);
    assert!(first.0.is_some());
    assert_eq!(first, next(&mut two, false));
    push("c");
    let (short, long) = (next(&mut one, true), next(&mut two, true));
    assert_eq!((short.1.len(), long.1.len()), (1, 3));
    assert_ne!(short.0, long.0);
    assert_ne!(first.0, long.0, "the same start, more items");
    // A hundred more cross into other segments of the ring.
    (0..100).for_each(|_| push("d"));
    assert_eq!(next(&mut one, true), next(&mut two, true));
}

#[test]
fn lanes_have_identities_of_their_own() {
    let mut seen = Vec::new();
    for _ in 0..3 {
        // Each lane is gone when the next one comes, perhaps to the same place in memory.
        let stream = Stream::new(Limits::default());
        let (_publisher, mut writer) = stream.source();
        let options = SubscribeOptions { start: Start::Live, ..SubscribeOptions::default() };
        let mut reader = stream.reader(options);
        writer.push(Frame::new("a", 0), stream.now).unwrap();
        let (id, _) = next(&mut reader, true);
        assert!(id.is_some() && !seen.contains(&id));
        seen.push(id);
    }
}

#[test]
fn replayed_configuration_has_none() {
    let stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    for text in ["cfg0", "key", "p"] {
        writer.push(Frame::new(text, 0), stream.now).unwrap();
    }
    let mut reader = stream.reader(SubscribeOptions::default());
    assert_eq!(next(&mut reader, true).0, None);
    writer.push(Frame::new("p", 0), stream.now).unwrap();
    assert!(next(&mut reader, true).0.is_some());
}
