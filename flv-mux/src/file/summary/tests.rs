use bytes::Bytes;

use super::*;
use crate::{Demuxer, Limits};

/// A keyframe each second, frames between them, and some audio.
fn tags(seconds: u32) -> Vec<Tag> {
    let mut tags = Vec::new();
    for timestamp in (0..seconds * 1000).step_by(40) {
        let first = if timestamp % 1000 == 0 { 0x17 } else { 0x27 };
        let body = Bytes::from(vec![first, 1, 0, 0, 0, 0x5a]);
        tags.push(Tag::new(TagKind::Video, timestamp, body));
        let body = Bytes::from_static(&[0xaf, 1, 0x21]);
        tags.push(Tag::new(TagKind::Audio, timestamp, body));
    }
    tags
}

fn summary(tags: &[Tag]) -> FileSummary {
    let mut summary = FileSummary::new();
    tags.iter().for_each(|tag| summary.add(tag));
    summary
}

fn base() -> Metadata {
    let mut base = Metadata::default();
    base.properties.insert("encoder", "test");
    base.properties.insert("duration", 0.0);
    base
}

/// The metadata of head and tags together, once all keyframes were found where it says.
fn check(head: &[u8], tags: &[Tag]) -> Metadata {
    let mut file = BytesMut::from(head);
    tags.iter().for_each(|tag| tag.encode(&mut file).unwrap());
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&file);
    let first = demuxer.poll_tag().unwrap().unwrap();
    let metadata = Metadata::decode(&first.body, &Limits::default()).unwrap();
    let rest: Vec<_> = std::iter::from_fn(|| demuxer.poll_tag().unwrap()).collect();
    assert_eq!(rest, tags);
    assert_eq!(metadata.file_size(), Some(file.len() as f64));
    for keyframe in metadata.seek_table().unwrap_or_default().keyframes() {
        let tag = &file[keyframe.position as usize..];
        assert_eq!((tag[0], tag[11]), (9, 0x17));
        let header = crate::TagHeader::decode(tag).unwrap();
        assert_eq!(u64::from(header.timestamp), keyframe.time);
    }
    metadata
}

#[test]
fn the_head_says_what_the_tags_are() {
    let tags = tags(3);
    let summary = summary(&tags);
    let metadata = check(&summary.head(&base()).unwrap(), &tags);
    assert_eq!((metadata.duration(), metadata.encoder()), (Some(3.0), Some("test")));
    let table = metadata.seek_table().unwrap();
    let times: Vec<_> = table.keyframes().iter().map(|keyframe| keyframe.time).collect();
    assert_eq!(times, [0, 1000, 2000]);
    assert_eq!(metadata.properties.get("lasttimestamp"), Some(&2.96.into()));
    assert_eq!(metadata.properties.get("canSeekToEnd"), Some(&false.into()));
}

#[test]
fn reserved_room_is_filled_to_the_byte() {
    let tags = tags(5);
    let summary = summary(&tags);
    let full = summary.head(&base()).unwrap().len();
    let reserved = FileSummary::reserved_len(&base(), 5).unwrap();
    assert_eq!(reserved, full + 11);
    let mut found = Vec::new();
    let long = full + 11 + 0x1_0000;
    let short = [full - 60, full - 18, full - 1, full, full + 1, full + 10, full + 11];
    for len in short.into_iter().chain(long - 2..long + 4) {
        let head = summary.head_of_len(&base(), len).unwrap();
        assert_eq!(head.len(), len);
        let metadata = check(&head, &tags);
        found.push(metadata.seek_table().unwrap().keyframes().len());
    }
    assert_eq!(found, [1, 3, 3, 5, 4, 4, 5, 5, 5, 5, 5, 5, 5]);
}

#[test]
fn a_head_without_room_gets_its_duration_alone() {
    let tags = tags(2);
    let summary = summary(&tags);
    let mut base = base();
    base.properties.insert("filesize", 0.0);
    let old = summary.with_header(&base).unwrap();
    let head = summary.head_of_len(&base, old.len()).unwrap();
    let metadata = check(&head, &tags);
    assert_eq!((metadata.duration(), metadata.seek_table()), (Some(2.0), None));
    let needed = old.len();
    let error = summary.head_of_len(&base, 20).unwrap_err();
    assert_eq!(error, HeadError::NoRoom { needed, len: 20 });
}

#[test]
fn a_file_without_tags_has_a_head_too() {
    let head = FileSummary::new().head(&Metadata::default()).unwrap();
    let metadata = check(&head, &[]);
    assert_eq!(metadata.duration(), Some(0.0));
    assert!(metadata.seek_table().unwrap().keyframes().is_empty());
}

#[test]
fn timestamps_wrap_and_may_start_late() {
    let tag = |timestamp, first| {
        Tag::new(TagKind::Video, timestamp, Bytes::from(vec![first, 1, 0, 0, 0]))
    };
    let tags = [tag(u32::MAX - 39, 0x17), tag(0, 0x27), tag(40, 0x17)];
    let summary = summary(&tags);
    assert_eq!(summary.duration(), 120);
    let times: Vec<_> = summary.keyframes.iter().map(|keyframe| keyframe.time).collect();
    assert_eq!(times, [u64::from(u32::MAX) - 39, u64::from(u32::MAX) + 41]);
}

#[test]
fn the_keyframes_of_a_long_file_are_thinned_out() {
    let mut summary = FileSummary::new();
    let body = Bytes::from_static(&[0x17, 1, 0, 0, 0]);
    for number in 0..40_000 {
        summary.add(&Tag::new(TagKind::Video, number, body.clone()));
    }
    assert!(summary.keyframes.len() <= FileSummary::MAX_KEYFRAMES);
    let times: Vec<_> = summary.keyframes.iter().map(|keyframe| keyframe.time).collect();
    assert!(times.iter().zip(0..).all(|(&time, number)| time == 8 * number));
    assert_eq!(times.last(), Some(&39_992));

    let mut most = FileSummary::new();
    for number in 0..FileSummary::MAX_KEYFRAMES as u32 {
        most.add(&Tag::new(TagKind::Video, number, body.clone()));
    }
    let head = most.head(&base()).unwrap();
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&head);
    let script = demuxer.poll_tag().unwrap().unwrap();
    let read = Metadata::decode(&script.body, &Limits::default()).unwrap();
    assert_eq!(read.seek_table().unwrap().keyframes().len(), FileSummary::MAX_KEYFRAMES);
}
