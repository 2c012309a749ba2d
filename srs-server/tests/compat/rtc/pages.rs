//! The pages that publish and play.

use std::fs;

use super::server;
use crate::support::http;

#[test]
fn pages_are_a_part_of_the_server() {
    let server = server();
    for (path, content_type, text) in [
        ("/players/", "text/html; charset=utf-8", "whip.html"),
        ("/players/index.html", "text/html; charset=utf-8", "whep.html"),
        ("/players/whip.html", "text/html; charset=utf-8", "whip.js"),
        ("/players/whep.html", "text/html; charset=utf-8", "whep.js"),
        ("/players/index.js", "text/javascript; charset=utf-8", "/api/v1/streams"),
        ("/players/rtc.js", "text/javascript; charset=utf-8", "RTCPeerConnection"),
        ("/players/whip.js", "text/javascript; charset=utf-8", "rtc.js"),
        ("/players/whep.js", "text/javascript; charset=utf-8", "rtc.js"),
        ("/players/style.css", "text/css; charset=utf-8", "{"),
    ] {
        let page = http(server.http, &format!("GET {path}"), &[], "");
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("content-type"), content_type, "{path}");
        assert!(page.body.contains(text), "{path}");
        let etag = page.header("etag");
        let again = http(server.http, &format!("GET {path}"), &[("If-None-Match", etag)], "");
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
        let head = http(server.http, &format!("HEAD {path}"), &[], "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(head.header("content-length"), page.body.len().to_string(), "{path}");
    }
    assert_eq!(http(server.http, "GET /players/none.html", &[], "").status, 404);
}

/// Whoever has pages of these names has his own.
#[test]
fn files_come_before_pages() {
    let server = server();
    let folder = server.dir().join("objs/nginx/html/players");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("whip.html"), "own").unwrap();
    assert_eq!(http(server.http, "GET /players/whip.html", &[], "").body, "own");
    assert_ne!(http(server.http, "GET /players/whep.html", &[], "").body, "own");
}
