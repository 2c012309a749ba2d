//! Properties of the chunk stream over arbitrary messages and arbitrary splits.

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, prelude::*};
use rtmp_proto::chunk::{ChunkReader, ChunkWriter, MediaEncoder};
use rtmp_proto::message::{ControlMessage, Message, SetChunkSize};
use rtmp_proto::{ChunkStreamId, Limits, MediaKind, MediaMessage, MessageStreamId, MessageType};

fn csid() -> impl Strategy<Value = ChunkStreamId> {
    prop_oneof![3u32..8, Just(63), Just(64), Just(319), Just(320), Just(65_599)]
        .prop_map(|id| ChunkStreamId::new(id).unwrap())
}

fn timestamp() -> impl Strategy<Value = u32> {
    prop_oneof![0u32..100, 0x00ff_fff0u32..0x0100_0010, (u32::MAX - 9)..=u32::MAX, any::<u32>()]
}

fn message() -> impl Strategy<Value = Message> {
    let types = prop_oneof![Just(8u8), Just(9), Just(18), Just(20)];
    let plain = (csid(), 0u32..3, types, timestamp(), vec(any::<u8>(), 0..700)).prop_map(
        |(csid, msid, type_id, timestamp, payload)| Message {
            csid,
            msid: MessageStreamId(msid),
            type_id: MessageType(type_id),
            timestamp,
            payload: payload.into(),
        },
    );
    let size = (1u32..400).prop_map(|size| SetChunkSize::new(size).to_message());
    prop_oneof![8 => plain, 1 => size]
}

/// Reads in pieces of the given lengths, which repeat.
fn read(wire: &[u8], pieces: &[usize]) -> Vec<Message> {
    let mut reader = ChunkReader::new(&Limits::default());
    let mut messages = Vec::new();
    let (mut rest, mut pieces) = (wire, pieces.iter().cycle());
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
        while let Some(message) = reader.read(&mut piece).unwrap() {
            messages.push(message);
        }
        assert!(piece.is_empty());
        rest = after;
    }
    assert_eq!(reader.held_bytes(), 0);
    messages
}

/// Cuts a message by hand: a type 0 or type 3 start, and type 3 chunks with or without the extended timestamp.
fn cut(message: &Message, size: usize, repeat: bool, start_same: bool) -> Vec<Vec<u8>> {
    let csid = message.csid.get() as u8;
    let extended = message.timestamp >= 0x00ff_ffff;
    let time = message.timestamp.to_be_bytes();
    let field = message.timestamp.min(0x00ff_ffff).to_be_bytes();
    let len = (message.payload.len() as u32).to_be_bytes();
    let mut chunks = Vec::new();
    for (index, piece) in message.payload.chunks(size).enumerate() {
        let mut chunk = Vec::new();
        if index == 0 && !start_same {
            chunk.push(csid);
            chunk.extend([&field[1..], &len[1..], &[message.type_id.0]].concat());
            chunk.extend(message.msid.0.to_le_bytes());
        } else {
            chunk.push(0xc0 | csid);
        }
        if extended && (repeat || (index == 0 && !start_same)) {
            chunk.extend(time);
        }
        chunk.extend(piece);
        chunks.push(chunk);
    }
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_written_reads_the_same_in_any_split(
        messages in vec(message(), 1..12),
        pieces in vec(1usize..300, 1..6),
    ) {
        let mut writer = ChunkWriter::new();
        let mut wire = BytesMut::new();
        for message in &messages {
            writer.write(message, &mut wire).unwrap();
        }
        prop_assert_eq!(&read(&wire, &[usize::MAX]), &messages);
        prop_assert_eq!(&read(&wire, &pieces), &messages);
        prop_assert_eq!(&read(&wire, &[1]), &messages);
    }

    #[test]
    fn shared_bytes_can_follow_one_another_in_any_order(
        sent in vec((any::<bool>(), timestamp(), vec(any::<u8>(), 0..700)), 1..8),
        chunk_size in 1u32..400,
    ) {
        let encoder = MediaEncoder::new(MessageStreamId(1), chunk_size);
        let mut pieces = Vec::new();
        for (video, timestamp, payload) in sent {
            let kind = if video { MediaKind::Video } else { MediaKind::Audio };
            let message = MediaMessage { kind, timestamp, payload: payload.into() };
            let mut out = BytesMut::new();
            encoder.encode(&message, &mut out).unwrap();
            prop_assert_eq!(out.len(), encoder.encoded_len(timestamp, message.payload.len()));
            pieces.push((out, message));
        }
        let backwards = pieces.iter().rev();
        for order in [pieces.iter().collect::<Vec<_>>(), backwards.collect()] {
            let mut wire = BytesMut::new();
            let size = SetChunkSize::new(chunk_size).to_message();
            ChunkWriter::new().write(&size, &mut wire).unwrap();
            for (bytes, _) in &order {
                wire.extend_from_slice(bytes);
            }
            let read = read(&wire, &[97]);
            for (got, (_, sent)) in read.iter().skip(1).zip(&order) {
                prop_assert_eq!(got.timestamp, sent.timestamp);
                prop_assert_eq!(&got.payload, &sent.payload);
            }
            prop_assert_eq!(read.len(), order.len() + 1);
        }
    }

    #[test]
    fn interleaved_chunk_streams_with_and_without_repeated_timestamps(
        times in vec(timestamp(), 4),
        lengths in vec(129usize..700, 4),
        repeat in any::<bool>(),
        order in vec(0usize..4, 0..40),
        pieces in vec(1usize..50, 1..4),
    ) {
        // The payload never looks like a timestamp, which a reader could not tell apart.
        let messages: Vec<_> = (0..4)
            .map(|index| Message {
                csid: ChunkStreamId::new(4 + index as u32).unwrap(),
                msid: MessageStreamId(1),
                type_id: MessageType::VIDEO,
                timestamp: times[index],
                payload: Bytes::from(vec![0x55 ^ (times[index] >> 24) as u8; lengths[index]]),
            })
            .collect();
        let mut queues: Vec<_> =
            messages.iter().map(|m| cut(m, 128, repeat, false).into_iter()).collect();
        let mut wire = Vec::new();
        for index in order.into_iter().chain([0, 1, 2, 3].repeat(6)) {
            wire.extend(queues[index].next().unwrap_or_default());
        }
        let mut got = read(&wire, &pieces);
        got.sort_by_key(|message| message.csid);
        prop_assert_eq!(got, messages);
    }

    #[test]
    fn a_type_3_header_starts_a_message_with_the_same_delta(
        time in timestamp(),
        length in 1usize..300,
        count in 1u32..5,
        pieces in vec(1usize..50, 1..4),
    ) {
        let first = Message {
            csid: ChunkStreamId::new(4).unwrap(),
            msid: MessageStreamId(1),
            type_id: MessageType::AUDIO,
            timestamp: time,
            payload: Bytes::from(vec![0x55; length]),
        };
        let mut wire = cut(&first, 128, true, false).concat();
        for _ in 0..count {
            wire.extend(cut(&first, 128, true, true).concat());
        }
        let got = read(&wire, &pieces);
        let times: Vec<_> = got.iter().map(|message| message.timestamp).collect();
        let expected: Vec<_> = (1..=count + 1).map(|n| time.wrapping_mul(n)).collect();
        prop_assert_eq!(times, expected);
        prop_assert!(got.iter().all(|message| message.payload == first.payload));
    }
}
