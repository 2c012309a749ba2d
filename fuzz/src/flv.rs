//! FLV streams.

use bytes::BytesMut;
use flv_mux::{DemuxError, Demuxer, FileHeader, Limits, Tag, mux};

/// All that can be seen of a stream.
#[derive(Debug, PartialEq)]
struct Seen {
    header: Option<FileHeader>,
    tags: Vec<Tag>,
    error: Option<DemuxError>,
    wrong_sizes: u64,
    at_boundary: bool,
}

const MAX_BODY: u32 = 64 * 1024;

fn demux<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Seen {
    let mut demuxer = Demuxer::new(Limits { max_tag_body: MAX_BODY, ..Limits::default() });
    let mut tags = Vec::new();
    let mut error = None;
    for piece in pieces {
        demuxer.receive(piece);
        error = loop {
            match demuxer.poll_tag() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert!(demuxer.buffered() <= MAX_BODY as usize);
    }
    Seen {
        header: demuxer.header(),
        tags,
        error,
        wrong_sizes: demuxer.wrong_previous_tag_sizes(),
        at_boundary: demuxer.is_at_boundary(),
    }
}

/// The bytes of an FLV stream: any split of them gives the same, and muxing the tags and demuxing
/// that gives the same tags. The split comes from the bytes' own values, so that an input is
/// nothing but a file.
pub fn flv_demux(data: &[u8]) {
    let whole = demux(std::iter::once(data));
    assert_eq!(demux(data.chunks(1)), whole);
    let mut rest = data;
    let own = std::iter::from_fn(|| {
        let size = usize::from(*rest.first()?) % 61 + 1;
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        Some(piece)
    });
    assert_eq!(demux(own), whole);

    let bytes: usize = whole.tags.iter().map(|tag| mux::encoded_len(tag.body.len())).sum();
    assert!(bytes <= data.len() + 4, "tags are larger than the stream");

    let mut muxed = BytesMut::new();
    let Some(header) = whole.header else { return };
    mux::encode_header(&mut muxed, header.has_audio, header.has_video);
    for tag in &whole.tags {
        tag.encode(&mut muxed).expect("a tag that was read can be written");
    }
    let again = demux(std::iter::once(&muxed[..]));
    assert_eq!(again.tags, whole.tags);
    assert_eq!((again.error, again.wrong_sizes, again.at_boundary), (None, 0, true));
}
