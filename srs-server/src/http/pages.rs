//! The pages of the server itself: they publish by WHIP and play by WHEP.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{
    extract::Request,
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};

/// A file that is a part of the program.
#[derive(Debug)]
pub(super) struct Page {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! pages {
    ($($path:literal $content_type:expr, $file:literal;)+) => {
        &[$(Page {
            path: $path,
            content_type: $content_type,
            text: include_str!(concat!("../../pages/", $file)),
        }),+]
    };
}

static PAGES: &[Page] = pages! {
    "players/" HTML, "index.html";
    "players/index.html" HTML, "index.html";
    "players/whip.html" HTML, "whip.html";
    "players/whep.html" HTML, "whep.html";
    "players/index.js" SCRIPT, "index.js";
    "players/rtc.js" SCRIPT, "rtc.js";
    "players/whip.js" SCRIPT, "whip.js";
    "players/whep.js" SCRIPT, "whep.js";
    "players/style.css" "text/css; charset=utf-8", "style.css";
};

impl Page {
    /// The page at a path without its first slash.
    pub(super) fn at(path: &str) -> Option<&'static Self> {
        PAGES.iter().find(|page| page.path == path)
    }

    /// Answers a request for it.
    pub(super) fn serve(&self, request: &Request) -> Response {
        let mut hasher = DefaultHasher::new();
        self.text.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        let known = request.headers().get(header::IF_NONE_MATCH);
        let is_known = known.and_then(|tags| tags.to_str().ok()).is_some_and(|tags| {
            tags.split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
        });
        // A new version of the server has new pages.
        let head = [(header::ETAG, etag), (header::CACHE_CONTROL, "no-cache".to_owned())];
        if is_known {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        let kind = [(header::CONTENT_TYPE, self.content_type)];
        match *request.method() {
            Method::HEAD => {
                let length = [(header::CONTENT_LENGTH, self.text.len().to_string())];
                (head, kind, length).into_response()
            }
            _ => (head, kind, self.text).into_response(),
        }
    }
}
