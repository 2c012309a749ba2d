//! With real threads: publishers and readers that come and go at once leave nothing behind.

mod common;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use common::{Frame, Random, Wire, marker, ms, start};
use stream_hub::{
    BusyPolicy, ConvertTask, Hub, Item, Limits, OnLag, OnUnpublish, Place, PublisherId, Reader,
    Start, StreamKey, SubscribeOptions, TrackId, Variant, WakeGroup, Window,
};

const ROUNDS: u64 = 3000;
const KEYS: [&str; 2] = ["one", "two"];

fn key(random: &mut Random) -> StreamKey {
    StreamKey::new("", "live", random.pick(&KEYS))
}

fn publish(hub: &Hub, seed: u64) {
    let mut random = Random(seed);
    for round in 0..ROUNDS / 10 {
        let who = PublisherId::new(if random.below(2) == 0 { "a" } else { "b" });
        let busy =
            if random.below(2) == 0 { BusyPolicy::TakeOver } else { BusyPolicy::TakeOverSame };
        let Ok(mut publisher) = hub.publish(key(&mut random), who, busy, start()) else { continue };
        let Ok(mut writer) = publisher.track::<Frame>(TrackId(0)) else { continue };
        for at in 0..random.below(100) {
            let text = ["p", "p", "p", "key", "cfg0", "bad"][random.below(6) as usize];
            let frame = Frame::sized(text, round * 100 + at, 50);
            if writer.push(frame, start()).is_err() {
                break;
            }
        }
        match random.below(3) {
            0 => publisher.end(),
            1 => drop(publisher),
            // The writer outlives its publisher.
            _ => {
                drop(publisher);
                assert!(writer.push(Frame::new("p", 0), start()).is_err());
            }
        }
    }
}

fn options(random: &mut Random) -> SubscribeOptions {
    SubscribeOptions {
        track: TrackId(0),
        variant: Variant(random.below(2)),
        start: [Start::LatestJoinPoint, Start::NextJoinPoint, Start::Live]
            [random.below(3) as usize],
        on_lag: [OnLag::Resume, OnLag::Close][random.below(2) as usize],
        on_unpublish: [OnUnpublish::Wait, OnUnpublish::End][random.below(2) as usize],
        window: [Window::Every, Window::Fixed(ms(3)), Window::Auto][random.below(3) as usize],
        max_replay: [u64::MAX, 3][random.below(2) as usize],
        min_items: [0, 0, 2][random.below(3) as usize],
    }
}

/// Reads a little; false once the reader has ended.
fn look<T: Item>(reader: &mut Reader<T>) -> bool {
    match reader.poll_batch(&mut Context::from_waker(Waker::noop()), 500) {
        Poll::Ready(Ok(batch)) => {
            assert_eq!(batch.iter().count(), batch.len());
            reader.advance(batch.len());
            true
        }
        Poll::Ready(Err(_)) => false,
        Poll::Pending => true,
    }
}

fn view<T: Item>(hub: &Hub, seed: u64) {
    let mut random = Random(seed);
    let group = WakeGroup::new();
    let mut readers: Vec<Reader<T>> = Vec::new();
    for _ in 0..ROUNDS {
        if readers.len() < 20 {
            let grouped = (random.below(3) > 0).then_some(&group);
            let options = options(&mut random);
            readers.push(hub.subscribe(&key(&mut random), options, grouped).unwrap());
        }
        group.set_auto_window(ms(random.below(3)));
        _ = group.wake_due(start());
        let at = random.below(readers.len() as u64) as usize;
        if !look(&mut readers[at]) || random.below(4) == 0 {
            readers.swap_remove(at);
        }
    }
}

fn serve(hub: &Hub, done: &AtomicBool) {
    let mut tasks: Vec<Pin<Box<ConvertTask>>> = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while !done.load(Ordering::Acquire) {
        hub.handle_timeout(start());
        _ = hub.streams();
        while let Some(task) = hub.poll_task() {
            tasks.push(Box::pin(task));
        }
        tasks.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
        if tasks.len() > 8 {
            tasks.pop();
        }
        hub.fence(&StreamKey::new("", "live", KEYS[0]));
        std::thread::yield_now();
    }
}

#[test]
fn nothing_is_left_behind() {
    let limits = Limits { lane_bytes: 2000, grace: ms(5), linger: ms(5), ..Limits::default() };
    let hub = Hub::new(limits);
    hub.register(Place::Inline, |_, variant| marker::<Frame, Wire<1>>("", variant));
    hub.register(Place::Task, |_, variant| marker::<Wire<1>, Wire<2>>("", variant));
    hub.register(Place::Inline, |_, variant| marker::<Frame, Frame>("", variant));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers = [
            scope.spawn(|| publish(&hub, 11)),
            scope.spawn(|| publish(&hub, 22)),
            scope.spawn(|| view::<Frame>(&hub, 33)),
            scope.spawn(|| view::<Wire<1>>(&hub, 44)),
            scope.spawn(|| view::<Wire<2>>(&hub, 55)),
        ];
        let server = scope.spawn(|| serve(&hub, &done));
        let results = workers.map(|worker| worker.join().is_ok());
        done.store(true, Ordering::Release);
        server.join().unwrap();
        assert_eq!(results, [true; 5]);
    });
    hub.handle_timeout(start());
    hub.handle_timeout(start() + ms(5));
    assert_eq!(hub.streams(), []);
    assert_eq!(hub.poll_timeout(), None);
}
