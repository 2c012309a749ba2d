//! What the log says of a connection names it, wherever in the server it was said.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use rtmp_proto::{ClientConfig, MediaKind, Purpose, RtmpUrl};

use crate::support::{RtmpClient, TestServer, key_frame};

/// Waits for such a line, and for the id of the connection in it.
fn id_in(server: &TestServer, text: &str) -> String {
    let line = server.wait_for_log(text);
    let id = line.split_once("conn{id=").and_then(|(_, rest)| rest.split_once('}'));
    id.unwrap_or_else(|| panic!("no connection in `{line}`")).0.to_owned()
}

fn flv_player(server: &TestServer, stream: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    write!(socket, "GET /live/{stream}.flv HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    socket
}

#[test]
fn every_line_of_a_connection_says_whose_it_is() {
    // The publisher is quiet while the test waits.
    let server = TestServer::start_with(&[("SRS_VHOST_PUBLISH_NORMAL_TIMEOUT", "120000")]);
    let mut publisher = RtmpClient::publish(&server.rtmp_url("a"));
    let published = id_in(&server, ": publish stream=");
    assert_eq!(id_in(&server, ": rtmp connection peer="), published);

    // A player that asks for two seconds of the stream, and one that is closed.
    let url = RtmpUrl::parse(&server.rtmp_url("a")).unwrap();
    let limited = Purpose::Play { start: -2.0, duration: 2.0 };
    let mut limited = RtmpClient::open_with(ClientConfig::new(url, limited)).unwrap();
    let played = id_in(&server, ": play stream=");
    for number in 0..=50 {
        publisher.send(MediaKind::Video, number * 50, key_frame(number, 100));
    }
    while limited.next().is_ok_and(|media| media.1 < 1_900) {}
    assert_eq!(id_in(&server, "play ended: all that was asked for is sent"), played);
    drop(limited);
    // Closed by the client, or reset where it had something unread.
    assert_eq!(id_in(&server, "rtmp connection closed"), played);

    let _player = RtmpClient::play(&server.rtmp_url("a"));
    let player = server.wait_for_client("a", "rtmp-play");
    server.kick(&player);
    assert_eq!(id_in(&server, "rtmp connection closed: kicked"), player);

    let _flv = flv_player(&server, "a");
    let flv = id_in(&server, ": http play ip=");
    assert_eq!(server.wait_for_client("a", "flv-play"), flv);
    // The publisher is closed for good, and so the stream and the response are at their end.
    server.kick(&published);
    assert_eq!(id_in(&server, "http play ended: "), flv);

    let _waiting = flv_player(&server, "b");
    let waiting = server.wait_for_client("b", "flv-play");
    server.kick(&waiting);
    assert_eq!(id_in(&server, "http connection closed: kicked"), waiting);
}
