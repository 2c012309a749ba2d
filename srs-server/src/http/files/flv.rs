//! FLV files from the middle: how players of old seek, by `?start=` and the offset of a tag.

use std::{
    io::{self, SeekFrom},
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use flv_mux::{AudioTagHeader, Demuxer, Limits, Tag, TagKind, VideoTagHeader, mux};
use http_body::{Frame, SizeHint};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt, AsyncSeekExt, ReadBuf},
};

/// Most bytes that are looked through for configuration, which is where a file begins.
const HEAD: u64 = 1024 * 1024;
/// Bytes of one read.
const CHUNK: usize = 64 * 1024;

/// The file from `start` on, behind a header and the configuration that its beginning has; `None`
/// where that would leave nothing out.
pub(super) async fn serve_from(
    file: &Path,
    start: u64,
    method: &Method,
) -> io::Result<Option<Response>> {
    let mut file = File::open(file).await?;
    let metadata = file.metadata().await?;
    let len = metadata.len();
    if !metadata.is_file() {
        return Ok(None);
    }
    if start > len {
        let all = format!("bytes */{len}");
        let refused = (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, all)]);
        return Ok(Some(refused.into_response()));
    }
    let Some(Head { bytes, end }) = Head::read(&mut file).await? else { return Ok(None) };
    if start <= end {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(start)).await?;
    let length = bytes.len() as u64 + (len - start);
    let fields = [
        (header::CONTENT_TYPE, "video/x-flv".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => Body::new(FileBody { head: bytes, file, left: len - start, chunk: BytesMut::new() }),
    };
    Ok(Some((fields, body).into_response()))
}

/// What a file begins with, as far as a player needs it wherever it begins.
struct Head {
    /// The file header, and the tags of configuration.
    bytes: Bytes,
    /// Where the last of those tags ends.
    end: u64,
}

impl Head {
    /// Reads it; `None` where the file isn't FLV.
    async fn read(file: &mut File) -> io::Result<Option<Self>> {
        let mut demuxer = Demuxer::new(Limits::default());
        let mut bytes = BytesMut::new();
        let (mut position, mut end, mut left) = (mux::PREFIX_LEN as u64, 0, HEAD);
        let (mut audio, mut video) = (Track::default(), Track::default());
        let mut chunk = vec![0; CHUNK];
        while left > 0 && !(audio.is_known && video.is_known) {
            let read = file.read(&mut chunk).await?;
            if read == 0 {
                break;
            }
            left = left.saturating_sub(read as u64);
            demuxer.receive(chunk.get(..read).unwrap_or_default());
            loop {
                let tag = match demuxer.poll_tag() {
                    Ok(Some(tag)) => tag,
                    Ok(None) => break,
                    Err(_) => return Ok(None),
                };
                position += mux::encoded_len(tag.body.len()) as u64;
                let track = if tag.kind == TagKind::Audio { &mut audio } else { &mut video };
                if track.take(&tag) && tag.encode(&mut bytes).is_ok() {
                    end = position;
                }
            }
        }
        let Some(header) = demuxer.header() else { return Ok(None) };
        let mut whole = BytesMut::new();
        mux::encode_header(&mut whole, header.has_audio, header.has_video);
        whole.extend_from_slice(&bytes);
        Ok(Some(Self { bytes: whole.freeze(), end: end.max(mux::PREFIX_LEN as u64) }))
    }
}

/// What the beginning of a file has shown of one track.
#[derive(Debug, Default)]
struct Track {
    /// Its first frame was there: its configuration has come before.
    is_known: bool,
}

impl Track {
    /// Takes the next tag; whether it is configuration.
    fn take(&mut self, tag: &Tag) -> bool {
        let (is_config, is_frame) = match tag.kind {
            TagKind::Audio => AudioTagHeader::decode(&tag.body)
                .map_or((false, false), |(h, _)| (h.is_sequence_header(), h.is_frame())),
            TagKind::Video => VideoTagHeader::decode(&tag.body)
                .map_or((false, false), |(h, _)| (h.is_sequence_header(), h.is_frame())),
            _ => (false, false),
        };
        let is_first = is_config && !self.is_known;
        self.is_known |= is_frame;
        is_first
    }
}

/// Bytes, and then the rest of a file.
struct FileBody {
    head: Bytes,
    file: File,
    left: u64,
    chunk: BytesMut,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if !this.head.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.head)))));
        }
        if this.left == 0 {
            return Poll::Ready(None);
        }
        this.chunk.resize(CHUNK, 0);
        let mut buffer = ReadBuf::new(&mut this.chunk);
        ready!(Pin::new(&mut this.file).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len().min(usize::try_from(this.left).unwrap_or(usize::MAX));
        if read == 0 {
            // It has become shorter since its length was told.
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        this.left -= read as u64;
        Poll::Ready(Some(Ok(Frame::data(this.chunk.split_to(read).freeze()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.head.len() as u64 + self.left)
    }
}
