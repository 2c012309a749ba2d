//! Nanoseconds per tag: a second of live video (25 frames of 3 KB) and audio (43 of 200 bytes).

use bytes::{Bytes, BytesMut};
use divan::{Bencher, black_box, counter::ItemsCount};
use flv_mux::{AudioTagHeader, Demuxer, Limits, Tag, TagKind, VideoTagHeader, mux};

fn main() {
    divan::main();
}

fn tags() -> Vec<Tag> {
    let mut tags = Vec::new();
    for timestamp in 0..1000 {
        if timestamp % 40 == 0 {
            let mut body = vec![0x5a; 3000];
            body[..5].copy_from_slice(&[if timestamp == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 80]);
            tags.push(Tag::new(TagKind::Video, timestamp, Bytes::from(body)));
        }
        if timestamp % 23 == 0 && timestamp < 43 * 23 {
            let mut body = vec![0x5a; 200];
            body[..2].copy_from_slice(&[0xaf, 1]);
            tags.push(Tag::new(TagKind::Audio, timestamp, Bytes::from(body)));
        }
    }
    tags
}

fn stream(tags: &[Tag]) -> Vec<u8> {
    let mut out = BytesMut::new();
    mux::encode_header(&mut out, true, true);
    for tag in tags {
        tag.encode(&mut out).unwrap();
    }
    out.to_vec()
}

/// In pieces as they come from a socket.
#[divan::bench(args = [1460, 16_384, 1 << 20])]
fn demux(bencher: Bencher<'_, '_>, piece: usize) {
    let tags = tags();
    let stream = stream(&tags);
    bencher.counter(ItemsCount::new(tags.len())).bench(|| {
        let mut demuxer = Demuxer::new(Limits::default());
        let mut count = 0;
        for piece in black_box(&stream).chunks(piece) {
            demuxer.receive(piece);
            while let Ok(Some(tag)) = demuxer.poll_tag() {
                count += usize::from(!black_box(tag).body.is_empty());
            }
        }
        assert_eq!(count, tags.len());
    });
}

#[divan::bench]
fn mux_tags(bencher: Bencher<'_, '_>) {
    let tags = tags();
    let mut out = BytesMut::with_capacity(1 << 20);
    bencher.counter(ItemsCount::new(tags.len())).bench_local(|| {
        out.clear();
        for tag in black_box(&tags) {
            mux::encode_tag(&mut out, tag.kind, tag.timestamp, &tag.body).unwrap();
        }
        out.len()
    });
}

#[divan::bench]
fn classify(bencher: Bencher<'_, '_>) {
    let tags = tags();
    bencher.counter(ItemsCount::new(tags.len())).bench(|| {
        let is_key = |tag: &&Tag| match tag.kind {
            TagKind::Video => {
                VideoTagHeader::decode(&tag.body).is_ok_and(|(header, _)| header.is_keyframe())
            }
            _ => AudioTagHeader::decode(&tag.body).is_ok_and(|(header, _)| header.is_frame()),
        };
        black_box(&tags).iter().filter(is_key).count()
    });
}
