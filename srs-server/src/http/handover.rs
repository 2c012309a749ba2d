//! Live streams leave hyper behind: once a request for one is answered, its connection is written
//! by the player itself.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::SystemTime,
};

use axum::{
    body::Body,
    http::{HeaderValue, Version, header},
    response::Response,
};
use bytes::{BufMut, Bytes, BytesMut};
use http_body::Body as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tower::ServiceExt;

use super::{Connection, WRITE_BUFFER, live::Play, rewind::Rewind};
use crate::net::{Guarded, Link, Transport};

/// Most bytes of further requests that are kept while a stream is played.
const MAX_UNREAD: usize = 16 * 1024;

/// In a response's extensions: who writes the body.
#[derive(Clone)]
pub(super) struct Handover(Arc<Mutex<Option<Box<dyn Play>>>>);

impl Handover {
    pub(super) fn new(player: impl Play + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(player)))))
    }

    fn take(&self) -> Option<Box<dyn Play>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What became of a connection.
pub(super) enum Next<S> {
    /// It is over, or has failed.
    Over(hyper::Result<()>),
    /// A player takes it over.
    Play(Rewind<Guarded<S>>, Playing),
}

/// A player, and what its client asked for beside the stream.
pub(super) struct Playing {
    player: Box<dyn Play>,
    /// Whether further requests may follow.
    is_kept: bool,
}

/// Hyper is told by this to let go of the connection.
#[derive(Debug, thiserror::Error)]
#[error("a player takes the connection over")]
struct HandedOver;

/// Answers requests until a live stream is asked for, or the connection is over.
pub(super) async fn requests<S: Transport>(
    socket: Rewind<Guarded<S>>,
    connection: Connection,
    router: axum::Router,
    timeout: std::time::Duration,
) -> Next<S> {
    let handed: Arc<Mutex<Option<Playing>>> = Arc::default();
    let slot = handed.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(connection.clone());
        let (router, slot) = (router.clone(), slot.clone());
        Box::pin(async move {
            let version = request.version();
            // What is left of a request's body must not be taken for the next request.
            let is_closing = closes(request.headers().get(header::CONNECTION))
                || !request.body().is_end_stream();
            let response = router.oneshot(request).await.unwrap_or_else(|e| match e {});
            let player = response.extensions().get::<Handover>().and_then(Handover::take);
            let Some(mut player) = player else { return Ok(response) };
            let is_kept = version == Version::HTTP_11 && !is_closing;
            player.begin(head(&response, version, is_kept));
            *slot.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Playing { player, is_kept });
            Err(HandedOver)
        })
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_buf_size(WRITE_BUFFER)
        .serve_connection(TokioIo::new(socket), service);
    let result = poll_fn(|cx| serving.poll_without_shutdown(cx)).await;
    let parts = serving.into_parts();
    let mut socket = parts.io.into_inner();
    let playing = handed.lock().unwrap_or_else(PoisonError::into_inner).take();
    match playing {
        Some(playing) => {
            socket.put_back(parts.read_buf);
            Next::Play(socket, playing)
        }
        None => {
            // A client that is gone already is told nothing.
            let _ = socket.shutdown().await;
            Next::Over(result)
        }
    }
}

/// Plays until the stream or the connection is over; the socket comes back where further requests
/// may follow.
///
/// # Errors
/// The socket's.
pub(super) async fn play<S: Transport>(
    mut socket: Rewind<Guarded<S>>,
    mut playing: Playing,
    link: &Arc<Link>,
) -> io::Result<Option<Rewind<Guarded<S>>>> {
    let mut unread = BytesMut::new();
    link.call_again();
    let is_whole = poll_fn(|cx| {
        if let Poll::Ready(result) = playing.player.poll_play(&mut socket, cx) {
            return Poll::Ready(result.map(|()| true));
        }
        if !link.take_call() {
            return Poll::Pending;
        }
        // Whoever sends no more has left, as far as anybody can tell.
        let waker = link.waker();
        let mut cx = Context::from_waker(&waker);
        poll_closed(&mut socket, &mut unread, &mut cx).map(|result| result.map(|()| false))
    })
    .await?;
    if is_whole && playing.is_kept {
        socket.put_back(unread.freeze());
        return Ok(Some(socket));
    }
    socket.shutdown().await?;
    Ok(None)
}

/// Ready when the client sends no more, or more than is kept for it: were it read no further, it
/// could leave unnoticed.
fn poll_closed<S: Transport>(
    socket: &mut Rewind<Guarded<S>>,
    unread: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut bytes = [0; 512];
    while unread.len() < MAX_UNREAD {
        let mut buf = ReadBuf::new(&mut bytes);
        match Pin::new(&mut *socket).poll_read(cx, &mut buf)? {
            Poll::Ready(()) if buf.filled().is_empty() => return Poll::Ready(Ok(())),
            Poll::Ready(()) => unread.put_slice(buf.filled()),
            Poll::Pending => return Poll::Pending,
        }
    }
    Poll::Ready(Ok(()))
}

/// Whether a `Connection` header asks for the connection to be closed.
fn closes(value: Option<&HeaderValue>) -> bool {
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// The head of a response whose body the player writes.
fn head(response: &Response, version: Version, is_kept: bool) -> Bytes {
    let status = response.status();
    let mut head = BytesMut::with_capacity(512);
    let protocol = if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let reason = status.canonical_reason().unwrap_or_default();
    head.put_slice(format!("{protocol} {} {reason}\r\n", status.as_u16()).as_bytes());
    for (name, value) in response.headers() {
        put_header(&mut head, name.as_str(), value.as_bytes());
    }
    if version != Version::HTTP_10 {
        put_header(&mut head, "transfer-encoding", b"chunked");
    }
    if !is_kept {
        put_header(&mut head, "connection", b"close");
    }
    put_header(&mut head, "date", httpdate::fmt_http_date(SystemTime::now()).as_bytes());
    head.put_slice(b"\r\n");
    head.freeze()
}

fn put_header(head: &mut BytesMut, name: &str, value: &[u8]) {
    head.put_slice(name.as_bytes());
    head.put_slice(b": ");
    head.put_slice(value);
    head.put_slice(b"\r\n");
}
