//! How long a publisher may be silent or alone, and who may take its place.

use std::{
    thread,
    time::{Duration, Instant},
};

use rtmp_proto::{MediaKind, MessageStreamId, Purpose};

use super::{send, server, take, url};
use crate::support::{
    Answer, HookServer, RawClient, RtmpClient, TestServer, key_frame, video_header, wait_for,
};

/// How long until the server closes the publisher.
#[track_caller]
fn time_to_live(publisher: &mut RtmpClient) -> Duration {
    let began = Instant::now();
    let error =
        wait_for("end of the publisher", Duration::from_secs(20), || publisher.next().err());
    if error == "nothing to read" {
        return began.elapsed() + time_to_live(publisher);
    }
    began.elapsed()
}

#[test]
fn firstpkt_timeout_ends_a_silent_publisher() {
    let server =
        server(&[("v.example", "publish { firstpkt_timeout 1000; normal_timeout 60000; }")]);
    let mut talker = RtmpClient::publish(&url(&server, "v.example", "talker"));
    send(&mut talker, &[(0, &video_header())]);
    let mut silent = RtmpClient::publish(&url(&server, "v.example", "silent"));
    let lived = time_to_live(&mut silent);
    assert!(lived > Duration::from_millis(800), "{lived:?}");
    let line = server.wait_for_log("no media message for 1000 ms");
    assert!(line.contains("code=1011"), "{line}");
    // Only the first message is waited for so shortly.
    assert_eq!(server.clients("talker", "fmle-publish").len(), 1);
    assert_eq!(server.clients("silent", "fmle-publish").len(), 0);
}

#[test]
fn normal_timeout_ends_a_publisher_that_stops() {
    let server =
        server(&[("v.example", "publish { firstpkt_timeout 60000; normal_timeout 1000; }")]);
    let _silent = RtmpClient::publish(&url(&server, "v.example", "silent"));
    let mut talker = RtmpClient::publish(&url(&server, "v.example", "talker"));
    for number in 0..4 {
        send(&mut talker, &[(number * 300, &key_frame(number, 50))]);
        thread::sleep(Duration::from_millis(300));
    }
    let lived = time_to_live(&mut talker);
    assert!(lived > Duration::from_millis(400), "{lived:?}");
    let line = server.wait_for_log("no media message for 1000 ms");
    assert!(line.contains("code=1011"), "{line}");
    assert_eq!(server.clients("silent", "fmle-publish").len(), 1);
    // The stream is free again.
    RtmpClient::publish(&url(&server, "v.example", "talker"));
}

#[test]
fn kickoff_for_idle_closes_the_publisher() {
    let server = server(&[("v.example", "publish { kickoff_for_idle 2; }")]);
    let url = |stream: &str| url(&server, "v.example", stream);
    let mut lonely = RtmpClient::publish(&url("lonely"));
    let mut watched = RtmpClient::publish(&url("watched"));
    let _player = RtmpClient::play(&url("watched"));
    let began = Instant::now();
    let mut number = 0;
    wait_for("end of the lonely", Duration::from_secs(20), || {
        number += 1;
        send(&mut watched, &[(number * 20, &key_frame(number, 50))]);
        lonely.try_send(MediaKind::Video, number * 20, key_frame(number, 50)).err()
    });
    assert!(began.elapsed() > Duration::from_millis(1500), "{:?}", began.elapsed());
    let line = server.wait_for_log("no player for 2 s");
    assert!(line.contains("code=2056") && line.contains("/lonely"), "{line}");

    // Who comes back has all its time again.
    let mut again = RtmpClient::publish(&url("lonely"));
    let came = Instant::now();
    while came.elapsed() < Duration::from_millis(1000) {
        number += 1;
        send(&mut watched, &[(number * 20, &key_frame(number, 50))]);
        send(&mut again, &[(number * 20, &key_frame(number, 50))]);
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.clients("lonely", "fmle-publish").len(), 1);
    assert_eq!(server.clients("watched", "fmle-publish").len(), 1);
}

#[test]
fn takeover_same_replaces_the_publisher() {
    let server = server(&[
        ("same.example", "publish { takeover same; } play { mw_latency 0; mw_msgs 0; }"),
        ("off.example", "publish { takeover off; }"),
    ]);
    let url = |vhost: &str, token: &str| url(&server, vhost, &format!("a?token={token}"));
    let mut player = RtmpClient::play(&url("same.example", "player"));
    let mut first = RtmpClient::publish(&url("same.example", "1"));
    send(&mut first, &[(0, &key_frame(1, 50))]);
    assert_eq!(take(&mut player, 1)[0].1, key_frame(1, 50));
    // Another is refused, the same replaces.
    let refused = RtmpClient::open(&url("same.example", "2"), Purpose::publish()).err().unwrap();
    assert!(refused.starts_with("NetStream.Publish.BadName"), "{refused}");
    let mut second = RtmpClient::publish(&url("same.example", "1"));
    server.wait_for_log("another publisher took same.example/live/a over");
    send(&mut second, &[(0, &key_frame(2, 50))]);
    assert_eq!(take(&mut player, 1)[0].1, key_frame(2, 50));
    assert!(time_to_live(&mut first) < Duration::from_secs(5));

    let _first = RtmpClient::publish(&url("off.example", "1"));
    RtmpClient::open(&url("off.example", "1"), Purpose::publish()).err().unwrap();
}

