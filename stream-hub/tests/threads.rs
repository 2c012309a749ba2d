//! With real threads: nobody misses an item, and nobody is forgotten.

mod common;

use std::time::Duration;

use common::{Frame, Stream, Wire, marker, start};
use stream_hub::{
    BusyPolicy, Hub, Item, Limits, OnUnpublish, Place, PublisherId, ReadEnd, Reader, StreamKey,
    SubscribeOptions, TrackId, WakeGroup, Window,
};

const ITEMS: u64 = 20_000;
const READERS: usize = 24;

/// Reads to the end; every item must follow the one before.
async fn view<T: Item>(mut reader: Reader<T>) -> u64 {
    let mut last: Option<Duration> = None;
    let mut items = 0;
    loop {
        match reader.batch(4096).await {
            Ok(batch) => {
                assert_eq!(batch.gap(), None);
                // What a converter says at the end has no payload.
                for item in batch.iter().filter(|item| item.size() > 0) {
                    let next = last.map_or(item.time(), |last| last + Duration::from_millis(1));
                    assert_eq!(item.time(), next);
                    last = Some(item.time());
                    items += 1;
                }
                reader.advance(batch.len());
                if items % 7 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Err(ReadEnd::Ended) => {
                assert_eq!(last, Some(Duration::from_millis(ITEMS - 1)), "an item is missing");
                return items;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Serves a group until its readers are done.
async fn serve(group: WakeGroup) {
    loop {
        let next = group.wake_due(start());
        let wait = async {
            match next {
                Some(next) => tokio::time::sleep_until(next.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = group.dirty() => {}
            () = wait => {}
        }
    }
}

fn shard(hub: &Hub, key: &StreamKey, window: Window, grouped: bool) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let group = WakeGroup::new();
        tokio::task::spawn_local(serve(group.clone()));
        let options =
            SubscribeOptions { window, on_unpublish: OnUnpublish::End, ..Default::default() };
        let mut tasks = Vec::new();
        for at in 0..READERS {
            let group = grouped.then_some(&group);
            // Some come while the stream is running.
            tokio::time::sleep(Duration::from_millis(at as u64 % 3)).await;
            if at % 2 == 0 {
                let reader = hub.subscribe::<Frame>(key, options, group).unwrap();
                tasks.push(tokio::task::spawn_local(view(reader)));
            } else {
                let reader = hub.subscribe::<Wire<1>>(key, options, group).unwrap();
                tasks.push(tokio::task::spawn_local(view(reader)));
            }
        }
        let mut readers = 0;
        for task in tasks {
            assert!(task.await.unwrap() > 0);
            readers += 1;
        }
        readers
    })
}

fn stress(place: Place) {
    let limits = Limits {
        lane_bytes: 64 << 20,
        lane_time: Duration::from_secs(3600),
        grace: Duration::ZERO,
        ..Default::default()
    };
    let Stream { hub, key, now } = Stream::new(limits);
    hub.register(place, |_, variant| marker::<Frame, Wire<1>>("", variant));
    let windows = [
        (Window::Every, true),
        (Window::Fixed(Duration::from_millis(5)), true),
        (Window::Every, false),
    ];
    std::thread::scope(|scope| {
        let shards: Vec<_> = windows
            .iter()
            .map(|(window, grouped)| scope.spawn(|| shard(&hub, &key, *window, *grouped)))
            .collect();
        let tasks = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async {
                while let Some(task) = hub.next_task().await {
                    tokio::task::spawn_local(task);
                }
            });
        });
        let who = PublisherId::new("a");
        let mut publisher = hub.publish(key.clone(), who, BusyPolicy::Refuse, now).unwrap();
        let mut writer = publisher.track(TrackId(0)).unwrap();
        for at in 0..ITEMS {
            let text = if at % 50 == 0 { "key" } else { "p" };
            writer.push(Frame::sized(text, at, 10), now).unwrap();
            if at % 100 == 0 {
                pause();
            }
        }
        // A keyframe is held for those who come last.
        while hub.stream(&key).unwrap().readers < windows.len() * READERS {
            pause();
        }
        pause();
        publisher.end();
        let done: Vec<_> = shards.into_iter().map(|shard| shard.join()).collect();
        hub.close();
        assert!(done.iter().all(|done| matches!(done, Ok(READERS))), "a viewer failed");
        tasks.join().unwrap();
    });
}

#[allow(clippy::disallowed_methods)]
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

#[test]
fn nobody_misses_an_item_inline() {
    stress(Place::Inline);
}

#[test]
fn nobody_misses_an_item_on_a_task() {
    stress(Place::Task);
}
