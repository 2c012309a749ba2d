use super::*;
use crate::tag::TagKind;

/// A header, an empty script tag, and three bytes of AAC at 7 ms.
const FILE: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\
    \x12\0\0\0\0\0\0\0\0\0\0\0\0\0\x0b\
    \x08\0\0\x03\0\0\x07\0\0\0\0\xaf\x01\x21\0\0\0\x0e";

fn tags(demuxer: &mut Demuxer) -> Vec<Tag> {
    std::iter::from_fn(|| demuxer.poll_tag().unwrap()).collect()
}

fn expected() -> Vec<Tag> {
    vec![
        Tag::new(TagKind::Script, 0, Bytes::new()),
        Tag::new(TagKind::Audio, 7, Bytes::from_static(&[0xaf, 1, 0x21])),
    ]
}

#[test]
fn room_for_a_burst_of_tags_is_given_back() {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(FILE);
    for _ in 0..1000 {
        demuxer.receive(&FILE[13..28]);
    }
    assert_eq!(tags(&mut demuxer).len(), 1002);
    assert!(demuxer.tags.capacity() <= KEPT_TAGS);
}

#[test]
fn gives_the_tags_whole_or_byte_by_byte() {
    let mut whole = Demuxer::new(Limits::default());
    whole.receive(FILE);
    assert_eq!(tags(&mut whole), expected());
    assert_eq!(whole.header(), Some(FileHeader::new(true, true)));

    let mut bytewise = Demuxer::new(Limits::default());
    let mut all = Vec::new();
    for byte in FILE {
        bytewise.receive(std::slice::from_ref(byte));
        all.extend(tags(&mut bytewise));
    }
    assert_eq!(all, expected());
    assert_eq!(bytewise.wrong_previous_tag_sizes(), 0);
    assert!(bytewise.is_at_boundary());
}

#[test]
fn a_tag_does_not_wait_for_its_previous_tag_size() {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&FILE[..FILE.len() - 4]);
    assert_eq!(tags(&mut demuxer).len(), 2);
    assert!(demuxer.is_at_boundary());
}

#[test]
fn a_cut_off_stream_is_not_at_a_boundary() {
    for (len, at_boundary) in [(5, false), (13, true), (14, false), (FILE.len() - 5, false)] {
        let mut demuxer = Demuxer::new(Limits::default());
        demuxer.receive(&FILE[..len]);
        assert_eq!(demuxer.is_at_boundary(), at_boundary, "{len}");
    }
}

#[test]
fn wrong_previous_tag_sizes_are_only_counted() {
    let mut bytes = FILE.to_vec();
    bytes[12] = 1;
    let end = bytes.len();
    bytes[end - 1] = 0;
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&bytes);
    assert_eq!(tags(&mut demuxer), expected());
    assert_eq!(demuxer.wrong_previous_tag_sizes(), 2);
}

#[test]
fn skips_to_the_data_offset() {
    let mut bytes = FILE.to_vec();
    bytes[8] = 12;
    bytes.splice(9..9, [1, 2, 3]);
    let mut demuxer = Demuxer::new(Limits::default());
    for piece in bytes.chunks(2) {
        demuxer.receive(piece);
    }
    assert_eq!(tags(&mut demuxer), expected());
}

#[test]
fn the_error_comes_after_the_tags_before_it_and_stays() {
    let mut demuxer = Demuxer::new(Limits { max_tag_body: 2, ..Limits::default() });
    demuxer.receive(FILE);
    assert_eq!(demuxer.poll_tag().unwrap(), Some(expected().remove(0)));
    let error = DemuxError::TagTooLarge { len: 3, limit: 2 };
    assert_eq!(demuxer.poll_tag(), Err(error));
    demuxer.receive(FILE);
    assert_eq!(demuxer.poll_tag(), Err(error));
    assert_eq!(error.to_string(), "tag body of 3 bytes is over the limit of 2");
}

#[test]
fn refuses_another_signature_after_three_bytes() {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(b"RTM");
    let error = DemuxError::Header(HeaderError::Signature(*b"RTM"));
    assert_eq!(demuxer.poll_tag(), Err(error));
}

#[test]
fn an_announced_body_takes_no_memory_before_its_bytes_arrive() {
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&FILE[..13]);
    demuxer.receive(&[9, 0x7f, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0x17]);
    let State::Body { body, .. } = &demuxer.state else { panic!("{:?}", demuxer.state) };
    assert!(body.capacity() <= FIRST_ALLOCATION, "{}", body.capacity());
    assert_eq!(demuxer.buffered(), 1);
}

#[test]
fn a_long_body_ends_up_in_exactly_its_own_memory() {
    let body = vec![7; 300_000];
    let mut bytes = FILE[..13].to_vec();
    bytes.extend(TagHeader::new(TagKind::Video, 0, 300_000).encode());
    bytes.extend(&body);
    let mut demuxer = Demuxer::new(Limits::default());
    for piece in bytes.chunks(1000) {
        demuxer.receive(piece);
        if let State::Body { body, .. } = &demuxer.state {
            assert!(body.capacity() <= 300_000);
        }
    }
    assert_eq!(demuxer.poll_tag().unwrap().unwrap().body, body);
}

