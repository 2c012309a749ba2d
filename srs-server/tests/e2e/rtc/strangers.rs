//! Who has no session costs none of those who have.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpStream, UdpSocket},
    time::Duration,
};

use super::{flows, server};
use crate::support::{RtcClient, TestServer, wait_for};

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
