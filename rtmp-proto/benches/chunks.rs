//! Chunk stream, per message: two video messages of 3 KB and three audio messages of 200 bytes in turn.

use bytes::{Bytes, BytesMut};
use divan::counter::ItemsCount;
use rtmp_proto::chunk::{ChunkReader, ChunkWriter, MediaEncoder};
use rtmp_proto::message::{ControlMessage, Message, SetChunkSize};
use rtmp_proto::{ChunkStreamId, Limits, MediaKind, MediaMessage, MessageStreamId, MessageType};

const MESSAGES: usize = 500;
const CHUNK_SIZES: [u32; 3] = [128, 4096, 60_000];

fn main() {
    divan::main();
}

fn mix() -> Vec<Message> {
    let payloads = [3000, 200, 3000, 200, 200].map(|len| Bytes::from(vec![0x55; len]));
    (0..MESSAGES)
        .map(|index| {
            let payload = payloads[index % payloads.len()].clone();
            let video = payload.len() > 200;
            Message {
                csid: ChunkStreamId::new(if video { 6 } else { 4 }).unwrap_or(ChunkStreamId::MEDIA),
                msid: MessageStreamId(1),
                type_id: if video { MessageType::VIDEO } else { MessageType::AUDIO },
                timestamp: index as u32 * 10,
                payload,
            }
        })
        .collect()
}

fn writer(chunk_size: u32) -> (ChunkWriter, BytesMut) {
    let (mut writer, mut out) = (ChunkWriter::new(), BytesMut::new());
    let _ = writer.write(&SetChunkSize::new(chunk_size).to_message(), &mut out);
    (writer, out)
}

/// In slices of 64 KiB, as from a socket.
#[divan::bench(args = CHUNK_SIZES)]
fn read(bencher: divan::Bencher, chunk_size: u32) {
    let (mut writer, mut wire) = writer(chunk_size);
    for message in mix() {
        let _ = writer.write(&message, &mut wire);
    }
    let limits = Limits::default();
    bencher.counter(ItemsCount::new(MESSAGES)).bench(|| {
        let mut reader = ChunkReader::new(&limits);
        let mut messages = 0;
        for mut slice in wire.chunks(64 * 1024) {
            while let Ok(Some(message)) = reader.read(&mut slice) {
                divan::black_box(message);
                messages += 1;
            }
        }
        messages
    });
}

#[divan::bench(args = CHUNK_SIZES)]
fn write(bencher: divan::Bencher, chunk_size: u32) {
    let (mut writer, _) = writer(chunk_size);
    let messages = mix();
    let mut out = BytesMut::with_capacity(1 << 20);
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        out.clear();
        for message in &messages {
            let _ = writer.write(message, &mut out);
        }
        out.len()
    });
}

/// The bytes shared by all players.
#[divan::bench(args = CHUNK_SIZES)]
fn encode_shared(bencher: divan::Bencher, chunk_size: u32) {
    let encoder = MediaEncoder::new(MessageStreamId(1), chunk_size);
    let kind = |id| if id == MessageType::VIDEO { MediaKind::Video } else { MediaKind::Audio };
    let messages: Vec<_> = mix()
        .into_iter()
        .map(|Message { type_id, timestamp, payload, .. }| MediaMessage {
            kind: kind(type_id),
            timestamp,
            payload,
        })
        .collect();
    let mut out = BytesMut::with_capacity(1 << 20);
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        out.clear();
        for message in &messages {
            let _ = encoder.encode(message, &mut out);
        }
        out.len()
    });
}
