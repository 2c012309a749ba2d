//! The port of live streams and files.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Extension, Path, Request, State},
    http::{Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
    routing::any,
};
use rtmp_proto::url::{self, StreamAddress};

use super::{Connection, files::Files, live::Asked, pages::Page};
use crate::{live::Vhost, server::Shared};

/// Whom a request is for.
#[derive(Debug)]
pub(super) struct Target {
    /// The vhost that the query or else the host names; `None` where there is none for it.
    pub(super) vhost: Option<Arc<Vhost>>,
    /// The host as the client named it, without port.
    pub(super) host: String,
    /// The host as the client named it, with its port.
    authority: String,
    /// The query, with its mark.
    query: String,
    /// The page that embeds the player.
    pub(super) page_url: String,
}

impl Target {
    fn new(shared: &Shared, request: &Request) -> Self {
        let text = |name| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        let mut target = Self {
            vhost: None,
            host: String::new(),
            // An address with a host counts more than the header (RFC 9112, 3.2.2).
            authority: match request.uri().authority() {
                Some(authority) => authority.to_string(),
                None => text(header::HOST),
            },
            query,
            page_url: text(header::REFERER),
        };
        // Whatever the stream is: host and query name the vhost.
        if let Some((_, address)) = target.resolve("-", "-") {
            target.vhost = shared.vhost(&address.vhost);
            target.host = address.host;
        }
        target
    }

    /// The stream of this name, and the URL of its app.
    pub(super) fn resolve(&self, app: &str, stream: &str) -> Option<(String, StreamAddress)> {
        // The same rules as for RTMP's clients, whose addresses these are but for the scheme.
        let tc_url = format!("rtmp://{}/{app}", self.authority);
        let address = url::resolve(&tc_url, app, &format!("{stream}{}", self.query)).ok()?;
        Some((format!("http://{}/{app}", self.authority), address))
    }
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/", any(serve)).route("/{*path}", any(serve)).with_state(shared)
}

/// Serves a live stream, or a file. Where a path could be both, it is the stream while that is
/// published, else the file; and where neither is there, the stream, for which players wait.
async fn serve(
    State(shared): State<Arc<Shared>>,
    Extension(connection): Extension<Connection>,
    path: Option<Path<String>>,
    request: Request,
) -> Response {
    const ALLOWED: &str = "GET, HEAD, OPTIONS";
    let is_head = match *request.method() {
        Method::GET => false,
        Method::HEAD => true,
        Method::OPTIONS => return [(header::ALLOW, ALLOWED)].into_response(),
        _ => {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, ALLOWED)]).into_response();
        }
    };
    // HTTP/1.0 knows no chunks: there the end of the connection ends the body.
    let is_chunked = request.version() != Version::HTTP_10;
    let path = path.map_or(String::new(), |Path(path)| path);
    let target = Target::new(&shared, &request);
    let files = Files::of(&shared, &target, request.uri());
    if let Some(asked) = Asked::new(&shared, &target, &path) {
        let is_file = !asked.is_live(&shared) && files.have(&path).await;
        match (is_file, is_head) {
            (true, _) => {}
            (false, true) => return asked.head(),
            (false, false) => return asked.play(&shared, connection, is_chunked).await,
        }
    }
    // Whoever has files of these names has pages of his own.
    if let Some(page) = Page::at(&path)
        && !files.have(&path).await
    {
        return page.serve(&request);
    }
    files.serve(&path, request).await
}
