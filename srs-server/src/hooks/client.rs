//! The HTTP client.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
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

/// How long a connection is kept for the next call. Hook servers close theirs after two seconds
/// or more; a call on a connection that the other side is just closing would fail, and with it
/// the client.
const KEEP: Duration = Duration::from_millis(1500);
/// Connections kept for the next calls, per hook server.
const KEPT: usize = 64;
/// Calls at one time per hook server: as many open files, which the clients need too.
const MAX_CALLS: usize = 512;

/// An HTTP client that keeps connections and verifies certificates.
#[derive(Default)]
pub(super) struct Client {
    /// Made for the first call: most servers have no hooks, and root certificates take memory and
    /// time to read.
    http: OnceLock<Result<reqwest::Client, String>>,
    /// The calls that each hook server may still get, by scheme, host and port. As many as the
    /// configuration names.
    calls: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Client {
    fn http(&self) -> Result<reqwest::Client, String> {
        self.http.get_or_init(http).clone()
    }

    fn calls(&self, url: &Url) -> Arc<Semaphore> {
        let server = url.origin().ascii_serialization();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.entry(server).or_insert_with(|| Arc::new(Semaphore::new(MAX_CALLS))).clone()
    }
}

impl Post for Client {
    fn post(&self, url: &str, body: Bytes) -> Posting {
        let url = Url::parse(url).map_err(|error| format!("no URL: {error}"));
        let prepared = url.and_then(|url| {
            let calls = self.calls(&url);
            let request = self.http()?.post(url).header(CONTENT_TYPE, "application/json");
            Ok((calls, request.body(body)))
        });
        Box::pin(async move {
            let (calls, request) = prepared?;
            let _turn = calls.acquire_owned().await.map_err(|error| error.to_string())?;
            let response = request.send().await.map_err(whole)?;
            let status = response.status().as_u16();
            Ok(Reply { status, body: read(response).await.map_err(whole)? })
        })
    }
}

/// A client that verifies certificates by the system's root certificates, or those that
/// `SSL_CERT_FILE` names.
fn http() -> Result<reqwest::Client, String> {
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
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("srs-server/", env!("CARGO_PKG_VERSION")))
        // What the configuration names is called, and nobody else.
        .redirect(Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .pool_idle_timeout(KEEP)
        .pool_max_idle_per_host(KEPT)
        .build()
        .map_err(whole)
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