/// Tags of 100 bytes of audio each, at 0, 1, 2 and so on.
fn many(count: u32) -> Vec<u8> {
    let mut bytes = FILE[..13].to_vec();
    for timestamp in 0..count {
        let header = TagHeader::new(TagKind::Audio, timestamp, 100);
        bytes.extend(header.encode());
        bytes.push(0xaf);
        bytes.extend([0x5a; 99]);
        bytes.extend(header.previous_tag_size().to_be_bytes());
    }
    bytes
}

/// The timestamps, the bytes skipped, and wrong sizes; the same for every split.
fn resynced(bytes: &[u8]) -> (Vec<u32>, u64) {
    let run = |size: usize| {
        let limits = Limits { max_tag_body: 1000, ..Limits::default() };
        let mut demuxer = Demuxer::with_resync(limits);
        let mut all = Vec::new();
        for piece in bytes.chunks(size) {
            demuxer.receive(piece);
            all.extend(tags(&mut demuxer));
        }
        demuxer.finish();
        all.extend(tags(&mut demuxer));
        let times: Vec<_> = all.iter().map(|tag| tag.timestamp).collect();
        (times, demuxer.skipped_bytes())
    };
    let whole = run(bytes.len());
    for size in [1, 7, 100] {
        assert_eq!(run(size), whole, "{size}");
    }
    whole
}

/// The tag of this number begins here.
fn at(tag: usize) -> usize {
    13 + tag * 115
}

#[test]
fn a_sound_stream_skips_nothing() {
    assert_eq!(resynced(&many(10)), ((0..10).collect(), 0));
    assert_eq!(resynced(FILE), (vec![0, 7], 0));
    // Writers that leave the sizes 0 are no damage.
    let mut bytes = many(5);
    for tag in 0..5 {
        bytes[at(tag + 1) - 4..at(tag + 1)].fill(0);
    }
    assert_eq!(resynced(&bytes), ((0..5).collect(), 0));
}

#[test]
fn finds_the_next_tag_behind_lost_inserted_and_changed_bytes() {
    let sound = many(6);
    // Lost from the middle of tag 2 to the middle of tag 3.
    let mut lost = sound.clone();
    lost.drain(at(2) + 50..at(3) + 20);
    let (times, skipped) = resynced(&lost);
    assert_eq!(times, [0, 1, 4, 5]);
    assert_eq!(skipped as usize, lost.len() - 13 - 4 * 115);
    // Inserted between two tags.
    let mut inserted = sound.clone();
    inserted.splice(at(3)..at(3), [0xee; 33]);
    assert_eq!(resynced(&inserted), ((0..6).collect(), 33));
    // A type that is none.
    let mut changed = sound.clone();
    changed[at(2)] = 0x77;
    assert_eq!(resynced(&changed), (vec![0, 1, 3, 4, 5], 115));
}

#[test]
fn a_wrong_length_costs_its_own_tag_alone() {
    for len in [[0, 0, 3], [0, 1, 200], [0xff, 0xff, 0xff]] {
        let mut bytes = many(8);
        bytes[at(2) + 1..at(2) + 4].copy_from_slice(&len);
        assert_eq!(resynced(&bytes), (vec![0, 1, 3, 4, 5, 6, 7], 115), "{len:?}");
    }
}

#[test]
fn what_never_becomes_a_tag_is_skipped_in_bounded_memory() {
    let mut bytes = many(2);
    bytes.extend([0xee; 20_000]);
    assert_eq!(resynced(&bytes), (vec![0, 1], 20_000));
    let limits = Limits { max_tag_body: 1000, ..Limits::default() };
    let mut demuxer = Demuxer::with_resync(limits);
    demuxer.receive(&bytes);
    assert_eq!(demuxer.buffered(), 1015);
    let mut cut = many(3);
    cut.truncate(at(2) + 40);
    assert_eq!(resynced(&cut), (vec![0, 1], 40));
}

#[test]
fn a_length_that_takes_in_the_tags_up_to_the_end_loses_none_of_them() {
    let mut stream = bytes::BytesMut::new();
    crate::mux::encode_header(&mut stream, true, true);
    for timestamp in 0..5 {
        crate::mux::encode_tag(&mut stream, TagKind::Audio, timestamp, &[1; 20]).unwrap();
    }
    // The third tag says that its body has 300 bytes; so many do not come any more.
    let third = 13 + 2 * 35;
    stream[third + 1..third + 4].copy_from_slice(&[0, 1, 0x2c]);
    let mut demuxer = Demuxer::with_resync(Limits::default());
    demuxer.receive(&stream);
    demuxer.finish();
    let times: Vec<_> = tags(&mut demuxer).iter().map(|tag| tag.timestamp).collect();
    assert_eq!(times, [0, 1, 3, 4]);
    assert_eq!(demuxer.skipped_bytes(), 35);
}
