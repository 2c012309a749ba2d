//! What a message costs: nothing is allocated for a viewer, little for a publisher, and what a
//! publisher can have kept is bounded.

#![allow(unsafe_code, reason = "a global allocator that counts")]

#[path = "support/mod.rs"]
mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use rtmp_proto::{
    ChunkStreamId, MediaKind, MessageStreamId, MessageType,
    chunk::ChunkWriter,
    message::{ControlMessage, Message, SetChunkSize},
};
use srs_server::{config::Settings, server::Server};

use support::{RawClient, RtmpClient, inter_frame, key_frame};

/// The counts are the process's: one test after the other.
static ALONE: Mutex<()> = Mutex::new(());
static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Bytes that are allocated now.
static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: all calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Relaxed);
        HELD.fetch_add(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size().cast_signed(), Relaxed);
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
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    assert_free(Here::rtmp_viewer);
    assert_free(Here::flv_viewer);
}

/// A publisher that says each chunk itself, and what it is going to send.
struct Raw {
    client: RawClient,
    msid: MessageStreamId,
    writer: ChunkWriter,
    wire: BytesMut,
}

impl Raw {
    fn publish(here: &Here) -> Self {
        let mut client = RawClient::connect(here.rtmp, "rtmp://127.0.0.1/live", "live");
        let msid = client.create_stream();
        client.publish(msid, "a");
        let (mut writer, mut wire) = (ChunkWriter::new(), BytesMut::new());
        writer.write(&SetChunkSize::new(60_000).to_message(), &mut wire).unwrap();
        Self { client, msid, writer, wire }
    }

    fn add(&mut self, msid: MessageStreamId, timestamp: u32, payload: Bytes) {
        let csid = ChunkStreamId::new(9).unwrap();
        let message = Message { csid, msid, type_id: MessageType::VIDEO, timestamp, payload };
        self.writer.write(&message, &mut self.wire).unwrap();
    }

    fn add_frame(&mut self, timestamp: u32, payload: Bytes) {
        self.add(self.msid, timestamp, payload);
    }
}

fn wait_for_bytes(viewer: &mut TcpStream, received: &mut usize, least: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while *received < least {
        assert!(Instant::now() < deadline, "{received} bytes of {least}");
        drain(std::slice::from_mut(viewer), std::slice::from_mut(received));
        thread::sleep(Duration::from_millis(1));
    }
}

/// Its payload lies with others', and so does what is made of it; the ring grows by a segment now
/// and then.
#[test]
fn a_message_of_a_publisher_takes_an_allocation_for_several() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let here = Here::start();
    let mut publisher = Raw::publish(&here);
    let mut viewer = here.rtmp_viewer();
    let mut counts = Vec::new();
    let mut received = 0;
    // The first make the room that is used again.
    for round in 0..2 {
        let mut wires = Vec::new();
        for number in (0..MESSAGES).map(|number| (round * MESSAGES + number) as u32) {
            publisher.add_frame(number * 40, key_frame(number, LEN));
            wires.push(publisher.wire.split());
        }
        let before = COUNT.load(Relaxed);
        for (number, wire) in wires.iter().enumerate() {
            publisher.client.socket.write_all(wire).unwrap();
            // Each is read alone, as it comes from an encoder.
            wait_for_bytes(&mut viewer, &mut received, (round * MESSAGES + number) * LEN);
        }
        counts.push(COUNT.load(Relaxed) - before);
    }
    let each = counts[1] as f64 / MESSAGES as f64;
    assert!((0.05..0.5).contains(&each), "{each} allocations per message: {counts:?}");
}

/// Short messages share memory, which goes with the last of them: one that is kept must not keep
/// what many were in that are not.
#[test]
fn a_publisher_has_no_more_kept_than_counts() {
    const KEPT: usize = 1_500;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let here = Here::start();
    let mut publisher = Raw::publish(&here);
    // Media on a stream of which nothing was asked is dropped.
    let idle = publisher.client.create_stream();
    let mut viewer = here.rtmp_viewer();
    publisher.add_frame(0, key_frame(0, LEN));
    for number in 1..=KEPT {
        publisher.add_frame(0, inter_frame(number as u32, 100));
        for _ in 0..4 {
            publisher.add(idle, 0, vec![0x55; 4_000].into());
        }
    }
    let wire = publisher.wire.split();
    let before = HELD.load(Relaxed);
    publisher.client.socket.write_all(&wire).unwrap();
    wait_for_bytes(&mut viewer, &mut 0, KEPT * 100);
    let held = HELD.load(Relaxed) - before;
    // 100 bytes of each and a hundred around them, in two lanes.
    assert!(held > (KEPT * 100).cast_signed(), "{held} bytes: nothing was kept");
    assert!(held < 4 << 20, "{held} bytes are held for {KEPT} messages of 100 bytes");
}
