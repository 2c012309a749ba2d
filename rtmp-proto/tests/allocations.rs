//! What a session holds while it is idle, and what a message costs: one allocation, its payload.

#![allow(unsafe_code, reason = "a global allocator that counts")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::BytesMut;
use rtmp_proto::chunk::{ChunkReader, ChunkWriter};
use rtmp_proto::message::{ControlMessage, Message, SetChunkSize, WindowAcknowledgementSize};
use rtmp_proto::{
    ChunkStreamId, Limits, MediaKind, MediaMessage, MessageType, Output, ServerConfig, ServerEvent,
    ServerSession,
};
use support::*;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: all calls go to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        HELD.with(|held| held.set(held.get() + layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.with(|held| held.set(held.get() - layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn accept_all(session: &mut ServerSession) {
    while let Some(output) = session.poll_output() {
        if let Output::Event(event) = output
            && let Some(id) = request(&event)
        {
            session.accept(id).unwrap();
        }
    }
}

/// A session that plays or publishes, and the bytes on the heap that it holds.
fn session(call: &str) -> (ServerSession, isize) {
    let now = base();
    let mut segments = publish_segments();
    segments.truncate(3);
    let mut wire = BytesMut::new();
    let message = command(ONE, call, 5.0, amf0::Value::Null, vec!["s".into()]);
    ChunkWriter::new().write(&message, &mut wire).unwrap();
    segments.push(wire.to_vec());
    let before = HELD.get();
    let mut session = ServerSession::new(ServerConfig::default(), now);
    for segment in &segments {
        session.receive(now, segment).unwrap();
        accept_all(&mut session);
    }
    let held = HELD.get() - before;
    (session, held)
}

#[test]
fn a_player_takes_less_than_two_kibibytes() {
    let (mut session, held) = session("play");
    let before = HELD.get();
    session.ping(base());
    session.send_media(ONE, &media(MediaKind::Video, 0, &[0; 5000])).unwrap();
    while session.poll_output().is_some() {}
    assert_eq!(HELD.get(), before, "nothing is kept of what was sent");
    let total = size_of::<ServerSession>() as isize + held;
    assert!(total < 2048, "{} + {held}", size_of::<ServerSession>());
}

/// A writer, and the bytes that announce its chunk size and ask for no acknowledgements.
fn chunks(size: u32) -> (ChunkWriter, BytesMut) {
    let (mut writer, mut wire) = (ChunkWriter::new(), BytesMut::new());
    writer.write(&SetChunkSize::new(size).to_message(), &mut wire).unwrap();
    writer.write(&WindowAcknowledgementSize(0).to_message(), &mut wire).unwrap();
    (writer, wire)
}

/// Video of 3000 bytes and audio of 200 in turn.
fn frames(writer: &mut ChunkWriter, count: u32) -> BytesMut {
    let mut wire = BytesMut::new();
    for index in 0..count {
        let (csid, kind, len) =
            if index % 2 == 0 { (6, MediaKind::Video, 3000) } else { (4, MediaKind::Audio, 200) };
        let message = Message {
            csid: ChunkStreamId::new(csid).unwrap(),
            payload: vec![0x55; len].into(),
            ..media_message(ONE, kind, index * 20, b"")
        };
        writer.write(&message, &mut wire).unwrap();
    }
    wire
}

#[test]
fn a_message_is_one_allocation_and_short_ones_share_it() {
    let now = base();
    for chunk_size in [128, 4096, 60_000] {
        let (mut session, _) = session("publish");
        let (mut writer, mut wire) = chunks(chunk_size);
        wire.extend(frames(&mut writer, 20));
        // The first make the room that is used again.
        session.receive(now, &wire).unwrap();
        while session.poll_output().is_some() {}
        let wire = frames(&mut writer, 20);
        let before = COUNT.get();
        session.receive(now, &wire).unwrap();
        let mut seen = 0;
        while let Some(output) = session.poll_output() {
            seen += usize::from(matches!(output, Output::Event(ServerEvent::Media { .. })));
        }
        // They are 32,000 bytes: three slabs of 16 KiB at most, each with what counts its users.
        assert_eq!(seen, 20);
        let count = COUNT.get() - before;
        assert!((4..=6).contains(&count), "{count} with {chunk_size}");

        // A read that ends within a message: that has a buffer of its own, which grows as it comes.
        let wire = frames(&mut writer, 1);
        let before = COUNT.get();
        for piece in wire.chunks(2000) {
            session.receive(now, piece).unwrap();
        }
        assert!(session.poll_output().is_some_and(|output| matches!(output, Output::Event(_))));
        let count = COUNT.get() - before;
        assert_eq!(count, 2, "with {chunk_size}");
    }
}

#[test]
fn a_message_begun_on_every_chunk_stream() {
    let limits = Limits::default();
    let mut reader = ChunkReader::new(&limits);
    let (_, wire) = chunks(1);
    // The first of the two messages is Set Chunk Size.
    assert!(reader.read(&mut &wire[..]).unwrap().is_some());
    let before = HELD.get();
    for csid in 3..=63 {
        // One byte of 16 MiB.
        reader.read(&mut &[csid, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0, 0x17][..]).unwrap();
    }
    let held = HELD.get() - before;
    assert_eq!(reader.held_bytes(), 61);
    assert!(held < 64 * 1200, "{held}");
}

#[test]
fn what_a_burst_took_is_given_back() {
    let now = base();
    let (mut session, _) = session("publish");
    let before = HELD.get();
    let (mut writer, mut wire) = chunks(60_000);
    // A million parts of one byte, as far as the limit lets them become events.
    let part = [8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xaf, 0, 0, 0, 12];
    let bomb = Message {
        type_id: MessageType::AGGREGATE,
        payload: part.repeat(1_000_000).into(),
        ..media_message(ONE, MediaKind::Audio, 0, b"")
    };
    writer.write(&bomb, &mut wire).unwrap();
    drop(bomb);
    assert!(session.receive(now, &wire).is_err());
    drop(wire);
    while let Some(output) = session.poll_output() {
        if let Output::Event(ServerEvent::Media { message: MediaMessage { payload, .. }, .. }) =
            output
        {
            assert_eq!(payload.len(), 1);
        }
    }
    let kept = HELD.get() - before;
    assert!(kept < 8192, "{kept}");
}
