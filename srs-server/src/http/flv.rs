//! HTTP-FLV: `GET /{app}/{stream}.flv`.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Extension, Path, RawQuery, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::{Bytes, BytesMut};
use flv_mux::TagKind;
use http_body::Frame;
use rtmp_proto::url;
use stream_hub::{OnUnpublish, Reader, StreamKey, SubscribeOptions};
use tokio::time::{Instant, Interval, interval};
use tracing::{Span, info, warn};

use super::Connection;
use crate::{
    hooks::{ConnectionFacts, HookSession, StreamFacts, Told},
    live::{ClientGuard, ClientKind, Identity},
    media::FlvTag,
    rtmp::read_options,
    server::Shared,
};

/// Most bytes taken from the ring at once; what is taken is held until the client has it.
const BATCH: usize = 64 * 1024;
/// How often a connection that waits for a publisher looks whether its client is there still.
const WATCH: Duration = Duration::from_secs(5);
/// Most bytes held back while the header waits for audio and video to show.
const HEADER_WAIT_BYTES: usize = 1024 * 1024;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/{*path}", get(play)).with_state(shared)
}

async fn play(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    method: Method,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some((app, name)) = path.strip_suffix(".flv").and_then(|path| path.rsplit_once('/')) else {
        return (StatusCode::NOT_FOUND, "no such file; a live stream is at /{app}/{stream}.flv\n")
            .into_response();
    };
    let head = [(header::CONTENT_TYPE, "video/x-flv"), (header::CACHE_CONTROL, "no-cache")];
    // A player that probes must not count as a viewer, nor start the stream's work.
    if method == Method::HEAD {
        return (head, Body::new(UnknownLength)).into_response();
    }
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let tc_url = format!("http://{}/{app}", text(header::HOST));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let address = match url::resolve(&tc_url, app, &format!("{name}{query}")) {
        Ok(address) => address,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let Some(vhost) =
        shared.vhost(&address.vhost).filter(|vhost| vhost.settings.http_remux.enabled)
    else {
        return (StatusCode::NOT_FOUND, format!("no vhost {}\n", address.vhost)).into_response();
    };
    let key = StreamKey::new(&*vhost.name, address.app, address.stream);
    let now = Instant::now().into_std();
    let stream = shared.streams.open(&key, &vhost, now, || shared.new_id());
    let facts = StreamFacts {
        vhost: vhost.name.clone(),
        app: key.app().to_owned(),
        stream: key.name().to_owned(),
        param: address.param,
        // As SRS has it: hook servers look for an app in it as in an RTMP client's.
        tc_url: format!("rtmp://{}/{}", vhost.name, key.app()),
        page_url: text(header::REFERER).to_owned(),
        stream_url: stream.url(),
        stream_id: stream.id.clone(),
    };
    let hooks = shared.hooks.session(
        &vhost.settings.http_hooks,
        ConnectionFacts {
            client_id: connection.id.clone(),
            ip: connection.ip,
            link: connection.link.clone(),
        },
    );
    let told = match hooks.play(facts).await {
        Ok(told) => told,
        Err(error) => {
            warn!(stream = %key, "http-flv play denied by a hook server: {error}");
            return (StatusCode::FORBIDDEN, "denied\n").into_response();
        }
    };
    let options = SubscribeOptions { on_unpublish: OnUnpublish::End, ..read_options(&vhost) };
    let reader = match shared.hub.subscribe(&key, options, Some(&connection.group)) {
        Ok(reader) => reader,
        Err(error) => {
            warn!(stream = %key, "http-flv play refused: {error}");
            return (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response();
        }
    };
    let now = Instant::now().into_std();
    info!(ip = %connection.ip, stream = %key, "http-flv play");
    let client = shared.clients.join(
        Identity {
            id: connection.id,
            ip: connection.ip,
            kind: ClientKind::FlvPlay,
            page_url: text(header::REFERER).to_owned(),
            swf_url: String::new(),
            tc_url,
        },
        stream,
        connection.link,
        connection.close,
        now,
    );
    let body = FlvBody {
        reader,
        is_fitted: false,
        client,
        shared,
        watch: Some(Box::new(interval(WATCH))),
        queue: VecDeque::new(),
        queued: 0,
        _told: (told, hooks),
        span: Span::current(),
    };
    (head, Body::new(body)).into_response()
}

/// A body of no bytes that doesn't say so: the length of a live stream isn't known.
struct UnknownLength;

impl http_body::Body for UnknownLength {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// The response's body: the FLV header as soon as its flags are known, then every tag.
struct FlvBody {
    reader: Reader<FlvTag>,
    client: ClientGuard,
    /// Whether the socket's send buffer was fitted to the stream.
    is_fitted: bool,
    shared: Arc<Shared>,
    /// As long as the header isn't sent: wakes the connection, which then looks for its client.
    watch: Option<Box<Interval>>,
    /// Tags taken from the ring and not yet given to the connection.
    queue: VecDeque<Bytes>,
    queued: usize,
    /// Tells the hook servers when the play is over.
    _told: (Told, HookSession),
    span: Span,
}

impl FlvBody {
    /// Takes what the ring has; `false` when the stream is over.
    fn poll_queue(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let batch = match ready!(self.reader.poll_batch(cx, BATCH)) {
            Ok(batch) => batch,
            Err(end) => {
                info!(stream = %self.client.stream.key, "http-flv play ended: {end}");
                return Poll::Ready(false);
            }
        };
        if !self.is_fitted {
            self.is_fitted = self.client.fit_send_buffer(self.shared.tuning.send_buffer);
        }
        if let Some(lost) = batch.gap() {
            warn!("the player is too slow: {} messages lost", lost.items);
        }
        self.queue.extend(batch.iter().map(|tag| tag.bytes.clone()));
        self.queued += batch.bytes();
        let taken = batch.len();
        drop(batch);
        self.reader.advance(taken);
        Poll::Ready(true)
    }

    /// The header, once it is known whether the stream has audio and video.
    fn header(&self) -> Option<Bytes> {
        let media = &self.client.stream.media;
        let (audio, video) = (media.has(TagKind::Audio), media.has(TagKind::Video));
        if !(audio && video || media.is_settled() || self.queued >= HEADER_WAIT_BYTES) {
            return None;
        }
        let mut header = BytesMut::with_capacity(flv_mux::mux::PREFIX_LEN);
        flv_mux::mux::encode_header(&mut header, audio, video);
        Some(header.freeze())
    }
}

impl http_body::Body for FlvBody {
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
            // Hyper flushes after each poll; it reads no further while a request is unread.
            while watch.poll_tick(cx).is_ready() {
                this.client.doubt();
            }
            if !this.queue.is_empty()
                && let Some(header) = this.header()
            {
                this.watch = None;
                return Poll::Ready(Some(Ok(Frame::data(header))));
            }
            if !ready!(this.poll_queue(cx)) {
                return Poll::Ready(None);
            }
        }
        if this.queue.is_empty() && !ready!(this.poll_queue(cx)) {
            return Poll::Ready(None);
        }
        this.queued = 0;
        Poll::Ready(this.queue.pop_front().map(|tag| Ok(Frame::data(tag))))
    }
}
