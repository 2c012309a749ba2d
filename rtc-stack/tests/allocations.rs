//! Fanning out allocates nothing, however many viewers there are.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use rtc_stack::MediaKind;
use support::{Abilities, Conditions, World};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's, counted by thread.
struct Counting;

#[allow(unsafe_code)]
// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller guarantees.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller guarantees.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller guarantees.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn forwarding_allocates_nothing() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewers = [0; 20].map(|_| world.watch(stream, &abilities, Conditions::default()));
    world.stream(publisher, 100, 25);
    // A batch of a frame of what comes next, and the arena as large as it gets.
    let before = world.packets.len();
    world.published.clear();
    world.stream(publisher, 20, 100);
    let packets: Vec<_> =
        world.packets[before..].iter().map(|(_, packet)| packet.clone()).collect();
    let (warm, measured) = packets.split_at(packets.len() / 2);
    let mut out = rtc_stack::session::Outgoing::default();
    world.sfu.forward(world.now, stream, warm, &mut out);
    let sent = out.udp.len();
    out.clear();
    let count = COUNT.with(Cell::get);
    for packets in measured.chunks(5) {
        world.sfu.forward(world.now, stream, packets, &mut out);
        out.clear();
    }
    let allocated = COUNT.with(Cell::get) - count;
    assert!(sent > 20 * 10 * 900 && viewers.len() == 20, "{sent}");
    // The history grows by doubling; nothing grows with viewers.
    assert!(allocated <= 4, "{allocated} for {} packets", measured.len());
    assert!(world.client(viewers[0]).got(MediaKind::Video).packets.len() > 300);
}

#[test]
fn equal_packets_share_a_run() {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    for _ in 0..3 {
        world.watch(stream, &abilities, Conditions::default());
    }
    world.stream(publisher, 100, 25);
    world.published.clear();
    let before = world.packets.len();
    world.send_frame(publisher, 1, 100);
    world.run(std::time::Duration::from_millis(10));
    let packets: Vec<_> =
        world.packets[before..].iter().map(|(_, packet)| packet.clone()).collect();
    assert_eq!(packets.len(), 5);
    let mut out = rtc_stack::session::Outgoing::default();
    world.sfu.forward(world.now, stream, &packets, &mut out);
    // To each viewer two equal packets and a shorter one of video, and audio by itself: in two runs or three.
    let segments: Vec<usize> = out.udp.runs().iter().map(|run| run.segments()).collect();
    assert_eq!(segments.iter().sum::<usize>(), 15);
    assert!(segments.chunks(segments.len() / 3).all(|viewer| viewer[0] == 3), "{segments:?}");
}
