//! Instructions per message, counted by callgrind: the same on every run and machine of an architecture.
//!
//! `cargo bench -p rtmp-proto --bench count` prints the table. Every row is run twice under valgrind, for `MESSAGES`
//! and twice as many, and the difference counted, so that what is done once does not matter.

use std::process::{Command, ExitCode};
use std::time::Instant;

use amf0::{Object, Value};
use bytes::{Bytes, BytesMut};
use rtmp_proto::chunk::{ChunkReader, ChunkWriter, MediaEncoder};
use rtmp_proto::message::{self, ControlMessage, Message, SetChunkSize};
use rtmp_proto::{
    ChunkStreamId, ClientConfig, ClientSession, Limits, MediaKind, MediaMessage, MessageStreamId,
    MessageType, Output, Purpose, RtmpUrl, ServerConfig, ServerEvent, ServerSession,
};

/// Two of video, 3000 bytes each, and three of audio, 200 bytes each, in turn.
const MESSAGES: usize = 500;
const LENGTHS: [usize; 5] = [3000, 200, 3000, 200, 200];
const SIZES: [u32; 3] = [128, 4096, 60_000];
const ONE: MessageStreamId = MessageStreamId(1);

/// A row: its name, and what runs for so many messages in chunks of this size.
type Row = (&'static str, fn(u32, usize));

const PER_MESSAGE: [Row; 4] = [
    ("chunks read", read),
    ("chunks written", write),
    ("chunks written once for all players", encode),
    ("publish through a server session", publish),
];
const PER_CONNECTION: [Row; 1] = [("connection up to its publish, both sides", connect)];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|a| !a.starts_with("--b")).collect();
    match arguments.as_slice() {
        [name, size, count] => {
            let rows = PER_MESSAGE.iter().chain(&PER_CONNECTION);
            let run = rows.filter(|row| row.0 == name).map(|row| row.1).next();
            if let (Some(run), Ok(size), Ok(count)) = (run, size.parse(), count.parse()) {
                run(size, count);
            }
            ExitCode::SUCCESS
        }
        [] => table(),
        // A check that it runs at all.
        _ => {
            for (_, run) in PER_MESSAGE.iter().chain(&PER_CONNECTION) {
                run(4096, 5);
            }
            ExitCode::SUCCESS
        }
    }
}

fn table() -> ExitCode {
    println!("{:44}{:>12}{:>14}{:>14}", "instructions", "chunk size", "per message", "per chunk");
    for (name, _) in PER_MESSAGE {
        for size in SIZES {
            let Some(count) = counted(name, size, MESSAGES) else { return no_valgrind() };
            let chunks: usize = LENGTHS.iter().map(|len| len.div_ceil(size as usize)).sum();
            let per_chunk = count * LENGTHS.len() as f64 / chunks as f64;
            println!("{name:44}{size:>12}{count:>14.0}{per_chunk:>14.0}");
        }
    }
    for (name, _) in PER_CONNECTION {
        let Some(count) = counted(name, 4096, 10) else { return no_valgrind() };
        println!("{name:44}{:>12}{count:>14.0}", "");
    }
    ExitCode::SUCCESS
}

fn no_valgrind() -> ExitCode {
    eprintln!("valgrind is needed, and did not run");
    ExitCode::FAILURE
}

