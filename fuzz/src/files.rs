//! Damaged files, and files' heads.

use bytes::BytesMut;
use flv_mux::{Demuxer, FileSummary, Limits, Metadata, Tag, mux};

const MAX_BODY: u32 = 4096;

fn resynced<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Tag>, u64, bool) {
    let mut demuxer = Demuxer::with_resync(Limits { max_tag_body: MAX_BODY, ..Limits::default() });
    let mut tags = Vec::new();
    let mut is_failed = false;
    let mut poll = |demuxer: &mut Demuxer| loop {
        match demuxer.poll_tag() {
            Ok(Some(tag)) => tags.push(tag),
            Ok(None) => break,
            Err(_) => {
                is_failed = true;
                break;
            }
        }
    };
    for piece in pieces {
        demuxer.receive(piece);
        poll(&mut demuxer);
        assert!(demuxer.buffered() <= MAX_BODY as usize + 15);
    }
    demuxer.finish();
    poll(&mut demuxer);
    (tags, demuxer.skipped_bytes(), is_failed)
}

/// A damaged FLV stream: any split gives the same tags and the same count of lost bytes, which
/// together are no more than the stream.
pub fn flv_resync(data: &[u8]) {
    let whole = resynced(std::iter::once(data));
    assert_eq!(resynced(data.chunks(1)), whole);
    assert_eq!(resynced(data.chunks(37)), whole);
    let (tags, skipped, is_failed) = whole;
    let bytes: usize = tags.iter().map(|tag| mux::encoded_len(tag.body.len())).sum();
    // The last tag may come without its previous tag size.
    assert!(bytes as u64 + skipped <= data.len() as u64 + 4, "{bytes} + {skipped}");
    if is_failed {
        assert!(tags.is_empty(), "only the file header can fail");
    }

    // The head of a file of these tags fits its room and finds its keyframes.
    let mut summary = FileSummary::new();
    tags.iter().for_each(|tag| summary.add(tag));
    let base = Metadata::default();
    let Ok(head) = summary.head(&base) else { return };
    let len = head.len() + data.first().copied().map_or(0, usize::from);
    let Ok(head) = summary.head_of_len(&base, len) else { return };
    assert_eq!(head.len(), len);
    let mut file = BytesMut::from(&head[..]);
    tags.iter().for_each(|tag| tag.encode(&mut file).expect("a tag that was read can be written"));
    let mut demuxer = Demuxer::new(Limits::default());
    demuxer.receive(&file);
    let script = demuxer.poll_tag().expect("a head").expect("a head");
    let metadata = Metadata::decode(&script.body, &Limits::default()).expect("a head");
    assert_eq!(metadata.file_size(), Some(file.len() as f64));
    for keyframe in metadata.seek_table().unwrap_or_default().keyframes() {
        let position = usize::try_from(keyframe.position).expect("inside the file");
        assert_eq!(file[position] & 0x1f, 9);
    }
}

/// The body of a script tag: the keyframe index is read in order, and reads the same again.
pub fn flv_keyframes(data: &[u8]) {
    let Ok(metadata) = Metadata::decode(data, &Limits::default()) else { return };
    let Some(table) = metadata.seek_table() else { return };
    assert!(table.keyframes().is_sorted_by_key(|keyframe| keyframe.time));
    for keyframe in table.keyframes() {
        assert_eq!(table.seek(keyframe.time).map(|found| found.time), Some(keyframe.time));
    }
    let mut again = Metadata::default();
    again.properties.insert("keyframes", table.to_value());
    let again = again.seek_table().expect("it was written");
    // Times beyond 2^50 ms lose their last digits in seconds.
    if table.keyframes().iter().all(|keyframe| keyframe.time < 1 << 43) {
        assert_eq!(again, table);
    }
}
