//! What a viewer costs per message: nothing is allocated for it.

#![allow(unsafe_code, reason = "a global allocator that counts")]

#[path = "support/mod.rs"]
mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use rtmp_proto::MediaKind;
use srs_server::{config::Settings, server::Server};

use support::{RtmpClient, key_frame};

static COUNT: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: all calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
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

/// Messages that are sent while it is counted.
const MESSAGES: usize = 300;
/// Bytes of each.
const LEN: usize = 1_000;

/// A server in this process, on a thread of its own.
struct Here {
    rtmp: u16,
    http: u16,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Here {
    fn start() -> Self {
        let (ports, port) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let any = "127.0.0.1:0".parse().unwrap();
                let server = Server::start(Settings::listening_on(any, any, any)).unwrap();
                ports.send((server.rtmp()[0].port(), server.http()[0].port())).unwrap();
                let _ = stopped.await;
                server.shutdown().await;
            });
        });
        let (rtmp, http) = port.recv().unwrap();
        Self { rtmp, http, _stop: stop }
    }

    fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live/a", self.rtmp)
    }

    fn rtmp_viewer(&self) -> TcpStream {
        let player = RtmpClient::play(&self.url());
        player.socket.set_nonblocking(true).unwrap();
        player.socket
    }

    fn flv_viewer(&self) -> TcpStream {
        let mut socket = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        socket.write_all(b"GET /live/a.flv HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        // The head comes when the viewer has joined.
        let mut head = [0; 12];
        socket.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        socket.set_nonblocking(true).unwrap();
        socket
    }
}

/// Reads what there is for each, and throws it away; how much it was.
fn drain(viewers: &mut [TcpStream], received: &mut [usize]) {
    let mut bytes = [0; 16 * 1024];
    for (socket, received) in viewers.iter_mut().zip(received) {
        loop {
            match socket.read(&mut bytes) {
                Ok(0) => panic!("a viewer was closed, {received} bytes"),
                Ok(count) => *received += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Allocations of the whole process while [`MESSAGES`] go to these viewers.
fn allocations(viewer: fn(&Here) -> TcpStream, count: usize) -> usize {
    let here = Here::start();
    let mut publisher = RtmpClient::publish(&here.url());
    publisher.send(MediaKind::Video, 0, key_frame(0, LEN));
    let mut viewers: Vec<_> = (0..count).map(|_| viewer(&here)).collect();
    let mut received = vec![0; count];
    let mut send = |number: usize, viewers: &mut [TcpStream], received: &mut [usize]| {
        // A stream over HTTP is held back until it has shown what it has.
        let least = if number < 50 { 0 } else { (number - 5) * LEN };
        let timestamp = u32::try_from(number * 40).unwrap();
        publisher.send(MediaKind::Video, timestamp, key_frame(timestamp, LEN));
        let deadline = Instant::now() + Duration::from_secs(20);
        while received.iter().any(|received| *received < least) {
            assert!(Instant::now() < deadline, "a viewer gets nothing: {received:?}");
            drain(viewers, received);
            thread::sleep(Duration::from_millis(1));
        }
    };
    // The beginning makes room that is used again, and a stream shows first what it has.
    for number in 1..60 {
        send(number, &mut viewers, &mut received);
    }
    let before = COUNT.load(Relaxed);
    for number in 60..60 + MESSAGES {
        send(number, &mut viewers, &mut received);
    }
    COUNT.load(Relaxed) - before
}

/// Several viewers more take no allocations more: what is done once per stream is in both counts,
/// and what a server does now and then (rates, timers) is far below one per message.
fn assert_free(viewer: fn(&Here) -> TcpStream) {
    const MORE: usize = 40;
    let (few, many) = (allocations(viewer, 2), allocations(viewer, 2 + MORE));
    assert!(few > MESSAGES, "the publisher alone takes more than {few}");
    let each = many.saturating_sub(few) as f64 / (MORE * MESSAGES) as f64;
    assert!(each < 0.05, "{each} allocations per message and viewer: {few}, {many}");
}

#[test]
fn a_message_to_a_viewer_allocates_nothing() {
    // One after the other: the count is the process's.
    assert_free(Here::rtmp_viewer);
    assert_free(Here::flv_viewer);
}
