//! Files over HTTP: a vhost's own, or those of the whole server.

mod flv;

use std::path::{Component, Path, PathBuf};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, Uri, header, uri::PathAndQuery},
    response::{IntoResponse, Response},
};
use tower_http::services::ServeDir;
use tracing::warn;

use super::media::Target;
use crate::server::Shared;

/// The files that a request's path may name.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    /// The beginning of the path that stands for the directory, without a slash at its end.
    prefix: String,
}

impl Files {
    /// Those of the vhost where it has any at such a path, else those of the server.
    pub(super) fn of(shared: &Shared, target: &Target, uri: &Uri) -> Self {
        let of_vhost = target.vhost.as_ref().and_then(|vhost| {
            let files = &vhost.settings.http_static;
            let prefix = prefix(&files.mount, &vhost.name, &target.host)?;
            let is_within = uri.path().strip_prefix(&prefix).is_some_and(is_whole);
            (files.enabled && is_within).then(|| Self { dir: files.dir.clone(), prefix })
        });
        of_vhost.unwrap_or_else(|| Self {
            dir: shared.config().http_server.dir.clone(),
            prefix: String::new(),
        })
    }

    /// Whether there is a file at `path`, which is decoded and has no slash in front.
    pub(super) async fn have(&self, path: &str) -> bool {
        let Some(file) = self.file(path) else { return false };
        tokio::fs::metadata(file).await.is_ok_and(|metadata| metadata.is_file())
    }

    /// Answers a request for a file. Symbolic links are followed: who may write into the directory
    /// decides what is served.
    pub(super) async fn serve(&self, path: &str, mut request: Request) -> Response {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let value = |name| query.split('&').find_map(|part| part.strip_prefix(name));
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension).to_owned();
        if self.file(path).is_none() {
            return not_found();
        }
        if extension == "flv"
            && let Some(start) = value("start=").and_then(|start| start.parse().ok())
            && let Some(file) = self.file(path)
        {
            match flv::serve_from(&file, start, request.method()).await {
                Ok(Some(response)) => return response,
                // Nothing is left out: the file as it is.
                Ok(None) => {}
                Err(error) => return failed(path, &error),
            }
        }
        if extension == "mp4"
            && let Some(range) = value("range=")
        {
            let range = format!("bytes={}", range.trim_start_matches("bytes="));
            if let Ok(range) = HeaderValue::from_str(&range) {
                request.headers_mut().insert(header::RANGE, range);
            }
        }
        let Some(uri) = without(&self.prefix, request.uri()) else { return not_found() };
        *request.uri_mut() = uri;
        let mut service = ServeDir::new(&self.dir).redirect_path_prefix(self.prefix.as_str());
        let mut response = match service.try_call(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => return failed(path, &error),
        };
        if response.status() == StatusCode::NOT_FOUND {
            return not_found();
        }
        if let Some(content_type) = content_type(&extension)
            && response.status().is_success()
        {
            let value = HeaderValue::from_static(content_type);
            response.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        if matches!(&*extension, "m3u8" | "mpd") {
            // What lists a live stream's segments is old after a moment.
            let value = HeaderValue::from_static("no-cache");
            response.headers_mut().insert(header::CACHE_CONTROL, value);
        }
        response
    }

    /// The file at `path`; `None` where that leads out of the directory.
    fn file(&self, path: &str) -> Option<PathBuf> {
        let path = match self.prefix.strip_prefix('/') {
            Some(prefix) => path.strip_prefix(prefix)?,
            None => path,
        };
        let path = Path::new(path.trim_start_matches('/'));
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let has_odd = path.to_str().is_none_or(|path| path.contains(['\0', '\\']));
        (is_plain && !has_odd).then(|| self.dir.join(path))
    }
}

/// The beginning of paths at a mount, without a slash at its end; `None` for another host's.
fn prefix(mount: &str, vhost: &str, host: &str) -> Option<String> {
    const VHOST: &str = "[vhost]";
    let (mount_host, path) = mount.split_once('/').unwrap_or((mount, ""));
    if !mount_host.is_empty() && ![VHOST, host, vhost].contains(&mount_host) {
        return None;
    }
    let path = path.replace(VHOST, vhost);
    let path = path.trim_matches('/');
    Some(if path.is_empty() { String::new() } else { format!("/{path}") })
}

/// Whether what follows a prefix is a path of its own.
fn is_whole(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// The address without the prefix of its path.
fn without(prefix: &str, uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str().strip_prefix(prefix)?;
    let path = if path.starts_with('/') { path } else { &format!("/{path}") };
    PathAndQuery::try_from(path).ok().map(Uri::from)
}

/// What SRS's users expect where registries say otherwise, or nothing.
fn content_type(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "flv" => "video/x-flv",
        "ts" => "video/MP2T",
        "m4s" => "video/iso.segment",
        "m3u8" => "application/vnd.apple.mpegurl",
        "mpd" => "application/dash+xml",
        "aac" => "audio/x-aac",
        _ => return None,
    })
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "no such file or live stream\n").into_response()
}

fn failed(path: &str, error: &std::io::Error) -> Response {
    use std::io::ErrorKind::{
        InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied,
    };
    if !matches!(
        error.kind(),
        NotFound | NotADirectory | IsADirectory | PermissionDenied | InvalidInput
    ) {
        warn!("cannot serve {path}: {error}");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    not_found()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_the_beginning_of_a_path() {
        let prefix = |mount| prefix(mount, "v.example", "10.0.0.1");
        assert_eq!(prefix("[vhost]/").as_deref(), Some(""));
        assert_eq!(prefix("[vhost]/hls").as_deref(), Some("/hls"));
        assert_eq!(prefix("/a/b/").as_deref(), Some("/a/b"));
        assert_eq!(prefix("/[vhost]/x").as_deref(), Some("/v.example/x"));
        assert_eq!(prefix("v.example/x").as_deref(), Some("/x"));
        assert_eq!(prefix("w.example/x"), None);
        assert!(is_whole("/x") && is_whole("") && !is_whole("x"));
    }

    #[test]
    fn the_prefix_is_no_part_of_the_file() {
        let uri: Uri = "/hls/live/a.m3u8?x=1".parse().unwrap();
        assert_eq!(without("/hls", &uri).unwrap(), "/live/a.m3u8?x=1");
        assert_eq!(without("", &uri).unwrap(), uri);
        assert_eq!(without("/hls", &"/hls?x=1".parse().unwrap()).unwrap(), "/?x=1");
        let files = Files { dir: "root".into(), prefix: "/hls".to_owned() };
        assert_eq!(files.file("hls/live/a.ts"), Some("root/live/a.ts".into()));
        assert_eq!(files.file("other/a.ts"), None);
    }

    #[test]
    fn no_path_leads_out_of_the_directory() {
        let files = Files { dir: "root".into(), prefix: String::new() };
        for path in ["../a", "a/../../b", "..", "a/..", "a\0b", "a\\..\\b", "./../x"] {
            assert_eq!(files.file(path), None, "{path:?}");
        }
        assert_eq!(files.file("/etc/passwd"), Some("root/etc/passwd".into()));
        assert_eq!(files.file("a/b.ts"), Some("root/a/b.ts".into()));
    }
}
