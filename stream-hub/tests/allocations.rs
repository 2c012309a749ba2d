//! In steady state a reader's wake allocates nothing.

#![allow(unsafe_code, reason = "a global allocator that counts")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::task::{Context, Poll, Waker};

use common::{Frame, Stream, ms};
use stream_hub::{Limits, Reader, SubscribeOptions, WakeGroup, Window};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: all calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of `rounds` pushes, each read by `readers`.
fn allocations(readers: usize, rounds: usize, window: Window) -> usize {
    let mut stream = Stream::new(Limits::default());
    let (_publisher, mut writer) = stream.source();
    let group = WakeGroup::new();
    writer.push(Frame::new("key", 0), stream.now).unwrap();
    let options = SubscribeOptions { window, ..Default::default() };
    let mut all: Vec<Reader<Frame>> =
        (0..readers).map(|_| stream.grouped(options, &group)).collect();
    let frames: Vec<Frame> = (0..rounds as u64 + 10).map(|at| Frame::new("key", at)).collect();
    let mut cx = Context::from_waker(Waker::noop());
    let mut before = 0;
    for (round, frame) in frames.into_iter().enumerate() {
        // The first rounds make room that is used again.
        if round == 10 {
            before = COUNT.get();
        }
        writer.push(frame, stream.now).unwrap();
        stream.now += ms(20);
        _ = group.wake_due(stream.now);
        for reader in &mut all {
            while let Poll::Ready(batch) = reader.poll_batch(&mut cx, 4096) {
                let items = batch.unwrap().iter().count();
                reader.advance(items);
            }
        }
    }
    COUNT.get() - before
}

#[test]
fn a_wake_allocates_nothing() {
    // Fewer rounds than a segment has slots, but for one that may begin: two allocations.
    for window in [Window::Every, Window::Fixed(ms(100))] {
        let count = allocations(1000, 50, window);
        assert!(count <= 3, "{count} allocations for 50,000 wakes");
    }
}
