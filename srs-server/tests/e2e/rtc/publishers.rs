//! Publishers come, go, and come again; viewers stay.

use std::time::Duration;

use rtc_stack::MediaKind;

use super::{RTC, flows, server};
use crate::support::{RtcClient, RtmpClient, TestServer};

/// That a viewer's sequence numbers and timestamps go on, whoever publishes.
fn goes_on(viewer: &RtcClient) {
    for kind in [MediaKind::Video, MediaKind::Audio] {
        for pair in viewer.of(kind).windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
            assert!(step < 90_000 * 60, "{step}");
        }
    }
}

#[test]
fn who_comes_again_has_the_same_viewers() {
    let server = server();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    for _ in 0..3 {
        let mut publisher = RtcClient::publish(server.api, "a").connect();
        flows(&mut publisher, &mut viewer, &mut number);
        publisher.delete();
        publisher.until("goodbye", |publisher| publisher.goodbyes.1.then_some(()));
        assert!(server.clients("a", "rtc-publish").is_empty());
    }
    goes_on(&viewer);
}

#[test]
fn the_same_publisher_takes_over() {
    let same = "vhost __defaultVhost__ { rtc { enabled on; } publish { takeover same; } }\n";
    let server =
        TestServer::configured(&RTC.lines().take(2).chain([same]).collect::<Vec<_>>().join("\n"));
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    let mut first = RtcClient::publish(server.api, "a").connect();
    flows(&mut first, &mut viewer, &mut number);
    let mut second = RtcClient::publish(server.api, "a").connect();
    first.until("goodbye", |first| first.goodbyes.1.then_some(()));
    flows(&mut second, &mut viewer, &mut number);
    assert_eq!(server.clients("a", "rtc-publish").len(), 1);
    goes_on(&viewer);
    server.wait_for_log("publish ended: another publisher took the stream over");
}

#[test]
fn viewers_wait_while_the_stream_comes_by_rtmp() {
    let server = server();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let rtmp = RtmpClient::publish(&server.rtmp_url("a"));
    server.wait_for_client("a", "fmle-publish");
    viewer.poll(Duration::from_millis(100));
    drop(rtmp);
    crate::support::wait_for("end of RTMP", Duration::from_secs(20), || {
        server.clients("a", "fmle-publish").is_empty().then_some(())
    });
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    flows(&mut publisher, &mut viewer, &mut 0);
}
