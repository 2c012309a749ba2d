//! What a player of a live stream gets once its request is answered: the head, then every message
//! of a lane in ready bytes, written to its socket as they are. Nothing else is on the way, since
//! a player stays for hours and there are thousands of them.

use std::{
    fmt::Display,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use flv_mux::TagKind;
use tokio::{
    io::AsyncWrite,
    time::{Interval, interval},
};
use tracing::info;

use super::{Allowed, FlvHeader, Format};
use crate::{
    live::Feed,
    media::{LAST_CHUNK, Wire, put_chunk},
    net::{poll_write_batch, poll_write_messages},
    server::Shared,
};

/// How often a player that waits is looked at: it may wait for what can't come.
const WATCH: Duration = Duration::from_secs(5);
/// Most bytes held back while the header waits for audio and video to show.
const HEADER_WAIT_BYTES: usize = 1024 * 1024;

/// A live stream that is written to a socket.
pub(in crate::http) trait Play: Send {
    /// Puts the response's head in front.
    fn begin(&mut self, head: Bytes);

    /// Writes what there is; ready when the response is whole.
    ///
    /// # Errors
    /// The socket's.
    fn poll_play(&mut self, socket: &mut Socket<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The socket of a player.
pub(in crate::http) type Socket<'a> = dyn AsyncWrite + Unpin + Send + 'a;

/// A player of a stream in the form `F`.
pub(super) struct Player<F: Send + Sync + 'static> {
    feed: Feed<F>,
    format: Format,
    /// What goes in front, in FLV.
    header: Option<FlvHeader>,
    /// Whether the response is in chunks.
    is_chunked: bool,
    _allowed: Allowed,
    shared: Arc<Shared>,
    /// What goes before anything else: the head, the rest of a message.
    rest: Bytes,
    state: State,
}

enum State {
    /// It isn't known yet what the header says.
    Waiting(Box<Waiting>),
    Playing,
    /// All is written but the rest.
    Over,
}

/// What is held back for the header.
struct Waiting {
    watch: Interval,
    held: Vec<(TagKind, Bytes)>,
    bytes: usize,
}

impl<F: Send + Sync + 'static> Player<F> {
    pub(super) fn new(
        feed: Feed<F>,
        format: Format,
        header: Option<FlvHeader>,
        is_chunked: bool,
        allowed: Allowed,
        shared: &Arc<Shared>,
    ) -> Self {
        let waiting = Waiting { watch: interval(WATCH), held: Vec::new(), bytes: 0 };
        Self {
            feed,
            format,
            header,
            is_chunked,
            _allowed: allowed,
            shared: shared.clone(),
            rest: Bytes::new(),
            state: State::Waiting(Box::new(waiting)),
        }
    }

    /// Why nothing of the stream can go out, as it is published now.
    fn refused(&self) -> Option<String> {
        let stream = &self.feed.client().stream;
        // What a publisher had who is gone says nothing of the next.
        let is_live = self.shared.hub.stream(&stream.key).is_some_and(|stats| stats.is_active());
        is_live.then(|| self.format.refuses(&stream.media)).flatten()
    }

    /// Waits until the stream may begin to go out.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let State::Waiting(waiting) = &mut self.state else { return Poll::Ready(()) };
            let mut is_due = false;
            while waiting.watch.poll_tick(cx).is_ready() {
                is_due = true;
            }
            if is_due && let Some(why) = self.refused() {
                self.tell_end(&why);
                self.end();
                continue;
            }
            let State::Waiting(waiting) = &mut self.state else { return Poll::Ready(()) };
            let batch = match ready!(self.feed.poll_batch(cx, self.shared.tuning.send_buffer)) {
                Ok(batch) => batch,
                Err(end) => {
                    // A stream that was too short to show what it has goes out all the same.
                    let is_short = !waiting.held.is_empty();
                    self.tell_end(&end);
                    if is_short {
                        self.decide(true);
                    }
                    self.end();
                    continue;
                }
            };
            waiting.held.extend(batch.iter().map(|one| (one.kind, one.bytes.clone())));
            waiting.bytes += batch.bytes();
            let is_late = waiting.bytes >= HEADER_WAIT_BYTES;
            self.feed.pass(batch);
            self.decide(is_late);
        }
    }

    /// Lets the stream go out if it is known what the header says, or if it is late.
    fn decide(&mut self, is_late: bool) {
        let State::Waiting(waiting) = &mut self.state else { return };
        let mut out = BytesMut::new();
        if let Some(header) = &mut self.header {
            let Some(bytes) = header.decide(&self.feed.client().stream.media, is_late) else {
                return;
            };
            match self.is_chunked {
                true => put_chunk(&bytes, &mut out),
                false => out.extend_from_slice(&bytes),
            }
        }
        for (kind, bytes) in &waiting.held {
            if self.header.is_none_or(|header| header.admits(*kind)) {
                out.extend_from_slice(bytes);
            }
        }
        self.append(&out);
        self.state = State::Playing;
    }

    fn tell_end(&self, why: &dyn Display) {
        let client = self.feed.client();
        let tell = || info!(stream = %client.stream.key, "http play ended: {why}");
        client.span().in_scope(tell);
    }

    /// Nothing more comes of the stream.
    fn end(&mut self) {
        if self.is_chunked {
            self.append(LAST_CHUNK);
        }
        self.state = State::Over;
    }

    fn append(&mut self, bytes: &[u8]) {
        self.rest = [&self.rest[..], bytes].concat().into();
    }

    fn poll_rest(&mut self, socket: &mut Socket<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = ready!(Pin::new(&mut *socket).poll_write(cx, &self.rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.advance(written);
            if self.rest.is_empty() {
                // The message goes, though nothing else may come for long.
                self.rest = Bytes::new();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes once what the ring has.
    fn poll_once(&mut self, socket: &mut Socket<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let batch = match ready!(self.feed.poll_batch(cx, self.shared.tuning.send_buffer)) {
            Ok(batch) => batch,
            Err(end) => {
                self.tell_end(&end);
                self.end();
                return Poll::Ready(Ok(()));
            }
        };
        let written = match self.header.filter(|header| !header.admits_all()) {
            None => poll_write_batch(socket, cx, &batch),
            Some(header) => {
                let admitted = |message: &Wire<F>| header.admits(message.kind);
                let messages = batch.iter().map(|one| admitted(one).then_some(&one.bytes));
                poll_write_messages(socket, cx, messages)
            }
        };
        let written = ready!(written)?;
        self.feed.advance(batch, written.messages);
        if !written.rest.is_empty() {
            self.rest = written.rest;
        }
        Poll::Ready(Ok(()))
    }
}

impl<F: Send + Sync + 'static> Play for Player<F> {
    fn begin(&mut self, head: Bytes) {
        self.rest = head;
    }

    fn poll_play(&mut self, socket: &mut Socket<'_>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_rest(socket, cx))?;
            match self.state {
                State::Waiting(_) => ready!(self.poll_wait(cx)),
                State::Playing => ready!(self.poll_once(socket, cx))?,
                State::Over => return Poll::Ready(Ok(())),
            }
        }
    }
}