/// Instructions for one of `count`.
fn counted(name: &str, size: u32, count: usize) -> Option<f64> {
    let total = |count: usize| -> Option<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args([name, &size.to_string(), &count.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected :"))?;
        line.split_whitespace().last()?.parse().ok()
    };
    Some((total(2 * count)? - total(count)?) / count as f64)
}

fn mix(count: usize) -> Vec<Message> {
    let payloads = LENGTHS.map(|len| Bytes::from(vec![0x55; len]));
    let message = |index: usize| {
        let payload = payloads[index % payloads.len()].clone();
        let video = payload.len() > 200;
        Message {
            csid: ChunkStreamId::new(if video { 6 } else { 4 }).unwrap_or(ChunkStreamId::MEDIA),
            msid: ONE,
            type_id: if video { MessageType::VIDEO } else { MessageType::AUDIO },
            timestamp: index as u32 * 10,
            payload,
        }
    };
    (0..count).map(message).collect()
}

/// A writer of this chunk size, and the bytes that say so.
fn writer(size: u32) -> (ChunkWriter, BytesMut) {
    let (mut writer, mut wire) = (ChunkWriter::new(), BytesMut::new());
    let _ = writer.write(&SetChunkSize::new(size).to_message(), &mut wire);
    (writer, wire)
}

/// Five messages on the wire; they can follow themselves, for their headers say all.
fn round(size: u32) -> BytesMut {
    let mut wire = BytesMut::new();
    for message in mix(LENGTHS.len()) {
        let mut writer = writer(size).0;
        let _ = writer.write(&message, &mut wire);
    }
    wire
}

fn read(size: u32, count: usize) {
    let (_, start) = writer(size);
    let wire = round(size);
    let mut reader = ChunkReader::new(&Limits::default());
    let _ = reader.read(&mut &start[..]);
    for _ in 0..count / LENGTHS.len() {
        let mut input = &wire[..];
        while let Ok(Some(message)) = reader.read(&mut input) {
            std::hint::black_box(message);
        }
    }
}

fn write(size: u32, count: usize) {
    let (mut writer, _) = writer(size);
    let messages = mix(LENGTHS.len());
    let mut out = BytesMut::with_capacity(1 << 16);
    for _ in 0..count / LENGTHS.len() {
        out.clear();
        for message in &messages {
            let _ = writer.write(message, &mut out);
        }
        std::hint::black_box(&out);
    }
}

fn encode(size: u32, count: usize) {
    let encoder = MediaEncoder::new(ONE, size);
    let messages = mix(LENGTHS.len()).into_iter().map(|message| MediaMessage {
        kind: MediaKind::Video,
        timestamp: message.timestamp,
        payload: message.payload,
    });
    let messages: Vec<_> = messages.collect();
    let mut out = BytesMut::with_capacity(1 << 16);
    for _ in 0..count / LENGTHS.len() {
        out.clear();
        for message in &messages {
            let _ = encoder.encode(message, &mut out);
        }
        std::hint::black_box(&out);
    }
}

/// The one reading of the clock; nothing is measured by it.
#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}

fn publish(size: u32, count: usize) {
    let now = now();
    let mut session = ServerSession::new(ServerConfig::default(), now);
    let mut wire = BytesMut::from(&[&[3][..], &[7; 3072]].concat()[..]);
    let (mut writer, start) = writer(size);
    wire.extend_from_slice(&start);
    let app = Value::from(Object::from([("app", "live")]));
    for (msid, name, object, arguments) in [
        (MessageStreamId(0), "connect", app, vec![]),
        (ONE, "publish", Value::Null, vec!["s".into()]),
    ] {
        let call = message::Command { object, arguments, ..message::Command::new(name, 1.0) };
        if let Ok(message) = call.to_message(ChunkStreamId::COMMAND, msid) {
            let _ = writer.write(&message, &mut wire);
        }
    }
    let _ = session.receive(now, &wire);
    accept_all(&mut session);
    let wire = round(size);
    for _ in 0..count / LENGTHS.len() {
        let _ = session.receive(now, &wire);
        while let Some(output) = session.poll_output() {
            std::hint::black_box(output);
        }
    }
    assert_eq!(session.stats().dropped_messages, 0);
}

/// Accepts what is asked for and answers the bytes to send.
fn accept_all(session: &mut ServerSession) -> Vec<Bytes> {
    let mut bytes = Vec::new();
    while let Some(output) = session.poll_output() {
        match output {
            Output::Transmit(more) => bytes.push(more),
            Output::Event(
                ServerEvent::ConnectRequested { id, .. } | ServerEvent::PublishRequested { id, .. },
            ) => {
                let _ = session.accept(id);
            }
            Output::Event(_) => {}
        }
    }
    bytes
}

fn connect(_: u32, count: usize) {
    let now = now();
    let Ok(url) = RtmpUrl::parse("rtmp://localhost/live/s") else { return };
    for _ in 0..count {
        let mut client =
            ClientSession::new(ClientConfig::new(url.clone(), Purpose::publish()), now);
        let mut server = ServerSession::new(ServerConfig::default(), now);
        for _ in 0..6 {
            while let Some(output) = client.poll_output() {
                if let Output::Transmit(bytes) = output {
                    let _ = server.receive(now, &bytes);
                }
            }
            for bytes in accept_all(&mut server) {
                let _ = client.receive(now, &bytes);
            }
        }
        assert!(server.poll_timeout().is_none(), "something is published");
    }
}
