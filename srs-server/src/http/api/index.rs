//! What there is: indexes, versions, features, and tests of clients.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Code, Data, Outcome},
    request::Original,
};
use crate::{server::Shared, system::wall_clock_ms};

/// What is below a path, by name.
type Names = BTreeMap<&'static str, &'static str>;

/// What is below the root.
#[derive(Debug, Serialize, ToSchema)]
struct RootIndex {
    urls: RootUrls,
}

#[derive(Debug, Serialize, ToSchema)]
struct RootUrls {
    api: &'static str,
}

/// The root.
#[utoipa::path(get, path = "/", responses((status = 200, body = Answer<RootIndex>)))]
pub(super) async fn root(State(shared): State<Arc<Shared>>) -> Response {
    let urls = RootUrls { api: "the API" };
    Answer::new(&shared, RootIndex { urls }).into_response()
}

/// What is below a path.
#[derive(Debug, Serialize, ToSchema)]
struct Index {
    urls: Names,
}

/// The API's versions.
#[utoipa::path(get, path = "/api", responses((status = 200, body = Answer<Index>)))]
pub(super) async fn api(State(shared): State<Arc<Shared>>) -> Response {
    let urls = BTreeMap::from([("v1", "version 1 of the API")]);
    Answer::new(&shared, Index { urls }).into_response()
}

/// What version 1 of the API has.
#[derive(Debug, Serialize, ToSchema)]
struct Endpoints {
    urls: Names,
    tests: Names,
}

/// The API's endpoints.
#[utoipa::path(get, path = "/api/v1", responses((status = 200, body = Answer<Endpoints>)))]
pub(super) async fn v1(State(shared): State<Arc<Shared>>) -> Response {
    let urls = BTreeMap::from([
        ("versions", "the server's version"),
        ("summaries", "the process and the machine in short"),
        ("rusages", "what the process has used, as getrusage tells"),
        ("self_proc_stats", "the process, as /proc/self/stat tells"),
        ("system_proc_stats", "the machine's CPU time, as /proc/stat tells"),
        ("meminfos", "the machine's memory"),
        ("authors", "licence and contributors"),
        ("features", "what this server can do"),
        ("requests", "the request itself, to test clients"),
        ("vhosts", "all vhosts, or one by its id"),
        ("streams", "all streams, or one by its id; ?start=0&count=10"),
        ("clients", "all clients, or one by its id; ?start=0&count=10; DELETE closes one"),
        ("raw", "configuration: ?rpc=raw, reload or reload-fetch"),
        ("clusters", "where a stream is published: ?vhost=&app=&stream="),
        ("openapi.json", "the description of this API"),
    ]);
    let tests = BTreeMap::from([
        ("requests", "the request itself"),
        ("errors", "always code 100"),
        ("redirects", "always a redirect to errors"),
    ]);
    Answer::new(&shared, Endpoints { urls, tests }).into_response()
}

/// The server's version.
#[derive(Debug, Serialize, ToSchema)]
struct Version {
    major: u32,
    minor: u32,
    revision: u32,
    version: &'static str,
}

/// The server's version.
#[utoipa::path(get, path = "/api/v1/versions", responses((status = 200, body = Answer<Data<Version>>)))]
pub(super) async fn versions(State(shared): State<Arc<Shared>>) -> Response {
    let number = |text: &str| text.parse().unwrap_or(0);
    let data = Version {
        major: number(env!("CARGO_PKG_VERSION_MAJOR")),
        minor: number(env!("CARGO_PKG_VERSION_MINOR")),
        revision: number(env!("CARGO_PKG_VERSION_PATCH")),
        version: env!("CARGO_PKG_VERSION"),
    };
    Answer::new(&shared, Data { data }).into_response()
}

/// Who made it.
#[derive(Debug, Serialize, ToSchema)]
struct Authors {
    license: &'static str,
    contributors: &'static str,
}

/// Licence and contributors.
#[utoipa::path(get, path = "/api/v1/authors", responses((status = 200, body = Answer<Data<Authors>>)))]
pub(super) async fn authors(State(shared): State<Arc<Shared>>) -> Response {
    let data =
        Authors { license: env!("CARGO_PKG_LICENSE"), contributors: "the srs-server contributors" };
    Answer::new(&shared, Data { data }).into_response()
}

/// What was built.
#[derive(Debug, Serialize, ToSchema)]
struct Build {
    /// Options of the build.
    options: String,
    /// The same.
    options2: String,
    /// When it was built.
    build: &'static str,
    /// The same, in seconds since 1970.
    build2: String,
    features: Features,
}

