//! Live streams over HTTP, in the format that the path's extension says.

mod flv_header;
mod format;
mod mount;
mod player;

use std::{convert::Infallible, pin::Pin, sync::Arc, task::Poll};

use axum::{
    Extension,
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body::Frame;
use srs_config::Action;
use stream_hub::{OnUnpublish, Start, StreamKey, SubscribeError, SubscribeOptions, Variant};
use tokio::time::Instant;
use tracing::{info, warn};

pub(super) use self::player::Play;
use self::{flv_header::FlvHeader, format::Format, player::Player};
use super::{Connection, handover::Handover, media::Target};
use crate::{
    hooks::{ConnectionFacts, HookSession, StreamFacts, Told},
    live::{ClientGuard, ClientKind, Feed, Identity, LiveStream, Vhost, check_access},
    media::{Aac, Flv, Mp3, Ts, Wire, chunked},
    net::Outlet,
    rtmp::read_options,
    server::Shared,
};

/// A live stream that a request names.
pub(super) struct Asked {
    vhost: Arc<Vhost>,
    key: StreamKey,
    format: Format,
    /// The query, with its mark.
    param: String,
    tc_url: String,
    page_url: String,
}

/// What the hook servers allowed; they are told of its end with this.
struct Allowed {
    _told: Told,
    _session: HookSession,
}

impl Asked {
    /// The stream that a request names, which may not be published; `None` where the vhost has no
    /// live streams at such a path.
    pub(super) fn new(shared: &Shared, target: &Target, path: &str) -> Option<Self> {
        let vhost = target.vhost.clone()?;
        let remux = &vhost.settings.http_remux;
        // Names that are no plain text would be trouble wherever they are written.
        let is_odd = path.contains(|c: char| c.is_control() || c == '\\')
            || path.split('/').any(|segment| matches!(segment, "." | ".."));
        if !remux.enabled || is_odd {
            return None;
        }
        let found = mount::find(remux, &vhost.name, &target.host, path)?;
        let known = match found {
            mount::Found { app: Some(_), stream: Some(_), .. } => None,
            _ => any_live(shared, &vhost, found.app, found.stream),
        };
        let (tc_url, address) = match &known {
            Some(key) => target.resolve(key.app(), key.name())?,
            // As long as nothing of it lives, the path's own names stand for what isn't said.
            None => {
                let whole = path.rsplit_once('.').map_or(path, |(whole, _)| whole);
                let (app, stream) = whole.rsplit_once('/').unwrap_or(("", whole));
                target.resolve(found.app.unwrap_or(app), found.stream.unwrap_or(stream))?
            }
        };
        let key = StreamKey::new(&*vhost.name, address.app, address.stream);
        let (format, param, page_url) = (found.format, address.param, target.page_url.clone());
        Some(Self { vhost, key, format, param, tc_url, page_url })
    }

    /// Whether the stream is published.
    pub(super) fn is_live(&self, shared: &Shared) -> bool {
        shared.hub.stream(&self.key).is_some_and(|stream| stream.is_active())
    }

    /// The head for a player that probes: it doesn't count as a viewer, nor starts the stream's
    /// work.
    pub(super) fn head(&self) -> Response {
        self.response(Body::new(UnknownLength))
    }

    /// Plays the stream, once the hook servers allow it: the head goes out at once, even where
    /// nobody publishes yet.
    pub(super) async fn play(
        self,
        shared: &Arc<Shared>,
        connection: Connection,
        is_chunked: bool,
    ) -> Response {
        let now = Instant::now().into_std();
        let stream = shared.streams.open(&self.key, &self.vhost, now, || shared.new_id());
        if self.is_live(shared)
            && let Some(why) = self.format.refuses(&stream.media)
        {
            return (StatusCode::NOT_FOUND, format!("{why}\n")).into_response();
        }
        let settings = &self.vhost.settings;
        if let Err(error) = check_access(settings, Action::Play, connection.ip, &self.page_url) {
            warn!(stream = %self.key, code = error.code(), "http play denied: {error}");
            return (StatusCode::FORBIDDEN, "denied\n").into_response();
        }
        let allowed = match self.ask(shared, &connection, &stream).await {
            Ok(allowed) => allowed,
            Err(error) => {
                warn!(stream = %self.key, code = error.code(), "http play denied by a hook server: {error}");
                return (StatusCode::FORBIDDEN, "denied\n").into_response();
            }
        };
        let header = FlvHeader::new(&self.vhost.settings.http_remux);
        let connection = &connection;
        let handover = match self.format {
            Format::Flv => {
                self.begin::<Flv>(shared, connection, stream, allowed, Some(header), is_chunked)
            }
            Format::Ts => self.begin::<Ts>(shared, connection, stream, allowed, None, is_chunked),
            Format::Aac => self.begin::<Aac>(shared, connection, stream, allowed, None, is_chunked),
            Format::Mp3 => self.begin::<Mp3>(shared, connection, stream, allowed, None, is_chunked),
        };
        match handover {
            Ok(handover) => (Extension(handover), self.response(Body::empty())).into_response(),
            Err(error) => {
                warn!(stream = %self.key, "http play refused: {error}");
                (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
            }
        }
    }

    /// How the stream is read in this format.
    fn options(&self, is_chunked: bool) -> SubscribeOptions {
        let on_unpublish = OnUnpublish::End;
        let options = SubscribeOptions { on_unpublish, ..read_options(&self.vhost) };
        let options = match self.format {
            Format::Flv | Format::Ts => options,
            // Sound has no groups of pictures: how much of it comes at once is said in seconds.
            Format::Aac | Format::Mp3 => SubscribeOptions {
                start: Start::LatestJoinPoint,
                max_replay: u64::MAX,
                variant: Variant(self.vhost.settings.http_remux.fast_cache.into()),
                ..options
            },
        };
        let variant = options.variant;
        SubscribeOptions { variant: if is_chunked { chunked(variant) } else { variant }, ..options }
    }

    /// Begins to play the stream in the form `F`.
    fn begin<F: Send + Sync + 'static>(
        &self,
        shared: &Arc<Shared>,
        connection: &Connection,
        stream: Arc<LiveStream>,
        allowed: Allowed,
        header: Option<FlvHeader>,
        is_chunked: bool,
    ) -> Result<Handover, SubscribeError> {
        let options = self.options(is_chunked);
        let reader =
            shared.hub.subscribe::<Wire<F>>(&self.key, options, Some(&connection.group))?;
        let client = self.join(shared, connection, stream);
        let feed = Feed::new(reader, client, Outlet::Http, connection.residence.clone());
        let player = Player::new(feed, self.format, header, is_chunked, allowed, shared);
        Ok(Handover::new(player))
    }

    fn response(&self, body: Body) -> Response {
        let head = [
            (header::CONTENT_TYPE, self.format.content_type()),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        (head, body).into_response()
    }

    /// Asks the vhost's hook servers.
    async fn ask(
        &self,
        shared: &Shared,
        connection: &Connection,
        stream: &LiveStream,
    ) -> Result<Allowed, crate::hooks::HookError> {
        let facts = ConnectionFacts {
            client_id: connection.id.clone(),
            ip: connection.ip,
            link: connection.link.clone(),
        };
        let session = shared.hooks.session(&self.vhost.settings.http_hooks, facts);
        let facts = StreamFacts {
            vhost: self.vhost.name.clone(),
            app: self.key.app().to_owned(),
            stream: self.key.name().to_owned(),
            param: self.param.clone(),
            // As SRS has it: hook servers look for an app in it as in an RTMP client's.
            tc_url: format!("rtmp://{}/{}", self.vhost.name, self.key.app()),
            page_url: self.page_url.clone(),
            stream_url: stream.url(),
            stream_id: stream.id.clone(),
        };
        let told = session.play(facts).await?;
        Ok(Allowed { _told: told, _session: session })
    }

    fn join(
        &self,
        shared: &Shared,
        connection: &Connection,
        stream: Arc<LiveStream>,
    ) -> ClientGuard {
        info!(ip = %connection.ip, stream = %self.key, format = ?self.format, "http play");
        shared.clients.join(
            Identity {
                id: connection.id.clone(),
                ip: connection.ip,
                kind: ClientKind::FlvPlay,
                page_url: self.page_url.clone(),
                swf_url: String::new(),
                tc_url: self.tc_url.clone(),
            },
            stream,
            connection.link.clone(),
            Instant::now().into_std(),
        )
    }
}

/// The oldest stream of a vhost that is published, of this app and this name where they are given.
fn any_live(
    shared: &Shared,
    vhost: &Vhost,
    app: Option<&str>,
    name: Option<&str>,
) -> Option<StreamKey> {
    let is_meant = |key: &StreamKey| {
        key.vhost() == vhost.name
            && app.is_none_or(|app| key.app() == app)
            && name.is_none_or(|name| key.name() == name)
    };
    let mut streams = shared.streams.page(0, usize::MAX).into_iter();
    let stream = streams.find(|stream| {
        is_meant(&stream.key) && shared.hub.stream(&stream.key).is_some_and(|s| s.is_active())
    })?;
    Some(stream.key.clone())
}

/// Bytes of a player.
#[cfg(test)]
pub(super) const PLAYER_SIZE: usize = size_of::<Player<Flv>>();

/// A body of no bytes that doesn't say so: the length of a live stream isn't known.
struct UnknownLength;

impl http_body::Body for UnknownLength {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}
