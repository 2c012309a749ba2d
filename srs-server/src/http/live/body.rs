//! The body of a response that is a live stream.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use stream_hub::Reader;
use tokio::time::{Interval, interval};
use tracing::{Span, info, warn};

use super::{Allowed, FlvHeader, Format};
use crate::{live::ClientGuard, media::Wire, server::Shared};

/// Most bytes taken from the ring at once; what is taken is held until the client has it.
const BATCH: usize = 64 * 1024;
/// How often a connection that waits for a publisher looks whether its client is there still.
const WATCH: Duration = Duration::from_secs(5);
/// Most bytes held back while the header waits for audio and video to show.
const HEADER_WAIT_BYTES: usize = 1024 * 1024;

/// A live stream in the form `F`: in FLV the header as soon as its flags are known, then every
/// message.
pub(super) struct LiveBody<F: Send + Sync + 'static> {
    reader: Reader<Wire<F>>,
    format: Format,
    /// What goes in front, in FLV.
    header: Option<FlvHeader>,
    client: ClientGuard,
    _allowed: Allowed,
    /// Whether the socket's send buffer was fitted to the stream.
    is_fitted: bool,
    shared: Arc<Shared>,
    /// As long as nothing is sent: wakes the connection, which then looks for its client.
    watch: Option<Box<Interval>>,
    /// Messages taken from the ring and not yet given to the connection.
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Whether nothing more comes.
    is_over: bool,
    span: Span,
}

impl<F: Send + Sync + 'static> LiveBody<F> {
    pub(super) fn new(
        reader: Reader<Wire<F>>,
        format: Format,
        header: Option<FlvHeader>,
        client: ClientGuard,
        allowed: Allowed,
        shared: &Arc<Shared>,
    ) -> Self {
        Self {
            reader,
            format,
            header,
            client,
            _allowed: allowed,
            is_fitted: false,
            shared: shared.clone(),
            watch: Some(Box::new(interval(WATCH))),
            queue: VecDeque::new(),
            queued: 0,
            is_over: false,
            span: Span::current(),
        }
    }

    /// Takes what the ring has; `false` when the stream is over.
    fn poll_queue(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let batch = match ready!(self.reader.poll_batch(cx, BATCH)) {
            Ok(batch) => batch,
            Err(end) => {
                info!(stream = %self.client.stream.key, "http play ended: {end}");
                return Poll::Ready(false);
            }
        };
        if !self.is_fitted {
            self.is_fitted = self.client.fit_send_buffer(self.shared.tuning.send_buffer);
        }
        if let Some(lost) = batch.gap() {
            warn!("the player is too slow: {} messages lost", lost.items);
        }
        let header = self.header;
        let admitted =
            batch.iter().filter(|message| header.is_none_or(|header| header.admits(message.kind)));
        self.queue.extend(admitted.map(|message| message.bytes.clone()));
        self.queued += batch.bytes();
        let taken = batch.len();
        drop(batch);
        self.reader.advance(taken);
        Poll::Ready(true)
    }

    /// Why nothing of the stream can go out, as it is published now.
    fn refused(&self) -> Option<String> {
        let stream = &self.client.stream;
        // What a publisher had who is gone says nothing of the next.
        let is_live = self.shared.hub.stream(&stream.key).is_some_and(|stats| stats.is_active());
        is_live.then(|| self.format.refuses(&stream.media)).flatten()
    }

    /// Whether the stream may begin to go out, and the header in front of it.
    fn begin(&mut self) -> Option<Option<Bytes>> {
        match &mut self.header {
            None => Some(None),
            Some(header) => {
                let is_late = self.is_over || self.queued >= HEADER_WAIT_BYTES;
                header.decide(&self.client.stream.media, is_late).map(Some)
            }
        }
    }
}

impl<F: Send + Sync + 'static> http_body::Body for LiveBody<F> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let span = this.span.clone();
        let _entered = span.enter();
        while let Some(watch) = &mut this.watch {
            let mut is_due = false;
            while watch.poll_tick(cx).is_ready() {
                is_due = true;
            }
            if is_due {
                // Hyper flushes after each poll; it reads no further while a request is unread.
                this.client.doubt();
                // Nor is the client kept waiting for what can't come.
                if let Some(why) = this.refused() {
                    info!(stream = %this.client.stream.key, "http play ended: {why}");
                    return Poll::Ready(None);
                }
            }
            if !this.queue.is_empty()
                && let Some(header) = this.begin()
            {
                this.watch = None;
                if let Some(header) = header {
                    return Poll::Ready(Some(Ok(Frame::data(header))));
                }
            } else if !ready!(this.poll_queue(cx)) {
                // A stream that was too short to show what it has goes out all the same.
                if this.queue.is_empty() {
                    return Poll::Ready(None);
                }
                this.is_over = true;
            }
        }
        while this.queue.is_empty() {
            if !ready!(this.poll_queue(cx)) {
                return Poll::Ready(None);
            }
        }
        this.queued = 0;
        Poll::Ready(this.queue.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }
}
