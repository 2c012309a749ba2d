//! Who may publish a stream that is published.

use std::{thread::sleep, time::Duration};

use super::{RTC, began, delete, publish, server, vhost};
use crate::support::{RtmpClient, TestServer};

#[test]
fn a_stream_that_is_published_is_busy() {
    let server = server();
    let location = began(&publish(&server, "/whip/live/a?t=1"));
    let busy = publish(&server, "/whip/live/a?t=2");
    assert_eq!(busy.status, 409, "{busy:?}");
    assert_eq!(busy.json()["code"], 5020);
    // Who publishes it is none of the other's business.
    assert!(!busy.body.contains("127.0.0.1"), "{busy:?}");
    assert!(RtmpClient::open(&server.rtmp_url("a"), rtmp_proto::Purpose::publish()).is_err());
    assert_eq!(delete(&server, &location), 200);
    began(&publish(&server, "/whip/live/a?t=2"));
}

#[test]
fn the_same_publisher_replaces_its_session_at_once() {
    let server = TestServer::configured(&format!("{RTC}{}", vhost("publish { takeover same; }")));
    let first = began(&publish(&server, "/whip/live/a?t=1"));
    assert_eq!(publish(&server, "/whip/live/a?t=2").status, 409);
    let second = began(&publish(&server, "/whip/live/a?t=1"));
    assert_eq!(server.clients("a", "rtc-publish").len(), 1);
    assert_eq!(delete(&server, &first), 404);
    assert!(server.api("streams")["streams"][0]["publish"]["active"] == true);
    assert_eq!(delete(&server, &second), 200);
    assert!(server.clients("a", "rtc-publish").is_empty());
}

/// An encoder that lost its network comes back before its old session has timed out, wherever
/// nobody else may take over.
#[test]
fn a_silent_session_gives_way_to_its_own_client() {
    let server = server();
    let first = began(&publish(&server, "/whip/live/a?t=1"));
    assert_eq!(publish(&server, "/whip/live/a?t=1").status, 409);
    sleep(Duration::from_millis(2_100));
    assert_eq!(publish(&server, "/whip/live/a?t=2").status, 409);
    began(&publish(&server, "/whip/live/a?t=1"));
    assert_eq!(delete(&server, &first), 404);
    assert_eq!(server.clients("a", "rtc-publish").len(), 1);
}

/// An RTMP publisher that takes over ends a session that nobody has used yet.
#[test]
fn rtmp_takes_over_from_a_session() {
    let server = TestServer::configured(&format!("{RTC}{}", vhost("publish { takeover same; }")));
    let location = began(&publish(&server, "/whip/live/a?t=1"));
    let _publisher = RtmpClient::publish(&server.rtmp_url("a?t=1"));
    server.wait_for_client("a", "fmle-publish");
    crate::support::wait_for("end of the session", Duration::from_secs(20), || {
        server.clients("a", "rtc-publish").is_empty().then_some(())
    });
    assert_eq!(delete(&server, &location), 404);
    assert!(server.api("streams")["streams"][0]["publish"]["active"] == true);
}