/// What this server can do.
#[derive(Debug, Serialize, ToSchema)]
struct Features {
    ssl: bool,
    hls: bool,
    hds: bool,
    callback: bool,
    api: bool,
    httpd: bool,
    dvr: bool,
    transcode: bool,
    ingest: bool,
    stat: bool,
    caster: bool,
    complex_send: bool,
    tcp_nodelay: bool,
    so_sendbuf: bool,
    mr: bool,
}

/// What this server can do.
#[utoipa::path(get, path = "/api/v1/features", responses((status = 200, body = Answer<Data<Build>>)))]
pub(super) async fn features(State(shared): State<Arc<Shared>>) -> Response {
    let options = if cfg!(debug_assertions) { "debug" } else { "release" };
    let data = Build {
        options: options.to_owned(),
        options2: options.to_owned(),
        build: build_date(),
        build2: BUILT.timestamp().to_string(),
        features: Features {
            ssl: false,
            hls: false,
            hds: false,
            callback: true,
            api: true,
            httpd: true,
            dvr: false,
            transcode: false,
            ingest: false,
            stat: true,
            caster: false,
            complex_send: true,
            tcp_nodelay: true,
            so_sendbuf: true,
            mr: true,
        },
    };
    Answer::new(&shared, Data { data }).into_response()
}

/// When the program was built: a build says so itself, or its file does.
static BUILT: LazyLock<DateTime<Utc>> = LazyLock::new(|| {
    let told = option_env!("SOURCE_DATE_EPOCH").and_then(|text| text.parse().ok());
    let file = || std::env::current_exe()?.metadata()?.modified();
    told.and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .or_else(|| file().ok().map(DateTime::from))
        .unwrap_or_default()
});

/// When the program was built, for people.
pub(crate) fn build_date() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| BUILT.format("%Y-%m-%d %H:%M:%S").to_string());
    &TEXT
}

/// A request as the server saw it.
#[derive(Debug, Serialize, ToSchema)]
struct Echo {
    uri: String,
    path: String,
    #[serde(rename = "METHOD")]
    method: String,
    headers: ServerFacts,
}

/// What the server says of itself; SRS tells it in the place of the request's headers.
#[derive(Debug, Serialize, ToSchema)]
struct ServerFacts {
    /// The name is SRS's.
    sigature: &'static str,
    version: &'static str,
    link: &'static str,
    /// The wall clock, ms.
    time: i64,
}

/// The request itself.
#[utoipa::path(get, path = "/api/v1/requests", responses((status = 200, body = Answer<Data<Echo>>)))]
pub(super) async fn requests(
    State(shared): State<Arc<Shared>>,
    Extension(original): Extension<Original>,
    headers: HeaderMap,
) -> Response {
    Answer::new(&shared, Data { data: Echo::new(&original, &headers) }).into_response()
}

/// The request itself.
#[utoipa::path(get, path = "/api/v1/tests/requests", responses((status = 200, body = Answer<Data<Echo>>)))]
pub(super) async fn test_requests(
    State(shared): State<Arc<Shared>>,
    Extension(original): Extension<Original>,
    headers: HeaderMap,
) -> Response {
    Answer::new(&shared, Data { data: Echo::new(&original, &headers) }).into_response()
}

impl Echo {
    fn new(Original { method, uri }: &Original, headers: &HeaderMap) -> Self {
        let host = headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        Self {
            uri: format!("http://{}{}{query}", host.unwrap_or_default(), uri.path()),
            path: uri.path().to_owned(),
            method: method.to_string(),
            headers: ServerFacts {
                sigature: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                link: env!("CARGO_PKG_REPOSITORY"),
                time: wall_clock_ms(),
            },
        }
    }
}

/// Code 100, to test clients.
#[utoipa::path(get, path = "/api/v1/tests/errors", responses((status = 200, body = Outcome)))]
pub(super) async fn test_errors() -> Code {
    Code::Test
}

/// A redirect, to test clients.
#[utoipa::path(
    get,
    path = "/api/v1/tests/redirects",
    responses((status = 301, description = "Always, to `/api/v1/tests/errors`"))
)]
pub(super) async fn test_redirects() -> Response {
    let to = [(header::LOCATION, "/api/v1/tests/errors")];
    (StatusCode::MOVED_PERMANENTLY, to, Json(())).into_response()
}
