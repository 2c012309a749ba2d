//! The HTTP client.

use std::{
    collections::HashMap,
    error::Error,
    io::{self, ErrorKind},
    iter::successors,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::{Response, Url, header::CONTENT_TYPE, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::sync::Semaphore;
use tracing::warn;

use super::{
    Post, Posting,
    reply::{MAX_BODY, Reply},
};

/// How long a connection is kept for the next call: most hook servers close theirs after two
/// seconds or more.
const KEEP: Duration = Duration::from_millis(1500);
/// Connections kept for the next calls, per hook server.
const KEPT: usize = 64;
/// How long no connection is kept after one broke that was.
const DISTRUST: Duration = Duration::from_secs(60);
/// Calls at one time per hook server: as many open files, which the clients need too.
const MAX_CALLS: usize = 512;

/// An HTTP client that keeps connections, where that goes well, and verifies certificates.
///
/// Some servers close a connection after each answer and don't say so, and any server may just be
/// closing one that was kept. A call that finds its connection closed before any answer is made
/// once more on a new one, and for a while each call gets a new one.
#[derive(Default)]
pub(super) struct Client {
    /// Made for the first call: most servers have no hooks, and root certificates take memory and
    /// time to read.
    http: OnceLock<Result<Http, String>>,
    /// By scheme, host and port; as many as the configuration names.
    servers: Mutex<HashMap<String, Arc<Server>>>,
}

#[derive(Debug, Clone)]
struct Http {
    /// Keeps connections.
    keeping: reqwest::Client,
    /// Makes a connection for each call.
    fresh: reqwest::Client,
}

/// A hook server.
#[derive(Debug)]
struct Server {
    calls: Semaphore,
    habits: Mutex<Habits>,
}

#[derive(Debug, Default)]
struct Habits {
    /// When it last answered on a connection that was then kept.
    answered: Option<Instant>,
    /// When a connection broke that was kept.
    broke: Option<Instant>,
}

impl Client {
    fn http(&self) -> Result<Http, String> {
        self.http.get_or_init(Http::new).clone()
    }

    fn server(&self, url: &Url) -> Arc<Server> {
        let name = url.origin().ascii_serialization();
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Server { calls: Semaphore::new(MAX_CALLS), habits: Mutex::default() };
        servers.entry(name).or_insert_with(|| Arc::new(new())).clone()
    }
}

impl Post for Client {
    fn post(&self, url: &str, body: Bytes) -> Posting {
        let url = Url::parse(url).map_err(|error| format!("no URL: {error}"));
        let prepared = url.and_then(|url| Ok((self.http()?, self.server(&url), url)));
        Box::pin(async move {
            let (http, server, url) = prepared?;
            let _turn = server.calls.acquire().await.map_err(|error| error.to_string())?;
            if server.keeps() {
                let begun = Instant::now();
                match send(&http.keeping, url.clone(), body.clone()).await {
                    Ok(reply) => {
                        server.habits().answered = Some(Instant::now());
                        return Ok(reply);
                    }
                    Err(error) if is_closed(&error) && server.breaks(begun) => {}
                    Err(error) => return Err(whole(error)),
                }
            }
            send(&http.fresh, url, body).await.map_err(whole)
        })
    }
}

impl Server {
    /// Whether connections are kept.
    fn keeps(&self) -> bool {
        self.habits().broke.is_none_or(|at| at.elapsed() > DISTRUST)
    }

    /// Notes that a call found its connection closed; `true` if that may be one that was kept.
    fn breaks(&self, begun: Instant) -> bool {
        let mut habits = self.habits();
        let was_kept = habits.answered.is_some_and(|at| at + KEEP >= begun);
        if was_kept {
            habits.broke = Some(Instant::now());
        }
        was_kept
    }

    fn habits(&self) -> MutexGuard<'_, Habits> {
        self.habits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Http {
    /// Clients that verify certificates by the system's root certificates, or those that
    /// `SSL_CERT_FILE` names.
    fn new() -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        for error in &native.errors {
            warn!("some root certificates cannot be read: {error}");
        }
        roots.add_parsable_certificates(native.certs);
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = |kept| {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("srs-server/", env!("CARGO_PKG_VERSION")))
                // What the configuration names is called, and nobody else.
                .redirect(Policy::none())
                .no_proxy()
                .tcp_nodelay(true)
                .pool_idle_timeout(KEEP)
                .pool_max_idle_per_host(kept)
                .build()
                .map_err(whole)
        };
        Ok(Self { keeping: client(KEPT)?, fresh: client(0)? })
    }
}

async fn send(http: &reqwest::Client, url: Url, body: Bytes) -> Result<Reply, reqwest::Error> {
    let request = http.post(url).header(CONTENT_TYPE, "application/json").body(body);
    let response = request.send().await?;
    let status = response.status().as_u16();
    Ok(Reply { status, body: read(response).await? })
}

/// Whether the other side closed the connection before it answered.
fn is_closed(error: &reqwest::Error) -> bool {
    let mut causes = successors(error.source(), |&cause: &&(dyn Error + 'static)| cause.source());
    error.is_request() && !error.is_connect() && causes.any(is_closure)
}

fn is_closure(cause: &(dyn Error + 'static)) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message();
    }
    let error = cause.downcast_ref::<io::Error>();
    error.is_some_and(|error| {
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
    })
}

/// Reads a body; `None` if it is too long.
async fn read(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// An error with its causes; the URL is told by who called.
fn whole(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