/// As in SRS: the newcomer goes, the first goes on undisturbed, and hook servers hear of none of it.
#[test]
fn a_busy_stream_is_refused_and_goes_on() {
    let hooks = HookServer::start();
    let server = TestServer::configured(&format!(
        "vhost __defaultVhost__ {{
            play {{ mw_latency 0; mw_msgs 0; }}
            http_hooks {{ enabled on; on_publish {0}/on_publish; on_unpublish {0}/on_unpublish; }}
        }}",
        hooks.url("")
    ));
    let mut first = RtmpClient::publish(&server.rtmp_url("a"));
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    for number in 0..3 {
        let refused = RtmpClient::open(&server.rtmp_url("a"), Purpose::publish()).err().unwrap();
        assert!(refused.starts_with("NetStream.Publish.BadName"), "{refused}");
        send(&mut first, &[(number * 40, &key_frame(number, 50))]);
        assert_eq!(take(&mut player, 1)[0].1, key_frame(number, 50));
    }
    let line = server.wait_for_log("publish of __defaultVhost__/live/a refused: stream is busy");
    assert!(line.contains("code=1028"), "{line}");
    drop(first);
    hooks.wait_for(2, |_| true);
    assert_eq!(hooks.actions(), ["on_publish", "on_unpublish"]);
    RtmpClient::publish(&server.rtmp_url("a"));
}

/// Of two that come while a hook server thinks, it hears of the first alone.
#[test]
fn a_stream_is_busy_while_hook_servers_are_asked() {
    let hooks = HookServer::start();
    hooks.script("/on_publish", Answer::Hold);
    let server = TestServer::configured(&format!(
        "vhost __defaultVhost__ {{
            http_hooks {{ enabled on; on_publish {0}/on_publish; on_unpublish {0}/on_unpublish; }}
        }}",
        hooks.url("")
    ));
    let url = server.rtmp_url("a");
    let first = thread::spawn({
        let url = url.clone();
        move || RtmpClient::publish(&url)
    });
    hooks.wait_for_action("on_publish");
    let refused = RtmpClient::open(&url, Purpose::publish()).err().unwrap();
    assert!(refused.starts_with("NetStream.Publish.BadName"), "{refused}");
    hooks.script("/on_publish", Answer::ok("0"));
    let first = first.join().unwrap();
    assert_eq!(server.clients("a", "fmle-publish").len(), 1);
    RtmpClient::open(&url, Purpose::publish()).err().unwrap();
    drop(first);
    hooks.wait_for_action("on_unpublish");
    assert_eq!(hooks.actions(), ["on_publish", "on_unpublish"]);
    let _third = RtmpClient::publish(&url);
}

/// One connection, one publish after another.
#[test]
fn a_connection_publishes_again_after_fcunpublish() {
    let server = server(&[]);
    let mut player = RtmpClient::play(&server.rtmp_url("a"));
    let mut encoder = RawClient::connect(server.rtmp, "rtmp://127.0.0.1/live", "live");
    for number in 0..3 {
        encoder.call(MessageStreamId::CONTROL, "releaseStream", vec!["a".into()]);
        encoder.call(MessageStreamId::CONTROL, "FCPublish", vec!["a".into()]);
        let msid = encoder.create_stream();
        encoder.publish(msid, "a");
        assert_eq!(server.clients("a", "fmle-publish").len(), 1);
        let frame = key_frame(number, 50);
        encoder.send_media(msid, rtmp_proto::MessageType::VIDEO, 0, frame.clone());
        encoder.call(MessageStreamId::CONTROL, "FCUnpublish", vec!["a".into()]);
        encoder.wait_for_status("NetStream.Unpublish.Success");
        encoder.call(MessageStreamId::CONTROL, "deleteStream", vec![msid.0.into()]);
        // The end of a stream brings what merged writes held back.
        assert_eq!(take(&mut player, 1)[0].1, frame);
        wait_for("end of the publish", Duration::from_secs(5), || {
            server.clients("a", "fmle-publish").is_empty().then_some(())
        });
    }
}

#[test]
fn encoders_are_named_by_how_they_publish() {
    let server = server(&[]);
    const ROOT: MessageStreamId = MessageStreamId::CONTROL;
    let mut connections = Vec::new();
    for (kind, before, after) in [
        ("flash-publish", &[][..], &[][..]),
        ("fmle-publish", &["releaseStream", "FCPublish"], &[]),
        ("fmle-publish", &["FCPublish"], &[]),
        ("fmle-publish", &["releaseStream"], &[]),
        ("haivision-publish", &[], &["FCPublish"]),
        ("haivision-publish", &[], &["releaseStream", "FCPublish"]),
        ("fmle-publish", &["FCPublish"], &["FCPublish"]),
    ] {
        let stream = format!("s{}", connections.len());
        let mut encoder = RawClient::connect(server.rtmp, "rtmp://127.0.0.1/live", "live");
        for call in before {
            encoder.call(ROOT, call, vec![stream.as_str().into()]);
        }
        let msid = encoder.create_stream();
        for call in after {
            encoder.call(ROOT, call, vec![stream.as_str().into()]);
        }
        encoder.publish(msid, &stream);
        assert_eq!(server.clients(&stream, kind).len(), 1, "{stream} {kind}");
        connections.push(encoder);
    }
}
