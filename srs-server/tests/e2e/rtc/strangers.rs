//! Who has no session costs none of those who have.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpStream, UdpSocket},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use super::{RTC, flows, server};
use crate::support::{RtcClient, TestServer, http, wait_for};

/// Sessions that may wait for their client.
const PENDING: usize = 4096;
const OFFER: &str = include_str!("../../../../rtc-stack/tests/sdp/chrome-publish.sdp");

/// A counter of the metrics.
fn counter(server: &TestServer, name: &str) -> u64 {
    let url = format!("http://127.0.0.1:{}/metrics", server.api);
    let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn dropped(server: &TestServer, reason: &str) -> u64 {
    counter(server, &format!("srs_rtc_dropped_datagrams_total{{reason=\"{reason}\"}}"))
}

#[test]
fn their_datagrams_are_counted_and_the_stream_goes_on() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.connect(viewer.server()).unwrap();
    let mut number = 0;
    let mut check = viewer.binding_request("nobody:else", &"p".repeat(24));
    for round in 0..200_u32 {
        // RTP, RTCP, DTLS and nothing at all, of an address that no session has.
        for first in [0x80, 0x81, 22, 5, 255] {
            let mut datagram = vec![first; 100];
            datagram[1] = if first == 0x81 { 200 } else { round as u8 & 0x7f };
            stranger.send(&datagram).unwrap();
        }
        stranger.send(&check).unwrap();
        // The right names with a wrong password come to somebody, and count as forged.
        check = match round % 2 {
            0 => viewer.forged_request(),
            _ => viewer.binding_request("nobody:else", &"p".repeat(24)),
        };
        if round % 50 == 0 {
            flows(&mut publisher, &mut viewer, &mut number);
        }
    }
    flows(&mut publisher, &mut viewer, &mut number);
    for reason in ["unknown_user", "unknown_address", "not_webrtc", "unauthentic"] {
        wait_for(reason, Duration::from_secs(20), || (dropped(&server, reason) > 0).then_some(()));
    }
    // Nobody who doesn't know a password is answered.
    stranger.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let error = stranger.recv(&mut [0; 2000]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn a_connection_that_begins_with_something_else_is_closed() {
    let server = server();
    let client = RtcClient::begin(server.api, "/rtc/v1/whep/?app=live&stream=a", false, true);
    let forged = client.forged_request();
    for first in [&forged[..], b"GET / HTTP/1.1\r\n\r\n", &[0x80; 40]] {
        let mut socket = TcpStream::connect(client.server()).unwrap();
        socket.write_all(&(first.len() as u16).to_be_bytes()).unwrap();
        socket.write_all(first).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        match socket.read(&mut [0; 100]) {
            Ok(read) => assert_eq!(read, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
    }
    // The session still waits for its own client.
    client.connect();
}

#[test]
fn ice_begins_anew_when_the_client_asks() {
    let server = server();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    flows(&mut publisher, &mut viewer, &mut number);
    viewer.restart_ice();
    viewer.move_away();
    flows(&mut publisher, &mut viewer, &mut number);
    publisher.restart_ice();
    publisher.move_away();
    flows(&mut publisher, &mut viewer, &mut number);
    // The counters are told once a second.
    let shaken = || counter(&server, "srs_rtc_handshakes_total{result=\"ok\"}");
    wait_for("handshakes", Duration::from_secs(20), || (shaken() >= 2).then_some(()));
    assert_eq!(shaken(), 2);
}

/// Asks to publish, which no packet is going to follow; the status and the body.
fn offer(api: u16, agent: &ureq::Agent, number: usize) -> (u16, String) {
    let mut reply = agent
        .post(format!("http://127.0.0.1:{api}/whip/live/flood{number}"))
        .header("Content-Type", "application/sdp")
        .send(OFFER)
        .unwrap();
    (reply.status().as_u16(), reply.body_mut().read_to_string().unwrap())
}

#[test]
fn sessions_that_nobody_comes_for_are_bounded_and_leave_nothing() {
    // A place for each that waits and for those who connect first, and one that a refusal needs for a moment.
    let config = format!("max_connections {};\n{RTC}", PENDING + 2 + 1);
    let server = TestServer::configured(&config);
    let sessions = |state| counter(&server, &format!("srs_rtc_sessions{{state=\"{state}\"}}"));
    let clients = || server.api("clients?count=10000")["clients"].as_array().unwrap().len();
    let mut publisher = RtcClient::publish(server.api, "a").connect();
    let mut viewer = RtcClient::play(server.api, "a").connect();
    let mut number = 0;
    flows(&mut publisher, &mut viewer, &mut number);

    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent = ureq::Agent::from(config);
    let (next, begun) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= PENDING + 100 {
                        return;
                    }
                    match offer(server.api, &agent, number).0 {
                        201 => begun.fetch_add(1, Ordering::Relaxed),
                        status => {
                            assert_eq!(status, 503);
                            continue;
                        }
                    };
                }
            });
        }
        // The others see nothing of it.
        while next.load(Ordering::Relaxed) < PENDING {
            viewer.got.clear();
            flows(&mut publisher, &mut viewer, &mut number);
        }
    });
    assert_eq!(begun.into_inner(), PENDING);
    let (status, problem) = offer(server.api, &agent, PENDING);
    assert_eq!(status, 503);
    assert!(problem.contains("4096 sessions are there"), "{problem}");
    assert_eq!((sessions("pending"), sessions("connected")), (PENDING as u64, 2));

    // They go after `stun_timeout`, 30 s. The two that are there must not, and so go on.
    let patience = Duration::from_secs(90);
    wait_for("the end of those that wait", patience, || {
        viewer.got.clear();
        flows(&mut publisher, &mut viewer, &mut number);
        (sessions("pending") == 0).then_some(())
    });
    assert_eq!(sessions("connected"), 2);
    assert_eq!(clients(), 2);
    // These would have no place if one of the others still had its own.
    let mut publisher = RtcClient::publish(server.api, "b").connect();
    let mut viewer = RtcClient::play(server.api, "b").connect();
    flows(&mut publisher, &mut viewer, &mut number);
}

#[test]
fn a_long_body_is_refused_and_never_taken_for_requests() {
    let server = server();
    let mut other = TcpStream::connect(("127.0.0.1", server.api)).unwrap();
    let mut asks = || {
        other.write_all(b"GET /api/v1/versions HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = [0; 4096];
        let length = other.read(&mut answer).unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200 "));
    };
    asks();
    let request = "DELETE /whip/live/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let body = request.repeat((1 << 20) / request.len() + 1);
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let length = body.len().to_string();
    for (framing, body) in
        [(("Content-Length", &*length), &body), (("Transfer-Encoding", "chunked"), &chunked)]
    {
        let mut socket = TcpStream::connect(("127.0.0.1", server.api)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let head = format!(
            "POST /whip/live/a HTTP/1.1\r\nHost: localhost\r\n\
            Content-Type: application/sdp\r\n{}: {}\r\n\r\n",
            framing.0, framing.1
        );
        socket.write_all(head.as_bytes()).unwrap();
        // It may close before it has read everything.
        let _ = socket.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        asks();
    }
    assert_eq!(http(server.api, "GET /api/v1/versions", &[], "").status, 200);
    assert!(server.clients("a", "rtc-publish").is_empty());
}
