//! Live streams.

use std::{any::type_name, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use stream_hub::StreamStats;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Code},
    query::{Id, Page},
    vhosts::Kbps,
};
use crate::{
    live::LiveStream,
    media::{Frame, RtpItem},
    server::Shared,
    system::wall_clock_ms,
};

/// A stream that somebody publishes or plays.
#[derive(Debug, Serialize, ToSchema)]
struct StreamFacts {
    id: String,
    name: String,
    /// The vhost's id.
    vhost: String,
    app: String,
    /// The URL that its publisher connected to.
    #[serde(rename = "tcUrl")]
    tc_url: String,
    url: String,
    /// The server's wall clock, not the stream's age.
    live_ms: i64,
    /// Publisher and players now.
    clients: usize,
    /// Video frames so far.
    frames: u64,
    /// Bytes sent to its clients so far.
    send_bytes: u64,
    /// Bytes received from them.
    recv_bytes: u64,
    kbps: Kbps,
    publish: Publish,
    video: Option<Video>,
    audio: Option<Audio>,
    /// Which way it is bridged now, if anybody plays it by other means than it is published by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bridge: Option<&'static str>,
}

/// Who publishes a stream.
#[derive(Debug, Serialize, ToSchema)]
struct Publish {
    /// Whether it is published now.
    active: bool,
    /// The latest publisher's client id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cid: Option<String>,
}

/// A stream's video.
#[derive(Debug, Serialize, ToSchema)]
struct Video {
    codec: String,
    profile: String,
    level: String,
    width: u32,
    height: u32,
}

/// A stream's audio.
#[derive(Debug, Serialize, ToSchema)]
struct Audio {
    codec: String,
    sample_rate: u32,
    channel: usize,
    profile: String,
}

impl StreamFacts {
    fn new(shared: &Shared, stream: &LiveStream) -> Self {
        let published = stream.published();
        let media = &stream.media;
        Self {
            id: stream.id.clone(),
            name: stream.key.name().to_owned(),
            vhost: stream.vhost.id.clone(),
            app: stream.key.app().to_owned(),
            tc_url: published.tc_url,
            url: stream.url(),
            live_ms: wall_clock_ms(),
            clients: stream.meter.clients(),
            frames: media.frames(),
            send_bytes: stream.meter.sent(),
            recv_bytes: stream.meter.received(),
            kbps: Kbps::of(&stream.meter),
            // What nobody publishes has no codecs.
            video: media.video().filter(|_| published.is_active).map(|video| Video {
                codec: video.codec,
                profile: video.profile,
                level: video.level,
                width: video.width,
                height: video.height,
            }),
            audio: media.audio().filter(|_| published.is_active).map(|audio| Audio {
                codec: audio.codec,
                sample_rate: audio.sample_rate,
                channel: audio.channels,
                profile: audio.profile,
            }),
            publish: Publish { active: published.is_active, cid: published.client },
            bridge: bridge(shared, stream),
        }
    }
}

/// Which way a stream is bridged: a lane of the other sort is made from the publisher's.
fn bridge(shared: &Shared, stream: &LiveStream) -> Option<&'static str> {
    let stats = shared.hub.stream(&stream.key).filter(StreamStats::is_active)?;
    let is_made =
        |item: &str| stats.lanes.iter().any(|lane| lane.item_type == item && lane.source.is_none());
    let ways = [(type_name::<RtpItem>(), "rtmp_to_rtc"), (type_name::<Frame>(), "rtc_to_rtmp")];
    ways.into_iter().find(|(item, _)| is_made(item)).map(|(_, way)| way)
}

/// Streams, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
struct StreamList {
    /// How many there are in all.
    total: usize,
    streams: Vec<StreamFacts>,
}

/// One stream.
#[derive(Debug, Serialize, ToSchema)]
struct OneStream {
    stream: StreamFacts,
}

/// Streams, the oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/streams",
    params(Page),
    responses((status = 200, body = Answer<StreamList>))
)]
pub(super) async fn list(State(shared): State<Arc<Shared>>, page: Page) -> Response {
    shared.clients.refresh();
    let streams = shared.streams.page(page.start, page.count);
    let body = StreamList {
        total: shared.streams.count(),
        streams: streams.iter().map(|stream| StreamFacts::new(&shared, stream)).collect(),
    };
    Answer::new(&shared, body).into_response()
}

/// One stream; code 2048 where there is none.
#[utoipa::path(
    get,
    path = "/api/v1/streams/{id}",
    params(("id" = String, Path, description = "The stream's id")),
    responses((status = 200, body = Answer<OneStream>))
)]
pub(super) async fn one(State(shared): State<Arc<Shared>>, Id(id): Id) -> Response {
    shared.clients.refresh();
    match shared.streams.find(&id) {
        Some(stream) => {
            Answer::new(&shared, OneStream { stream: StreamFacts::new(&shared, &stream) })
                .into_response()
        }
        None => Code::StreamNotFound.into_response(),
    }
}
